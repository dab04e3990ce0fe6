"""The bars that the project has set itself, each with the figure measured: reached, or missed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from classical import equal
from tables import Row, text

#: name of a table -> its rows
Tables = Mapping[str, Sequence[Row]]


def bar(
    what: str, table: str, figure: float | None, at_least: float | None = None, *, at_most: float | None = None,
    unit: str = "", where: str = "", kind: str = "bar",
) -> Row:  # fmt: skip
    """A figure beside what it must reach, or must not exceed. ``kind``: "bar", or "goal"; see the page."""
    sign, bound = ("≥", at_least) if at_most is None else ("≤", at_most)
    assert bound is not None
    decimals = (lambda value: f"{value:.2f}") if unit == "dB" else text
    row = {"what": what, "kind": kind, "bar": f"{sign} {decimals(bound)} {unit}".strip(), "measured": "",
           "verdict": "not measured", "table": table}  # fmt: skip
    if figure is None or figure != figure:
        return row
    reached = figure >= bound if at_most is None else figure <= bound
    measured = f"{decimals(float(figure))}{f' ({where})' if where else ''}"
    return row | {"measured": measured, "verdict": "reached" if reached else "MISSED"}


def goal(what: str, table: str, figure: float | None) -> Row:
    """Nothing that a user would pick instead is faster: a ratio of at least 1."""
    return bar(what, table, figure, 1, kind="goal")


def pick(rows: Sequence[Row], column: str, **where: object) -> float | None:
    """The value of a column in the first row that has these values, None without one."""
    return next((r[column] for r in rows if all(r.get(k) == v for k, v in where.items())), None)


def extreme(
    rows: Sequence[Row], column: str, most: Callable[..., Row], name: Callable[[Row], str]
) -> tuple[float | None, str]:
    """The least or greatest value of a column, and the name of its row."""
    rows = [r for r in rows if r.get(column) is not None]
    row = most(rows, key=lambda r: r[column]) if rows else {}
    return row.get(column), name(row) if row else ""


def classical(t: Tables) -> Iterator[Row]:
    """Beside other libraries, at equal PSNR: where ours stays below, its seconds prove nothing and it has missed."""
    rows, ratio = t.get("classical", ()), "times faster"

    def place(row: Row) -> str:
        return f"{row['counterpart']}, {row['px']} px, batch {row['batch']}"

    for name in dict.fromkeys(r["ours"] for r in rows):
        mine = [r for r in rows if r["ours"] == name and r.get(ratio) is not None]
        least, where = extreme([r for r in mine if equal(r)], ratio, min, place)
        what = f"{name}: times faster than the fastest library at its PSNR"
        judged = bar(what, "classical", least, 10 if name == "tv" else 1, where=where)
        if short := [{**r, "gap": r["its dB"] - r["our dB"]} for r in mine if not equal(r)]:
            gap, there = extreme(short, "gap", max, place)
            below = f"below its PSNR in {len(short)} of {len(mine)}, by up to {gap:.2f} dB ({there})"
            judged = {**judged, "verdict": "MISSED", "measured": "; ".join(filter(None, [judged["measured"], below]))}
        yield judged
    for library, bound in (("deepinv pdcp_tv", 10), ("pylops splitbregman", 50)):
        at_128 = pick([r for r in rows if equal(r)], ratio, ours="tv", counterpart=library, px=128, batch=1)
        yield bar(f"tv: times faster than {library} at 128 px", "classical", at_128, bound)
    tv = [r for r in t.get("iterations", ()) if r["solver"] == "tv"]
    pairs, where = extreme(tv, "FFT pairs", max, lambda r: f"{r['px']} px")
    yield bar("tv: FFT pairs an iteration", "iterations", pairs, at_most=2.5, where=where)
    for r in t.get("quality", ()):
        if r["bar (dB)"] is not None:
            what = f"{r['method']}, {r['measurement']} data"
            yield bar(what, "quality", r["PSNR (dB)"], r["bar (dB)"], unit="dB")


def measurements(t: Tables) -> Iterator[Row]:
    """Kernels, measurements, pairs."""
    rows, best = t.get("kernels", ()), "per CPU s, best"
    ours = [r for r in rows if r["library"] == "deblur-bench" and "500" not in r["how"]]
    fastest, where = extreme([r for r in ours if "kernel" in r["what"]], best, max, lambda r: r["how"])
    yield bar("kernels of 31 x 31 a CPU second", "kernels", fastest, 1000, where=where)
    for what in dict.fromkeys(r["what"] for r in ours):
        mine = [r[best] for r in ours if r["what"] == what]
        their = [r[best] for r in rows if r["what"] == what and r["library"] == "deepinv"]
        yield goal(f"{what}: times as many as deepinv", "kernels", max(mine) / max(their) if their else None)
    for r in t.get("pairs", ()):
        yield goal(f"{r['recipe']}: training pairs made over those used", "pairs", r["warm"] / r["used by the step"])


def samplers(t: Tables) -> Iterator[Row]:
    """Samplers and the network."""
    for r in t.get("samplers", ()):
        yield goal(f"{r['method']}: times faster than deepinv's", "samplers", r["times faster"])
    ours = [r for r in t.get("overhead", ()) if not r["sampler"].startswith("deepinv")]
    for boundary in dict.fromkeys(r["boundary"] for r in ours):
        rows = [r for r in ours if r["boundary"] == boundary]
        percent, where = extreme(rows, "around it (%)", max, lambda r: r["sampler"])
        where += f"; {sum(r['around it (%)'] <= 5 for r in rows)} of {len(rows)} samplers reach it"
        what = f"around the network, {boundary}: the worst sampler"
        yield bar(what, "overhead", percent, at_most=5, unit="%", where=where)
    forward = pick(t.get("batches", ()), "forward, wall ms an image", threads=2, batch=1)
    yield bar("network, one 64 x 64 image on two threads", "batches", forward, at_most=20, unit="ms")


def harness(t: Tables) -> Iterator[Row]:
    """Start-up, cells, reports, grids, benchopt."""
    for r in t.get("start", ()):
        if r["bar (CPU s)"] is not None:
            yield bar(r["what"], "start", r["CPU s"], at_most=r["bar (CPU s)"], unit="CPU s")
    for r in t.get("benchopt", ()):
        which = f"{r['cells']:,} cells, {r['grid']}, {r['workers']} worker(s), {r['phase']}"
        yield goal(f"{which}: times less CPU than benchopt", "benchopt", r["times less"])
    pages = [r for r in t.get("report", ()) if r["what is built"] == "figures, pictures"]
    built, ready = pick(pages, "build, wall s", cells=2000), pick(pages, "ready (ms)", cells=10000)
    yield bar("bench report, 2,000 cells", "report", built, at_most=60, unit="s")
    yield bar("page of 10,000 cells ready", "report", ready, at_most=1000, unit="ms")
    size = pick(pages, "page (MB)", cells=10000)
    yield bar("page of 10,000 cells without its pictures", "report", size, at_most=1, unit="MB")
    for r in t.get("grids", ()):
        yield bar(f"bench run {r['grid']}", "grids", r.get("wall s"), at_most=r["bar (wall s)"], unit="s")


def bars(tables: Tables) -> list[Row]:
    """Every bar."""
    return [row for part in (classical, measurements, samplers, harness) for row in part(tables)]
