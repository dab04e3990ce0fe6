"""results.parquet: one wide row per solver, setting, image, PSF and repetition, also for what failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import ResultError
from bench.files import replacing
from bench.results.columns import Column, StoredRow, of_booleans, of_numbers, of_strings
from bench.scoring import registry

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

SCHEMA_VERSION = 1

#: column -> arrow type. Metrics follow as m_<name> (the estimate) and in_<name> (the blurred input).
COLUMNS = {
    "cell_key": "string",
    "phase": "string",
    "status": "string",
    "error_type": "string",
    "error_message": "string",
    "traceback": "string",
    "output": "string",
    "attempt": "int32",
    "solver": "string",
    "solver_name": "string",
    "solver_settings": "string",
    "prior": "string",
    "prior_name": "string",
    "prior_settings": "string",
    "prior_note": "string",
    "weights_sha": "string",
    "training_note": "string",
    "unverified": "string",
    "family": "string",
    "same_as": "string",
    "blind": "bool",
    "stochastic": "bool",
    "samples": "int32",
    "tuned": "string",
    "tuning": "string",
    "candidate": "string",
    "dataset": "string",
    "split": "string",
    "image": "string",
    "image_sha": "string",
    "group": "string",
    "height": "int32",
    "width": "int32",
    "channels": "int32",
    "setting": "string",
    "blur": "string",
    "blur_settings": "string",
    "T": "double",
    "psf_index": "int32",
    "psf_sha": "string",
    "psf_note": "string",
    "kernel": "string",
    "noise": "string",
    "noise_settings": "string",
    "psf_error": "string",
    "sigma_factor": "double",
    "boundary": "string",
    "rep": "int32",
    "y_sha": "string",
    "seconds": "double",
    "n_A": "int32",
    "n_At": "int32",
    "nfe_forward": "int32",
    "nfe_backward": "int32",
    "parameters": "int64",
    "macs": "double",
    "peak_rss_mb": "double",
    "batch": "int32",
    "dtype": "string",
    "device": "string",
    "threads": "int32",
    "env_id": "string",
    "started_at": "string",
}


#: columns without which a row stands nowhere
NEEDED = ("cell_key", "phase", "status", "solver", "dataset", "split", "setting", "image", "psf_index", "rep")

#: arrow type -> what an outcome in a journal may hold there
_PLAIN: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "int32": (int,),
    "int64": (int,),
    "double": (int, float),
    "bool": (bool,),
}
#: arrow type -> the whole numbers that it holds exactly
_RANGE = {"int32": 2**31, "int64": 2**63, "double": 2**53}


def fits(outcome: object) -> bool:
    """Whether plain data from a journal is an outcome: a cell_key, a status, and values of the columns' types."""
    if not isinstance(outcome, dict) or not all(isinstance(outcome.get(n), str) for n in ("cell_key", "status")):
        return False
    about = outcome.get("environment")
    named = isinstance(about, dict) and all(isinstance(v, str) for v in about.values())
    return (about is None or named) and all(_fits(name, value) for name, value in outcome.items())


def _fits(name: str, value: object) -> bool:
    kind = "double" if name.startswith(("m_", "in_")) else COLUMNS.get(name)
    if kind is None or value is None:
        return True
    if isinstance(value, int) and kind in _RANGE and not -_RANGE[kind] <= value < _RANGE[kind]:
        return False
    return isinstance(value, _PLAIN[kind]) and (kind == "bool" or not isinstance(value, bool))


#: rows that are held at once while they are written: a group of the parquet file
GROUP = 10_000

#: Where a column repeats its name: the checksums of parquet cover the pages, not the names.
_NAME = b"column"
#: Where the column of a metric holds all that is known of it.
_METRIC = b"metric"


