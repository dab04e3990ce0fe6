"""Progress: a bar in a terminal, a line beneath the cell of a notebook, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.console import RenderableType

    from bench.grid.cells import Cell
    from bench.running.rows import Rows
    from bench.running.runner import Progress


@contextmanager
def progress_bar(table: Table | None = None) -> Iterator[Progress]:
    """The progress that fits where it is shown.

    Args:
        table: makes the preliminary table of a terminal, or the line that a log has in its place.
    """
    if in_notebook():
        yield Notebook()
        return
    if not sys.stderr.isatty():
        yield Plain(table=table)
        return
    bar = Bar(table)
    try:
        yield bar
    finally:
        bar.stop()


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook."""
    ipython = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(ipython, "kernel")


class Table(Protocol):
    """Makes of preliminary rows, and of how many rows there will be, a table or a line."""

    def __call__(self, rows: Rows, total: int, *, line: bool) -> RenderableType:
        """The table; ``line``: text on one line."""
        ...


class Silent:
    """Says nothing."""

    def stage(self, name: str, total: int, done: int) -> None:
        """Nothing."""

    def cell(self, cell: Cell, outcome: dict[str, Any]) -> None:
        """Nothing."""

    def preliminary(self, rows: Rows, total: int) -> None:
        """Nothing."""


class Plain:
    """One line per stage, and one every ``every`` seconds."""

    def __init__(self, every: float = 15.0, table: Table | None = None):
        self.every, self._table = every, table

    def stage(self, name: str, total: int, done: int) -> None:
        """Announce a stage."""
        self.name, self.total, self.done, self.failed, self.start = name, total, done, 0, time.monotonic()
        self.known, self.last = done, self.start
        from_before = f", {done} of them from before" if done else ""
        print(f"{name}: {total} cells{from_before}", file=sys.stderr, flush=True)  # noqa: T201  # this is the terminal

    def cell(self, cell: Cell, outcome: dict[str, Any]) -> None:
        """Count a cell; say so now and then."""
        self.done += 1
        self.failed += outcome["status"] != "ok"
        now = time.monotonic()
        if now - self.last >= self.every or self.done == self.total:
            self.last = now
            text = f"{self.name}: {self.done}/{self.total}, {self.failed} failed{self._left(now)} ({cell.label})"
            print(text, file=sys.stderr, flush=True)  # noqa: T201  # this is the terminal

    def preliminary(self, rows: Rows, total: int) -> None:
        """One line."""
        if self._table is not None:
            print(self._table(rows, total, line=True), file=sys.stderr, flush=True)  # noqa: T201  # the terminal

    def _left(self, now: float) -> str:
        """About how long it will take; nothing before a quarter is done: grids begin with what is quick."""
        done = self.done - self.known
        if 4 * done < self.total - self.known or self.done == self.total:
            return ""
        return f", about {(self.total - self.done) * (now - self.start) / done:.0f} s left"


class Notebook:
    """One line of HTML that is replaced as cells are done, twice a second at most."""

    def __init__(self) -> None:
        from IPython.display import HTML, display  # there is one: in_notebook

        self._html, self._failed, self._last = HTML, 0, 0.0
        self._handle: Any = display(HTML(""), display_id=True)

    def stage(self, name: str, total: int, done: int) -> None:
        """Begin a stage."""
        self._name, self._total, self._done = name, total, done
        self._show("")

    def cell(self, cell: Cell, outcome: dict[str, Any]) -> None:
        """Advance."""
        self._done += 1
        self._failed += outcome["status"] != "ok"
        if self._done == self._total or time.monotonic() - self._last > 0.5:
            self._show(cell.label)

    def preliminary(self, rows: Rows, total: int) -> None:
        """Nothing: the cell shows its own results."""

    def _show(self, label: str) -> None:
        self._last = time.monotonic()
        failed = f", {self._failed} failed" if self._failed else ""
        bar = f"<progress value='{self._done}' max='{max(self._total, 1)}'></progress>"
        text = f"{escape(self._name)}: {self._done} of {self._total}{failed} {escape(label)}"
        self._handle.update(self._html(f"{bar} {text}"))


class Bar:
    """A rich progress bar."""

    def __init__(self, table: Table | None = None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn, TimeRemainingColumn
        from rich.text import Text

        class Left(TimeRemainingColumn):
            """Nothing before a quarter is done: grids begin with what is quick."""

            def render(self, task: Task) -> Text:
                known = task.fields["known"]
                begun = task.total is not None and 4 * (task.completed - known) >= task.total - known
                return super().render(task) if begun else Text("")

        columns = [
            TextColumn("{task.description:<28}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[failed]}"),
            Left(compact=True, elapsed_when_finished=True),
        ]
        self._bar = Progress(*columns, console=Console(stderr=True))
        self._bar.start()
        self._failed, self._table = 0, table

    def stage(self, name: str, total: int, done: int) -> None:
        """Begin a stage."""
        self._name = name
        self._task = self._bar.add_task(name, total=total, completed=done, failed="", known=done)

    def cell(self, cell: Cell, outcome: dict[str, Any]) -> None:
        """Advance."""
        self._failed += outcome["status"] != "ok"
        text = f"{self._failed} failed" if self._failed else ""
        self._bar.update(self._task, advance=1, description=f"{self._name} {cell.label}", failed=text)

    def preliminary(self, rows: Rows, total: int) -> None:
        """A table above the bar."""
        if self._table is not None:
            self._bar.console.print(self._table(rows, total, line=False))

    def stop(self) -> None:
        """Leave the bar as it stands."""
        self._bar.stop()
