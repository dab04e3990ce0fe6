"""Published restorers from their files: spandrel tells the architecture, the rest is here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from bench import Solver
from bench.errors import SettingError, WeightsError
from bench.methods.networks.restorer_files import load_restorer_file
from bench.plugins.lookup import find_plugin, load_plugin
from bench.plugins.settings import build
from bench.testing import check_solver
from tests.methods.test_adm import randomised
from tests.problems import camera, problem

pytest.importorskip("spandrel")


def solver(path: Path, **settings: object) -> Solver:
    plugin = find_plugin("solver", "restorer_file")
    return build(plugin, load_plugin(plugin), {"path": str(path), **settings})


def nafnet(channels: int = 3) -> Any:
    from spandrel.architectures.NAFNet import NAFNet

    network = NAFNet(img_channel=channels, width=4, middle_blk_num=1, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1])
    return randomised(network)


def colour(size: int = 24) -> list[Any]:
    picture = camera(64)[0]
    return [np.stack([picture, picture.T, 1 - picture])[:, :size, :size]]


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_the_estimate_is_what_the_network_says_clipped(tmp_path: Path, suffix: str) -> None:
    network, file = nafnet(), tmp_path / f"nafnet{suffix}"
    if suffix == ".pth":
        torch.save({"params": network.state_dict()}, file)
    else:
        save_file(network.state_dict(), file)
    p, _ = problem(colour(), dtype=torch.float32)
    expected = network(p.y).detach().clamp(0, 1)
    torch.testing.assert_close(solver(file).solve(p), expected, rtol=1e-5, atol=1e-6)
    assert p.cost.nfe_forward == 1


def test_a_gray_picture_is_shown_to_a_colour_restorer_three_times(tmp_path: Path) -> None:
    network = nafnet()
    torch.save(network.state_dict(), tmp_path / "nafnet.pth")
    p, _ = problem([camera(64)[:, :24, :24]], dtype=torch.float32)
    expected = network(p.y.expand(-1, 3, -1, -1)).detach().clamp(0, 1).mean(1, keepdim=True)
    torch.testing.assert_close(solver(tmp_path / "nafnet.pth").solve(p), expected, rtol=1e-5, atol=1e-6)


def test_a_gray_restorer_restores_colours_one_by_one(tmp_path: Path) -> None:
    network = nafnet(1)
    torch.save(network.state_dict(), tmp_path / "nafnet.pth")
    p, _ = problem(colour(), dtype=torch.float32)
    expected = torch.cat([network(p.y[:, c : c + 1]) for c in range(3)], 1).detach().clamp(0, 1)
    torch.testing.assert_close(solver(tmp_path / "nafnet.pth").solve(p), expected, rtol=1e-5, atol=1e-6)


def test_a_large_picture_is_restored_in_patches(tmp_path: Path) -> None:
    torch.save(nafnet().state_dict(), tmp_path / "nafnet.pth")
    p, _ = problem(colour(48), dtype=torch.float32)
    x = solver(tmp_path / "nafnet.pth", patch=16, overlap=8, batch=2).solve(p)
    assert x.shape == p.y.shape
    assert p.cost.nfe_forward > 4


def test_it_keeps_the_contract_of_solvers(tmp_path: Path) -> None:
    torch.save(nafnet().state_dict(), tmp_path / "nafnet.pth")
    check_solver("restorer_file", {"path": str(tmp_path / "nafnet.pth")})


def test_a_network_that_enlarges_is_no_restorer(tmp_path: Path) -> None:
    from spandrel.architectures.Compact import Compact

    torch.save(Compact(num_feat=8, num_conv=1, upscale=2).state_dict(), tmp_path / "compact.pth")
    with pytest.raises(WeightsError, match="sides 2 times as long"):
        load_restorer_file(tmp_path / "compact.pth", "")


def test_unknown_weights_and_bad_settings_are_refused(tmp_path: Path) -> None:
    torch.save({"mine.weight": torch.zeros(3)}, tmp_path / "mine.pth")
    with pytest.raises(WeightsError, match="no architecture that spandrel knows"):
        load_restorer_file(tmp_path / "mine.pth", "")
    with pytest.raises(WeightsError, match="there is no file"):
        load_restorer_file(tmp_path / "missing.pth", "")
    with pytest.raises(SettingError, match="batch must be at least 1"):
        solver(tmp_path, batch=0)


def test_without_spandrel_its_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(WeightsError, match=r"deblur-bench\[spandrel\]"):
        load_restorer_file(tmp_path / "any.pth", "without")
