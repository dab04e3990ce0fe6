"""The tables of a page: one for every state that its filters can be in, with the numbers of just those cells."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from bench.report.board import Board
from bench.report.load import load
from bench.report.payload import packed, payload
from bench.report.states import axes, states
from bench.report.tables import pairs, standings
from tests import fake_run

WAYS = {"blur": ["a", "b", "c"], "noise": ["low", "high"], "psf_error": ["none", "wide"]}


def row(**about: Any) -> dict[str, Any]:
    where = {"dataset": "d", "split": "test", "image": "i", "psf_index": 0, "rep": 0, "T": 1.0, "sigma_factor": 1.0}
    name = " ".join(map(str, about.values()))
    return {"solver": "tv", "status": "ok", "setting": name, "m_psnr": 1.0, **where, **about}


def board(*rows: dict[str, Any]) -> Board:
    return Board.from_rows(rows)


def full() -> Board:
    return board(
        *(row(blur=b, noise=n, psf_error=p) for b in WAYS["blur"] for n in WAYS["noise"] for p in WAYS["psf_error"])
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Board:
    return Board.from_rows(load([fake_run.write(tmp_path_factory.mktemp("run"), size=24)]).rows)


def test_a_column_with_one_value_or_decided_by_another_is_no_filter() -> None:
    chosen = axes(board(row(blur="T=1", T=1.0, noise="n"), row(blur="T=2", T=2.0, noise="n")))
    assert [(a.name, a.values) for a in chosen] == [("blur", ["T=1", "T=2"])]


def test_every_combination_that_has_cells_has_a_table_of_those_cells() -> None:
    b = full()
    shown = states(b, axes(b))
    assert shown.together == 3
    assert len(shown.number) == 4 * 3 * 3
    assert shown.cells[shown.number["0,0,0"]].all()
    chosen = shown.cells[shown.number["2,1,0"]]
    assert [(c.setting) for c, here in zip(b.cells, chosen, strict=True) if here] == ["b low none", "b low wide"]


def test_states_without_cells_do_not_exist_and_equal_ones_share_a_table() -> None:
    b = board(row(blur="a", noise="low"), row(blur="b", noise="low"), row(blur="b", noise="high"))
    shown = states(b, axes(b))
    assert "1,2" not in shown.number
    assert shown.number["1,0"] == shown.number["1,1"]
    assert (len(shown.number), len(shown.cells)) == (8, 6)


def test_beyond_the_limit_fewer_filters_can_be_set_together_and_none_is_missing_of_those() -> None:
    b = full()
    shown = states(b, axes(b), limit=10)
    assert shown.together == 1
    assert len(shown.number) == 1 + 3 + 2 + 2
    assert states(b, axes(b), limit=1).number == {"0,0,0": 0}


def unpack(vector: Any, n: int) -> np.ndarray:
    if isinstance(vector, str):
        return np.frombuffer(base64.b64decode(vector), "<f4").astype(float)
    return np.full(n, np.nan if vector is None else vector)


@pytest.mark.parametrize("metric", ["psnr", "lpips_alex", "residual_chi2"])
def test_a_filtered_table_holds_the_statistics_of_just_those_cells(demo: Board, metric: str) -> None:
    page = payload(demo, [], "wiener")
    wanted = {"blur": "disk", "noise": "low"}
    places = [1 + a["values"].index(wanted[a["name"]]) if a["name"] in wanted else 0 for a in page["axes"]]
    state = ",".join(map(str, places))
    table = page["tables"][page["states"][state]]
    part = demo.select(demo.settings == "disk · low")
    expected = standings(part, metric, "wiener")
    scores = table["scores"][metric]
    for name in ("mean", "low", "high"):
        given = [getattr(r, name) for r in expected.rows]
        assert unpack(scores[name], len(given)) == pytest.approx(given, rel=1e-6, nan_ok=True)
    assert scores["groups"] == expected.groups == 5
    if metric != "residual_chi2":
        given = [np.nan if r.delta is None else r.delta.adjusted for r in expected.rows]
        assert unpack(scores["delta"]["adjusted"], len(given)) == pytest.approx(given, rel=1e-6, nan_ok=True)
        i, j = np.triu_indices(len(demo.solvers), 1)
        every = pairs(part, metric)
        assert unpack(scores["pairs"]["mean"], len(i)) == pytest.approx(every.mean[i, j], rel=1e-5, abs=1e-6)
    else:
        assert scores["delta"] is None
        assert scores["pairs"] is None


def test_a_report_with_too_many_pairs_has_those_of_the_whole_grid_alone(
    demo: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.report.payload.PAIRS", 10)
    tables = payload(demo, [], "wiener")["tables"]
    assert [t["scores"]["psnr"]["pairs"] is not None for t in tables] == [True] + [False] * (len(tables) - 1)


def test_packed_vectors_come_back_to_float32() -> None:
    values = np.array([1.5, np.nan, np.inf, -3e-5])
    assert np.array_equal(unpack(packed(values), 4).astype("f4"), values.astype("f4"), equal_nan=True)
    assert packed(np.full(3, np.nan)) is None
    assert packed(np.full(3, 0.25)) == 0.25
