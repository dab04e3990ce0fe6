"""Networks, priors and weights files."""

import json
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from bench.diffusion.schedule import Schedule
from bench.errors import SettingError, WeightsError
from bench.networks import weights
from bench.networks.prior import Prior, build, scalar
from bench.networks.seed003 import Seed003Config, SelfAttention
from bench.networks.unet import UNet, UNetConfig, count_parameters

TINY = UNetConfig(channels=(8, 16), groups=4, attention=(False, True), head_dim=8, space_to_depth=2)
LINEAR = {"name": "linear", "steps": 1000}


@pytest.fixture(scope="module")
def tiny() -> Prior:
    torch.manual_seed(0)
    return build(TINY, LINEAR, "v", {"network": TINY.model_dump(), "schedule": LINEAR, "prediction": "v"})


def test_the_network_of_seed_000_has_15_722_625_parameters():
    config = UNetConfig(channels=(64, 128, 256), layers=2, attention=(False, False, True), head_dim=8, dropout=0.1)
    assert count_parameters(UNet(config)) == 15_722_625


def test_the_network_of_seed_003_has_6_614_881_parameters_and_keeps_the_shape():
    prior = build(Seed003Config(kind="seed003"), {"name": "cosine", "steps": 1000}, "epsilon")
    assert count_parameters(prior) == 6_614_881
    x = torch.randn(2, 1, 28, 28)
    assert prior(x, torch.tensor([0.0, 999.0])).shape == x.shape
    with pytest.raises(SettingError, match="multiples of 4"):
        prior(x[..., :27], torch.zeros(2))


def test_attention_of_seed_003_gathers_from_every_pixel_and_ignores_their_order():
    """Permuting the pixels permutes the output: there is no positional encoding."""
    torch.manual_seed(0)
    attention = SelfAttention(96)
    x = torch.randn(2, 96, 3, 4)
    order = torch.randperm(12)
    permuted = x.flatten(2)[..., order].view_as(x)
    assert torch.allclose(attention(permuted).flatten(2), attention(x).flatten(2)[..., order], atol=1e-5)


def test_the_cpu_network_has_between_three_and_four_million_parameters():
    config = UNetConfig(channels=(64, 96, 128), attention=(False, False, True), space_to_depth=2)
    assert count_parameters(UNet(config)) == 3_779_588


def test_folding_space_into_depth_loses_nothing():
    x = torch.randn(2, 1, 12, 20)
    assert torch.equal(pixel_shuffle(pixel_unshuffle(x, 2), 2), x)


@pytest.mark.parametrize("size", [(4, 4), (8, 12), (20, 4), (64, 64)])
def test_the_output_has_the_shape_of_every_input_that_fits_the_stride(tiny: Prior, size: tuple[int, int]):
    assert tiny.stride == 4
    x = torch.randn(2, 1, *size)
    assert tiny(x, torch.tensor([3.0, 900.5])).shape == x.shape


@pytest.mark.parametrize("size", [(6, 8), (8, 9), (0, 4)])
def test_sides_off_the_stride_are_refused_with_the_stride_named(tiny: Prior, size: tuple[int, int]):
    with pytest.raises(SettingError, match="multiples of 4"):
        tiny(torch.zeros(1, 1, *size), torch.zeros(1))


def test_levels_without_an_entry_for_attention_are_refused():
    with pytest.raises(ValidationError, match="one entry per level"):
        UNetConfig(channels=(32, 32), attention=(True,))


def test_widths_that_do_not_fit_the_groups_are_refused():
    with pytest.raises(ValidationError, match="multiple of groups"):
        UNetConfig(channels=(20,), attention=(True,))


class Oracle(nn.Module):
    """The exact prediction for x_0 ~ N(0, variance): E[x_0 | x_t] = a·variance/(a²·variance + s²) x_t."""

    def __init__(self, prediction: str, variance: float = 0.25) -> None:
        super().__init__()
        self.prediction, self.variance = prediction, variance
        self.schedule = Schedule.make("linear")

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        a, s = (c.view(-1, 1, 1, 1) for c in self.schedule.scales(t))
        x0 = a * self.variance / (a**2 * self.variance + s**2) * x
        eps = (x - a * x0) / s
        return eps if self.prediction == "epsilon" else a * eps - s * x0


