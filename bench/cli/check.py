"""``bench check``: fail when a solver got worse than the committed baseline."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

if TYPE_CHECKING:
    from bench.check.verdict import Verdict


class Wanted(NamedTuple):
    """What was compared, and where the verdict goes."""

    run: Path
    baseline: Path
    old: Path | None
    json: bool
    junit: Path | None
    html: Path | None


def command(
    run: Annotated[Path, typer.Argument(help="Results folder of the run to judge.")],
    baseline: Annotated[Path, typer.Option(help="Baseline file, such as reports/ci.parquet.")],
    fail_on: Annotated[
        str, typer.Option(help="What fails the check: of metric, failure, missing, cost, time.")
    ] = "metric,failure,missing",
    allow_missing: Annotated[bool, typer.Option("--allow-missing", help="Cells that were not run pass.")] = False,
    tolerance: Annotated[
        list[str] | None, typer.Option(help="Tolerated mean loss of a metric: psnr=0.05. May be repeated.")
    ] = None,
    warn_only: Annotated[bool, typer.Option("--warn-only", help="Say everything, exit 0 if comparable.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page with pictures of what regressed.")] = None,
    old: Annotated[
        Path | None, typer.Option(help="Results folder of the old code: its pictures on the page.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Write a JUnit file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
) -> None:
    """Compare a run with a baseline, cell by cell; exit 1 on a regression, 3 when they cannot be compared.

    Exits 4 when nothing got worse but a cell without a baseline failed.
    """
    from bench.check import baseline as baselines
    from bench.check.verdict import REASONS, check
    from bench.errors import ResultError
    from bench.scoring.registry import known

    names = [n.strip() for n in fail_on.split(",") if n.strip()]
    _allowed("--fail-on", names, REASONS)
    given = dict(_number(item) for item in tolerance or [])
    _check_old(old, html)
    wanted = Wanted(run, baseline, old, json, junit, html)
    fatal = [n for n in names if not (allow_missing and n == "missing")]
    try:
        now, before = baselines.of_run(run), baselines.read(baseline)
        _allowed("--tolerance", given, known())  # with those of their own that the files brought
        verdict = check(now, before, fatal=fatal, tolerances=given)
    except ResultError as error:
        _tell_refused(wanted, str(error))
        raise
    _tell(wanted, verdict)
    if verdict.exit_code and not warn_only:
        sys.exit(verdict.exit_code)


def _tell(wanted: Wanted, verdict: Verdict) -> None:
    """Say it wherever it is wanted; the terminal first, in case that a file cannot be written."""
    from bench.check import outputs, text

    lines = list(text.lines(verdict, str(wanted.run), str(wanted.baseline)))
    typer.echo(outputs.as_json(verdict) if wanted.json else "\n".join(lines))
    errors = [(c.solver, text.message(c)) for c in verdict.regressed]
    for annotation in outputs.to_github(text.headline(verdict), lines, errors):
        typer.echo(annotation, err=wanted.json)
    if wanted.junit is not None:
        outputs.write_junit(wanted.junit, verdict)
    if wanted.html is not None:
        from bench.check import page

        page.write(wanted.html, verdict, page.About(wanted.run, wanted.baseline, wanted.old))
        typer.echo(f"page:    {wanted.html.resolve().as_uri()}", err=True)
    if verdict.exit_code == 1:
        _advise(wanted, verdict)


def _tell_refused(wanted: Wanted, reason: str) -> None:
    """Say why there is no verdict; the message on the terminal is the error's own."""
    from bench.check import outputs

    if wanted.json:
        typer.echo(outputs.refused_json(reason))
    for line in outputs.to_github(outputs.REFUSED_HEADLINE, [reason], [("not comparable", reason)]):
        typer.echo(line, err=wanted.json)
    if wanted.junit is not None:
        outputs.write_refused_junit(wanted.junit, reason)
    if wanted.html is not None:
        from bench.check import page

        page.write_refused(wanted.html, reason, page.About(wanted.run, wanted.baseline))


def _advise(wanted: Wanted, verdict: Verdict) -> None:
    """Where to look, and how to accept what can be accepted."""
    run, baseline = shlex.quote(str(wanted.run)), shlex.quote(str(wanted.baseline))
    if wanted.html is None:
        typer.echo(f"look:    bench check {run} --baseline {baseline} --html check.html", err=True)
    solvers = " ".join(f"--solver {shlex.quote(s)}" for s in dict.fromkeys(c.solver for c in verdict.regressed))
    if solvers or verdict.missing:
        command = f"bench baseline update {run} --baseline {baseline} {solvers or '--all'} --reason '…'"
        typer.echo(f"accept:  {command}", err=True)


def _check_old(old: Path | None, html: Path | None) -> None:
    from bench.errors import SettingError
    from bench.results.folder import ResultsFolder

    if old is None:
        return
    if html is None:
        raise SettingError("--old is for the pictures of --html PAGE, which is not asked for")
    ResultsFolder(old).read()  # before anything is compared


def _allowed(option: str, names: Iterable[str], allowed: Collection[str]) -> None:
    from bench.errors import SettingError, did_you_mean

    for name in names:
        if name not in allowed:
            raise SettingError(f"{option}: there is no {name!r}. {did_you_mean(name, allowed)}")


def _number(item: str) -> tuple[str, float]:
    from bench.errors import SettingError

    name, _, value = item.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:  # a loss compared with NaN would never exceed it
        raise SettingError(f"--tolerance is a metric and a number of at least 0, as psnr=0.05, got {item!r}")
    return name, number
