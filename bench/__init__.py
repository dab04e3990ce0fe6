"""deblur-bench: a benchmark harness for image deblurring.

This is the one public door: what a solver, a prior, an operator, a dataset or a metric needs is importable from here,
and importing it costs neither torch nor anything else that is slow. ``bench.run(grid)`` and ``bench.load(folder)``
are imported when they are used.
"""

from typing import TYPE_CHECKING, Any

from bench.contracts import Context, Cost, Dataset, Exposed, Image, Metric, Noise, NoiseLevel, Operator
from bench.errors import BenchError, DataError, GridError, PluginError, PsfError, SettingError, SolverError
from bench.files import roots
from bench.methods.problem import Prior, Problem, Solver, tunable
from bench.plugins.import_path import import_object

if TYPE_CHECKING:
    from bench.cli.from_python import Results, load, run

__version__ = "0.1.0"

__all__ = [
    "BenchError",
    "Context",
    "Cost",
    "DataError",
    "Dataset",
    "Exposed",
    "GridError",
    "Image",
    "Metric",
    "Noise",
    "NoiseLevel",
    "Operator",
    "PluginError",
    "Prior",
    "Problem",
    "PsfError",
    "Results",
    "SettingError",
    "Solver",
    "SolverError",
    "import_object",
    "load",
    "run",
    "tunable",
]

#: what lives in ``bench.cli.from_python``, behind which the rooms of running and reporting are
_LAZY = ("Results", "load", "run")


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from bench.cli import from_python as api

        return getattr(api, name)
    raise AttributeError(f"module 'bench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])


# solvers/, priors/, operators/, datasets/, metrics/ lie beside bench/ in a checkout; in a wheel, inside it.
__path__[:] = [str(root) for root in roots()]
