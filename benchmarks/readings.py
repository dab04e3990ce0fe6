"""A sentence for each table, made of its numbers."""

from __future__ import annotations

from collections.abc import Callable

from growth import fits
from side_by_side import equal
from tables import Row, text


def _range(values: list[float]) -> str:
    return f"{text(float(min(values)))} to {text(float(max(values)))}" if values else "nothing"


def start(rows: list[Row]) -> str:
    """Bars reached."""
    judged = [r for r in rows if r["bar"] is not None]
    missed = [r["what"] for r in judged if r["cpu_s"] > r["bar"]]
    return f"{len(judged) - len(missed)} of {len(judged)} bars are reached" + (
        f"; missed: {', '.join(missed)}." if missed else "."
    )


def classical(rows: list[Row]) -> str:
    """Who is faster at equal PSNR, how often, and what was not run."""
    run = [r for r in rows if r["ratio"] is not None]
    fair = [r for r in run if equal(r)]
    slower = [f"{r['ours']} against {r['counterpart']} ({r['size']} px, batch {r['batch']})" for r in fair
              if r["ratio"] < 1]  # fmt: skip
    parts = [f"{len(run)} of {len(rows)} comparisons were run, in {len(fair)} ours comes to the counterpart's PSNR"]
    for name in dict.fromkeys(r["ours"] for r in fair):
        parts.append(f"there {name} is {_range([r['ratio'] for r in fair if r['ours'] == name])} times as fast")
    end = f" Ours is slower in {len(slower)} of these: {'; '.join(slower)}." if slower else " It is slower in none."
    below = len(run) - len(fair)
    return "; ".join(parts) + "." + end + (f" In {below} it stays below: seconds do not compare." if below else "")


def iterations(rows: list[Row]) -> str:
    """FFT pairs."""
    parts = []
    for name in dict.fromkeys(r["solver"] for r in rows):
        parts.append(f"{name} {_range([r['ratio'] for r in rows if r['solver'] == name])}")
    return f"An iteration costs, in FFT pairs of the picture: {'; '.join(parts)}."


def quality(rows: list[Row]) -> str:
    """Bars in dB."""
    judged = [r for r in rows if r["bar_db"] is not None]
    missed = [f"{r['method']} on {r['data']} data by {r['bar_db'] - r['psnr_db']:.2f} dB" for r in judged
              if r["psnr_db"] < r["bar_db"]]  # fmt: skip
    return f"{len(judged) - len(missed)} of {len(judged)} bars are reached" + (
        f"; missed: {', '.join(missed)}." if missed else "."
    )


def kernels(rows: list[Row]) -> str:
    """Ours over deepinv's."""
    parts = []
    for what in dict.fromkeys(r["what"] for r in rows):
        of = {lib: [r["best"] for r in rows if r["what"] == what and r["library"] == lib and "500 s" not in r["how"]]
              for lib in ("deblur-bench", "deepinv")}  # fmt: skip
        if of["deblur-bench"] and of["deepinv"]:
            parts.append(f"{what}: {text(max(of['deblur-bench']) / max(of['deepinv']))} times deepinv's rate")
    return "; ".join(parts) + "; our kernels with 2000 samples, the fastest way of each library."


def pairs(rows: list[Row]) -> str:
    """Whether pairs hide."""
    return f"In one process, pairs take {_range([r['share'] for r in rows])} % of a training's time on a CPU."


def samplers(rows: list[Row]) -> str:
    """Faster or slower, better or worse."""
    parts = [f"{r['method']} {text(float(r['ratio']))} times as fast at {r['ours_db'] - r['theirs_db']:+.2f} dB"
             for r in rows]  # fmt: skip
    return "Ours against deepinv's: " + "; ".join(parts) + "."


def overhead(rows: list[Row]) -> str:
    """Samplers within 5 %."""
    ours = [r for r in rows if not r["sampler"].startswith("deepinv")]
    parts = []
    for boundary in dict.fromkeys(r["boundary"] for r in ours):
        here = [r for r in ours if r["boundary"] == boundary]
        fine = sum(r["percent"] <= 5 for r in here)
        parts.append(f"{fine} of {len(here)} of our samplers spend at most 5 % around the network on {boundary} data")
    return "; ".join(parts) + "."


def batches(rows: list[Row]) -> str:
    """What a batch gains on one thread."""
    one = {r["batch"]: r["forward_ms"] for r in rows if r["threads"] == 1}
    if len(one) < 2:
        return ""
    last = max(one)
    return (
        f"On one thread a batch of {last} takes {text(one[last] / one[1])} times the seconds an image of single ones."
    )


def benchopt(rows: list[Row]) -> str:
    """Who needs less."""
    parts = []
    for phase in dict.fromkeys(r["phase"] for r in rows):
        ratios = [r["ratio"] for r in rows if r["phase"] == phase and r["ratio"] is not None]
        less = sum(x > 1 for x in ratios)
        parts.append(
            f"{phase}: ours needs less CPU in {less} of {len(ratios)}, benchopt's over ours {_range(ratios)}"
        )
    return "; ".join(parts) + ". Importing torch, which benchopt need not, is part of our cold runs."


def report(rows: list[Row]) -> str:
    """The largest."""
    worst = max(rows, key=lambda r: r["build_s"])
    return f"The slowest to build, {worst['cells']:,} cells with {worst['what']}, took {worst['build_s']:.1f} s."


def growth(rows: list[Row]) -> str:
    """The steepest, and what two workers gain."""
    said = ""
    if found := fits(rows):
        top = max(found, key=lambda f: f.exponent)
        said = f"The steepest is {top.what} with {top.axis}: exponent {top.exponent:.2f} ± {top.error:.2f}."
    two = {r["x"]: r["seconds"] for r in rows if r["axis"] == "workers"}
    return said + (f" Two workers are {two[1] / two[2]:.2f} times as fast as one." if len(two) == 2 else "")


def grids(rows: list[Row]) -> str:
    """Wall seconds."""
    return "; ".join(f"{r['grid']} takes {r['wall_s']:.0f} s" for r in rows if r["wall_s"] is not None) + "."


READINGS: dict[str, Callable[[list[Row]], str]] = {
    f.__name__: f
    for f in (
        start, classical, iterations, quality, kernels, pairs, samplers, overhead, batches, benchopt, report, growth,
        grids,
    )
}  # fmt: skip
