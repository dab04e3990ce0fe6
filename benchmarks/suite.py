"""The sections of the speed suite: which tables each has, with which options, and for how long it may run."""

from __future__ import annotations

import importlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

PACKAGES = ("torch", "numpy", "scipy", "deepinv", "pylops", "pyproximal", "scikit-image", "pandas", "pyarrow")


class Table(NamedTuple):
    """A table of a section.

    Attributes:
        name: in files and on the page's build.
        title: its heading.
        module, rows, columns: the benchmark, its generator of rows, and the name of its headings.
        full, quick: command-line options of the benchmark, for the real run and to see that all works.
    """

    name: str
    title: str
    module: str
    rows: str = "rows"
    columns: str = "COLUMNS"
    full: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()


class Section(NamedTuple):
    """Tables that are measured together in one process, which is ended after ``limit`` seconds."""

    name: str
    title: str
    limit: float
    tables: tuple[Table, ...]


SECTIONS = (
    Section("start", "Start-up, and cells that do nothing", 150, (
        Table("start", "Commands", "overhead", quick=("--repeat", "1", "--noop", "50")),
    )),
    Section("classical", "Classical solvers beside other libraries", 840, (
        Table("iterations", "The cost of an iteration", "side_by_side", "iterations", "ITERATION_COLUMNS",
              quick=("--sizes", "128", "--repeat", "1")),
        Table("classical", "Seconds to the counterpart's PSNR", "side_by_side",
              full=("--limit", "45", "--budget", "690"),
              quick=("--sizes", "128", "256", "--batches", "1", "2", "--limit", "3", "--budget", "60", "--repeat",
                     "1", "--tried", "1")),
        Table("quality", "PSNR at the best weight", "tv_bars", quick=("--repeat", "1", "--tried", "3")),
    )),
    Section("measurements", "Kernels, measurements, training pairs", 240, (
        Table("kernels", "Kernels and measurements", "kernels", quick=("--batch", "16", "--repeat", "1")),
        Table("pairs", "Training pairs", "pairs", full=("--pool", "10000"),
              quick=("convir_cpu", "--pool", "64", "--steps", "1")),
    )),
    Section("samplers", "Diffusion samplers", 480, (
        Table("samplers", "Beside deepinv's", "samplers",
              quick=("--steps", "4", "--images", "1", "--tried", "1")),
        Table("overhead", "Around the network", "sampler_overhead", quick=("--steps", "3", "--repeat", "1")),
        Table("batches", "The network in batches", "samplers", "batches", "BATCH_COLUMNS", quick=("--repeat", "1")),
    )),
    Section("benchopt", "The harness beside benchopt", 420, (
        Table("benchopt", "The same grids", "against_benchopt", full=("--limit", "120"),
              quick=("--cells", "50", "--two-workers", "0")),
    )),
    Section("report", "Reports", 240, (
        Table("report", "Building and opening a page", "report_speed",
              quick=("--cells", "400", "--kinds", "plain", "--size", "32")),
    )),
    Section("growth", "How cost grows", 300, (
        Table("growth", "Exponents", "growth", quick=("--small",)),
    )),
    Section("grids", "Shipped grids", 420, (
        Table("grids", "quickstart, classical and ci", "grid_times", full=("--limit", "240"),
              quick=("ci", "--only", "solver == 'wiener'")),
    )),
)  # fmt: skip


def chosen(names: Sequence[str] | None) -> list[Section]:
    """The sections of those names, or all. Raises KeyError for an unknown name."""
    by_name = {s.name: s for s in SECTIONS}
    return [by_name[n] for n in names] if names else list(SECTIONS)


def headings(table: Table) -> Mapping[str, str]:
    """Its columns, key -> heading."""
    return getattr(importlib.import_module(table.module), table.columns)


def measured(table: Table, quick: bool, given: Mapping[str, Path | None]) -> Iterator[dict[str, Any]]:
    """The rows of a table, as they come.

    Args:
        table: which.
        quick: whether with the tiny options.
        given: options of the suite that some benchmarks take: benchopt, data_root.
    """
    module: Any = importlib.import_module(table.module)
    parser = module.arguments()
    known = {action.dest for action in parser._actions}
    extra: list[str] = []
    for name, value in given.items():
        if name in known and value is not None:
            extra += [f"--{name.replace('_', '-')}", str(value)]
    options = parser.parse_args([*extra, *(table.quick if quick else table.full)])
    for row in getattr(module, table.rows)(options):
        yield row._asdict()


def environment(benchopt: Path | None) -> dict[str, Any]:
    """What a figure depends on: the date, the processor, its load, and versions."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    if benchopt:
        found["benchopt"] = _output(str(benchopt), "--version")
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "commit": _output("git", "rev-parse", "--short", "HEAD"),
        "changed": bool(_output("git", "status", "--porcelain", "--untracked-files=no")),
        "versions": found,
    }


def _output(*command: str) -> str:
    try:
        return subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True, timeout=60
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _processor() -> str:
    """Its model, with family and number where the name says little."""
    if sys.platform != "linux":
        return platform.processor() or platform.machine()
    lines = [line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line]
    facts = {key.strip(): value.strip() for key, value in reversed(lines)}
    return f"{facts.get('model name', '?')} (family {facts.get('cpu family')}, model {facts.get('model')})"
