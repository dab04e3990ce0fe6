"""``bench show``: one cell: what it was, what came out, and whether it comes out again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from bench.grid.cells import Cell


def command(
    key: Annotated[str, typer.Argument(help="A cell's key, or its first characters.")],
    runs: Annotated[Path, typer.Option(help="The folder that holds results folders, or one of these.")] = Path(
        "runs"
    ),
    rerun: Annotated[bool, typer.Option("--rerun", help="Compute it again and compare.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show a cell's row; with --rerun compute it again here and compare (exits 1 if a metric differs)."""
    folder, row = _find(key, runs)
    fresh = _again(folder, row) if rerun else {}
    if as_json:
        typer.echo(json.dumps({"run": str(folder), "row": row, "again": fresh}, indent=1, ensure_ascii=False))
    else:
        for name, value in row.items():
            if value is not None and value != "":
                typer.echo(f"{name:<18} {value}")
    differing = [n for n in fresh if n.startswith("m_") and fresh[n] != row[n]]
    if rerun and not as_json:
        for n in (n for n in fresh if n.startswith("m_")):
            typer.echo(f"again {n:<12} {fresh[n]}  {'differs' if n in differing else 'the same to the last bit'}")
    if differing or (rerun and fresh.get("status") != row["status"]):
        raise typer.Exit(1)


def _find(key: str, runs: Path) -> tuple[Path, dict[str, Any]]:
    from bench.errors import ResultError
    from bench.results import parquet as results

    files = (
        [runs / "results.parquet"] if (runs / "results.parquet").is_file() else sorted(runs.glob("*/results.parquet"))
    )
    found = [(f.parent, r) for f in files for r in results.read(f) if r["cell_key"].startswith(key)]
    if not found:
        raise ResultError(f"no cell under {runs} has a key that starts with {key!r}")
    if len({r["cell_key"] for _, r in found}) > 1:
        raise ResultError(f"{len(found)} cells have keys that start with {key!r}: give more characters")
    return found[0]


def _again(folder: Path, row: dict[str, Any]) -> dict[str, Any]:
    from bench.running import worker
    from bench.running.local import Shared

    cell = _cell(folder, row)
    worker.start(Shared(device=row["device"] or "cpu", threads=cell.protocol["threads"]))
    return worker.run([cell])[0]


def _cell(folder: Path, row: dict[str, Any]) -> Cell:
    """Plan the run's grid again and find the cell of this row in it."""
    from bench.errors import ResultError
    from bench.grid.image_index import ImageIndex
    from bench.grid.planner import Planner
    from bench.grid.read import parse_grid
    from bench.grid.yaml import parse_yaml

    facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    planned = parse_grid(parse_yaml(facts["grid_text"], "grid.yaml"), Path(facts["grid_base"]))
    planner = Planner(planned, ImageIndex(folder / "images.json"))
    candidate = json.loads(row["candidate"]) if row["candidate"] else None
    for entry in planned.solvers:
        settings = [s for s in planner.settings if s.id == row["setting"]]
        for cell in planner.cells(row["phase"], entry, settings, candidate, row["tuning"]):
            if cell.key == row["cell_key"]:
                return cell
    raise ResultError(
        f"cell {row['cell_key'][:12]} of {folder} cannot be planned again: its solver, operator, image or the "
        "harness has changed since (bench run --dry-run says what)"
    )
