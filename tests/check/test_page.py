"""The page of bench check: what it shows, what it says where it cannot, and that names in files stay text."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.check import baseline as baselines
from bench.check import looks, page
from bench.check.verdict import Verdict, check
from bench.results import parquet as results
from bench.results.identity import MeasurementId
from bench.scoring.registry import describe
from tests import fake_run
from tests.browser import CHROMIUM, Browser

HOSTILE = "<script>alert('x')</script>"
GOOD = {"blurred": ("reference", 0.0, 1.0, 0.0002, 0), "tv": ("variational", 0.74, 0.5, 1.9, 450)}
#: the same solver, leaving more of the blur
WORSE = {**GOOD, "tv": ("variational", 0.60, 0.5, 1.9, 450)}

Checked = tuple[Verdict, page.About]


class Reader(HTMLParser):
    """Elements with their attributes, and all text."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    @classmethod
    def of(cls, path: Path) -> Reader:
        reader = cls()
        reader.feed(path.read_text(encoding="utf-8"))
        return reader


def sources(reader: Reader) -> dict[str, str]:
    """Picture by its title, of the first cell that is shown."""
    return {a["alt"] or "under": a["src"] or "" for tag, a in reversed(reader.elements) if tag == "img"}


def pixels(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).convert("RGB"))


def compared(tmp_path: Path, new: Path, old: Path, with_old: bool = True) -> Checked:
    file = tmp_path / "base.parquet"
    record = baselines.of_run(old)
    solvers = {r["solver"] for r in record.rows}
    baselines.write(file, baselines.updated(None, record, solvers, f"because {HOSTILE}"))
    verdict = check(baselines.of_run(new), baselines.read(file))
    return verdict, page.About(new, file, old if with_old else None)


