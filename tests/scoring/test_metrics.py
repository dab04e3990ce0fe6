"""Metrics: closed forms, documented definitions, and what happens when one cannot be computed."""

import logging
import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from bench.contracts import Context, Exposed, Image, Noise, NoiseLevel
from bench.errors import PluginError, SettingError
from bench.imaging.measure import measure
from bench.scoring import lpips
from bench.scoring.backbones import BACKBONES, weights_file
from bench.scoring.evaluate import prepare
from bench.scoring.registry import describe
from tests.metric_values import values

ENV = BACKBONES["alex"].env
CONTEXT = Context(y=np.zeros((1, 40, 40)), psf=np.ones((1, 1)), level=NoiseLevel(0.0, 0.01))


def picture(shape=(1, 40, 40), seed=0):
    return np.random.default_rng(seed).uniform(0.2, 0.8, size=shape)


def value(name, truth, estimate, context=CONTEXT) -> Any:
    return values([name], truth, estimate, context)[name]


# --- protocol -----------------------------------------------------------------------------------------------------


def test_the_border_is_cropped_and_only_the_estimate_clipped():
    truth, estimate = np.full((1, 6, 8), 2.0), np.full((1, 6, 8), -1.0)
    a, b = prepare(truth, estimate, border=2, clip=True)
    assert a.shape == b.shape == (1, 2, 4)
    assert (a == 2).all()
    assert (b == 0).all()


def test_without_clip_values_pass_unchanged():
    assert prepare(np.zeros((1, 3, 3)), np.full((1, 3, 3), -1.0), 0, False)[1].min() == -1


def test_a_border_that_leaves_nothing_is_refused():
    with pytest.raises(SettingError, match="border: 3 leaves nothing"):
        prepare(np.zeros((1, 6, 6)), np.zeros((1, 6, 6)), 3, True)


def test_errors_inside_the_border_do_not_count():
    truth = picture()
    estimate = truth.copy()
    estimate[:, :4] = 0
    estimate[..., -4:] = 1
    assert value("psnr", truth, estimate, Context(CONTEXT.y, CONTEXT.psf, CONTEXT.level, border=4)) == math.inf
    assert value("psnr", truth, estimate) < 20


def test_an_unknown_metric_is_named_with_a_guess():
    with pytest.raises(PluginError, match="Did you mean 'psnr'"):
        value("psnrr", picture(), picture())


def test_names_are_known_without_torch_scipy_or_skimage():
    modules = (
        "sys, bench.scoring.registry, bench.scoring.evaluate, bench.statistics.interval, bench.statistics.leaderboard"
    )
    code = f"import {modules}; print({{'torch', 'scipy', 'skimage', 'lpips'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_loss_is_smaller_for_the_better_value_in_every_direction():
    assert describe("psnr").loss(np.array(30.0)) < describe("psnr").loss(np.array(20.0))
    assert describe("lpips_alex").loss(np.array(0.1)) < describe("lpips_alex").loss(np.array(0.2))
    assert describe("residual_chi2").loss(np.array(1.1)) < describe("residual_chi2").loss(np.array(0.5))


# --- psnr and ssim ------------------------------------------------------------------------------------------------


def test_psnr_of_a_constant_offset_is_its_closed_form():
    truth = picture((3, 20, 20))
    assert value("psnr", truth, truth + 0.1) == pytest.approx(20.0, abs=1e-12)


def test_psnr_of_identical_images_is_infinite():
    assert value("psnr", picture(), picture()) == math.inf


def test_psnr_drops_by_6_dB_when_the_error_doubles():
    truth, error = picture(), np.random.default_rng(1).normal(0, 0.01, (1, 40, 40))
    drop = value("psnr", truth, truth + error) - value("psnr", truth, truth + 2 * error)
    assert drop == pytest.approx(20 * math.log10(2))


def test_ssim_of_identical_images_is_one_and_falls_with_noise():
    truth, error = picture(), np.random.default_rng(1).normal(0, 0.03, (1, 40, 40))
    values = [value("ssim", truth, truth + s * error) for s in (0, 1, 2, 4)]
    assert values[0] == pytest.approx(1, abs=1e-12)
    assert values == sorted(values, reverse=True)


def test_ssim_is_skimages_documented_call_for_the_definition_of_wang():
    a, b = picture((1, 32, 32), 1), picture((1, 32, 32), 2)
    expected = structural_similarity(
        a[0], b[0], gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1
    )
    assert value("ssim", a, b) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", ["psnr", "ssim"])
