"""When a difference is a regression: exact and noisy comparisons, pooling, correction."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from bench.check import baseline as baselines
from bench.check import outputs, text
from bench.check.baseline import Record, updated
from bench.check.rule import Pair, compare, losses, tolerance
from bench.check.verdict import check
from bench.errors import ResultError
from bench.scoring import registry
from bench.scoring.registry import describe

PROTOCOL = {"boundary": "valid", "border": 8, "clip": True}
RNG = np.random.default_rng(0)


def row(image: str, psnr: float | None, **changes: Any) -> dict[str, Any]:
    base = {
        "solver": "a", "dataset": "d", "setting": "s", "image": image, "psf_index": 0, "rep": 0, "status": "ok",
        "stochastic": False, "tuned": None, "y_sha": "y" + image, "weights_sha": None, "dtype": "float64",
        "device": "cpu", "threads": 1, "seconds": 1.0, "n_A": 5, "n_At": 5, "nfe_forward": 0, "nfe_backward": 0,
        "m_psnr": psnr,
    }  # fmt: skip
    return {**base, **changes}


def pairs(loss: np.ndarray, **changes: Any) -> list[Pair]:
    """Pairs whose PSNR fell by ``loss`` from 30 dB, one image each."""
    return [(row(f"i{k}", 30.0, **changes), row(f"i{k}", 30.0 - v, **changes)) for k, v in enumerate(loss)]


def record(rows: list[dict[str, Any]], **environment: str) -> Record:
    return Record(list(rows), ("psnr",), {"torch": "2", **environment}, "abc", PROTOCOL)


def test_in_float64_any_loss_above_the_tolerance_is_a_regression_however_it_scatters() -> None:
    (c,) = compare({("a", "s"): pairs(np.array([0.0, 0.0, 0.0, 0.1]))}, ["psnr"], same_machine=False)
    assert c.regressed
    assert c.p is None
    assert c.worst == ("i3", pytest.approx(0.1))


def test_rounding_is_no_regression_and_neither_is_a_gain() -> None:
    groups = {("a", "s"): pairs(np.full(4, 1e-6)), ("a", "t"): pairs(np.full(4, -0.5))}
    compared = {c.setting: c for c in compare(groups, ["psnr"], same_machine=True)}
    assert not any(c.regressed for c in compared.values())
    assert compared["t"].improved
    assert not compared["s"].improved


def test_a_sampler_in_float32_elsewhere_needs_evidence_and_not_one_unlucky_image() -> None:
    kind = {"stochastic": True, "dtype": "float32"}
    unlucky = np.zeros(24)
    unlucky[3] = 6.0  # mean loss 0.25 dB, by one image
    steady = 0.4 + 0.1 * RNG.standard_normal(24)
    groups = {("a", "s"): pairs(unlucky, **kind), ("b", "s"): pairs(steady, solver="b", **kind)}
    compared = {c.solver: c for c in compare(groups, ["psnr"], same_machine=False)}
    assert compared["a"].loss > compared["a"].tolerance
    assert not compared["a"].regressed
    assert compared["b"].regressed


def test_the_same_loss_is_judged_by_the_type_and_the_machine() -> None:
    double = tolerance("psnr", row("i", 1.0), same_machine=False)
    single = tolerance("psnr", row("i", 1.0, dtype="float32"), same_machine=True)
    sampler = tolerance("psnr", row("i", 1.0, dtype="float32", stochastic=True), same_machine=False)
    assert double[0] < single[0] < sampler[0]
    assert (double[1], single[1], sampler[1]) == (True, True, False)


def test_pooling_finds_what_single_groups_are_too_small_to_show() -> None:
    kind = {"stochastic": True, "dtype": "float32"}
    images = [f"i{k}" for k in range(12)]
    groups = {}
    for s in range(12):
        loss = 0.35 + 0.45 * RNG.standard_normal(12)
        groups["a", f"s{s}"] = [
            (row(i, 30.0, setting=f"s{s}", **kind), row(i, 30.0 - v, setting=f"s{s}", **kind))
            for i, v in zip(images, loss, strict=True)
        ]
    compared = compare(groups, ["psnr"], same_machine=False)
    assert [c.setting for c in compared if c.regressed] == [None]


@pytest.mark.parametrize("value", [None, math.nan])
def test_a_number_that_is_gone_never_passes(value: float | None) -> None:
    broken = [(row("i", 30.0), row("i", value))]
    (c,) = compare({("a", "s"): broken}, ["psnr"], same_machine=True)
    assert c.broken == 1
    assert c.regressed


def test_a_metric_that_neither_run_could_compute_is_left_out() -> None:
    assert compare({("a", "s"): [(row("i", None), row("i", None))]}, ["psnr"], same_machine=True) == []


def test_new_failures_and_missing_cells_fail_and_fixed_and_new_ones_do_not() -> None:
    before = [row("1", 30.0), row("2", 30.0), row("3", None, status="error"), row("4", 30.0)]
    now = [row("1", 30.0), row("2", None, status="timeout"), row("3", 29.0), row("5", 28.0)]
    v = check(record(now), record(before))
    named = [[r["image"] for r in rows] for rows in (v.failing, v.missing, v.fixed, v.new)]
    assert named == [["2"], ["4"], ["3"], ["5"]]
    assert not v.passed
    assert check(record(now[:1]), record(before[:1])).passed
    assert check(record(now[:1]), record(before[:2]), fatal=["metric"]).passed


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"y_sha": "other"}, "other measurements"),
        ({"weights_sha": "w2"}, "other weights"),
        ({"dtype": "float32", "weights_sha": "w1"}, "type"),
    ],
)
def test_other_measurements_weights_or_types_are_refused(change: dict[str, str], words: str) -> None:
    with pytest.raises(ResultError, match=words):
        check(record([row("1", 30.0, **change)]), record([row("1", 30.0, weights_sha="w1")]))


def test_nothing_in_common_is_not_a_pass() -> None:
    with pytest.raises(ResultError, match="no cell in common"):
        check(record([row("1", 30.0)]), record([row("2", 30.0)]))


def test_more_calls_are_reported_and_fail_only_when_asked() -> None:
    now = [row("1", 30.0, nfe_forward=20)]
    assert check(record(now), record([row("1", 30.0)])).dearer == [("a", "nfe_forward", 0, 20)]
    assert check(record(now), record([row("1", 30.0)])).passed
    assert not check(record(now), record([row("1", 30.0)]), fatal=["cost"]).passed


def test_an_infinite_psnr_that_became_finite_is_broken_and_one_that_stayed_is_not() -> None:
    before = [row("1", math.inf), row("2", 30.0)]
    assert not check(record([row("1", 25.0), row("2", 30.0)]), record(before)).passed
    assert check(record(before), record(before)).passed


@pytest.mark.parametrize("stochastic", [True, False])
def test_a_single_image_allows_no_test_and_a_loss_on_it_does_not_pass(stochastic: bool) -> None:
    kind = {"dtype": "float32", "stochastic": stochastic, "device": "cuda:0"}
    now, before = record([row("1", 20.0, **kind)], torch="3"), record([row("1", 30.0, **kind)])
    assert not check(now, before).passed
    assert check(before, replace(before, environment={"torch": "3"})).passed


def test_a_deterministic_solver_on_another_processor_is_judged_by_the_tolerance_alone() -> None:
    losses = pairs(np.array([1.0, 2.0, 0.2, 0.5]), dtype="float32")
    (c,) = compare({("a", "s"): losses}, ["psnr"], same_machine=False)
    assert c.exact
    assert c.regressed


@pytest.mark.parametrize("change", [{"weights_sha": None}, {"y_sha": None}])
def test_weights_or_measurements_that_are_not_known_any_more_are_refused(change: dict[str, None]) -> None:
    with pytest.raises(ResultError, match="not comparable"):
        check(record([row("1", 30.0, **change)]), record([row("1", 30.0, weights_sha="w1")]))


def test_another_protocol_is_refused() -> None:
    now = replace(record([row("1", 31.0)]), protocol={**PROTOCOL, "border": 4})
    with pytest.raises(ResultError, match="border: 8 before, 4 now"):
        check(now, record([row("1", 30.0)]))


def test_a_failed_cell_without_a_baseline_is_told_apart_from_a_regression() -> None:
    now = record([row("1", 30.0), row("1", None, solver="b", status="error")])
    v = check(now, record([row("1", 30.0)]))
    assert v.passed
    assert [r["solver"] for r in v.new_failing] == ["b"]


def test_no_tolerance_at_all_still_sorts_what_regressed() -> None:
    v = check(record([row("1", 20.0)]), record([row("1", 30.0)]), tolerances={"psnr": 0.0})
    assert [c.solver for c in v.regressed] == ["a"]


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (record([row("1", 31.0, y_sha="other")]), "two measurements"),
        (replace(record([row("1", 31.0)]), metrics=("psnr", "ssim")), "metrics"),
        (record([row("1", 31.0, dtype="float32")], torch="3"), "another machine"),
        (replace(record([row("1", 31.0)]), protocol={**PROTOCOL, "clip": False}), "protocol"),
    ],
)
def test_a_baseline_is_not_mixed_of_rows_that_cannot_be_compared(now: Record, words: str) -> None:
    old = record([row("1", 30.0), row("1", 30.0, solver="b")])
    with pytest.raises(ResultError, match=words):
        updated(old, now, ["a"], "why")
    assert updated(None, now, ["a"], "why").rows == now.rows


def chi2(before: list[float], now: list[float], **changes: Any) -> list[Pair]:
    """Pairs of residual χ²."""
    return [
        (row(f"i{k}", 30.0, m_residual_chi2=a, **changes), row(f"i{k}", 30.0, m_residual_chi2=b, **changes))
        for k, (a, b) in enumerate(zip(before, now, strict=True))
    ]


def test_every_metric_has_tolerances_and_they_grow_with_the_chaos() -> None:
    every = [m.tolerance for m in registry.built_in().values()]
    assert all(0 < double < single < sampler for double, single, sampler in every)


@pytest.mark.parametrize(
    ("before", "now", "regressed"),
    [
        (0.90, 0.85, True),  # fits more of the noise
        (1.10, 1.15, True),  # misses more of the data
        (0.80, 1.05, False),  # nearer to 1, on the other side
        (0.95, 1.05, False),  # as far as before: PSNR has to tell whether it matters
        (0.95, 0.9495, False),  # within the tolerance
    ],
)
def test_a_check_with_a_target_loses_what_it_moves_away_from_the_target(
    before: float, now: float, regressed: bool
) -> None:
    (c,) = compare({("a", "s"): chi2([before] * 3, [now] * 3)}, ["residual_chi2"], same_machine=True)
    assert c.regressed == regressed
    assert c.loss == pytest.approx(abs(now - 1) - abs(before - 1))
    assert ("further from 1" in text.message(c)) or not regressed


def test_far_from_its_target_the_tolerance_of_a_check_is_relative_as_rounding_is() -> None:
    kind = {"dtype": "float32"}
    before = [3000.0, 20000.0]
    groups = {
        ("rounded", "s"): chi2(before, [v * (1 + 1e-5) for v in before], **kind),
        ("worse", "s"): chi2(before, [v * 1.05 for v in before], **kind),
        ("near", "s"): chi2([1.5, 0.7], [1.53, 0.67], **kind),
    }
    compared = {c.solver: c for c in compare(groups, ["residual_chi2"], same_machine=True)}
    assert compared["rounded"].loss > describe("residual_chi2").tolerance[1]
    assert [s for s, c in compared.items() if c.regressed] == ["worse", "near"]
    assert compared["near"].tolerance == describe("residual_chi2").tolerance[1]


def test_a_loss_is_infinite_where_a_number_has_gone_and_unknown_where_there_was_none() -> None:
    rows = [(row("1", 30.0), row("1", 29.0)), (row("2", 30.0), row("2", None)), (row("3", None), row("3", 29.0))]
    assert np.array_equal(losses("psnr", rows), [1.0, math.inf, math.nan], equal_nan=True)


def test_the_exit_code_and_the_headline_say_the_same() -> None:
    good, worse = [row("1", 30.0)], [row("1", 20.0)]
    failed = [*good, row("1", None, solver="b", status="error")]
    for now, code, word in ((good, 0, "PASSED"), (worse, 1, "FAILED"), (failed, 4, "INCOMPLETE")):
        v = check(record(now), record(good))
        assert (v.exit_code, text.headline(v).split()[0]) == (code, word)
    assert check(record(failed), record(good), fatal=["metric"]).exit_code == 0


def test_a_loss_too_small_for_the_table_is_not_shown_as_zero() -> None:
    (c,) = compare({("a", "s"): pairs(np.full(3, 2e-6))}, ["psnr"], same_machine=True, overrides={"psnr": 1e-6})
    assert c.regressed
    assert text.signed(c) == "-2.0e-06"


def test_no_name_breaks_out_of_the_junit_file_the_summary_or_an_annotation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, summary = "a:b,c\x07<x>&\n````\n::error::hi", tmp_path / "summary.md"
    v = check(record([row("1", 20.0, solver=name)]), record([row("1", 30.0, solver=name)]))
    outputs.write_junit(tmp_path / "junit.xml", v)
    (case,) = ElementTree.parse(tmp_path / "junit.xml").getroot().findall("testcase")
    assert case.get("classname") == name.replace("\x07", "?")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    (command,) = outputs.to_github("FAILED", [name], [(name, name)])
    assert command.count("\n") == 0
    assert command.startswith("::error title=a%3Ab%2Cc\x07<x>&%0A````%0A%3A%3Aerror%3A%3Ahi::a:b,c")
    assert summary.read_text() == f"### FAILED\n`````\n{name}\n`````\n"


def test_a_damaged_baseline_or_run_is_refused_and_never_a_verdict(tmp_path: Path) -> None:
    file = tmp_path / "base.parquet"
    good = record([row(str(k), 30.0 + k) for k in range(8)])
    baselines.write(file, good)
    whole = file.read_bytes()
    assert baselines.read(file).rows == good.rows
    for at in RNG.integers(0, len(whole), 30):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            baseline = baselines.read(file)
        except ResultError:
            continue
        assert baseline.rows == good.rows  # what was hit is read by nobody
    for damaged in (b"", b"PAR1", whole[: len(whole) // 2]):
        file.write_bytes(damaged)
        with pytest.raises(ResultError, match="cannot be read as a baseline"):
            baselines.read(file)
    for content in ("[]", "{", '{"environment": 3}'):
        (tmp_path / "run.json").write_text(content)
        with pytest.raises(ResultError, match=r"run\.json cannot be read"):
            baselines.of_run(tmp_path)


def test_a_baseline_with_an_unknown_metric_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_learnt", {})
    baselines.write(tmp_path / "base.parquet", replace(record([row("1", 30.0, m_mine=1.0)]), metrics=("mine",)))
    with pytest.raises(ResultError, match="does not know: mine"):
        baselines.read(tmp_path / "base.parquet")


def test_a_baseline_brings_what_is_known_of_a_metric_of_somebodys_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_learnt", {})
    mine = registry.MetricInfo("mine", "My own", better="lower", digits=5, tolerance=(0.1, 0.2, 0.3))
    registry.learn([mine])
    baselines.write(tmp_path / "base.parquet", replace(record([row("1", 30.0, m_mine=1.0)]), metrics=("mine",)))
    monkeypatch.setattr(registry, "_learnt", {})
    old = baselines.read(tmp_path / "base.parquet").rows[0]
    assert describe("mine") == mine
    (worse,) = compare({("tv", "s"): [(old, {**old, "m_mine": 1.15})]}, ["mine"], same_machine=True)
    assert (round(worse.loss, 9), worse.tolerance, worse.regressed) == (0.15, 0.1, True)


def test_crops_of_one_photograph_are_one_cluster() -> None:
    """Eight crops of two photographs are no eight witnesses: one photograph that lost does not make a regression."""
    drop = {"a": 0.5, "b": 0.1}
    crops = [(g, k) for g in "ab" for k in range(4)]
    noisy = {"dtype": "float32", "stochastic": True}

    def pairs(grouped: bool) -> list[Pair]:
        about = [{"group": g} if grouped else {} for g, _ in crops]
        before = [row(f"{g}{k}", 30.0, **noisy, **s) for (g, k), s in zip(crops, about, strict=True)]
        after = [row(f"{g}{k}", 30.0 - drop[g], **noisy, **s) for (g, k), s in zip(crops, about, strict=True)]
        return list(zip(before, after, strict=True))

    by_crop, by_photograph = (
        compare({("dps", "s"): pairs(g)}, ["psnr"], same_machine=True)[0] for g in (False, True)
    )
    assert by_crop.regressed
    assert not by_photograph.regressed
    assert by_photograph.loss == pytest.approx(0.3)
