"""Rows that are views of columns: 100,000 rows of a results.parquet take tens of MB, not hundreds.

A dictionary of some 70 values takes 5 kB. Most columns repeat a few values (a solver, a setting), and each of those
is held once; a row is a pair, its table and its number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


class Column(Protocol):
    """Values by number of the row."""

    def __getitem__(self, row: int, /) -> Any:
        """A plain value of Python, or None."""
        ...


class Constant:
    """One value in all rows."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __getitem__(self, row: int, /) -> Any:
        """The value."""
        return self.value


class Coded:
    """Each different value once, and which of them every row has: integers (n,)."""

    __slots__ = ("codes", "values")

    def __init__(self, values: Sequence[Any], codes: np.ndarray) -> None:
        self.values, self.codes = values, codes

    def __getitem__(self, row: int, /) -> Any:
        """The value of a row."""
        return self.values[self.codes.item(row)]


class Numbers:
    """Numbers (n,), and where there is one: booleans (n,), or None for everywhere."""

    __slots__ = ("known", "numbers")

    def __init__(self, numbers: np.ndarray, known: np.ndarray | None) -> None:
        self.numbers, self.known = numbers, known

    def __getitem__(self, row: int, /) -> Any:
        """The number of a row; NaN is one, unlike None."""
        return self.numbers.item(row) if self.known is None or self.known.item(row) else None


# Arrow's own functions for gaps and codes would import its compute kernels, 20 MB: buffers are read instead.


def _present(array: pa.Array) -> np.ndarray:
    """Where an array has values, (n,) booleans: its bitmap, or everywhere."""
    import numpy as np

    bitmap = array.buffers()[0]
    if bitmap is None:  # all are there, or none: arrays of type null have no buffers at all
        return np.full(len(array), not array.null_count)
    bits = np.unpackbits(np.frombuffer(bitmap, np.uint8), bitorder="little")
    return bits[array.offset : array.offset + len(array)].astype(bool)


def _numbers(array: pa.Array) -> np.ndarray:
    """The numbers of an array, anything in its gaps: a copy, for a column shall not hold the file's pages."""
    import numpy as np

    if array.null_count == len(array):
        return np.zeros(len(array), np.int8)
    stored = np.frombuffer(array.buffers()[1], array.type.to_pandas_dtype())
    return stored[array.offset : array.offset + len(array)].copy()


def of_numbers(arrays: Iterable[pa.Array]) -> Column:
    """The column of arrays of integers or floating numbers."""
    import numpy as np

    parts = [(_numbers(a), _present(a)) for a in arrays if len(a)]
    present = np.concatenate([p for _, p in parts]) if parts else np.zeros(0, bool)
    if not present.any():
        return Constant(None)
    return Numbers(np.concatenate([n for n, _ in parts]), None if present.all() else present)


def of_strings(arrays: Iterable[pa.DictionaryArray]) -> Column:
    """The column of arrays of coded strings, each with a dictionary of its own."""
    import numpy as np

    code: dict[str | None, int] = {}
    parts: list[np.ndarray] = []
    for array in arrays:
        given = np.array([code.setdefault(v, len(code)) for v in array.dictionary.to_pylist()] or [0], np.int32)
        present = _present(array.indices)
        gap = 0 if present.all() else code.setdefault(None, len(code))
        parts.append(np.where(present, given[np.where(present, _numbers(array.indices), 0)], gap))
    return _repeated(list(code), parts)


def of_booleans(arrays: Iterable[pa.BooleanArray]) -> Column:
    """The column of arrays of booleans."""
    import numpy as np

    values = [False, True, None]
    return _repeated(values, [np.array([values.index(v) for v in a.to_pylist()], np.uint8) for a in arrays])


def _repeated(values: Sequence[Any], parts: Sequence[np.ndarray]) -> Column:
    """Each value once, in the smallest integers that can number them."""
    import numpy as np

    codes = np.concatenate([p.astype(np.min_scalar_type(len(values))) for p in parts] or [np.zeros(0, np.uint8)])
    used = np.unique(codes)
    if len(used) < 2:
        return Constant(values[used[0]] if len(used) else None)
    return Coded(values, codes)


class StoredRow(Mapping[str, Any]):
    """A row of a table; ``dict(row)`` is one that can be changed."""

    __slots__ = ("columns", "number")

    def __init__(self, columns: Mapping[str, Column], number: int) -> None:
        self.columns, self.number = columns, number

    def __getitem__(self, name: str) -> Any:
        """The value of a column. Raises KeyError."""
        return self.columns[name][self.number]

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a column, or ``default`` where there is no such column."""
        held = self.columns.get(name)
        return default if held is None else held[self.number]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __repr__(self) -> str:
        return repr(dict(self))


def changed(rows: Sequence[Mapping[str, Any]], name: str, change: Callable[[Any], Any]) -> list[Mapping[str, Any]]:
    """The rows with ``change`` made to the values of a column that holds few different ones.

    Rows of one table share the new column; other mappings are copied.
    """
    tables: dict[int, Mapping[str, Column]] = {}
    out: list[Mapping[str, Any]] = []
    for row in rows:
        if not isinstance(row, StoredRow):
            out.append({**row, name: change(row[name])})
            continue
        if id(row.columns) not in tables:
            held = row.columns[name]
            new: Column
            if isinstance(held, Coded):
                new = Coded([None if v is None else change(v) for v in held.values], held.codes)
            else:
                new = Constant(change(row[name]))
            tables[id(row.columns)] = {**row.columns, name: new}
        out.append(StoredRow(tables[id(row.columns)], row.number))
    return out
