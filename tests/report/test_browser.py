"""The report in a real browser, opened from a file: what a reader does with it, and that its numbers are Python's."""

import csv
import importlib.util
import io
import json
from pathlib import Path

import pytest

from bench.report.board import Board
from bench.report.load import load
from bench.report.page import build
from bench.report.tables import leaderboard, pairs
from tests import fake_run
from tests.report.looks import MARKS, first_column

pytestmark = MARKS


# --- the page shows what Python computed ------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["psnr", "lpips_alex", "residual_chi2"])
@pytest.mark.parametrize("chosen", [{}, {"blur": "shake", "noise": "high"}])
def test_a_filtered_leaderboard_is_pythons_leaderboard_of_those_rows(opened, run, metric, chosen):
    opened.run(f"bench.change({json.dumps({**chosen, 'metric': metric})})")
    rows = [r for r in load([run]).rows if all(r[k] == v for k, v in chosen.items())]
    expected = {e["solver"]: e["scores"][metric] for e in leaderboard(Board.from_rows(rows), "wiener")}
    for e in opened.run("bench.leaderboard()"):
        score = expected[e["solver"]]
        assert [e["score"][k] for k in ("mean", "low", "high")] == pytest.approx(
            [score.mean, score.low, score.high], rel=1e-5
        )
        assert e["score"]["best"] is score.maybe_best
        assert (e["delta"] is None) == (score.delta is None)
        if score.delta:
            verdict = {True: "better", False: "worse", None: "unclear"}[score.delta.better]
            assert e["delta"]["verdict"] == verdict
            given = [score.delta.mean, score.delta.low, score.delta.high, score.delta.adjusted]
            assert [e["delta"][k] for k in ("mean", "low", "high", "p")] == pytest.approx(given, rel=1e-5, abs=1e-9)


def test_beside_the_residual_stands_what_theory_expects_of_it_and_it_is_no_metric_to_choose(opened):
    column = "[...document.querySelectorAll('#board thead th')].findIndex(t => t.textContent.startsWith('χ²'))"
    rows = "[...document.querySelectorAll('#board tbody tr')]"
    texts = dict(opened.run(f"{rows}.map(r => [r.dataset.solver, r.children[{column}].textContent])"))
    assert texts["tv"].endswith("(0.75)")
    assert texts["haar_fista"].endswith("(< 0)")
    assert "(" not in texts["blurred"]
    choices = opened.run("[...document.querySelector('#metric').options].map(o => o.value)")
    assert "residual_chi2" in choices
    assert "residual_chi2_expected" not in choices


def test_another_baseline_shows_the_differences_of_all_pairs_with_the_right_sign(opened, run):
    opened.run("bench.change({baseline: 'tv', metric: 'lpips_alex'})")
    board = Board.from_rows(load([run]).rows)
    every = pairs(board, "lpips_alex")
    tv = board.solvers.index("tv")
    for e in opened.run("bench.leaderboard()"):
        s = board.solvers.index(e["solver"])
        if s != tv:
            given = [every.mean[s, tv], every.low[s, tv], every.high[s, tv], every.adjusted[s, tv]]
            assert [e["delta"][k] for k in ("mean", "low", "high", "p")] == pytest.approx(given, rel=1e-5, abs=1e-9)
            assert e["delta"]["verdict"] == ("unclear" if given[3] >= 0.05 else "better" if given[0] < 0 else "worse")


def test_a_filter_without_a_table_gives_way_to_the_one_chosen_last(opened):
    opened.run("bench.change({blur: 'shake', noise: 'low'})")
    assert opened.run("[bench.state.blur, bench.state.noise]") == ["", "low"]
    opened.run("bench.change({blur: 'shake'})")
    assert opened.run("[bench.state.blur, bench.state.noise]") == ["shake", ""]
    assert opened.run("document.getElementById('noise').value") == ""


# --- table and filters --------------------------------------------------------------------------------------------


def test_a_heading_sorts_and_a_second_click_turns_the_order(opened):
    assert first_column(opened)[:2] == ["tv", "dps"]
    click = "[...document.querySelectorAll('#board .sort')].find(b => b.textContent === 'Time').click()"
    opened.run(click)
    order = first_column(opened)
    assert order[0] == "blurred"
    assert order[-1] == "dps"
    opened.run(click)
    assert (first_column(opened)[0], first_column(opened)[-1]) == ("dps", "blurred")
    assert opened.run("document.querySelector('#board th[aria-sort]').textContent") == "Time"


