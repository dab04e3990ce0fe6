"""Joining runs that were made apart: the union equals one whole run, and contradictions are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.errors import GridError, ResultError
from bench.grid.conditions import Expression
from bench.report.page import build
from bench.results import journal
from bench.results import parquet as results
from bench.results.journal import Journal
from bench.running.merge import merge
from bench.running.runner import Finished

Write = Callable[..., Path]
Run = Callable[..., Finished]

PLACE = ("phase", "solver", "setting", "image", "psf_index", "rep", "candidate")
EXACT = ("cell_key", "status", "m_psnr", "in_psnr", "y_sha", "psf_sha")


def exact(folder: Path) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    rows = results.read(folder / "results.parquet")
    return {tuple(r[n] for n in PLACE): tuple(r[n] for n in EXACT) for r in rows}


def halves(path: Path, run_grid: Run) -> None:
    run_grid(path, "a", only=Expression("T < 0.6"))
    run_grid(path, "b", only=Expression("T > 0.6"))


def edit_journal(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    outcomes = journal.read(folder / "journal.jsonl")
    (folder / "journal.jsonl").unlink()
    with Journal(folder / "journal.jsonl") as log:
        for outcome in outcomes.values():
            log.append(change(outcome))


def test_cells_run_apart_join_to_the_rows_of_one_run_and_nothing_is_left_to_compute(
    write_grid: Write, run_grid: Run, tmp_path: Path
) -> None:
    path = write_grid("@copy.py: {tune: auto}", "@dice.py", more="tune: {budget: 4}")
    run_grid(path, "whole")
    halves(path, run_grid)
    merge([tmp_path / "a", tmp_path / "b"], tmp_path / "joined")
    assert exact(tmp_path / "joined") == exact(tmp_path / "whole")
    resumed = run_grid(path, "joined")
    assert resumed.computed == 0
    assert exact(tmp_path / "joined") == exact(tmp_path / "whole")


def test_runs_of_different_solvers_join_and_their_grids_do_too(
    write_grid: Write, run_grid: Run, tmp_path: Path
) -> None:
    run_grid(write_grid("@copy.py", "@dice.py", name="whole.yaml"), "whole")
    run_grid(write_grid("@copy.py"), "a")
    run_grid(write_grid("@dice.py", run="retries: 3"), "b")
    facts = merge([tmp_path / "a", tmp_path / "b"], tmp_path / "joined")
    assert exact(tmp_path / "joined") == exact(tmp_path / "whole")
    assert facts["cells"] == {"total": 16, "ok": 16, "failed": 0}
    assert run_grid(tmp_path / "joined" / "grid.yaml", "joined").computed == 0


def test_a_joined_run_can_be_reported_with_the_pictures_of_both(
    write_grid: Write, run_grid: Run, tmp_path: Path
) -> None:
    run_grid(write_grid("@copy.py"), "a")
    run_grid(write_grid("@dice.py"), "b")
    merge([tmp_path / "a", tmp_path / "b"], tmp_path / "joined")
    index = json.loads((tmp_path / "joined" / "images" / "index.json").read_text())
    assert len(index) == 4
    for entry in index:
        arrays = np.load(tmp_path / "joined" / "images" / entry["file"], allow_pickle=False)
        assert {"truth", "y", "psf", "level", "solver:copy", "solver:dice"} <= set(arrays.files)
    page = build([tmp_path / "joined"], tmp_path / "page", figures=False)
    assert "dice" in page.read_text(encoding="utf-8")


def test_a_cell_that_failed_in_one_run_is_taken_from_the_other(
    write_grid: Write, run_grid: Run, tmp_path: Path
) -> None:
    path = write_grid(f"@broken.py: {{how: raise_once, marker: {tmp_path}/was-here}}")
    first = run_grid(path, "a")
    second = run_grid(path, "b")
    assert sorted({r["status"] for r in first.test}) == ["error", "ok"]
    for order in ("ab", "ba"):
        facts = merge([tmp_path / n for n in order], tmp_path / f"joined-{order}")
        assert facts["cells"]["failed"] == 0
        assert exact(tmp_path / f"joined-{order}") == exact(tmp_path / "b")
    assert {r["status"] for r in second.test} == {"ok"}


def test_the_environment_of_every_joined_row_is_known(write_grid: Write, run_grid: Run, tmp_path: Path) -> None:
    path = write_grid("@copy.py")
    run_grid(path, "a", only=Expression("T < 0.6"))
    run_grid(path, "b")
    about = {"cpu": "another"}
    # A journal of another machine, whose only introduction stands in a cell that both have.
    first = {o["cell_key"] for o in journal.read(tmp_path / "a" / "journal.jsonl").values()}
    introduced = []

    def elsewhere(outcome: dict[str, Any]) -> dict[str, Any]:
        introduces = outcome["cell_key"] in first and not introduced
        introduced.extend([1] * introduces)
        return {**outcome, "env_id": "elsewhere", "environment": about if introduces else None}

    edit_journal(tmp_path / "b", elsewhere)
    merge([tmp_path / "a", tmp_path / "b"], tmp_path / "joined")
    assert introduced
    outcomes = journal.read(tmp_path / "joined" / "journal.jsonl").values()
    known = {o["env_id"]: o["environment"] for o in outcomes if o.get("environment")}
    assert known.keys() == {o["env_id"] for o in outcomes}
    assert known["elsewhere"] == about


def test_different_measurements_of_one_exposure_are_refused(write_grid: Write, run_grid: Run, tmp_path: Path) -> None:
    halves_of_solvers = write_grid("@copy.py"), write_grid("@dice.py", name="other.yaml")
    run_grid(halves_of_solvers[0], "a")
    run_grid(halves_of_solvers[1], "b")
    rows = [dict(r) for r in results.read(tmp_path / "b" / "results.parquet")]
    rows[3]["y_sha"] = "0" * 64
    results.write(tmp_path / "b" / "results.parquet", rows, ["psnr"])
    with pytest.raises(ResultError, match=r"different measurements of image 'test.' of .*y_sha differ"):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "joined")
    assert not (tmp_path / "joined").exists()


def test_a_kernel_rounded_otherwise_elsewhere_is_accepted_while_the_measurement_is_the_same(
    write_grid: Write, run_grid: Run, tmp_path: Path
) -> None:
    run_grid(write_grid("@copy.py"), "a")
    run_grid(write_grid("@dice.py", name="other.yaml"), "b")

    def make(**change: str) -> None:
        table = tmp_path / "b" / "results.parquet"
        results.write(table, [{**r, **change} for r in results.read(table)], ["psnr"])

    make(psf_sha="1" * 64)
    with pytest.raises(ResultError, match=r"psf_sha differ. They come from other data or other code, and"):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "joined")
    make(env_id="elsewhere")
    merge([tmp_path / "a", tmp_path / "b"], tmp_path / "joined")
    assert len(exact(tmp_path / "joined")) == 16
    make(y_sha="1" * 64)
    with pytest.raises(ResultError, match=r"y_sha differ. They come from .* or a processor of another kind"):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "again")


def test_two_results_of_one_cell_are_refused_unless_rounding_explains_them(
    write_grid: Write, run_grid: Run, tmp_path: Path
) -> None:
    run_grid(write_grid("@copy.py"), "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")

    def changed(env: str, factor: float) -> Callable[[dict[str, Any]], dict[str, Any]]:
        return lambda o: {**o, "env_id": env, "m_psnr": o["m_psnr"] * factor}

    here = next(iter(journal.read(tmp_path / "a" / "journal.jsonl").values()))["env_id"]
    edit_journal(tmp_path / "b", changed(here, 1 + 1e-9))
    with pytest.raises(ResultError, match=r"contradict each other.*m_psnr is .* from the same environment"):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "joined")
    edit_journal(tmp_path / "b", changed("elsewhere", 1.0))
    merge([tmp_path / "a", tmp_path / "b"], tmp_path / "joined")
    assert exact(tmp_path / "joined") == exact(tmp_path / "a")
    edit_journal(tmp_path / "b", changed("elsewhere", 1.01))
    with pytest.raises(ResultError, match="from different environments"):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "again")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seed: 7", "seed: 8", r"differ in seed \(7 and 8\)"),
        ("border: 2", "border: 3", "differ in protocol"),
        ("sigma: [1, 8]", "sigma: [1, 9]", "their grids differ in noise"),
    ],
)
def test_runs_of_different_grids_are_refused(
    write_grid: Write, run_grid: Run, tmp_path: Path, old: str, new: str, words: str
) -> None:
    path = write_grid("@copy.py")
    run_grid(path, "a")
    path.write_text(path.read_text().replace(old, new))
    run_grid(path, "b")
    with pytest.raises(ResultError, match=words):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "joined")


def test_one_label_for_two_solvers_is_refused(write_grid: Write, run_grid: Run, tmp_path: Path) -> None:
    run_grid(write_grid("@copy.py: {id: mine, factor: 0.9}"), "a")
    run_grid(write_grid("@copy.py: {id: mine, factor: 1.1}"), "b")
    with pytest.raises((GridError, ResultError), match="mine"):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "joined")


def test_a_cell_whose_code_changed_between_the_runs_is_refused_and_named(
    write_grid: Write, run_grid: Run, tmp_path: Path
) -> None:
    solver = tmp_path / "mine.py"
    solver.write_text((Path(__file__).parents[1] / "example_plugins" / "copy.py").read_text())
    path = write_grid(str(solver))
    run_grid(path, "a")
    solver.write_text(solver.read_text().replace("* self.factor", "* self.factor * 1"))

    run_grid(path, "b")
    with pytest.raises(ResultError, match=r"different cells for mine on .*: solver code differ"):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "joined")


def test_unfinished_runs_and_used_folders_are_refused(write_grid: Write, run_grid: Run, tmp_path: Path) -> None:
    run_grid(write_grid("@copy.py"), "a")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ResultError, match="empty is not a finished run"):
        merge([tmp_path / "a", tmp_path / "empty"], tmp_path / "joined")
    with pytest.raises(ResultError, match="a is not empty"):
        merge([tmp_path / "a", tmp_path / "a"], tmp_path / "a")
