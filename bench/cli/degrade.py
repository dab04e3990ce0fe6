"""``bench degrade``: the measurements of a grid as a dataset for others: blurred, sharp, PSF, manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from bench.cli.grid_file import named_grid


def command(
    grid: Annotated[str, typer.Argument(help="A grid file, or the name of a shipped grid.")],
    out: Annotated[Path, typer.Option(help="A folder that does not exist yet, or is empty.")],
    split: Annotated[str, typer.Option(help="test or val.")] = "test",
    form: Annotated[
        str, typer.Option("--format", help="png8, png16 (both clipped to [0, 1]) or npy (float32, not clipped).")
    ] = "png16",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many images per dataset.")] = None,
) -> None:
    """Write every measurement of a grid with its sharp image and PSF, and a manifest.csv that says how each was made.

    The measurements are the same, bit for bit before rounding, as those that bench run uses.
    """
    from bench.errors import SettingError, did_you_mean
    from bench.running.degrade import FORMATS, write_dataset

    if split not in ("test", "val"):
        raise SettingError(f"--split {split!r}. {did_you_mean(split, ['test', 'val'])}")
    if form not in FORMATS:
        raise SettingError(f"--format {form!r}. {did_you_mean(form, FORMATS)}")
    chosen: Literal["test", "val"] = "val" if split == "val" else "test"
    count = write_dataset(named_grid(grid), out, chosen, form, limit)
    typer.echo(f"{out / 'manifest.csv'}: {count} measurements")
