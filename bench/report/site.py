"""Reports for a web server that only hands out files: a page for each run, and an index of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.report import facts
from bench.report.board import Board, describe
from bench.report.conclusion import conclusion, ranking
from bench.report.load import load
from bench.report.page import build, rendered
from bench.report.tables import pick_baseline


@dataclass(frozen=True)
class Entry:
    """A run in the index: what it is called, where its page is, what it compared and what came of it."""

    name: str
    link: str
    started: str
    commit: str
    solvers: int
    settings: int
    groups: int
    metric: str
    sentences: list[str]


def build_site(run_dirs: Sequence[Path], out: Path, baseline: str | None = None, *, figures: bool = True) -> Path:
    """Write ``out/NAME/`` for each run, named as its folder, and ``out/index.html``, the newest first; returns that.

    Args:
        run_dirs: results folders.
        out: folder to publish as it is; ``.nojekyll`` keeps GitHub Pages from looking for a program in it.
        baseline: as of ``build``, in the runs that have such a solver; the others choose their own.
        figures: as of ``build``.
    """
    entries = []
    for run, name in zip(run_dirs, _names(run_dirs), strict=True):
        results = load([run])
        board = Board.from_rows(results.rows)
        own = pick_baseline(board, baseline if baseline in board.solvers else None)
        build([run], out / name, own, figures=figures)
        about, metric = facts.of_run(results.facts[0]), ranking(board)
        entries.append(
            Entry(
                name=name, link=f"{name}/index.html", started=about["started"], commit=about["commit"],
                solvers=len(board.solvers), settings=len(set(board.settings.tolist())),
                groups=len(set(board.groups.tolist())), metric=describe(metric).label if metric else "",
                sentences=conclusion(board, own),
            )
        )  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    (out / ".nojekyll").write_text("", encoding="ascii")
    index = out / "index.html"
    newest = sorted(entries, key=lambda e: e.started, reverse=True)
    index.write_text(rendered("site.html.j2", entries=newest), encoding="utf-8")
    return index


def _names(run_dirs: Sequence[Path]) -> list[str]:
    """Names of the folders; of several alike the later ones are numbered."""
    names: list[str] = []
    for run in run_dirs:
        name = run.resolve().name
        taken = sum(n == name or n.startswith(f"{name}-") for n in names)
        names.append(f"{name}-{taken + 1}" if name in names else name)
    return names
