"""``bench deblur``: one solver on somebody's own pictures."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from bench.running.deblur import Deblurring

#: what an estimate is written as, by the suffix of its file
WRITTEN = (".png", ".npy")


def command(
    images: Annotated[
        list[Path], typer.Argument(help="Blurred pictures (PNG, JPEG, WebP, TIFF, npy), or folders of them.")
    ],
    out: Annotated[
        Path, typer.Option(help="A folder, or of one picture a file: .png (8 bit) or .npy (float, not rounded).")
    ],
    psf: Annotated[
        Path | None,
        typer.Option(help="The PSF: PNG, TIFF, npy or mat; normalised to unit sum. Blind solvers need none."),
    ] = None,
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
    """Deblur pictures, gray or in colour, with a known PSF or a blind solver; exits 4 if one could not be done.

    Nothing is assumed about what lies outside a picture.
    """
    from bench.running.deblur import Deblurring

    places = _places(images, out)
    work = Deblurring.of(solver, settings_of(setting or []), psf=psf, rotate180=rotate180, sigma=sigma, seed=seed)
    failed = 0
    for number, (source, target) in enumerate(places, 1):
        count = f"{number}/{len(places)} " if len(places) > 1 else ""
        failed += not _one(work, source, target, count)
    if failed:
        typer.echo(f"{failed} of {len(places)} pictures could not be done", err=True)
        raise typer.Exit(4)


def _one(work: Deblurring, source: Path, target: Path, count: str) -> bool:
    """Deblur a picture and say so; whether it could be done."""
    from bench.errors import BenchError
    from bench.imaging.picture_files import read, write_8_bit, write_npy

    if sys.stderr.isatty():
        typer.echo(f"{count}{source} ...\r", err=True, nl=False)
    start = time.monotonic()
    try:
        estimate = work.run(read(source))
        target.parent.mkdir(parents=True, exist_ok=True)
        (write_npy if target.suffix.lower() == ".npy" else write_8_bit)(target, estimate.x)
    except (BenchError, MemoryError) as error:
        typer.echo(f"{count}{source}: {error or 'out of memory'}", err=True)
        return False
    typer.echo(f"{count}{target}: {estimate.about}, {time.monotonic() - start:.1f} s")
    return True


def _places(images: Sequence[Path], out: Path) -> list[tuple[Path, Path]]:
    """Each picture and where its estimate goes: below ``out`` as it lies below the folder that was named."""
    from bench.errors import SettingError

    if out.suffix.lower() in WRITTEN:
        if len(images) != 1 or images[0].is_dir():
            raise SettingError(f"--out {out} is one file: for several pictures give a folder")
        return [(source, out) for source, _ in _sources(images)]
    if out.suffix and not out.is_dir():
        raise SettingError(f"--out {out}: estimates are written as {' or '.join(WRITTEN)}, or into a folder")
    targets = [(source, out / below.with_suffix(".png")) for source, below in _sources(images)]
    if twice := [str(t) for t, n in Counter(target for _, target in targets).items() if n > 1]:
        raise SettingError(f"several pictures would become {twice[0]}: deblur them into folders of their own")
    if inside := [str(source) for source, target in targets if source.resolve() == target.resolve()]:
        raise SettingError(f"{inside[0]} would be overwritten by its own estimate: give another --out")
    return targets


def _sources(images: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    from bench.errors import DataError
    from bench.imaging.picture_files import EXTENSIONS, pictures_in

    for image in images:
        if not image.exists():
            raise DataError(f"{image}: no such picture or folder")
        if not image.is_dir():
            yield image, Path(image.name)
            continue
        inside = list(pictures_in(image))
        if not inside:
            raise DataError(f"{image} holds no picture ({', '.join(EXTENSIONS)})")
        yield from ((p, p.relative_to(image)) for p in inside)


def settings_of(given: list[str], option: str = "--set") -> dict[str, Any]:
    """``name=value`` strings as settings. Raises SettingError."""
    from bench.errors import SettingError
    from bench.grid.yaml import parse_yaml

    settings = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals:
            raise SettingError(f"{option} wants name=value, got {item!r}")
        settings[name.strip()] = parse_yaml(value, option).data
    return settings
