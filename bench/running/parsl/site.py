"""A site file: Python that says where workers come from, as ``config = parsl.Config(...)``."""

from __future__ import annotations

import math
import runpy
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import SettingError
from bench.files import path_or_shipped

if TYPE_CHECKING:
    from parsl import Config
    from parsl.executors import HighThroughputExecutor


#: what starts Parsl's workers on a node, and our module that does
POOL = "process_worker_pool"
#: workers per node when a site file leaves their number to the node
USUAL_NODE = 32


@dataclass(frozen=True)
class Site:
    """Where cells are solved.

    Attributes:
        name: the file, for messages.
        executors: the HighThroughputExecutors of the configuration.
    """

    name: str
    config: Config
    executors: tuple[HighThroughputExecutor, ...]

    @property
    def workers(self) -> int:
        """How many workers there are when every block is up."""
        return max(1, sum(_workers(e) for e in self.executors))

    @property
    def device(self) -> str:
        """The torch device of the workers: each sees one accelerator if the site pins them, and calls it ``cuda``."""
        return "cuda" if all(e.available_accelerators for e in self.executors) else "cpu"


def find(executor: str) -> Site | None:
    """What ``--executor`` means: None for ``local``. Raises SettingError; running the file may raise anything."""
    if executor == "local":
        return None
    kind, _, file = executor.partition(":")
    if kind != "parsl" or not file:
        raise SettingError(f"--executor {executor!r} is unknown. Allowed: local, parsl:SITE.py")
    return read(_file(file))


def _file(name: str) -> Path:
    """The site file that ``name`` means: a path ending in .py, or a shipped site. Raises SettingError."""
    try:
        return path_or_shipped(name, "sites", ".py", SettingError)
    except SettingError as error:
        raise SettingError(f"--executor: {error}") from error


def read(file: Path) -> Site:
    """Run a site file. Raises SettingError when there is none, or none that says ``config = parsl.Config(...)``."""
    try:
        from parsl import Config
        from parsl.executors import HighThroughputExecutor
    except ImportError as error:
        raise SettingError("--executor parsl:... needs Parsl: pip install 'deblur-bench[cluster]'") from error
    if not file.is_file():
        raise SettingError(f"--executor: there is no site file {file}")
    config = runpy.run_path(str(file)).get("config")
    if not isinstance(config, Config):
        raise SettingError(f"{file} must say config = parsl.Config(...), it has {type(config).__name__}")
    executors = tuple(e for e in config.executors if isinstance(e, HighThroughputExecutor))
    if not executors or len(executors) < len(config.executors):
        raise SettingError(f"{file}: every executor must be a HighThroughputExecutor, whose workers are processes")
    if config.retries:
        raise SettingError(f"{file}: leave retries at 0; the grid's run.retries counts the attempts of a cell")
    for executor in executors:
        if executor.interchange_launch_cmd == ["interchange.py"]:
            executor.interchange_launch_cmd = [sys.executable, "-m", "bench.running.parsl.interchange"]
        if executor.launch_cmd.startswith(f"{POOL}.py "):
            executor.launch_cmd = f"python3 -m bench.running.parsl.{executor.launch_cmd.replace('.py', '', 1)}"
    return Site(str(file), config, executors)


def _workers(executor: HighThroughputExecutor) -> int:
    most = executor.max_workers_per_node
    per_node = USUAL_NODE if math.isinf(most) else int(most)
    if executor.available_accelerators:
        per_node = min(per_node, len(executor.available_accelerators))
    provider = executor.provider
    return per_node * getattr(provider, "nodes_per_block", 1) * getattr(provider, "max_blocks", 1)
