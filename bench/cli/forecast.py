"""A forecast as text: what ``bench run --dry-run`` prints."""

from __future__ import annotations

from typing import Any

from bench.report.text import seconds as duration


def table(rows: list[dict[str, Any]], workers: int, price: float | None = None) -> str:
    """The forecast as text.

    Args:
        rows: of ``forecast``.
        workers: how many will solve at once.
        price: of a worker for an hour, in the reader's currency.
    """
    width = max([len("solver"), *(len(r["solver"]) for r in rows)])
    titles = f"{'cells':>7}  {'known':>7}  {'to run':>7}  {'s/cell':>8}  {'total':>8}"
    lines = [f"{'solver':<{width}}  {titles}  {'params':>7}  {'MACs':>7}  {'MB':>6}  why"]
    for r in rows:
        per = "?" if r["seconds_per_cell"] is None else f"{r['seconds_per_cell']:.3g}"
        total = "?" if r["seconds"] is None else duration(r["seconds"])
        why = "; ".join(f"{n} {reason}" for reason, n in r["why"].items())
        source = f"  [s/cell from {r['estimated_from']}]" if r["estimated_from"] and r["to_run"] else ""
        counts = f"{r['cells']:>7}  {r['known']:>7}  {r['to_run']:>7}"
        networks = f"{amount(r['parameters']):>7}  {amount(r['macs']):>7}  {_memory(r):>6}"
        lines.append(f"{r['solver']:<{width}}  {counts}  {per:>8}  {total:>8}  {networks}  {why}{source}")
    to_run = sum(r["to_run"] for r in rows)
    lines.append(f"{sum(r['cells'] for r in rows)} cells, {to_run} to run; nothing was recorded")
    lines.append("params, MACs: of the networks, for one image; MB: the most memory that a batch took here before,")
    lines.append("  after ~ what one evaluation of the prior says without being computed")
    return "\n".join(lines + (_sum(rows, workers, price) if to_run else []))


def amount(value: float | None) -> str:
    """A large number to three digits, with the letter of its thousands; "-" where there is none."""
    if value is None:
        return "-"
    power = 0
    while value >= 999.5 and power < len(_THOUSANDS) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.3g}{_THOUSANDS[power]}"


_THOUSANDS = ("", "k", "M", "G", "T", "P")


def _memory(row: dict[str, Any]) -> str:
    """In MB; "~" before what no batch was seen to take."""
    value = row["memory_mb"]
    return "-" if value is None else f"{'' if row['memory_from'] == row['estimated_from'] else '~'}{value:.0f}"


def _sum(rows: list[dict[str, Any]], workers: int, price: float | None) -> list[str]:
    todo = [r for r in rows if r["to_run"]]
    seconds = sum(r["seconds"] for r in todo if r["seconds"] is not None)
    unknown = [r["solver"] for r in todo if r["seconds"] is None]
    if len(unknown) == len(todo):
        return ["no estimate: no cell of these solvers was solved here before (--probe solves one of each)"]
    lines = [
        f"estimate: {duration(seconds)} of worker time, {duration(seconds / workers)} with {workers} always busy",
        "          (solve time alone: measuring, scoring, start-up and failed attempts come on top)",
    ]
    if price is not None:
        lines.append(f"          {seconds / 3600 * price:.2f} at {price:g} per worker and hour")
    if unknown:
        lines.append(f"          not in it, for want of any measurement: {', '.join(unknown)}")
    return lines
