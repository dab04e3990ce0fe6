"""Render a report: one page that opens from a file; beside it pictures, figures for papers, numbers as CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import ResultError, did_you_mean
from bench.files import cell_text
from bench.report import certificates, facts, scatter, text
from bench.report.about import about_solvers
from bench.report.board import Board, describe
from bench.report.conclusion import conclusion, ranking
from bench.report.encode import script_json
from bench.report.figures.draw import Figure, draw
from bench.report.load import Results, load
from bench.report.payload import payload
from bench.report.pictures import Chunk, chunks, write_chunks
from bench.report.studies.section import Section, section
from bench.report.tables import leaderboard, pick_baseline
from bench.results.folder import shown
from bench.statistics.leaderboard import Standing

HERE = Path(__file__).parent

#: static/js/*.js in the order in which the page reads them: none before what it imports
SCRIPTS = (
    "elements", "data", "state", "board", "solver", "table", "pairs", "pareto", "filters", "pictures", "maps", "zoom",
    "readout", "compare", "viewer", "heat", "curves", "gallery", "export", "main",
)  # fmt: skip


@dataclass(frozen=True)
class Content:
    """Everything that the template of the page is filled with."""

    results: Results
    board: Board
    entries: list[dict[str, Any]]
    baseline: str | None
    figures: list[Figure]
    study: Section | None
    chunks: list[Chunk]
    single_file: bool


def build(
    run_dirs: Sequence[Path],
    out: Path,
    baseline: str | None = None,
    *,
    single_file: bool = False,
    figures: bool = True,
) -> Path:
    """Write ``out/index.html`` and, beside it, leaderboard.csv, figures/ and data/; returns the page's path.

    Args:
        run_dirs: folders with results.parquet and run.json; several are put into one report.
        out: folder of the report, made if missing; an earlier report there is replaced.
        baseline: label of the solver that the others are compared with; by default Wiener, else the blurred input.
        single_file: put the pictures into the page, which then stands alone: nothing else is written.
        figures: draw the figures for papers; most of the time goes there.

    Raises:
        ResultError: a run that cannot be read, runs on different measurements, no results, an unknown baseline.
    """
    results = load([Path(d) for d in run_dirs])
    board = Board.from_rows(results.rows)
    if not board.cells:
        raise ResultError("the runs hold no test results: nothing to report")
    if baseline is not None and baseline not in board.solvers:
        raise ResultError(f"baseline {baseline!r} is not among the solvers. {did_you_mean(baseline, board.solvers)}")
    chosen = pick_baseline(board, baseline)
    entries = leaderboard(board, chosen)
    out.mkdir(parents=True, exist_ok=True)
    order = [e["solver"] for e in entries]
    folder = None if single_file else out / "figures"
    drawn = draw(board, results.rows, order, chosen, folder) if figures else []
    study = section(results, board, folder, figures=figures)
    pictures = chunks(results.pictures, board)
    if not single_file:
        write_chunks(pictures, out / "data")
        _write_csv(out / "leaderboard.csv", entries, board.metrics)
    page = out / "index.html"
    page.write_text(
        _render(Content(results, board, entries, chosen, drawn, study, pictures, single_file)), encoding="utf-8"
    )
    return page


def _render(c: Content) -> str:
    from markupsafe import Markup

    test = [r for r in c.results.rows if r["phase"] == "test"]
    numbers = payload(c.board, c.results.certificates, c.baseline)
    for solver, extra in zip(numbers["solvers"], about_solvers(c.results, c.board), strict=True):
        solver |= extra
    numbers["pictures"] = [_place(c.board, chunk) for chunk in c.chunks]
    metric = ranking(c.board)
    components, without = scatter.components(c.board, metric) if metric else ([], [])
    return _environment().get_template("index.html.j2").render(
        title=" + ".join(dict.fromkeys(f["name"] for f in c.results.facts)),
        css=Markup((HERE / "static" / "report.css").read_text(encoding="utf-8")),  # noqa: S704  our own file
        js=Markup(script()),  # noqa: S704  our own files
        data=Markup(script_json(numbers)),  # noqa: S704  escaped by script_json
        inside=[(k.name, Markup(k.json)) for k in c.chunks] if c.single_file else [],  # noqa: S704  likewise
        figures=[(f, Markup(f.svg)) for f in c.figures],  # noqa: S704  matplotlib escapes what it writes
        study=c.study,
        drawings=[(f, Markup(f.svg)) for f in (c.study.figures if c.study else [])],  # noqa: S704  likewise
        single_file=c.single_file,
        viewer=bool(c.chunks),
        gallery=sum(not chunk.truth for chunk in c.chunks),
        unscored=int(c.board.unscored.sum()),
        ranked=not c.board.unscored.all(),
        runs=[facts.of_run(f) for f in c.results.facts],
        environments=c.results.environments,
        results=c.results,
        board=c.board,
        metrics=[describe(m) for m in c.board.metrics],
        entries=c.entries,
        settings=len(set(c.board.settings.tolist())),
        images=len(set(c.board.images.tolist())),
        groups=len(set(c.board.groups.tolist())),
        conclusion=conclusion(c.board, c.baseline),
        conclusion_metric=describe(metric or "").label,
        scatter=components,
        scatter_without=without,
        scatter_metric=describe(metric or ""),
        failed=sum(e["failed"] for e in c.entries),
        done=sum(e["cells"] for e in c.entries),
        posterior=bool(c.board.sampled.any()),
        certificate_numbers=certificates.NUMBERS,
        boundaries=facts.distinct(test, "boundary"),
        noise_convention=facts.NOISE_CONVENTION,
        noises=facts.noise_models(test),
        notices=[*facts.notices(test), *facts.left_out(c.results.facts)],
        tuned=facts.tuned_values(c.results.rows),
        failures=facts.failures(c.results.rows),
        example=shown(
            next((r["cell_key"] for r in test if r["status"] == "ok"), test[0]["cell_key"]),
            Path(c.results.facts[0]["place"]),
        ),
    )  # fmt: skip


def rendered(template: str, **values: Any) -> str:
    """A page of another kind, in the same style."""
    from markupsafe import Markup

    css = Markup((HERE / "static" / "report.css").read_text(encoding="utf-8"))  # noqa: S704  our own file
    return _environment().get_template(template).render(css=css, **values)


def _place(board: Board, chunk: Chunk) -> dict[str, Any]:
    """Which measurement a chunk shows."""
    cell = board.cells[chunk.cell]
    setting = list(dict.fromkeys(board.settings.tolist())).index(cell.setting)
    about = {"dataset": cell.dataset, "image": cell.image, "psf": cell.psf_index, "rep": cell.rep}
    return {"chunk": chunk.name, "setting": setting, **about, "truth": chunk.truth}


def script() -> str:
    """The page's script: its modules one after the other, in one scope of their own.

    A page from ``file://`` may not import modules. Every exported name is unique, so that without ``import`` and
    ``export`` the modules are the same program; the linter sees the modules.
    """
    parts = [(HERE / "static" / "js" / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    joined = re.sub(r"^import\b[^;]*;\n|^export (?=\w)", "", "\n".join(parts), flags=re.MULTILINE)
    return '"use strict";\n(() => {\n' + joined + "})();\n"


def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    env = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(number=text.number, seconds=text.seconds, count=text.count)
    env.globals["missing"] = text.MISSING
    return env


#: columns of leaderboard.csv for each metric; ``difference`` is paired with the baseline, p adjusted by Holm
CSV = (
    "mean", "low_95", "high_95", "groups", "maybe_best", "rank_best", "rank_worst",
    "difference", "difference_low_95", "difference_high_95", "p_holm",
)  # fmt: skip


def _write_csv(path: Path, entries: list[dict[str, Any]], metrics: Sequence[str]) -> None:
    costs = ("cells", "failed", "absent", "seconds", "calls", "evaluations", "parameters", "macs")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        names = [f"{m}_{part}" for m in metrics for part in CSV]
        writer.writerow(["solver", "family", "tuning", "weights", *names, *costs])
        for e in entries:
            scores = [value for m in metrics for value in _csv_score(e["scores"][m])]
            row = [e["solver"], e["family"], e["tuning"], e["weights"], *scores, *(e[c] for c in costs)]
            writer.writerow(map(cell_text, row))


def _csv_score(score: Standing) -> list[Any]:
    delta = score.delta
    known = "" if score.maybe_best is None else int(score.maybe_best)
    differences = ("",) * 4 if delta is None else (delta.mean, delta.low, delta.high, delta.adjusted)
    return [score.mean, score.low, score.high, score.groups, known, *(score.ranks or ("", "")), *differences]
