"""Journals that were cut, garbled, doubled, interleaved or spliced with something else."""

from __future__ import annotations

import json
import random
import tempfile
import zlib
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from bench.results import journal
from bench.results.journal import Journal
from bench.seeds import canonical
from tests.fuzz import damaged, fuzzed

NUMBERS = st.none() | st.floats(allow_nan=False) | st.integers(-(2**31), 2**31 - 1).map(float)
OUTCOMES = st.lists(
    st.fixed_dictionaries(
        {"cell_key": st.sampled_from("abcdefgh"), "status": st.sampled_from(["ok", "error"]), "m_psnr": NUMBERS},
        optional={
            "error_message": st.none() | st.text(),
            "n_A": st.integers(0, 2**31 - 1),
            "place": st.lists(NUMBERS),
        },
    ),
    max_size=12,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
SEEDS = st.integers(0, 2**64)


def line(outcome: Any) -> bytes:
    """A line as the journal writes it, its checksum right."""
    text = json.dumps(outcome, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f'["{zlib.crc32(text.encode(errors="surrogatepass")):08x}",{text}]\n'.encode(errors="surrogatepass")


def read(data: bytes) -> dict[str, dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "journal.jsonl")
        path.write_bytes(data)
        return journal.read(path)


@fuzzed(20, outcomes=OUTCOMES)
def test_what_is_appended_is_read_back_the_last_of_each_cell(outcomes: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "journal.jsonl")
        for half in (outcomes[: len(outcomes) // 2], outcomes[len(outcomes) // 2 :]):
            with Journal(path) as log:
                for outcome in half:
                    log.append(outcome)
        assert journal.read(path) == {o["cell_key"]: o for o in outcomes}


@fuzzed(80, outcomes=OUTCOMES, seed=SEEDS)
def test_damage_loses_cells_and_never_changes_one(outcomes: list[dict[str, Any]], seed: int) -> None:
    outcomes_read = read(damaged(b"".join(map(line, outcomes)), seed))
    written = [canonical(o) for o in outcomes]
    assert all(canonical(o) in written for o in outcomes_read.values())


@fuzzed(25, outcomes=OUTCOMES, seed=SEEDS)
def test_a_run_goes_on_after_whatever_damage_and_its_new_lines_are_read(
    outcomes: list[dict[str, Any]], seed: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "journal.jsonl")
        path.write_bytes(damaged(b"".join(map(line, outcomes)), seed))
        new = [{**o, "cell_key": o["cell_key"] + "new"} for o in outcomes]
        with Journal(path) as log:
            for outcome in new:
                log.append(outcome)
        outcomes_read = journal.read(path)
        assert {k: v for k, v in outcomes_read.items() if k.endswith("new")} == {o["cell_key"]: o for o in new}


@fuzzed(40, outcomes=OUTCOMES, seed=SEEDS)
def test_lines_that_were_doubled_or_interleaved_with_others_are_read_once(
    outcomes: list[dict[str, Any]], seed: int
) -> None:
    distinct = list({o["cell_key"]: o for o in outcomes}.values())
    rng = random.Random(seed)
    foreign = [
        b"\n",
        b"{}\n",
        b"null\n",
        b'["00000000",{"cell_key":"a"}]\n',
        b"\x00\xff\n",
        b'["x"]\n',
        b"[" * 5000 + b"\n",
    ]
    lines = [*map(line, distinct), *map(line, rng.choices(distinct, k=5) if distinct else []), *foreign]
    rng.shuffle(lines)
    assert read(b"".join(lines)) == {o["cell_key"]: o for o in distinct}


@fuzzed(
    60, value=JSON, name=st.sampled_from(["cell_key", "status", "m_psnr", "n_A", "environment", "device", "blind"])
)
def test_a_line_whose_checksum_holds_is_an_outcome_or_nothing(value: Any, name: str) -> None:
    """Written by another program: a wrong type must not surface later, when the results are written."""
    from bench.results import parquet as results

    whole = {"cell_key": "a", "status": "ok"}
    for foreign in (value, {**whole, name: value}):
        for outcome in read(line(foreign)).values():
            with tempfile.TemporaryDirectory() as folder:
                results.write(Path(folder, "r.parquet"), [outcome], ["psnr"])
