"""The report in a real browser, opened from a file."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import fake_run

from bench.report.build import build


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    run = fake_run.write(tmp_path_factory.mktemp("runs") / "demo", size=32)
    return build([run], tmp_path_factory.mktemp("report"))


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --virtual-time-budget=30000 --enable-logging=stderr --dump-dom"
)


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("mode", ["image", "error"])
def test_a_browser_shows_the_pictures_from_a_file_without_a_console_message(page, tmp_path, mode):
    assert CHROMIUM
    opened = page.parent / f"{mode}.html"
    choose = (
        "const m = document.getElementById('pick-mode'); m.value = 'error'; m.dispatchEvent(new Event('change'));"
    )
    extra = f"<script>{choose}</script></body>" if mode == "error" else "</body>"
    opened.write_text(page.read_text(encoding="utf-8").replace("</body>", extra), encoding="utf-8")
    command = [CHROMIUM, *FLAGS.split(), f"--user-data-dir={tmp_path}", opened.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert not [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    viewer = done.stdout[done.stdout.index('id="viewer"') :]
    assert viewer.count("<figure") == 10
    assert viewer.count("data:image/webp") == (10 if mode == "image" else 2)
    assert viewer.count("<canvas") == (0 if mode == "image" else 8)
