"""Learning a diffusion prior: denoise crops at all noise levels, gray or in colour."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from bench.errors import RecipeError
from bench.methods.networks import weights
from bench.methods.networks.prior import DiffusionPrior, build
from bench.methods.networks.res_unet import ResUNetConfig, coloured, deepened
from bench.train.data import images
from bench.train.data.feed import Batch
from bench.train.figures import show
from bench.train.kinds.base import Lesson, Loss, autocast
from bench.train.losses import Balance, balanced, draw_times, frequency_loss
from bench.train.validate import mean_losses, validate

if TYPE_CHECKING:
    from bench.train.recipe.prior import Recipe
    from bench.train.state import State


class PriorLesson(Lesson):
    """See the module."""

    images: images.Images
    crops: np.ndarray

    def __init__(self, recipe: Recipe) -> None:
        self.recipe, self.workers = recipe, recipe.workers
        self.measured = [f"{m}_{s:g}" for m in ("psnr", "ssim") for s in recipe.validation.sigmas]
        self.parts = ("frequency", "total") if recipe.loss.frequency else ()

    def model(self) -> DiffusionPrior:
        """An untrained prior."""
        return build(self.recipe.network, self.recipe.schedule.model_dump(), self.recipe.prediction)

    def balance(self, model: DiffusionPrior) -> Balance:
        """All noise levels count alike."""
        return Balance(model.schedule)

    def take(self, model: DiffusionPrior, path: Path) -> None:
        """Weights of the same network and prediction; a ResUNet may start from a gray or a shallower one."""
        given, recipe = weights.load(path), self.recipe
        config, tensors, wanted = given.network.config, given.network.state_dict(), recipe.network
        if isinstance(config, ResUNetConfig) and isinstance(wanted, ResUNetConfig):
            if config.image_channels == 1:
                config, tensors = coloured(config, tensors, wanted.image_channels)
            if config.channels == wanted.channels and all(map(int.__le__, config.blocks, wanted.blocks)):
                config, tensors = deepened(config, tensors, wanted.blocks)
        if (config, given.prediction) != (wanted, recipe.prediction):
            raise RecipeError(f"recipe {recipe.name}: init {recipe.init!r} holds another network or prediction")
        model.network.load_state_dict(tensors)

    def open(self, root: Path) -> None:
        """Training images, and the centre crops of the validation images."""
        recipe, resize, mode = self.recipe, self.recipe.augment.resize, self.recipe.mode
        self.images = images.load(recipe.data.train, recipe.size, root, resize=resize, mode=mode)
        held_out = images.load(recipe.data.val, recipe.size, root, resize=resize, mode=mode)
        self.crops = images.centres(held_out, recipe.size)

    def make(self, step: int) -> tuple[np.ndarray]:
        """Random crops (n, C, size, size) in [-1, 1]."""
        recipe = self.recipe
        return (images.batch(self.images, recipe.augment, recipe.size, recipe.batch, (recipe.seed, step)),)

    def loss(self, state: State, batch: Batch) -> Loss:
        """Squared error of the prediction at random noise levels, plus the frequency loss if there is one."""
        recipe, prior, balance, (x0,) = self.recipe, state.model, state.balance, batch
        assert balance is not None
        t = draw_times(prior.schedule, recipe.noise, recipe.batch, (recipe.seed, state.batch)).to(x0.device)
        x_t, target = prior.target(x0, torch.randn(x0.shape).to(x0.device), t)
        with autocast(recipe, x0.device):
            out = prior(x_t, t)
        errors = (out.float() - target).square().mean(dim=(1, 2, 3))
        sigma = prior.schedule.sigma(t)
        total = balanced(balance, recipe.loss.weighting == "balanced", sigma, errors)
        parts = {}
        if recipe.loss.frequency:
            frequency = frequency_loss(prior.x0_from(out.float(), x_t, t), x0)
            total = total + recipe.loss.frequency * frequency
            parts = {"frequency": frequency, "total": total}
        return Loss(total, errors.mean(), lambda: balance.update(sigma, errors), parts)

    def validate(self, average: DiffusionPrior) -> dict[str, float]:
        """PSNR and SSIM of denoising in one evaluation."""
        figures = validate(average, self.crops, self.recipe.validation.sigmas)
        noise, frequency = mean_losses(average, self.crops, self.recipe.noise)
        if weight := self.recipe.loss.frequency:
            figures |= {"val_frequency": frequency, "val_total": noise + weight * frequency}
        return figures | {"val_loss": noise}

    def score(self, figures: dict[str, float]) -> float:
        """Mean PSNR over the noise levels."""
        return float(np.mean([v for k, v in figures.items() if k.startswith("psnr_")]))

    def show(self, rows: list[dict[str, str]], average: DiffusionPrior, out: Path) -> None:
        """Curves, samples, reconstructions."""
        if self.recipe.validation.samples:
            show(rows, average, self.crops, self.recipe.validation, out)

    def card(self) -> dict[str, Any]:
        """Schedule and prediction."""
        return {"schedule": self.recipe.schedule.model_dump(), "prediction": self.recipe.prediction}
