"""``bench calibrate``: how wrong a prior is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from bench.grid.variants import Variant
    from bench.running.calibrate import Calibration


def command(
    prior: Annotated[str, typer.Argument(help="A prior's name, shipped weights, or a path to either.")],
    data: Annotated[
        str,
        typer.Option(help="What to measure on: a dataset (its split val, if it has one) or a folder."),
    ] = "photos",
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of the prior: path=~/ffhq_10m.pt.")
    ] = None,
    data_setting: Annotated[
        list[str] | None, typer.Option("--data-set", help="A setting of the dataset: mode=rgb.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=16, help="Side of the crops in px (default: the prior's own, or 128).")
    ] = None,
    crops: Annotated[int, typer.Option(min=1, help="At most so many; each costs some 17 evaluations.")] = 32,
    seed: Annotated[int, typer.Option(help="Seed of the noise.")] = 0,
    device: Annotated[str, typer.Option(help="A torch device such as cpu or cuda:0.")] = "cpu",
    batch: Annotated[int, typer.Option(min=1, help="Crops for each evaluation.")] = 4,
    forget: Annotated[
        bool, typer.Option("--forget", help="Measure nothing; let runs use no measurement of this prior.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure how wrong a prior is, for sprox, pigdm (measured) and warm starts, and its PSNR as a denoiser.

    What is measured is remembered by content, and runs use it from then on: the last that was asked for.
    """
    from bench.plugins import calibrations
    from bench.running.calibrate import calibrate

    chosen = _variant(prior, setting)
    if forget:
        done = calibrations.forget(chosen.plugin, chosen.settings)
        typer.echo(f"{chosen.id}: {'no measurement is used any more' if done else 'none was in use'}")
        return
    calibration = calibrate(
        chosen,
        data,
        _settings(data_setting, "--data-set"),
        size=size,
        most=crops,
        seed=seed,
        device=device,
        batch=batch,
        say=lambda text: typer.echo(f"{chosen.id}: {text}", err=True),
    )
    if as_json:
        facts = {"file": str(calibration.path), "used": calibration.is_used, "new": calibration.is_new}
        typer.echo(json.dumps({**calibration.record, **facts}, indent=1, ensure_ascii=False))
    else:
        _print(calibration)


def _settings(given: list[str] | None, option: str) -> dict[str, Any]:
    from bench.cli.deblur import settings_of

    return settings_of(given or [], option)


def _variant(prior: str, setting: list[str] | None) -> Variant:
    from bench.errors import SettingError
    from bench.grid.priors import prior_variants

    variants = prior_variants({prior: _settings(setting, "--set")}, Path.cwd())
    if len(variants) > 1:
        raise SettingError(f"one prior at a time, got {', '.join(v.id for v in variants)}")
    return variants[0]


def _print(calibration: Calibration) -> None:
    record = calibration.record
    typer.echo(f"{record['prior']} on {record['data']}, {record['size']} px")
    dB = ", ".join(f"{g}: {'beyond its σ' if v is None else f'{v:.2f} dB'}" for g, v in record["psnr"].items())
    typer.echo(f"PSNR of one evaluation at σ of 255    {dB}")
    typer.echo("error, root mean square, [-1, 1] units")
    for sigma, rms in zip(record["error"]["sigmas"], record["rms"], strict=False):  # the last σ stands for infinity
        typer.echo(f"  σ = {sigma:<8.3g} {rms:.4f}")
    remembered = "" if calibration.is_new else " (measured before)"
    use = "used by runs from now on" if calibration.is_used else "for information: this prior brings its own"
    typer.echo(f"{use}{remembered}: {calibration.path}")
