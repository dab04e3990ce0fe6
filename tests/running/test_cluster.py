"""Parsl behind the seam of the local workers: same numbers, every cell once, whatever is killed.

The runs here start real Parsl processes on this machine, in two blocks.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("parsl", reason="needs the extra [cluster]")

from bench.errors import ResultError, SettingError
from bench.grid.image_index import ImageIndex
from bench.grid.planner import Planner
from bench.grid.read import read_grid
from bench.results import journal
from bench.results import parquet as results
from bench.running import local as engine
from bench.running.environment import Shared
from bench.running.parsl import engine as parsl_engine
from bench.running.parsl import site as sites
from bench.running.parsl.order import Order, code_behind
from bench.running.parsl.process_worker_pool import sweep_semaphores
from bench.running.parsl.remote import carry_out
from bench.running.runner import Finished, Options, Runner
from tests.conftest import Silent

Write = Callable[..., Path]
Run = Callable[..., Finished]

SITE = Path(__file__).parents[2] / "sites" / "local_two_blocks.py"
if not SITE.is_file():
    pytest.skip("there are no sites beside the tests", allow_module_level=True)
EXACT = ("phase", "solver", "setting", "image", "candidate", "cell_key", "status", "m_psnr", "in_psnr", "y_sha")


def exact(folder: Path) -> list[tuple[object, ...]]:
    return [tuple(r[n] for n in EXACT) for r in results.read(folder / "results.parquet")]


def run_on_site(grid: Path, out: Path, site: Path = SITE) -> Finished:
    with parsl_engine.opened(sites.read(site), out / "parsl") as opened:
        return Runner(read_grid(grid), Options(out, device="cpu"), Silent(), opened.engine).run()


def start(grid: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bench", "run", str(grid), "--out", str(out), "--executor", f"parsl:{SITE}"]
    return subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_until(condition: Callable[[], object], what: str, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def wait_for_lines(out: Path, n: int) -> None:
    path = out / "journal.jsonl"
    wait_until(lambda: path.is_file() and path.read_bytes().count(b"\n") >= n, "the run makes no progress")


def processes() -> dict[int, tuple[int, str]]:
    """Of every process its parent and its command line."""
    running = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            running[int(folder.name)] = (int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1]), words)
        except (OSError, ValueError):
            continue  # it has ended
    return running


def managers(out: Path) -> list[int]:
    """Blocks of a run: Parsl's worker pools, which carry the run's folder in their command line."""
    return sorted(p for p, (_, words) in processes().items() if "process_worker_pool" in words and f"{out}/" in words)


def children(parent: int) -> list[int]:
    return [p for p, (mother, _) in processes().items() if mother == parent]


def descendants(ancestor: int) -> list[int]:
    own = children(ancestor)
    return own + [d for c in own for d in descendants(c)]


def kill(*pids: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


# --- what travels ---------------------------------------------------------------------------------------------


def test_cells_come_back_from_text_as_they_were(write_grid: Write) -> None:
    grid = read_grid(write_grid("@copy.py: {tune: auto}", "wiener", more="psf_error: [{rotate: 5}]"))
    planner = Planner(grid, ImageIndex())
    entry = grid.solvers[0]
    cells = tuple(planner.cells("test", entry, planner.settings, {"factor": 0.1 + 0.2}, "val"))
    order = Order(Shared("cpu", 1, None, "/x"), "/", code_behind(cells), 3.5, cells, tuple({c.solver for c in cells}))
    again = Order.of(order.text)
    assert again == order
    assert [c.parts for c in again.cells] == [c.parts for c in cells]
    assert [c.candidate for c in again.cells] == [c.candidate for c in cells]
    assert [c.solver.settings for c in again.cells] == [c.solver.settings for c in cells]
    assert all(isinstance(hash(c), int) for c in again.cells)


def test_a_worker_with_other_code_refuses(write_grid: Write) -> None:
    grid = read_grid(write_grid("@copy.py"))
    planner = Planner(grid, ImageIndex())
    cells = tuple(planner.cells("test", grid.solvers[0], planner.settings))
    code = {**code_behind(cells), "harness": "0" * 64}
    answer = carry_out(Order(Shared(), "/", code, 10.0, cells).text)
    assert "other code than the run: harness" in answer
    assert '"error": "ResultError"' in answer


def test_a_worker_that_does_not_see_the_folder_says_so() -> None:
    answer = carry_out(Order(Shared(), "/no/such/folder", code_behind(()), 10.0).text)
    assert "the run's folder must be there under the same path" in answer


def test_a_lost_worker_is_a_crash() -> None:
    lost = engine.failure(engine.Lost("its worker on node7 died"), 10)
    assert (lost["status"], lost["error_message"]) == ("crashed", "its worker on node7 died")


# --- site files -----------------------------------------------------------------------------------------------


def test_a_site_is_sized_by_its_blocks_and_its_accelerators(tmp_path: Path) -> None:
    assert (sites.read(SITE).workers, sites.read(SITE).device) == (4, "cpu")
    text = SITE.read_text().replace("max_workers_per_node=2", "available_accelerators=3")
    pinned = tmp_path / "pinned.py"
    pinned.write_text(text)
    assert (sites.read(pinned).workers, sites.read(pinned).device) == (6, "cuda")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("configuration = 1", "must say config = parsl.Config"),
        ("from parsl import Config\nconfig = Config()", "must be a HighThroughputExecutor"),
        (SITE.read_text().replace('strategy="simple"', "retries=2"), "leave retries at 0"),
    ],
)
def test_a_site_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "site.py").write_text(text)
    with pytest.raises(SettingError, match=words):
        sites.find(f"parsl:{tmp_path}/site.py")


def test_a_shipped_site_is_known_by_its_name() -> None:
    site = sites.find("parsl:local_two_blocks")
    assert site is not None
    assert Path(site.name).samefile(SITE)
    with pytest.raises(SettingError, match="Did you mean 'local_two_blocks'"):
        sites.find("parsl:local_two_block")


@pytest.mark.parametrize("executor", ["slurm", "parsl", "parsl:", "parsl:/no/such/site.py", "parsl:nowhere"])
def test_an_unknown_executor_is_refused(executor: str) -> None:
    with pytest.raises(SettingError, match="--executor"):
        sites.find(executor)


@pytest.mark.parametrize("name", ["slurm_gpu.py", "kubernetes.py"])
def test_the_shipped_sites_name_only_arguments_that_parsl_has(name: str) -> None:
    import ast
    import inspect

    import parsl
    from parsl import executors, providers

    known = {**vars(providers), **vars(executors), "Config": parsl.Config}
    for call in [n for n in ast.walk(ast.parse((SITE.parent / name).read_text())) if isinstance(n, ast.Call)]:
        assert isinstance(call.func, ast.Name)
        if call.func.id in known:
            assert {k.arg for k in call.keywords} <= set(inspect.signature(known[call.func.id]).parameters)


def test_the_semaphores_of_pools_that_are_gone_are_removed_and_no_others(tmp_path: Path) -> None:
    kept = {f"sem.bench-pool-{os.getpid()}-a", "sem.mp-b", "torch_c"}
    for name in (*kept, f"sem.bench-pool-{2**30}-d"):
        (tmp_path / name).touch()
    sweep_semaphores(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == kept


# --- real processes -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_site_gives_the_metrics_of_local_workers_to_the_last_bit(
    write_grid: Write, run_grid: Run, tmp_path: Path
) -> None:
    path = write_grid(
        "@copy.py: {tune: auto}", "@dice.py", "wiener", "tikhonov", "richardson_lucy", more="tune: {budget: 3}"
    )
    run_grid(path, "local")
    finished = run_on_site(path, tmp_path / "site")
    assert exact(tmp_path / "site") == exact(tmp_path / "local")
    assert len(exact(tmp_path / "site")) == 24 + 5 * 8
    assert (tmp_path / "site" / "images" / "0000.npz").read_bytes()
    assert run_on_site(path, tmp_path / "site").computed == 0
    assert finished.computed == 24 + 5 * 8


@pytest.mark.slow
@pytest.mark.parametrize(("how", "status"), [("kill", "crashed"), ("nan", "invalid"), ("exit", "crashed")])
def test_a_poisonous_cell_is_a_row_like_that_of_local_workers(
    write_grid: Write, run_grid: Run, tmp_path: Path, how: str, status: str
) -> None:
    path = write_grid(f"@broken.py: {{how: {how}}}", "@copy.py")
    local, remote = run_grid(path, "local"), run_on_site(path, tmp_path / "site")
    assert exact(tmp_path / "site") == exact(tmp_path / "local")
    assert sorted(r["status"] for r in remote.test) == sorted([status] * 4 + ["ok"] * 12)
    outcomes = [{r["cell_key"]: (r.get("attempt"), r.get("error_message")) for r in f.test} for f in (local, remote)]
    assert outcomes[0] == outcomes[1]


POISON = '''
"""Kills the site's worker that looks after its process, on the brighter half of the noise levels."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from bench import Problem, Solver


