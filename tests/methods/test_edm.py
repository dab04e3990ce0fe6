"""EDM's denoisers against deepinv's, and the coefficients of its Table 1 against what they are made for."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from bench.errors import WeightsError
from bench.methods.networks.edm import EDMPrior, config_of, edm_coefficients, read_edm, vp_coefficients
from tests.methods.test_adm import randomised

SMALL: dict[str, Any] = {
    "img_resolution": 16,
    "model_channels": 32,
    "channel_mult": (1, 2),
    "num_blocks": 1,
    "attn_resolutions": (8,),
}


def network(kind: str, **fields: Any) -> Any:
    from deepinv.models import NCSNpp

    made = NCSNpp(model_type=kind, pretrained=None, **{**SMALL, **fields})
    randomised(made)
    return made


@pytest.mark.parametrize("prefix", ["", "model."])
@pytest.mark.parametrize("kind", ["ddpm", "ncsn"])
def test_the_denoiser_is_deepinv_s_set_to_the_units_of_the_training(kind: str, prefix: str, tmp_path: Path) -> None:
    theirs = network(kind, _was_trained_on_minus_one_one=True, pixel_std=0.5)
    file = tmp_path / "edm.safetensors"
    save_file({prefix + k: v.contiguous() for k, v in theirs.state_dict().items()}, file)
    prior = read_edm(file)
    x, sigma = torch.rand(2, 3, 16, 24), torch.tensor([0.03, 2.0])
    with torch.no_grad():
        expected = 2 * theirs(x, sigma) - 1  # [0, 1] units outside
    torch.testing.assert_close(prior.denoise(2 * x - 1, 2 * sigma), expected, rtol=1e-5, atol=1e-5)


def test_the_denoiser_of_a_baseline_is_deepinv_s() -> None:
    theirs = network("ncsn", _was_trained_on_minus_one_one=True)
    theirs.precondition_type = "ve-baseline"
    prior = EDMPrior(theirs, {**SMALL, "in_channels": 3}, "ve")
    x, sigma = torch.randn(1, 3, 16, 16), torch.tensor([2.0])
    with torch.no_grad():
        expected = theirs(x, sigma, input_in_minus_one_one=True)
        torch.testing.assert_close(prior.denoise(x, sigma), expected, rtol=1e-5, atol=1e-5)


def test_edm_s_coefficients_give_the_network_inputs_and_targets_of_unit_variance() -> None:
    """The two conditions that determine them (appendix B.6), at every σ: for white images the target is known."""
    sigma = torch.logspace(-3, 2, 9, dtype=torch.float64)
    c = edm_coefficients(sigma)
    torch.testing.assert_close(c.scale**2 * (0.25 + sigma**2), torch.ones_like(sigma))
    # target = (x_0 - c_skip (x_0 + σ n)) / c_out
    variance = ((1 - c.skip) ** 2 * 0.25 + c.skip**2 * sigma**2) / c.out**2
    torch.testing.assert_close(variance, torch.ones_like(sigma))


def test_vp_s_noise_label_is_the_time_at_which_the_process_has_that_noise() -> None:
    t = torch.linspace(0.01, 1, 20, dtype=torch.float64)
    sigma = torch.expm1(19.9 * t**2 / 2 + 0.1 * t).sqrt()
    torch.testing.assert_close(vp_coefficients(sigma).noise, 999 * t, rtol=1e-9, atol=0)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"num_blocks": 2, "channel_mult": (1, 1, 3), "attn_resolutions": (16, 4), "augment_dim": 0},
        {"in_channels": 1, "out_channels": 1, "img_resolution": 32, "attn_resolutions": (16,), "channel_mult_emb": 2},
    ],
)
@pytest.mark.parametrize("kind", ["ddpm", "ncsn"])
def test_a_network_is_known_by_its_shapes(kind: str, fields: dict[str, Any]) -> None:
    from deepinv.models import NCSNpp

    config = config_of(network(kind, **fields).state_dict())
    assert config["model_type"] == kind
    defaults = {"in_channels": 3, "out_channels": 3, "augment_dim": 9, "channel_mult_emb": 4}
    assert {k: config[k] for k in {**defaults, **SMALL}} == {**defaults, **SMALL, **fields}
    again = NCSNpp(**config, pretrained=None).state_dict()
    assert {k: v.shape for k, v in again.items()} == shapes(network(kind, **fields))


def shapes(network: nn.Module) -> dict[str, torch.Size]:
    return {k: v.shape for k, v in network.state_dict().items()}


@pytest.mark.parametrize(("kind", "tensors"), [("ddpm", 553), ("ncsn", 563)])
def test_the_published_64_px_networks_have_the_names_that_were_counted_in_their_files(
    kind: str, tensors: int
) -> None:
    from deepinv.models import NCSNpp

    with torch.device("meta"):
        state = NCSNpp(model_type=kind, pretrained=None).state_dict()
    assert len(state) == tensors
    config = config_of(state)
    assert (config["img_resolution"], config["channel_mult"], config["num_blocks"]) == (64, (1, 2, 2, 2), 4)
    assert (config["attn_resolutions"], config["augment_dim"]) == ((16,), 9)


def test_a_pickle_is_answered_with_the_line_that_converts_it(tmp_path: Path) -> None:
    (tmp_path / "edm.pkl").write_bytes(pickle.dumps({"ema": 1}))
    with pytest.raises(WeightsError, match=r"convert it once.*save_file"):
        read_edm(tmp_path / "edm.pkl")


def test_other_weights_are_refused() -> None:
    with pytest.raises(WeightsError, match="class-conditional"):
        config_of({"map_label.weight": torch.zeros(1)})
    with pytest.raises(WeightsError, match=r"no state dict of EDM's SongUNet.*m_head\.weight"):
        config_of({"m_head.weight": torch.zeros(1)})
