"""Priors on a GPU, without one: FakeTensorMode computes devices and shapes and raises where CPU and CUDA mix."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from bench.methods.diffusion.denoiser import Denoiser, PriorModel
from bench.methods.diffusion.levels import at_sigma
from tests.priors.test_foreign_priors import files, model


def pretend(prior: PriorModel) -> PriorModel:
    """The prior with the tensors of its modules on a pretended CUDA device; call it inside the mode."""
    networks = [prior] if isinstance(prior, nn.Module) else vars(prior).values()
    for module in (m for v in networks if isinstance(v, nn.Module) for m in v.modules()):
        tables = (module._parameters, module._buffers)
        for table in tables:
            table.update({k: v.to("cuda") for k, v in table.items() if v is not None})  # type: ignore[arg-type]  # a fake is one
    return prior


FOREIGN = ["adm", "diffusers", "edm", "ffdnet", "deepinv_denoiser"]


@pytest.mark.parametrize("name", [*FOREIGN, "trained", "gaussian", "patch_gmm"])
def test_a_prior_creates_no_tensor_on_the_wrong_device(name: str, tmp_path: Path) -> None:
    prior = model(name, files(tmp_path)[name] if name in FOREIGN else {})
    levels = [at_sigma(prior.schedule, s) for s in (0.1, 0.4)]
    with torch.no_grad():  # what is cached must be real: it outlives the mode
        Denoiser(prior).x0(torch.zeros(2, prior.channels, 32, 48), levels)
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        x = torch.empty(2, prior.channels, 32, 48, device="cuda")
        assert Denoiser(pretend(prior)).x0(x, levels).device.type == "cuda"