def test_gray_equals_gray_repeated_to_rgb(name):
    a, b = picture(seed=1), picture(seed=2)
    assert value(name, a, b) == pytest.approx(value(name, a.repeat(3, 0), b.repeat(3, 0)), abs=1e-12)


@pytest.mark.parametrize("name", ["psnr", "ssim"])
def test_flipping_both_images_changes_nothing(name):
    a, b = picture(seed=1), picture(seed=2)
    assert value(name, a, b) == pytest.approx(value(name, a[..., ::-1, :], b[..., ::-1, :]), abs=1e-12)


@pytest.mark.parametrize(("name", "size"), [("ssim", 10), ("lpips_alex", 31)])
def test_images_too_small_for_a_metric_give_nan_and_the_reason_once(name, size, caplog, monkeypatch):
    monkeypatch.setattr("bench.scoring.evaluate._logged", set())
    small = picture((1, size, size))
    assert math.isnan(value(name, small, small))
    assert math.isnan(value(name, small, small))
    assert [f"{size} x {size}" in r.message for r in caplog.records] == [True]


# --- residual -----------------------------------------------------------------------------------------------------


class PoissonGaussian(Noise):
    def __init__(self, gain, sigma):
        self.gain, self.sigma = gain, sigma

    def level(self, T):
        return NoiseLevel(self.gain, self.sigma)

    def sample(self, clean, T, rng):
        photons = self.gain * rng.poisson(clean / self.gain) if self.gain else clean
        return photons + self.sigma * rng.standard_normal(clean.shape)


def simulated(boundary, gain, sigma, size=160):
    rng = np.random.default_rng(7)
    psf = rng.uniform(size=(5, 9))
    image = Image("i", rng.uniform(0.05, 1, size=(1, size + 12, size + 12)), margin=6)
    m = measure(image, Exposed(psf / psf.sum()), PoissonGaussian(gain, sigma), rng, boundary)
    return m.sharp, Context(m.y, m.psf, m.level, boundary)


@pytest.mark.parametrize("boundary", ["valid", "circular"])
@pytest.mark.parametrize(("gain", "sigma"), [(0.0, 0.02), (0.005, 0.0), (0.002, 0.01)])
def test_the_truth_has_chi2_one(boundary, gain, sigma):
    truth, context = simulated(boundary, gain, sigma)
    # A chi-squared mean over m pixels has standard deviation sqrt(2 / m), slightly more for photon counts.
    assert value("residual_chi2", truth, truth, context) == pytest.approx(1, abs=5 * math.sqrt(2 / 148**2))


def test_on_valid_data_the_whole_frame_would_be_wrong_and_the_interior_is_used():
    truth, context = simulated("valid", 0.0, 0.002)
    wrapped = Context(context.y, context.psf, context.level, "circular")
    assert value("residual_chi2", truth, truth, context) == pytest.approx(1, abs=0.05)
    assert value("residual_chi2", truth, truth, wrapped) > 5


def test_chi2_of_the_blurred_input_itself_is_far_from_one():
    truth, context = simulated("valid", 0.0, 0.002)
    assert value("residual_chi2", truth, context.y, context) > 10


def test_chi2_sees_the_unclipped_uncropped_estimate():
    truth, context = simulated("circular", 0.0, 0.02)
    cropped = Context(context.y, context.psf, context.level, "circular", border=8, clip=True)
    estimate = 3 * truth
    assert value("residual_chi2", truth, estimate, cropped) == value("residual_chi2", truth, estimate, context)


def test_chi2_does_not_know_the_truth():
    truth, context = simulated("valid", 0.0, 0.02)
    assert value("residual_chi2", truth, truth, context) == value("residual_chi2", 0 * truth, truth, context)


@pytest.mark.parametrize("psf", [np.ones((41, 3)) / 123, np.ones((1, 1))])
def test_chi2_is_nan_where_no_pixel_or_no_noise_is_left(psf):
    level = NoiseLevel(0.0, 0.01) if psf.size > 1 else NoiseLevel(0.0, 0.0)
    assert math.isnan(value("residual_chi2", picture(), picture(), Context(CONTEXT.y, psf, level)))


# --- LPIPS --------------------------------------------------------------------------------------------------------

