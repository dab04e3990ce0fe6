"""Half-quadratic splitting with a few steps, unrolled: a data step and a learned denoiser in turn.

min_x ‖y - A x‖²_{Σ⁻¹} / 2 + Φ(x) is split as in Geman & Yang (1995, IEEE TIP 4(7)), and the splitting is unrolled
into a network that is trained end to end, as in USRNet (Zhang, Van Gool & Timofte 2020, CVPR, eqs. 6 to 8):

    x_k = argmin_x ‖y - A x‖²_{Σ⁻¹} / 2 + ‖x - z_{k-1}‖²_{C_k⁻¹} / 2        the data step, in closed form
    z_k = D(x_k, σ_k)                                                     the denoiser, the same at every step

The error of z_{k-1} is not taken for white: C_k = (1 / (g_k S) + 1 / τ_k)⁻¹ is that of the best linear denoiser of
pictures with the spectrum g_k S. With z_0 the mean of y and τ_1 infinite the first data step is the Wiener filter.
σ_k² is α_k times the variance that x_k has as a posterior mean, the mean of (1 / C_k + |K|² / σ²)⁻¹ over frequencies,
and τ_{k+1} is β_k σ_k². The factors α_k, β_k and g_k come from a small network of the noise level, the blur and the
contrast, as in USRNet's hyper-parameter module.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

from bench.methods.classical.spectra import conjugate_pairs
from bench.methods.diffusion.power_law import PHOTOGRAPHS
from bench.methods.networks.half_quadratic import Seen
from bench.methods.networks.res_unet import LevelUNet, ResUNetConfig, embed

#: τ_1, beyond the power of pictures at any frequency.
UNKNOWN = 1e4
#: Before training, τ_{k+1} / σ_k²: what the denoiser leaves of the variance of the error.
LEFT = 0.5
#: Least σ_k², of 1/40 of a grey level of 255.
LEAST = 4e-8
#: What the hyper-parameters depend on: their typical value and spread, of log σ_y, log ‖k‖² and log contrast.
FEATURES = ((-4.5, 2.0), (-3.0, 1.5), (-1.0, 0.5))


class UnrolledConfig(BaseModel):
    """What an unrolled solver is built from.

    Attributes:
        steps: K, the number of data steps and of denoisings.
        denoiser: of gray pictures; what it sees beside x_k is z_{k-1}.
        hidden: width of the network that sets C_k and σ_k.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["unrolled"]
    steps: int = Field(default=6, ge=1)
    denoiser: ResUNetConfig
    hidden: int = Field(default=32, ge=1)

    @property
    def stride(self) -> int:
        """Height and width of a canvas must be multiples of this."""
        return self.denoiser.stride

    @property
    def image_channels(self) -> int:
        """Always 1: colours are restored apart."""
        return 1


