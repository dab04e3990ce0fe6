"""deblur-bench: a benchmark harness for image deblurring.

This is the one public door: what a solver, an operator or a dataset needs is importable from here, and
importing it costs neither torch nor anything else that is slow.
"""

from bench.contracts import Cost, Dataset, Exposed, Image, Noise, NoiseLevel, Operator
from bench.errors import BenchError, DataError, GridError, PluginError, PsfError, SettingError, SolverError
from bench.files import roots
from bench.methods.problem import Problem, Solver, tunable
from bench.plugins.import_path import import_object

__version__ = "0.1.0"

__all__ = [
    "BenchError",
    "Cost",
    "DataError",
    "Dataset",
    "Exposed",
    "GridError",
    "Image",
    "Noise",
    "NoiseLevel",
    "Operator",
    "PluginError",
    "Problem",
    "PsfError",
    "SettingError",
    "Solver",
    "SolverError",
    "import_object",
    "tunable",
]

# solvers/, operators/, datasets/ lie beside bench/ in a checkout; in a wheel, inside it.
__path__[:] = [str(root) for root in roots()]
