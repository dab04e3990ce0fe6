"""The exact moments of a sampler that is affine in its noise and commutes with shifts, as x_0-type samplers are here.

Under a Gaussian prior such a sampler returns x = b + Σ_k G_k n_k, with n_k its K draws of white noise and G_k
convolutions. Run with the noise zero it returns b; with an impulse as the k-th draw, b plus the kernel of G_k. So
K + 1 images in a batch give the mean and the spectrum Σ_k |G_k|² with nothing left to chance.

Draws for colour pictures are white across channels too: each channel gets an impulse of its own, and the answers are
read in the independent components of the prior.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from bench.methods.diffusion.denoiser import PriorModel
from bench.methods.problem import Solver
from bench.verify import runs
from bench.verify.oracles.colour import ColourScene
from bench.verify.oracles.gaussian import Scene
from bench.verify.oracles.moments import Moments

#: affine: exact, by impulses; one estimate: exact, the solver draws nothing; samples: estimated from draws.
How = Literal["affine", "one estimate", "samples"]
#: More draws than this cost more than they are worth: use samples.
MOST = 130
#: Rounding, relative to the response.
ROUNDING = 1e-6


class Scripted(np.random.Generator):
    """A generator whose normal draws are zero but for one, ``what``, in the call of number ``at``; counts calls.

    Everything else that it is asked for is random, with a seed of its own.
    """

    def __init__(self, at: int = -1, what: np.ndarray | None = None, seed: int = 0):
        super().__init__(np.random.Philox(seed))
        self.at, self.what, self.calls = at, what, 0

    def standard_normal(self, size: Any = None, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002  # numpy's signature
        """Zeros, or ``what`` in the corner of zeros."""
        out = np.zeros(() if size is None else size)
        if self.calls == self.at and self.what is not None:
            out[..., : self.what.shape[-2], : self.what.shape[-1]] = self.what
        self.calls += 1
        return out

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """The same, scaled."""
        return loc + scale * self.standard_normal(size)


class _Noted(Scripted):
    """Draws what any generator would, and remembers it."""

    def __init__(self, seed: int):
        super().__init__(seed=seed)
        self.draws: list[np.ndarray] = []

    def standard_normal(self, size: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Standard normal numbers."""
        self.draws.append(np.asarray(np.random.Generator.standard_normal(self, size, *args, **kwargs)))
        return self.draws[-1].copy()


def moments(solver: Solver, prior: PriorModel, scene: Scene | ColourScene) -> tuple[How, Moments | None]:
    """How a solver's moments can be had, and the moments; None where they must be estimated from samples."""
    rngs = [Scripted(seed=0), Scripted(seed=1)]
    quiet = _respond(solver, prior, scene, rngs)
    K, shape = rngs[0].calls, quiet.shape[1:]
    if K > MOST or not torch.allclose(quiet[0], quiet[1], rtol=0, atol=ROUNDING):
        return "samples", None
    if K == 0:
        return "one estimate", Moments(scene.components(quiet[0]), torch.zeros(shape, dtype=torch.float64))
    if not _is_convolution(solver, prior, scene, quiet, K):
        return "samples", None
    impulses = [np.ones((1, 1))] if len(shape) == 2 else list(np.eye(shape[0])[..., None, None])
    scripts, gains = [Scripted(k, one) for k in range(K) for one in impulses], []
    for start in range(0, len(scripts), runs.TOGETHER):
        effects = _respond(solver, prior, scene, scripts[start : start + runs.TOGETHER]) - quiet[0]
        gains.append(torch.fft.fft2(scene.components(effects)))
    G = torch.cat(gains)
    if not _adds_up(solver, prior, scene, quiet[0], G):
        return "samples", None
    return "affine", Moments(scene.components(quiet[0]), (G.abs() ** 2).sum(0))


def _adds_up(solver: Solver, prior: PriorModel, scene: Scene | ColourScene, quiet: Tensor, G: Tensor) -> bool:
    """Whether real draws, all at once, have the effect that their gains G (K, H, W) or (K C, C, H, W) predict.

    Impulses one at a time cannot show a product of two draws, nor a threshold that they stay below.
    """
    noted = _Noted(seed=2)
    x = _respond(solver, prior, scene, [noted])[0]
    if any(n.size != quiet.numel() for n in noted.draws):
        return False
    draws = torch.from_numpy(np.stack(noted.draws)).reshape(-1, *(1,) * (quiet.ndim - 2), *scene.shape)
    if len(draws) != len(G):
        return False
    effect = torch.fft.ifft2((G * torch.fft.fft2(draws)).sum(0)).real
    gap = (scene.components(x - quiet) - effect).abs().max()
    return bool(gap <= ROUNDING * len(G) * (1 + float(effect.abs().max())))


def _is_convolution(solver: Solver, prior: PriorModel, scene: Scene | ColourScene, quiet: Tensor, K: int) -> bool:
    """Whether a draw's effect doubles with it and moves with it, for the first draw and one in the middle."""
    white = np.random.default_rng(0).standard_normal(quiet.shape[1:])
    for at in {0, K // 2}:
        tried = [white, 2 * white, np.roll(white, (3, 5), (-2, -1))]
        once, twice, moved = _respond(solver, prior, scene, [Scripted(at, w) for w in tried]) - quiet[0]
        limit = ROUNDING * (1 + float(once.abs().max()))
        if (twice - 2 * once).abs().max() > limit or (moved - once.roll((3, 5), (-2, -1))).abs().max() > limit:
            return False
    return True


def _respond(solver: Solver, prior: PriorModel, scene: Scene | ColourScene, rngs: Sequence[Scripted]) -> Tensor:
    y = scene.y.expand(len(rngs), *scene.y.shape)
    return runs.draw(solver, prior, y, scene.psf, scene.sigma, rngs)
