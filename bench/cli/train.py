"""``bench train``: a recipe in, weights out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    recipe: Annotated[str, typer.Argument(help="A recipe file, or the name of a shipped one such as photos_cpu.")],
    out: Annotated[Path, typer.Option(help="Folder of checkpoints and history.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    finish: Annotated[
        bool, typer.Option("--finish", help="With --resume: let the rate decay from here on, then stop.")
    ] = False,
    steps: Annotated[int | None, typer.Option(min=1, help="Length of the training instead of the recipe's.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda instead of the recipe's.")] = None,
    data_root: Annotated[Path | None, typer.Option(help="Folder that relative paths of images start from.")] = None,
    train: Annotated[Path | None, typer.Option(help="Folder of training images instead of the recipe's.")] = None,
    val: Annotated[Path | None, typer.Option(help="Folder of validation images instead of the recipe's.")] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="An entry of the recipe in place of its own: network.image_channels=3."),
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write events for TensorBoard into OUT/tensorboard.")
    ] = False,
    export: Annotated[
        Path | None, typer.Option(help="Write the best weights there in half precision, with a card.")
    ] = None,
) -> None:
    """Train a prior, a conditional model or a restorer from a recipe, or fit a mixture to patches.

    Interrupted at any moment, it goes on with --resume: on a CPU to the last bit.
    """
    from bench.cli.deblur import settings_of
    from bench.errors import RecipeError, TrainingError
    from bench.files import path_or_shipped
    from bench.train.export import export_calibrated
    from bench.train.session import run

    path, changes = path_or_shipped(recipe, "recipes", ".yaml", RecipeError), settings_of(setting or [])
    best = run(
        path,
        out,
        resume=resume,
        steps=steps,
        finish=finish,
        device=device,
        data_root=data_root,
        train=train,
        val=val,
        tensorboard=tensorboard,
        changes=changes,
    )
    if not best.is_file():
        text = f"no weights yet: the training stopped before its first validation. Go on with --resume --out {out}"
        if export is not None:
            raise TrainingError(f"{text}; --export writes them then")
        typer.echo(text)
        return
    typer.echo(f"best  {best}")
    if export is not None:
        typer.echo(
            f"card  {export_calibrated(best, export, path, data_root=data_root, train=train, changes=changes)}"
        )