LAYERS = {0: (64, 3, 11, 11), 3: (192, 64, 5, 5), 6: (384, 192, 3, 3), 8: (256, 384, 3, 3), 10: (256, 256, 3, 3)}


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    """A random AlexNet with torchvision's names: the values mean nothing, the arithmetic is the real one."""
    rng = torch.Generator().manual_seed(0)
    state = {}
    for n, shape in LAYERS.items():
        fan_in = shape[1] * shape[2] * shape[3]
        state[f"features.{n}.weight"] = torch.randn(shape, generator=rng) * (2 / fan_in) ** 0.5
        state[f"features.{n}.bias"] = torch.zeros(shape[0])
    path = tmp_path_factory.mktemp("weights") / "alex.pth"
    torch.save(state, path)
    return path


@pytest.fixture
def with_backbone(backbone, monkeypatch):
    monkeypatch.setenv(ENV, str(backbone))


@pytest.mark.usefixtures("with_backbone")
def test_lpips_is_zero_for_identical_images_positive_otherwise_and_symmetric():
    a, b = picture(seed=1), picture(seed=2)
    assert value("lpips_alex", a, a) == 0
    assert value("lpips_alex", a, b) > 1e-4
    assert value("lpips_alex", a, b) == pytest.approx(value("lpips_alex", b, a), rel=1e-5)


@pytest.mark.usefixtures("with_backbone")
def test_lpips_of_gray_equals_that_of_gray_repeated_to_rgb():
    a, b = picture(seed=1), picture(seed=2)
    assert value("lpips_alex", a, b) == pytest.approx(value("lpips_alex", a.repeat(3, 0), b.repeat(3, 0)), rel=1e-6)


@pytest.mark.usefixtures("with_backbone")
def test_lpips_is_the_packages_own_with_inputs_in_minus_one_to_one(backbone):
    from lpips import LPIPS

    a, b = picture((3, 48, 40), 1), picture((3, 48, 40), 2)
    model = lpips._load("alex", backbone)
    assert isinstance(model, LPIPS)
    pair = [torch.as_tensor(x, dtype=torch.float32)[None] for x in (a, b)]
    with torch.no_grad():
        expected = float(model(*pair, normalize=True))
    assert value("lpips_alex", a, b) == pytest.approx(expected, rel=1e-5)


@pytest.mark.usefixtures("with_backbone")
def test_lpips_does_not_depend_on_what_was_measured_before():
    a, b = picture(seed=1), picture(seed=2)
    first = value("lpips_alex", a, b)
    value("lpips_alex", picture((3, 64, 64), 3), picture((3, 64, 64), 4))
    assert value("lpips_alex", a, b) == first


def test_loading_lpips_leaves_the_global_generator_alone(backbone):
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    lpips._load("alex", backbone)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_safetensors_weights_give_the_same_value(backbone, tmp_path, monkeypatch):
    from safetensors.torch import save_file

    other = tmp_path / "alex.safetensors"
    save_file(torch.load(backbone, weights_only=True), other)
    a, b = picture(seed=1), picture(seed=2)
    both = []
    for path in (backbone, other):
        monkeypatch.setenv(ENV, str(path))
        both.append(value("lpips_alex", a, b))
    assert both[0] == both[1]


def test_without_weights_lpips_is_empty_and_says_so_once(tmp_path, monkeypatch, caplog):
    monkeypatch.delenv(ENV, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    lpips._model.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert [value("lpips_alex", picture(), picture()) for _ in range(2)] == [None, None]
    assert len(caplog.records) == 1
    assert "lpips_alex is left empty" in caplog.text


def test_a_file_that_is_no_backbone_empties_the_column_and_is_named(tmp_path, monkeypatch, caplog):
    broken = tmp_path / "broken.pth"
    broken.write_bytes(b"not weights")
    monkeypatch.setenv(ENV, str(broken))
    assert value("lpips_alex", picture(), picture()) is None
    assert "broken.pth cannot be used" in caplog.text


def test_torchvisions_cache_is_used_when_the_file_is_already_there(tmp_path, monkeypatch):
    monkeypatch.delenv(ENV, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cached = tmp_path / "hub" / "checkpoints" / BACKBONES["alex"].cached
    cached.parent.mkdir(parents=True)
    assert weights_file("alex") is None
    cached.touch()
    assert weights_file("alex") == cached
