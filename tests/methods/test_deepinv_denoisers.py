"""deepinv's denoisers as priors: units, ranges, weights by path and the traps of single classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import deepinv
import pytest
import torch
from torch import Tensor, nn

from bench.errors import PluginError, SettingError, WeightsError
from bench.methods.diffusion.sigma_denoiser import SigmaDenoiser
from bench.methods.libraries.deepinv_denoisers import denoiser_prior
from tests.methods.test_adm import randomised

SMALL: dict[str, dict[str, Any]] = {
    "DRUNet": {"nc": [4, 4, 4, 4], "nb": 1},
    "GSDRUNet": {"nc": [4, 4, 4, 4], "nb": 1},
    "FFDNet": {"n_conv_layers": 3, "nf": 4},
    "NCSNpp": {"model_channels": 32, "channel_mult": [1, 1], "num_blocks": 1, "img_resolution": 16},
}
CHANNELS = {"DRUNet": ("in_channels", "out_channels"), "FFDNet": ("img_channels",)}


def theirs(name: str, channels: int, **more: Any) -> Any:
    keywords = dict.fromkeys(CHANNELS.get(name, ("in_channels", "out_channels")), channels)
    return randomised(getattr(deepinv.models, name)(pretrained=None, **keywords, **SMALL[name], **more))


def sigma_denoiser(*args: Any, **more: Any) -> SigmaDenoiser:
    prior = denoiser_prior(*args, **more)
    assert isinstance(prior, SigmaDenoiser)
    return prior


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", SMALL)
def test_the_prior_is_the_denoiser_between_other_units(name: str, channels: int, tmp_path: Path) -> None:
    traps = {"_was_trained_on_minus_one_one": True, "pixel_std": 0.5} if name == "NCSNpp" else {}
    network = theirs(name, channels, **traps)
    torch.save({"state_dict": network.state_dict()}, tmp_path / "it.ckpt")
    prior = sigma_denoiser(name, str(tmp_path / "it.ckpt"), channels, SMALL[name])
    assert prior.channels == channels
    x, sigma = torch.rand(2, channels, 32, 32), torch.tensor([0.02, 0.1])
    with torch.no_grad():
        expected = 2 * network(x, sigma) - 1
        torch.testing.assert_close(prior.denoise(2 * x - 1, 2 * sigma), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "grey_levels"), [("DRUNet", 50), ("GSDRUNet", 50), ("FFDNet", 75)])
def test_the_range_is_that_of_the_training(name: str, grey_levels: float) -> None:
    highest = float(sigma_denoiser(name, "", 1, SMALL[name]).schedule.log_sigmas[-1].exp())
    assert 0.97 < highest / (2 * grey_levels / 255) <= 1


def test_a_class_without_a_published_range_asks_for_one() -> None:
    small = {"depth": 3, "nf": 4}
    with pytest.raises(SettingError, match=r"no range of σ is published for DnCNN.*give low and high"):
        denoiser_prior("DnCNN", "", 1, small)
    sigmas = sigma_denoiser("DnCNN", "", 1, small, low=0.02, high=0.3).schedule.log_sigmas.exp()
    assert 0.02 <= float(sigmas[0]) < float(sigmas[-1]) <= 0.3


def test_a_gradient_passes_through_every_denoiser() -> None:
    """GSDRUNet computes a gradient inside, and by default cuts the one through itself."""
    for name, options in SMALL.items():
        torch.manual_seed(0)  # a small network without training may have no unit that is not silent
        prior = sigma_denoiser(name, "", 1, options)
        x = torch.rand(1, 1, 32, 32, requires_grad=True)
        (gradient,) = torch.autograd.grad(prior.denoise(x, torch.tensor([0.1])).sum(), x)
        assert bool(gradient.abs().sum() > 0), name
        with torch.no_grad():
            assert not prior.denoise(x.detach(), torch.tensor([0.1])).requires_grad


class Shrinking(nn.Module):
    """A denoiser of one's own."""

    def __init__(self, factor: float = 0.5) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        return 0.5 + self.factor * (x - 0.5) / (1 + sigma.view(-1, 1, 1, 1))


def test_a_denoiser_of_one_s_own_is_taken_by_import_path() -> None:
    path = "tests.methods.test_deepinv_denoisers.Shrinking"
    prior = sigma_denoiser(path, "", 1, {"factor": 0.25}, low=0.0, high=1.0)
    x = torch.randn(2, 1, 4, 4)
    expected = 0.25 * x / torch.tensor([1.1, 1.2]).view(2, 1, 1, 1)
    torch.testing.assert_close(prior.denoise(x, torch.tensor([0.2, 0.4])), expected)


@pytest.mark.slow
@pytest.mark.parametrize("with_tables", [True, False])
def test_diffunet_is_asked_for_its_noise_and_neither_clips_nor_pads(tmp_path: Path, with_tables: bool) -> None:
    """Files of OpenAI and DPS lack the two tables that deepinv stores in those that it writes."""
    with torch.device("meta"):
        network: Any = deepinv.models.DiffUNet(pretrained=None)  # type: ignore[arg-type]  # None is allowed
    randomised(network.to_empty(device="cpu"))
    state = {k: v for k, v in network.state_dict().items() if with_tables or "alphas" not in k}
    torch.save(state, tmp_path / "diffunet.pt")
    prior = denoiser_prior("DiffUNet", str(tmp_path / "diffunet.pt"), 3)
    x, t = 3 * torch.randn(1, 3, 32, 32), torch.tensor([400.0])
    a, s = (v.float() for v in prior.schedule.scales(t))
    expected = (x - s * network.forward_diffusion(x, t)[:, :3]) / a
    torch.testing.assert_close(prior.x0(x, t), expected.detach(), rtol=1e-4, atol=1e-4)


def test_wrong_names_and_weights_are_answered() -> None:
    with pytest.raises(SettingError, match="Did you mean 'DRUNet'"):
        denoiser_prior("DRUnet", "", 1)
    with pytest.raises(PluginError, match="cannot import nowhere"):
        denoiser_prior("nowhere.Net", "", 1)
    with pytest.raises(WeightsError, match="there is no file"):
        denoiser_prior("DRUNet", "missing.pth", 1, SMALL["DRUNet"])
    with pytest.raises(SettingError, match="is a download"):
        denoiser_prior("DRUNet", "", 1, {"pretrained": "download"})
