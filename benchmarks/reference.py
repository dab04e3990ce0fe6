"""The project's own results: shipped grids' rows in reports/reference, and the numbers that docs draw from them.

    python benchmarks/reference.py store runs/seed002_swinir    # after: bench run seed002_swinir
    python benchmarks/reference.py write                        # every marked table and number of docs/*.md
    python benchmarks/reference.py check                        # which of them say something else; exits 1

A Markdown file marks what is drawn from a run with comments, in which a YAML mapping says what:

    <!-- reference: {file: seed002_swinir, rows: solver, columns: noise, metric: psnr} -->
    (the table, written here)
    <!-- /reference -->
    TV reaches <!-- reference: {file: seed002_swinir, solver: TV, where: noise == 'low', metric: psnr} -->30.41
    <!-- /reference --> dB.

file: a run that was stored. rows, columns: what is split by what: solver, setting, blur, noise, dataset, T, image or
metric. solvers: which rows, in this order. metric: one, or a list with columns: metric. where: an expression on blur,
noise, setting, dataset and T, as of ``bench run --only``. gain: true adds what each value is above the blurred input.
against: a row; adds the nominal 95 % interval of the paired difference to it. solver: one number instead of a table;
with ``less`` another row, its paired difference to that one and the interval, with a digit less than the metric has.
study: true draws the tables that the report has of the study which the grid repeats.
quotes: nothing is written, but the text between the comments must hold the value of each of these rows (in each of
``columns``). Means are those of the report: settings weigh alike, and in a setting groups.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet as arrow

from bench.errors import BenchError, ResultError, SettingError, did_you_mean
from bench.files import markdown_text, replacing, write_text
from bench.grid.conditions import Expression
from bench.grid.yaml import parse_yaml
from bench.report.board import Board, describe
from bench.report.studies.section import STUDIES
from bench.report.text import interval, number, signed
from bench.results import parquet
from bench.results.folder import ResultsFolder, Row

ROOT = Path(__file__).resolve().parent.parent
STORE = ROOT / "reports" / "reference"
#: bytes of a stored run at most: a repository is no archive
LARGEST = 300_000
#: columns that say how a run went and not what it came to, or that hashes make large
LEFT_OUT = {
    "traceback", "output", "started_at", "attempt", "env_id", "image_sha", "psf_sha", "psf_note", "peak_rss_mb",
    "batch",
}  # fmt: skip
#: digits of hashes that are kept, to tell one measurement from another
DIGITS = 16
HASHES = ("cell_key", "y_sha", "weights_sha")
KEYS = {
    "file", "rows", "columns", "solvers", "solver", "metric", "where", "gain", "against", "less", "study", "quotes",
}  # fmt: skip
MARK = re.compile(r"(<!-- reference: (\{.*?\}) -->)(.*?)(<!-- /reference -->)", re.DOTALL)


def store(run: Path, place: Path = STORE) -> Path:
    """Write the test rows of a finished run to ``place``; returns the file.

    Beside the rows it holds what made them (command, version, commit, when, where) and the grid. Raises ResultError
    for a run with local changes, whose numbers nobody could repeat, and for one that is too large.
    """
    read = ResultsFolder(run).read()
    facts = read.facts
    if facts.get("dirty"):
        raise ResultError(f"{run} was made with local changes: commit them, and run it again")
    made = {"command": _command(facts), "version": version("deblur-bench")}
    made |= {n: facts.get(n) for n in ("commit", "started_at", "environment", "protocol", "tuning", "grid_text")}
    rows = [_short(r) for r in read.rows if r["phase"] == "test"]
    metrics = [name.removeprefix("m_") for name in rows[0] if name.startswith("m_")]
    kinds = {n: k for n, k in parquet.COLUMNS.items() if n not in LEFT_OUT}
    kinds |= {f"{kind}_{m}": "double" for m in metrics for kind in ("m", "in")}
    columns = {n: pa.array([r.get(n) for r in rows], pa.type_for_alias(kind)) for n, kind in kinds.items()}
    columns = {n: c for n, c in columns.items() if c.null_count < len(rows) or n in parquet.NEEDED}
    metadata = {"schema_version": str(parquet.SCHEMA_VERSION), "about": json.dumps(made)}
    target = place / f"{facts['name']}.parquet"
    with replacing(target) as temporary:
        arrow.write_table(pa.table(columns).replace_schema_metadata(metadata), temporary, compression="zstd")
        if (size := temporary.stat().st_size) > LARGEST:
            raise ResultError(f"{run} makes {size:,} bytes; at most {LARGEST:,} are kept in the repository")
    return target


def _command(facts: Mapping[str, Any]) -> str:
    """What was typed, as far as it decides which cells there are."""
    words = ["bench", "run", facts["name"]]
    words += ["--only", facts["only"]] if facts.get("only") else []
    words += ["--limit", str(facts["limit"])] if facts.get("limit") else []
    return shlex.join(words)


def _short(row: Row) -> Row:
    return {**row, **{n: str(row[n])[:DIGITS] for n in HASHES if row.get(n)}}


def about(file: Path) -> dict[str, Any]:
    """What made a stored run."""
    return json.loads((arrow.read_schema(file).metadata or {})[b"about"])


# --- what a mark shows ----------------------------------------------------------------------------------------


def drawn(given: Mapping[str, Any], place: Path = STORE) -> str:
    """The table or the number that a mark asks for. Raises SettingError for a mark that cannot be understood."""
    if unknown := set(given) - KEYS:
        raise SettingError(f"a reference has no {sorted(unknown)[0]!r}. {did_you_mean(sorted(unknown)[0], KEYS)}")
    file = place / f"{given['file']}.parquet"
    if not file.is_file():
        raise SettingError(f"no stored run {given['file']!r}. {did_you_mean(given['file'], _stored(place))}")
    metrics = given.get("metric", "psnr")
    metrics = [metrics] if isinstance(metrics, str) else list(metrics)
    board = Board.from_rows(parquet.read(file))
    if unknown := sorted(set(metrics) - set(board.metrics)):
        raise SettingError(f"no metric {unknown[0]!r} there. {did_you_mean(unknown[0], board.metrics)}")
    board = _where(board, given.get("where"))
    if given.get("study"):
        return _of_study(board, about(file)["grid_text"])
    if "less" in given:
        return _difference(board, _solver(board, given["solver"]), _solver(board, given["less"]), metrics[0])
    if "solver" in given:
        return _cell(board, _solver(board, given["solver"]), metrics[0], np.ones(len(board.cells), bool))
    return _table(board, given, metrics)


def _stored(place: Path) -> list[str]:
    return [f.stem for f in place.glob("*.parquet")]


def _where(board: Board, text: str | None) -> Board:
    if text is None:
        return board
    wanted = Expression(text)
    columns = {n: board.about(n) for n in ("blur", "noise", "setting", "dataset", "T", "image")}
    here = [bool(wanted({n: c[i] for n, c in columns.items()})) for i in range(len(board.cells))]
    if not any(here):
        raise SettingError(f"where: {text!r} leaves nothing")
    return board.select(np.array(here))


def _solver(board: Board, name: str) -> int:
    if name not in board.solvers:
        raise SettingError(f"no solver {name!r} there. {did_you_mean(name, board.solvers)}")
    return board.solvers.index(name)


def unquoted(given: Mapping[str, Any], text: str, place: Path = STORE) -> list[str]:
    """Values of the rows that a mark quotes and that do not stand in the text between its comments."""
    table = drawn({**{k: v for k, v in given.items() if k != "quotes"}, "solvers": given["quotes"]}, place)
    cells = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    numbers = set(re.findall(r"(?<![\d.])\d+\.\d+", text))
    return [f"{label} {value}" for label, *own in cells for value in own if value not in numbers]


def _table(board: Board, given: Mapping[str, Any], metrics: Sequence[str]) -> str:
    by = given.get("columns", "metric")
    everything = np.ones(len(board.cells), bool)
    if by == "metric":
        columns = [(describe(m).label, m, everything) for m in metrics]
    else:
        values = np.array(board.about(by), object)
        columns = [(str(v), metrics[0], values == v) for v in dict.fromkeys(values.tolist())]
    solvers = [_solver(board, s) for s in given.get("solvers", board.solvers)]
    if given.get("rows", "solver") == "solver":
        lines = [(board.solvers[s], [(s, m, cells) for _, m, cells in columns]) for s in solvers]
        heads = [head for head, _, _ in columns]
    else:  # turned: solvers are the columns
        lines = [(head, [(s, m, cells) for s in solvers]) for head, m, cells in columns]
        heads = [board.solvers[s] for s in solvers]
    how: dict[str, Any] = {"gain": bool(given.get("gain"))}
    if "against" in given:
        how["against"] = _solver(board, given["against"])
    body = [[label, *(_cell(board, s, m, cells, **how) for s, m, cells in own)] for label, own in lines]
    return markdown(["", *heads], body)


def _of_study(board: Board, grid: str) -> str:
    """The report's own tables of a study, one below the other, their titles in their corners."""
    _, make = STUDIES[parse_yaml(grid, "grid").data["study"]]
    return "\n\n".join(
        markdown(
            [table.title, *table.heads],
            [[line.label, *(f"{v.text} {v.interval}".strip() for v in line.values)] for line in table.lines],
        )
        for table in make(board)
    )


