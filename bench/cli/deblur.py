"""``bench deblur``: one solver on somebody's own picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.imaging import picture_files as pictures

if TYPE_CHECKING:
    import numpy as np


def command(
    image: Annotated[Path, typer.Argument(help="The blurred picture: PNG, JPEG, WebP, TIFF or npy.")],
    psf: Annotated[Path, typer.Option(help="The PSF: PNG, TIFF, npy or mat; normalised to unit sum.")],
    out: Annotated[Path, typer.Option(help="Where the estimate goes: .png (8 bit) or .npy (float).")],
    solver: Annotated[str, typer.Option(help="A solver's name, or a path to one.")] = "tv",
    sigma: Annotated[
        float | None, typer.Option(min=0, help="Noise std in grey levels of 255 (default: estimated).")
    ] = None,
    setting: Annotated[list[str] | None, typer.Option("--set", help="A setting of the solver: lam=0.01.")] = None,
    rotate180: Annotated[
        bool, typer.Option("--rotate180", help="The file holds the PSF turned by 180 degrees.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of a stochastic solver.")] = 0,
) -> None:
    """Deblur one picture with a known PSF; nothing is assumed about what lies outside the picture."""
    from bench.plugins.lookup import find_plugin

    plugin = find_plugin("solver", solver)
    settings = settings_of(setting or [])
    y = pictures.read(image)
    kernel = _kernel(psf, rotate180)
    level = sigma / 255 if sigma is not None else _estimated(y)
    x = _solve(plugin, settings, y, kernel, level, seed)
    (pictures.write_npy if out.suffix.lower() == ".npy" else pictures.write_8_bit)(out, x)
    source = "given" if sigma is not None else "estimated"
    typer.echo(f"{out}: {plugin.label}, noise std {level * 255:.2f} of 255 ({source}), PSF {kernel.shape}")


def settings_of(given: list[str]) -> dict[str, Any]:
    """``name=value`` strings as settings. Raises SettingError."""
    from bench.errors import SettingError
    from bench.grid.yaml import parse_yaml

    settings = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals:
            raise SettingError(f"--set wants name=value, got {item!r}")
        settings[name.strip()] = parse_yaml(value, "--set").data
    return settings


def _kernel(path: Path, rotate180: bool) -> np.ndarray:
    from bench.plugins.lookup import find_plugin, load_plugin
    from bench.plugins.settings import build
    from bench.seeds import generator

    plugin = find_plugin("operator", "file")
    operator = build(plugin, load_plugin(plugin), {"path": str(path), "rotate180": rotate180})
    return operator.psf(generator("deblur")).psf


def _estimated(y: np.ndarray) -> float:
    """Noise std from the finest wavelet coefficients (Donoho and Johnstone 1994), smallest over the channels."""
    import numpy as np
    from skimage.restoration import estimate_sigma

    return min(float(np.asarray(estimate_sigma(channel))) for channel in y)


def _solve(
    plugin: Any, settings: dict[str, Any], y: np.ndarray, psf: np.ndarray, sigma: float, seed: int
) -> np.ndarray:
    import torch

    from bench.contracts import NoiseLevel
    from bench.errors import SolverError
    from bench.imaging.measure import Measurement
    from bench.methods.make_problem import assemble
    from bench.plugins.lookup import load_plugin
    from bench.plugins.settings import build
    from bench.seeds import generator

    solver = build(plugin, load_plugin(plugin), settings)
    m = Measurement(y=y, truth=y, psf=psf, T=1.0, level=NoiseLevel(0.0, sigma))
    problem = assemble([m], [generator(seed, "deblur", plugin.name)], blind=solver.blind)
    with torch.no_grad():
        x = solver.solve(problem)[0].double().numpy()
    if not bool(torch.isfinite(torch.from_numpy(x)).all()):
        raise SolverError(f"{plugin.label} returned non-finite values")
    return x.clip(0, 1)
