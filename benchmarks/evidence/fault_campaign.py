"""Run one grid again and again while the machine fails, then compare with a run that nothing disturbed.

    python benchmarks/evidence/fault_campaign.py --rounds 60

Each round starts ``bench run`` in the same folder and does one harm to it: workers, their server or the run itself
are killed or interrupted, the disk is full, files may not grow, the folder may not be written, a second run starts,
the journal is cut, garbled, doubled or spliced, results are damaged. The last run is left in peace. It must end with
every cell once, and the columns that measure nothing of the machine must be the same to the last bit. After each
round no process, no temporary file and no semaphore may be left.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from journal_damage import DAMAGES
from processes import children, kill, marked, workers

from bench.results import parquet as results

GRID = """
name: campaign
seed: 3
data:
  test: {phantoms: {size: 32, margin: 16, limit: 5}}
  val: {phantoms: {split: val, size: 32, margin: 16, limit: 2}}
blur:
  - linear: {length: [5, 9], angle: [0, 30]}
  - disk: {radius: 2}
noise: [poisson_gaussian: {lam: [48000, 768000], sigma: 4}]
solvers:
  - blurred
  - tikhonov: {tune: {mu: [30, 300]}}
  - wiener
  - ./dice.py
metrics: [psnr, ssim]
protocol: {border: 2}
run: {timeout: 60, retries: 1, images: 1}
"""
DICE = '''
import time
from dataclasses import dataclass
from typing import ClassVar
from bench import Problem, Solver

@dataclass(frozen=True)
class Dice(Solver):
    """The input with noise of the solver's own, after a pause in which it can be killed."""

    stochastic: ClassVar[bool] = True

    def solve(self, problem: Problem):
        time.sleep(0.05)
        return problem.y + 0.01 * problem.randn(*problem.y.shape[1:])
