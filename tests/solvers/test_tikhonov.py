"""Tikhonov regularisation of the gradient."""

from typing import Any

import pytest
import torch

from bench import SettingError
from bench.methods.classical.differences import difference_adjoint, differences
from bench.plugins.lookup import find_plugin, load_plugin
from tests.problems import camera, problem

Tikhonov: Any = load_plugin(find_plugin("solver", "tikhonov"))


@pytest.mark.parametrize("size", [48, 63])
def test_it_solves_its_normal_equations(size: int):
    data, _ = problem([camera(64)[:, :size, : size - 2]], gain=0.001)
    x, blur = Tikhonov(mu=50.0).solve(data), data.blur
    residual = blur.A_adjoint(blur.A(x) - data.y) + 50 * data.variance * difference_adjoint(differences(x))
    assert float(residual.abs().max()) < 1e-12


def test_more_weight_means_smaller_gradients():
    data, _ = problem([camera()], boundary="valid")
    energy = [float(differences(Tikhonov(mu=mu).solve(data)).square().sum()) for mu in (1.0, 10.0, 100.0, 1000.0)]
    assert energy == sorted(energy, reverse=True)


def test_a_negative_weight_is_refused():
    with pytest.raises(SettingError, match="mu must be at least 0"):
        Tikhonov(mu=-1.0)


def test_without_weight_and_noise_it_inverts_an_invertible_blur():
    kernel = torch.tensor([[0.0, 0.1, 0.0], [0.05, 0.7, 0.1], [0.0, 0.05, 0.0]], dtype=torch.float64).numpy()
    data, truth = problem([camera()], kernel, sigma=0.0)
    torch.testing.assert_close(Tikhonov(mu=0.0).solve(data), truth, rtol=0, atol=1e-10)
