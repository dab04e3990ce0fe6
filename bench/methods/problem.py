"""What a solver gets and what it is: Problem, Solver, Prior, tunable."""

from __future__ import annotations

from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from bench.contracts import Cost, NoiseLevel
from bench.errors import WithheldError

if TYPE_CHECKING:
    import numpy as np
    from deepinv.physics import LinearPhysics
    from torch import Tensor

    from bench.imaging.blur import Blur
    from bench.methods.diffusion.denoiser import Denoiser, PriorModel

T = TypeVar("T")


def tunable(
    default: float,
    *,
    low: float,
    high: float,
    log: bool = True,
    least: float | None = None,
    most: float | None = None,
) -> Any:
    """A dataclass field of a solver that ``tune:`` may search when the grid names no values of its own.

    Args:
        default: value when nothing is tuned.
        low, high: where the search begins; it goes on beyond an end that is best.
        log: searched in the logarithm (True) or linearly (False).
        least, most: what it must never leave: values that the solver refuses lie beyond.
    """
    tune = {"low": low, "high": high, "log": log, "least": least, "most": most}
    return field(default=default, metadata={"tune": tune})


class Problem:
    """A batch of B deblurring problems, as a solver sees them: never the ground truth.

    What a solver did not declare raises WithheldError, an AttributeError: ``hasattr(problem, "prior")`` asks.

    Attributes:
        y: measurements (B, C, H, W), C = 1 or 3, about [0, 1], not clipped.
        blur: the forward operator (see ``bench.imaging.blur.Blur``), of the true PSF or of one with an error that the
            grid wants; blind solvers have none.
        noise: the noise level, tensors of shape (B,), true or with an error likewise; blind solvers have none.
        rng: one numpy generator per image; the only randomness a solver may use.
        cost: counts calls; ``cost.watch(net)`` for a network of your own.
        prior: denoiser of a solver that declares ``needs_prior``; counts its calls. The others have none.
        burst: measurements (B, N, C, H, W) of neighbouring frames behind the same blur, each with noise of its own;
            the middle one is y. None where the dataset has single pictures.
    """

    def __init__(
        self,
        y: Tensor,
        blur: Blur | None,
        noise: NoiseLevel | None,
        rng: tuple[np.random.Generator, ...],
        cost: Cost | None = None,
        prior: Denoiser | None = None,
        burst: Tensor | None = None,
    ) -> None:
        self.y, self.rng, self.burst = y, rng, burst
        self.cost = Cost() if cost is None else cost
        self._blur, self._noise, self._prior = blur, noise, prior

    @property
    def blur(self) -> Blur:
        """The forward operator."""
        return _given(self._blur, "blur and PSF", "blind = True")

    @property
    def noise(self) -> NoiseLevel:
        """The noise level."""
        return _given(self._noise, "noise level", "blind = True")

    @property
    def prior(self) -> Denoiser:
        """E[x_0 given x_t]: a network's, or one in closed form."""
        return _given(self._prior, "prior", "no needs_prior = True")

    @property
    def psf(self) -> Tensor:
        """PSFs (B, 1, h, w), odd sides, unit sum, centre at size // 2."""
        return self.blur.psf

    def replace(self, **changes: Any) -> Problem:
        """The same problem with other values of these arguments."""
        same = {name: getattr(self, name) for name in ("y", "rng", "cost", "burst")}
        return Problem(**{**same, "blur": self._blur, "noise": self._noise, "prior": self._prior, **changes})

    @cached_property
    def physics(self) -> LinearPhysics:
        """The same operator as a ``deepinv.physics.LinearPhysics`` (imports deepinv on first use)."""
        from bench.methods.libraries.deepinv_physics import BlurPhysics

        return BlurPhysics(self.blur, self.noise)

    @cached_property
    def variance(self) -> Tensor:
        """Mean noise variance of each image (B, 1, 1, 1): gain mean(y) + sigma^2, what an L2 data term sees."""
        gain, sigma = self.noise
        mean = self.y.mean((1, 2, 3)).clamp(min=0)
        return (gain * mean + sigma**2).view(-1, 1, 1, 1)

    def randn(self, *shape: int) -> Tensor:
        """Standard normal noise (B, *shape), each image from its own generator, whatever batch it rode in."""
        import numpy as np
        import torch

        return torch.from_numpy(np.stack([g.standard_normal(shape) for g in self.rng])).to(self.y)


def _given(value: T | None, what: str, why: str) -> T:
    if value is None:
        raise WithheldError(f"this Problem has no {what}: the solver declares {why}")
    return value


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
        needs_prior: gets ``problem.prior``, the prior that the grid's ``prior:`` names.
        reference: paper, with the equation where it helps.
        same_as: name of the estimator that several solvers implement, so that statistics count their rows once:
            one objective or one formula, weights apart. Where a parameter decides: {parameter: {value: name}}.
        family: "reference", "filter", "variational", "library", "diffusion" or "network"; the report groups by it.
    """

    blind: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False
    point: ClassVar[bool] = False
    denoises: ClassVar[bool] = False
    needs_prior: ClassVar[bool] = False
    same_as: ClassVar[str | dict[str, dict[str | bool, str]]] = ""
    reference: ClassVar[str] = ""
    family: ClassVar[str] = "variational"

    def solve(self, problem: Problem) -> Tensor:
        """The estimate: a tensor of the shape and dtype of ``problem.y``, aligned with it, about [0, 1]."""
        raise NotImplementedError

    def samples(self, problem: Problem, n: int) -> Tensor:
        """n posterior samples (n, B, C, H, W); by default n runs of ``solve`` on the same generators."""
        import torch

        return torch.stack([self.solve(problem) for _ in range(n)])


class Prior:
    """What is known of sharp images. Subclass as a frozen dataclass whose fields are the parameters.

    It is a plug-in like a solver: a grid names it under ``prior:``, and solvers that declare ``needs_prior`` see it
    as ``problem.prior``. Files are read in ``load``, not when it is made. Nothing may be unpickled and nothing
    downloaded: what a parameter names is a file that the user has, and enters content keys by its sha256. One called
    ``weights`` names a file, a folder or shipped weights, and a run stops at once where there is none.

    Attributes:
        reference: paper, with the equation where it helps.
    """

    reference: ClassVar[str] = ""

    def load(self) -> PriorModel:
        """A new model, on the CPU; the harness moves it to its device and freezes it.

        Raises WeightsError where a file is missing or holds something else.
        """
        raise NotImplementedError
