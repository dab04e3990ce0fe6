"""Run a grid: tune on the validation split, solve the test cells, write the results. Interruptible at any moment."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Protocol

from bench.errors import GridError, PluginError, ResultError, SettingError
from bench.files import sweep, write_text
from bench.grid.cells import Cell, Ref, instance
from bench.grid.conditions import Expression
from bench.grid.image_index import ImageIndex
from bench.grid.planner import Planner
from bench.grid.schema import Grid, SolverEntry
from bench.plugins.outside import ours
from bench.results import journal
from bench.results import parquet as results
from bench.results.folder import ResultsFolder
from bench.results.outcomes import Outcome, Outcomes
from bench.running.environment import Shared, commit
from bench.running.estimates import gather
from bench.running.local import Engine, LocalEngine, Lost, WorkerDied, failure, usable_cores
from bench.running.rows import Rows, Tally, place_of
from bench.running.submit import submitted
from bench.running.tune import Choice, Search, searches_of
from bench.running.waves import waves_of
from bench.seeds import digest


class Progress(Protocol):
    """Hears how a run goes on."""

    def stage(self, name: str, total: int, done: int) -> None:
        """A stage begins: so many cells, so many of them known from before."""
        ...

    def cell(self, cell: Cell, outcome: Outcome) -> None:
        """A cell is done."""
        ...

    def preliminary(self, rows: Rows, total: int) -> None:
        """The quick solvers have all their test rows, of ``total`` that the run will have; comes once at most."""
        ...


@dataclass(frozen=True)
class Options:
    """What the command line may change about a run without changing what it means."""

    out: Path
    only: Expression | None = None
    limit: int | None = None
    retry_failed: bool = False
    workers: int | None = None
    device: str | None = None
    batch: int | None = None


@dataclass(frozen=True)
class Finished:
    """A run's results: test rows and tuning rows as they stand in results.parquet, and what was chosen."""

    rows: Rows
    choices: list[Choice]
    computed: int
    folder: Path

    @property
    def test(self) -> Rows:
        """The rows that count."""
        return self.rows.of("test")


