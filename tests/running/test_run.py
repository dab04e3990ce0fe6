"""Running a grid: determinism, resuming, failures as rows, tuning on the validation split alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.grid.read import read_grid
from bench.results import parquet as results
from bench.running.runner import Finished, Options, Runner
from tests.conftest import Silent

Write = Callable[..., Path]
Run = Callable[..., Finished]


def metrics_of(finished: Finished, *labels: str) -> dict[tuple[Any, ...], Any]:
    """Exact metric values by place in the grid."""
    return {
        (r["solver"], r["setting"], r["image"]): (r.get("m_psnr"), r.get("y_sha"))
        for r in finished.test
        if not labels or r["solver"] in labels
    }


def test_a_run_writes_one_row_per_cell_with_its_metrics(write_grid: Write, run_grid: Run, tmp_path: Path) -> None:
    run_grid(write_grid("@copy.py"))
    rows = results.read(tmp_path / "out" / "results.parquet")
    assert len(rows) == 8
    assert {r["status"] for r in rows} == {"ok"}
    assert all(r["m_psnr"] == r["in_psnr"] for r in rows)  # the copy is the input
    assert len({r["y_sha"] for r in rows}) == 8


def test_metrics_do_not_depend_on_workers_batches_or_company(write_grid: Write, run_grid: Run) -> None:
    both = write_grid("@copy.py: {factor: [0.9, 1.0]}", "@dice.py")
    reference = metrics_of(run_grid(both, "a"))
    assert metrics_of(run_grid(both, "b", workers=2)) == reference
    assert metrics_of(run_grid(both, "c", batch=3)) == reference
    alone = metrics_of(run_grid(write_grid("@dice.py", name="alone.yaml"), "d"))
    assert alone == {k: v for k, v in reference.items() if k[0] == "dice"}


def test_a_finished_run_computes_nothing_and_leaves_its_files_alone(
    write_grid: Write, run_grid: Run, tmp_path: Path
) -> None:
    path = write_grid("@copy.py: {tune: auto}", more="tune: {budget: 3}")
    first = run_grid(path)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*.parquet")}
    again = run_grid(path)
    assert (first.computed, again.computed) == (24 + 8, 0)
    assert again.rows == first.rows
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_adding_a_solver_computes_only_that_solver(write_grid: Write, run_grid: Run) -> None:
    run_grid(write_grid("@copy.py"))
    assert run_grid(write_grid("@copy.py", "@dice.py")).computed == 8


def test_a_timeout_or_worker_count_does_not_invalidate_results(write_grid: Write, run_grid: Run) -> None:
    run_grid(write_grid("@copy.py"))
    assert run_grid(write_grid("@copy.py", run="retries: 3"), workers=2).computed == 0


@pytest.mark.parametrize(
    ("how", "status", "words"),
    [
        ("raise", "error", "the step size is negative"),
        ("nan", "invalid", "non-finite"),
        ("shape", "invalid", "shape"),
        ("type", "invalid", "not a tensor"),
        ("memory", "oom", "memory"),
        ("kill", "crashed", "signal 9"),
        ("exit", "crashed", "exit code 3"),
    ],
)
def test_a_failure_is_a_row_and_every_other_cell_completes(
    write_grid: Write, run_grid: Run, how: str, status: str, words: str
) -> None:
    finished = run_grid(write_grid(f"@broken.py: {{how: {how}}}", "@copy.py", run="retries: 0"))
    broken = [r for r in finished.test if r["solver"] == "broken" and r["noise"] == "gauss sigma=8"]
    others = [r for r in finished.test if r not in broken]
    assert {r["status"] for r in broken} == {status}
    assert all(words in r["error_message"] for r in broken)
    assert len(broken) == 4
    assert {r["status"] for r in others} == {"ok"}
    assert len(others) == 12


def test_a_hanging_solver_is_stopped_at_its_timeout(write_grid: Write, run_grid: Run) -> None:
    path = write_grid("@broken.py: {how: hang}", more='exclude: ["T == 0.5"]')
    path.write_text(path.read_text().replace("timeout: 20", "timeout: 1"))
    finished = run_grid(path)
    assert [r["status"] for r in finished.test if r["noise"] == "gauss sigma=8"] == ["timeout"] * 2
    assert [r["status"] for r in finished.test if r["noise"] == "gauss sigma=1"] == ["ok"] * 2


def test_a_crash_that_does_not_come_back_is_retried(write_grid: Write, run_grid: Run, tmp_path: Path) -> None:
    finished = run_grid(write_grid(f"@broken.py: {{how: kill_once, marker: {tmp_path}/was-here}}"))
    assert {r["status"] for r in finished.test} == {"ok"}
    assert sorted(r["attempt"] for r in finished.test) == [1] * 7 + [2]


def test_a_batch_with_a_poisonous_cell_loses_only_that_cell(write_grid: Write, run_grid: Run) -> None:
    finished = run_grid(write_grid("@broken.py: {how: kill}", run="retries: 0"), batch=2)
    assert sorted(r["status"] for r in finished.test) == ["crashed"] * 4 + ["ok"] * 4


def test_failed_cells_run_again_only_when_asked(write_grid: Write, run_grid: Run, tmp_path: Path) -> None:
    path = write_grid("@broken.py: {how: raise}")
    run_grid(path)
    assert run_grid(path).computed == 0
    assert run_grid(path, retry_failed=True).computed == 4


def test_a_torn_journal_is_completed_with_the_same_metrics(write_grid: Write, run_grid: Run, tmp_path: Path) -> None:
    path = write_grid("@copy.py", "@dice.py")
    whole = metrics_of(run_grid(path))
    journal = tmp_path / "out" / "journal.jsonl"
    data = journal.read_bytes()
    for cut in (len(data) // 3, len(data) - 2, 5, 0):
        journal.write_bytes(data[:cut])
        resumed = run_grid(path)
        assert metrics_of(resumed) == whole
        assert resumed.computed > 0


def test_a_damaged_line_in_the_journal_costs_one_cell(write_grid: Write, run_grid: Run, tmp_path: Path) -> None:
    path = write_grid("@copy.py")
    whole = metrics_of(run_grid(path))
    journal = tmp_path / "out" / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    lines[2] = lines[2].replace('"m_psnr":', '"m_psnr":1')
    journal.write_text("".join(lines))
    resumed = run_grid(path)
    assert resumed.computed == 1
    assert metrics_of(resumed) == whole


def test_tuning_chooses_the_best_candidate_and_reads_no_test_image(
    write_grid: Write, run_grid: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_grid("@copy.py: {tune: {factor: [0.5, 0.97, 1.0, 2.0]}}")
    runner = Runner(read_grid(path), Options(tmp_path / "out"), Silent())
    searches = runner.advance(runner.searches())  # hashing the images of both splits is behind us
    loads = tmp_path / "loads.txt"
    monkeypatch.setenv("BENCH_TEST_LOADS", str(loads))
    assert {c.shot.split for c in searches} == {"val"}
    from bench.running.score import taken

    for cell in searches:
        taken(cell)
    assert set(loads.read_text().split()) == {"val0", "val1"}
    monkeypatch.delenv("BENCH_TEST_LOADS")
    finished = run_grid(path)
    assert {json.loads(r["tuned"])["factor"] for r in finished.test} <= {0.97, 1.0}
    assert {r["tuning"] for r in finished.test} == {"val"}
    facts = json.loads((tmp_path / "out" / "run.json").read_text())
    assert len(facts["tuning"]) == 4
    assert all(len(t["tried"]) == 4 for t in facts["tuning"])


def test_oracle_tuning_is_labelled_as_such_and_best_on_every_image(write_grid: Write, run_grid: Run) -> None:
    finished = run_grid(write_grid("@copy.py: {oracle: {factor: [0.9, 1.0, 1.1]}}", "@dice.py"))
    oracle = [r for r in finished.test if r["tuning"] == "oracle"]
    assert {r["solver"] for r in oracle} == {"copy (oracle)"}
    assert len(oracle) == 8
    tried = [r for r in finished.rows if r["phase"] == "oracle"]
    for r in oracle:
        rivals = [t["m_psnr"] for t in tried if (t["setting"], t["image"]) == (r["setting"], r["image"])]
        assert r["m_psnr"] == max(rivals)


def test_the_picture_of_an_oracle_is_that_of_its_best_candidate(write_grid: Write, run_grid: Run) -> None:
    """The best copy is the input itself; the last that was tried is half as bright."""
    finished = run_grid(write_grid("@copy.py: {id: one}", "@copy.py: {id: best, oracle: {factor: [1.0, 0.5]}}"))
    with np.load(next((finished.folder / "images").glob("*.npz"))) as stored:
        assert "solver:best" not in stored.files
        assert np.array_equal(stored["solver:best (oracle)"], stored["solver:one"])


def test_a_search_in_which_everything_fails_leaves_rows_that_say_so(write_grid: Write, run_grid: Run) -> None:
    finished = run_grid(write_grid("@broken.py: {tune: {how: [raise, nan]}}"))
    failed = [r for r in finished.test if r["status"] != "ok"]
    assert len(failed) == 4
    assert all(r["tuning"] is None for r in failed)


def test_mismatch_changes_what_is_told_and_not_the_measurement(write_grid: Write, run_grid: Run) -> None:
    more = "psf_error: [none, {rotate: 90}]\nsigma_factor: [1, 2]"
    finished = run_grid(write_grid("@copy.py", "wiener: {prior: flat}", more=more))
    by_place: dict[tuple[Any, ...], set[str]] = {}
    for r in finished.test:
        by_place.setdefault((r["blur"], r["noise"], r["image"]), set()).add(r["y_sha"])
    assert {len(v) for v in by_place.values()} == {1}
    psnr = {(r["psf_error"], r["sigma_factor"]): r["m_psnr"] for r in finished.test if r["solver"] == "wiener"}
    assert len(set(psnr.values())) == 4


def test_wrong_settings_of_a_solver_stop_the_run_before_anything_is_computed(
    write_grid: Write, run_grid: Run, tmp_path: Path
) -> None:
    from bench.errors import GridError

    with pytest.raises(GridError, match=r"grid\.yaml:\d+: solver '.*copy\.py' has no parameter 'faktor'.*'factor'"):
        run_grid(write_grid("@copy.py: {faktor: 2}"))
    assert not (tmp_path / "out").exists()


def test_a_second_run_in_the_same_folder_is_refused(write_grid: Write, run_grid: Run, tmp_path: Path) -> None:
    from bench.errors import ResultError
    from bench.results.journal import Journal

    with Journal(tmp_path / "out" / "journal.jsonl"), pytest.raises(ResultError, match="in use by another run"):
        run_grid(write_grid("@copy.py"))


def test_only_and_limit_leave_out_what_they_say(write_grid: Write, run_grid: Run) -> None:
    from bench.grid.conditions import Expression

    finished = run_grid(write_grid("@copy.py", "@dice.py"), only=Expression("solver == 'dice' and T > 0.6"), limit=1)
    assert {(r["solver"], r["T"], r["image"]) for r in finished.test} == {("dice", 1.0, "test0")}


def test_exposures_share_one_trajectory(write_grid: Write, tmp_path: Path) -> None:
    from bench.grid.image_index import ImageIndex
    from bench.grid.planner import Planner
    from bench.running.exposure import expose

    planner = Planner(read_grid(write_grid("@copy.py")), ImageIndex())
    shots = {s.degradation.blur.settings["T"]: s for x in planner.settings for s, _ in planner.shots(x, "test")}
    half, full = (expose(shots[T])[1].psf for T in (0.5, 1.0))
    assert (full * 10 - half * 5).min() >= -1e-12  # the first five steps are among the ten


def test_the_process_that_plans_and_collects_never_imports_torch(write_grid: Write, tmp_path: Path) -> None:
    code = f"""
import sys
from bench.cli import app

if __name__ == "__main__":
    app(["run", {str(write_grid("@copy.py"))!r}, "--out", {str(tmp_path / "out")!r}], standalone_mode=False)
    assert "torch" not in sys.modules
"""
    (tmp_path / "main.py").write_text(code)
    done = subprocess.run([sys.executable, str(tmp_path / "main.py")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
