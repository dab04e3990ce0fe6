"""The certificate: an exact sampler passes, spoilt ones fail for what was spoilt, and what is written is read."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.report.certificates import read
from bench.verify import invariances, linear, runs
from bench.verify.certificate import Certificate
from bench.verify.examine import examine
from bench.verify.oracles import moments
from bench.verify.oracles.gaussian import GaussianPrior, Scene
from bench.verify.oracles.moments import Moments
from tests.make_solver import made

MINE = str(Path(__file__).parents[1] / "example_plugins" / "exact_posterior.py")
PRIOR = GaussianPrior()


def verdict(fault: str = "", **given: Any) -> Certificate:
    return examine(MINE, {"fault": fault}, quick=True, **given)


def test_an_exact_sampler_has_a_distance_of_zero_and_one_that_thinks_all_images_gaussian_is_found_out() -> None:
    assert verdict().verdict == "pass"
    found = examine(MINE)
    (fault,) = found.faults
    assert fault.startswith("mixture: CRPS")
    for s in found.scores:
        assert s.samples is None
        assert s.w2.value < 1e-6
        assert (s.observed.value, s.null.value) == pytest.approx((1, 1), abs=1e-9)
        assert s.mse == pytest.approx(2, abs=1e-9)
        assert s.chi2 == pytest.approx(s.chi2_exact, abs=1e-9)


def test_a_collapsed_sampler_fails_by_its_variance() -> None:
    found = verdict("collapsed")
    assert found.verdict == "fail"
    assert any("variance elsewhere" in f for f in found.faults)


def test_the_wrong_noise_level_shows_where_the_data_speak() -> None:
    s = verdict("sigma").scores[0]
    assert s.observed.value < 0.5
    assert s.null.value == pytest.approx(1, abs=0.2)


def test_a_batch_that_mixes_its_images_fails() -> None:
    assert any(f.startswith("batch: ") for f in verdict("batch").faults)


def test_a_sampler_that_draws_otherwise_is_measured_by_samples() -> None:
    s = verdict("other draws", samples=8).scores[0]
    assert s.samples == 8
    assert s.w2.error > 0


def test_an_estimate_that_is_not_finite_is_an_error_with_its_reason() -> None:
    from bench.errors import SolverError

    with pytest.raises(SolverError, match="non-finite"):
        verdict("nan")


def test_a_point_estimate_is_judged_by_its_bias_alone() -> None:
    found = verdict("collapsed", kind="point")
    assert "bias²" in found.text
    assert found.json().keys().isdisjoint({"w2", "exact_w2"})


def test_a_solver_with_a_prior_of_its_own_is_not_judged_on_accuracy() -> None:
    found = examine("tikhonov", {"mu": 1000.0}, quick=True)
    assert found.kind == "other"
    assert found.verdict == "pass"
    assert found.scores[0].bias2.value > 0.3  # far too smooth


# --- exact moments --------------------------------------------------------------------------------------------


def test_exact_moments_are_those_of_many_samples() -> None:
    solver, scene = made("sprox", steps=6, integrator="ancestral"), Scene.make(PRIOR, 0.1)
    found = linear.moments(solver, PRIOR, scene)
    assert found is not None
    drawn = Moments.of(runs.draw(solver, PRIOR, scene.y.expand(64, -1, -1), scene.psf, 0.1, runs.generators(64)))
    assert float((drawn.variance / found.variance).mean()) == pytest.approx(1, abs=0.01)
    exact, sampled = moments.w2(found, scene), moments.w2(drawn, scene)
    assert abs(exact.value - sampled.value) < 4 * sampled.error


def test_a_sampler_that_is_not_linear_has_no_exact_moments() -> None:
    assert linear.moments(made("dps", steps=4), PRIOR, Scene.make(PRIOR, 0.1)) is None


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
    found = verdict()
    assert found.write(tmp_path) == tmp_path / "certificates" / "exact_posterior.json"
    (row,) = read([tmp_path])
    assert (row["solver"], row["verdict"]) == ("exact_posterior", "pass")
    assert row["w2"] < 1e-6
    assert "W₂" in row["text"]
    assert json.loads(json.dumps(found.json(), allow_nan=False))["checks"][0]["name"] == "contract"


def test_the_command_prints_a_table_and_fails_with_the_solver(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "bench", "verify", MINE, "--quick", "--out", str(tmp_path)]
    done = subprocess.run(
        [*words, "--set", "fault=collapsed"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "W₂ / √MMSE" in done.stdout
    assert "FAIL" in done.stdout
    assert json.loads((tmp_path / "certificates" / "exact_posterior.json").read_text())["verdict"] == "fail"


def test_a_certificate_tells_every_fault() -> None:
    found = verdict("collapsed")
    assert not math.isnan(found.scores[0].w2.value)
    assert found.json()["faults"] == found.faults
    assert len(found.faults) == 2


def test_a_solver_that_refuses_to_deblur_is_examined_without_blur() -> None:
    found = examine("tstar_denoise", {"sample": 20}, quick=True)
    assert found.scores[0].bias2.value < 0.02
    assert found.scores[0].w2.value < 0.3
    mean = examine("tstar_denoise", quick=True, kind="point")
    assert mean.scores[0].bias2.value < 1e-9