class Runner:
    """Executes one grid in one folder.

    Args:
        grid: what to run.
        options: where and how.
        progress: hears about every cell.
        engine: makes the engine (a context manager) from what its workers share; the local one by default.
    """

    def __init__(
        self,
        grid: Grid,
        options: Options,
        progress: Progress,
        engine: Callable[[Shared], AbstractContextManager[Engine]] | None = None,
    ):
        self.grid, self.options, self.progress = grid, options, progress
        self.folder = ResultsFolder(options.out)
        self._engine = engine or self._local
        self._index = ImageIndex(self.folder.hashes)
        self.planner = Planner(grid, self._index, options.only, options.limit)
        self.outcomes = Outcomes(self.folder.journal)
        self._forgiven: set[str] = set()
        self.computed = 0

    # --- planning -------------------------------------------------------------------------------------------

    def missing(self, cells: Iterable[Cell]) -> list[Cell]:
        """The cells that have no outcome yet (or only a failed one, with ``retry_failed``), each key once."""
        missing: dict[str, Cell] = {}
        for cell in cells:
            again = self.options.retry_failed and cell.key not in self._forgiven
            if cell.key not in self.outcomes or (again and self.outcomes[cell.key]["status"] != "ok"):
                missing.setdefault(cell.key, cell)
        return list(missing.values())

    def searches(self) -> list[Search]:
        """Every search of the grid, at its beginning."""
        return [s for entry in self.grid.solvers for s in searches_of(self.planner, entry)]

    def advance(self, searches: Iterable[Search]) -> list[Cell]:
        """Bring searches as far as outcomes carry; returns the cells that they wait for, each key once."""
        return list({c.key: c for s in searches for c in s.advance(self.outcomes, self.missing)}.values())

    def second_stage(
        self, choices: dict[tuple[str, str], Choice], entries: Sequence[SolverEntry] | None = None
    ) -> list[Cell]:
        """The test cells of all solvers, or of some, with the chosen candidates."""
        cells: list[Cell] = []
        for entry in self.grid.solvers if entries is None else entries:
            if _is_oracle(entry):
                continue
            for setting in (s for g in self.planner.groups(entry) for s in g):
                choice = choices.get((entry.label, setting.id))
                candidate = choice.chosen if choice else None
                cells += self.planner.cells("test", entry, [setting], candidate, "val" if candidate else None)
        return cells

    # --- running --------------------------------------------------------------------------------------------

    def run(self) -> Finished:
        """Compute what is missing and write the results.

        Raises GridError, SettingError or DataError before anything is computed, and ResultError when the folder is in
        use or cannot be written. After that, as after KeyboardInterrupt, the same call goes on where this one ended.
        """
        started = datetime.now(UTC).isoformat(timespec="seconds")
        with journal.Journal(self.folder.journal) as log, ExitStack() as stack:
            self.outcomes.refresh()
            sweep(self.folder.estimates)
            searches = {e.label: searches_of(self.planner, e) for e in self.grid.solvers}
            every = [s for own in searches.values() for s in own]
            if not every and not self._anything():
                raise GridError("nothing to run: exclude and --only leave no cell")
            engine = cache(lambda: self._opened(stack, every))  # none where nothing is missing
            choices: dict[str, list[Choice]] = {}
            cells: dict[str, list[Cell]] = {}
            for number, wave in enumerate(waves := waves_of(self.grid.solvers), 1):
                self._tune([s for e in wave for s in searches[e.label]], engine, log)
                for entry in wave:
                    own = [s.choice(self.outcomes) for s in searches[entry.label] if not _is_oracle(entry)]
                    choices[entry.label] = own
                    cells[entry.label] = self.second_stage(
                        {(c.label, s): c for c in own for s in c.settings}, [entry]
                    )
                self._test([c for e in wave for c in cells[e.label]], engine, log)
                self._offer(cells, last=number == len(waves))
            self._index.save()
            tested = [c for e in self.grid.solvers for c in cells[e.label]]
            chosen = [c for e in self.grid.solvers for c in choices[e.label]]
            reported = [*tested, *(c for s in every for c in s.cells), *_best_of_oracles(every)]
            finished = Finished(Rows(reported, self.outcomes), chosen, self.computed, self.folder.path)
            self._write(finished, reported, started)
        return finished

    def _anything(self) -> bool:
        return any(self.planner.wanted(s, e) for e in self.grid.solvers for s in self.planner.settings)

    def _offer(self, cells: Mapping[str, Sequence[Cell]], *, last: bool) -> None:
        """Show what the quick solvers came to, once, where there is something to compare and more to wait for."""
        if last or not self.computed:
            return
        pairs = product(self.grid.solvers, self.planner.settings)
        total = sum(len(self.planner.shots(s, "test")) for e, s in pairs if self.planner.wanted(s, e))
        self.progress.preliminary(Rows([c for own in cells.values() for c in own], self.outcomes), total)

    def _tune(self, searches: Sequence[Search], engine: Callable[[], Engine], log: journal.Journal) -> None:
        if not searches:
            return
        waiting = self.advance(searches)
        total = len({c.key for s in searches for c in s.cells}) + sum(s.left for s in searches)
        self.progress.stage("tuning, at most", total, total - len(waiting) - sum(s.left for s in searches))
        self._solve(lambda: self.advance(searches), engine, log)

    def _test(self, cells: Sequence[Cell], engine: Callable[[], Engine], log: journal.Journal) -> None:
        distinct = len({c.key for c in cells})
        self.progress.stage("solving", distinct, distinct - len(self.missing(cells)))
        self._solve(lambda: self.missing(cells), engine, log)

    def _solve(self, wanted: Callable[[], list[Cell]], engine: Callable[[], Engine], log: journal.Journal) -> None:
        """Solve what is wanted until nothing is."""
        while missing := wanted():
            self._drain(engine(), missing, log)

    def _opened(self, stack: ExitStack, searches: Sequence[Search]) -> Engine:
        """The engine, once every solver, prior, noise model and metric of others is known to take its settings.

        Later rounds of a search may ask for values that a solver refuses: these fail as cells.
        """
        for setting in self.planner.settings:  # datasets and blurs were built to plan; noise may hang, too
            instance(setting.degradation.noise)
        engine = stack.enter_context(_cleared(self._engine(self._shared())))
        tuned = [r for c in self.advance(searches) for r in (c.solver, c.prior) if r is not None]
        plain = [v for e in self.grid.solvers if e.tuning is None for v in (e.variant, e.prior) if v is not None]
        metrics = [m.metric for m in self.grid.measures if not ours(m.metric.plugin.path)]
        self._check(engine, [*tuned, *(Ref.of(v.plugin, v.settings) for v in plain), *metrics])
        return engine

    def _drain(self, engine: Engine, missing: Sequence[Cell], log: journal.Journal) -> None:
        for cell, outcome in submitted(engine, missing, self.batch_size, self.grid.run):
            row = {**outcome, "cell_key": cell.key, "parts": cell.parts, "place": place_of(cell)}
            log.append(row)
            self.outcomes.refresh()
            self._forgiven.add(cell.key)
            self.computed += 1
            self.progress.cell(cell, row)

    def probe(self, cells: Sequence[Cell]) -> list[Outcome]:
        """Outcomes of cells that are solved to see how long they take, one by one, and then forgotten."""
        shared = replace(self._shared(), pictures=None)
        with _cleared(LocalEngine(1, shared)) as engine:
            calls = [engine.solve([c], self.grid.run.timeout) for c in cells]
            return [_answer(call, self.grid.run.timeout) for call in calls]

    def _check(self, engine: Engine, refs: Sequence[Ref]) -> None:
        distinct = {digest([r.kind, r.name, r.path, r.settings]): r for r in refs}
        try:
            engine.check(list(distinct.values())).result()
        except SettingError as error:
            raise GridError(str(error)) from error
        except (WorkerDied, Lost) as error:
            raise PluginError(f"solvers, priors and metrics cannot be imported and built: {error}") from error

    def _shared(self) -> Shared:
        memory = int(self.grid.run.memory_gb * 2**30) if self.grid.run.memory_gb else None
        return Shared(self.device, self.grid.protocol.threads, memory, str(self.folder.estimates))

    def _local(self, shared: Shared) -> LocalEngine:
        return LocalEngine(self.workers, shared)

    @property
    def workers(self) -> int:
        """How many local workers there are."""
        wanted = self.options.workers or self.grid.run.workers
        return wanted if wanted != "auto" else _default_workers(self.device)

    @property
    def device(self) -> str:
        """The torch device: a GPU where there is one, unless the options name another."""
        wanted = self.options.device or self.grid.run.device
        if wanted != "auto":
            return wanted
        return "cuda" if Path("/proc/driver/nvidia/version").exists() else "cpu"

    @property
    def batch_size(self) -> int:
        """Cells in one call of a solver."""
        size = self.options.batch or self.grid.run.batch
        if size != "auto":
            return size
        return 16 if self.device.startswith("cuda") else 1

    # --- results --------------------------------------------------------------------------------------------

    def _write(self, finished: Finished, cells: Sequence[Cell], started: str) -> None:
        tally = Tally.of(finished.rows)
        if self.computed == 0 and self._stamp() == tally.stamp and self._whole(finished):
            return  # nothing new: leave the files as they are
        results.write(self.folder.table, finished.rows, self.grid.metrics)
        results.write_environments(self.folder.environments, self.outcomes.environments)
        # A worker that was killed may have left a part of what it stored.
        done = [c for c in cells if c.keep and c.phase == "test" and self.outcomes[c.key]["status"] == "ok"]
        gather(self.folder, done)
        write_text(self.folder.grid, self.grid.text)
        self.folder.write_facts(self._facts(tally, finished.choices, started))

    def _stamp(self) -> str | None:
        """Of the rows that run.json speaks of; None where it cannot be read: it is then written again."""
        try:
            return self.folder.read_facts().get("stamp")
        except ResultError:
            return None

    def _whole(self, finished: Finished) -> bool:
        """Whether the files of an earlier end are still there."""
        others = (self.folder.environments, self.folder.grid, self.folder.index)
        return results.whole(self.folder.table, len(finished.rows)) and all(f.is_file() for f in others)

    def _facts(self, tally: Tally, choices: Sequence[Choice], started: str) -> dict[str, Any]:
        head, dirty = commit()
        return {
            "name": self.grid.name,
            "study": self.grid.study,
            "only": None if self.options.only is None else self.options.only.text,
            "limit": self.options.limit,
            "left_out": self.planner.left_out,
            "solvers": {s.label: _about(s) for s in self.grid.solvers},
            "grid_file": self.folder.grid.name,
            "grid_text": self.grid.text,
            "grid_base": str(self.grid.base),
            "seed": self.grid.seed,
            "protocol": self.grid.protocol.model_dump(),
            "metrics": list(self.grid.metrics),
            "commit": head,
            "dirty": dirty,
            "environment": self.outcomes.environments.get(next(iter(tally.env_ids), ""), {}),
            "environments": len(tally.env_ids),
            "started_at": started,
            "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "cells": {"total": tally.test, "ok": tally.ok, "failed": tally.test - tally.ok},
            "measurements": tally.measurements,
            "tuning": [c.as_dict() for c in choices],
            "stamp": tally.stamp,
        }