def _difference(board: Board, solver: int, less: int, metric: str) -> str:
    values, digits = board.values(metric), describe(metric).digits - 1
    paired = board.means((values[solver] - values[less])[None])
    low, high = paired.interval()
    text = number(float(paired.mean[0]), digits)
    return text + interval(float(low[0]), float(high[0]), digits, " ", number)


def _cell(
    board: Board, solver: int, metric: str, cells: np.ndarray, *, gain: bool = False, against: int | None = None
) -> str:
    values, m = board.values(metric), describe(metric)
    text = number(float(board.means(values[[solver]], cells).mean[0]), m.digits)
    if gain and board.solvers[solver] != "blurred":
        paired = board.means((values[solver] - board.inputs(metric))[None], cells)
        text += f", {signed(float(paired.mean[0]), m.digits)}"
    if against is not None and solver != against:
        low, high = board.means((values[solver] - values[against])[None], cells).interval()
        text += interval(float(low[0]), float(high[0]), m.digits - 1, " ")
    return text


def markdown(heads: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *body]
    return "\n".join(
        "| " + " | ".join(cell if cell == "---" else markdown_text(cell) for cell in line) + " |" for line in lines
    )


# --- files ----------------------------------------------------------------------------------------------------


def written(text: str, place: Path = STORE) -> str:
    """A Markdown text with every mark's content as the stored runs have it now. Raises SettingError with the mark."""

    def replace(match: re.Match[str]) -> str:
        opening, mapping, old, closing = match.groups()
        try:
            given = parse_yaml(mapping, "reference").data
            if "quotes" in given:
                if missing := unquoted(given, old, place):
                    raise SettingError(f"the text does not say {', '.join(missing)}")
                return match[0]
            content = drawn(given, place)
        except (BenchError, KeyError) as error:
            raise SettingError(f"{opening}: {error}") from error
        if content.startswith("|"):
            return f"{opening}\n{content}\n{closing}"
        # In a sentence a line may break before or after the number.
        before, after = (m[0] if (m := re.search(p, old)) else "" for p in (r"^\s+", r"\s+$"))
        return f"{opening}{before}{content}{after}{closing}"

    return MARK.sub(replace, text)


def main(words: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["store", "write", "check"])
    parser.add_argument("runs", nargs="*", type=Path, help="of store: folders of finished runs")
    given = parser.parse_args(words)
    try:
        if given.what == "store":
            for run in given.runs:
                print(store(run))  # a command
            return 0
        stale = [f for f in sorted((ROOT / "docs").glob("*.md")) if (t := f.read_text("utf-8")) != written(t)]
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)  # a command
        return 2
    for file in stale:
        print(f"{file.relative_to(ROOT)}: {'written' if given.what == 'write' else 'says something else'}")
        if given.what == "write":
            write_text(file, written(file.read_text("utf-8")))
    return int(given.what == "check" and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
