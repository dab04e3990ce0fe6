"""What a solver gets and what it is: Problem, Solver, tunable."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from bench.contracts import Cost, NoiseLevel

if TYPE_CHECKING:
    import numpy as np
    from deepinv.physics import LinearPhysics
    from torch import Tensor

    from bench.imaging.blur import Blur
    from bench.methods.diffusion.denoiser import Denoiser


def tunable(default: float, *, low: float, high: float, n: int = 7, log: bool = True) -> Any:
    """A dataclass field of a solver that ``tune:`` may search when the grid names no values of its own.

    Args:
        default: value when nothing is tuned.
        low, high: ends of the search range, both included.
        n: number of candidate values between them.
        log: candidates equally spaced in the logarithm (True) or linearly (False).
    """
    return field(default=default, metadata={"tune": {"low": low, "high": high, "n": n, "log": log}})


@dataclass(frozen=True)
class Problem:
    """A batch of B deblurring problems, as a solver sees them: never the ground truth.

    Attributes:
        y: measurements (B, C, H, W), C = 1 or 3, about [0, 1], not clipped.
        blur: the forward operator as told to the solver (see ``bench.imaging.blur.Blur``); None for blind solvers.
        noise: the noise level as told to the solver, tensors of shape (B,); None for blind solvers.
        rng: one numpy generator per image; the only randomness a solver may use.
        cost: counts calls; ``cost.watch(net)`` for a network of your own.
        prior: trained denoiser of a solver that declares ``needs_prior``; counts its calls. None for the others.
        burst: measurements (B, N, C, H, W) of neighbouring frames behind the same blur, each with noise of its own;
            the middle one is y. None where the dataset has single pictures.
    """

    y: Tensor
    blur: Blur | None
    noise: NoiseLevel | None
    rng: tuple[np.random.Generator, ...]
    cost: Cost = field(default_factory=Cost)
    prior: Denoiser | None = None
    burst: Tensor | None = None

    @property
    def psf(self) -> Tensor:
        """PSFs (B, 1, h, w), odd sides, unit sum, centre at size // 2."""
        return self.known_blur.psf

    @property
    def known_blur(self) -> Blur:
        """``blur``, for solvers that are not blind."""
        if self.blur is None:
            raise AttributeError("this Problem has no PSF: the solver declares blind = True")
        return self.blur

    @property
    def known_noise(self) -> NoiseLevel:
        """``noise``, for solvers that are not blind."""
        if self.noise is None:
            raise AttributeError("this Problem has no noise level: the solver declares blind = True")
        return self.noise

    @property
    def known_prior(self) -> Denoiser:
        """``prior``, for solvers that declare ``needs_prior``."""
        if self.prior is None:
            raise AttributeError("this Problem has no prior: the solver must declare needs_prior = True")
        return self.prior

    @cached_property
    def physics(self) -> LinearPhysics:
        """The same operator as a ``deepinv.physics.LinearPhysics`` (imports deepinv on first use)."""
        from bench.methods.libraries.deepinv_physics import BlurPhysics

        return BlurPhysics(self.known_blur, self.known_noise)

    @cached_property
    def variance(self) -> Tensor:
        """Mean noise variance of each image (B, 1, 1, 1): gain mean(y) + sigma^2, what an L2 data term sees."""
        gain, sigma = self.known_noise
        mean = self.y.mean((1, 2, 3)).clamp(min=0)
        return (gain * mean + sigma**2).view(-1, 1, 1, 1)

    def randn(self, *shape: int) -> Tensor:
        """Standard normal noise (B, *shape), each image from its own generator, whatever batch it rode in."""
        import numpy as np

        draws = np.stack([g.standard_normal(shape) for g in self.rng])
        return self.y.new_tensor(draws)


class Solver:
    """A deblurring method. Subclass as a frozen dataclass whose fields are the settings.

    A solver must treat the images of a batch independently: the estimate of an image may not depend on its
    neighbours in the batch (but for rounding: FFTs of one and of three images differ in the last bit, which is why
    the harness gives a CPU one image at a time). It keeps no state between calls.

    Attributes:
        blind: sees neither PSF nor noise level.
        stochastic: draws from ``problem.rng``: each run is another sample.
        point: stochastic, yet a run gives an estimate and not a sample of the posterior.
        denoises: removes noise alone: only for the operator ``identity``.
        needs_prior: gets ``problem.prior``, the trained denoiser that its setting ``weights`` names.
        reference: paper, with the equation where it helps.
        family: "reference", "filter", "variational", "library", "diffusion" or "network"; the report groups by it.
    """

    blind: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False
    point: ClassVar[bool] = False
    denoises: ClassVar[bool] = False
    needs_prior: ClassVar[bool] = False
    reference: ClassVar[str] = ""
    family: ClassVar[str] = "variational"

    def solve(self, problem: Problem) -> Tensor:
        """The estimate: a tensor of the shape and dtype of ``problem.y``, aligned with it, about [0, 1]."""
        raise NotImplementedError

    def samples(self, problem: Problem, n: int) -> Tensor:
        """n posterior samples (n, B, C, H, W); by default n runs of ``solve`` on the same generators."""
        import torch

        return torch.stack([self.solve(problem) for _ in range(n)])
