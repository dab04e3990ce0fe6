"""What a run shows, in sentences: the head of the page and the end of the terminal's output."""

from __future__ import annotations

from bench.report.board import Board, describe
from bench.statistics.sentences import Wording, sentences

#: what photographs without sharp versions allow to say
NO_REFERENCE = (
    "Nobody has the sharp versions of these pictures: nothing is ranked and no difference is claimed. "
    "Compare them by eye."
)


def ranking(board: Board) -> str | None:
    """The metric that a conclusion is about: the first that ranks; None where there is none."""
    return next((m for m in board.metrics if describe(m).better != "one"), None)


def conclusion(board: Board, baseline: str | None) -> list[str]:
    """Sentences on the whole grid that the tests of its table carry, the most important first; [] without a ranking.

    Where no picture has a sharp version the one sentence is that nothing can be ranked.

    Args:
        board: the results.
        baseline: label of the row that differences are taken to, or None.
    """
    name = ranking(board)
    if len(board.cells) and board.unscored.all():
        return [NO_REFERENCE]
    if name is None:
        return []
    metric = describe(name)
    return sentences(
        board.values(name),
        *board.design(),
        names=board.solvers,
        lower_is_better=metric.better == "lower",
        baseline=board.row_of(baseline),
        same_as=board.estimators,
        wording=Wording(metric.unit, metric.digits),
    )
