"""Tries to end, stop or falsify the run that it is part of, in the way that its parameter says."""

import gc
import math
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from bench import Problem, Solver
from bench.imaging.measure import Measurement


class ResultError(Exception):
    """Of the same name as one of the harness's."""


class Odd(BaseException):
    """No Exception, and not to be pickled."""

    def __reduce__(self) -> str:
        raise RuntimeError("not to be pickled")


@dataclass(frozen=True)
class Attacker(Solver):
    """The input, after the attack."""

    how: str
    marker: str = ""

    family: ClassVar[str] = "reference"
    solved: ClassVar[dict[bytes, bool]] = {}
    state: ClassVar[list[int]] = []

    def solve(self, problem: Problem) -> Tensor:
        return getattr(self, f"_{self.how}")(problem)

    def _count(self, value: object, problem: Problem) -> Tensor:
        problem.cost.n_A = value  # type: ignore[assignment]  # the attack
        return problem.y

    def _count_fraction(self, problem: Problem) -> Tensor:
        return self._count(1.5, problem)

    def _count_text(self, problem: Problem) -> Tensor:
        return self._count("many", problem)

    def _count_negative(self, problem: Problem) -> Tensor:
        return self._count(-1, problem)

    def _count_huge(self, problem: Problem) -> Tensor:
        return self._count(2**40, problem)

    def _count_nan(self, problem: Problem) -> Tensor:
        return self._count(math.nan, problem)

    def _count_tensor(self, problem: Problem) -> Tensor:
        return self._count(torch.ones(3), problem)

    def _columns(self, problem: Problem) -> Tensor:
        vars(problem.cost).update(y_sha="0" * 64, env_id="mine", m_psnr=99.0, seconds=0.0, status="ok")
        return problem.y

    def _result_error(self, problem: Problem) -> Tensor:
        raise ResultError("the folder is full")

    def _exit(self, problem: Problem) -> Tensor:
        sys.exit(0)

    def _exit_at_once(self, problem: Problem) -> Tensor:
        os._exit(0)

    def _odd(self, problem: Problem) -> Tensor:
        raise Odd

    def _half(self, problem: Problem) -> Tensor:
        return problem.y.half()

    def _print(self, problem: Problem) -> Tensor:
        for stream in (sys.stdout, sys.stderr):
            print("x" * 300_000, file=stream)
        os.write(1, b"written past Python\n")
        print("the last words")  # noqa: T201  # the attack
        raise ValueError("printed enough")

    def _print_and_solve(self, problem: Problem) -> Tensor:
        print("noise on standard output")  # noqa: T201  # the attack
        return problem.y

    def _truth(self, problem: Problem) -> Tensor:
        """The truth, if any object of this process holds it."""
        frames = []
        frame = sys._getframe()
        while frame is not None:
            frames += list(frame.f_locals.values())
            frame = frame.f_back
        for thing in [*gc.get_objects(), *frames]:
            if isinstance(thing, Measurement):
                return torch.as_tensor(thing.truth)[None].to(problem.y)
        return problem.y

    def _patch(self, problem: Problem) -> Tensor:
        """Everybody's decibels, Fourier transforms and metrics, from now on."""
        from bench.scoring import evaluate

        math.log10 = lambda _: -99.0
        np.log10 = lambda _: -99.0
        np.fft.rfft2 = np.fft.irfft2 = lambda *_, **__: 0.0
        evaluate._measured = lambda *_: 99.0
        torch.set_default_dtype(torch.float16)
        problem.y.mul_(0)
        return problem.y

    def _memo(self, problem: Problem) -> Tensor:
        """Slow for what it has not solved before."""
        if not self.solved.setdefault(problem.y.numpy().tobytes(), False):
            time.sleep(0.3)
            self.solved[problem.y.numpy().tobytes()] = True
        return problem.y

    def _better_again(self, problem: Problem) -> Tensor:
        """Worse when it is asked for the first time."""
        self.state.append(1)
        return problem.y if len(self.state) > 1 else 0.5 * problem.y

    def _children(self, problem: Problem) -> Tensor:
        """Starts a process that does not want to end with it."""
        child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        Path(f"{self.marker}.pid").write_text(str(child.pid))
        return problem.y

    def _progress(self, problem: Problem) -> Tensor:
        """Shows a progress bar; wrong if its lock is a semaphore, which a killed process would leave behind."""
        for _ in tqdm([1]):
            pass
        return problem.y if isinstance(tqdm.get_lock(), type(threading.RLock())) else 0 * problem.y

    def _burn(self, problem: Problem) -> Tensor:
        while True:
            pass

    def _one_picture(self, problem: Problem) -> Tensor:
        """Ends its process as soon as that is given a second picture, which the first is not to blame for alone."""
        picture = round(float(problem.y.sum()) * 1e6)  # the same when it is turned
        if any(other != picture for other in self.state):
            os._exit(1)
        self.state.append(picture)
        return problem.y

    def _kill_parent(self, problem: Problem) -> Tensor:
        return self._kill(os.getppid())

    def _kill_grandparent(self, problem: Problem) -> Tensor:
        return self._kill(int(Path(f"/proc/{os.getppid()}/stat").read_text().rsplit(")", 1)[1].split()[1]))

    def _kill(self, pid: int) -> Tensor:
        os.kill(pid, signal.SIGKILL)
        time.sleep(7)  # a child of it, and ended with it
        raise AssertionError
