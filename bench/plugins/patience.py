"""How long a plug-in may take where it runs in a process that nobody watches: the one that plans."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.errors import PluginError

#: seconds by the clock for importing or building a plug-in; a solver's process has as many
LOADING = 120.0
#: seconds by the clock for listing a dataset, or for loading one of its images
LOOKING = 600.0


class _TooLong(BaseException):
    """Time is up. No Exception, since plug-ins may catch those."""


@contextmanager
def limited(seconds: float, what: str) -> Iterator[None]:
    """Raise PluginError in what runs meanwhile when the seconds have passed.

    A signal does so, hence only in the main thread, and only where code returns to Python now and then: a sleep, a
    loop and a wait for a lock or a socket do. Within another limit that one holds.
    """
    is_watched = threading.current_thread() is not threading.main_thread() or signal.getitimer(signal.ITIMER_REAL)[0]
    if is_watched or not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)  # again each second: the first may be swallowed
    try:
        yield
    except _TooLong as late:
        raise PluginError(f"{what} takes too long: not done after {seconds:g} s") from late
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _stop(*_: Any) -> None:
    raise _TooLong