def test_filters_change_every_table_and_reset_brings_all_back(opened):
    choose = (
        "(id, v) => { const s = document.getElementById(id); s.value = v; s.dispatchEvent(new Event('change')); }"
    )
    opened.run(f"({choose})('noise', 'low')")
    assert "disk" not in opened.run("document.getElementById('board-note').textContent")
    assert "5 measurements" in opened.run("document.getElementById('board-note').textContent")
    assert opened.run("document.querySelectorAll('#heat tbody tr:first-child td').length") == 1
    opened.run(f"({choose})('family', 'variational')")
    assert set(first_column(opened)) == {"tv", "haar_fista", "richardson_lucy", "wiener"}
    opened.run("document.getElementById('reset').click()")
    assert len(first_column(opened)) == 7
    assert opened.run("document.querySelectorAll('#heat tbody tr:first-child td').length") == 4


def test_a_copied_address_shows_the_same_again(opened, page):
    wanted = {"metric": "ssim", "noise": "high", "baseline": "tv", "sort": "seconds", "mode": "error", "a": "wiener",
              "zoom": "3,0.4000,0.6000", "split": "30"}  # fmt: skip
    cell = opened.run("bench.data.pictures.length && document.querySelector('#pick-image').value")
    assert cell == "0" or cell
    opened.run(f"bench.change({json.dumps(wanted)})")
    opened.run("document.getElementById('next').click()")
    opened.settled()
    address, state = opened.run("location.href"), opened.run("bench.state")
    rows, heading = first_column(opened), opened.run("document.querySelector('#board thead').textContent")
    opened.open(address)
    assert opened.run("bench.state") == state
    assert {k: state[k] for k in wanted} == wanted
    assert first_column(opened) == rows
    assert opened.run("document.querySelector('#board thead').textContent") == heading
    assert opened.run("document.getElementById('metric').value") == "ssim"


def test_an_address_of_another_report_falls_back_to_what_there_is(browser, page):
    browser.open(page.as_uri() + "#metric=nonsense&blur=%ZZ&baseline=nobody&cell=gone&zoom=x&mode=image&junk=1")
    assert browser.run("bench.state.metric") == "psnr"
    assert len(first_column(browser)) == 7
    assert browser.messages == []


def test_csv_and_latex_hold_the_numbers_of_the_table(opened):
    lines = list(csv.DictReader(io.StringIO(opened.run("bench.boardCsv()"))))
    entries = opened.run("bench.leaderboard()")
    assert [x["solver"] for x in lines] == [e["solver"] for e in entries]
    assert float(lines[0]["psnr_mean"]) == pytest.approx(entries[0]["score"]["mean"])
    latex = opened.run("bench.boardLatex()")
    best, second = (f"{entries[k]['score']['mean']:.2f}" for k in (0, 1))
    assert f"\\textbf{{{best}}}" in latex
    assert f"\\underline{{{second}}}" in latex
    assert "richardson\\_lucy" in latex
    assert "\\toprule" in latex
    assert latex.count("\\\\") == 1 + len(entries)
    assert len(next(csv.reader(io.StringIO(opened.run("bench.heatCsv()"))))) == 1 + 3 * 4


def test_the_matrix_of_pairs_has_row_less_column_and_marks_what_differs(opened, run):
    opened.run("bench.change({metric: 'psnr'})")
    board = Board.from_rows(load([run]).rows)
    every = pairs(board, "psnr")
    names = opened.run("[...document.querySelectorAll('#pairs-table tbody th')].map(e => e.textContent)")
    cells = opened.run(
        "[...document.querySelectorAll('#pairs-table tbody tr')].map(tr => "
        "[...tr.querySelectorAll('td')].map(td => [td.className, td.textContent.replace('−', '-')]))"
    )
    for row, line in zip(names, cells, strict=True):
        i = board.solvers.index(row)
        for column, (kind, text) in zip(names, line, strict=True):
            j = board.solvers.index(column)
            if i != j:
                assert float(text) == pytest.approx(every.mean[i, j], abs=0.006)
                sure = every.adjusted[i, j] < 0.05
                assert kind == ("unclear" if not sure else "better" if every.mean[i, j] > 0 else "worse")
    opened.run("document.querySelector('#pairs-table tbody button').click()")
    assert "adjusted p" in opened.run("document.getElementById('pair-text').textContent")


