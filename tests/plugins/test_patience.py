"""A plug-in that hangs where it is imported, built or listed ends in a sentence, not in a hang."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import PluginError
from bench.grid.read import read_grid
from bench.plugins import patience
from bench.results import journal
from bench.running.runner import Options, Runner
from tests.conftest import PLUGINS, Silent


def hanging(name: str, before: str) -> str:
    """An example plug-in that sleeps before a text of it."""
    text = (PLUGINS / f"{name}.py").read_text()
    assert before in text
    return text.replace(before, f"__import__('time').sleep(1000){';' if before[0] == 'r' else chr(10)}{before}", 1)


def grid_with(name: str, write_grid: Callable[..., Path]) -> Path:
    path = write_grid("@copy.py")
    path.write_text(path.read_text().replace(f"{PLUGINS}/{name}.py", f"./{name}.py"))
    return path


def run(grid: Path, out: Path) -> None:
    Runner(read_grid(grid), Options(out), Silent()).run()


@pytest.mark.parametrize(
    ("before", "words"),
    [("@dataclass", "importing dataset"), ("return [", "listing dataset"), ("return Image", "loading image 'test0'")],
)
def test_a_dataset_that_hangs_while_the_run_is_planned_is_refused(
    before: str, words: str, write_grid: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "LOADING", 0.3)
    monkeypatch.setattr(patience, "LOOKING", 0.3)
    (tmp_path / "noise_images.py").write_text(hanging("noise_images", before))
    with pytest.raises(PluginError, match=rf"{words}.* takes too long: not done after 0.3 s"):
        run(grid_with("noise_images", write_grid), tmp_path / "out")


@pytest.mark.parametrize("name", ["walk", "gauss"])
def test_a_blur_or_a_noise_model_whose_import_hangs_is_refused_before_anything_is_solved(
    name: str, write_grid: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "LOADING", 0.3)
    (tmp_path / f"{name}.py").write_text(hanging(name, "@dataclass"))
    with pytest.raises(PluginError, match=rf"{name}\.py\) takes too long"):
        run(grid_with(name, write_grid), tmp_path / "out")
    assert not journal.read(tmp_path / "out" / "journal.jsonl")


def test_a_limit_ends_what_sleeps_or_loops_and_catches_everything() -> None:
    def stubborn() -> None:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                time.sleep(10)
            except Exception:
                continue

    begin = time.monotonic()
    with pytest.raises(PluginError, match="the thing takes too long"), patience.limited(0.1, "the thing"):
        stubborn()
    assert time.monotonic() - begin < 5
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_what_is_done_in_time_is_left_alone() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with patience.limited(60, "outer"), patience.limited(0.01, "inner, which the outer one holds for"):
        time.sleep(0.05)
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
