"""What a run says about the certificates of its samplers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import app


def test_a_run_says_which_certificates_are_missing_and_what_they_take_and_is_silent_on_request(
    write_grid: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    grid = write_grid("blurred", "pnp_hqs: {prior: gaussian, steps: 2}")
    words = ["run", str(grid), "--out", "out"]
    assert "certificates  1 missing; --certify: about 1 min" in CliRunner().invoke(app, words).stderr
    assert not (tmp_path / "out" / "certificates").exists()
    assert "certificates" not in CliRunner().invoke(app, [*words, "--no-certificates"]).stderr