def test_rows_are_searched_columns_hidden_and_both_live_in_the_address(opened):
    opened.run("(() => { const f = document.getElementById('find'); f.value = 'TV'; "
               "f.dispatchEvent(new Event('input')); })()")  # fmt: skip
    assert first_column(opened) == ["tv"]
    opened.run("bench.change({find: ''})")
    opened.run("[...document.querySelectorAll('#columns-list label')].find(e => e.textContent.includes('Time'))"
               ".querySelector('input').click()")  # fmt: skip
    assert "Time" not in opened.run("document.querySelector('#board thead').textContent")
    opened.settled()
    opened.open(opened.run("location.href"))
    assert "Time" not in opened.run("document.querySelector('#board thead').textContent")
    assert len(first_column(opened)) == 7


def test_a_name_opens_all_that_is_known_of_a_solver(opened):
    opened.run("document.querySelector('#board [data-solver=tv] .solver').click()")
    text = opened.run("document.getElementById('about-solver').textContent")
    assert opened.run("document.getElementById('about-solver').open")
    assert "What tv does." in text
    assert "Of tv, 1965" in text
    assert "shake T=0.25 · highlam 0.002" in text
    opened.run("document.querySelector('#about-solver button').click()")
    assert not opened.run("document.getElementById('about-solver').open")


def test_cautions_of_a_row_are_marks_that_the_page_explains(browser, tmp_path):
    from bench.results import parquet as results

    folder = fake_run.write(tmp_path / "run", size=24, images=2, fail=False)
    rows = results.read(folder / "results.parquet")
    marked = [{**r, "unverified": "imports that no file names"} if r["solver"] == "tv" else r for r in rows]
    results.write(folder / "results.parquet", marked, fake_run.METRICS)
    browser.open(build([folder], tmp_path / "out", figures=False).as_uri())
    tag = browser.run("document.querySelector('#board [data-solver=tv] .warn-tag').title")
    assert tag == "imports that no file names"
    assert "cells cannot follow" in browser.run("document.getElementById('cautions').textContent")


# --- the page as a whole ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("single_file", [False, True])
def test_a_page_asks_for_its_own_files_alone_and_says_nothing_at_the_console(browser, run, tmp_path, single_file):
    alone = build([run], tmp_path, single_file=single_file, figures=False)
    browser.open(alone.as_uri())
    for mode in ("error", "residual", "spectrum"):
        browser.run(f"bench.change({{mode: '{mode}'}})")
        browser.settled()
    assert browser.run("document.querySelectorAll('#viewer canvas').length") == 10
    browser.run("document.getElementById('next').click()")
    browser.settled()
    asked = [r for r in browser.requests if not r.startswith(("data:", "about:"))]
    assert all(r.startswith(tmp_path.as_uri()) for r in asked)
    assert len(asked) == (1 if single_file else 3)
    assert browser.messages == []


EVIL = "</script><script>pwned=1</script><img src=x onerror=pwned=2><svg onload=pwned=3>'\"&{{7*7}}"


def test_hostile_names_are_shown_as_they_are_and_do_nothing(browser, tmp_path):
    columns = ("setting", "image", "error_message", "noise", "blur", "family", "psf_note", "solver_name", "cell_key")
    folder = fake_run.write(
        tmp_path / "run", size=24, images=2, fail=False,
        solvers={EVIL: fake_run.SOLVERS["tv"], "wiener": fake_run.SOLVERS["wiener"]},
    )  # fmt: skip
    import pyarrow as pa
    from pyarrow import parquet

    table = parquet.read_table(folder / "results.parquet")
    for name in columns:
        if name not in ("setting", "image", "cell_key"):
            table = table.set_column(table.column_names.index(name), name, pa.array([EVIL] * len(table)))
    parquet.write_table(table, folder / "results.parquet")
    (folder / "certificates").mkdir()
    certificate = {"solver": EVIL, "verdict": "fail", "oracle": EVIL, "text": EVIL}
    (folder / "certificates" / "c.json").write_text(json.dumps(certificate), encoding="utf-8")
    for single_file in (False, True):
        browser.open(build([folder], tmp_path / "out", single_file=single_file).as_uri())
        browser.run(
            "[...document.querySelectorAll('#board .sort, #heat button, #modes button')].forEach(b => b.click())"
        )
        browser.settled()
        assert EVIL in first_column(browser)
        assert browser.run("typeof pwned") == "undefined"
        assert browser.run("document.querySelectorAll('img').length") == 0
        assert browser.messages == []
    assert not browser.run(f"bench.boardLatex().includes({json.dumps('{{7*7}}')})")


