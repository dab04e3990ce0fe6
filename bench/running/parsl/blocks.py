"""The jobs that a run has asked a scheduler for: noted in a file, so that they are given back when the run is killed.

Left to themselves, those that run end when they miss the run, but those that still wait in the queue would start one
after the other, look for the run, and hold their nodes meanwhile.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.running.parsl import site as sites

if TYPE_CHECKING:
    from parsl.executors import HighThroughputExecutor


@contextmanager
def noted(site: sites.Site, folder: Path) -> Iterator[None]:
    """Meanwhile every job of the site is noted, and its interchanges know where."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as files:
        for executor in site.executors:
            files.enter_context(_noted(executor, site.name, folder))
        yield


@contextmanager
def _noted(executor: HighThroughputExecutor, site: str, folder: Path) -> Iterator[None]:
    handle, name = tempfile.mkstemp(prefix="blocks_", suffix=".txt", dir=folder)
    os.close(handle)
    notes, provider = Path(name), executor.provider
    assert provider is not None
    submit = provider.submit

    def submit_and_note(*args: Any, **more: Any) -> object:
        job = submit(*args, **more)
        with notes.open("a", encoding="utf-8") as file:
            file.write(f"{job}\n")
        return job

    provider.submit = submit_and_note
    if "bench.running.parsl.interchange" in executor.interchange_launch_cmd:
        executor.interchange_launch_cmd = [*executor.interchange_launch_cmd, site, executor.label, str(notes)]
    try:
        yield
    finally:
        notes.unlink(missing_ok=True)


def give_back(site: str, label: str, notes: Path) -> None:
    """Cancel the jobs that a run noted, after it has died. Whatever is wrong with the site: the jobs then stay."""
    with suppress(Exception):
        jobs = notes.read_text(encoding="utf-8").split()
        (executor,) = (e for e in sites.read(Path(site)).executors if e.label == label)
        if jobs and executor.provider is not None:
            executor.provider.cancel(jobs)  # its own list of jobs is empty, which it notices after the command
    notes.unlink(missing_ok=True)