class HyperParameters(nn.Module):
    """α_k, β_k and g_k of every step, from what is known of a measurement: (n, 3) -> (n, 3, K)."""

    def __init__(self, steps: int, hidden: int) -> None:
        super().__init__()
        self.steps = steps
        self.inner = nn.Linear(len(FEATURES), hidden)
        self.outer = nn.Linear(hidden, 3 * steps)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Of ``features``: log σ_y, log ‖k‖², log contrast. Before training 1, ``LEFT`` and 1 for all of them."""
        typical, spread = features.new_tensor(FEATURES).T
        learnt = self.outer(functional.silu(self.inner((features - typical) / spread)))
        start = features.new_tensor([1.0, LEFT, 1.0])[:, None]
        return start * learnt.unflatten(1, (3, self.steps)).exp()


class UnrolledNet(nn.Module):
    """What is learnt: the denoiser, an embedding of each step, the hyper-parameters."""

    def __init__(self, config: UnrolledConfig) -> None:
        super().__init__()
        self.config = config
        self.denoiser = LevelUNet(config.denoiser, beside=1)
        self.step = nn.Parameter(torch.zeros(config.steps, config.denoiser.embedding))
        self.hyper = HyperParameters(config.steps, config.hidden)

    def denoise(self, x: Tensor, before: Tensor, sigma: Tensor, k: int) -> Tensor:
        """z_k = E[x_0 | x_k = x_0 + σ_k n] in step k, of canvases x (n, 1, H, W) and ``before``, z_{k-1}."""
        H, W = x.shape[-2:]
        bottom, right = (-n % self.config.stride for n in (H, W))
        a = torch.rsqrt(1 + sigma.square())
        s = sigma * a
        scale = a[:, None, None, None]
        pair = functional.pad(scale * torch.cat([x, before], 1), (0, right, 0, bottom), mode="replicate")
        level = self.denoiser.level(embed(sigma.log())) + self.step[k]
        # Predicting v = a ε - s x_0, x_0 = a x_t - s v (see bench.methods.networks.prior).
        return scale.square() * x - self.denoiser.scaled(pair, a, s, level).to(x.dtype)[..., :H, :W]

    def forward(self, seen: Seen) -> Tensor:
        """z_K of n measurements, canvases (n, 1, H, W) in [-1, 1]."""
        shape = seen.y.shape[-2], seen.y.shape[-1]
        S = PHOTOGRAPHS.spectrum(shape).to(seen.y)
        mean = seen.averaged(seen.y)
        with torch.autocast(mean.device.type, enabled=False):
            alpha, beta, g = self.hyper(_features(seen, mean))[..., None, None, None].unbind(1)
        z, tau, multiplier = mean.expand_as(seen.y), torch.full_like(mean, UNKNOWN), None
        for k in range(self.config.steps):
            C = 1 / (1 / (g[:, k] * S) + 1 / tau)
            variance = (alpha[:, k] * posterior_variance(seen, C)).clamp(min=LEAST)
            shift, multiplier = seen.shift(seen.residual(z), C, multiplier)
            multiplier = multiplier.detach()
            given = z + shift, z, variance.sqrt().flatten(), k
            seen.cost.evaluation(self, *given, call=self.denoise)
            z = self.denoise(*given)
            tau = beta[:, k] * variance
        return z


def posterior_variance(seen: Seen, C: Tensor) -> Tensor:
    """Of a pixel after the data step, were errors Gaussian and the sensor everywhere: (n, 1, 1, 1)."""
    W = seen.y.shape[-1]
    error = 1 / (1 / C + seen.K.abs().square() / seen.mean_variance)
    weights = conjugate_pairs(error[0, 0], W) / seen.y[0, 0].numel()
    return torch.stack([(e * weights).sum() for e in error]).view(-1, 1, 1, 1)


def _features(seen: Seen, mean: Tensor) -> Tensor:
    """log σ_y, log of the blur's mean power ‖k‖², log contrast: (n, 3)."""
    contrast = seen.averaged((seen.y - mean).square()).clamp(min=1e-6)
    power = torch.stack([K.abs().square().mean() for K in seen.K]).view(-1, 1, 1, 1)
    return torch.cat([v.view(-1, 1).log() for v in (seen.mean_variance.sqrt(), power, contrast.sqrt())], 1)


class Unrolled(nn.Module):
    """A trained solver.

    Attributes:
        network: what is learnt.
        card: how and on what it was trained.
    """

    def __init__(self, network: UnrolledNet, card: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.network, self.card = network, card or {}

    @property
    def config(self) -> UnrolledConfig:
        """Of the network."""
        return self.network.config

    def forward(self, seen: Seen) -> Tensor:
        """The estimate on the canvas, in [-1, 1]."""
        return self.network(seen)


def build(config: UnrolledConfig, card: dict[str, Any] | None = None) -> Unrolled:
    """An untrained one."""
    return Unrolled(UnrolledNet(config), card)


def from_prior(tensors: dict[str, Tensor], network: UnrolledNet) -> dict[str, Tensor]:
    """The weights of ``network`` with a trained gray prior as its denoiser: plug-and-play, to begin with.

    What the denoiser sees beside x_k does not count at first.
    """
    head, here = tensors["head.weight"], network.denoiser.head.weight
    pixels = head.shape[1] - 2
    wider = torch.zeros_like(here)
    wider[:, :pixels], wider[:, -2:] = head[:, :pixels], head[:, -2:]
    denoiser = {**tensors, "head.weight": wider}
    return {**network.state_dict(), **{f"denoiser.{k}": v for k, v in denoiser.items()}}
