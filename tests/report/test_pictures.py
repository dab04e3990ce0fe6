"""The pictures of the report: what a chunk holds, how arrays become pixels, and the whitened residual."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from bench.report import encode
from bench.report.page import build
from bench.report.residual import whitener
from tests import fake_run


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    run = fake_run.write(tmp_path_factory.mktemp("runs") / "demo", size=32, posterior=True)
    return build([run], tmp_path_factory.mktemp("report"), figures=False)


def pixels(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).convert("RGB"))


def chunk(page, number):
    text = (page.parent / "data" / f"cell-{number:04d}.js").read_text(encoding="ascii")
    assert text.startswith('benchCell("cell-')
    return json.loads(text[text.index(",") + 1 : text.rindex(");")])["pictures"]


def test_a_chunk_holds_truth_measurement_psf_and_every_solver_or_its_failure(page):
    shown = chunk(page, 1)
    assert [p["kind"] for p in shown[:3]] == ["truth", "y", "psf"]
    assert {p["label"] for p in shown[3:]} == set(fake_run.SOLVERS)
    dps = next(p for p in shown if p["label"] == "dps")
    assert "src" not in dps
    assert "diverged" in dps["failure"]
    assert all(p["src"].startswith("data:image/webp;base64,") for p in shown if p["label"] != "dps")


def test_a_picture_is_the_array_rounded_to_8_bits():
    x = fake_run.scene(1, 24, channels=3)
    assert (pixels(encode.data_uri(x)) == np.moveaxis(np.round(255 * x).astype(np.uint8), 0, -1)).all()


def test_a_psf_is_cropped_to_its_support_about_its_centre():
    psf = np.zeros((31, 31))
    psf[15, 12:16] = 0.25
    support = encode.support(psf)
    assert support.shape == (9, 9)
    assert support.sum() == pytest.approx(1)
    assert support[4, 4] == 0.25


def test_a_stochastic_solver_brings_its_samples_their_mean_and_their_spread(page):
    dps = next(p for p in chunk(page, 0) if p["label"] == "dps")
    assert len(dps["samples"]) == 4
    assert dps["std_max"] == pytest.approx(0.06, abs=0.02)
    assert all(pixels(uri).shape == (32, 32, 3) for uri in (dps["src"], dps["std"], *dps["samples"]))
    assert not any("samples" in p for p in chunk(page, 0) if p["label"] != "dps")


def measurement(boundary, gain=2e-4, sigma=0.01, size=64, channels=3):
    rng = np.random.default_rng(3)
    truth, psf = fake_run.scene(1, size, channels), fake_run.motion_psf(5, 1)
    clean = fake_run.blur(truth, psf)
    return truth, psf, clean + np.sqrt(gain * clean + sigma**2) * rng.standard_normal(clean.shape)


@pytest.mark.parametrize("level", [np.array([2e-4, 0.01]), None])
def test_the_residual_of_the_truth_is_white_with_unit_variance(level):
    truth, psf, y = measurement("circular")
    white = whitener(truth, y, psf, "circular", level)
    assert white is not None
    r = white(truth)
    assert r.std() == pytest.approx(1, abs=0.06)
    neighbours = (r[1:] * r[:-1]).mean() / r.var()
    assert abs(neighbours) < 0.06


def test_a_blurred_estimate_leaves_structure_that_the_truth_does_not():
    truth, psf, y = measurement("circular")
    white = whitener(truth, y, psf, "circular", np.array([2e-4, 0.01]))
    assert white is not None
    assert (white(y) ** 2).mean() > 2 * (white(truth) ** 2).mean()


def test_what_lies_outside_a_sensor_is_no_part_of_the_residual():
    truth, psf, y = measurement("valid")
    white = whitener(truth, y, psf, "valid", None)
    assert white is not None
    r = white(np.zeros_like(truth))
    m = psf.shape[0] // 2
    assert not r[:m].any()
    assert not r[:, -m:].any()
    assert r[m:-m, m:-m].all()


def test_there_is_no_residual_without_noise_or_without_an_inside():
    truth, psf, y = measurement("circular")
    assert whitener(truth, y, psf, "circular", np.zeros(2)) is None
    assert whitener(truth[:, :10, :10], y[:, :10, :10], psf, "valid", None) is None


def test_a_signed_map_has_zero_in_the_middle_and_its_limits_at_the_ends():
    r = np.repeat(np.array([[-9.0], [0.0], [4.0]]), 16, axis=0) * np.ones((1, 48))
    shades = pixels(encode.signed_uri(r, 4.0))[:, :, 0].astype(int)
    assert abs(shades[4, 20] - 0) < 6
    assert abs(shades[24, 20] - 128) < 6
    assert abs(shades[44, 20] - 255) < 6
