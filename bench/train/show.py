"""Pictures of a training: its curves, samples from pure noise, validation reconstructions."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bench.networks.prior import Prior, scalar
from bench.seeds import generator
from bench.train.validate import denoise, noisy

if TYPE_CHECKING:
    from bench.train.recipe import Validation


def show(rows: list[dict[str, str]], prior: Prior, crops: np.ndarray, plan: Validation, out: Path) -> None:
    """Write ``history.png``, ``samples.png`` and ``reconstructions.png`` (truth, noisy, denoised) into ``out``."""
    curves(rows, out / "history.png")
    device = next(prior.parameters()).device
    noise = generator("samples").standard_normal((plan.samples, *crops.shape[1:]))
    tile(
        [ddim(prior, torch.from_numpy(noise).float().to(device), plan.sample_steps).cpu().numpy()],
        out / "samples.png",
    )
    few = crops[:: max(1, len(crops) // plan.samples)][: plan.samples]
    sigma = plan.sigmas[len(plan.sigmas) // 2]
    measured = noisy(few, sigma)
    tile([few, measured, denoise(prior, measured, sigma)], out / "reconstructions.png")


@torch.no_grad()
def ddim(prior: Prior, x: Tensor, steps: int) -> Tensor:
    """DDIM (Song et al. 2021, eq. 12, η = 0) from unit noise x (B, C, H, W), at levels even in log σ."""
    ends = prior.schedule.log_sigmas[[-1, 0]]
    times = prior.schedule.time(torch.linspace(float(ends[0]), float(ends[1]), steps, dtype=torch.float64).exp())
    for t, s in pairwise(times):
        x0, eps = both(prior, x, float(t))
        a_s, s_s = prior.schedule.scales(s)
        x = float(a_s) * x0 + float(s_s) * eps
    return both(prior, x, float(times[-1]))[0]


def both(prior: Prior, x: Tensor, t: float) -> tuple[Tensor, Tensor]:
    """(x_0, ε) as the prior sees them in x_t, in one evaluation."""
    at = scalar(t, x)
    x0 = prior.x0(x, at)
    a, s = prior.schedule.scales(at[:1])
    return x0, (x - float(a) * x0) / float(s)


def tile(rows: list[np.ndarray], path: Path) -> None:
    """Rows of images (n, 1 or 3, H, W) in [-1, 1] as one PNG."""
    sheet = np.concatenate([np.concatenate(list(row), axis=2) for row in rows], axis=1)
    pixels = np.rint(127.5 * (sheet.clip(-1, 1) + 1)).astype(np.uint8)
    Image.fromarray(pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1)).save(path)


def curves(rows: list[dict[str, str]], path: Path) -> None:
    """Three panels against the step: loss (training and validation), PSNR, SSIM at each noise level."""
    from matplotlib.figure import Figure

    panels = {"loss": ["loss", "val_loss"], "PSNR (dB)": _named(rows, "psnr_"), "SSIM": _named(rows, "ssim_")}
    figure = Figure(figsize=(12, 3.5), layout="constrained")
    for axes, (title, columns) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        for column in columns:
            points = [(int(r["step"]), float(r[column])) for r in rows if r[column]]
            axes.plot(*np.array(points).reshape(-1, 2).T, marker=".", label=column.replace("_", " "))
        axes.set(xlabel="step", title=title)
        axes.legend()
    figure.savefig(path)


def _named(rows: list[dict[str, str]], prefix: str) -> list[str]:
    return [c for c in rows[0] if c.startswith(prefix)]
