"""What the machine may do to a run: full disks, read-only folders, two runs at once, interrupts, damaged files."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import ResultError
from bench.files import replacing, sweep
from bench.report.page import build
from bench.results import journal
from bench.results import parquet as results
from bench.results.journal import Journal
from bench.running.runner import Finished
from tests import fake_run

Write = Callable[..., Path]
Run = Callable[..., Finished]


def outcome(number: int = 0) -> dict[str, object]:
    return {"cell_key": f"{number:064x}", "status": "ok", "m_psnr": 30.0 + number}


# --- two runs in one folder -----------------------------------------------------------------------------------


def test_a_second_run_is_told_who_holds_the_folder_and_since_when(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    who = rf"in use by another run \(process {os.getpid()} on {socket.gethostname()}, since \d{{4}}-.* UTC\)"
    with Journal(path), pytest.raises(ResultError, match=who):
        Journal(path)


def test_a_folder_is_free_again_whatever_its_last_holder_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    (tmp_path / journal.HOLDER).write_text("process 1 on elsewhere")  # it was killed
    with Journal(path) as log:
        log.append(outcome())
    assert not (tmp_path / journal.HOLDER).exists()
    assert list(journal.read(path)) == [outcome()["cell_key"]]


def test_a_refused_run_changes_nothing_in_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as log:
        log.append(outcome())
        before = {p: p.read_bytes() for p in tmp_path.iterdir()}
        with pytest.raises(ResultError):
            Journal(path)
        assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_holder_that_says_something_odd_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with path.open("ab") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        (tmp_path / journal.HOLDER).write_bytes(b"\x1b[2Jgone\xff")
        with pytest.raises(ResultError, match=r"in use by another run; wait"):
            Journal(path)


# --- what cannot be written -----------------------------------------------------------------------------------


def test_a_full_disk_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").symlink_to("/dev/full")
    with pytest.raises(ResultError, match=r"journal\.jsonl cannot be written: No space left"):
        Journal(tmp_path / "journal.jsonl").append(outcome())
    with pytest.raises(ResultError, match=r"a\.txt cannot be written: No space left"), replacing(tmp_path / "a.txt"):
        Path("/dev/full").write_text("x")


def test_a_line_that_was_cut_by_a_full_disk_costs_that_line_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.jsonl"
    write, room = os.write, [100]

    def little(fd: int, data: bytes) -> int:
        room[0] -= (n := min(len(data), room[0]))
        if not n:
            raise OSError(28, "No space left on device")
        return write(fd, data[:n])

    with Journal(path) as log:
        log.append(outcome(1))
        monkeypatch.setattr(os, "write", little)
        with pytest.raises(ResultError, match="No space left"):
            log.append(outcome(2))
    monkeypatch.undo()
    with Journal(path) as log:
        log.append(outcome(3))
    assert [o["m_psnr"] for o in journal.read(path).values()] == [31.0, 33.0]


@pytest.mark.parametrize("there", ["folder", "file in the way"])
def test_a_journal_that_cannot_be_opened_is_a_clear_error(there: str, tmp_path: Path) -> None:
    if there == "folder":
        (tmp_path / "out" / "journal.jsonl").mkdir(parents=True)
    else:
        (tmp_path / "out").write_text("")
    with pytest.raises(ResultError, match=r"journal\.jsonl cannot be written"):
        Journal(tmp_path / "out" / "journal.jsonl")


def test_a_file_that_could_not_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half of")
            raise OSError(28, "No space left on device")

    with pytest.raises(ResultError, match="No space left"):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


def test_leftovers_of_killed_writers_are_swept_and_nothing_else(tmp_path: Path) -> None:
    for name in (".a.npz.1234.tmp", "b.npz", ".hidden", "c.tmp"):
        (tmp_path / name).write_text("")
    sweep(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"b.npz", ".hidden", "c.tmp"}


def test_a_folder_that_refuses_pictures_stops_the_run_and_blames_no_solver(
    write_grid: Write, run_grid: Run, tmp_path: Path
) -> None:
    path = write_grid("@copy.py")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "pictures").write_text("in the way")
    with pytest.raises(ResultError, match=r"\.npz cannot be written"):
        run_grid(path)
    (tmp_path / "out" / "pictures").unlink()
    assert {r["status"] for r in run_grid(path).test} == {"ok"}


# --- what was damaged afterwards ------------------------------------------------------------------------------


def test_the_same_command_writes_again_what_was_damaged_or_lost(
    write_grid: Write, run_grid: Run, tmp_path: Path
) -> None:
    path, table = write_grid("@copy.py"), tmp_path / "out" / "results.parquet"
    run_grid(path)
    rows = results.read(table)
    table.write_bytes(table.read_bytes()[:-20])
    with pytest.raises(ResultError, match="cannot be read as results"):
        results.read(table)
    (tmp_path / "out" / "env.parquet").unlink()
    assert run_grid(path).computed == 0
    assert results.read(table) == rows
    assert (tmp_path / "out" / "env.parquet").is_file()


def test_a_report_writes_nothing_into_the_results(tmp_path: Path) -> None:
    run = fake_run.write(tmp_path / "run", size=32, images=2)
    before = {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in [run, *run.rglob("*")]}
    build([run], tmp_path / "report", figures=False)
    assert {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in [run, *run.rglob("*")]} == before


# --- processes that are killed from outside --------------------------------------------------------------------


def descendants(pid: int) -> list[int]:
    """The processes below one, parents before their children."""
    children = " ".join(t.read_text() for t in Path(f"/proc/{pid}/task").glob("*/children")).split()
    return [d for c in children for d in (int(c), *descendants(int(c)))]


@pytest.mark.slow
@pytest.mark.parametrize("which", ["root", "worker", "nursery"])
def test_a_run_completes_whichever_of_its_processes_is_killed(
    which: str, write_grid: Write, run_grid: Run, tmp_path: Path
) -> None:
    path, log = write_grid("@slow_copy.py: {seconds: 0.2}", run="retries: 2"), tmp_path / "out" / "journal.jsonl"
    command = [sys.executable, "-m", "bench", "run", str(path), "--out", str(tmp_path / "out")]
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not log.is_file() or not log.read_bytes().count(b"\n"):
        time.sleep(0.02)
    root, *others = descendants(run.pid)
    nursery = next(p for p in others if descendants(p))
    worker = next(p for p in others if p != nursery and p in descendants(root) and not descendants(p))
    os.kill({"root": root, "worker": worker, "nursery": nursery}[which], signal.SIGKILL)
    _, messages = run.communicate(timeout=120)
    assert (run.returncode, "Traceback" in messages) == (0, False)
    assert {r["status"] for r in run_grid(path).test} == {"ok"}


# --- interrupts -----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 3])
def test_control_c_ends_parent_and_workers_with_130_and_no_traceback(
    times: int, write_grid: Write, run_grid: Run, tmp_path: Path
) -> None:
    grid, log = write_grid("@slow_copy.py: {seconds: 0.3}"), tmp_path / "out" / "journal.jsonl"
    command = [sys.executable, "-m", "bench", "run", str(grid), "--out", str(tmp_path / "out")]
    run = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not log.is_file() or not log.read_bytes().count(b"\n"):
        time.sleep(0.02)
    for _ in range(times):  # the terminal sends it to the whole group, and the user more than once
        os.killpg(run.pid, signal.SIGINT)
        time.sleep(0.05)
    _, printed = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "Traceback" not in printed
    assert "interrupted" in printed
    assert run_grid(grid).computed < 8


def test_a_message_that_no_file_can_hold_is_recorded_as_it_can_be(
    write_grid: Write, run_grid: Run, tmp_path: Path
) -> None:
    finished = run_grid(write_grid("@broken.py: {how: surrogate}"))
    assert {r["error_message"] for r in finished.test if r["status"] == "error"} == {"no such file: caf?.png"}
    assert len(results.read(tmp_path / "out" / "results.parquet")) == len(finished.rows)
