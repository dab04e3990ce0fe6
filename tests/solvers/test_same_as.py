"""Rows that name one estimator compute one estimate, and the name follows the settings that decide."""

from __future__ import annotations

from typing import Any

import pytest

from bench.grid.cells import estimator
from bench.plugins.lookup import built_in, find_plugin
from tests.make_solver import made
from tests.problems import camera, problem, psnr

#: solver, settings for a small problem that are enough to converge; the weight of each is the same
TV = [
    ("tv", {"steps": 300}),
    ("tv_fista", {"steps": 400}),
    ("pyproximal_tv", {"niter": 150}),
    ("deepinv_model", {"model": "pdcp_tv", "options": {"max_iter": 100}}),
]
HAAR = [
    ("haar_fista", {"steps": 200, "cycle_spinning": False}),
    ("deepinv_model", {"model": "fista_haar", "options": {"max_iter": 200}}),
]


def named(solver: str, settings: dict[str, Any]) -> str | None:
    plugin = find_plugin("solver", solver)
    full = {name: p.default for name, p in plugin.parameters.items()} | settings
    return estimator(plugin.flags.get("same_as"), full)


@pytest.mark.parametrize("rows", [TV, HAAR], ids=["tv", "haar"])
def test_rows_that_name_one_estimator_differ_less_than_they_err(
    rows: list[tuple[str, dict[str, Any]]],
) -> None:
    assert len({named(*row) for row in rows}) == 1
    p, truth = problem([camera(40)], sigma=4 / 255, boundary="valid")
    first, *others = (made(name, **settings).solve(p) for name, settings in rows)
    for x in others:
        assert psnr(x, first, border=6) > psnr(first, truth, border=6) + 15


@pytest.mark.parametrize(
    ("solver", "settings"),
    [("tv_fista", {"bounds": True}), ("haar_fista", {}), ("deepinv_model", {"model": "wiener"}), ("wiener", {})],
)
def test_another_objective_is_another_estimator(solver: str, settings: dict[str, Any]) -> None:
    assert named(solver, settings) is None


def test_a_setting_that_decides_exists() -> None:
    for plugin in built_in("solver"):
        same_as = plugin.flags.get("same_as") or {}
        assert isinstance(same_as, str) or same_as.keys() <= plugin.parameters.keys()
