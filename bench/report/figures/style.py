"""How figures look and how they are saved: the same bytes from the same results, light or dark as the page is."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

#: Okabe & Ito's colours without their yellow, which white paper swallows; the first, ink, is the baseline's.
INK, LINE = "#010203", "#d9dcdf"
COLOURS = (INK, "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = ("s", "o", "^", "D", "v", "P", "X")
OTHER = "#a3a9af"

#: family -> its colour and marker, the same in every report; what is not listed shares the last two
FAMILIES = ("reference", "filter", "variational", "library", "diffusion", "network")


def family_index(family: str) -> int:
    """The place of a family among the page's eight colours and marks; the reference is the grey one."""
    if family in FAMILIES:
        return FAMILIES.index(family)
    return len(FAMILIES) + sum(family.encode()) % 2


RC = {
    "svg.hashsalt": "deblur-bench", "svg.fonttype": "none", "pdf.fonttype": 42, "font.size": 8, "axes.titlesize": 8.5,
    "axes.labelsize": 8.5, "legend.fontsize": 8, "legend.frameon": False, "legend.title_fontsize": 8,
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.titlecolor": INK, "axes.linewidth": 0.6, "grid.color": LINE, "grid.linewidth": 0.5, "axes.grid": True,
    "axes.axisbelow": True, "axes.spines.top": False, "axes.spines.right": False, "figure.facecolor": "none",
    "axes.facecolor": "none", "savefig.facecolor": "none", "lines.linewidth": 1.3, "lines.markersize": 4.5,
    "font.family": "DejaVu Sans", "xtick.major.width": 0.6, "ytick.major.width": 0.6, "xtick.minor.width": 0.4,
    "axes.titlelocation": "left", "axes.titlepad": 4,
}  # fmt: skip


@contextlib.contextmanager
def style() -> Iterator[None]:
    """The figures' settings, for as long as one is drawn, without a window."""
    import matplotlib as mpl

    settings: Any = {"backend": "agg", **RC}
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a name may be in any script
        warnings.filterwarnings("ignore", message="constrained_layout not applied")  # and of any length
        yield


def plain(name: str) -> str:
    """A name as text, cut to 32 letters: matplotlib would typeset dollars, and leave names in _ out of a legend."""
    name = name if len(name) <= 32 else name[:31] + "…"
    return ("\u200b" if name.startswith("_") else "") + name.replace("$", r"\$")


def look(solvers: Sequence[str], baseline: str | None) -> dict[str, dict[str, Any]]:
    """Colour and marker of the solvers that a figure tells apart: the baseline and the six best (in order)."""
    best = [s for s in solvers if s != baseline][: len(COLOURS) - 1]
    chosen = ([baseline] if baseline in solvers else []) + best
    start = 0 if baseline in solvers else 1
    looks = zip(COLOURS[start:], MARKERS[start:], strict=True)
    return {s: {"color": c, "marker": m} for s, (c, m) in zip(chosen, looks, strict=False) if s is not None}


def save(figure: Any, folder: Path | None, name: str) -> str:
    """Write ``folder/name.pdf`` and ``.svg`` (unless folder is None); returns SVG to stand inside a page."""
    import matplotlib.pyplot as plt

    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "deblur-bench"})
    if folder is not None:
        metadata = {"CreationDate": None, "Creator": "deblur-bench"}
        figure.set_layout_engine("none")  # laid out already: computing it again is half the time
        figure.savefig(folder / f"{name}.pdf", metadata=metadata)
        (folder / f"{name}.svg").write_text(buffer.getvalue(), encoding="utf-8")
    plt.close(figure)
    return inline(buffer.getvalue(), name)


def inline(svg: str, name: str) -> str:
    """An SVG file as an element of a page: ids of its own, text and lines in the colours of the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r'\b(id="|xlink:href="#|href="#|url\(#)', rf"\g<1>{name}-", svg)
    for number, colour in enumerate((OTHER, *COLOURS[1:])):
        svg = svg.replace(colour, f"var(--f{number})")  # the same colours, but lighter on dark paper
    svg = svg.replace(INK, "currentColor").replace(LINE, "var(--line)")
    width, height = re.findall(r'\b(?:width|height)="([\d.]+)pt"', svg)[:2]
    head = f'<svg role="img" aria-labelledby="figure-{name}-title" style="{_sizes(float(width))}"'
    svg = svg.replace(f'width="{width}pt"', "").replace(f'height="{height}pt"', "")
    svg = re.sub(r"(?<=\d\.\d{2})\d+(?=[ \"\nLMCzQ])", "", svg)  # two decimals of a point are 1/7000 of a metre
    return re.sub(r"[ \t]*\n\s*", "\n", svg.replace("<svg", head, 1))


def _sizes(width: float) -> str:
    """How narrow and how wide a figure of so many points may stand: letters of 7 to 15 pixels."""
    return f"min-width:{0.93 * width:.0f}px;max-width:{1.9 * width:.0f}px"


def room_for(names: Iterable[str], size: float = 8) -> float:
    """Inches that the longest of these names takes, about."""
    return max((len(plain(n)) for n in names), default=0) * size * 0.6 / 72
