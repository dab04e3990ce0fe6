"""The figures of the report: which there are, what the numbers beside them say, and that the bytes repeat."""

import csv
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from bench.report.board import Board
from bench.report.figures import curves, frames
from bench.report.figures.draw import draw
from bench.report.figures.style import inline, plain
from bench.report.load import load
from bench.report.tables import leaderboard
from bench.statistics.interval import means
from tests import fake_run

NAMES = {
    "against_exposure", "against_noise", "sensitivity", "perception_distortion", "paired_gain", "pareto_seconds",
    "gap_to_best",
}  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return load([fake_run.write(tmp_path_factory.mktemp("runs") / "demo", size=24)])


@pytest.fixture(scope="module")
def board(results):
    return Board.from_rows(results.rows)


@pytest.fixture(scope="module")
def drawn(results, board, tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    order = [e["solver"] for e in leaderboard(board, "wiener")]
    return folder, draw(board, results.rows, order, "wiener", folder)


def test_every_figure_has_pdf_svg_and_csv_beside_it(drawn):
    folder, figures = drawn
    assert {f.name for f in figures} == NAMES
    for f in figures:
        assert (folder / f"{f.name}.pdf").read_bytes().startswith(b"%PDF")
        ElementTree.parse(folder / f"{f.name}.svg")
        assert len((folder / f"{f.name}.csv").read_text(encoding="utf-8").splitlines()) > 2


def two(results, other="tv"):
    """The test rows of wiener and of one more solver, whatever it is called."""
    rows = [r for r in results.rows if r["phase"] == "test" and r["solver"] in ("tv", "wiener")]
    return [{**r, "solver": other if r["solver"] == "tv" else r["solver"]} for r in rows]


def test_the_same_results_are_drawn_to_the_same_bytes(results, tmp_path):
    folders = tmp_path / "a", tmp_path / "b"
    rows = two(results)
    first, again = (draw(Board.from_rows(rows), rows, ["tv", "wiener"], "wiener", f) for f in folders)
    assert [f.svg for f in first] == [f.svg for f in again]
    files = [name for f in first for name in f.files]
    assert len(files) >= 15
    assert all((folders[0] / f).read_bytes() == (folders[1] / f).read_bytes() for f in files)


def test_inlined_drawings_share_no_id_and_no_colour_of_the_paper(drawn):
    shown = [f.svg for f in drawn[1] if f.svg]
    ids = [i for s in shown for i in re.findall(r'\bid="([^"]+)"', s)]
    assert len(ids) == len(set(ids))
    used = {u for s in shown for u in re.findall(r'(?:href="#|url\(#)([^")]+)', s)}
    assert used <= set(ids)
    assert all("currentColor" in s and "#010203" not in s and "#000000" not in s for s in shown)


def test_a_name_with_markup_or_mathematics_in_it_stays_a_name(results, tmp_path):
    evil = "</svg><script>alert(1)</script> $\\frac{"
    rows = two(results, evil)
    figures = draw(Board.from_rows(rows), rows, [evil, "wiener"], "wiener", tmp_path)
    assert figures
    assert not any("<script" in f.svg for f in figures)
    assert plain("_x") != "_x"


def test_the_table_behind_the_curves_holds_clustered_means_and_paired_differences(board, drawn):
    with (drawn[0] / "against_exposure.csv").open(encoding="utf-8") as file:
        line = next(r for r in csv.DictReader(file) if (r["solver"], r["noise"], r["T"]) == ("tv", "high", "0.25"))
    here = board.settings == "shake T=0.25 · high"
    tv, wiener = (board.values("psnr")[board.solvers.index(s), here] for s in ("tv", "wiener"))
    both = means(np.stack([tv, tv - wiener]), board.settings[here], board.groups[here])
    for name, (mean, low, high) in zip(
        ("", "difference_"), zip(both.mean, *both.interval(), strict=True), strict=True
    ):
        numbers = [float(line[f"{name}{part}"]) for part in ("low", "high")]
        assert numbers == pytest.approx([low, high])
        assert float(line[name.rstrip("_") or "mean"]) == pytest.approx(mean)


def test_gains_are_positive_where_a_solver_is_better_whatever_the_metrics_direction(board):
    for metric in ("psnr", "lpips_alex"):
        gains = frames.gains(board, metric, "wiener").groupby("solver")["gain"].mean()
        assert gains["tv"] > 0 > gains["blurred"]


def test_the_regret_of_a_search_is_zero_at_its_best_and_nowhere_negative(results):
    searches = frames.searches(results.rows, "psnr")
    best = searches.groupby(["solver", "setting"])["regret"].min()
    assert np.allclose(best, 0)
    tv = searches[(searches["solver"] == "tv") & (searches["setting"] == "shake T=0.25 · high")]
    assert tv.loc[tv["regret"].idxmin(), "value"] == 0.002
    assert set(searches["parameter"]) == {"lam", "balance"}


def test_inlining_keeps_the_drawing_and_drops_the_file_around_it():
    head = '<?xml version="1.0"?>\n<svg width="72pt" height="36pt" viewBox="0 0 72 36">'
    markup = inline(head + '\n <metadata>x</metadata>\n <g id="a"/></svg>', "f")
    assert markup.startswith("<svg role")
    assert 'id="f-a"' in markup
    assert "metadata" not in markup
    assert 'viewBox="0 0 72 36"' in markup


def test_the_mean_line_of_a_search_stands_where_every_setting_was_searched_and_between_them():
    tried = {"a": {1.0: 0.0, 10.0: 2.0, 100.0: 4.0}, "b": {0.01: 9.0, 1.0: 1.0, 10.0: 0.0, 31.0: 3.0}}
    lines = [{"setting": s, "value": v, "regret": r} for s, own in tried.items() for v, r in own.items()]
    value, mean = curves.common_mean(pd.DataFrame(lines))
    assert value.tolist() == [1.0, 10.0, 31.0]
    at_31 = 2 + 2 * np.log(3.1) / np.log(10)  # of a, on the logarithmic scale that is drawn
    assert mean == pytest.approx([0.5, 1.0, (at_31 + 3) / 2])
