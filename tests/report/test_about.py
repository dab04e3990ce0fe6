"""What the page tells of a solver beside its numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.report import facts
from bench.report.about import about_solvers
from bench.report.board import Board
from bench.report.figures.style import FAMILIES, family_index
from bench.report.load import load
from bench.report.payload import payload
from tests import fake_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_run.write(tmp_path_factory.mktemp("runs") / "demo", size=24, posterior=True)


def test_each_solver_has_its_summary_reference_and_tuned_values(run: Path) -> None:
    results = load([run])
    board = Board.from_rows(results.rows)
    about = dict(zip(board.solvers, about_solvers(results, board), strict=True))
    assert about["tv"]["summary"] == "What tv does."
    assert about["tv"]["tuned"][0] == ["shake T=0.25 · high", "lam 0.002"]
    assert about["blurred"]["tuned"] == []


def test_a_family_has_the_same_colour_whatever_else_is_in_the_report(run: Path) -> None:
    rows = load([run]).rows
    every, few = (
        {s["family"]: s["colour"] for s in payload(Board.from_rows(part), [], None)["solvers"]}
        for part in (rows, [r for r in rows if r["solver"] in ("tv", "dps")])
    )
    assert few.items() <= every.items()
    assert len({family_index(f) for f in FAMILIES}) == len(FAMILIES)
    assert family_index("of mine") >= len(FAMILIES)


def test_ranks_that_rule_nothing_out_are_no_column(run: Path) -> None:
    rng = np.random.default_rng(0)
    test = [r for r in load([run]).rows if r["phase"] == "test"]
    many = [
        {**r, "status": "ok", "image": f"{r['image']}{k}", "m_psnr": 20 + rng.standard_normal(), "m_psnr_mean": None}
        for k in range(3)
        for r in test
    ]
    ranks = [
        payload(Board.from_rows(rows, ["psnr"]), [], None)["tables"][0]["scores"]["psnr"]["ranks"]
        for rows in (many, [{**r, "m_psnr": r["m_psnr"] + 9 * (r["solver"] == "tv")} for r in many])
    ]
    assert ranks[0] is None
    assert (1, 1) in ranks[1]


def test_many_drawn_kernels_are_one_notice(run: Path) -> None:
    rows = load([run]).rows
    drawn = [{**r, "psf_note": f"length {i} px"} for i, r in enumerate(rows)]
    assert sum("different PSFs were drawn" in n for n in facts.notices(drawn)) == 1
    assert not any(n.startswith("PSF:") for n in facts.notices(drawn))
    assert "PSF: cut" in facts.notices([{**r, "psf_note": "cut"} for r in rows])
