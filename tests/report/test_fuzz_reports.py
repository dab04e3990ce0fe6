"""What a report reads beside the results, damaged; and texts that once were tracebacks."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import strategies as st

from bench.errors import GridError, ResultError, SettingError
from bench.grid.conditions import Expression
from bench.grid.image_index import ImageIndex
from bench.grid.read import find_grid, read_grid
from bench.grid.yaml import parse_yaml
from bench.report.board import Board
from bench.report.load import load
from bench.report.pictures import chunks
from bench.seeds import canonical
from tests import fake_run
from tests.fuzz import damaged, fuzzed

FILES = ("run.json", "images/index.json", "images/0000.npz", "results.parquet")


@cache
def whole() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        run = fake_run.write(Path(folder), size=24, images=1, fail=False, solvers={"tv": fake_run.SOLVERS["tv"]})
        return {p.relative_to(run).as_posix(): p.read_bytes() for p in run.rglob("*") if p.is_file()}


@fuzzed(80, name=st.sampled_from(FILES), seed=st.integers(0, 2**64))
def test_a_damaged_run_is_reported_or_refused(name: str, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for file, data in whole().items():
            Path(folder, file).parent.mkdir(exist_ok=True)
            Path(folder, file).write_bytes(damaged(data, seed) if file == name else data)
        try:
            results = load([Path(folder)])
            chunks(results.pictures, Board.from_rows(results.rows))
        except ResultError as error:
            assert folder in str(error) or name == "run.json"  # noqa: PT017  hypothesis has no fixture for it


@pytest.mark.parametrize(
    "text", ["\x7f", "a\0", "a: !!int ''", "a: !!float ''", "a: !!bool x", "a: !!map x", "a: !!seq x", "[" * 3000]
)
def test_odd_yaml_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(GridError, match=r"^grid\.yaml:\d+: "):
        parse_yaml(text, "grid.yaml")


@pytest.mark.parametrize("text", ["-'a'", "-x", "not " * 100_000 + "x", "-[1]"])
def test_odd_conditions_are_refused(text: str) -> None:
    with pytest.raises(SettingError):
        Expression(text)({"x": "a"})


def test_the_word_nan_beside_infinity_is_no_nan() -> None:
    assert canonical({"error_message": "NaN at step 3", "lam": float("inf")}).endswith('"lam":Infinity}')
    for value in (float("nan"), ["NaN", float("nan")]):
        with pytest.raises(ValueError, match="NaN"):
            canonical(value)


@pytest.mark.parametrize("text", ["[]", "3", "null", '{"a": 1}', "{", "[" * 5000])
def test_a_damaged_cache_of_hashes_is_no_cache(text: str, tmp_path: Path) -> None:
    source = read_grid(find_grid("quickstart")).test[0]
    (tmp_path / "images.json").write_text(text)
    assert ImageIndex(tmp_path / "images.json").images(source) == ImageIndex().images(source)
