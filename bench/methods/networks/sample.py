"""Sampling p(x | y) with a conditional diffusion model, patch by patch."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal, Protocol

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


class Parameters(Protocol):
    """What a solver that samples p(x | y) declares; plug-ins inherit no parameters (docs/plugins.md)."""

    @property
    def steps(self) -> int:
        """Evaluations of the network per patch; one gives the mean, E[x | y]."""
        ...

    @property
    def sampler(self) -> Literal["ddim", "ddpm"]:
        """DDIM, or the ancestral steps of DDPM."""
        ...

    @property
    def spacing(self) -> Spacing:
        """See ``bench.methods.diffusion.levels``."""
        ...

    @property
    def average(self) -> int:
        """Samples whose mean is the estimate."""
        ...

    @property
    def patch(self) -> int | None:
        """Side of a patch; None for the side that the weights were trained on."""
        ...

    @property
    def overlap(self) -> int | None:
        """See ``Tiles``; None for a quarter of the patch."""
        ...

    @property
    def join(self) -> Literal["end", "step"]:
        """When overlapping patches are averaged.

        end: once, when each has been sampled on its own from one field of noise (study 001); step: their estimates
        of x_0 at every step, so that neighbours agree on what they paint.
        """
        ...

    @property
    def batch(self) -> int:
        """Patches in one evaluation."""
        ...


def validate(plan: Parameters) -> None:
    """Raises SettingError for parameters with which nothing can be drawn."""
    for name in ("steps", "average", "batch"):
        if getattr(plan, name) < 1:
            raise SettingError(f"{name} must be at least 1, got {getattr(plan, name)}")


class Sampler:
    """Draws estimates of a problem's images; what depends on y alone is computed once.

    All noise comes from the problem's generators, in fields of the size of the image, so that overlapping patches see
    the same one.
    """

    def __init__(self, problem: Problem, model: Conditional, plan: Parameters) -> None:
        self.problem, self.model, self.plan = problem, model, plan
        self.eta = 1.0 if plan.sampler == "ddpm" else 0.0
        y = 2 * apart(problem.y, model.channels) - 1
        if model.informed:
            if not hasattr(problem, "blur"):
                raise SettingError("these weights see the Wiener estimate, so PSF and noise: use conditional_wiener")
            y = torch.cat([y, 2 * apart(wiener(problem).clamp(0, 1), model.channels) - 1], 1)
        patch = plan.patch or model.size
        overlap = patch // 4 if plan.overlap is None else plan.overlap
        self.tiles = Tiles((y.shape[-2], y.shape[-1]), patch, overlap, model.stride)
        parts = self.tiles.cut(y).split(plan.batch)
        self.conditions = [model.condition(part) for part in parts]
        if model.predictor is not None:
            for part in parts:
                problem.cost.evaluation(model.predictor, part, call=model.condition)

    def draw(self) -> Tensor:
        """One sample, (B, C, H, W) in [0, 1] units."""
        visited = levels(self.model.schedule, self.plan.spacing, self.plan.steps)
        u = visited[0].s * self._noise()
        for now, then in pairwise([*visited, CLEAN]):
            u0 = self._u0(u, now)
            if self.plan.join == "step":
                u0 = self.tiles.cut(self.tiles.join(u0))
            noise = None if then.clean or not self.eta else self._noise()
            u = ddim(u, u0, now, then, self.eta, noise)
        parts = zip(self.conditions, u.split(self.plan.batch), strict=True)
        x = self.tiles.join(torch.cat([condition.decode(part) for condition, part in parts]))
        return ((x + 1) / 2).reshape(self.problem.y.shape)

    def estimate(self) -> Tensor:
        """The mean of as many samples as the plan averages."""
        return torch.stack([self.draw() for _ in range(self.plan.average)]).mean(0)

    def _u0(self, u: Tensor, now: Level) -> Tensor:
        """E[u_0 | u_t, y] of all patches."""
        given = iter(self.conditions)

        def estimate(part: Tensor) -> Tensor:
            denoiser, t = self.model.given(next(given).given), scalar(now.t, part)
            self.problem.cost.evaluation(self.model.network, part, t, call=denoiser.x0)
            return denoiser.x0(part, t)

        return batched(estimate, u, self.plan.batch)

    def _noise(self) -> Tensor:
        field = self.problem.randn(self.problem.y.shape[1], *self.tiles.extended)
        return self.tiles.cut(apart(field, self.model.channels))
