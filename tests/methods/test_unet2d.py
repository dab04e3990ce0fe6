"""The U-Net is diffusers' UNet2DModel: the same weights under the same names, drawn alike, and the same numbers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from bench.methods.networks.unet2d import UNet2D, sinusoids

CONFIGS: dict[str, dict[str, Any]] = {
    "one block a level": {"channels": (16, 32, 32), "layers": 1, "attention": (False, False, True), "head_dim": 8},
    "two blocks": {"channels": (16, 32), "layers": 2, "attention": (True, False), "head_dim": 8},
    "a single head": {"channels": (16, 32), "layers": 1, "attention": (False, True), "head_dim": None},
    "BigGAN": {
        "channels": (16, 32, 48), "layers": 2, "attention": (False, True, False), "head_dim": 16, "biggan": True,
    },
}  # fmt: skip


def theirs(inputs: int, outputs: int, config: dict[str, Any]) -> nn.Module:
    from diffusers.models.unets.unet_2d import UNet2DModel

    biggan = config.get("biggan", False)
    down, up = ("ResnetDownsampleBlock2D", "ResnetUpsampleBlock2D") if biggan else ("DownBlock2D", "UpBlock2D")
    residual: dict[str, Any] = {
        "downsample_type": "resnet",
        "upsample_type": "resnet",
        "resnet_time_scale_shift": "scale_shift",
    }
    return UNet2DModel(
        in_channels=inputs,
        out_channels=outputs,
        down_block_types=tuple("AttnDownBlock2D" if a else down for a in config["attention"]),
        up_block_types=tuple("AttnUpBlock2D" if a else up for a in reversed(config["attention"])),
        layers_per_block=config["layers"],
        block_out_channels=config["channels"],
        attention_head_dim=config["head_dim"],
        norm_num_groups=8,
        dropout=0.1,
        **(residual if biggan else {}),
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", CONFIGS)
def test_weights_have_the_names_and_first_values_of_diffusers_and_give_the_same_bits(
    name: str, dtype: torch.dtype
) -> None:
    torch.manual_seed(3)
    reference = theirs(2, 3, CONFIGS[name])
    torch.manual_seed(3)
    own = UNet2D(2, 3, groups=8, dropout=0.1, **CONFIGS[name])
    expected, state = reference.state_dict(), own.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[k], expected[k]) for k in state)
    for network in (reference, own):
        network.to(dtype=dtype).to(memory_format=torch.channels_last).eval()
    x, t = torch.randn(3, 2, 16, 24, dtype=dtype), torch.tensor([0.0, 17.5, 999.0], dtype=torch.float64)
    x = x.contiguous(memory_format=torch.channels_last)
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    there, here = reference(a, t).sample, own(b, t)
    assert here.shape == (3, 3, 16, 24)
    assert torch.equal(there, here)
    (there**2).sum().backward()
    (here**2).sum().backward()
    assert a.grad is not None
    assert b.grad is not None
    assert torch.allclose(a.grad, b.grad, rtol=1e-4 if dtype == torch.float32 else 1e-10)


def test_times_are_told_apart_by_their_embedding_and_zero_is_cosines_of_one() -> None:
    at = sinusoids(torch.tensor([0.0, 1.0, 999.0]), 8)
    assert torch.equal(at[0], torch.tensor([1.0, 1, 1, 1, 0, 0, 0, 0]))
    assert torch.allclose(at[:, :4] ** 2 + at[:, 4:] ** 2, torch.ones(3, 4))
    assert (at[1] - at[2]).abs().max() > 0.5
