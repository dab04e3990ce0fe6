"""What a validation leaves: figures, curves, samples, pictures of restored crops."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bench.methods.diffusion import step
from bench.methods.diffusion.levels import CLEAN, levels
from bench.methods.networks.prior import DiffusionPrior, scalar
from bench.seeds import generator
from bench.train.validate import denoise, noisy, psnr, ssim

if TYPE_CHECKING:
    from bench.train.recipe.prior import Validation


def scores(name: str, estimate: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """``psnr_NAME`` in dB and ``ssim_NAME``, means over crops (n, C, H, W) in [0, 1], estimates clipped."""
    e, x = 2 * estimate - 1, 2 * truth - 1
    gray = (-1, 1, *truth.shape[-2:])
    return {f"psnr_{name}": psnr(e, x), f"ssim_{name}": ssim(e.reshape(gray), x.reshape(gray))}


def middle(measured: np.ndarray, channels: int) -> np.ndarray:
    """The frame to be restored, (n, C, H, W), of measurements (n, frames C, H, W)."""
    at = channels * (measured.shape[1] // channels // 2)
    return measured[:, at : at + channels]


def write(rows: list[dict[str, str]], pictures: list[np.ndarray], out: Path) -> None:
    """``history.png``, and ``restorations.png`` with one row for each array (n, C, H, W) in [0, 1]."""
    curves(rows, out / "history.png")
    tile([2 * p - 1 for p in pictures], out / "restorations.png")


def show(rows: list[dict[str, str]], prior: DiffusionPrior, crops: np.ndarray, plan: Validation, out: Path) -> None:
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
def ddim(prior: DiffusionPrior, x: Tensor, steps: int) -> Tensor:
    """Samples by DDIM (η = 0) from unit noise x (B, C, H, W), at levels even in log σ."""
    for now, then in pairwise([*levels(prior.schedule, "logsnr", steps), CLEAN]):
        x = step.ddim(x, prior.x0(x, scalar(now.t, x)), now, then)
    return x


def tile(rows: list[np.ndarray], path: Path) -> None:
    """Rows of images (n, 1 or 3, H, W) in [-1, 1] as one PNG."""
    sheet = np.concatenate([np.concatenate(list(row), axis=2) for row in rows], axis=1)
    pixels = np.rint(127.5 * (sheet.clip(-1, 1) + 1)).astype(np.uint8)
    Image.fromarray(pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1)).save(path)


def curves(rows: list[dict[str, str]], path: Path) -> None:
    """Panels against the step: loss (training and validation), each of its parts, PSNR, and SSIM if measured."""
    from matplotlib.figure import Figure

    panels = {"loss": ["loss", "val_loss"]}
    for column in _named(rows, "loss_"):
        part = column.removeprefix("loss_")
        panels[f"{part.replace('_', ' ')} loss"] = [column, f"val_{part}"]
    panels |= {"PSNR (dB)": _named(rows, "psnr_"), "SSIM": _named(rows, "ssim_")}
    panels = {title: columns for title, columns in panels.items() if columns}
    figure = Figure(figsize=(4 * len(panels), 3.5), layout="constrained")
    for axes, (title, columns) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        for column in columns:
            points = [(int(r["step"]), float(r[column])) for r in rows if r.get(column)]
            axes.plot(*np.array(points).reshape(-1, 2).T, marker=".", label=column.replace("_", " "))
        axes.set(xlabel="step", title=title)
        axes.legend()
    figure.savefig(path)


def _named(rows: list[dict[str, str]], prefix: str) -> list[str]:
    return [c for c in rows[0] if c.startswith(prefix)]
