"""The report in a real browser, opened from a file: what a reader does with it, and that its numbers are Python's."""

import csv
import importlib.util
import io
import json
from pathlib import Path

import numpy as np
import pytest

from bench.report.board import Board
from bench.report.load import load
from bench.report.page import build
from bench.report.tables import leaderboard
from bench.statistics import paired as stats
from bench.statistics.multiplicity import holm
from tests import fake_run
from tests.browser import CHROMIUM, Browser

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return fake_run.write(tmp_path_factory.mktemp("runs") / "demo", size=48, channels=3, posterior=True)


@pytest.fixture(scope="module")
def page(run, tmp_path_factory):
    return build([run], tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as opened:
        opened.size(1440)
        yield opened


@pytest.fixture
def opened(browser, page):
    browser.media()
    browser.open(page.as_uri())
    return browser


def first_column(browser):
    return browser.run("[...document.querySelectorAll('#board tbody .solver')].map(e => e.textContent)")


def canvas(label):
    return f"document.querySelector('#viewer [data-label={json.dumps(label)}] canvas')"


# --- the same numbers as bench.statistics.paired ----------------------------------------------------------------


def test_student_t_is_scipys(opened):
    for t, df in ((0.3, 1), (2.1, 4), (-7.5, 23), (40.0, 3)):
        from scipy.special import stdtr

        assert opened.run(f"bench.tTwoSided({t}, {df})") == pytest.approx(2 * stdtr(df, -abs(t)), rel=1e-9)
    for p, df in ((0.975, 1), (0.975, 11), (0.9999, 3), (0.999998, 60)):
        assert opened.run(f"bench.tQuantile({p}, {df})") == pytest.approx(stats.t_quantile(p, df), rel=1e-9)


def test_intervals_differences_holm_and_ranks_are_those_of_python(opened):
    rng = np.random.default_rng(11)
    for effects, images in (([0, 0.2, 0.2, 2], 7), ([0, 0, 0], 4), ([0, 1, 2, 3, 4], 2)):
        clusters = np.repeat(np.arange(images), 3).tolist()
        shared = rng.normal(0, 2, images)[clusters]
        loss = (np.array(effects)[:, None] + shared + rng.normal(0, 0.3, (len(effects), len(clusters)))).tolist()
        at = f"{json.dumps(loss)}, {json.dumps(clusters)}"
        found = opened.run(f"((loss, c) => bench.rankRanges(loss, c))({at})")
        assert [tuple(r) for r in found] == stats.rank_ranges(np.array(loss), clusters)
        pair = opened.run(f"((loss, c) => bench.pairedDifference(loss[1], loss[0], c))({at})")
        expected = stats.paired_difference(np.array(loss[1]), np.array(loss[0]), clusters)
        assert (pair["mean"], pair["half"], pair["p"]) == pytest.approx(expected[:3], rel=1e-9)
        mean = opened.run(f"((loss, c) => bench.clusteredMean(loss[0], c))({at})")
        assert (mean["mean"], mean["half"]) == pytest.approx(stats.clustered_mean(np.array(loss[0]), clusters))
    p = [0.01, 0.04, 0.03, 0.005, 0.9]
    assert opened.run(f"bench.holm({p})") == pytest.approx(holm(p).tolist())


def test_the_bootstrap_draws_the_very_same_images(opened):
    drawn = np.array(opened.run("[...bench.resampleCounts(300, 7)]")).reshape(300, 7)
    assert (drawn == stats.resample_counts(300, 7)).all()


@pytest.mark.parametrize("metric", ["psnr", "lpips_alex", "residual_chi2"])
@pytest.mark.parametrize("chosen", [{}, {"blur": "shake", "noise": "high", "baseline": "tv"}])
def test_a_filtered_leaderboard_is_pythons_leaderboard_of_those_rows(opened, run, metric, chosen):
    opened.run(f"bench.change({json.dumps({**chosen, 'metric': metric})})")
    rows = [r for r in load([run]).rows if all(r[k] == v for k, v in chosen.items() if k != "baseline")]
    expected = leaderboard(Board.from_rows(rows), chosen.get("baseline", "wiener"))
    for e in opened.run("bench.leaderboard()"):
        score = next(x for x in expected if x["solver"] == e["solver"])["scores"][metric]
        assert e["score"]["mean"] == pytest.approx(score["mean"], rel=1e-6)
        assert e["score"]["half"] == pytest.approx(score["half"], rel=1e-5)
        assert (e["rank"] and tuple(e["rank"])) == score["rank"]
        delta = score["delta"]
        assert (e["delta"] is None) == (delta is None)
        if delta:
            assert e["delta"]["verdict"] == delta["verdict"]
            assert (e["delta"]["mean"], e["delta"]["half"]) == pytest.approx((delta["mean"], delta["half"]), rel=1e-4)
            assert e["delta"]["p"] == pytest.approx(delta["p"], rel=1e-3)


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
    assert len(next(csv.reader(io.StringIO(opened.run("bench.heatCsv()"))))) == 1 + 2 * 4


# --- images -------------------------------------------------------------------------------------------------------


def test_a_cell_of_the_map_opens_its_images(opened):
    opened.run("document.querySelectorAll('#heat tbody tr')[1].querySelectorAll('button')[3].click()")
    opened.settled()
    assert opened.run("document.getElementById('pick-setting').selectedOptions[0].text") == "disk · low"
    assert opened.run("document.getElementById('name-a').textContent") == "A: dps"
    assert opened.run("Math.abs(document.getElementById('images').getBoundingClientRect().top) < 200")


def test_every_mode_paints_the_panels_and_the_truth_stays_an_image(opened):
    seen = {}
    for mode in ("image", "error", "residual", "spectrum"):
        opened.run(f"document.querySelector('#modes [value={mode}]').click()")
        opened.settled()
        shots = [opened.run(f"{canvas(label)}.toDataURL()") for label in ("tv", "ground truth", "measurement")]
        seen[mode] = shots
        assert opened.run("document.getElementById('scale-bar').hidden") == (mode == "image")
    assert len({s[0] for s in seen.values()}) == 4
    assert seen["image"][1] == seen["error"][1] == seen["residual"][1] != seen["spectrum"][1]
    failed = "document.querySelectorAll('#viewer .failed').length"
    opened.run("bench.change({cell: 'shake T=0.25 · high | photos/barbara_like | 0 | 0'})")
    opened.settled()
    assert opened.run(failed) == 1


def test_an_error_map_is_black_where_the_estimate_is_right(opened, page):
    opened.run("bench.change({mode: 'error', scale: '0.1'})")
    opened.settled()
    mean = (
        "(c) => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; "
        "return d.reduce((a, b) => a + b) / d.length; }"
    )
    tv, blurred = (opened.run(f"({mean})({canvas(label)})") for label in ("tv", "blurred"))
    assert tv < blurred


def test_the_wheel_zooms_all_panels_together_and_a_drag_moves_them(opened):
    opened.run("document.getElementById('images').scrollIntoView()")
    box = opened.run(
        f"(() => {{ const r = {canvas('tv')}.parentElement.getBoundingClientRect(); return [r.x, r.y, r.width]; }})()"
    )
    x, y = box[0] + 0.75 * box[2], box[1] + 0.25 * box[2]
    opened.mouse("mouseWheel", x, y, deltaX=0, deltaY=-500, modifiers=2)
    opened.settled()
    z, cx, cy = map(float, opened.run("bench.state.zoom").split(","))
    assert z > 1.5
    assert cx > 0.5 > cy
    places = opened.run(
        "[...document.querySelectorAll('#viewer .panel:not(.psf) canvas, #pair canvas')].map(c => { "
        "const m = new DOMMatrix(getComputedStyle(c).transform); "
        "return [m.a, m.e / c.clientWidth, m.f / c.clientHeight]; })"
    )
    assert len(places) > 8
    assert np.ptp(places, axis=0) == pytest.approx(0, abs=0.01)
    assert opened.run("getComputedStyle(document.querySelector('.psf canvas')).transform") == "none"
    opened.mouse("mousePressed", x, y, button="left", clickCount=1)
    opened.mouse("mouseMoved", x + 40, y, button="left", buttons=1)
    opened.mouse("mouseReleased", x + 40, y, button="left", clickCount=1)
    opened.settled()
    assert float(opened.run("bench.state.zoom").split(",")[1]) < cx
    opened.key("r")
    assert opened.run("bench.state.zoom") == ""


def test_keys_flip_through_the_solvers_in_place_and_change_the_mode(opened):
    opened.run("document.body.focus()")
    for key, name in (("2", "dps"), ("1", "tv"), ("0", "ground truth")):
        opened.key(key)
        opened.settled()
        assert opened.run("document.getElementById('name-a').textContent") == f"A: {name}"
    assert opened.run("bench.state.split") == "100"
    opened.key("m")
    opened.settled()
    assert opened.run("bench.state.mode") == "error"
    opened.key("t")
    assert opened.run("document.documentElement.dataset.theme") == "dark"
    opened.key("t")
    opened.key("?")
    assert opened.run("document.getElementById('keys').open")


def test_keys_do_nothing_while_one_types_or_chooses(opened):
    opened.run("document.getElementById('metric').focus()")
    opened.key("m")
    assert opened.run("bench.state.mode") == "image"


def test_the_slider_uncovers_and_the_row_draws_another_profile(opened):
    move = "(id, v) => { const s = document.getElementById(id); s.value = v; s.dispatchEvent(new Event('input')); }"
    opened.run(f"({move})('split', 20)")
    assert opened.run("getComputedStyle(document.querySelector('.over')).clipPath").startswith("inset(0px 80%")
    before = opened.run("document.querySelector('#profile .line.a').getAttribute('d')")
    opened.run(f"({move})('row', 900)")
    opened.settled()
    assert opened.run("document.querySelector('#profile .line.a').getAttribute('d')") != before
    assert opened.run("document.getElementById('row-text').textContent") == "row 42"
    assert opened.run("document.querySelectorAll('#profile .line').length") == 4


def test_samples_their_mean_and_their_spread_are_shown_for_who_drew_them(opened):
    names = opened.run("[...document.querySelectorAll('#draws-strip .name')].map(e => e.textContent)")
    assert names == ["mean", "std", "sample 1", "sample 2", "sample 3", "sample 4"]
    assert "0.89" in opened.run("document.getElementById('posterior-table').textContent")
    marks = opened.run("[...document.querySelectorAll('#board [title*=gaussian]')].map(e => e.textContent)")
    assert sorted(marks) == ["✓", "✗"]


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
    found = opened.run(
        "axe.run(document).then(r => r.violations.map(v => "
        "[v.id, v.nodes.map(n => n.html.slice(0, 90) + ' ' + n.failureSummary.slice(0, 160))]))"
    )
    opened.size(1440)
    assert found == []
