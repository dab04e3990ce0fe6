"""What a run records of the code that made it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bench.running import environment

HERE = Path(__file__).parents[2]


def commit() -> tuple[str | None, bool]:
    """Looked up anew."""
    environment.commit.cache_clear()
    try:
        return environment.commit()
    finally:
        environment.commit.cache_clear()


pytestmark = pytest.mark.skipif(not (HERE / ".git").exists(), reason="no checkout")


def test_the_commit_is_that_of_the_checkout() -> None:
    head = subprocess.run(["git", "-C", str(HERE), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert commit()[0] == head.stdout.strip()


def test_only_what_numbers_can_depend_on_is_a_local_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = tmp_path / "bench" / "running"
    code.mkdir(parents=True)
    (code / "environment.py").write_text("")
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=b", "commit", "-qm", "c"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    monkeypatch.setattr(environment, "__file__", str(code / "environment.py"))
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "index.html").write_text("a page")
    assert commit()[1] is False
    (tmp_path / "solvers").mkdir()
    (tmp_path / "solvers" / "mine.py").write_text("x = 1")
    assert commit()[1] is True
