"""Networks, priors and weights files."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from bench.errors import SettingError, WeightsError
from bench.methods.diffusion.schedule import Schedule
from bench.methods.networks import conditional, multiscale, restorer, weights
from bench.methods.networks.attention_unet import AttentionUNetConfig, SelfAttention
from bench.methods.networks.conditional import ConditionalUNet
from bench.methods.networks.convir import ConvIR, ConvIRConfig
from bench.methods.networks.prior import DiffusionPrior, build, scalar
from bench.methods.networks.restoration_weights import load_restorer
from bench.methods.networks.restorer import RestorerConfig
from bench.methods.networks.swinir import SwinIR, SwinIRConfig
from bench.methods.networks.unet import UNet, UNetConfig, count_parameters
from tests.restoration import CONVIR, RESIDUAL, SWINIR, UNET

TINY = UNetConfig(channels=(8, 16), groups=4, attention=(False, True), head_dim=8, space_to_depth=2)
LINEAR = {"name": "linear", "steps": 1000}


@pytest.fixture(scope="module")
def tiny() -> DiffusionPrior:
    torch.manual_seed(0)
    return build(TINY, LINEAR, "v", {"network": TINY.model_dump(), "schedule": LINEAR, "prediction": "v"})


def test_the_network_of_study_000_has_15_722_625_parameters():
    config = UNetConfig(channels=(64, 128, 256), layers=2, attention=(False, False, True), head_dim=8, dropout=0.1)
    assert count_parameters(UNet(config)) == 15_722_625


def test_the_network_of_study_003_has_6_614_881_parameters_and_keeps_the_shape():
    prior = build(AttentionUNetConfig(kind="seed003"), {"name": "cosine", "steps": 1000}, "epsilon")
    assert count_parameters(prior) == 6_614_881
    x = torch.randn(2, 1, 28, 28)
    assert prior(x, torch.tensor([0.0, 999.0])).shape == x.shape
    with pytest.raises(SettingError, match="multiples of 4"):
        prior(x[..., :27], torch.zeros(2))


def test_attention_of_study_003_gathers_from_every_pixel_and_ignores_their_order():
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
def test_the_output_has_the_shape_of_every_input_that_fits_the_stride(tiny: DiffusionPrior, size: tuple[int, int]):
    assert tiny.stride == 4
    x = torch.randn(2, 1, *size)
    assert tiny(x, torch.tensor([3.0, 900.5])).shape == x.shape


@pytest.mark.parametrize("size", [(6, 8), (8, 9), (0, 4)])
def test_sides_off_the_stride_are_refused_with_the_stride_named(tiny: DiffusionPrior, size: tuple[int, int]):
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
    prior = DiffusionPrior(Oracle(prediction), Schedule.make("linear"), prediction)
    y = torch.randn(3, 1, 4, 4, dtype=torch.float64)
    sigma = torch.tensor([0.05, 0.4, 3.0], dtype=torch.float64)
    wiener = 0.25 / (0.25 + sigma**2).view(-1, 1, 1, 1) * y
    assert torch.allclose(prior.denoise(y, sigma), wiener, atol=1e-6)


@pytest.mark.parametrize("prediction", ["epsilon", "v"])
def test_noise_and_clean_image_recombine_to_the_noisy_one(tiny: DiffusionPrior, prediction):
    prior = DiffusionPrior(tiny.network, tiny.schedule, prediction)
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

    prior = DiffusionPrior(Perfect(), Schedule.make("linear"), prediction)
    x_t, target = prior.target(x0, noise, t)
    assert torch.allclose(prior.x0(x_t, t), x0, atol=1e-9)
    assert torch.allclose(prior.epsilon(x_t, t), noise, atol=1e-9)


def test_weights_survive_half_precision_within_its_rounding(tiny: DiffusionPrior, tmp_path: Path):
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(weights.encode(tiny.network.state_dict(), tiny.card))
    loaded = weights.load(path)
    for name, value in loaded.network.state_dict().items():
        assert torch.equal(value, tiny.network.state_dict()[name].half().float()), name
    y = torch.randn(1, 1, 8, 8)
    sigma = scalar(0.2, y)
    with torch.no_grad():
        assert torch.allclose(loaded.denoise(y, sigma), tiny.denoise(y, sigma), atol=5e-3)


def test_equal_weights_make_equal_files(tiny: DiffusionPrior):
    once, *more = (weights.encode(tiny.network.state_dict(), tiny.card) for _ in range(8))
    assert more == [once] * 7


def test_loaded_weights_are_frozen_float32_and_in_evaluation_mode(tiny: DiffusionPrior, tmp_path: Path):
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(weights.encode(tiny.network.state_dict(), tiny.card))
    loaded = weights.load(path)
    assert not loaded.training
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in loaded.parameters())


def test_the_card_beside_the_weights_repeats_the_header_and_seals_the_file(tiny: DiffusionPrior, tmp_path: Path):
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


# --- conditional networks and restorers -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "multi_scale", "parameters"),
    [(3, True, 5_530_505), (7, True, 8_630_665), (15, True, 14_830_985), (6, True, 7_855_625), (6, False, 6_128_681)],
)
def test_convir_has_the_parameters_of_the_published_sizes_and_of_study_004(
    n: int, multi_scale: bool, parameters: int
):
    """S, B and L of the paper; study 004's n = 6 with and without the multi-scale module; RGB."""
    with torch.device("meta"):
        network = ConvIR(ConvIRConfig(kind="convir", n=n, multi_scale=multi_scale, image_channels=3))
    assert count_parameters(network) == parameters


