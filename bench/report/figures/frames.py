"""Results as the long tables that figures are drawn from; what is drawn is what the CSV beside a figure holds."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.report.board import Board, describe
from bench.report.tables import median
from bench.results.folder import Row
from bench.statistics import interval

#: a pandas DataFrame; by pandas' own annotations a column of one may be any of six types
Frame = Any


def results(board: Board, metric: str, baseline: str | None) -> Frame:
    """One line per solver and cell: setting, image, blur, shape (the blur whatever its T), noise, T, and the value.

    A column ``difference`` has the value less the baseline's on the same measurement; NaN without a baseline.
    """
    import pandas as pd

    values = board.values(metric)
    about = {r["setting"]: r for line in board.rows for r in line if r is not None}
    cells = {
        "setting": board.settings, "image": board.images, "group": board.groups, "kernel": board.kernels,
        **{k: [about[s].get(k) for s in board.settings.tolist()] for k in ("blur", "noise", "T")},
    }  # fmt: skip
    cells["shape"] = [re.sub(r"\s*\bT=[\d.e+-]+", "", b or "") or b for b in cells["blur"]]
    own = values[board.solvers.index(baseline)] if baseline else np.nan
    both = np.isfinite(values) & np.isfinite(own)
    difference = np.where(both, np.where(both, values, 0) - np.where(both, own, 0), np.nan)
    parts = [
        pd.DataFrame({"solver": s, **cells, "value": v, "difference": d})
        for s, v, d in zip(board.solvers, values, difference, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def means(frame: Frame, by: Sequence[str]) -> Frame:
    """Mean and interval (``low``, ``high``) of value and difference, for each value of the columns ``by``.

    ``called`` says what the intervals may be called: see ``bench.statistics.interval.SURE``.
    """
    import pandas as pd

    lines = []
    for key, group in frame.groupby(list(by), sort=False, dropna=False):
        line = dict(zip(by, key if isinstance(key, tuple) else (key,), strict=True))
        parts = [group[name].to_numpy() for name in ("setting", "group", "kernel")]
        pair = interval.means(group[["value", "difference"]].to_numpy(float).T, *parts)
        (low, high), (of_value, of_difference) = pair.interval(), pair.mean
        line |= {"mean": of_value, "low": low[0], "high": high[0]}
        line |= {"difference": of_difference, "difference_low": low[1], "difference_high": high[1]}
        line["called"] = interval.called(int(pair.groups[0]))
        lines.append(line)
    return pd.DataFrame(lines)


def solvers(board: Board, metrics: Sequence[str]) -> Frame:
    """One line per solver: family, median seconds and evaluations, mean and ends of the interval of each metric."""
    import pandas as pd

    lines, tables = [], {m: board.means(board.values(m)) for m in metrics}
    ends = {m: table.interval() for m, table in tables.items()}
    for s, solver in enumerate(board.solvers):
        ok = [r for r in board.rows[s] if r is not None and r["status"] == "ok"]
        first = next(r for r in board.rows[s] if r is not None)
        line: dict[str, Any] = {
            "solver": solver,
            "family": first.get("family") or "other",
            "seconds": median(r.get("seconds") for r in ok),
            "evaluations": median((r.get("nfe_forward") or 0) + (r.get("nfe_backward") or 0) for r in ok),
        }
        for m, table in tables.items():
            low, high = ends[m]
            line |= {m: table.mean[s], f"{m}_low": low[s], f"{m}_high": high[s]}
        lines.append(line)
    return pd.DataFrame(lines)


def gains(board: Board, metric: str, baseline: str) -> Frame:
    """One line per solver and image: the mean paired gain over the baseline, positive where the solver is better."""
    import pandas as pd

    loss = describe(metric).loss(board.values(metric))
    gain = loss[board.solvers.index(baseline)] - loss
    parts = []
    for s, solver in enumerate(board.solvers):
        if solver != baseline:
            part: Frame = pd.DataFrame({"solver": solver, "image": board.images, "gain": gain[s]})
            parts.append(part[np.isfinite(part["gain"])].groupby(["solver", "image"], as_index=False)["gain"].mean())
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["solver", "image", "gain"])


def searches(rows: Sequence[Row], metric: str) -> Frame:
    """Validation results: solver, setting, parameter, value and regret, the loss against the best value tried.

    A candidate of several parameters counts, for each of them, as the best that this value came to.
    """
    import pandas as pd

    keys = ["solver", "setting", "parameter", "value"]
    tried: Frame = pd.DataFrame(_candidates(rows, metric), columns=[*keys, "candidate", "loss"])
    per_candidate = tried.groupby([*keys, "candidate"], as_index=False, sort=False)["loss"].mean()
    best = per_candidate.groupby(keys, as_index=False, sort=False)["loss"].min()
    best["regret"] = best["loss"] - best.groupby(keys[:3])["loss"].transform("min")
    order = ["solver", "parameter", "setting", "value"]
    return best.drop(columns="loss").sort_values(order, kind="stable", ignore_index=True)


def _candidates(rows: Sequence[Row], metric: str) -> list[tuple[str, str, str, float, str, float]]:
    """A line per validation result and tuned number: solver, setting, parameter, value, candidate, loss."""
    lines = []
    for r in rows:
        score = r.get(f"m_{metric}")
        if r["phase"] != "val" or not r.get("candidate") or score is None:
            continue
        loss = float(describe(metric).loss(np.array(score)))
        for name, value in json.loads(r["candidate"]).items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                lines.append((r["solver"], r["setting"], name, float(value), r["candidate"], loss))
    return lines
