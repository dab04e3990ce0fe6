"""``bench show``: one cell: what it was, what came out, and whether it comes out again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from bench.grid.cells import Cell
    from bench.results.folder import Row, Run


#: seconds that a cell may take to be computed again: whatever limit it had, it has been computed once
A_DAY = 86400.0


#: columns of many lines, shown apart
LONG = ("output", "traceback")


def command(
    key: Annotated[
        str, typer.Argument(help="A cell's key, or its first characters; with --forward a prior or a recipe.")
    ],
    runs: Annotated[Path, typer.Option(help="The folder that holds results folders, or one of these.")] = Path(
        "runs"
    ),
    rerun: Annotated[bool, typer.Option("--rerun", help="Compute it again and compare.")] = False,
    reverse: Annotated[
        bool, typer.Option("--reverse", help="Draw what its sampler did: x_t and estimates of x_0, from noise on.")
    ] = False,
    forward: Annotated[
        bool, typer.Option("--forward", help="Draw the schedule of a prior or a recipe, and its forward process.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Where --reverse and --forward draw: PNG, PDF or SVG (default: KEY.png here).")
    ] = None,
    frames: Annotated[int, typer.Option(min=2, max=50, help="States that they show.")] = 8,
    image: Annotated[Path | None, typer.Option(help="The picture of --forward in place of a drawn slice.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show a cell's row; with --rerun compute it again here and compare; with --reverse draw how its sampler went.

    Exits 1 if a metric differs, or if the cell fails again: its traceback and what it printed are shown.
    """
    from bench.cli.strips import draw_forward, draw_reverse, place

    if forward:
        typer.echo(draw_forward(key, place(out, f"forward_{Path(key).stem}"), frames, image))
        return
    run, row = _find(key, runs)
    if reverse:
        file = place(out, f"reverse_{row['cell_key'][:8]}")
        typer.echo(draw_reverse(_cell(run, row), row, file, frames))
        return
    fresh = _again(run, row) if rerun else {}
    if as_json:
        typer.echo(
            json.dumps({"run": str(run.folder.path), "row": dict(row), "again": fresh}, indent=1, ensure_ascii=False)
        )
    else:
        for name, value in row.items():
            if value is not None and value != "" and name not in LONG:
                typer.echo(f"{name:<18} {value}")
        _print_failure(fresh or row)
    differing = [n for n in fresh if n.startswith("m_") and fresh[n] != row[n]]
    if rerun and not as_json:
        for n in (n for n in fresh if n.startswith("m_")):
            typer.echo(f"again {n:<12} {fresh[n]}  {'differs' if n in differing else 'the same to the last bit'}")
    if differing or (rerun and (fresh["status"] != "ok" or fresh["status"] != row["status"])):
        raise typer.Exit(1)


def _print_failure(outcome: Row) -> None:
    """Why a cell failed; nothing of one that did not."""
    if outcome.get("status") == "ok":
        return
    typer.echo(f"\n{outcome['status']}: {outcome.get('error_type')}: {outcome.get('error_message')}")
    for name in (n for n in LONG if outcome.get(n)):
        typer.echo(f"\n{name}:\n{str(outcome[name]).rstrip()}")


def _find(key: str, runs: Path) -> tuple[Run, Row]:
    from bench.errors import ResultError
    from bench.results.folder import ResultsFolder

    read = [folder.read() for folder in ResultsFolder.under(runs) or [ResultsFolder(runs)]]
    matches = [(run, row) for run in read for row in run.rows if row["cell_key"].startswith(key)]
    if not matches:
        raise ResultError(f"no cell under {runs} has a key that starts with {key!r}")
    if len({row["cell_key"] for _, row in matches}) > 1:
        raise ResultError(f"{len(matches)} cells have keys that start with {key!r}: give more characters")
    return matches[0]


def _again(run: Run, row: Row) -> dict[str, Any]:
    from bench.running.environment import Shared
    from bench.running.local import LocalEngine

    cell = _cell(run, row)
    shared = Shared(device=row["device"] or "cpu", threads=cell.protocol["threads"])
    with LocalEngine(1, shared) as engine:
        return engine.solve([cell], A_DAY).result()[0]


def _cell(run: Run, row: Row) -> Cell:
    """Plan the run's grid again and find the cell of this row in it."""
    from bench.errors import ResultError
    from bench.grid.image_index import ImageIndex
    from bench.grid.planner import Planner
    from bench.grid.read import parse_grid
    from bench.grid.yaml import parse_yaml

    folder, facts = run.folder, run.facts
    planned = parse_grid(parse_yaml(facts["grid_text"], folder.grid.name), Path(facts["grid_base"]))
    planner = Planner(planned, ImageIndex(folder.hashes))
    candidate = json.loads(row["candidate"]) if row["candidate"] else None
    for entry in planned.solvers:
        settings = [s for s in planner.settings if s.id == row["setting"]]
        for cell in planner.cells(row["phase"], entry, settings, candidate, row["tuning"]):
            if cell.key == row["cell_key"]:
                return cell
    raise ResultError(
        f"cell {row['cell_key'][:12]} of {folder.path} cannot be planned again: its solver, operator, image or the "
        "harness has changed since (bench run --dry-run says what)"
    )
