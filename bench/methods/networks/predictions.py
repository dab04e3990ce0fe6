"""Networks that others trained under a discrete schedule, as priors: what their output means."""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor, nn

from bench.methods.diffusion.schedule import Schedule

Prediction = Literal["epsilon", "v_prediction", "sample"]
PREDICTIONS: tuple[str, ...] = get_args(Prediction)


class NetworkPrior:
    """A network of x_t and t that predicts the noise, v = a ε - s x_0, or the image itself.

    Levels between two steps are asked for with a real t, as the embedding of time allows.

    Args:
        network: (x_t, t) -> (B, channels or twice as many, H, W): a learned variance in the second half is not used.
        schedule, channels, stride, native_size: see ``bench.methods.diffusion.denoiser``.
        prediction: what the network was trained to say, in diffusers' words.
    """

    def __init__(
        self,
        network: nn.Module,
        schedule: Schedule,
        prediction: Prediction = "epsilon",
        *,
        channels: int = 3,
        stride: int = 1,
        native_size: int | None = None,
    ) -> None:
        self.network, self.schedule, self.prediction = network, schedule, prediction
        self.channels, self.stride, self.native_size = channels, stride, native_size

    def x0(self, x: Tensor, t: Tensor) -> Tensor:
        """E[x_0 | x_t]: (x_t - s ε) / a, or a x_t - s v, or what the network says."""
        out = self.network(x, t.to(x.dtype))[:, : self.channels]
        a, s = (v.to(x.dtype).view(-1, 1, 1, 1) for v in self.schedule.scales(t))
        if self.prediction == "sample":
            return out
        return (x - s * out) / a if self.prediction == "epsilon" else a * x - s * out

    def error_power(self, sigma: float, shape: tuple[int, int], like: Tensor) -> Tensor | None:  # noqa: ARG002  # the contract of priors
        """Unknown: nobody measured it on these weights."""
        return None

    @property
    def mean(self) -> float | None:
        """Unknown."""
        return None