@pytest.mark.parametrize(("config", "parameters"), [({}, 903_121), ({"frames": 5}, 905_281)])
def test_swinir_light_has_the_published_number_of_parameters_and_a_burst_2160_more(config: Any, parameters: int):
    """Each further frame costs 60 filters of 3 × 3 in the first convolution."""
    network = SwinIR(SwinIRConfig(kind="swinir", **config))
    assert count_parameters(network) == parameters
    assert sum(v.numel() for v in network.state_dict().values()) == parameters  # masks are not stored


@pytest.mark.slow
@pytest.mark.parametrize(("channels", "parameters"), [(1, 11_497_681), (3, 11_504_163)])
def test_swinir_has_the_published_number_of_parameters(channels: Any, parameters: int):
    config = SwinIRConfig(kind="swinir", width=180, depths=(6,) * 6, image_channels=channels)
    assert count_parameters(SwinIR(config)) == parameters


def test_swinir_begins_as_the_identity_on_the_middle_frame():
    network = SwinIR(SWINIR.model_copy(update={"frames": 3}))
    y = torch.rand(2, 3, 16, 24)
    assert torch.equal(network(y)[0], y[:, 1:2])


def test_the_outputs_of_convir_are_the_scales_of_its_input():
    shapes = [tuple(x.shape) for x in ConvIR(CONVIR)(torch.rand(2, 1, 24, 32))]
    assert shapes == [(2, 1, 24, 32), (2, 1, 12, 16), (2, 1, 6, 8)]


def test_the_multi_scale_module_wants_images_of_256_pixels():
    network = ConvIR(ConvIRConfig(kind="convir", n=0, width=8, multi_scale=True)).eval()
    with pytest.raises(SettingError, match="at least 256"):
        network(torch.zeros(1, 1, 224, 256))
    assert network(torch.zeros(1, 1, 256, 256))[0].shape == (1, 1, 256, 256)


def test_a_predicted_filter_of_equal_taps_averages_the_pixels_that_it_reaches():
    """tanh⁻¹(1/9) for every tap, a = 1, b = -1: the mean of 9 pixels, ``dilation`` apart."""
    module = multiscale._Filter(8, (3, 3), dilation=2)
    with torch.no_grad():
        module.a.fill_(1)
        module.b.fill_(-1)
        module.predict.weight.fill_(math.atanh(1 / 9) / 8)
    x = torch.zeros(1, 8, 11, 11)
    x[..., 5, 5] = 9.0
    x += 1 - x.mean()  # the filter follows from the mean, here 1
    flat = x[0, 0, 0, 0]
    out = module(x)[0, 0]
    hit = (out - flat).abs() > 1e-4
    assert [tuple(p) for p in hit.nonzero().tolist()] == [(i, j) for i in (3, 5, 7) for j in (3, 5, 7)]
    assert float(out[5, 5].detach()) == pytest.approx(float(flat) + 1, abs=1e-4)


@pytest.mark.parametrize("config", [CONVIR, SWINIR], ids=lambda c: c.kind)
@pytest.mark.parametrize("size", [(17, 30), (3, 40), (16, 16)])
def test_a_restorer_takes_any_size(config: RestorerConfig, size: tuple[int, int]):
    model = restorer.build(config).eval()
    assert model(torch.rand(2, 1, *size)).shape == (2, 1, *size)


def test_no_head_dimension_means_a_single_head():
    network = ConditionalUNet(UNET.model_copy(update={"channels": (8, 16), "head_dim": None}))
    heads = {m.heads for m in network.modules() if type(m).__name__ == "Attention"}
    assert heads == {1}


def test_a_residual_model_adds_what_it_samples_to_the_predictors_estimate():
    model = conditional.build(RESIDUAL, LINEAR, "v").eval()
    y, x = torch.rand(2, 1, 16, 16) * 2 - 1, torch.rand(2, 1, 16, 16) * 2 - 1
    condition = model.condition(y)
    assert model.predictor is not None
    estimate = 2 * model.predictor((y + 1) / 2) - 1
    assert torch.allclose(condition.encode(x), RESIDUAL.residual_scale * (x - estimate), atol=1e-5)
    assert torch.allclose(condition.decode(condition.encode(x)), x, atol=1e-5)
    assert model.given(condition.given)(x, torch.tensor([3.0, 500.0])).shape == x.shape


def test_batch_statistics_survive_a_weights_file(tmp_path: Path):
    """The multi-scale module normalises with running means: they and their counter are stored."""
    config = ConvIRConfig(kind="convir", n=0, width=8, multi_scale=True)
    model = restorer.build(config)
    for name, value in model.network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            value.fill_(100_000)
        elif "running" in name:
            value.fill_(0.25)
    card = {"kind": "restorer", "network": config.model_dump(mode="json")}
    (tmp_path / "w.safetensors").write_bytes(weights.encode(model.network.state_dict(), card))
    stored = load_restorer(tmp_path / "w.safetensors").network.state_dict()
    assert {int(v) for k, v in stored.items() if k.endswith("num_batches_tracked")} == {100_000}
    assert {float(v.max()) for k, v in stored.items() if "running" in k} == {0.25}


def test_a_prior_is_not_mistaken_for_a_restorer(tiny: DiffusionPrior, tmp_path: Path):
    (tmp_path / "w.safetensors").write_bytes(weights.encode(tiny.network.state_dict(), tiny.card))
    with pytest.raises(WeightsError, match="holds the weights of a prior, not of a restorer"):
        load_restorer(tmp_path / "w.safetensors")
