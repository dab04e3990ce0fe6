"""Learning to restore in one evaluation: ConvIR, SwinIR."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from bench.errors import RecipeError
from bench.methods.networks.restoration_weights import load_restorer
from bench.methods.networks.restorer import Restorer, build
from bench.train import figures, losses
from bench.train.card import seen
from bench.train.data.feed import Batch
from bench.train.kinds.base import Loss, autocast, nothing
from bench.train.kinds.restoration import RestorationLesson

if TYPE_CHECKING:
    from bench.train.recipe.restoration import RestorerRecipe
    from bench.train.state import State


class RestorerLesson(RestorationLesson["RestorerRecipe"]):
    """See the module."""

    def __init__(self, recipe: RestorerRecipe) -> None:
        super().__init__(recipe, ["psnr_in", "psnr_out", "ssim_in", "ssim_out"])
        parts = ["spatial", "frequency"] if recipe.loss.name == "multiscale" else []
        self.parts = (*parts, *(["gradient_norm"] if recipe.loss.gradient_penalty else []))

    def model(self) -> Restorer:
        """An untrained restorer."""
        return build(self.recipe.network)

    def take(self, model: Restorer, path: Path) -> None:
        """Weights of the very same network."""
        given = load_restorer(path)
        if given.config != self.recipe.network:
            raise RecipeError(f"recipe {self.recipe.name}: init {self.recipe.init!r} holds another network")
        model.network.load_state_dict(given.network.state_dict())

    def loss(self, state: State, batch: Batch) -> Loss:
        """The recipe's loss, plus the gradient penalty if there is one."""
        x, y = batch
        with autocast(self.recipe, x.device):
            outputs = state.model.network(y)
        plain, parts = losses.restoration(self.recipe.loss, outputs, x)
        total = plain
        if self.recipe.loss.gradient_penalty:
            norm = losses.gradient_norm(plain, list(state.model.parameters()))
            total, parts = plain + self.recipe.loss.gradient_penalty * norm, {**parts, "gradient_norm": norm}
        return Loss(total, plain, nothing, parts)

    @torch.no_grad()
    def validate(self, average: Restorer) -> dict[str, float]:
        """PSNR and SSIM of the input and of the estimate."""
        x, y = self.truth, self.seen
        outputs = self._outputs(average, y)
        scores = figures.scores("in", figures.middle(y, average.channels), x)
        scores |= figures.scores("out", outputs[0].numpy(), x)
        loss, parts = losses.restoration(self.recipe.loss, outputs, torch.from_numpy(x))
        return scores | {"val_loss": float(loss), **{f"val_{k}": float(v) for k, v in parts.items()}}

    def _outputs(self, average: Restorer, y: np.ndarray) -> tuple[Tensor, ...]:
        device = next(average.parameters()).device
        parts = [average.network(p.to(device)) for p in torch.from_numpy(y).split(self.recipe.batch)]
        return tuple(torch.cat(scale).float().cpu() for scale in zip(*parts, strict=True))

    def score(self, figures: dict[str, float]) -> float:
        """PSNR of the estimate."""
        return figures["psnr_out"]

    @torch.no_grad()
    def show(self, rows: list[dict[str, str]], average: Restorer, out: Path) -> None:
        """Curves; truth, input, estimate."""
        if n := self.recipe.validation.pictures:
            x, y = self.truth[:n], self.seen[:n]
            restored = self._outputs(average, y)[0].numpy()
            figures.write(rows, [x, figures.middle(y, average.channels), restored], out)

    def card(self) -> dict[str, Any]:
        """Kind and degradation."""
        return {"kind": "restorer", **seen(self.recipe)}