@pytest.fixture
def runs(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """(new, old) folders of the same measurements, the new one with a worse tv."""

    def write(**options: object) -> tuple[Path, Path]:
        new = fake_run.write(tmp_path / "new", size=24, solvers=WORSE, **{"fail": False, **options})  # type: ignore[arg-type]
        return new, fake_run.write(tmp_path / "old", size=24, solvers=GOOD, fail=False)

    return write


def written(tmp_path: Path, checked: Checked) -> Reader:
    page.write(tmp_path / "check.html", *checked)
    return Reader.of(tmp_path / "check.html")


def test_the_page_shows_verdict_table_and_old_and_new_pictures_of_the_worst_cells(runs, tmp_path: Path) -> None:
    verdict, about = compared(tmp_path, *runs())
    reader = written(tmp_path, (verdict, about))
    assert "FAILED" in reader.text
    for c in verdict.regressed:
        assert f"{c.before:.{describe(c.metric).digits + 1}f}" in reader.text
        assert f"{c.loss:.3g}" in reader.text
        assert c.worst[0] in reader.text
    titles = {"truth", "measurement", "old", "new", "new − old", "new − truth"}
    assert titles <= sources(reader).keys()
    assert sum(a.get("alt") == "new" for _, a in reader.elements) == len(fake_run.SETTINGS)
    assert "holds numbers, not pictures" not in reader.text


def test_the_worst_cell_is_the_one_that_is_shown(runs, tmp_path: Path) -> None:
    verdict, about = compared(tmp_path, *runs())
    worst = {c.setting: c for c in reversed(verdict.regressed) if c.setting}  # of each setting the worst metric
    for look in looks.looks(verdict, about.run, about.old):
        assert look.row["image"] == worst[look.row["setting"]].worst[0]
        assert not look.notes
    shown = [look.row["setting"] for look in looks.looks(verdict, about.run)]
    assert len(shown) == len(set(shown)) == len(fake_run.SETTINGS)


def test_without_the_old_run_the_page_says_how_to_get_the_old_pictures(runs, tmp_path: Path) -> None:
    reader = written(tmp_path, compared(tmp_path, *runs(), with_old=False))
    assert "A baseline holds numbers, not pictures" in reader.text
    assert "COMMIT is 0123456789ab for tv" in reader.text
    assert "old" not in sources(reader)
    assert "new − truth" in sources(reader)


def test_a_difference_is_white_where_nothing_changed_blue_where_darker_and_orange_where_brighter() -> None:
    old = np.full((1, 8, 8), 0.5)
    new = old.copy()
    new[0, 0, :4], new[0, 7, :4] = 0.6, 0.4
    panels = {p.title: p for p in looks.panels(old, old, new, old)}
    shown = pixels(panels["new − old"].src)
    assert (shown[4] == 255).all()
    assert shown[0, 0].tolist() == [213, 94, 0]
    assert shown[7, 0].tolist() == [0, 114, 178]
    assert "+0.1" in panels["new − old"].note
    assert {p.title: p.note for p in looks.panels(old, old, old, old)}["new − old"] == "no difference"


def test_an_old_run_on_other_measurements_or_with_other_numbers_is_not_passed_off(runs, tmp_path: Path) -> None:
    new, old = runs()
    verdict, _ = compared(tmp_path, new, old)
    other = fake_run.write(tmp_path / "other", size=24, solvers=GOOD, fail=False, seed=1)
    (first, *_) = looks.looks(verdict, new, other)
    assert "another measurement" in first.notes[0]
    assert "old" not in {p.title for p in first.panels}
    (first, *_) = looks.looks(verdict, new, new)
    assert any("not what the baseline was made from: PSNR" in note for note in first.notes)
    fewer = fake_run.write(tmp_path / "fewer", size=24, solvers={"blurred": GOOD["blurred"]}, fail=False)
    (first, *_) = looks.looks(verdict, new, fewer)
    assert "no such cell" in first.notes[0]


def test_where_the_worst_picture_was_not_kept_the_next_is_shown_and_the_page_says_so(runs, tmp_path: Path) -> None:
    verdict, about = compared(tmp_path, *runs())
    before = looks.looks(verdict, about.run)
    index = about.run / "images" / "index.json"
    entries = [e for e in json.loads(index.read_text()) if MeasurementId.of(e) != MeasurementId.of(before[0].row)]
    index.write_text(json.dumps(entries))
    after = looks.looks(verdict, about.run)
    assert after[0].row["setting"] == before[0].row["setting"]
    assert after[0].row["image"] != before[0].row["image"]
    assert f"{before[0].row['image']} lost more" in after[0].notes[0]
    index.unlink()
    assert all(not look.panels and "has no picture" in look.notes[0] for look in looks.looks(verdict, about.run))


def test_a_damaged_picture_costs_the_picture_and_not_the_page(runs, tmp_path: Path) -> None:
    verdict, about = compared(tmp_path, *runs())
    for file in (about.run / "images").glob("*.npz"):
        file.write_bytes(file.read_bytes()[:200])
    reader = written(tmp_path, (verdict, about))
    assert "cannot be read" in reader.text
    assert "FAILED" in reader.text


def test_cells_that_were_not_run_are_listed(runs, tmp_path: Path) -> None:
    new, old = runs()
    rows = [r for r in results.read(new / "results.parquet") if r["image"] != fake_run.IMAGES[0]]
    results.write(new / "results.parquet", rows, fake_run.METRICS)
    reader = written(tmp_path, compared(tmp_path, new, old))
    assert f"{len(GOOD) * len(fake_run.SETTINGS)} cells of the baseline were not run" in " ".join(reader.text.split())


def test_names_from_files_are_text_and_nothing_else(runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = '"><img src=x onerror=alert(1)>'
    monkeypatch.setattr(fake_run, "IMAGES", (image, "b"))
    monkeypatch.setattr(fake_run, "SETTINGS", {f"{HOSTILE} · high": (7, 0.03), "{{ 7 * 7 }} · low": (5, 0.01)})
    for solvers in (GOOD, WORSE):
        monkeypatch.setitem(solvers, f"tv {HOSTILE}", solvers["tv"])
    monkeypatch.setattr(fake_run, "_failed", lambda row, status: {**row, "status": status, "error_message": HOSTILE})
    new, old = runs(fail=True)
    verdict, about = compared(tmp_path, new, old, with_old=False)
    named = page.About(Path("<b>run</b>"), about.baseline)
    assert verdict.failing
    monkeypatch.setattr(looks.Stored, "of", classmethod(lambda cls, folder, of=looks.Stored.of: of(new)))
    reader = written(tmp_path, (verdict, named))
    for hostile in (HOSTILE, image, "{{ 7 * 7 }} · low", "<b>run</b>", f"because {HOSTILE}"):
        assert hostile in reader.text
    harmless(reader)
    page.write_refused(tmp_path / "refused.html", f"other weights: {HOSTILE}", named)
    refused = Reader.of(tmp_path / "refused.html")
    assert f"other weights: {HOSTILE}" in refused.text
    assert "NOT COMPARABLE" in refused.text
    harmless(refused)


def harmless(reader: Reader) -> None:
    """No script, no handler, and pictures from the page itself alone."""
    tags = {tag for tag, _ in reader.elements}
    assert not tags & {"script", "iframe", "object", "b", "form"}
    assert not [a for _, attributes in reader.elements for a in attributes if a.startswith("on")]
    links = [a.get("src") or a.get("href") or "data:" for _, a in reader.elements]
    assert all(link.startswith("data:") for link in links)


# --- in a browser -------------------------------------------------------------------------------------------------

AXE = importlib.util.find_spec("axe_core_python")


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.skipif(AXE is None, reason="axe-core-python is not installed")
def test_a_browser_opens_it_from_a_file_without_a_request_and_axe_finds_no_violation(runs, tmp_path: Path) -> None:
    assert AXE
    assert AXE.submodule_search_locations
    axe = next(Path(AXE.submodule_search_locations[0]).rglob("axe.min.js")).read_text(encoding="utf-8")
    checked = compared(tmp_path, *runs(fail=True))
    files = [tmp_path / name for name in ("check.html", "plain.html", "refused.html")]
    page.write(files[0], *checked)
    page.write(files[1], checked[0], page.About(checked[1].run, checked[1].baseline))
    page.write_refused(files[2], "other measurements", checked[1])
    with Browser(tmp_path / "profile") as browser:
        for file in files:
            for scheme in ("light", "dark"):
                browser.requests, browser.messages = [], []
                browser.media(scheme)
                browser.call("Page.navigate", url=file.as_uri())
                browser.wait(f"document.readyState === 'complete' && location.href === {file.as_uri()!r}")
                assert [r for r in browser.requests if not r.startswith("data:")] == [file.as_uri()]
                assert browser.messages == []
                assert browser.run("[...document.images].every((i) => i.naturalWidth > 0)")
                assert browser.run("document.documentElement.scrollWidth <= innerWidth")
                browser.run(f"{axe}; true")
                violations = "r.violations.map(v => [v.id, v.nodes.map(n => n.html.slice(0, 90))])"
                assert browser.run(f"axe.run(document).then(r => {violations})") == []
