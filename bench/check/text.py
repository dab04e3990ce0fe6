"""A verdict in words: for the terminal, for a summary page, for annotations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.check.baseline import Record
from bench.check.rule import Comparison
from bench.check.verdict import Verdict
from bench.results.folder import Row
from bench.scoring.registry import describe


def lines(verdict: Verdict, run: str, baseline: str) -> Iterator[str]:
    """The whole report as plain lines."""
    v = verdict
    yield f"bench check  {run} against {baseline}"
    yield f"  baseline   {origin(v.before)}"
    yield f"  this run   {origin(v.now)}"
    groups = len({(c.solver, c.setting) for c in v.comparisons if c.setting is not None})
    metrics = ", ".join(dict.fromkeys(c.metric for c in v.comparisons))
    yield f"  compared   {v.cells} cells in {groups} groups (solver × setting), {metrics}; paired by image"
    if not v.same_machine:
        yield "  other machine or libraries: float32 is compared with wider tolerances, float64 is not"
    if v.regressed:
        yield f"✗ {_count(len(v.regressed), 'regression')}"
        yield from table(v.regressed)
    yield from _cells("✗", "now fail", v.failing, with_status=True)
    yield from _cells("✗", "of the baseline were not run", v.missing)
    yield from _cells("✓", "are fixed", v.fixed)
    if v.improved:
        best = sorted(v.improved, key=lambda c: c.loss / c.tolerance)[:3]
        shown = "; ".join(f"{c.solver} on {c.setting} {c.metric} {signed(c)}" for c in best)
        yield f"↑ {_count(len(v.improved), 'group')} improved: {shown}"
    if v.new:
        solvers = ", ".join(sorted({r["solver"] for r in v.new}))
        yield f"+ {_count(len(v.new), 'cell')} have no baseline yet ({solvers})"
    yield from _cells("✗", "failed that have no baseline", v.new_failing, with_status=True)
    for solver, name, before, now in v.dearer:
        yield f"! cost  {solver}: {name} {before} → {now}"
    for solver, ratio in v.slower:
        yield f"! time  {solver} × {ratio:.1f} (seconds never fail a check unless --fail-on time)"
    yield headline(v)


def headline(verdict: Verdict) -> str:
    """One line: passed or failed, and why."""
    if verdict.exit_code == 4:
        return (
            f"INCOMPLETE  nothing got worse, but {_count(len(verdict.new_failing), 'cell')} without a baseline failed"
        )
    if verdict.passed:
        return f"PASSED  {verdict.cells} cells compared, nothing got worse"
    words = {"metric": "regression", "failure": "new failure", "missing": "missing cell", "cost": "dearer solver"}
    findings = [_count(n, words.get(r, f"{r} finding")) for r, n in verdict.reasons.items() if r in verdict.fatal]
    return "FAILED  " + ", ".join(findings)


def table(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Regressed groups, one a line, in columns."""
    rows = [("solver", "setting", "metric", "baseline", "now", "Δ", "allowed", "worst image")]
    for c in comparisons:
        digits = describe(c.metric).digits + 1
        worst = "not a number" if c.broken else f"{c.worst[0]} ({signed(c, c.worst[1])})"
        numbers = (f"{c.before:.{digits}f}", f"{c.now:.{digits}f}", signed(c), f"{c.tolerance:.3g}")
        rows.append((c.solver, c.setting or "all settings", c.metric, *numbers, worst))
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    for r in rows:
        yield "  " + "  ".join(v.ljust(w) for v, w in zip(r, widths, strict=True)).rstrip()


def message(c: Comparison) -> str:
    """One comparison in one sentence."""
    where = f"{c.solver} on {c.setting or 'all settings'}"
    if c.broken:
        return f"{where}: {c.metric} is not a number in {_count(c.broken, 'cell')}"
    m = describe(c.metric)
    how = f"{c.loss:.3g} further from {m.target:g}" if m.better == "one" else f"a loss of {c.loss:.3g}"
    return f"{where}: {c.metric} {c.before:.4g} → {c.now:.4g}, {how} (allowed {c.tolerance:.3g})"


def signed(c: Comparison, loss: float | None = None) -> str:
    """The change in the metric's own direction: a loss of PSNR is negative."""
    m, value = describe(c.metric), c.loss if loss is None else loss
    value = -value if m.better == "higher" else value
    text = f"{value:+.{m.digits + 1}f}"
    return text if float(text) or not value else f"{value:+.1e}"


def _cells(mark: str, what: str, rows: Sequence[Row], with_status: bool = False) -> Iterator[str]:
    if not rows:
        return
    yield f"{mark} {_count(len(rows), 'cell')} {what}"
    for r in rows[:5]:
        status = f": {r['status']}" if with_status else ""
        yield f"    {r['solver']}  {r['setting']}  {r['image']}{status}"


def origin(record: Record) -> str:
    """Commit, torch and instruction set."""
    e = record.environment
    parts = [record.commit[:12] or "unknown commit", f"torch {e.get('torch', '?')}", e.get("simd", "?")]
    return " · ".join(parts)


def _count(n: int, word: str) -> str:
    return f"{n} {word}" + ("" if n == 1 else "s")
