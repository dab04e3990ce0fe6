"""Several runs of one grid over time: a metric per run, on the measurements that all of them share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import ResultError
from bench.files import cell_text
from bench.report import facts
from bench.report.board import Board, describe
from bench.report.figures.curves import unit_label
from bench.report.figures.draw import Figure
from bench.report.figures.style import OTHER, look, plain, room_for, save, style
from bench.report.load import Results, load
from bench.report.page import rendered
from bench.report.studies.table import Line, Table, Value
from bench.report.text import number, signed
from bench.results.folder import Row
from bench.results.identity import MeasurementId
from bench.statistics.interval import Estimate

#: between a solver and the number of its run: no name holds it
AT = "\n"


@dataclass(frozen=True)
class History:
    """Runs in the order of their start.

    Attributes:
        runs: what each says about itself: name, commit, started.
        solvers: that two runs or more have.
        board: rows ``solver AT number`` on the measurements that all runs share.
        dropped: measurements that some run lacks or measured otherwise.
    """

    runs: list[dict[str, Any]]
    solvers: list[str]
    board: Board
    dropped: int

    def rows(self, solver: str) -> list[int | None]:
        """For each run the row of a solver, None where it has none."""
        return [self._place.get(f"{solver}{AT}{k}") for k in range(len(self.runs))]

    @property
    def heads(self) -> list[str]:
        """A name for each run, no two alike: its commit and its day."""
        names = [f"{run['commit'][:8] or run['name']} {run['started'][:10]}".strip() for run in self.runs]
        return [h if names.count(h) == 1 else f"{h} ({k})" for k, h in enumerate(names, 1)]

    @property
    def _place(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.board.solvers)}


def read_history(run_dirs: Sequence[Path]) -> History:
    """Read runs and align them. Raises ResultError below two runs, or where they share no measurement."""
    if len(run_dirs) < 2:
        raise ResultError("a history needs two runs or more: bench report RUN1 RUN2 --as history")
    results = sorted((load([d]) for d in run_dirs), key=lambda r: str(r.facts[0].get("started_at") or ""))
    tests = [_by_measurement(r) for r in results]
    shared = [m for m, y in tests[0].items() if all(t.get(m) == y for t in tests)]
    if not shared:
        raise ResultError(
            "these runs have no measurement in common: they were made from other data, seeds or degradations"
        )
    same, rows = set(shared), list[Row]()
    for k, r in enumerate(results):
        here = (row for row in r.rows if row["phase"] == "test" and MeasurementId.of(row) in same)
        rows += [{**row, "solver": f"{row['solver']}{AT}{k}"} for row in here]
    count: dict[str, int] = {}
    for label in dict.fromkeys(row["solver"] for row in rows):
        solver = label.split(AT)[0]
        count[solver] = count.get(solver, 0) + 1
    solvers = [s for s, n in count.items() if n > 1]
    shown = [row for row in rows if row["solver"].split(AT)[0] in solvers]
    if not shown:
        raise ResultError("these runs have no solver in common")
    everything = {m for t in tests for m in t}
    runs = [facts.of_run(r.facts[0]) for r in results]
    return History(runs, solvers, Board.from_rows(shown), len(everything) - len(shared))


def _by_measurement(results: Results) -> dict[MeasurementId, str]:
    """The hash of each measurement of a run; cells that failed before there was one have none."""
    return {MeasurementId.of(r): r["y_sha"] for r in results.rows if r["phase"] == "test" and r["y_sha"]}


def build_history(run_dirs: Sequence[Path], out: Path) -> Path:
    """Write ``out/index.html`` with ``out/figures/``: each metric over the runs; returns the page's path."""
    from markupsafe import Markup

    history = read_history(run_dirs)
    metrics = [m for m in history.board.metrics if describe(m).better != "one"]
    folder = out / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    with style():
        figures = [_figure(history, m, folder) for m in metrics]
    page = out / "index.html"
    page.write_text(
        rendered(
            "history.html.j2",
            runs=history.runs,
            dropped=history.dropped,
            cells=len(history.board.cells),
            groups=len(set(history.board.groups.tolist())),
            called=history.board.called,
            parts=[
                (table(history, m), f, Markup(f.svg))  # noqa: S704  matplotlib escapes what it writes
                for m, f in zip(metrics, figures, strict=True)
            ],
        ),
        encoding="utf-8",
    )
    return page


