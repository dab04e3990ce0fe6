"""On the workers' side: an order in, outcomes out, both as JSON text.

A worker of the site does not solve itself. It keeps one process of ours (``bench.running.local.LocalEngine``), so
that a crash, a hang and lack of memory are distinct there as they are on one machine, cost that process and not the
worker, and models stay loaded from call to call.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from bench.errors import BenchError, ResultError
from bench.running.environment import Shared
from bench.running.local import LocalEngine, WorkerDied
from bench.running.parsl.order import Order, code_behind

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
    except WorkerDied as error:
        return json.dumps({"error": "WorkerDied", "exitcode": error.exitcode})
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
    engine = _engine(order.shared)
    return (engine.solve(order.cells, order.timeout) if order.cells else engine.check(order.solvers)).result()


def _engine(shared: Shared) -> LocalEngine:
    if shared not in _engines:
        _engines[shared] = LocalEngine(1, shared)
    return _engines[shared]
