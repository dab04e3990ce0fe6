"""What a solver cannot do: end, hang or falsify a run, or another solver's rows."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.errors import PluginError
from bench.grid.cells import Ref
from bench.grid.read import read_grid
from bench.plugins.describe import Kind
from bench.plugins.lookup import find_plugin
from bench.results import journal
from bench.results import parquet as results
from bench.running.environment import Shared
from bench.running.local import LocalEngine
from bench.running.runner import Finished, Options, Runner
from tests.conftest import PLUGINS, Silent

ATTACKS = (
    *("count_fraction", "count_text", "count_negative", "count_huge", "count_nan", "count_tensor"),
    *("columns", "result_error", "exit", "exit_at_once", "odd", "half", "print", "print_and_solve"),
    *("truth", "patch", "memo", "better_again", "children", "progress"),
)
GRID = f"""
name: attacked
data: {{test: {{{PLUGINS}/noise_images.py: {{count: 1}}}}}}
blur: [{{{PLUGINS}/walk.py: {{id: walk}}}}]
noise: [{{{PLUGINS}/gauss.py: {{}}}}]
solvers:
  - {{{PLUGINS}/copy.py: {{id: before}}}}
ENTRIES
  - {{{PLUGINS}/copy.py: {{id: after, factor: 1.0000000000000002}}}}
metrics: [psnr]
protocol: {{border: 2, dtype: float64}}
run: {{timeout: 60, workers: 1, retries: 0}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("attacked")


@pytest.fixture(scope="module")
def rows(folder: Path) -> dict[str, dict[str, Any]]:
    """The row of each attack, all in one run."""
    entries = [
        f"  - {{{PLUGINS}/attacker.py: {{id: {how}, how: {how}, marker: {folder}/marker}}}}" for how in ATTACKS
    ]
    (folder / "grid.yaml").write_text(GRID.replace("ENTRIES", "\n".join(entries)))
    Runner(read_grid(folder / "grid.yaml"), Options(folder / "out"), Silent()).run()
    return {r["solver"]: dict(r) for r in results.read(folder / "out" / "results.parquet")}


@pytest.mark.parametrize(
    ("how", "status", "words"),
    [
        ("count_fraction", "invalid", "problem.cost.n_A is 1.5; counts are whole numbers from 0 to"),
        ("count_text", "invalid", "problem.cost.n_A is 'many'"),
        ("count_negative", "invalid", "problem.cost.n_A is -1"),
        ("count_huge", "invalid", "problem.cost.n_A is 1099511627776"),
        ("count_nan", "invalid", "problem.cost.n_A is nan"),
        ("count_tensor", "invalid", "problem.cost.n_A is Tensor"),
        ("result_error", "error", "the folder is full"),
        ("exit", "error", "the solver called sys.exit(0)"),
        ("exit_at_once", "crashed", "its worker died: exit code 0"),
        ("odd", "crashed", ""),
        ("half", "invalid", "the solver returned torch.float16, not torch.float64, which problem.y has"),
        ("print", "error", "printed enough"),
    ],
)
def test_what_ends_or_spoils_a_solvers_process_is_a_failed_row_that_says_so(
    rows: dict[str, dict[str, Any]], how: str, status: str, words: str
) -> None:
    assert (rows[how]["status"], words in rows[how]["error_message"]) == (status, True)


@pytest.mark.parametrize(
    "how", ["before", "after", "columns", "print_and_solve", "truth", "memo", "children", "progress"]
)
def test_a_solver_that_returns_the_input_scores_as_the_input_whatever_it_and_others_do(
    rows: dict[str, dict[str, Any]], how: str
) -> None:
    assert (rows[how]["status"], rows[how]["m_psnr"]) == ("ok", pytest.approx(rows["before"]["in_psnr"], rel=1e-12))
    assert {r["y_sha"] for r in rows.values() if r["status"] == "ok"} == {rows["before"]["y_sha"]}
    assert len({r["env_id"] for r in rows.values()}) == 1


def test_a_solver_that_zeroes_its_problem_spoils_its_own_row_alone(rows: dict[str, dict[str, Any]]) -> None:
    assert rows["patch"]["m_psnr"] < rows["before"]["m_psnr"]
    assert rows["after"]["m_psnr"] == pytest.approx(rows["before"]["m_psnr"])


def test_a_result_stored_from_the_first_call_does_not_make_a_solver_look_fast(
    rows: dict[str, dict[str, Any]],
) -> None:
    assert rows["memo"]["seconds"] >= 0.3
    assert rows["before"]["seconds"] < 0.3


def test_a_solver_is_scored_on_its_first_call(rows: dict[str, dict[str, Any]]) -> None:
    assert rows["better_again"]["m_psnr"] < rows["before"]["m_psnr"]


def test_the_end_of_what_a_failed_solver_printed_is_stored_with_its_row(rows: dict[str, dict[str, Any]]) -> None:
    assert rows["print"]["output"].rstrip().endswith("the last words")
    assert "written past Python" in rows["print"]["output"]
    assert len(rows["print"]["output"]) <= 2000
    assert rows["print_and_solve"]["output"] is None


def test_processes_that_a_solver_started_end_with_it(rows: dict[str, dict[str, Any]], folder: Path) -> None:
    assert rows["children"]["status"] == "ok"
    pid = int((folder / "marker.pid").read_text())
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, "it outlived its solver"
        time.sleep(0.05)


def test_nothing_that_a_solver_prints_reaches_the_output_of_the_command(
    write_grid: Callable[..., Path], run_grid: Callable[..., Finished], capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_grid("@attacker.py: {how: print_and_solve}", more='exclude: ["T == 0.5"]')
    assert {r["status"] for r in run_grid(path).test} == {"ok"}
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    "statuses",
    [
        {"one_picture": {"ok"}},
        {"kill_parent": {"crashed"}, "print_and_solve": {"ok"}},
        {"kill_grandparent": {"crashed"}, "print_and_solve": {"ok"}},
    ],
    ids=["their process", "the process that imported their file", "the process that all are forked from"],
)
def test_cells_that_lose_a_process_to_another_cell_are_solved_without_a_retry(
    statuses: dict[str, set[str]], write_grid: Callable[..., Path], run_grid: Callable[..., Finished]
) -> None:
    entries = [f"@attacker.py: {{id: {how}, how: {how}}}" for how in statuses]
    finished = run_grid(write_grid(*entries, run="retries: 0", more='exclude: ["T == 0.5"]'), limit=1)
    assert {how: {r["status"] for r in finished.test if r["solver"] == how} for how in statuses} == statuses
    if "one_picture" in statuses:  # it may have been the cell itself: the row says that it was solved twice
        assert sorted(r["attempt"] for r in finished.test) == [1, 2]


def test_a_solver_that_works_for_ever_is_stopped_by_its_processor_time_or_where_it_gets_little_by_the_clock(
    write_grid: Callable[..., Path], run_grid: Callable[..., Finished]
) -> None:
    path = write_grid("@attacker.py: {how: burn}")
    path.write_text(path.read_text().replace("timeout: 20", "timeout: 0.3"))
    finished = run_grid(path, limit=1)
    assert {r["status"] for r in finished.test} == {"timeout"}
    assert all(re.search(r"0\.3 s of processor time|1\.2 s by the clock", r["error_message"]) for r in finished.test)


# --- before anything is solved --------------------------------------------------------------------------------

SOLVER = """
from dataclasses import dataclass
from bench import Problem, Solver

@dataclass(frozen=True)
class Late(Solver):
    def solve(self, problem: Problem):
        return problem.y
"""
BUILDS = """
    def __post_init__(self):
        import sys, time
        {}
"""


OTHERS: dict[Kind, str] = {
    "prior": """
from dataclasses import dataclass
from bench import Prior

@dataclass(frozen=True)
class Late(Prior):
    def load(self):
        raise NotImplementedError
""",
    "metric": """
from dataclasses import dataclass
from bench import Metric

@dataclass(frozen=True)
class Late(Metric):
    label = "Late"

    def measure(self, truth, estimate, context):
        return 0.0
""",
}


def check(tmp_path: Path, text: str, loading: float = 60.0, kind: Kind = "solver") -> None:
    (tmp_path / "late.py").write_text(text)
    ref = Ref.of(find_plugin(kind, str(tmp_path / "late.py")), {})
    with LocalEngine(1, Shared(loading=loading)) as engine:
        engine.check([ref]).result()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import sys\nsys.exit(0)\n" + SOLVER, r"late\.py:2: SystemExit: 0"),
        ("x = 1\nint('seven')\n" + SOLVER, r"late\.py:2: ValueError: invalid literal"),
        (SOLVER + BUILDS.format("sys.exit(0)"), r"late\.py:\d+: Late cannot be built: SystemExit: 0"),
        (SOLVER + BUILDS.format("int('seven')"), r"late\.py:\d+: Late cannot be built: ValueError"),
        ("import os\nos._exit(0)\n" + SOLVER, r"cannot be imported and built: its worker died: exit code 0"),
    ],
    ids=["exit at import", "error at import", "exit when built", "error when built", "death at import"],
)
def test_a_solver_that_cannot_be_loaded_is_refused_with_file_and_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(PluginError, match=words):
        check(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    ["import time\ntime.sleep(1000)\n" + SOLVER, SOLVER + BUILDS.format("time.sleep(1000)")],
    ids=["at import", "when built"],
)
def test_a_solver_that_hangs_before_it_solves_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(PluginError, match=r"late\.py\) takes too long to be imported and built: not done after 1 s"):
        check(tmp_path, text, loading=0.5)


