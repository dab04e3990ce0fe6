"""On the workers' side: an order in, outcomes out, both as JSON text.

A worker of the site does not solve itself. It keeps one process of ours (``bench.running.local.LocalEngine``), so
that a crash, a hang and lack of memory are distinct there as they are on one machine, cost that process and not the
worker, and models stay loaded from call to call.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import BrokenExecutor, Future
from pathlib import Path
from typing import Any

from pebble import ProcessExpired

from bench.errors import BenchError, ResultError
from bench.running.environment import Shared
from bench.running.local import LocalEngine
from bench.running.parsl.order import Order, code_behind

#: seconds beyond its own timeout after which a process that does not even report is given up
GRACE = 60.0

_engines: dict[Shared, LocalEngine] = {}


def carry_out(text: str) -> str:
    """Solve the cells of an order, or build its solvers.

    Returns ``{"result": ...}``, or ``{"error": name, ...}`` named as what ``bench.running.local`` would have raised.
    """
    order = Order.of(text)
    try:
        os.chdir(order.folder)
        _require_same_code(order)
        return json.dumps({"result": _done(order)})
    except ProcessExpired as error:
        return json.dumps({"error": "ProcessExpired", "exitcode": error.exitcode})
    except TimeoutError:
        return json.dumps({"error": "TimeoutError"})
    except BenchError as error:
        return json.dumps({"error": type(error).__name__, "message": str(error)})
    except OSError as error:
        message = f"on {os.uname().nodename}: {error}; the run's folder must be there under the same path"
        return json.dumps({"error": "ResultError", "message": message})


def _require_same_code(order: Order) -> None:
    here = code_behind(order.cells, order.solvers)
    differing = sorted(k for k in order.code.keys() | here.keys() if order.code.get(k) != here.get(k))
    if differing:
        raise ResultError(
            f"{os.uname().nodename} has other code than the run: {', '.join(differing)} (in "
            f"{Path(__file__).parents[1]}); its results would stand under wrong keys. Install the same version there"
        )


def _done(order: Order) -> Any:
    for _ in range(2):
        try:
            future = _call(_engine(order.shared), order)
        except (BrokenExecutor, RuntimeError):  # the server that processes are forked from is gone
            _drop(order.shared)
            continue
        try:
            return future.result(order.timeout + GRACE)
        except BrokenExecutor:
            _drop(order.shared)
        except TimeoutError:
            if not future.done():  # killed at a moment that leaves its pool without news for ever
                _drop(order.shared)
            raise
    raise ProcessExpired("no process could be started", code=1)


def _call(engine: LocalEngine, order: Order) -> Future[Any]:
    return engine.solve(order.cells, order.timeout) if order.cells else engine.check(order.solvers)


def _engine(shared: Shared) -> LocalEngine:
    if shared not in _engines:
        _engines[shared] = LocalEngine(1, shared)
    return _engines[shared]


def _drop(shared: Shared) -> None:
    _engines.pop(shared).stop()
