"""Fails in the way it is told, on the brighter half of the noise levels."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from bench import Problem, Solver


@dataclass(frozen=True)
class Broken(Solver):
    """Fails where sigma is large, works elsewhere."""

    how: Literal[
        "raise", "surrogate", "hang", "nan", "shape", "type", "memory", "kill", "exit", "kill_once", "raise_once"
    ] = "raise"
    marker: str = ""

    def solve(self, problem: Problem) -> Tensor:
        if problem.noise.sigma.max() < 4 / 255:
            return problem.y
        return getattr(self, f"_{self.how}")(problem.y)

    def _raise(self, y: Tensor) -> Tensor:
        raise ValueError("the step size is negative")

    def _surrogate(self, y: Tensor) -> Tensor:
        raise ValueError("no such file: caf\udce9.png")  # as the names of files that are not UTF-8 are read

    def _hang(self, y: Tensor) -> Tensor:
        time.sleep(3600)
        return y

    def _nan(self, y: Tensor) -> Tensor:
        y = y.clone()
        y[..., 3, 3] = float("nan")
        return y

    def _shape(self, y: Tensor) -> Tensor:
        return y[..., 1:]

    def _type(self, y: Tensor) -> Tensor:
        return y.numpy()  # type: ignore[return-value]  # wrong on purpose

    def _memory(self, y: Tensor) -> Tensor:
        return torch.ones(2**40) + y

    def _kill(self, y: Tensor) -> Tensor:
        os.kill(os.getpid(), signal.SIGKILL)
        return y

    def _exit(self, y: Tensor) -> Tensor:
        os._exit(3)

    def _kill_once(self, y: Tensor) -> Tensor:
        return self._kill(y) if self._is_first() else y

    def _raise_once(self, y: Tensor) -> Tensor:
        return self._raise(y) if self._is_first() else y

    def _is_first(self) -> bool:
        try:
            Path(f"{self.marker}.once").touch(exist_ok=False)  # a file that a parameter names would be in the key
        except FileExistsError:
            return False
        return True
