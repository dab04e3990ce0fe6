"""``valid`` measurements for samplers that need a periodic blur."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from bench.imaging.blur import Blur
from bench.methods.classical.padding import Padding, crop, surround
from bench.methods.problem import Problem


def on_torus(problem: Problem, padding: Padding) -> tuple[Problem, Callable[[Tensor], Tensor]]:
    """The problem with its measurement extended to a periodic one, and what crops an estimate back.

    Circular problems stay as they are. What ``padding`` invents is taken for data: that is the price.
    """
    y, sides = surround(problem, padding)
    blur = problem.blur
    periodic = Blur(blur.psf, (y.shape[-2], y.shape[-1]), "circular", problem.cost)
    return problem.replace(y=y, blur=periodic), lambda x: crop(x, sides)
