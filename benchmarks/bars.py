"""The bars that the project has set itself, each with the figure measured: reached, or missed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from side_by_side import equal
from tables import Row, text

#: name of a table -> its rows
Tables = Mapping[str, list[Row]]
COLUMNS = {"what": "what", "kind": "", "bar": "bar", "figure": "measured", "verdict": "", "section": "table"}


class Bar(NamedTuple):
    """One bar. ``verdict`` is "reached", "MISSED" or "not measured"; ``kind`` "bar" (a number that the project
    has set itself) or "goal" (that nothing a user would pick instead is faster).
    """

    what: str
    bar: str
    figure: str
    verdict: str
    section: str
    kind: str = "bar"

    def goal(self) -> Bar:
        """The same, not set as a number."""
        return self._replace(kind="goal")


def judged(
    what: str, section: str, figure: float | None, bar: float, unit: str, *, most: bool, where: str = ""
) -> Bar:
    """A bar that the figure must not exceed (``most``), or must reach."""
    value = f"{bar:.2f}" if unit == "dB" else text(bar)
    said = f"{'≤' if most else '≥'} {value} {unit}".strip()
    if figure is None or figure != figure:
        return Bar(what, said, "", "not measured", section)
    reached = figure <= bar if most else figure >= bar
    shown = f"{figure:.2f}" if unit == "dB" else text(float(figure))
    return Bar(what, said, f"{shown}{f' ({where})' if where else ''}", "reached" if reached else "MISSED", section)


def pick(rows: list[Row], column: str, **where: object) -> float | None:
    """The value of a column in the first row that has these values."""
    return next((r[column] for r in rows if all(r.get(k) == v for k, v in where.items())), None)


def extreme(
    rows: list[Row], column: str, most: Callable[..., Row], name: Callable[[Row], str]
) -> tuple[float | None, str]:
    """The least or greatest value of a column, and where it was found."""
    rows = [r for r in rows if r.get(column) is not None]
    if not rows:
        return None, ""
    found = most(rows, key=lambda r: r[column])
    return found[column], name(found)


def _place(row: Row) -> str:
    return f"{row['counterpart']}, {row['size']} px, batch {row['batch']}"


def classical(t: Tables) -> Iterator[Bar]:
    """Beside other libraries, at equal PSNR: where ours stays below, its seconds prove nothing and it has missed."""
    rows = t.get("classical", [])
    for name in dict.fromkeys(r["ours"] for r in rows):
        mine = [r for r in rows if r["ours"] == name and r["ratio"] is not None]
        least, where = extreme([r for r in mine if equal(r)], "ratio", min, _place)
        what = f"{name}: times faster than the fastest library at its PSNR"
        bar = judged(what, "classical", least, 10 if name == "tv" else 1, "", most=False, where=where)
        short = [r for r in mine if not equal(r)]
        if short:
            gap, there = extreme([{**r, "gap": r["their_db"] - r["our_db"]} for r in short], "gap", max, _place)
            said = f"below its PSNR in {len(short)} of {len(mine)}, by up to {gap:.2f} dB ({there})"
            bar = bar._replace(verdict="MISSED", figure="; ".join(filter(None, [bar.figure, said])))
        yield bar
    for library, bar in (("deepinv pdcp_tv", 10), ("pylops splitbregman", 50)):
        at_128 = pick([r for r in rows if equal(r)], "ratio", ours="tv", counterpart=library, size=128, batch=1)
        yield judged(f"tv: times faster than {library} at 128 px", "classical", at_128, bar, "", most=False)
    tv = [r for r in t.get("iterations", []) if r["solver"] == "tv"]
    most, where = extreme(tv, "ratio", max, lambda r: f"{r['size']} px")
    yield judged("tv: FFT pairs an iteration", "iterations", most, 2.5, "", most=True, where=where)
    for r in t.get("quality", []):
        if r["bar_db"] is not None:
            yield judged(f"{r['method']}, {r['data']} data", "quality", r["psnr_db"], r["bar_db"], "dB", most=False)


def measurements(t: Tables) -> Iterator[Bar]:
    """Kernels, measurements, pairs."""
    rows = t.get("kernels", [])
    ours = [r for r in rows if r["library"] == "deblur-bench"]
    most, where = extreme(
        [r for r in ours if "kernel" in r["what"] and "2000" in r["how"]], "best", max, lambda r: r["how"]
    )
    yield judged("kernels of 31 x 31 a CPU second", "kernels", most, 1000, "", most=False, where=where)
    for what in dict.fromkeys(r["what"] for r in ours):
        mine = [r["best"] for r in ours if r["what"] == what and "500" not in r["how"]]
        their = [r["best"] for r in rows if r["what"] == what and r["library"] == "deepinv"]
        ratio = max(mine) / max(their) if mine and their else None
        yield judged(f"{what}: times as many as deepinv", "kernels", ratio, 1, "", most=False).goal()
    for r in t.get("pairs", []):
        what = f"{r['recipe']}: training pairs made over those used"
        yield judged(what, "pairs", r["warm"] / r["used"], 1, "", most=False).goal()


def samplers(t: Tables) -> Iterator[Bar]:
    """Samplers and the network."""
    for r in t.get("samplers", []):
        yield judged(f"{r['method']}: times faster than deepinv's", "samplers", r["ratio"], 1, "", most=False).goal()
    ours = [r for r in t.get("overhead", []) if not r["sampler"].startswith("deepinv")]
    for boundary in dict.fromkeys(r["boundary"] for r in ours):
        rows = [r for r in ours if r["boundary"] == boundary]
        most, where = extreme(rows, "percent", max, lambda r: r["sampler"])
        fine = sum(r["percent"] <= 5 for r in rows)
        what = f"around the network, {boundary}: the worst sampler"
        yield judged(
            what, "overhead", most, 5, "%", most=True, where=f"{where}; {fine} of {len(rows)} samplers reach it"
        )
    forward = pick(t.get("batches", []), "forward_ms", threads=2, batch=1)
    yield judged("network, one 64 x 64 image on two threads", "batches", forward, 20, "ms", most=True)


def harness(t: Tables) -> Iterator[Bar]:
    """Start-up, cells, reports, grids, benchopt."""
    for r in t.get("start", []):
        if r["bar"] is not None:
            yield judged(r["what"], "start", r["cpu_s"], r["bar"], "CPU s", most=True)
    for r in t.get("benchopt", []):
        what = (
            f"{r['cells']:,} cells, {r['grid']}, {r['workers']} worker(s), {r['phase']}: times less CPU than benchopt"
        )
        yield judged(what, "benchopt", r["ratio"], 1, "", most=False).goal()
    report = t.get("report", [])
    figures = {"what": "figures, pictures"}
    built = pick(report, "build_s", cells=2000, **figures)
    yield judged("bench report, 2,000 cells", "report", built, 60, "s", most=True)
    ready = pick(report, "ready_ms", cells=10000, **figures)
    yield judged("page of 10,000 cells ready", "report", ready, 1000, "ms", most=True)
    page = pick(report, "page_mb", cells=10000, **figures)
    yield judged("page of 10,000 cells without its pictures", "report", page, 1, "MB", most=True)
    for r in t.get("grids", []):
        yield judged(f"bench run {r['grid']}", "grids", r["wall_s"], r["bar"], "s", most=True)


def bars(tables: Tables) -> list[Bar]:
    """Every bar."""
    return [bar for part in (classical, measurements, samplers, harness) for bar in part(tables)]
