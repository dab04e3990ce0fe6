"""Sampling p(x | y) with a conditional diffusion model, patch by patch."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from bench.errors import SettingError
from bench.methods.classical.wiener import wiener
from bench.methods.diffusion.levels import CLEAN, Level, Spacing, levels
from bench.methods.diffusion.step import ddim
from bench.methods.networks.prior import scalar
from bench.methods.networks.restore import apart
from bench.methods.networks.tiles import Tiles, batched

if TYPE_CHECKING:
    from bench.methods.networks.conditional import Conditional
    from bench.methods.problem import Problem


@dataclass(frozen=True)
class Plan:
    """How samples are drawn.

    Attributes:
        steps: evaluations of the network per patch; one gives the mean, E[x | y].
        eta: 0 for DDIM, 1 for the ancestral steps of DDPM.
        spacing: see ``bench.methods.diffusion.levels``.
        patch: side of a patch; None for the side that the weights were trained on. ``overlap``: see ``Tiles``;
            None for a quarter of the patch.
        batch: patches in one evaluation.
        join: "end": patches are sampled on their own (from one field of noise) and averaged (study 001); "step":
            their estimates of x_0 are averaged at every step, so that neighbours agree on what they paint.
    """

    steps: int
    eta: float
    spacing: Spacing
    patch: int | None
    overlap: int | None
    batch: int
    join: Literal["end", "step"]


class Sampler:
    """Draws estimates of a problem's images; what depends on y alone is computed once.

    All noise comes from the problem's generators, in fields of the size of the image, so that overlapping patches see
    the same one.
    """

    def __init__(self, problem: Problem, model: Conditional, plan: Plan) -> None:
        self.problem, self.model, self.plan = problem, model, plan
        y = 2 * apart(problem.y, model.channels) - 1
        if model.informed:
            if not hasattr(problem, "blur"):
                raise SettingError("these weights see the Wiener estimate, so PSF and noise: use conditional_wiener")
            y = torch.cat([y, 2 * apart(wiener(problem).clamp(0, 1), model.channels) - 1], 1)
        patch = plan.patch or model.size
        overlap = patch // 4 if plan.overlap is None else plan.overlap
        self.tiles = Tiles((y.shape[-2], y.shape[-1]), patch, overlap, model.stride)
        self.conditions = [model.condition(part) for part in self.tiles.cut(y).split(plan.batch)]
        if model.predictor is not None:
            problem.cost.nfe_forward += len(self.conditions)

    def draw(self) -> Tensor:
        """One sample, (B, C, H, W) in [0, 1] units."""
        visited = levels(self.model.schedule, self.plan.spacing, self.plan.steps)
        u = visited[0].s * self._noise()
        for now, then in pairwise([*visited, CLEAN]):
            u0 = self._u0(u, now)
            if self.plan.join == "step":
                u0 = self.tiles.cut(self.tiles.join(u0))
            noise = None if then.clean or not self.plan.eta else self._noise()
            u = ddim(u, u0, now, then, self.plan.eta, noise)
        parts = zip(self.conditions, u.split(self.plan.batch), strict=True)
        x = self.tiles.join(torch.cat([condition.decode(part) for condition, part in parts]))
        return ((x + 1) / 2).reshape(self.problem.y.shape)

    def mean(self, count: int) -> Tensor:
        """The mean of ``count`` samples."""
        return torch.stack([self.draw() for _ in range(count)]).mean(0)

    def _u0(self, u: Tensor, now: Level) -> Tensor:
        """E[u_0 | u_t, y] of all patches."""
        given = iter(self.conditions)

        def estimate(part: Tensor) -> Tensor:
            self.problem.cost.nfe_forward += 1
            return self.model.given(next(given).given).x0(part, scalar(now.t, part))

        return batched(estimate, u, self.plan.batch)

    def _noise(self) -> Tensor:
        field = self.problem.randn(self.problem.y.shape[1], *self.tiles.extended)
        return self.tiles.cut(apart(field, self.model.channels))
