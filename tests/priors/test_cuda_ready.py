"""Priors on a GPU, without one: where CPU and GPU would mix, forward and backward."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.methods.diffusion.denoiser import Denoiser
from bench.methods.diffusion.levels import at_sigma
from tests.pretended import Pretended, to_gpu
from tests.priors.test_foreign_priors import files, model

FOREIGN = ["adm", "diffusers", "edm", "ffdnet", "deepinv_denoiser"]


@pytest.mark.parametrize("name", [*FOREIGN, "trained", "gaussian", "patch_gmm"])
def test_a_prior_creates_no_tensor_on_the_wrong_device(name: str, tmp_path: Path) -> None:
    prior = model(name, files(tmp_path)[name] if name in FOREIGN else {})
    levels = [at_sigma(prior.schedule, s) for s in (0.1, 0.4)]
    with torch.no_grad():  # what is cached must be real: it outlives the mode
        Denoiser(prior).x0(torch.zeros(2, prior.channels, 32, 48), levels)
    with Pretended():
        x = torch.zeros(2, prior.channels, 32, 48, device="cuda", requires_grad=True)
        x0 = Denoiser(to_gpu(prior)).x0(x, levels)
        (gradient,) = torch.autograd.grad(x0.sum(), x)
        assert (x0.device.type, gradient.device.type, gradient.shape) == ("cuda", "cuda", x.shape)
