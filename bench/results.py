"""results.parquet: one wide row per solver, setting, image, PSF and repetition, also for what failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.atomic import replacing
from bench.errors import ResultError
from bench.metrics import METRICS

SCHEMA_VERSION = 1

#: column -> arrow type. Metrics follow as m_<name> (the estimate) and in_<name> (the blurred input).
COLUMNS = {
    "cell_key": "string",
    "phase": "string",
    "status": "string",
    "error_type": "string",
    "error_message": "string",
    "attempt": "int32",
    "solver": "string",
    "solver_name": "string",
    "solver_settings": "string",
    "weights_sha": "string",
    "family": "string",
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
    "peak_rss_mb": "double",
    "batch": "int32",
    "dtype": "string",
    "device": "string",
    "threads": "int32",
    "env_id": "string",
    "started_at": "string",
}


def write(path: Path, rows: Sequence[Mapping[str, Any]], metrics: Sequence[str]) -> None:
    """Write rows atomically. Units and directions of metrics travel in the columns' metadata."""
    import pyarrow as pa
    from pyarrow import parquet

    fields = [pa.field(name, pa.type_for_alias(kind)) for name, kind in COLUMNS.items()]
    for name in metrics:
        m = METRICS[name]
        about = {"unit": m.unit, "better": m.better, "protocol": m.protocol}
        fields += [pa.field(f"{prefix}_{name}", pa.float64(), metadata=about) for prefix in ("m", "in")]
    schema = pa.schema(fields, metadata={"schema_version": str(SCHEMA_VERSION)})
    columns = [pa.array([row.get(f.name) for row in rows], f.type) for f in schema]
    with replacing(path) as temporary:
        parquet.write_table(pa.Table.from_arrays(columns, schema=schema), temporary)


def write_environments(path: Path, environments: Mapping[str, Mapping[str, str]]) -> None:
    """One row per env_id: the machine and versions behind it."""
    import pyarrow as pa
    from pyarrow import parquet

    names = sorted({k for e in environments.values() for k in e})
    table = {"env_id": list(environments), **{n: [e.get(n) for e in environments.values()] for n in names}}
    with replacing(path) as temporary:
        parquet.write_table(pa.table(table), temporary)


def read(path: Path) -> list[dict[str, Any]]:
    """Rows of a results.parquet. Raises ResultError when it is missing, damaged or of another schema."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise ResultError(f"{path} cannot be read as results: {error}") from error
    version = (table.schema.metadata or {}).get(b"schema_version", b"?").decode()
    if version != str(SCHEMA_VERSION):
        raise ResultError(f"{path} has schema version {version}, this deblur-bench reads {SCHEMA_VERSION}")
    return table.to_pylist()