@dataclass(frozen=True)
class Poison(Solver):
    """Takes its worker down."""

    def solve(self, problem: Problem) -> Tensor:
        if problem.noise.sigma.max() > 4 / 255:
            worker = os.getpid()  # above it: its module, the nursery, the root, the site's worker
            for _ in range(4):
                worker = int(Path(f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()[1])
            os.kill(worker, signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        return problem.y
'''


@pytest.mark.slow
def test_a_cell_that_takes_its_worker_down_is_recorded_after_its_retries_and_the_rest_completes(
    write_grid: Write, tmp_path: Path
) -> None:
    (tmp_path / "poison.py").write_text(POISON)
    finished = run_on_site(write_grid(str(tmp_path / "poison.py"), "@copy.py"), tmp_path / "site")
    crashed = [r for r in finished.test if r["status"] != "ok"]
    assert {(r["solver"], r["noise"], r["status"], r["attempt"]) for r in crashed} == {
        ("poison", "gauss sigma=8", "crashed", 2)
    }
    assert all("died" in r["error_message"] for r in crashed)
    assert (len(crashed), len(finished.test)) == (4, 16)


@pytest.mark.slow
def test_killed_workers_lost_blocks_and_a_killed_run_lose_and_repeat_nothing(
    write_grid: Write, run_grid: Run, tmp_path: Path
) -> None:
    path = write_grid(
        "@slow_copy.py: {seconds: 0.7, factor: [0.7, 0.8, 0.9, 1.0, 1.1]}", "@dice.py", run="retries: 3"
    )
    run_grid(path, "whole", workers=2)
    out = tmp_path / "site"

    run = start(path, out)
    wait_for_lines(out, 2)
    workers = [w for m in managers(out) for w in children(m) if children(w)]  # those that have a process of ours
    kill(workers[0])  # in mid-cell: every worker solves all the time
    wait_until(lambda: any(o["attempt"] > 1 for o in journal.read(out / "journal.jsonl").values()), "not tried again")
    block = managers(out)[0]
    kill(block, *descendants(block))
    wait_for_lines(out, len(journal.read(out / "journal.jsonl")) + 4)
    run.kill()
    run.wait()
    wait_until(lambda: not managers(out), "the workers of a killed run go on", 60)

    before = journal.read(out / "journal.jsonl")
    assert len(before) < 48
    run = start(path, out)
    assert run.wait(timeout=300) == 0
    assert exact(out) == exact(tmp_path / "whole")
    keys = [r["cell_key"] for r in results.read(out / "results.parquet")]
    assert len(keys) == len(set(keys)) == 48
    lines = (out / "journal.jsonl").read_text().splitlines()
    assert len(lines) == 48  # no cell was written twice


@pytest.mark.slow
def test_a_block_whose_helper_process_dies_alone_is_lost_and_its_cells_go_elsewhere(
    write_grid: Write, run_grid: Run, tmp_path: Path
) -> None:
    path = write_grid("@slow_copy.py: {seconds: 0.7, factor: [0.8, 1.0, 1.2]}", run="retries: 3")
    run_grid(path, "whole", workers=2)
    out = tmp_path / "site"
    run = start(path, out)
    wait_for_lines(out, 2)
    block = next(m for m in managers(out) if any(children(w) for w in children(m)))
    # Of the pool's processes the helper is the first that it starts with its own code.
    helper = min(p for p, (mother, words) in processes().items() if mother == block and "spawn_main" in words)
    assert not children(helper)
    own = {block, *descendants(block)}
    kill(helper)
    wait_until(lambda: not own & processes().keys(), "the block goes on without its helper", 60)
    assert run.wait(timeout=300) == 0
    assert exact(out) == exact(tmp_path / "whole")
    assert len((out / "journal.jsonl").read_text().splitlines()) == 24


def test_a_site_that_starts_its_workers_in_its_own_way_is_left_alone(tmp_path: Path) -> None:
    command = "env A=1 process_worker_pool.py {debug} --block_id={{block_id}}"
    text = SITE.read_text().replace('label="local",', f'label="local", launch_cmd="{command}",')
    (tmp_path / "site.py").write_text(text)
    assert sites.read(tmp_path / "site.py").executors[0].launch_cmd == command
    ours = "python3 -m bench.running.parsl.process_worker_pool "
    assert sites.read(SITE).executors[0].launch_cmd.startswith(ours)


@pytest.mark.slow
def test_a_site_that_cannot_solve_stops_the_run_and_no_cell_is_blamed(write_grid: Write, tmp_path: Path) -> None:
    text = SITE.read_text().replace("worker_init=f'", "worker_init=f'exit 3; ")
    (tmp_path / "site.py").write_text(text)
    with pytest.raises(ResultError, match="its workers cannot solve"):
        run_on_site(write_grid("@copy.py"), tmp_path / "out", tmp_path / "site.py")
    assert not journal.read(tmp_path / "out" / "journal.jsonl")


@pytest.mark.slow
def test_an_interrupt_gives_the_blocks_back_and_exits_130(write_grid: Write, tmp_path: Path) -> None:
    run = start(write_grid("@slow_copy.py"), tmp_path / "out")
    wait_for_lines(tmp_path / "out", 2)
    run.send_signal(signal.SIGINT)
    assert run.wait(timeout=120) == 130
    wait_until(lambda: not managers(tmp_path / "out"), "blocks outlive an interrupted run", 60)
