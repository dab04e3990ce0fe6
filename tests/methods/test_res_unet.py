"""The residual U-Net, gray and in colour, and the optimiser that it is trained with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from bench.errors import SettingError
from bench.methods.diffusion.schedule import Schedule
from bench.methods.networks import weights
from bench.methods.networks.prior import DiffusionPrior, build, scalar
from bench.methods.networks.res_unet import ResUNetConfig, coloured, deepened
from bench.train import session
from bench.train.data import images as data
from bench.train.muon import Muon, is_matrix, orthogonalised
from tests.training import write_images, write_recipe

LINEAR = {"name": "linear", "steps": 1000}
NETWORK = {"kind": "res_unet", "channels": [16, 24], "blocks": [1, 2], "space_to_depth": 2, "embedding": 8}
pytestmark = pytest.mark.usefixtures("one_thread")


def config(image_channels: int = 1) -> ResUNetConfig:
    return ResUNetConfig.model_validate({**NETWORK, "image_channels": image_channels})


def shaken(image_channels: int = 1) -> DiffusionPrior:
    """A prior whose every weight is random: fresh ones begin with gains of one and an output of zero."""
    torch.manual_seed(0)
    network = config(image_channels).model_dump(mode="json")
    prior = build(config(image_channels), LINEAR, "v", {"network": network, "schedule": LINEAR, "prediction": "v"})
    with torch.no_grad():
        for p in prior.parameters():
            p.add_(0.05 * torch.randn_like(p))
    return prior


@pytest.mark.parametrize("image_channels", [1, 3])
def test_the_prediction_has_the_shape_of_the_image_and_every_weight_a_gradient(image_channels: int):
    prior = shaken(image_channels)
    x = torch.randn(2, image_channels, 8, 12)
    out = prior(x, torch.tensor([0.0, 730.5]))
    assert out.shape == x.shape
    out.square().mean().backward()
    for name, p in prior.named_parameters():
        assert p.grad is not None, name
        assert p.grad.abs().max() > 0, name


def test_sides_off_the_stride_are_refused():
    prior = shaken()
    assert prior.stride == 4
    with pytest.raises(SettingError, match="multiples of 4"):
        prior(torch.zeros(1, 1, 8, 10), torch.zeros(1))


def test_a_level_without_its_number_of_blocks_is_refused():
    with pytest.raises(ValidationError, match="one entry per level: 2, not 1"):
        ResUNetConfig(kind="res_unet", channels=(8, 8), blocks=(1,))
    with pytest.raises(ValidationError, match="at least 1"):
        ResUNetConfig(kind="res_unet", channels=(8, 8), blocks=(1, 0))


def test_each_image_of_a_batch_is_denoised_at_its_own_level_as_if_alone():
    prior = shaken().eval()
    y, sigma = torch.randn(3, 1, 8, 8), torch.tensor([0.02, 0.3, 4.0], dtype=torch.float64)
    together = prior.denoise(y, sigma)
    for i in range(3):
        assert torch.allclose(prior.denoise(y[i : i + 1], sigma[i : i + 1]), together[i : i + 1], atol=1e-5)
    assert not torch.allclose(prior.denoise(y, sigma.flip(0)), together, atol=1e-2)


def test_an_untrained_network_scales_the_noisy_picture_and_does_no_more():
    """The last convolution is zero at first: E[x_0 | x_t] = a x_t, as in a residual denoiser."""
    prior = build(config(), LINEAR, "v")
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([3.0, 500.0], dtype=torch.float64)
    a, _ = Schedule.make("linear").scales(t)
    assert torch.allclose(prior.x0(x, t), a.float().view(-1, 1, 1, 1) * x)


def test_weights_survive_the_file(tmp_path: Path):
    prior, path = shaken(3), tmp_path / "w.safetensors"
    path.write_bytes(weights.encode(prior.network.state_dict(), prior.card, torch.float32))
    loaded = weights.load(path)
    y = torch.randn(1, 3, 8, 8)
    assert torch.equal(loaded.denoise(y, scalar(0.2, y)), prior.denoise(y, scalar(0.2, y)))


def test_a_gray_network_in_colour_answers_for_each_colour_what_it_says_of_their_mean():
    gray, colour = shaken(1), shaken(3)
    wider, tensors = coloured(config(1), gray.network.state_dict(), 3)
    assert wider == config(3)
    colour.network.load_state_dict(tensors)
    x, t = torch.randn(2, 3, 8, 8), torch.tensor([10.0, 400.0])
    expected = gray(x.mean(1, keepdim=True), t).expand(-1, 3, -1, -1)
    assert torch.allclose(colour(x, t), expected, atol=1e-4)


def test_a_deeper_network_computes_what_the_shallow_one_did():
    shallow = shaken(1)
    config_, tensors = deepened(config(1), shallow.network.state_dict(), (2, 3))
    deep = build(config_, LINEAR, "v")
    deep.network.load_state_dict(tensors)
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([10.0, 400.0])
    assert sum(p.numel() for p in deep.network.parameters()) > sum(p.numel() for p in shallow.network.parameters())
    assert torch.equal(deep(x, t), shallow(x, t))


# --- training -------------------------------------------------------------------------------------------------


def test_muon_sets_the_singular_values_of_a_matrix_to_about_one():
    for shape in ((24, 54), (54, 24)):
        matrix = torch.randn(shape) @ torch.diag(torch.logspace(0, -1, shape[1]))
        values = torch.linalg.svdvals(orthogonalised(matrix))
        assert values.min() > 0.5
        assert values.max() < 1.4


def test_muon_leaves_first_and_last_convolution_gains_and_biases_to_adam():
    network = shaken().network
    matrices = {name for name, p in network.named_parameters() if is_matrix(p)}
    assert "middle.0.conv1.weight" in matrices
    assert {"head.weight", "tail.weight", "level.0.weight", "middle.0.gain.bias"}.isdisjoint(matrices)


def test_muon_without_matrices_is_adam():
    """Against torch's own, three steps."""
    start = torch.randn(5, 3)
    ends = []
    for kind in (Muon, torch.optim.Adam):
        p = torch.nn.Parameter(start.clone())
        optimiser = kind([p], lr=0.1, betas=(0.9, 0.99))
        for n in range(3):
            p.grad = (n + 1.0) * torch.sin(7 * start + n)
            optimiser.step()
        ends.append(p.detach())
    assert torch.allclose(ends[0], ends[1], atol=1e-6)