def _is_oracle(entry: SolverEntry) -> bool:
    return entry.tuning is not None and entry.tuning.oracle


def _best_of_oracles(searches: Iterable[Search]) -> Iterator[Cell]:
    """Of every test image the search's best cell, as a test cell."""
    for search in searches:
        if _is_oracle(search.entry):
            trial, _ = search.best
            for cell in trial.cells:
                yield replace(cell, phase="test", label=f"{search.entry.label} (oracle)")


def _about(entry: SolverEntry) -> dict[str, str]:
    """What a solver says about itself, for readers of its results."""
    plugin = entry.variant.plugin
    return {"summary": plugin.summary, "reference": str(plugin.flags.get("reference") or "")}


def _answer(call: Future[Any], timeout: float) -> Outcome:
    error = call.exception()
    return failure(error, timeout) if error else call.result()[0]


def _default_workers(device: str) -> int:
    return 1 if device.startswith("cuda") else usable_cores()


@contextmanager
def _cleared(made: AbstractContextManager[Engine]) -> Iterator[Engine]:
    """The engine, whose clearing up the second Ctrl-C of an impatient user does not stop."""
    before = signal.getsignal(signal.SIGINT)
    try:
        with made as engine:
            try:
                yield engine
            except KeyboardInterrupt:  # only ever in the main thread, which alone may set handlers
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                raise
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, before)
        raise