def write(path: Path, rows: Iterable[Mapping[str, Any]], metrics: Sequence[str]) -> None:
    """Write rows atomically, a group at a time. Units and directions of metrics travel in the columns' metadata."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = _schema(metrics)
    with replacing(path) as temporary, parquet.ParquetWriter(temporary, schema, write_page_checksum=True) as file:
        for group in _groups(rows):
            columns = [pa.array([row.get(f.name) for row in group], f.type) for f in schema]
            file.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))


def _schema(metrics: Sequence[str]) -> pa.Schema:
    import pyarrow as pa

    fields = [pa.field(name, pa.type_for_alias(kind), metadata={_NAME: name}) for name, kind in COLUMNS.items()]
    for name in metrics:
        m = registry.describe(name)
        about: dict[str | bytes, str] = {"unit": m.unit, "better": m.better, "protocol": m.definition}
        if name in registry.known():
            about[_METRIC] = registry.as_json(m)
        for column in (f"m_{name}", f"in_{name}"):
            fields.append(pa.field(column, pa.float64(), metadata={**about, _NAME: column}))
    return pa.schema(fields, metadata={"schema_version": str(SCHEMA_VERSION)})


def _groups(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    left = iter(rows)
    while group := list(islice(left, GROUP)):
        yield group


def write_environments(path: Path, environments: Mapping[str, Mapping[str, str]]) -> None:
    """One row per env_id: the machine and versions behind it."""
    import pyarrow as pa
    from pyarrow import parquet

    names = sorted({k for e in environments.values() for k in e})
    table = {"env_id": list(environments), **{n: [e.get(n) for e in environments.values()] for n in names}}
    with replacing(path) as temporary:
        parquet.write_table(pa.table(table), temporary, write_page_checksum=True)


def read(path: Path) -> list[StoredRow]:
    """Rows of a results.parquet, as views of its columns, read one at a time.

    Raises ResultError when it is missing, damaged or of another schema.
    """
    import pyarrow as pa
    from pyarrow import parquet

    if not path.is_file():
        raise ResultError(f"{path} cannot be read as results: there is no such file")
    try:
        with parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
        version = (schema.metadata or {}).get(b"schema_version", b"?").decode(errors="replace")
        if version != str(SCHEMA_VERSION):
            raise ResultError(f"{path} has schema version {version}, this deblur-bench reads {SCHEMA_VERSION}")
        _check_columns(path, schema)
        registry.learn(_metrics(schema))
        coded = [field.name for field in schema if pa.types.is_string(field.type)]
        with parquet.ParquetFile(path, page_checksum_verification=True, read_dictionary=coded) as file:
            columns = {name: _column(file, name) for name in schema.names}
            rows = [StoredRow(columns, i) for i in range(file.metadata.num_rows)]
    except (OSError, ValueError, MemoryError, pa.ArrowException) as error:
        raise ResultError(f"{path} cannot be read as results: {error}") from error
    for name in NEEDED:
        if any(row[name] is None for row in rows):
            raise ResultError(f"{path}: the column {name} has gaps")
    return rows


def _column(file: ParquetFile, name: str) -> Column:
    import pyarrow as pa

    kind = file.schema_arrow.field(name).type
    if pa.types.is_dictionary(kind):
        return of_strings(_arrays(file, name))
    return of_booleans(_arrays(file, name)) if pa.types.is_boolean(kind) else of_numbers(_arrays(file, name))


def _arrays(file: ParquetFile, name: str) -> Iterator[Any]:
    """One column, a group of rows at a time. Raises ArrowInvalid where it is not what the footer says."""
    import pyarrow as pa

    rows = 0
    for batch in file.iter_batches(GROUP, columns=[name], use_threads=False):
        batch.validate(full=True)
        rows += len(batch)
        yield batch.column(0)
    if rows != file.metadata.num_rows:
        raise pa.ArrowInvalid(f"the column {name} has {rows} rows, not {file.metadata.num_rows}")


def _metrics(schema: pa.Schema) -> Iterator[registry.MetricInfo]:
    """What the columns say of their metrics."""
    for field in schema:
        text = (field.metadata or {}).get(_METRIC)
        if field.name.startswith("m_") and text is not None:
            info = registry.from_json(field.name.removeprefix("m_"), text.decode(errors="replace"))
            yield from () if info is None else (info,)


def _check_columns(path: Path, schema: pa.Schema) -> None:
    import pyarrow as pa

    of_kind = {
        "string": pa.types.is_string,
        "int32": pa.types.is_integer,
        "int64": pa.types.is_integer,
        "double": lambda t: pa.types.is_floating(t) or pa.types.is_integer(t),
        "bool": pa.types.is_boolean,
    }
    for field in schema:
        kind = "double" if field.name.startswith(("m_", "in_")) else COLUMNS.get(field.name)
        stored = (field.metadata or {}).get(_NAME, field.name.encode())
        if stored != field.name.encode():
            raise ResultError(
                f"{path} is damaged: a column is called {field.name!r} and {stored.decode(errors='replace')!r}"
            )
        if kind is None:
            raise ResultError(f"{path}: there is no column {field.name!r} in results of schema {SCHEMA_VERSION}")
        if not of_kind[kind](field.type) and not pa.types.is_null(field.type):
            raise ResultError(f"{path}: the column {field.name} holds {field.type}, not {kind}")
    if len(set(schema.names)) < len(schema):
        raise ResultError(f"{path}: a column stands there twice")
    if lacking := [name for name in NEEDED if name not in schema.names]:
        raise ResultError(f"{path}: the column {lacking[0]} is missing")


def whole(path: Path, rows: int) -> bool:
    """Whether the file is a parquet file of so many rows, by its footer."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return path.is_file() and parquet.read_metadata(path).num_rows == rows
    except (OSError, pa.ArrowException):
        return False
