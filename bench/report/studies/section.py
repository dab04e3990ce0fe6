"""Which tables and figures a run gets in the form of the study that it repeats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.report.board import Board
from bench.report.figures.draw import Figure
from bench.report.load import Results
from bench.report.studies import experiments, profiles
from bench.report.studies.score import score_table
from bench.report.studies.table import Table

INNOCENTI = "Innocenti, Diffusion Models for Image Motion Blur Removal, Politecnico di Milano, 2023"
BOLOGNA = (
    "Casadio, Ferraiolo, Savoca, Performance Analysis for Projection-Correction Methods in Motion Deblurring "
    "Problems, Università di Bologna, 2025"
)
CHAURASIA = "Chaurasia, Generative Denoising for Medical Image Reconstruction Using Score-Based Diffusion Models"
CEA = "MSGI week with CEA, Deblurring images by deconvolution for high-energy scanner, Université Côte d'Azur"

#: value of a grid's key ``study`` -> the study, its tables
STUDIES: dict[str, tuple[str, Callable[[Board], list[Table]]]] = {
    "000_dps_reddiff": (BOLOGNA, experiments.projection_correction),
    "001_table1": (INNOCENTI, experiments.architectures),
    "001_table3": (INNOCENTI, experiments.kernel_sizes),
    "001_table4": (INNOCENTI, experiments.noise_levels),
    "001_fig4": (INNOCENTI, experiments.exposures),
    "001_gopro": (INNOCENTI, experiments.full_resolution),
    "002_variational": (CEA, experiments.regularisers),
    "002_swinir": (CEA, experiments.learnt),
    "003_vpsde": (CHAURASIA, experiments.denoising),
}
#: those whose figure is line profiles
PROFILES = ("002_variational", "002_swinir")


@dataclass(frozen=True)
class Section:
    """What the page shows: where the form comes from ("" for the score alone), tables, figures."""

    source: str
    tables: list[Table]
    figures: list[Figure]


def section(results: Results, board: Board, folder: Path | None, *, figures: bool = True) -> Section | None:
    """The section of runs whose grids name one of these experiments as their ``study``, or that ask for
    ``score_convir``; None for the rest.

    Args:
        results, board: of the report.
        folder: where figures are saved as PDF, SVG and CSV; None: nowhere.
        figures: whether to draw any.
    """
    names = {f.get("study") for f in results.facts}
    name = str(names.pop()) if len(names) == 1 else ""
    source, make = STUDIES.get(name, ("", lambda _: []))
    tables = [*make(board), *([score_table(board)] if "score_convir" in board.metrics else [])]
    drawn = profiles.draw(results.pictures, folder) if figures and name in PROFILES else []
    return Section(source, tables, drawn) if tables or drawn else None
