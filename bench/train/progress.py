"""What a training says while it runs: a bar in a terminal, elsewhere a line now and then."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

#: Seconds between lines where there is no terminal; the first comes after a tenth of it.
EVERY = 60.0
#: Of the running mean of the loss.
MEMORY = 0.98


class Progress:
    """Loss, rate and the time left, from the first step on.

    Args:
        start, end: steps done before, and in the end.
        terminal: a bar, rather than lines; by default where standard error is one.
        every: seconds between lines.
    """

    def __init__(self, start: int, end: int, *, terminal: bool | None = None, every: float = EVERY) -> None:
        self.start, self.end, self.every = start, end, every
        self.began = self.shown = time.monotonic()
        self.loss, self.weight = 0.0, 0.0
        terminal = sys.stderr.isatty() if terminal is None else terminal
        self.bar = _bar(start, end) if terminal and start < end else None

    def step(self, done: int, loss: float, rate: float) -> None:
        """After step ``done``: its loss and its learning rate."""
        self.loss = MEMORY * self.loss + (1 - MEMORY) * loss
        self.weight = MEMORY * self.weight + 1 - MEMORY
        now = time.monotonic()
        text = f"loss {self.loss / self.weight:.4g}  lr {rate:.3g}"
        if self.bar is not None:
            self.bar.update(self.bar.task_ids[0], completed=done, figures=text)
        elif now - self.shown >= (self.every if self.shown > self.began else self.every / 10):
            self.shown = now
            self.say(f"step {done}/{self.end}  {text}  left {self.left(done, now)}")

    def left(self, done: int, now: float) -> timedelta:
        """About how long it will take, validations included."""
        pace = (now - self.began) / max(1, done - self.start)
        return timedelta(seconds=round(pace * (self.end - done)))

    def say(self, text: str) -> None:
        """A line of its own, above the bar if there is one."""
        if self.bar is not None:
            self.bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
            return
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Leave the bar as it is."""
        if self.bar is not None:
            self.bar.stop()


def _bar(start: int, end: int) -> RichProgress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = BarColumn(bar_width=20), MofNCompleteColumn(), TextColumn("{task.fields[figures]}")
    bar = RichProgress("training", *columns, TimeRemainingColumn(), console=Console(stderr=True))
    bar.add_task("training", total=end, completed=start, figures="")
    bar.start()
    return bar
