"""``bench calibrate``: what is measured of a prior, and that runs use it, say so, and have other keys for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.errors import DataError, SettingError, WeightsError
from bench.grid.cells import cell_of
from bench.grid.image_index import ImageIndex
from bench.grid.planner import Planner
from bench.grid.priors import prior_variants
from bench.grid.read import read_grid
from bench.imaging.picture_files import write_8_bit
from bench.methods.diffusion.denoiser import ASSUMED
from bench.plugins import calibrations
from bench.running.calibrate import Calibration, calibrate
from bench.running.score import given, taken
from bench.running.solve import attempt
from tests.conftest import PLUGINS

#: E[x_0 | x_0 + σ n] of pixels N(0, 1/4), of which nobody knows how wrong it is.
PRIOR = '''
"""White images."""

from dataclasses import dataclass

from torch import Tensor

from bench import Prior
from bench.methods.diffusion.denoiser import PriorModel
from bench.methods.diffusion.sigma_denoiser import SigmaDenoiser


class Shrink(SigmaDenoiser):
    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        return x * (0.25 / (0.25 + sigma**2)).view(-1, 1, 1, 1)


@dataclass(frozen=True)
class Shrunk(Prior):
    """White images."""

    channels: int = 1
    high: float = 0.5

    def load(self) -> PriorModel:
        return Shrink(0.0, self.high, channels=self.channels)
'''


@pytest.fixture(autouse=True)
def prior_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shrunk.py").write_text(PRIOR, encoding="utf-8")
    return tmp_path / "shrunk.py"


def pictures(folder: Path, channels: int, *sides: int, mean: float = 0.5) -> str:
    """Pictures of white noise of standard deviation 1/4 in [-1, 1] units."""
    folder.mkdir()
    for i, side in enumerate(sides):
        noise = np.random.default_rng(i).standard_normal((channels, side, side)) / 8
        write_8_bit(folder / f"{i}.png", (mean + noise).clip(0, 1))
    return f"{folder}/"


def measured(data: str, prior: Any = "./shrunk.py", **options: Any) -> Calibration:
    (variant,) = prior_variants(prior, Path.cwd())
    return calibrate(variant, data, {}, **options)


def test_the_error_of_white_images_is_that_of_their_shrinkage(tmp_path: Path) -> None:
    """x ~ N(0, 1/16) shrunk as if of variance 1/4: (1 - g)²/16 + g² σ² in every frequency, g = 1/(1 + 4 σ²)."""
    record = measured(pictures(tmp_path / "white", 1, 128), size=64).record
    sigmas = np.array(record["error"]["sigmas"][:-1])
    g = 0.25 / (0.25 + sigmas**2)
    exact = (1 - g) ** 2 / 16 + g**2 * sigmas**2
    np.testing.assert_allclose(np.array(record["rms"]) ** 2, exact, rtol=0.05)
    fine = np.array(record["error"]["power"])[:-1, -3:].mean(1)
    np.testing.assert_allclose(fine, exact, rtol=0.1)
    mse = np.interp(2 * 25 / 255, sigmas, exact) / 4
    assert record["psnr"]["25"] == pytest.approx(-10 * np.log10(mse), abs=0.5)


def test_levels_end_where_the_prior_ends(tmp_path: Path) -> None:
    record = measured(pictures(tmp_path / "white", 1, 32), {"./shrunk.py": {"high": 0.35}}, size=32).record
    low, *_, high, infinite = record["error"]["sigmas"]
    assert low == pytest.approx(0.01, rel=0.02)
    assert high == pytest.approx(0.35, rel=0.02)
    assert infinite > 40
    assert record["psnr"]["50"] is None


def test_nothing_is_measured_twice_and_other_data_or_settings_are_another_measurement(tmp_path: Path) -> None:
    white, other = (pictures(tmp_path / n, 1, 32, mean=m) for n, m in (("white", 0.5), ("other", 0.4)))
    first, again = measured(white, size=16), measured(white, size=16)
    assert (first.is_new, again.is_new) == (True, False)
    assert first.record == again.record
    assert measured(white, size=16, seed=1).is_new
    assert measured(other, size=16).is_new
    assert measured(white, {"./shrunk.py": {"high": 0.4}}, size=16).path.parent != first.path.parent


def test_every_picture_gives_a_crop_before_any_gives_a_second(tmp_path: Path) -> None:
    data = pictures(tmp_path / "white", 1, 64, 96, 64, 20)
    assert measured(data, size=32, most=3).record["crops"] == 3
    everything = measured(data, size=32, most=100).record
    assert everything["crops"] == 4 + 9 + 4


def test_a_colour_prior_is_measured_on_pictures_in_colour_alone(tmp_path: Path) -> None:
    colours = {"./shrunk.py": {"channels": 3}}
    record = measured(pictures(tmp_path / "rgb", 3, 32), colours, size=32).record
    assert np.shape(record["error"]["power"])[0] == 3
    with pytest.raises(DataError, match="no picture with colours"):
        measured(pictures(tmp_path / "gray", 1, 32), colours, size=32)
    with pytest.raises(SettingError, match="at least 16 px"):
        measured(pictures(tmp_path / "tiny", 1, 8))


def test_a_prior_that_knows_its_error_keeps_it() -> None:
    calibration = measured(str(PLUGINS / "noise_images.py"), "gaussian", size=32)
    assert not calibration.is_used
    (variant,) = prior_variants("gaussian", Path.cwd())
    assert calibrations.in_use(variant.plugin, variant.settings) is None


def test_a_run_uses_what_was_measured_and_says_so(write_grid: Callable[..., Path]) -> None:
    grid = read_grid(write_grid("sprox: {prior: ./shrunk.py, steps: 3}"))

    def solved() -> tuple[str, str, np.ndarray]:
        planner = Planner(grid, ImageIndex())
        cell = next(planner.cells("test", grid.solvers[0], planner.settings))
        done = attempt(given([cell_of(asdict(cell))], "cpu"), [taken(cell).sensed])
        return cell.key, done.cost["prior_note"], done.x

    def bench(*words: str) -> str:
        done = CliRunner().invoke(app, ["calibrate", "./shrunk.py", *words])
        assert done.exit_code == 0, done.output
        return done.stdout

    key, note, x = solved()
    assert note == ASSUMED
    facts = json.loads(bench("--data", str(PLUGINS / "noise_images.py"), "--size", "16", "--json"))
    assert facts["used"]
    known = solved()
    assert known[0] != key
    assert known[1] == f"error spectrum measured on {facts['data']}"
    assert np.abs(known[2] - x).max() > 1e-3
    bench("--forget")
    assert solved()[:2] == (key, ASSUMED)


def test_a_damaged_measurement_stops_a_run_instead_of_being_ignored(tmp_path: Path) -> None:
    calibration = measured(pictures(tmp_path / "white", 1, 32), size=16)
    calibration.path.write_text("{}", encoding="utf-8")
    (variant,) = prior_variants("./shrunk.py", Path.cwd())
    with pytest.raises(WeightsError, match="is no calibration"):
        calibrations.in_use(variant.plugin, variant.settings)
