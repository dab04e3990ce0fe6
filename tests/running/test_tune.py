"""Tuning as a replay of outcomes: what is asked for, what is chosen, and by which metric. No cell is solved."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from bench.grid.cells import Cell
from bench.grid.read import read_grid
from bench.grid.schema import Grid
from bench.running.forecast import forecast
from bench.running.runner import Finished, Options, Runner
from bench.running.tune import Search
from tests.conftest import PLUGINS, Silent

Write = Callable[..., Path]
Outcomes = dict[str, dict[str, Any]]
Score = Callable[[Cell], float]


def runner_of(path: Path) -> Runner:
    return Runner(read_grid(path), Options(path.parent / "out"), Silent())


def missing_from(outcomes: Outcomes) -> Callable[[Iterable[Cell]], list[Cell]]:
    return lambda cells: [c for c in cells if c.key not in outcomes]


def solve(search: Search, score: Score, outcomes: Outcomes | None = None, one_by_one: bool = False) -> Outcomes:
    """Answer what a search asks for until it is over, all at once or one cell at a time, the last one first."""
    outcomes = {} if outcomes is None else outcomes
    while asked := search.advance(outcomes, missing_from(outcomes)):
        for cell in asked[-1:] if one_by_one else asked:
            outcomes[cell.key] = {f"m_{search.metric}": score(cell), "seconds": 0.5}
    return outcomes


def peak(best: float, name: str) -> Score:
    """Decibels that fall with the squared logarithm from the best value on."""
    return lambda cell: 30 - math.log((cell.solver.settings[name] + 1e-9) / best) ** 2


def tried_by(search: Search, outcomes: Outcomes) -> list[dict[str, Any]]:
    return [candidate for candidate, _ in search.choice(outcomes).tried]


def test_a_search_asks_for_the_same_in_whatever_order_and_portions_outcomes_come(write_grid: Write) -> None:
    path = write_grid("@copy.py: {tune: auto}")
    score = peak(1.3, "factor")
    first, second, third = (runner_of(path).searches()[0] for _ in range(3))
    outcomes = solve(first, score)
    assert tried_by(second, solve(second, score, one_by_one=True)) == tried_by(first, outcomes)
    half = dict(list(outcomes.items())[: len(outcomes) // 2])  # what a killed run leaves behind
    assert third.advance(half, missing_from(half))
    assert not third.is_over
    assert third.choice(solve(third, score, half)) == first.choice(outcomes)


def test_every_solver_gets_the_same_budget_whoever_wrote_it(write_grid: Write) -> None:
    names = {"wiener": "balance", "tv": "lam", "haar_fista": "lam", "skimage_wiener": "balance", "pylops_tv": "eps",
             "pyproximal_tv": "lam", "richardson_lucy": "steps", "skimage_richardson_lucy": "num_iter"}  # fmt: skip
    path = write_grid(
        *(f"{n}: {{tune: auto}}" for n in names), more="tune: {budget: 9}\nexclude: ['T < 1', 'sigma < 8']"
    )
    for search in runner_of(path).searches():
        label = search.entry.label
        default = search.entry.variant.plugin.parameters[names[label]].default
        outcomes = solve(search, peak(default, names[label]))
        assert len(tried_by(search, outcomes)) == 9
        chosen = search.choice(outcomes).chosen
        assert chosen is not None
        assert 0.7 < chosen[names[label]] / default < 1.4


def test_a_best_value_at_an_edge_is_reported_and_a_bound_is_no_edge(write_grid: Write) -> None:
    solvers = (
        "@copy.py: {tune: auto}",
        "@copy.py: {id: list, tune: {factor: [1, 2, 3]}}",
        "richardson_lucy: {tune: auto}",
    )
    copy, fixed, lucy = (s for s in runner_of(write_grid(*solvers, more="tune: {per: []}")).searches())
    edges = [
        copy.choice(solve(copy, lambda c: c.solver.settings["factor"])).at_edge,
        fixed.choice(solve(fixed, lambda c: c.solver.settings["factor"])).at_edge,
        lucy.choice(solve(lucy, lambda c: -c.solver.settings["steps"])).at_edge,
    ]
    assert edges == [["factor"], ["factor"], []]
    assert lucy.best[0].candidate == {"steps": 0}


def test_an_exact_restoration_is_the_best_there_is_and_a_failure_the_worst(write_grid: Write) -> None:
    (search,) = runner_of(write_grid("@copy.py: {tune: {factor: [1, 2, 3]}}", more="tune: {per: []}")).searches()
    scores = {1: math.nan, 2: 30.0, 3: math.inf}
    choice = search.choice(solve(search, lambda c: scores[c.solver.settings["factor"]]))
    assert choice.chosen == {"factor": 3}
    assert [t["score"] for t in choice.as_dict()["tried"]] == [None, 30.0, None]


def test_an_oracle_searches_for_every_measurement_by_itself(write_grid: Write) -> None:
    runner = runner_of(write_grid("@copy.py: {oracle: auto}", more="tune: {budget: 10}"))
    best = {"test0": 0.7, "test1": 1.6}
    searches = runner.searches()
    assert len(searches) == 8
    for search in searches:
        outcomes = solve(search, lambda c: peak(best[c.shot.image], "factor")(c))
        images = {c.shot.image for c in search.cells}
        assert len(images) == 1
        assert {c.shot.split for c in search.cells} == {"test"}
        assert search.best[0].candidate["factor"] == pytest.approx(best[images.pop()], rel=0.1)
        assert len(outcomes) <= 10


def test_a_plan_counts_at_most_the_budget(write_grid: Write) -> None:
    path = write_grid(
        "@copy.py: {tune: auto}", "@slow_copy.py: {id: list, tune: {factor: [1, 2]}}", more="tune: {budget: 7}"
    )
    rows = {r["solver"]: r for r in forecast(runner_of(path))}
    assert rows["copy"]["to_run"] == 7 * 8 + 8  # two validation images at four settings, and the test cells
    assert rows["copy"]["why"] == {"new": 3 * 8 + 8, "of a search, at most": 4 * 8}
    assert rows["list"]["to_run"] == 2 * 8 + 8


def test_a_run_that_lost_half_its_journal_makes_the_same_choices(
    write_grid: Write, run_grid: Callable[..., Finished], tmp_path: Path
) -> None:
    path = write_grid("@copy.py: {tune: {factor: {log: [2, 4]}}}", more="tune: {budget: 6}\nexclude: ['T < 1']")
    whole = run_grid(path)
    metrics = [r["m_psnr"] for r in whole.rows]
    facts = json.loads((tmp_path / "out" / "run.json").read_text())["tuning"]
    assert [len(f["tried"]) for f in facts] == [6, 6]
    assert all(0.8 < f["chosen"]["factor"] < 1.3 for f in facts)  # outside of what was given
    journal = tmp_path / "out" / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[: len(lines) // 2]))
    again = run_grid(path)
    assert 0 < again.computed < whole.computed
    assert [(c.tried, c.chosen) for c in again.choices] == [(c.tried, c.chosen) for c in whole.choices]
    assert [r["m_psnr"] for r in again.rows] == metrics


# --- the metric -------------------------------------------------------------------------------------------------


def judges(grid: Grid) -> dict[str, str]:
    return {e.label: grid.judge(e) for e in grid.solvers}


@pytest.mark.parametrize(
    ("more", "sampler", "estimate"),
    [
        ("samples: 4", "crps", "psnr"),
        ("samples: 1", "psnr", "psnr"),
        ("samples: 4\ntune: {samples: 1}", "psnr", "psnr"),  # the CRPS of one draw is none
        ("samples: 1\ntune: {samples: 3}", "crps", "psnr"),
        ("samples: 4\ntune: {metric: crps}", "crps", "psnr"),
        ("samples: 4\ntune: {metric: psnr_mean}", "psnr_mean", "psnr_mean"),
        ("samples: 4\ntune: {metric: ssim}", "ssim", "ssim"),
        ("samples: 1\ntune: {metric: crps}", "psnr", "psnr"),
    ],
)
def test_samplers_are_tuned_on_crps_and_estimates_on_psnr_unless_the_grid_names_what_both_have(
    write_grid: Write, more: str, sampler: str, estimate: str
) -> None:
    grid = read_grid(write_grid("@dice.py", "@copy.py: {tune: auto}", more=more))
    assert judges(grid) == {"dice": sampler, "copy": estimate}
    assert {sampler, estimate} <= set(grid.metrics)


def test_paths_among_tuned_values_start_from_the_folder_of_the_grid(
    write_grid: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.bin").write_bytes(b"a")
    path = write_grid("@broken.py: {tune: {marker: [a.bin, none]}}")
    monkeypatch.chdir(PLUGINS)
    (entry,) = read_grid(path).solvers
    assert entry.tuning is not None
    assert next(entry.tuning.steps()) == [{"marker": str(tmp_path / "a.bin")}, {"marker": "none"}]
