"""``bench baseline update``: accept what a run reached, on purpose and with a reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bench.check.baseline import Record

app = typer.Typer(no_args_is_help=True, help="Accept results as what later runs are checked against.")


@app.callback()
def _baseline() -> None:
    pass


@app.command("update")
def update(
    run: Annotated[Path, typer.Argument(help="Results folder.")],
    baseline: Annotated[Path, typer.Option(help="Baseline file, such as reports/ci.parquet; made if it is missing.")],
    reason: Annotated[str, typer.Option(help="Why the new numbers are right; it is stored in the file.")],
    solver: Annotated[list[str] | None, typer.Option(help="Accept this solver. May be repeated.")] = None,
    new_only: Annotated[bool, typer.Option("--new-only", help="Accept solvers that have no baseline yet.")] = False,
    accept_all: Annotated[bool, typer.Option("--all", help="Accept everything.")] = False,
) -> None:
    """Show what changes, then write it. A solver with failing cells is refused."""
    from bench.check import baseline as baselines
    from bench.errors import SettingError

    if not reason.strip():
        raise SettingError("--reason must say why the new numbers are right")
    now = baselines.of_run(run)
    before = baselines.read(baseline) if baseline.exists() else None
    solvers = _chosen(now, before, solver or [], new_only=new_only, accept_all=accept_all)
    _show(now, before, solvers)
    _gone(now, before, accept_all)
    written = baselines.updated(None if accept_all else before, now, solvers, reason.strip())
    history = [*(before.history if before else []), written.history[-1]]
    baselines.write(baseline, replace(written, history=history))
    typer.echo(f"{baseline} and {baseline.with_suffix('.md')} written: {len(solvers)} solvers accepted")


def _chosen(now: Record, before: Record | None, named: list[str], *, new_only: bool, accept_all: bool) -> list[str]:
    from bench.errors import SettingError, did_you_mean

    there = list(dict.fromkeys(r["solver"] for r in now.rows))
    for name in named:
        if name not in there:
            raise SettingError(f"the run has no solver {name!r}. {did_you_mean(name, there)}")
    if (bool(named) + new_only + accept_all) != 1:
        raise SettingError("say what to accept: --solver NAME (repeatable), --new-only, or --all")
    if new_only:
        known = {r["solver"] for r in before.rows} if before else set()
        return [s for s in there if s not in known]
    return there if accept_all else named


def _gone(now: Record, before: Record | None, accept_all: bool) -> None:
    there = {r["solver"] for r in now.rows}
    gone = sorted({r["solver"] for r in before.rows} - there) if before and accept_all else []
    if gone:
        typer.echo(f"no longer in the baseline, for the run does not have them: {', '.join(gone)}")


def _show(now: Record, before: Record | None, solvers: list[str]) -> None:
    from bench.check import text
    from bench.check.verdict import check
    from bench.errors import ResultError

    if before is None:
        return
    try:
        verdict = check(now, before)
    except ResultError as error:
        typer.echo(f"no comparison with the old baseline: {error}")
        return
    changed = [c for c in verdict.comparisons if c.solver in solvers and (c.regressed or c.improved)]
    typer.echo("\n".join(text.table(changed)) if changed else "no group changes by more than its tolerance")
