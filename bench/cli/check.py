"""``bench check``: fail when a solver got worse than the committed baseline."""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Annotated

import typer


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
    warn_only: Annotated[bool, typer.Option("--warn-only", help="Say everything, exit 0.")] = False,
    junit: Annotated[Path | None, typer.Option(help="Write a JUnit file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
) -> None:
    """Compare a run with a baseline, cell by cell; exit 1 on a regression, 3 when they cannot be compared.

    Exits 4 when nothing got worse but a cell without a baseline failed.
    """
    from bench.check import baseline as baselines
    from bench.check import outputs, text
    from bench.check.verdict import REASONS, check
    from bench.metrics import METRICS

    names = [n.strip() for n in fail_on.split(",") if n.strip()]
    _allowed("--fail-on", names, REASONS)
    fatal = [n for n in names if not (allow_missing and n == "missing")]
    given = dict(_number(item) for item in tolerance or [])
    _allowed("--tolerance", given, METRICS)
    verdict = check(baselines.of_run(run), baselines.read(baseline), fatal=fatal, tolerances=given)
    lines = list(text.lines(verdict, str(run), str(baseline)))
    if junit is not None:
        outputs.write_junit(junit, verdict)
    typer.echo(outputs.as_json(verdict) if json else "\n".join(lines))
    for annotation in outputs.to_github(verdict, lines):
        typer.echo(annotation, err=json)
    if not verdict.passed:
        solvers = " ".join(f"--solver {s}" for s in dict.fromkeys(c.solver for c in verdict.regressed))
        accept = f"bench baseline update {run} --baseline {baseline} {solvers or '--all'} --reason '…'"
        typer.echo(f"look:    bench report {run} --out reports/check\naccept:  {accept}", err=True)
        sys.exit(0 if warn_only else 1)
    if verdict.new_failing and "failure" in fatal and not warn_only:
        sys.exit(4)


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