'''
#: what two runs of one grid must agree on, besides the metrics
SAME = ("cell_key", "phase", "status", "solver", "setting", "image", "psf_index", "rep", "tuned", "y_sha", "psf_sha")
PATIENCE = 180.0
#: seconds in which the processes of a run that was killed must have ended
LINGER = 20.0
SEMAPHORES = Path("/dev/shm")


@dataclass
class Campaign:
    """One folder, its faults, and what came of them."""

    base: Path
    workers: int
    rng: random.Random
    tmpfs: bool
    seen: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    @property
    def out(self) -> Path:
        """The results folder."""
        return self.base / "disk" / "out"

    @property
    def journal(self) -> Path:
        """Its journal."""
        return self.out / "journal.jsonl"

    def start(
        self, *more: str, limit: int | None = None, out: Path | None = None, to: str = "output.txt"
    ) -> subprocess.Popen[str]:
        """``bench run`` in a session of its own, so that a signal to its group reaches nobody else."""
        command = [sys.executable, "-m", "bench", "run", str(self.base / "grid.yaml"), "--out", str(out or self.out)]
        output = (self.base / to).open("w")
        return subprocess.Popen(
            [*command, "--workers", str(self.workers), *more], stdout=output, stderr=output, text=True,
            start_new_session=True, preexec_fn=partial(_prepare, limit), env=self.environment,
        )  # fmt: skip

    @property
    def temporary(self) -> Path:
        """Where runs put temporary files; its name marks their processes, too."""
        return self.base / "temporary"

    @property
    def environment(self) -> dict[str, str]:
        """Of the runs."""
        return {**os.environ, "TMPDIR": str(self.temporary)}

    def lines(self) -> int:
        """Of the journal."""
        try:
            return self.journal.read_bytes().count(b"\n")
        except OSError:
            return 0

    def progress(self, run: subprocess.Popen[str], cells: int) -> bool:
        """Wait for so many more cells; whether the run is still on then."""
        goal, end = self.lines() + cells, time.monotonic() + PATIENCE
        while run.poll() is None and self.lines() < goal and time.monotonic() < end:
            time.sleep(0.01)
        return run.poll() is None

    def look_for_leftovers(self, kind: str) -> None:
        """Note processes, temporary files and semaphores that a round has left behind, and remove them."""
        mark, end = f"TMPDIR={self.temporary}\0".encode(), time.monotonic() + LINGER
        while (left := marked(mark)) and time.monotonic() < end:
            time.sleep(0.1)
        for pid in left:
            kill(pid)
        files = [*self.temporary.iterdir(), *(SEMAPHORES.iterdir() if self.tmpfs else ())]
        for file in files:
            subprocess.run(["rm", "-rf", str(file)], check=False)
        if left or files:
            self.faults.append(f"{kind}: left {len(left)} processes and {[f.name for f in files]}")

    def end(self, run: subprocess.Popen[str], kind: str, *allowed: int) -> None:
        """Wait for the end; note a hang, a traceback, and an exit code that was not to be expected."""
        try:
            code = run.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.faults.append(f"{kind}: hangs")
            os.killpg(run.pid, signal.SIGKILL)
            code = run.wait()
        text = (self.base / "output.txt").read_text(errors="replace")
        self.seen[f"{kind}: exit {code}"] += 1
        if "Traceback" in text or code not in allowed:
            self.faults.append(f"{kind}: exit {code}: {text[-1500:]}")


def _prepare(limit: int | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs ignore it
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


# --- harm while it runs ---------------------------------------------------------------------------------------


def kill_workers(c: Campaign) -> None:
    """SIGKILL one worker after another; the run goes on, a cell that lost two of them is recorded as crashed."""
    run = c.start()
    for _ in range(c.rng.randint(1, 4)):
        if c.progress(run, c.rng.randint(1, 15)) and (family := workers(run.pid)):
            kill(c.rng.choice(family))
            c.seen["workers killed"] += 1
    if c.rng.random() < 0.5 and c.progress(run, c.rng.randint(1, 10)):
        kill(run.pid)
    c.end(run, "workers killed", 0, 4, -9)


def kill_server(c: Campaign) -> None:
    """SIGKILL the process that workers are forked from."""
    run = c.start()
    if c.progress(run, c.rng.randint(1, 20)):
        for pid in children(run.pid):
            if "bench.running.node" in Path(f"/proc/{pid}/cmdline").read_text(errors="replace"):
                kill(pid)
                c.seen["servers killed"] += 1
    if c.progress(run, c.rng.randint(5, 60)):
        kill(run.pid)
    c.end(run, "server of workers killed", 0, 4, -9)


def kill_run(c: Campaign) -> None:
    """SIGKILL or SIGTERM to the run."""
    run = c.start()
    how = c.rng.choice([signal.SIGKILL, signal.SIGTERM])
    if c.progress(run, c.rng.randint(0, 40)):
        time.sleep(c.rng.random() * 0.3)
        run.send_signal(how)
    c.end(run, f"run gets {how.name}", 0, 4, -how)


def interrupt(c: Campaign) -> None:
    """Ctrl-C, which reaches the whole process group, at any time after the first cell."""
    run = c.start()
    if c.progress(run, c.rng.randint(1, 40)):
        time.sleep(c.rng.random() * 0.1)
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGINT)
    c.end(run, "interrupted", 0, 4, 130)


def fill_disk(c: Campaign) -> None:
    """No room left on the device of the results after some cells, or from the beginning."""
    filler = c.base / "disk" / "filler"
    early = c.rng.random() < 0.3
    run = None if early else c.start()
    if run is not None:
        c.progress(run, c.rng.randint(1, 30))
    with suppress(OSError), filler.open("wb", buffering=0) as f:
        while True:
            f.write(bytes(4096))
    run = run or c.start()
    c.end(run, "disk full", 0, 3, 4)
    filler.unlink()


def limit_files(c: Campaign) -> None:
    """No file may grow beyond a size (RLIMIT_FSIZE): the journal or a table is cut in the midst of a write."""
    size = c.journal.stat().st_size if c.journal.is_file() else 0
    c.end(c.start(limit=size + c.rng.randint(50, 20_000)), "file size limit", 0, 3, 4)


def read_only(c: Campaign) -> None:
    """The file system turns read-only, or (without one of our own) the folder's permissions are taken away."""
    disk, during = c.base / "disk", c.rng.random() < 0.5
    run = c.start() if during else None
    if run is not None and c.progress(run, c.rng.randint(1, 20)):
        kill(run.pid)  # a file system that is written to cannot be made read-only
        run.wait()
        time.sleep(1.5)  # its workers notice within a second
    elif run is not None:
        run.wait()
    if c.tmpfs:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    else:
        c.out.chmod(0o555)
    c.end(c.start(), "read-only", *((3,) if c.tmpfs or os.getuid() else (0, 4)))
    if c.tmpfs:
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    else:
        c.out.chmod(0o755)


def second_run(c: Campaign) -> None:
    """Another run in the same folder is refused, and the first goes on."""
    run = c.start()
    if c.progress(run, 1):
        other = c.start(to="other.txt")
        code = other.wait(PATIENCE)
        refused = code == 3 and "in use by another run (process" in (c.base / "other.txt").read_text()
        if not refused and run.poll() is None:
            c.faults.append(f"second run: exit {code}")
        c.seen["second run refused"] += refused
    run.send_signal(signal.SIGINT)
    c.end(run, "first of two runs", 0, 4, 130)


def break_journal(c: Campaign) -> None:
    """Cut the journal, flip bytes, double, shuffle, glue or splice lines; the next run reads what is left."""
    lines = c.journal.read_bytes().splitlines(keepends=True) if c.journal.is_file() else []
    if lines:
        how = c.rng.choice(DAMAGES)
        c.journal.write_bytes(how(lines, c.rng))
        c.seen[f"journal {how.__name__}"] += 1
    run = c.start()
    if c.progress(run, c.rng.randint(10, 60)):
        kill(run.pid)
    c.end(run, "journal damaged", 0, 4, -9)


def break_results(c: Campaign) -> None:
    """Results that are whole are damaged or lost: the same command writes them again."""
    c.end(c.start(), "run to its end", 0, 4)
    name = c.rng.choice(["results.parquet", "env.parquet", "run.json", "images.json", "images/index.json"])
    file = c.out / name
    data = file.read_bytes() if file.is_file() else b""
    if c.rng.random() < 0.6:
        file.write_bytes(data[: c.rng.randrange(len(data) + 1)])
    else:
        file.unlink(missing_ok=True)
    c.seen[f"damaged {name}"] += 1
    c.end(c.start(), "results damaged", 0, 4)


def _lose(c: Campaign) -> None:
    """Forget a part of the journal, so that there is something to do in this round."""
    lines = c.journal.read_bytes().splitlines(keepends=True)
    c.journal.write_bytes(b"".join(lines[: c.rng.randint(0, 120)]))


FAULTS: tuple[Callable[[Campaign], None], ...] = (
    kill_workers, kill_server, kill_run, interrupt, fill_disk, limit_files, read_only, second_run, break_journal,
    break_results,
)  # fmt: skip


# --- the whole ------------------------------------------------------------------------------------------------


def columns(folder: Path) -> dict[str, list[object]]:
    """The columns of results.parquet that must not differ; floats as their exact hexadecimal digits."""
    rows = results.read(folder / "results.parquet")
    names = [*SAME, *(n for n in rows[0] if n.startswith(("m_", "in_")))]
    return {n: [v.hex() if isinstance(v := r[n], float) else v for r in rows] for n in names}


def campaign(base: Path, options: argparse.Namespace, tmpfs: bool) -> int:
    """Run it, print what happened; the number of faults."""
    latest = time.monotonic() + 60 * options.minutes
    (base / "grid.yaml").write_text(GRID)
    (base / "dice.py").write_text(DICE)
    c = Campaign(base, options.workers, random.Random(options.seed), tmpfs)
    c.temporary.mkdir()
    c.end(c.start(out=base / "whole"), "undisturbed", 0)
    if c.faults:
        raise SystemExit("\n".join(c.faults))
    expected = columns(base / "whole")
    kinds = [f for f in FAULTS if (tmpfs or f is not fill_disk) and f.__name__ in (options.kinds or f.__name__)]
    order: list[Callable[[Campaign], None]] = []
    number = 0
    while number < options.rounds and time.monotonic() < latest:
        number += 1
        order = order or c.rng.sample(kinds, len(kinds))  # every kind equally often
        fault, known = order.pop(), len(c.faults)
        if c.lines() > 120:
            _lose(c)
        fault(c)
        c.look_for_leftovers(fault.__name__)
        print(f"round {number:3} {fault.__name__:14} {c.lines():4} lines", *c.faults[known:], flush=True)
    c.end(c.start("--retry-failed"), "last", 0)
    last = columns(c.out)
    differing = [n for n in expected if last.get(n) != expected[n]]
    print(f"\n| what happened in {number} rounds (seed {options.seed}) | times |\n| --- | ---: |")
    print("\n".join(f"| {k} | {n} |" for k, n in sorted(c.seen.items())))
    print(f"\n{len(expected['cell_key'])} rows; columns that differ: {', '.join(differing) or 'none'}")
    nothing = "no traceback, no hang, no unexpected exit code, no process, temporary file or semaphore left"
    print("\n".join(f"FAULT {f}" for f in c.faults) or nothing)
    return len(c.faults) + len(differing)


def main() -> None:
    """Mount a small disk, and semaphores of its own, if that is allowed, and begin."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--minutes", type=float, default=1e6, help="after which no further round begins")
    parser.add_argument("--kinds", nargs="*", choices=[f.__name__ for f in FAULTS], help="all by default")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--apart", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    alone = ["unshare", "--mount", sys.executable]
    can = shutil.which(alone[0]) is not None and not subprocess.run([*alone, "-c", ""], check=False).returncode
    if can and not options.apart:  # mounts are seen, and last, in this process alone
        os.execvp(alone[0], [*alone, *sys.argv, "--apart"])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        disk = Path(folder, "disk")
        disk.mkdir()
        tmpfs = options.apart and _mount("12m", disk) and _mount("64m", SEMAPHORES)
        print(f"{'a tmpfs of 12 MB' if tmpfs else 'no tmpfs: the disk is not filled'}, uid {os.getuid()}", flush=True)
        try:
            sys.exit(min(campaign(Path(folder), options, tmpfs), 1))
        finally:
            if tmpfs:
                subprocess.run(["umount", "-l", str(disk)], check=False)


def _mount(size: str, place: Path) -> bool:
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(place)]
    return subprocess.run(mount, capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    main()
