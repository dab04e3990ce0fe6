"""Outcomes are looked up in the journal: the last of a cell counts, and a journal that changes is followed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import ResultError
from bench.results import journal
from bench.results.journal import Journal
from bench.results.outcomes import Outcomes


def write(path: Path, *pairs: tuple[str, float]) -> None:
    with Journal(path) as log:
        for key, value in pairs:
            log.append({"cell_key": key, "status": "ok", "m_psnr": value, "env_id": "e", "environment": {"cpu": key}})


def test_outcomes_are_those_of_the_journal_also_when_it_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, ("a", 1.0), ("b", 2.0), ("ü", 3.0), ("a", 4.0))
    path.write_bytes(path.read_bytes().replace(b'"m_psnr":2.0', b'"m_psnr":2.5') + b'["torn", {"cell_')
    known = Outcomes(path)
    assert dict(known) == journal.read(path)
    assert list(known) == ["a", "ü"]
    assert known["a"]["m_psnr"] == 4.0
    assert "b" not in known
    assert known.get("b") is None


def test_what_is_appended_is_seen_after_a_refresh(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    known = Outcomes(path)
    assert len(known) == 0
    write(path, ("a", 1.0))
    known.refresh()
    with path.open("ab") as f:
        f.write(b'["torn')
    known.refresh()
    write(path, ("b", 2.0))
    known.refresh()
    assert {k: o["m_psnr"] for k, o in known.items()} == {"a": 1.0, "b": 2.0}


def test_a_journal_that_was_cut_or_replaced_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, ("a", 1.0), ("b", 2.0))
    known = Outcomes(path)
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    known.refresh()
    assert list(known) == ["a"]
    path.unlink()
    known.refresh()
    assert list(known) == []
    write(path, ("c", 3.0))
    known.refresh()
    assert list(known) == ["c"]


def test_an_outcome_that_is_no_longer_where_it_was_is_an_error_not_another_number(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, ("a", 1.0), ("b", 2.0))
    known = Outcomes(path)
    path.write_bytes(b"".join(reversed(path.read_bytes().splitlines(keepends=True))))
    with pytest.raises(ResultError, match="was changed by something else"):
        known["a"]


def test_the_environment_of_a_cell_that_was_solved_again_elsewhere_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as log:
        log.append({"cell_key": "a", "status": "error", "env_id": "here", "environment": {"cpu": "old"}})
        log.append({"cell_key": "b", "status": "ok", "env_id": "here", "environment": None})
        log.append({"cell_key": "a", "status": "ok", "env_id": "there", "environment": {"cpu": "new"}})
    assert Outcomes(path).environments == {"here": {"cpu": "old"}, "there": {"cpu": "new"}}


def test_a_metric_that_is_undefined_has_no_value_and_the_run_goes_on(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.jsonl") as log:
        log.append({"cell_key": "a", "status": "ok", "m_psnr_extrapolated": float("nan"), "m_psnr": float("inf")})
    outcome = Outcomes(tmp_path / "journal.jsonl")["a"]
    assert outcome["m_psnr_extrapolated"] is None
    assert outcome["m_psnr"] == float("inf")
