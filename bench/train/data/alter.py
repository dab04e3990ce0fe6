"""Alterations of training images: study 000's, with its strengths; of colours, as study 004 tried them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageEnhance

if TYPE_CHECKING:
    from bench.train.recipe.base import Alteration, Colour


def alter(pixels: np.ndarray, name: Alteration, rng: np.random.Generator) -> np.ndarray:
    """One alteration of a uint8 image (H, W) or (H, W, 3); the same shape and type.

    Rotation by 5° about the centre (bilinear, black outside), horizontal flip, Gaussian noise of standard deviation
    10, salt and pepper on 2 % of the pixels, brightness × 1.2, contrast × 1.3 about the mean.
    """
    image = Image.fromarray(np.ascontiguousarray(pixels))
    match name:
        case "none":
            return pixels
        case "rotate_left" | "rotate_right":
            angle = 5 if name == "rotate_left" else -5
            return np.asarray(image.rotate(angle, Image.Resampling.BILINEAR))
        case "flip":
            return pixels[:, ::-1]
        case "gaussian":
            return np.rint(pixels + 10 * rng.standard_normal(pixels.shape)).clip(0, 255).astype(np.uint8)
        case "salt_and_pepper":
            return _salt_and_pepper(pixels, rng)
        case "brightness":
            return np.asarray(ImageEnhance.Brightness(image).enhance(1.2))
        case "contrast":
            return np.asarray(ImageEnhance.Contrast(image).enhance(1.3))


def recolour(pixels: np.ndarray, names: Sequence[Colour], channels: int, rng: np.random.Generator) -> np.ndarray:
    """Frames of one picture, uint8 (H, W, n channels), all changed alike; the same shape and type.

    "jitter": torchvision's ColorJitter, brightness, contrast and saturation by up to 40 % and the hue by a tenth of
    the circle (study 004 states no strengths). "autoaugment": AutoAugment's policies for ImageNet (Cubuk et al.
    2019), which turn and shear too. Of gray pictures saturation and hue stay.
    """
    import torch
    from torchvision.transforms import v2

    frames = np.stack(np.split(np.moveaxis(pixels, -1, 0), pixels.shape[-1] // channels))
    x = torch.from_numpy(np.ascontiguousarray(frames))
    with torch.random.fork_rng(devices=[]):  # torchvision draws from the global generator
        torch.manual_seed(int(rng.integers(2**62)))
        for name in names:
            x = (v2.ColorJitter(0.4, 0.4, 0.4, 0.1) if name == "jitter" else v2.AutoAugment())(x)
    return np.moveaxis(x.flatten(0, 1).numpy(), 0, -1)


def _salt_and_pepper(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    u = rng.random(pixels.shape[:2])
    u = u if pixels.ndim == 2 else u[..., None]
    return np.where(u < 0.01, 0, np.where(u < 0.02, 255, pixels)).astype(np.uint8)
