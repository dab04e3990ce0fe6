"""Noticing that local workers have stopped taking up work.

They share two pipes and the locks on them. One that is killed from outside (the system does so when memory runs out)
in the instant in which it holds a lock keeps it for ever: no other can take up a call, hand in what it has solved, or
be stopped at its timeout. One that is killed between taking a call up and saying so takes the call with it.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import Any

#: seconds that a worker may idle while calls wait: a new one needs some to start
PATIENCE = 60.0
#: seconds without news after which, if no call waits, one is made to see whether it is taken up
QUIET = 5.0


class Stuck(Exception):  # noqa: N818  nobody's error: the workers are replaced
    """No worker takes anything up any more."""


class Watch:
    """Hands out the calls that are done, and sees to it that no worker idles while others wait.

    Args:
        workers: how many calls should be on at any time, if there are as many.
        probe: makes a call that does nothing.
    """

    def __init__(self, workers: int, probe: Callable[[], Future[Any]]):
        self._workers, self._probe = workers, probe
        self._probed: Future[Any] | None = None

    def next(self, done: queue.SimpleQueue[Future[Any]], calls: Collection[Future[Any]]) -> Future[Any]:
        """The next of ``calls`` to arrive in ``done``. Raises Stuck if none is to be expected."""
        sound = time.monotonic()
        while True:
            try:
                return done.get(timeout=1.0)
            except queue.Empty:
                now = time.monotonic()
            if self._is_busy(calls):
                sound = now
            elif now > sound + PATIENCE:
                raise Stuck
            elif now > sound + QUIET and self._probed is None and all(f.running() for f in calls):
                self._probed = self._probe()

    def _is_busy(self, calls: Collection[Future[Any]]) -> bool:
        """Whether every worker has something to do, or one has just shown that it takes up what there is."""
        if self._probed is not None and self._probed.done():
            self._probed = None
            return True
        return sum(f.running() for f in calls) >= self._workers
