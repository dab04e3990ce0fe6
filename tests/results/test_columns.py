"""Rows as views of columns: the values are those of the file, and a row behaves as a dictionary does."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from bench.results import parquet
from bench.results.columns import Coded, Constant, StoredRow, changed, of_booleans, of_numbers, of_strings


def values(column: Any, n: int) -> list[Any]:
    return [column[i] for i in range(n)]


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ([1.5, None, math.inf, -0.0], pa.float64()),
        ([1, None, 2**31 - 1], pa.int32()),
        ([1, 2, 3], pa.int64()),
        ([None, None], pa.float64()),
        ([None], pa.null()),
        ([], pa.int32()),
    ],
)
def test_numbers_and_gaps_are_those_of_the_array(given: list[Any], kind: pa.DataType) -> None:
    whole = pa.array(given, kind)
    read = values(of_numbers([whole.slice(0, 1), whole.slice(1)]), len(given))
    assert read == given
    assert [type(v) for v in read] == [type(v) for v in given]


def test_a_nan_is_a_number_and_no_gap() -> None:
    read = values(of_numbers([pa.array([math.nan, None], pa.float64(), from_pandas=False)]), 2)
    assert math.isnan(read[0])
    assert read[1] is None


@pytest.mark.parametrize("given", [["a", None, "b", "a"], ["a"] * 4, [None] * 4, [str(i) for i in range(300)], []])
def test_strings_of_arrays_with_dictionaries_of_their_own_are_joined(given: list[str | None]) -> None:
    parts = [pa.array(part, pa.string()).dictionary_encode() for part in (given[:2], given[2:])]
    assert values(of_strings(parts), len(given)) == given


def test_booleans_are_booleans() -> None:
    read = values(of_booleans([pa.array([True, None]), pa.array([False])]), 3)
    assert [*map(repr, read)] == ["True", "None", "False"]


def test_a_value_that_repeats_is_held_once() -> None:
    column = of_strings([pa.array(["tv", "wiener"] * 500).dictionary_encode()])
    assert isinstance(column, Coded)
    assert (list(column.values), column.codes.nbytes) == (["tv", "wiener"], 1000)


def test_a_row_is_read_as_a_dictionary(tmp_path: Path) -> None:
    needed = dict.fromkeys(("cell_key", "phase", "status", "solver", "dataset", "split", "setting", "image"), "x")
    rows = [{**needed, "psf_index": i, "rep": 0, "m_psnr": 20.0 + i} for i in range(3)]
    parquet.write(tmp_path / "r.parquet", rows, ["psnr"])
    read = parquet.read(tmp_path / "r.parquet")
    assert [r["psf_index"] for r in read] == [0, 1, 2]
    assert {k: v for k, v in read[1].items() if v is not None} == rows[1]
    assert read[1] == dict(read[1])
    assert (read[1].get("nothing"), read[1].get("nothing", 0), "nothing" in read[1]) == (None, 0, False)
    with pytest.raises(KeyError):
        read[1]["nothing"]


def test_a_change_of_a_column_leaves_the_rows_that_it_came_from() -> None:
    columns = {"solver": of_strings([pa.array(["a", "b", "a"]).dictionary_encode()]), "rep": Constant(0)}
    rows = [StoredRow(columns, i) for i in (2, 1)]
    named = changed([*rows, {"solver": "c", "rep": 1}], "solver", str.upper)
    assert [dict(r) for r in named] == [{"solver": s, "rep": r} for s, r in (("A", 0), ("B", 0), ("C", 1))]
    assert [r["solver"] for r in rows] == ["a", "b"]
