"""The command line: ``bench run``, ``report``, ``deblur``, ``degrade``, ``list``, ``show``, ``new``,
``train``, ``calibrate``, ``verify``, ``check``, ``baseline``, ``merge``, ``doctor``, ``speed``.

Tables and JSON go to standard output, progress and messages to standard error. Exit codes: 0 ok, 1 regression,
2 usage, 3 not comparable, 4 some cells failed, 130 interrupted.
"""

from __future__ import annotations

import sys
from importlib.metadata import version as installed
from typing import Annotated

import typer

from bench.cli import (
    baseline,
    calibrate,
    check,
    deblur,
    degrade,
    doctor,
    listing,
    merge,
    new,
    report,
    run,
    show,
    speed,
    train,
    verify,
)
from bench.errors import BenchError, ResultError

app = typer.Typer(
    name="bench",
    help="deblur-bench: image deblurring methods on identical measurements, with honest statistics.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("run")(run.command)
app.command("report")(report.command)
app.command("merge")(merge.command)
app.command("deblur")(deblur.command)
app.command("degrade")(degrade.command)
app.command("list")(listing.command)
app.command("show")(show.command)
app.command("new")(new.command)
app.command("train")(train.command)
app.command("calibrate")(calibrate.command)
app.command("verify")(verify.command)
app.command("check")(check.command)
app.command("doctor")(doctor.command)
app.command("speed")(speed.command)
app.add_typer(baseline.app, name="baseline")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"deblur-bench {installed('deblur-bench')}")
        raise typer.Exit


@app.callback()
def _root(
    _show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point of the ``bench`` script."""
    try:
        app()
    except ResultError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(3)
    except BenchError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(0)  # the reader of our output has seen enough
    except (OSError, MemoryError) as error:  # a full disk, a folder that may not be written, an image of a terabyte
        typer.echo(f"error: {error or type(error).__name__}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        sys.exit(130)