def table(history: History, metric: str) -> Table:
    """Solvers in rows, runs in columns: the mean, and how much it differs from that of the run before."""
    about, means = describe(metric), history.board.means(history.board.values(metric))
    lines = []
    for solver in _order(history, metric, means.mean):
        rows, values = history.rows(solver), list[Value]()
        for before, now in zip([None, *rows], rows, strict=False):
            mean = number(None if now is None else float(means.mean[now]), about.digits)
            values.append(Value(mean, "" if now is None or before is None else _change(history, metric, before, now)))
        lines.append(Line(solver, values))
    caption = (
        f"{unit_label(about)}, means over the measurements that all runs share; in brackets the change since the run "
        f"before with its {history.board.called} interval, = for the same numbers."
    )
    return Table(f"history-{metric}", about.label, caption, "Solver", [], history.heads, lines)


def _order(history: History, metric: str, means: np.ndarray) -> list[str]:
    """The solvers, the best of the last run first and those that it lacks last."""

    def loss(solver: str) -> float:
        last = history.rows(solver)[-1]
        value = np.nan if last is None else float(means[last])
        return float(np.nan_to_num(describe(metric).loss(np.array(value)), nan=np.inf))

    return sorted(history.solvers, key=loss)


def _difference(history: History, metric: str, before: int, now: int) -> Estimate:
    values = history.board.values(metric)
    both = np.isfinite(values[now]) & np.isfinite(values[before])
    d = np.where(both, np.where(both, values[now], 0) - np.where(both, values[before], 0), np.nan)
    return history.board.means(d[None])


def _change(history: History, metric: str, before: int, now: int) -> str:
    change, digits = _difference(history, metric, before, now), describe(metric).digits
    if change.mean[0] == 0 and not change.se[0] > 0:
        return "(=)"
    low, high = (float(end[0]) for end in change.interval())
    ends = f"; {signed(low, digits)} to {signed(high, digits)}" if np.isfinite(low + high) else ""
    return f"({signed(float(change.mean[0]), digits)}{ends})"


def _figure(history: History, metric: str, folder: Path) -> Figure:
    import pandas as pd
    from matplotlib import pyplot as plt

    about, means = describe(metric), history.board.means(history.board.values(metric)).mean
    order = _order(history, metric, means)
    curves = {s: [np.nan if i is None else float(means[i]) for i in history.rows(s)] for s in order}
    looks = look(order, None)
    figure, ax = plt.subplots(figsize=(5.0, 3.4), layout="constrained")
    at = range(len(history.runs))
    for solver, curve in curves.items():
        how = looks.get(solver, {"color": OTHER, "marker": ""})
        shown: dict[str, Any] = {"lw": 1.2, "label": plain(solver)} if solver in looks else {"lw": 0.7}
        ax.plot(at, curve, **how, **shown)
    ax.set_xticks(list(at), [plain(h) for h in history.heads], rotation=30, ha="right")
    ax.set_ylabel(unit_label(about))
    columns = max(1, int(5.0 / (room_for(looks) + 0.45)))
    figure.legend(loc="outside lower center", ncols=columns, handletextpad=0.5, columnspacing=1.2)
    name = f"history_{metric}"
    svg = save(figure, folder, name)
    solvers = pd.Index(list(curves), name="solver")
    table = pd.DataFrame(list(curves.values()), index=solvers, columns=history.heads)
    table.rename(index=cell_text, columns=cell_text).to_csv(folder / f"{name}.csv")
    caption = "The best six of the last run in colour, the others grey."
    return Figure(name, about.label, caption, svg, [f"{name}.{kind}" for kind in ("pdf", "svg", "csv")])
