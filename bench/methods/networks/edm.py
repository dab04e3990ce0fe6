"""EDM's networks (Karras et al. 2022): DDPM++ and NCSN++ behind the preconditioning that turns them into denoisers.

The network itself is deepinv's NCSNpp, whose submodules bear the names of EDM's SongUNet; its configuration is read
from names and shapes, and what surrounds it, units included, is here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from bench.errors import WeightsError
from bench.methods.diffusion.sigma_denoiser import SigmaDenoiser
from bench.methods.networks.state_dicts import State, filled, read_state_dict, without_prefix

#: How a pickle of EDM becomes a file that can be read: its own code, which a pickle carries and runs, does it.
CONVERSION = (
    "python -c \"import pickle; from safetensors.torch import save_file; f = open('FILE.pkl', 'rb'); "
    "save_file({k: v.contiguous() for k, v in pickle.load(f)['ema'].state_dict().items()}, 'FILE.safetensors')\""
)

Preconditioning = Literal["edm", "vp", "ve"]


class Coefficients(NamedTuple):
    """D(x; σ) = c_skip x + c_out F(c_in x; c_noise) (Karras et al. 2022, eq. 7)."""

    skip: Tensor
    out: Tensor
    scale: Tensor
    noise: Tensor


def edm_coefficients(sigma: Tensor, sigma_data: float = 0.5) -> Coefficients:
    """EDM's own (Table 1, last column)."""
    total = sigma**2 + sigma_data**2
    return Coefficients(
        skip=sigma_data**2 / total,
        out=sigma * sigma_data / total.sqrt(),
        scale=1 / total.sqrt(),
        noise=sigma.log() / 4,
    )


def vp_coefficients(sigma: Tensor) -> Coefficients:
    """Those of networks trained as Song et al. 2021 do with VP: c_noise = 999 t at the t of that σ (Table 1)."""
    beta_d, beta_min, steps = 19.9, 0.1, 1000
    # σ(t)² = exp(β_d t²/2 + β_min t) - 1, solved for t.
    t = ((beta_min**2 + 2 * beta_d * torch.log1p(sigma**2)).sqrt() - beta_min) / beta_d
    return Coefficients(torch.ones_like(sigma), -sigma, torch.rsqrt(1 + sigma**2), (steps - 1) * t)


def ve_coefficients(sigma: Tensor) -> Coefficients:
    """Those of networks trained as Song et al. 2021 do with VE (Table 1)."""
    one = torch.ones_like(sigma)
    return Coefficients(one, sigma, one, (sigma / 2).log())


#: Coefficients, and the σ between which such networks were trained or are sampled from (Table 1, appendix F.1).
PRECONDITIONINGS: dict[str, tuple[Callable[[Tensor], Coefficients], float, float]] = {
    "edm": (edm_coefficients, 0.002, 80.0),
    "vp": (vp_coefficients, 0.01, 152.0),
    "ve": (ve_coefficients, 0.02, 100.0),
}


class EDMPrior(SigmaDenoiser):
    """D(x; σ) for images in [-1, 1].

    Args:
        network: deepinv's NCSNpp, whose ``forward_unet`` is F.
        preconditioning: that of its training; no file tells it.
    """

    def __init__(self, network: nn.Module, config: dict[str, Any], preconditioning: Preconditioning = "edm") -> None:
        self.network: Any = network
        self.coefficients, low, high = PRECONDITIONINGS[preconditioning]
        stride = 2 ** (len(config["channel_mult"]) - 1)
        size = config["img_resolution"]
        super().__init__(low, high, channels=config["in_channels"], stride=stride, native_size=size)

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Eq. 7; σ enters the network in the precision of x."""
        c = self.coefficients(sigma)
        skip, out, scale = (v.view(-1, 1, 1, 1) for v in c[:3])
        return skip * x + out * self.network.forward_unet(scale * x, c.noise)


def read_edm(path: Path, preconditioning: Preconditioning = "edm") -> EDMPrior:
    """The prior in a state dict or a .safetensors file of EDM. Raises WeightsError; a pickle is never opened."""
    if path.suffix == ".pkl":
        raise WeightsError(
            f"{path} is a pickle, whose code would run when it is opened, which is not done here. If you trust it, "
            f"convert it once, in a clone of EDM's repository: {CONVERSION}"
        )
    state = without_prefix(read_state_dict(path), "model.")
    config = config_of(state)
    from deepinv.models import NCSNpp

    network = filled(NCSNpp(**config, pretrained=None), state, path)
    return EDMPrior(network, config, preconditioning)


def config_of(state: State) -> dict[str, Any]:
    """The arguments of deepinv's NCSNpp by names and shapes. Raises WeightsError where they are no SongUNet's."""
    if "map_label.weight" in state:
        raise WeightsError(
            "these weights are class-conditional (map_label.weight): without a label they are no prior of all images"
        )
    try:
        return _from_shapes(state)
    except (KeyError, ValueError, IndexError) as error:
        raise WeightsError(
            f"this is no state dict of EDM's SongUNet: {error}. Its first names: {', '.join([*state][:3])}"
        ) from error


def _from_shapes(state: State) -> dict[str, Any]:
    sides = sorted({int(k.split(".")[1].split("x")[0]) for k in state if k.startswith("enc.")}, reverse=True)
    size = sides[0]
    if [size >> level for level in range(len(sides))] != sides:
        raise ValueError(f"its levels are of {', '.join(map(str, sides))} px")
    first = [f"enc.{n}x{n}_block0" for n in sides]
    channels = len(state[f"enc.{size}x{size}_conv.weight"])
    augment = state.get("map_augment.weight")
    return {
        "model_type": "ncsn" if "map_noise.freqs" in state else "ddpm",
        "img_resolution": size,
        "in_channels": state[f"enc.{size}x{size}_conv.weight"].shape[1],
        "out_channels": len(state[f"dec.{size}x{size}_aux_conv.weight"]),
        "augment_dim": 0 if augment is None else augment.shape[1],
        "model_channels": channels,
        "channel_mult": tuple(len(state[f"{name}.conv1.weight"]) // channels for name in first),
        "channel_mult_emb": len(state["map_layer1.weight"]) // channels,
        "num_blocks": len({k.split(".")[1] for k in state if k.startswith(f"enc.{size}x{size}_block")}),
        "attn_resolutions": tuple(n for n, name in zip(sides, first, strict=True) if f"{name}.qkv.weight" in state),
    }