@pytest.mark.parametrize("kind", OTHERS)
def test_a_prior_or_a_metric_that_hangs_while_it_is_imported_is_refused(tmp_path: Path, kind: Kind) -> None:
    with pytest.raises(PluginError, match=rf"{kind} .*late\.py\) takes too long to be imported and built"):
        check(tmp_path, "import time\ntime.sleep(1000)\n" + OTHERS[kind], loading=0.5, kind=kind)


@pytest.mark.parametrize("kind", OTHERS)
def test_a_prior_or_a_metric_that_exits_while_it_is_imported_stops_the_run_before_anything_is_solved(
    kind: Kind, write_grid: Callable[..., Path], run_grid: Callable[..., Finished], tmp_path: Path
) -> None:
    (tmp_path / "late.py").write_text("import sys\nsys.exit(0)\n" + OTHERS[kind])
    grid = write_grid("@prior_once.py: {prior: ./late.py}" if kind == "prior" else "@copy.py")
    if kind == "metric":
        grid.write_text(grid.read_text().replace("[psnr]", "[psnr, ./late.py]"))
    with pytest.raises(PluginError, match=r"late\.py:2: SystemExit: 0"):
        run_grid(grid)
    assert not journal.read(tmp_path / "out" / "journal.jsonl")


def test_a_solver_whose_import_takes_all_processes_down_is_refused_in_a_sentence(tmp_path: Path) -> None:
    kill = "import os, signal\nos.killpg(os.getpgid(os.getppid()), signal.SIGKILL)\n"
    with pytest.raises(PluginError, match=r"late\.py\) cannot be imported and built"):
        check(tmp_path, kill + SOLVER)
