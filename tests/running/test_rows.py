"""The table of results is written a group at a time, from rows that are made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import pytest
from pyarrow import parquet

from bench.errors import ResultError
from bench.results import parquet as results
from bench.results.identity import MeasurementId
from bench.running.rows import Tally
from bench.running.runner import Finished
from bench.seeds import digest

Write = Callable[..., Path]
Run = Callable[..., Finished]


class Row(dict[str, Any]):
    """A row whose life can be watched: a plain dict knows no weak references."""


def row(n: int) -> dict[str, Any]:
    text = dict.fromkeys(results.NEEDED, "x")
    return {**text, "cell_key": f"{n:064x}", "psf_index": n, "rep": 0, "seconds": n / 7, "m_psnr": -float(n)}


@pytest.mark.parametrize("count", [0, 1, 3, 4, 10])
def test_rows_are_read_in_the_order_in_which_they_were_written_whatever_the_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    results.write(tmp_path / "one.parquet", [row(n) for n in range(count)], ["psnr"])
    monkeypatch.setattr(results, "GROUP", 3)
    results.write(tmp_path / "many.parquet", (row(n) for n in range(count)), ["psnr"])
    one, many = (parquet.ParquetFile(tmp_path / f"{n}.parquet") for n in ("one", "many"))
    assert many.num_row_groups == -(-count // 3)
    assert many.schema_arrow.equals(one.schema_arrow, check_metadata=True)
    assert many.read().equals(one.read())
    rows = results.read(tmp_path / "many.parquet")
    assert [(r["psf_index"], r["seconds"], r["m_psnr"]) for r in rows] == [(n, n / 7, -n) for n in range(count)]


def test_no_more_than_a_group_of_rows_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "GROUP", 5)
    alive: WeakValueDictionary[int, Row] = WeakValueDictionary()
    most = 0

    def made() -> Iterator[Row]:
        nonlocal most
        for n in range(100):
            one = Row(row(n))
            alive[n] = one
            most = max(most, len(alive))
            yield one

    results.write(tmp_path / "r.parquet", made(), ["psnr"])
    assert most <= 2 * 5  # the next group begins while the last one's list is still bound
    assert results.whole(tmp_path / "r.parquet", 100)


def test_a_table_whose_rows_cannot_all_be_had_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "GROUP", 2)
    path = tmp_path / "r.parquet"
    results.write(path, [row(1)], ["psnr"])

    def broken() -> Iterator[dict[str, Any]]:
        yield from (row(n) for n in range(5))
        raise ResultError("the journal was changed")

    with pytest.raises(ResultError, match="the journal was changed"):
        results.write(path, broken(), ["psnr"])
    assert [r["psf_index"] for r in results.read(path)] == [1]
    assert list(tmp_path.iterdir()) == [path]


def test_a_damaged_later_group_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "GROUP", 2)
    path = tmp_path / "r.parquet"
    results.write(path, [row(n) for n in range(6)], ["psnr"])
    column = parquet.ParquetFile(path).metadata.row_group(2).column(0)
    data = bytearray(path.read_bytes())
    data[column.dictionary_page_offset + column.total_compressed_size - 1] ^= 1  # a page, not its header
    path.write_bytes(data)
    with pytest.raises(ResultError, match="cannot be read as results"):
        results.read(path)


def test_the_rows_of_a_run_are_those_of_its_table(write_grid: Write, run_grid: Run, tmp_path: Path) -> None:
    finished = run_grid(write_grid("@copy.py: {oracle: {factor: [0.9, 1.0]}}", "@broken.py: {how: nan}"))
    table = results.read(tmp_path / "out" / "results.parquet")
    assert len(finished.rows) == len(table) == 8 + 16 + 8
    assert [{k: r.get(k) for k in table[0]} for r in finished.rows] == table
    assert finished.test == [r for r in finished.rows if r["phase"] == "test"]
    assert finished.rows[-1] == finished.rows[24:][-1] == list(finished.rows)[-1]
    assert finished.rows != list(finished.rows)[:-1]
    tally = Tally.of(finished.rows)
    assert (tally.test, tally.ok, tally.measurements, len(tally.env_ids)) == (16, 12, 8, 1)
    names = ("cell_key", "phase", "solver", *MeasurementId._fields, "status")
    assert tally.stamp == digest([[r[n] for n in names] for r in table])
