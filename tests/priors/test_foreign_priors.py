"""Other people's networks through the plug-ins that read them: from a grid's entry to E[x_0 | x_t]."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from bench.errors import WeightsError
from bench.grid.image_index import ImageIndex
from bench.grid.planner import Planner
from bench.grid.read import read_grid
from bench.methods.diffusion.denoiser import Denoiser, PriorModel
from bench.methods.diffusion.levels import at_sigma
from bench.methods.networks.adm import ADM
from bench.plugins.lookup import find_plugin, load_plugin
from bench.plugins.settings import build
from tests.methods.test_adm import TINY, randomised
from tests.methods.test_diffusers_folder import save, unet
from tests.methods.test_edm import network as edm_network
from tests.methods.test_ffdnet import weights as ffdnet_weights


def model(name: str, settings: dict[str, Any]) -> PriorModel:
    plugin = find_plugin("prior", name)
    prior = build(plugin, load_plugin(plugin), settings)
    return prior.load()


def files(folder: Path) -> dict[str, dict[str, Any]]:
    """Every plug-in with random weights in its own layout."""
    torch.save(randomised(ADM(TINY)).state_dict(), folder / "adm.pt")
    save(folder / "unet", unet(), nested=True)
    save_file(
        {f"model.{k}": v.contiguous() for k, v in edm_network("ddpm").state_dict().items()},
        folder / "edm.safetensors",
    )
    torch.save(ffdnet_weights(1, 8, 2), folder / "ffdnet.pth")
    return {
        "adm": {"path": str(folder / "adm.pt"), "head_channels": 32, "size": 16},
        "diffusers": {"path": str(folder / "unet")},
        "edm": {"path": str(folder / "edm.safetensors")},
        "ffdnet": {"path": str(folder / "ffdnet.pth")},
        "deepinv_denoiser": {"model": "DRUNet", "channels": 1, "options": {"nb": 1}},
    }


def test_each_denoises_any_size_and_lets_a_gradient_through(tmp_path: Path) -> None:
    for name, settings in files(tmp_path).items():
        denoiser = Denoiser(model(name, settings))
        x = torch.randn(2, denoiser.channels, 21, 34, requires_grad=True)
        x0 = denoiser.x0(x, at_sigma(denoiser.schedule, 0.3))
        assert x0.shape == x.shape, name
        (gradient,) = torch.autograd.grad(x0.square().sum(), x)
        assert bool(gradient.isfinite().all()), name
        assert bool(gradient.abs().sum() > 0), name


def test_an_image_does_not_depend_on_its_neighbours_in_the_batch(tmp_path: Path) -> None:
    for name, settings in files(tmp_path).items():
        denoiser = Denoiser(model(name, settings))
        x, level = torch.randn(3, denoiser.channels, 32, 32), at_sigma(denoiser.schedule, 0.3)
        with torch.no_grad():
            together, alone = denoiser.x0(x, level), denoiser.x0(x[1:2], level)
        torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-5, msg=name)


def test_the_key_follows_the_content_of_the_weights_and_the_flags(write_grid, tmp_path: Path) -> None:
    def key(**settings: Any) -> str:
        given = ", ".join(f"{k}: {v}" for k, v in settings.items())
        grid = read_grid(write_grid(f"diffpir: {{prior: {{adm: {{{given}}}}}}}"))
        planner = Planner(grid, ImageIndex(tmp_path / "index"))
        return next(iter(planner.cells("test", grid.solvers[0], planner.settings))).key

    for name, seed in (("a.pt", 0), ("c.pt", 1)):
        torch.save(randomised(ADM(TINY), seed).state_dict(), tmp_path / name)
    (tmp_path / "b.pt").write_bytes((tmp_path / "a.pt").read_bytes())
    a, b, c = (key(path=tmp_path / name) for name in ("a.pt", "b.pt", "c.pt"))
    assert a == b != c
    assert a != key(path=tmp_path / "a.pt", attention_order="new")


@pytest.mark.parametrize("name", ["adm", "edm", "diffusers"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"there is no f(ile|older)"):
        model(name, {"path": str(tmp_path / "missing")})
