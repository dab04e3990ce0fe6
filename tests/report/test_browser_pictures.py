"""The pictures of a report in a real browser: panels, zoom, values, comparison."""

import numpy as np
import pytest

from tests.report.looks import MARKS, canvas

pytestmark = MARKS


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


def test_panels_follow_this_pictures_score_and_hidden_solvers_have_none(opened):
    label = "[...document.querySelectorAll('#panels .panel')].map(e => e.dataset.label)"
    opened.run("bench.change({order: 'picture', metric: 'psnr'})")
    opened.settled()
    scores = opened.run("[...document.querySelectorAll('#panels .score')].map(e => parseFloat(e.textContent))")
    known = [s for s in scores if s is not None]
    assert known == sorted(known, reverse=True)
    before = opened.run(label)
    opened.run("[...document.querySelectorAll('#solvers-list label')].find(e => e.textContent === ' tv')"
               ".querySelector('input').click()")  # fmt: skip
    opened.settled()
    assert opened.run(label) == [name for name in before if name != "tv"]
    beside = opened.run("[...document.querySelectorAll('#beside .panel')].map(e => e.dataset.label)")
    assert beside == ["ground truth", "measurement", "PSF"]


def test_the_true_picture_stays_beside_whatever_is_scrolled_to(opened):
    opened.size(800, 700)
    opened.run("bench.change({panels: 'large'})")
    opened.settled()
    opened.run("document.querySelector('#panels .panel:last-child').scrollIntoView({block: 'end'})")
    box = (
        "(() => { const r = document.querySelector('#beside').getBoundingClientRect(); return [r.top, r.bottom]; })()"
    )
    top, bottom = opened.run(box)
    bar = opened.run("document.querySelector('.bar').getBoundingClientRect().bottom")
    assert bar <= top < bottom <= 700
    opened.size(1440)


def test_the_pixel_under_the_cursor_is_read_out_where_the_zoom_has_put_it(opened):
    opened.run("bench.change({zoom: '2,0.7500,0.2500'})")
    opened.run("document.getElementById('images').scrollIntoView()")
    opened.settled()
    x, y, side = opened.run(
        f"(() => {{ const r = {canvas('tv')}.parentElement.getBoundingClientRect(); return [r.x, r.y, r.width]; }})()"
    )
    opened.mouse("mouseMoved", x + side / 2 + 1, y + side / 2 + 1)
    opened.settled()
    # 48 pixels, centre at 0.75 and 0.25
    assert opened.run("document.getElementById('readout').textContent").startswith("row 12, column 36: tv 0.")


def test_one_to_one_puts_a_whole_number_of_screen_pixels_on_each_of_the_picture(opened):
    opened.run("document.getElementById('one-to-one').click()")
    opened.settled()
    z = float(opened.run("bench.state.zoom").split(",")[0])
    side = opened.run("document.querySelector('#panels .frame').clientWidth")
    assert z * side / 48 == pytest.approx(round(z * side / 48), abs=0.01)


def test_contrast_is_that_of_the_true_picture_for_all_panels(opened):
    plain = opened.run(f"{canvas('tv')}.toDataURL()")
    opened.run("bench.change({contrast: 'stretch'})")
    opened.settled()
    stretched = opened.run(
        f"(() => {{ const c = {canvas('ground truth')}; "
        "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; "
        "return [Math.min(...d.filter((_, i) => i % 4 < 3)), Math.max(...d.filter((_, i) => i % 4 < 3))]; })()"
    )
    assert stretched == [0, 255]
    assert opened.run(f"{canvas('tv')}.toDataURL()") != plain


def test_flicker_shows_a_and_b_in_turn_until_it_is_stopped(opened):
    split = "document.getElementById('pair').style.getPropertyValue('--split')"
    opened.key("b")
    assert opened.wait(f"{split} === '0%'")
    assert opened.wait(f"{split} === '100%'")
    opened.key("b")
    assert opened.run(split) == "50%"


def test_a_and_b_fill_the_screen(opened):
    opened.run("document.getElementById('compare').scrollIntoView()")
    x, y = opened.run("(() => { const r = document.getElementById('full').getBoundingClientRect(); "
                      "return [r.x + r.width / 2, r.y + r.height / 2]; })()")  # fmt: skip
    for kind in ("mousePressed", "mouseReleased"):
        opened.mouse(kind, x, y, button="left", clickCount=1)
    assert opened.wait("document.fullscreenElement?.id") == "compare"
    assert opened.run("document.getElementById('pair').clientWidth > 600")
    opened.run("document.exitFullscreen()")