@pytest.mark.parametrize("prediction", ["epsilon", "v"])
def test_both_predictions_give_the_posterior_mean_of_a_gaussian(prediction):
    prior = Prior(Oracle(prediction), Schedule.make("linear"), prediction)
    y = torch.randn(3, 1, 4, 4, dtype=torch.float64)
    sigma = torch.tensor([0.05, 0.4, 3.0], dtype=torch.float64)
    wiener = 0.25 / (0.25 + sigma**2).view(-1, 1, 1, 1) * y
    assert torch.allclose(prior.denoise(y, sigma), wiener, atol=1e-6)


@pytest.mark.parametrize("prediction", ["epsilon", "v"])
def test_noise_and_clean_image_recombine_to_the_noisy_one(tiny: Prior, prediction):
    prior = Prior(tiny.network, tiny.schedule, prediction)
    x, t = torch.randn(3, 1, 8, 8), torch.tensor([0.0, 250.5, 700.0])
    a, s = (c.float().view(-1, 1, 1, 1) for c in prior.schedule.scales(t))
    with torch.no_grad():
        assert torch.allclose(a * prior.x0(x, t) + s * prior.epsilon(x, t), x, atol=1e-4)


@pytest.mark.parametrize("prediction", ["epsilon", "v"])
def test_a_network_that_predicts_its_target_recovers_image_and_noise(prediction):
    x0, noise = torch.randn(2, 1, 4, 4).double(), torch.randn(2, 1, 4, 4).double()
    t = torch.tensor([20.0, 600.0], dtype=torch.float64)

    class Perfect(nn.Module):
        def forward(self, x: Tensor, t: Tensor) -> Tensor:
            return target

    prior = Prior(Perfect(), Schedule.make("linear"), prediction)
    x_t, target = prior.target(x0, noise, t)
    assert torch.allclose(prior.x0(x_t, t), x0, atol=1e-9)
    assert torch.allclose(prior.epsilon(x_t, t), noise, atol=1e-9)


def test_weights_survive_half_precision_within_its_rounding(tiny: Prior, tmp_path: Path):
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(weights.encode(tiny.network.state_dict(), tiny.card))
    loaded = weights.load(path)
    for name, value in loaded.network.state_dict().items():
        assert torch.equal(value, tiny.network.state_dict()[name].half().float()), name
    y = torch.randn(1, 1, 8, 8)
    sigma = scalar(0.2, y)
    with torch.no_grad():
        assert torch.allclose(loaded.denoise(y, sigma), tiny.denoise(y, sigma), atol=5e-3)


def test_loaded_weights_are_frozen_float32_and_in_evaluation_mode(tiny: Prior, tmp_path: Path):
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(weights.encode(tiny.network.state_dict(), tiny.card))
    loaded = weights.load(path)
    assert not loaded.training
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in loaded.parameters())


def test_the_card_beside_the_weights_repeats_the_header_and_seals_the_file(tiny: Prior, tmp_path: Path):
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(weights.encode(tiny.network.state_dict(), tiny.card))
    card = json.loads(weights.write_card(path).read_text())
    assert card["prediction"] == "v"
    assert weights.load(path).card["schedule"] == LINEAR
    path.write_bytes(weights.encode({k: v + 1 for k, v in tiny.network.state_dict().items()}, tiny.card))
    with pytest.raises(WeightsError, match="sha256 differs"):
        weights.load(path)


@pytest.mark.parametrize("content", [None, b"", b"not weights at all"])
def test_a_file_that_is_no_weights_is_refused_by_name(tmp_path: Path, content: bytes | None):
    path = tmp_path / "w.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"w\.safetensors"):
        weights.load(path)
