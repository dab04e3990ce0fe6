"""What a sampler needs of a prior: E[x_0 | x_t], how wrong it is, and a count of its calls."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.contracts import Cost
from bench.errors import SolverError
from bench.methods.diffusion.error_spectrum import ErrorPower
from bench.methods.diffusion.levels import Level
from bench.methods.diffusion.power_law import PHOTOGRAPHS
from bench.methods.diffusion.schedule import Schedule
from bench.plugins import calibrations

#: The note of a row whose solver asked how wrong a prior is that nobody measured.
ASSUMED = "error spectrum assumed, that of Gaussian images (bench calibrate measures it)"


class PriorModel(Protocol):
    """A denoiser of images in [-1, 1] under a variance-preserving schedule: a network, or a closed form.

    ``ModelBase`` has the defaults for one of your own; where D(x, σ) is at hand and no schedule, subclass
    ``bench.methods.diffusion.sigma_denoiser.SigmaDenoiser``. The harness casts torch modules (the model itself, or
    its attributes) to device and dtype; what else a model computes follows those of ``x``. A model may have a
    ``native_size``: the side of the images that its network was trained on, where another size costs quality, as
    with attention; rows then say so.
    """

    @property
    def schedule(self) -> Schedule:
        """Noise levels."""
        ...

    @property
    def channels(self) -> int:
        """Of its images: 1 for gray, 3 for colours that it sees together."""
        ...

    @property
    def stride(self) -> int:
        """Height and width of an image must be multiples of this; the harness pads."""
        ...

    def x0(self, x: Tensor, t: Tensor) -> Tensor:
        """E[x_0 | x_t], (B, channels, H, W), not clipped, at real steps t (B,) in [0, N - 1]; differentiable in x."""
        ...

    def error_power(self, sigma: float, shape: tuple[int, int], like: Tensor) -> Tensor | None:
        """C(f) = E|F(x_0 - E[x_0 | x_t])|² / (H W) at s/a = sigma: rfft2 layout (H, W // 2 + 1); None where unknown.

        At infinite sigma it is the power spectrum of the images themselves, less their mean. Of a colour prior: that
        of each opponent component (see ``bench.methods.diffusion.colours``), (channels, H, W // 2 + 1), or one that
        holds for all of them.
        """
        ...

    @property
    def mean(self) -> float | None:
        """Mean intensity of the images, in [-1, 1]; None where unknown."""
        ...


class ModelBase:
    """Defaults of a ``PriorModel``: gray, any size, its error unknown. Give it a schedule and write ``x0``."""

    schedule: Schedule
    channels: int = 1
    stride: int = 1
    native_size: int | None = None

    def x0(self, x: Tensor, t: Tensor) -> Tensor:
        """See ``PriorModel.x0``."""
        raise NotImplementedError

    def error_power(self, sigma: float, shape: tuple[int, int], like: Tensor) -> Tensor | None:  # noqa: ARG002  # the contract
        """Unknown."""
        return None

    @property
    def mean(self) -> float | None:
        """Unknown."""
        return None


_Model = TypeVar("_Model", bound=PriorModel)


def placed(model: _Model, dtype: torch.dtype, device: str | torch.device) -> _Model:
    """The model with its torch modules on a device, in a dtype, frozen and in evaluation mode."""
    parts = [model] if isinstance(model, nn.Module) else vars(model).values()
    for part in parts:
        if isinstance(part, nn.Module):
            part.to(device=device, dtype=dtype).requires_grad_(False).eval()
        elif hasattr(part, "x0"):  # a model around another
            placed(part, dtype, device)
    return model


def measured_error(path: Path | str) -> ErrorPower:
    """What ``bench calibrate`` measured of a prior, from its record. Raises WeightsError."""
    record = calibrations.read(Path(path))
    return ErrorPower.of(record["error"], record["data"])


def _times(level: Level | Sequence[Level], x: Tensor) -> Tensor:
    """t of each image, float64 (B,). One level for all is filled in on the device: a copy would wait for it."""
    if isinstance(level, Level):
        return torch.full((len(x),), level.t, dtype=torch.float64, device=x.device)
    return torch.tensor([each.t for each in level], dtype=torch.float64, device=x.device)


class Denoiser:
    """A prior whose calls are counted and which takes any image size.

    Args:
        prior: the model.
        cost: where calls are counted.
        calibration: how wrong it was measured to be, for a model that does not know itself.

    Attributes:
        notes: what a reader of the result should know of the prior's use.
    """

    def __init__(self, prior: PriorModel, cost: Cost | None = None, calibration: ErrorPower | None = None):
        self.prior, self.cost, self.calibration = prior, cost or Cost(), calibration
        self.schedule, self.stride, self.channels = prior.schedule, prior.stride, prior.channels
        self.notes: dict[str, None] = {}

    def x0(self, x: Tensor, level: Level | Sequence[Level]) -> Tensor:
        """E[x_0 | x_t] (B, channels, H, W), not clipped; differentiable in x. ``level``: of all, or of each."""
        if x.shape[1] != self.channels:
            raise SolverError(f"the prior has {self.channels} channels, the image {x.shape[1]}")
        H, W = x.shape[-2:]
        bottom, right = -H % self.stride, -W % self.stride
        if bottom or right:
            x = functional.pad(x, (0, right, 0, bottom), mode="replicate")
        if (side := getattr(self.prior, "native_size", None)) is not None and x.shape[-2:] != (side, side):
            self.notes[f"prior of {side} x {side} pixels on {x.shape[-2]} x {x.shape[-1]}"] = None
        t = _times(level, x)
        self.cost.evaluation(self.prior, x, t, call=self.prior.x0)
        out = self.prior.x0(x, t)[..., :H, :W]
        if out.requires_grad:
            out.register_hook(self._count_backward)
        return out

    def error_power(self, sigma: float, shape: tuple[int, int], like: Tensor) -> Tensor:
        """See ``PriorModel.error_power``; by default what was measured, else that of Gaussian images."""
        known = self.prior.error_power(sigma, shape, like)
        if known is not None:
            return known
        if self.calibration is not None:
            self.notes[f"error spectrum measured on {self.calibration.measured_on}"] = None
            return self.calibration(sigma, shape, like)
        self.notes[ASSUMED] = None
        return PHOTOGRAPHS.error_power(sigma, shape, like)

    @property
    def mean(self) -> float:
        """Mean intensity of the images, in [-1, 1]: the prior's own, measured, or that of photographs."""
        own = self.prior.mean
        if own is not None:
            return own
        return PHOTOGRAPHS.mean if self.calibration is None else self.calibration.mean

    def _count_backward(self, _: Tensor) -> None:
        self.cost.nfe_backward += 1