def test_print_shows_every_section_without_the_controls(opened):
    assert opened.pdf().count(b"/Type /Page\n") >= 3
    opened.media(kind="print")
    hidden = (
        "['.bar', '.controls', '.take'].every(s => getComputedStyle(document.querySelector(s)).display === 'none')"
    )
    assert opened.run(hidden)
    assert opened.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    opened.media()


def test_ten_thousand_cells_are_ready_within_two_seconds_in_less_than_a_megabyte(browser, tmp_path):
    page = build([fake_run.write_large(tmp_path / "run")], tmp_path / "out")
    assert page.stat().st_size <= 1_000_000
    assert browser.open(page.as_uri()) <= 2000
    assert len(first_column(browser)) == 20
    assert browser.run("document.querySelectorAll('#heat td').length") == 400


def test_a_phone_shows_names_and_numbers_side_by_side_without_scrolling_the_page(opened):
    opened.size(390)
    place = "(q) => { const r = document.querySelector(q).getBoundingClientRect(); return [r.left, r.right]; }"
    for table, number in (("#board", "td.main"), ("#heat", "td")):
        left, right = opened.run(f"({place})('{table} tbody tr:first-child {number}')")
        assert 0 < left < right <= 390
    assert opened.run("document.documentElement.scrollWidth") == 390
    opened.size(1440)


def test_the_page_opens_with_the_conclusion_and_what_it_rests_on(opened):
    lead = opened.run("document.getElementById('conclusion').textContent")
    assert "Against the baseline wiener" in lead
    assert "5 photographs" in lead


def test_implementations_of_one_estimator_stand_together(browser, tmp_path):
    from bench.results import parquet as results

    folder = fake_run.write(tmp_path / "run", size=24, fail=False)
    rows = results.read(folder / "results.parquet")
    twins = [{**r, "same_as": "tv"} if r["solver"] in ("tv", "wiener") else r for r in rows]
    results.write(folder / "results.parquet", twins, fake_run.METRICS)
    browser.open(build([folder], tmp_path / "out", figures=False).as_uri())
    names = first_column(browser)
    assert names[names.index("tv") + 1] == "wiener"
    assert "= tv" in browser.run("document.querySelector('#board [data-solver=wiener]').textContent")


AXE = importlib.util.find_spec("axe_core_python")


@pytest.mark.skipif(AXE is None, reason="axe-core-python is not installed")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 420])
def test_axe_finds_no_violation(opened, scheme, width):
    assert AXE
    assert AXE.submodule_search_locations
    axe = next(Path(AXE.submodule_search_locations[0]).rglob("axe.min.js"))
    opened.media(scheme)
    opened.size(width)
    opened.run(axe.read_text(encoding="utf-8") + "; true")
    opened.run("bench.change({mode: 'error', zoom: '2,0.5,0.5', metric: 'ssim'})")
    opened.settled()
    faults = opened.run(
        "axe.run(document).then(r => r.violations.map(v => "
        "[v.id, v.nodes.map(n => n.html.slice(0, 90) + ' ' + n.failureSummary.slice(0, 160))]))"
    )
    opened.size(1440)
    assert faults == []


def test_the_map_of_settings_as_curves_follows_the_filters(opened):
    drawn = "[...document.querySelectorAll('#curves .point')]"
    opened.run("bench.change({map: 'curves'})")
    assert opened.run("document.getElementById('heat').closest('.scroll').hidden")
    names = first_column(opened)
    assert sorted(opened.run(f"{drawn}.map(p => p.dataset.solver)")) == sorted(names)
    settings = opened.run("bench.settingMap([]).columns.length")
    assert opened.run(f"{drawn}[0].querySelectorAll('.mark-shape').length") == settings
    opened.run("bench.change({noise: document.getElementById('noise').options[1].value})")
    fewer = opened.run("bench.settingMap([]).columns.length")
    assert opened.run(f"{drawn}[0].querySelectorAll('.mark-shape').length") == fewer < settings
    family = opened.run("document.getElementById('family').options[1].value")
    opened.run(f"bench.change({{family: {json.dumps(family)}}})")
    assert 0 < opened.run(f"{drawn}.length") < len(names)
    opened.run("bench.change({map: 'gap', family: '', noise: ''})")
    assert opened.run("document.getElementById('curves-card').hidden")
