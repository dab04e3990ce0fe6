"""What can go wrong, as a tree.

BenchError
├── GridError      a grid file that cannot mean what it says (file, line)
├── SettingError   a setting of a plug-in: unknown name, wrong type, out of range
├── PluginError    a solver, operator or dataset that does not exist or cannot be loaded
├── DataError      images: missing, corrupt, too small
├── PsfError       a kernel: does not fit, does not sum to one, cannot be read
├── WeightsError   trained weights: missing, corrupt, not what their card says
├── SolverError    what a solver returned cannot be used (shape, dtype, NaN)
│   └── WithheldError   what a solver asks for and did not declare (blur, noise level, prior)
├── ResultError    results that cannot be read or must not be compared
├── RecipeError    a training recipe that cannot mean what it says (file)
└── TrainingError  training cannot go on: loss not finite, disk full, folder in use or of another recipe
"""

import traceback
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path


class BenchError(Exception):
    """Base of every error that deblur-bench raises on purpose; its text is meant for the user."""


class GridError(BenchError):
    """A grid file is wrong; the text starts with ``file:line``."""


class SettingError(BenchError):
    """A setting has an unknown name, a wrong type or a value out of range.

    Attributes:
        parts: one (name of the setting or None, text) for each mistake, to say where each stands.
    """

    def __init__(self, message: str = "", parts: Sequence[tuple[str | None, str]] = ()) -> None:
        super().__init__(message or "; ".join(text for _, text in parts))
        self.parts = tuple(parts) or ((None, message),)


class PluginError(BenchError):
    """A solver, operator or dataset does not exist or cannot be loaded."""


class DataError(BenchError):
    """Images are missing, unreadable or too small."""


class PsfError(BenchError):
    """A point spread function does not fit its support, or cannot be read."""


class WeightsError(BenchError):
    """Weights are missing, corrupt, or not what their card says."""


class SolverError(BenchError):
    """A solver returned something that is not an estimate (shape, type, non-finite values)."""


class WithheldError(SolverError, AttributeError):
    """A solver asked its Problem for what it did not declare: a blind one for the blur, others for a prior."""


class ResultError(BenchError):
    """Results cannot be read, or were asked to be compared although they are not comparable."""


class RecipeError(BenchError):
    """A training recipe cannot mean what it says; the text starts with the file."""


class TrainingError(BenchError):
    """Training cannot go on: the loss is not finite, the disk is full, the folder belongs to another recipe."""


def message_of(error: BaseException, length: int = 500) -> str:
    """The beginning of an error's text, as every file can hold it: a lone surrogate becomes ``?``.

    Never raises, although the ``__str__`` of an error may, which a plug-in can define.
    """
    try:
        text = str(error)
    except Exception:
        text = "its message cannot be made into text"
    return text[:length].encode("utf-8", "replace").decode()


def line_of(error: BaseException, file: Path) -> str:
    """``file:line``, the line of the file that was on when the error was raised; the file alone if none was."""
    lines = [n for frame, n in traceback.walk_tb(error.__traceback__) if Path(frame.f_code.co_filename) == file]
    return f"{file}:{lines[-1]}" if lines else str(file)


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """A sentence that lists what is allowed and guesses what was meant, to end an error text with."""
    allowed = sorted(allowed)
    guess = get_close_matches(str(name), allowed, n=1, cutoff=0.5)
    listed = ", ".join(allowed) if allowed else "nothing"
    return f"Allowed: {listed}." + (f" Did you mean {guess[0]!r}?" if guess else "")
