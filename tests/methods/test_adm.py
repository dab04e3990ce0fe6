"""guided-diffusion's network: against deepinv's DiffUNet, an independent one; its configuration from shapes alone."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from bench.errors import WeightsError
from bench.methods.networks.adm import ADM, FFHQ, IMAGENET, ADMConfig, config_of, network_of
from bench.methods.networks.state_dicts import read_state_dict

TINY = ADMConfig(1, 2, 32, (32, 64), 1, (False, True), head_channels=32)


def randomised(network: nn.Module, seed: int = 0) -> nn.Module:
    """Every weight drawn anew: the published initialisation has zeros that would hide mistakes."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in network.parameters():
            p.normal_(generator=generator).mul_(0.5 / max(1, p[0].numel()) ** 0.5)
    return network.eval()


@pytest.fixture(scope="module")
def diffunet() -> nn.Module:
    from deepinv.models import DiffUNet

    with torch.device("meta"):  # to save the initialisation of 94 million numbers
        network = DiffUNet(pretrained=None)  # type: ignore[arg-type]  # None is allowed, says its docstring
    return randomised(network.to_empty(device="cpu"))


def test_the_ffhq_network_is_deepinv_s_with_the_same_names(diffunet: nn.Module) -> None:
    state = diffunet.state_dict()
    config = config_of(state)
    assert config == FFHQ
    x, t = torch.randn(2, 3, 32, 64), torch.tensor([3, 977])
    expected = diffunet.forward_diffusion(x, t)  # type: ignore[operator]  # nn.Module hides what it is
    torch.testing.assert_close(network_of(state, config, "it")(x, t), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("config", "tensors", "values"), [(FFHQ, 362, 93_563_910), (IMAGENET, 566, 552_814_086)])
def test_both_published_networks_are_known_by_their_shapes(config: ADMConfig, tensors: int, values: int) -> None:
    with torch.device("meta"):
        state = ADM(config).state_dict()
    assert (len(state), sum(v.numel() for v in state.values())) == (tensors, values)
    assert config_of(state) == config


@pytest.mark.parametrize(
    "config",
    [
        TINY,
        ADMConfig(3, 3, 32, (32,), 2, (True,)),
        ADMConfig(3, 6, 64, (32, 64, 64), 3, (False, True, False), residual_resampling=False),
        ADMConfig(1, 1, 32, (32, 32, 96), 2, (False, False, False), scale_shift=False),
    ],
)
def test_any_other_network_is_known_by_its_shapes_too(config: ADMConfig) -> None:
    config = replace(config, head_channels=32)
    network = randomised(ADM(config))
    assert config_of(network.state_dict(), head_channels=32) == config
    out = network(torch.randn(2, config.image_channels, 16, 8), torch.tensor([0.0, 999.0]))
    assert out.shape == (2, config.outputs, 16, 8)


def test_the_two_orders_of_attention_s_rows_are_a_permutation_of_each_other() -> None:
    """Legacy: (head, q | k | v, channel); new: (q | k | v, head, channel)."""
    config = ADMConfig(1, 1, 64, (64,), 1, (True,), head_channels=16)
    legacy = randomised(ADM(config))
    state = {
        k: v.unflatten(0, (4, 3, 16)).transpose(0, 1).flatten(0, 2) if ".qkv." in k else v
        for k, v in legacy.state_dict().items()
    }
    new = network_of(state, replace(config, heads_first=False), "it")
    x, t = torch.randn(1, 1, 8, 8), torch.tensor([10.0])
    torch.testing.assert_close(new(x, t), legacy(x, t), rtol=1e-5, atol=1e-5)
    wrong = network_of(state, config, "it")
    assert (wrong(x, t) - legacy(x, t)).abs().max() > 1e-2


def test_a_file_gives_the_network_that_was_saved_however_it_was_wrapped(tmp_path: Path) -> None:
    network = randomised(ADM(TINY))
    x, t = torch.randn(1, 1, 8, 8), torch.tensor([10.0])
    plain = network.state_dict()
    parallel = {f"module.{k}": v for k, v in plain.items()}
    for n, content in enumerate((plain, parallel, {"ema": plain, "step": 7}, {"optimizer": {}, "net": parallel})):
        torch.save(content, tmp_path / f"{n}.pt")
        state = read_state_dict(tmp_path / f"{n}.pt")
        assert torch.equal(network_of(state, config_of(state, 32), "it")(x, t), network(x, t))


def test_half_precision_weights_are_computed_with_in_single(tmp_path: Path) -> None:
    torch.save(randomised(ADM(TINY)).half().state_dict(), tmp_path / "half.pt")
    state = read_state_dict(tmp_path / "half.pt")
    network = network_of(state, config_of(state, 32), "it")
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    assert not any(p.requires_grad for p in network.parameters())


def test_class_conditional_weights_are_refused() -> None:
    state = {**ADM(TINY).state_dict(), "label_emb.weight": torch.zeros(1000, 128)}
    with pytest.raises(WeightsError, match="class-conditional"):
        config_of(state)


def test_weights_of_another_layout_are_refused_with_their_names() -> None:
    with pytest.raises(WeightsError, match=r"no state dict of guided-diffusion.*m_head\.weight"):
        config_of({"m_head.weight": torch.zeros(3)})
    state = ADM(TINY).state_dict()
    del state["middle_block.1.qkv.bias"]
    with pytest.raises(WeightsError, match=r"mine\.pt is not of this layout: it misses middle_block\.1\.qkv\.bias"):
        network_of(state, TINY, "mine.pt")
    with pytest.raises(WeightsError, match="no whole number of heads of 48"):
        ADM(replace(TINY, head_channels=48))


def test_a_pickle_with_code_is_refused_and_its_code_does_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    for name, write in (
        ("a.pkl", lambda f: pickle.dump({"ema": Evil()}, f)),
        ("b.pt", lambda f: torch.save(Evil(), f)),
    ):
        with (tmp_path / name).open("wb") as file:
            write(file)
        with pytest.raises(WeightsError, match="running the code in it"):
            read_state_dict(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_what_holds_no_tensors_is_no_weights(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="there is no file"):
        read_state_dict(tmp_path / "missing.pt")
    torch.save({"step": 3}, tmp_path / "empty.pt")
    with pytest.raises(WeightsError, match="no named tensors"):
        read_state_dict(tmp_path / "empty.pt")
    for name in ("noise.pt", "noise.safetensors"):
        (tmp_path / name).write_bytes(b"not weights at all" * 9)
        with pytest.raises(WeightsError):
            read_state_dict(tmp_path / name)
