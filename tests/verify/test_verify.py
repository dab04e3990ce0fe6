"""The certificate: an exact sampler has an A, spoilt ones fail for what was spoilt, and what is written is read."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import norm

from bench.plugins.lookup import find_plugin
from bench.report.certificates import read
from bench.verify import calibration, gaussian, grades, invariances, linear, mixture, of_run, runs
from bench.verify.certificate import Certificate
from bench.verify.examine import examine
from bench.verify.oracles import moments
from bench.verify.oracles.gaussian import GaussianPrior, Scene, shake
from bench.verify.oracles.mixture import MixturePrior
from bench.verify.oracles.moments import Moments
from tests.make_solver import made

MINE = str(Path(__file__).parents[1] / "example_plugins" / "exact_posterior.py")
PRIOR = GaussianPrior()


def graded(fault: str = "", **given: Any) -> Certificate:
    return examine(MINE, {"fault": fault}, quick=True, **given)


def test_an_exact_sampler_has_an_a_and_a_distance_of_zero_on_every_gaussian_oracle_held_out_ones_too() -> None:
    solver = made(MINE)
    for oracle in (*gaussian.ORACLES, *gaussian.HELD_OUT):
        s = gaussian.score(solver, oracle, 2, 0)
        assert s.samples is None
        assert s.w2.value < 1e-6
        assert (s.observed.value, s.null.value) == pytest.approx((1, 1), abs=1e-9)
        assert (s.coverage_90, s.coverage_90_blocks) == pytest.approx((0.9, 0.9), abs=1e-9)
        assert s.mse == pytest.approx(2, abs=1e-9)
        assert s.chi2 == pytest.approx(s.chi2_exact, abs=1e-9)
    assert graded().grade == "A"


def test_held_out_oracles_are_other_textures_behind_other_blurs() -> None:
    main = gaussian.ORACLES[0]
    for oracle in gaussian.HELD_OUT:
        assert oracle.texture != main.texture
        assert oracle.psf is not None
        assert oracle.psf.sum() == pytest.approx(1)


def test_a_sampler_that_thinks_all_images_gaussian_has_no_a_on_the_mixture() -> None:
    s = mixture.score(made(MINE), MixturePrior(), patches=6, samples=12)
    certificate = replace(graded(), patches=s)
    assert certificate.grade == certificate.by_oracle["mixture"] == "F"


@pytest.mark.parametrize("fault", ["collapsed", "mean of two", "inflated", "white"])
def test_a_sampler_of_the_wrong_spread_fails(fault: str) -> None:
    assert graded(fault).grade == "F"


def test_the_mean_of_two_draws_fails_by_its_distance_its_variance_and_its_coverage() -> None:
    s = graded("mean of two").scores[0]
    assert s.w2.value == pytest.approx(1 - math.sqrt(1 / 2), abs=1e-6)
    assert s.observed.value == pytest.approx(1 / 2, abs=1e-6)
    assert s.coverage_90 == pytest.approx(2 * norm.cdf(norm.ppf(0.95) / math.sqrt(2)) - 1, abs=1e-6)
    failed = {c.what for c in graded("mean of two").conditions if c.grade == "F"}
    assert {"W₂", "variance elsewhere", "coverage of 90 %", "coverage of 90 %, blocks"} <= failed


def test_the_mean_of_two_draws_of_a_shipped_sampler_fails_too(tmp_path: Path) -> None:
    """The cheat that limits on W₂ and χ² alone let pass: twice the calls for half the error."""
    sprox = find_plugin("solver", "sprox").path
    cheat = tmp_path / "cheat.py"
    text = sprox.read_text(encoding="utf-8")
    text = text.replace("    def solve(self", "    def one(self")
    text += "\n    def solve(self, problem):\n        return (self.one(problem) + self.one(problem)) / 2\n"
    cheat.write_text(text, encoding="utf-8")
    assert examine(str(cheat), {"steps": 10}, quick=True).grade == "F"


def test_the_right_variance_of_pixels_without_their_covariance_shows_in_blocks_alone() -> None:
    s = graded("white").scores[0]
    assert s.coverage_90 == pytest.approx(0.9, abs=1e-3)
    assert s.coverage_90_blocks > grades.COVERAGE.A[1]


def test_the_wrong_noise_level_shows_where_the_data_speak() -> None:
    s = graded("sigma").scores[0]
    assert s.observed.value < 0.5
    assert s.null.value == pytest.approx(1, abs=0.2)


def test_a_batch_that_mixes_its_images_fails() -> None:
    certificate = graded("batch")
    assert certificate.grade == "F"
    assert any(f.startswith("batch: ") for f in certificate.faults)


def test_a_sampler_that_draws_otherwise_is_measured_by_samples() -> None:
    s = graded("other draws", samples=8).scores[0]
    assert (s.moments, s.samples) == ("samples", 8)
    assert s.w2.error > 0


def test_only_a_solver_that_is_affine_in_its_draws_has_exact_moments() -> None:
    scene = Scene.make(PRIOR, 0.1, size=32)
    assert linear.moments(made(MINE), PRIOR, scene)[0] == "affine"
    # each impulse alone leaves a product of two draws at zero: only both together betray it
    assert linear.moments(made(MINE, fault="product"), PRIOR, scene) == ("samples", None)
    assert linear.moments(made("tv"), PRIOR, scene)[0] == "one estimate"


def test_a_sampler_whose_formula_is_the_exact_score_for_this_prior_is_called_an_identity() -> None:
    oracle = gaussian.HELD_OUT[0]
    assert gaussian.score(made("sprox", steps=6, integrator="dpm", adapt=False), oracle, 2, 6).identity
    assert not gaussian.score(made("sprox", steps=6, kappa=1.5, integrator="dpm", adapt=False), oracle, 2, 6).identity
    assert "identity" in examine("sprox", {"steps": 6, "integrator": "dpm", "adapt": False}, quick=True).text


# --- calibration over many truths -----------------------------------------------------------------------------


def test_whitened_block_errors_of_exact_draws_are_independent_standard_normals() -> None:
    scene = Scene.make(PRIOR, 0.1, size=32)
    white = torch.from_numpy(np.random.default_rng(0).standard_normal((4000, 32, 32)))
    x = scene.mean + torch.fft.ifft2(torch.fft.fft2(white) * scene.variance.sqrt()).real
    z = torch.stack([calibration.whitened(xi, scene).flatten() for xi in x])
    assert torch.allclose(z.T @ z / 4000, torch.eye(16, dtype=torch.float64), atol=0.1)


def test_the_calibration_test_keeps_its_level_for_an_exact_sampler_and_rejects_wrong_spreads() -> None:
    rejected = sum(calibration.score(made(MINE), PRIOR, 16, psf).p < 0.05 for psf in shakes(20))
    assert rejected <= 4  # binomial(20, 0.05) exceeds 4 with a probability of 0.003
    assert calibration.score(made(MINE, fault="mean of two"), PRIOR, 64).p < 0.01
    assert calibration.score(made(MINE, fault="inflated"), PRIOR, 64).p < 0.01


def shakes(n: int) -> list[np.ndarray]:
    return [shake(6 + 0.4 * i) for i in range(n)]


# --- kinds ----------------------------------------------------------------------------------------------------


def test_an_estimate_that_is_not_finite_is_an_error_with_its_reason() -> None:
    from bench.errors import SolverError

    with pytest.raises(SolverError, match="non-finite"):
        graded("nan")


def test_a_point_estimate_is_judged_by_its_bias_alone() -> None:
    certificate = graded("collapsed", kind="point")
    assert certificate.grade == "A"
    assert "bias²" in certificate.text
    assert certificate.json().keys().isdisjoint({"w2", "exact_w2"})


def test_a_solver_with_a_prior_of_its_own_is_not_judged_on_accuracy() -> None:
    certificate = examine("tikhonov", {"mu": 1000.0}, quick=True)
    assert certificate.kind == "other"
    assert certificate.grade is None
    assert certificate.verdict == "not judged"
    assert certificate.scores[0].bias2.value > 0.3  # far too smooth


# --- exact moments --------------------------------------------------------------------------------------------


def test_exact_moments_are_those_of_many_samples() -> None:
    solver, scene = made("sprox", steps=6, eta=1.0, adapt=False), Scene.make(PRIOR, 0.1)
    how, linear_moments = linear.moments(solver, PRIOR, scene)
    assert how == "affine"
    assert linear_moments is not None
    drawn = Moments.of(runs.draw(solver, PRIOR, scene.y.expand(64, -1, -1), scene.psf, 0.1, runs.generators(64)))
    assert float((drawn.variance / linear_moments.variance).mean()) == pytest.approx(1, abs=0.01)
    exact, sampled = moments.w2(linear_moments, scene), moments.w2(drawn, scene)
    assert abs(exact.value - sampled.value) < 4 * sampled.error


def test_a_sampler_that_is_not_linear_has_no_exact_moments() -> None:
    assert linear.moments(made("dps", steps=4), PRIOR, Scene.make(PRIOR, 0.1)) == ("samples", None)


def test_a_scripted_generator_is_silent_but_for_one_call() -> None:
    import numpy as np

    g = linear.Scripted(1, np.ones((1, 1)))
    first, second, third = g.standard_normal((2, 2)), g.normal(5, 2, (2, 2)), g.standard_normal(3)
    assert not first.any()
    assert second.tolist() == [[7, 5], [5, 5]]
    assert not third.any()
    assert g.calls == 3


# --- invariances ----------------------------------------------------------------------------------------------


def test_other_units_of_a_problem_scale_what_the_sampler_sees() -> None:
    from bench.methods.diffusion.task import Task

    scene = Scene.make(PRIOR, 0.1)
    one = runs.problem(made("sprox"), PRIOR, scene.y[None], scene.psf, 0.1, runs.generators(1))
    task, other = Task(one), Task(runs.scaled(one, 3.0))
    assert torch.allclose(other.y, 3 * task.y)
    assert torch.allclose(other.K, 3 * task.K)
    assert torch.allclose(other.sigma, 3 * task.sigma)


def test_the_options_of_a_setting_are_read_from_its_declaration() -> None:
    from bench.plugins.lookup import find_plugin

    assert invariances.choices(find_plugin("solver", "reddiff"), "init") == (
        "measurement",
        "adjoint",
        "wiener",
        "zero",
    )
    assert invariances.choices(find_plugin("solver", "reddiff"), "steps") == ()


# --- what is written and printed ------------------------------------------------------------------------------


def test_a_written_certificate_is_what_the_report_reads(tmp_path: Path) -> None:
    certificate = graded()
    assert certificate.write(tmp_path).parent == tmp_path / "certificates"
    (row,) = read([tmp_path])
    assert (row["solver"], row["grade"], row["verdict"]) == ("exact_posterior", "A", "pass")
    assert row["settings"] == {"fault": ""}
    assert row["w2"] < 1e-6
    assert "W₂" in row["text"]
    assert json.loads(json.dumps(certificate.json(), allow_nan=False))["checks"][0]["name"] == "contract"


def test_a_run_gets_one_certificate_for_each_sampler_and_settings_and_makes_none_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examined: list[str] = []

    def quickly(name: str, settings: Mapping[str, Any], **_: Any) -> Certificate:
        examined.append(name)
        return examine(name, settings, quick=True)

    monkeypatch.setattr("bench.verify.examine.examine", quickly)
    fault, cache = {"fault": "collapsed", "weights": "photos"}, tmp_path / "cache"
    solvers = [(MINE, {"fault": ""}, 20.0), (MINE, {"fault": ""}, 20.0), (MINE, fault, 20.0), ("tv", {}, 0.0)]
    samplers = of_run.candidates(solvers, cache=cache)
    assert len(samplers) == 2  # tv takes no prior, and weights make no difference here
    assert of_run.certify(samplers, tmp_path / "none", make=False) == examined == []
    written = of_run.certify(samplers, tmp_path / "a")
    assert len(written) == len(examined) == 2
    assert sorted(c["grade"] for c in read([tmp_path / "a"])) == ["A", "F"]
    again = of_run.certify(of_run.candidates(solvers, cache=cache), tmp_path / "b", make=False)
    assert [f.read_text() for f in again] == [f.read_text() for f in written]
    assert len(examined) == 2


def test_an_unreadable_certificate_in_the_cache_is_made_again(tmp_path: Path) -> None:
    (sampler,) = of_run.candidates([(MINE, {"fault": ""}, 20.0)], cache=tmp_path)
    for content in ("", "[1]", "{"):
        sampler.stored.write_text(content)
        assert sampler.known() is None


def test_more_evaluations_are_said_to_take_longer_to_examine(tmp_path: Path) -> None:
    few, many = (of_run.candidates([(MINE, {"fault": ""}, n)], cache=tmp_path) for n in (20.0, 1000.0))
    assert of_run.seconds([]) == 0 < of_run.seconds(few) < of_run.seconds(many)


def test_other_settings_or_another_solver_have_another_certificate() -> None:
    keys = {of_run.content_key(n, s) for n, s in [("sprox", {}), ("sprox", {"steps": 5}), ("diffpir", {})]}
    assert len(keys) == 3
    assert of_run.content_key("sprox", {}) in keys


def test_the_command_prints_a_table_and_fails_with_the_solver(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "bench", "verify", MINE, "--quick", "--out", str(tmp_path)]
    done = subprocess.run(
        [*words, "--set", "fault=collapsed"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "W₂ / √MMSE" in done.stdout
    assert "GRADE F" in done.stdout
    (file,) = (tmp_path / "certificates").iterdir()
    assert json.loads(file.read_text())["grade"] == "F"


def test_a_certificate_lists_what_keeps_it_from_an_a_the_worst_first() -> None:
    certificate = graded("collapsed")
    assert not math.isnan(certificate.scores[0].w2.value)
    assert certificate.json()["faults"] == certificate.faults
    letters = [f.split(": ")[2][0] for f in certificate.faults]
    assert letters == sorted(letters, reverse=True)


def test_a_number_has_the_best_grade_whose_interval_it_reaches_within_its_error() -> None:
    limits = grades.Limits((0, 1), (0, 2), (0, 3))
    values = {0.5: "A", 1.05: "A", 1.5: "B", 2.9: "C", 3.5: "F", math.nan: "F"}
    for value, grade in values.items():
        assert grades.Condition.judge("", "", value, limits, error=0.1).grade == grade


def test_a_solver_that_refuses_to_deblur_is_examined_without_blur() -> None:
    certificate = examine("tstar_denoise", {"sample": 20}, quick=True)
    assert certificate.scores[0].bias2.value < 0.02
    assert certificate.scores[0].w2.value < 0.3
    mean = examine("tstar_denoise", quick=True, kind="point")
    assert mean.scores[0].bias2.value < 1e-9
