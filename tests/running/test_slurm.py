"""The shipped SLURM sites on a SLURM cluster: the numbers of local workers, every cell once, whatever nodes do.

The cluster is real and of two nodes on this machine (``tests.slurm``); where SLURM is not installed nothing is run.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("parsl", reason="needs the extra [cluster]")

from bench.results import journal
from bench.results import parquet as results
from bench.running.runner import Finished
from tests.slurm import Slurm, missing

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=f"no SLURM: {missing()}")]

Write = Callable[..., Path]
Run = Callable[..., Finished]
SITES = Path(__file__).parents[2] / "sites"
EXACT = ("phase", "solver", "setting", "image", "candidate", "cell_key", "status", "m_psnr", "in_psnr", "y_sha")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    with Slurm(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


@pytest.fixture
def start(slurm: Slurm, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start ``bench run`` on a site, as a command with its output in ``run.txt``."""
    begun: list[subprocess.Popen[bytes]] = []

    def run(grid: Path, out: Path, site: str, *more: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "bench", "run", str(grid), "--out", str(out), "--executor", f"parsl:{site}"]
        with (tmp_path / "run.txt").open("ab") as text:
            begun.append(subprocess.Popen([*command, *more], stdout=text, stderr=text, env=slurm.environment))
        return begun[-1]

    yield run
    for process in begun:
        process.kill()
        process.wait()
    for job in slurm.jobs():
        slurm.run("scancel", job)


def exact(folder: Path) -> list[tuple[object, ...]]:
    return [tuple(r[n] for n in EXACT) for r in results.read(folder / "results.parquet")]


def until(condition: Callable[[], object], what: str, seconds: float = 150) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def lines(out: Path) -> int:
    path = out / "journal.jsonl"
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def progress(out: Path, cells: int) -> None:
    goal = lines(out) + cells
    until(lambda: lines(out) >= goal, "the run makes no progress")


def end(run: subprocess.Popen[bytes], text: Path) -> None:
    assert run.wait(timeout=300) == 0, text.read_text()[-3000:]


def test_a_shipped_site_runs_unchanged_and_survives_lost_jobs_lost_nodes_and_a_killed_run(
    slurm: Slurm, start: Callable[..., subprocess.Popen[bytes]], write_grid: Write, run_grid: Run, tmp_path: Path
) -> None:
    factors = ", ".join(f"{0.5 + 0.1 * i:.1f}" for i in range(10))
    path = write_grid(f"@slow_copy.py: {{seconds: 0.6, factor: [{factors}]}}", "wiener", run="retries: 3")
    run_grid(path, "whole", workers=2)
    out = tmp_path / "out"

    run = start(path, out, "slurm_cpu")
    until(lambda: len(slurm.jobs()) == 2, "no two jobs")
    progress(out, 4)
    slurm.run("scancel", next(iter(slurm.jobs())))
    progress(out, 6)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert lines(out) < 88

    until(lambda: not slurm.run("squeue", "--noheader"), "a killed run leaves jobs behind", 30)
    slurm.drain("n1")
    run = start(path, out, "slurm_cpu")
    progress(out, 6)
    assert set(slurm.jobs().values()) == {"n2"}
    slurm.resume("n1")
    until(lambda: len(slurm.jobs()) == 2, "the node is back and gets no job")
    progress(out, 4)
    slurm.kill("n2")
    end(run, tmp_path / "run.txt")

    assert exact(out) == exact(tmp_path / "whole")
    keys = [r["cell_key"] for r in results.read(out / "results.parquet")]
    assert len(keys) == len(set(keys)) == lines(out) == 88
    assert all(o["status"] == "ok" for o in journal.read(out / "journal.jsonl").values())
    slurm.start("n2")
    until(lambda: slurm.state("n2") == "idle", "the node does not come back")


SEES_ONE_GPU = '''
"""The input, solved where one GPU of two is to be seen."""

import os
import time
from dataclasses import dataclass

from torch import Tensor

from bench import Problem, Solver


@dataclass(frozen=True)
class SeesOneGpu(Solver):
    """Where there are jobs, it must be pinned."""

    factor: float = 1.0

    def solve(self, problem: Problem) -> Tensor:
        assert "SLURM_JOB_ID" not in os.environ or os.environ["CUDA_VISIBLE_DEVICES"] in ("0", "1")
        time.sleep(0.5)
        return self.factor * problem.y
'''


def test_the_site_for_gpus_pins_each_worker_and_outlives_the_daemon_of_its_node(
    slurm: Slurm, start: Callable[..., subprocess.Popen[bytes]], write_grid: Write, run_grid: Run, tmp_path: Path
) -> None:
    text = (SITES / "slurm_gpu.py").read_text()
    assert "GPUS_PER_NODE = 4\nCORES_PER_GPU = 4\n" in text
    site = tmp_path / "site.py"
    site.write_text(text.replace("_NODE = 4", "_NODE = 2").replace("_GPU = 4", "_GPU = 1"))
    (tmp_path / "sees.py").write_text(SEES_ONE_GPU)
    path = write_grid(f"{tmp_path}/sees.py: {{factor: [0.6, 0.8, 1.0, 1.2]}}", "wiener")
    run_grid(path, "whole", workers=2)
    out = tmp_path / "out"

    run = start(path, out, str(site), "--device", "cpu")
    progress(out, 4)
    node = next(iter(slurm.jobs().values()))
    slurm.kill_daemon(node)
    end(run, tmp_path / "run.txt")

    assert exact(out) == exact(tmp_path / "whole")
    assert lines(out) == len(exact(out)) == 40
    slurm.start(node)
    until(lambda: slurm.state(node) == "idle", "the node does not come back")
