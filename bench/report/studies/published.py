"""The figures that the studies print, as they print them, to stand beside ours. Their pictures are not ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.report.board import describe
from bench.report.studies.table import Line, Value
from bench.report.text import number

#: heading of the lines with a study's own figures
HEADING = "As published, on other pictures"
METRICS: tuple[str, ...] = ("psnr", "ssim", "lpips_alex")
Scores = tuple[float | None, ...]

#: Innocenti 2023, Table 1: PSNR, SSIM, LPIPS on the halved GoPro test set
TABLE1: dict[str, dict[str, Scores]] = {
    "Base": {"": (27.10, 0.814, 0.158)},
    "Increased repr.": {"": (28.66, 0.860, 0.116)},
    "Multi head att.": {"": (27.61, 0.829, 0.146)},
    "Multi res att.": {"": (27.54, 0.825, 0.147)},
    "BigGAN block": {"": (27.81, 0.838, 0.146)},
    "Improved": {"": (29.58, 0.880, 0.102)},
}
#: Table 2: GoPro
TABLE2: dict[str, dict[str, Scores]] = {
    "Innocenti, patches": {"": (28.30, None, None)},
    "Innocenti, full resolution": {"": (28.00, 0.870, 0.183)},
    "Sun et al.": {"": (24.64, 0.842, None)},
    "DeblurGAN": {"": (27.20, 0.954, None)},
    "DeepDeblur": {"": (28.30, 0.917, 0.182)},
    "SRN": {"": (30.10, 0.932, 0.788)},
    "DeblurGAN v2": {"": (29.55, 0.934, 0.253)},
}
#: Table 3: sizes of the kernel, without noise (its blurred pictures at 16 px are those at 32 px, as printed)
TABLE3: dict[str, dict[str, Scores]] = {
    "Blurred": {"16 px": (27.47, 0.752, 0.202), "32 px": (27.47, 0.752, 0.202), "64 px": (25.24, 0.652, 0.283)},
    "Wiener": {"16 px": (29.52, 0.870, 0.144), "32 px": (25.53, 0.737, 0.259), "64 px": (22.64, 0.586, 0.406)},
    "Innocenti": {
        "16 px": (32.83, 0.917, 0.058),
        "32 px": (28.83, 0.796, 0.135),
        "64 px": (25.76, 0.702, 0.176),
    },
}
#: Table 4: noise level -> what goes in, what comes out
TABLE4: dict[str, tuple[Scores, Scores]] = {
    "no noise": ((27.47, 0.752, 0.202), (28.83, 0.796, 0.135)),
    "σ = 1, λ = 768000": ((24.66, 0.643, 0.281), (25.67, 0.710, 0.184)),
    "σ = 2, λ = 192000": ((22.40, 0.481, 0.336), (23.43, 0.613, 0.248)),
    "σ = 4, λ = 48000": ((19.32, 0.312, 0.438), (22.69, 0.572, 0.309)),
}
#: Chaurasia, 16 patches of OrganAMNIST: noisy, denoised, improvement, as printed
VPSDE: dict[str, tuple[float, float, float]] = {"psnr": (17.21, 19.66, 2.44), "ssim": (0.5372, 0.5364, -0.0008)}
#: MSGI week with CEA: PSNR of two frames of its sequence
CEA: dict[str, tuple[float, float]] = {
    "L1 + Haar (PyLops, FISTA)": (39.58, 40.26),
    "TV (PyLops)": (37.35, 37.86),
    "TV + Haar (PyLops)": (40.4, 41.47),
}


def lines(rows: Mapping[str, Mapping[str, Scores]], columns: Sequence[str], metrics: Sequence[str]) -> list[Line]:
    """The rows of a published table in the columns of ours: for each part by its label, each metric."""
    return [
        Line(name, [v for c in columns for v in values(parts.get(c, ()), metrics)], HEADING)
        for name, parts in rows.items()
    ]


def values(scores: Scores, metrics: Sequence[str]) -> list[Value]:
    """The scores of one method, in the order of ``metrics``; – for what was not printed."""
    known: dict[str, float | None] = dict(zip(METRICS, scores, strict=False))
    return [Value(number(known.get(m), describe(m).digits)) for m in metrics]
