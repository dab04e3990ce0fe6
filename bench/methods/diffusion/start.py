"""Where a chain begins: pure noise, or a linear estimate with noise added (a warm start)."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor

from bench.errors import SettingError
from bench.methods.diffusion.levels import CLEAN, Level, Spacing, level, levels
from bench.methods.diffusion.task import Task

#: σ of a schedule's last level from which on pure noise stands for x_T: images deviate by about 0.5 from their mean.
NOISE = 10.0


def begin(task: Task, spacing: Spacing, steps: int, warm: float = 0.0) -> tuple[Tensor, list[tuple[Level, Level]]]:
    """x_T and the steps to take from it, each from one level to the next; the last ends at the clean image.

    Args:
        spacing, steps: see ``levels``.
        warm: 0 to start from pure noise; otherwise σ at which the Wiener estimate, with noise of that size added,
            takes the place of x_t (Chung, Sim & Ye 2022, "Come-Closer-Diffuse-Faster"). A prior that knows no level
            with so little left of the image that noise alone could begin (σ = ``NOISE``) is begun in this way always,
            at the highest that it knows.
    """
    highest = level(task.prior.schedule, len(task.prior.schedule) - 1.0).sigma
    if not warm and highest < NOISE:
        warm = highest
    if warm and not warm > level(task.prior.schedule, 0).sigma:
        lowest = level(task.prior.schedule, 0).sigma
        raise SettingError(f"warm must be 0, or a σ above the prior's lowest, {lowest:.3g}; got {warm}")
    visited = levels(task.prior.schedule, spacing, steps, highest=warm or math.inf)
    top = visited[0]
    x = top.s * task.noise()
    return (x + top.a * task.wiener() if warm else x), list(pairwise([*visited, CLEAN]))
