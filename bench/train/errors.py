"""What can go wrong in training."""

from bench.errors import BenchError


class RecipeError(BenchError):
    """A recipe that cannot mean what it says; the text starts with the file."""


class TrainingError(BenchError):
    """Training cannot go on: the loss is not finite, the disk is full, the folder belongs to another recipe."""
