"""What a regression looks like: the stored pictures of the worst cell of each group that got worse."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from bench.check.rule import Comparison, Pair, losses
from bench.check.verdict import Verdict
from bench.report.encode import data_uri, to_float
from bench.results.folder import ResultsFolder, Row
from bench.results.identity import MeasurementId
from bench.scoring.registry import MetricInfo, describe, known

#: Groups whose pictures are shown, the worst first: a page with more is scrolled, not read.
MOST = 12
#: Half precision, in which pictures are stored, is exact to this in [1/2, 1]; smaller differences do not show.
PRECISION = 2.0**-11

#: Darker and brighter than before: blue and vermilion of Okabe and Ito, which the colour-blind tell apart.
DARKER, BRIGHTER = (np.array([[[r]], [[g]], [[b]]]) / 255 for r, g, b in ((0, 114, 178), (213, 94, 0)))


@dataclass(frozen=True)
class Panel:
    """A picture. ``src``: data URI; ``under``: the one that takes its place under the pointer, or empty."""

    title: str
    src: str
    note: str = ""
    under: str = ""


@dataclass(frozen=True)
class Look:
    """The worst cell of a group, seen.

    Attributes:
        row: of the new run.
        numbers: (metric, before, now, loss) of this cell.
        panels: empty where no pictures were stored.
        notes: sentences: what is missing and why.
    """

    row: Row
    numbers: list[tuple[MetricInfo, float, float, float]]
    panels: list[Panel]
    notes: list[str]


@dataclass(frozen=True)
class Stored:
    """The pictures of a run by measurement, its test rows by solver and measurement, and their folder."""

    folder: Path
    files: dict[MeasurementId, Path]
    rows: dict[tuple[str, MeasurementId], Row]

    @classmethod
    def of(cls, folder: Path) -> Stored:
        """Of a results folder; one without an index has stored none. Raises ResultError."""
        run = ResultsFolder(folder).read()
        rows: dict[tuple[str, MeasurementId], Row] = {
            (r["solver"], MeasurementId.of(r)): r for r in run.rows if r["phase"] == "test"
        }
        return cls(folder, {p.measurement: p.file for p in run.pictures}, rows)

    def arrays(self, at: MeasurementId, *names: str) -> dict[str, np.ndarray] | None:
        """These arrays, (C, H, W) each, of one measurement; None unless all of them can be read."""
        try:
            # Opened here: numpy leaves a damaged file open.
            with self.files[at].open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return {n: to_float(stored[n]) for n in names}
        except (KeyError, OSError, ValueError, EOFError, BadZipFile, zlib.error):
            return None


def looks(verdict: Verdict, run: Path, old: Path | None = None) -> list[Look]:
    """The worst cells of the first ``MOST`` groups that got worse.

    Args:
        verdict: of ``run``.
        run: its results folder.
        old: the results folder of a run of the old code, for its pictures.
    """
    new = Stored.of(run)
    before = Stored.of(old) if old else None
    shown: dict[tuple[str, str], Look] = {}
    for c in verdict.regressed:
        pairs = [p for (s, t), group in verdict.pairs.items() if (s, t) == (c.solver, c.setting or t) for p in group]
        chosen, notes = _worst(c, pairs, new)
        group = c.solver, chosen[1]["setting"]
        if group not in shown and len(shown) < MOST:
            shown[group] = _look(chosen, verdict, new, before, notes)
    return list(shown.values())


def _worst(c: Comparison, pairs: Sequence[Pair], stored: Stored) -> tuple[Pair, list[str]]:
    """The pair that lost most among those with pictures, and a sentence if another one lost more."""
    loss = np.nan_to_num(losses(c.metric, pairs), nan=-math.inf)
    order = [pairs[i] for i in np.argsort(-loss, kind="stable")]
    seen = [p for p in order if MeasurementId.of(p[1]) in stored.files]
    if not seen:
        return order[0], [f"{stored.folder} has no picture of this group; run: {{images: 4}} in the grid stores 4."]
    if seen[0] is order[0]:
        return order[0], []
    row = order[0][1]
    lost, seen_here = MeasurementId.of(row), MeasurementId.of(seen[0][1])
    where = lost.image if lost.dataset == seen_here.dataset else lost.scene
    where += f" on {lost.setting}" if lost.setting != seen_here.setting else ""
    key = f" bench show {row['cell_key'][:16]} has its numbers." if row.get("cell_key") else ""
    return seen[0], [
        f"Among the cells with pictures this is the worst; {where} lost more, and no picture of it was stored.{key}"
    ]


def _look(pair: Pair, verdict: Verdict, new: Stored, before: Stored | None, notes: list[str]) -> Look:
    then, row = pair
    numbers = [
        (describe(m), float(then[f"m_{m}"]), float(row[f"m_{m}"]), float(losses(m, [pair])[0]))
        for m in verdict.before.metrics
        if then.get(f"m_{m}") is not None and row.get(f"m_{m}") is not None
    ]
    name = f"solver:{row['solver']}"
    arrays = new.arrays(MeasurementId.of(row), "truth", "y", name)
    if arrays is None:
        missing = [] if notes else [f"The pictures of this cell in {new.folder} are missing or cannot be read."]
        return Look(row, numbers, [], [*notes, *missing])
    then_seen, why = _before(pair, before, arrays[name].shape)
    return Look(row, numbers, list(panels(arrays["truth"], arrays["y"], arrays[name], then_seen)), [*notes, *why])


def _before(pair: Pair, stored: Stored | None, shape: tuple[int, ...]) -> tuple[np.ndarray | None, list[str]]:
    """The old picture, if it is proven to be of the same measurement; and the sentences about it."""
    then, row = pair
    if stored is None:
        return None, []
    old = stored.rows.get((row["solver"], MeasurementId.of(row)))
    if old is None:
        return None, [f"{stored.folder} has no such cell, so the old image is not shown."]
    if old["y_sha"] != row["y_sha"]:
        return None, [f"{stored.folder} made this cell from another measurement, so its image is not shown."]
    arrays = stored.arrays(MeasurementId.of(row), f"solver:{row['solver']}")
    image = arrays[f"solver:{row['solver']}"] if arrays else None
    if image is None or image.shape != shape:
        return None, [f"{stored.folder} holds no picture of this cell, so the old image is not shown."]
    return image, list(_other_than_baseline(then, old, stored.folder))


def _other_than_baseline(then: Row, old: Row, folder: Path) -> Iterator[str]:
    """A sentence for each metric in which an old run is not what the baseline was made from."""
    for name, metric in known().items():
        a, b = then.get(f"m_{name}"), old.get(f"m_{name}")
        if a is not None and b is not None and abs(a - b) > 10.0**-metric.digits:
            digits = metric.digits + 1
            yield (
                f"The old image is not what the baseline was made from: {metric.label} {b:.{digits}f} in {folder}, "
                f"{a:.{digits}f} in the baseline."
            )


def panels(truth: np.ndarray, y: np.ndarray, new: np.ndarray, old: np.ndarray | None) -> Iterator[Panel]:
    """The pictures (C, H, W) of one cell in the order in which they are looked at."""
    yield Panel("truth", data_uri(truth))
    yield Panel("measurement", data_uri(y))
    if old is not None:
        yield Panel("old", data_uri(old))
        yield Panel("new", data_uri(new), "point at it: the old one", data_uri(old))
        yield _difference("new − old", new - old)
    else:
        yield Panel("new", data_uri(new))
    yield _difference("new − truth", new - truth)


def _difference(title: str, d: np.ndarray) -> Panel:
    """A signed map of (C, H, W), channels averaged: white is no change, full colour the 99.5 % quantile."""
    d = np.nan_to_num(d).mean(0)[None]
    limit = max(float(np.quantile(np.abs(d), 0.995)), 2 * PRECISION)
    t = np.clip(d / limit, -1, 1)
    colour = np.where(t < 0, DARKER, BRIGHTER)
    shown = "no difference" if np.abs(d).max() < PRECISION else f"blue −{limit:.2g}, orange +{limit:.2g}"
    return Panel(title, data_uri(1 - np.abs(t) * (1 - colour)), shown)