@pytest.mark.parametrize("colours", [1, 3])
def test_a_training_interrupted_ends_in_the_same_bits_and_learns(colours: int, tmp_path: Path):
    root = write_images(tmp_path)
    recipe = write_recipe(
        tmp_path / "r.yaml",
        network={**NETWORK, "image_channels": colours},
        optimiser={"name": "muon", "lr": 2e-3, "warmup": 3, "decay": 4},
        precision="bf16",
    )
    once = session.run(recipe, tmp_path / "once", data_root=root)
    session.run(recipe, tmp_path / "twice", data_root=root, steps=5)
    twice = session.run(recipe, tmp_path / "twice", data_root=root, resume=True)
    tensors, card = weights.read(once)
    again, _ = weights.read(twice)
    assert card["network"]["image_channels"] == colours
    assert card["validation"]["psnr_25"] > 20.6
    assert all(torch.equal(tensors[k], again[k]) for k in tensors)


def test_a_colour_training_may_start_from_gray_weights(tmp_path: Path):
    root, gray = write_images(tmp_path), tmp_path / "gray.safetensors"
    prior = shaken(1)
    gray.write_bytes(weights.encode(prior.network.state_dict(), prior.card))
    recipe = write_recipe(
        tmp_path / "r.yaml", network={**NETWORK, "image_channels": 3}, steps=1, init=str(gray), optimiser={"lr": 1e-9}
    )
    best = session.run(recipe, tmp_path / "out", data_root=root)
    stored, name = weights.load(best).network.state_dict(), "middle.0.conv1.weight"
    assert torch.allclose(stored[name], prior.network.state_dict()[name], atol=1e-3)
    assert stored["head.weight"].shape == (16, 14, 3, 3)


def test_colour_crops_keep_their_three_planes():
    pixels = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    planes = data.to_model(pixels)
    assert planes.shape == (2, 3, 4, 4)
    assert np.allclose(127.5 * (planes[1, 2] + 1), pixels[1, :, :, 2])
