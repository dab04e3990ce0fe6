"""A run that is killed at any moment is finished by the same command, with byte-identical metric values."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.results import parquet as results
from bench.running.runner import Finished


def exact(folder: Path) -> list[tuple[object, ...]]:
    rows = results.read(folder / "results.parquet")
    columns = ("cell_key", "phase", "solver", "setting", "image", "status", "m_psnr", "in_psnr", "y_sha", "psf_sha")
    return [tuple(r[c] for c in columns) for r in rows]


def start(grid: Path, out: Path, temporary: Path | None = None) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bench", "run", str(grid), "--out", str(out)]
    return subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=None if temporary is None else {**os.environ, "TMPDIR": str(temporary)},
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_DFL
        ),  # a background shell ignores it, and so would we
    )


def wait_for_lines(run: subprocess.Popen[bytes], journal: Path, n: int) -> None:
    deadline = time.monotonic() + 120
    while not journal.is_file() or journal.read_bytes().count(b"\n") < n:
        assert run.poll() is None, f"the run has ended before: exit code {run.returncode}"
        assert time.monotonic() < deadline, "the run makes no progress"
        time.sleep(0.02)


def test_a_run_killed_again_and_again_ends_with_the_same_results(
    write_grid: Callable[..., Path], run_grid: Callable[..., Finished], tmp_path: Path
) -> None:
    grid = write_grid("@slow_copy.py: {factor: [0.9, 1.0]}", "@dice.py")
    run_grid(grid, "whole")
    journal = tmp_path / "killed" / "journal.jsonl"
    for lines in (3, 9):
        run = start(grid, tmp_path / "killed")
        wait_for_lines(run, journal, lines)
        run.kill()
        run.wait()
    resumed = run_grid(grid, "killed")
    assert 0 < resumed.computed < 24
    assert exact(tmp_path / "killed") == exact(tmp_path / "whole")


def test_workers_end_when_their_parent_is_killed_and_leave_no_file_behind(
    write_grid: Callable[..., Path], tmp_path: Path
) -> None:
    (temporary := tmp_path / "temporary").mkdir()
    run = start(write_grid("@slow_copy.py: {seconds: 0.1}"), tmp_path / "out", temporary)
    wait_for_lines(run, tmp_path / "out" / "journal.jsonl", 1)
    children = descendants(run.pid)
    assert children
    run.kill()
    run.wait()
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in children):
        assert time.monotonic() < deadline, "a worker outlived its parent"
        time.sleep(0.1)
    assert not list(temporary.iterdir())


def test_an_interrupt_leaves_a_resumable_run_and_exits_130(
    write_grid: Callable[..., Path], run_grid: Callable[..., Finished], tmp_path: Path
) -> None:
    grid = write_grid("@slow_copy.py")
    run = start(grid, tmp_path / "out")
    wait_for_lines(run, tmp_path / "out" / "journal.jsonl", 2)
    run.send_signal(signal.SIGINT)
    assert run.wait(timeout=60) == 130
    assert run_grid(grid).computed <= 6


def descendants(pid: int) -> list[int]:
    family: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            if int(stat.rsplit(")", 1)[1].split()[1]) == pid:
                family += [int(entry.name), *descendants(int(entry.name))]
    return [p for p in family if p != os.getpid()]
