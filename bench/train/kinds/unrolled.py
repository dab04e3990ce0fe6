"""Learning an unrolled solver end to end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from bench.errors import RecipeError
from bench.methods.networks import weights
from bench.methods.networks.half_quadratic import Seen
from bench.methods.networks.restoration_weights import load_unrolled
from bench.methods.networks.unrolled import Unrolled, build, from_prior
from bench.train import figures
from bench.train.card import seen as degradation_of
from bench.train.data.feed import tensors
from bench.train.data.scenes import Scenes
from bench.train.kinds.base import Loss, autocast, nothing
from bench.train.kinds.restoration import RestorationLesson

if TYPE_CHECKING:
    from bench.train.data.feed import Batch
    from bench.train.recipe.restoration import UnrolledRecipe
    from bench.train.state import State

#: Squared errors are counted from here, 70 dB: below that nothing is to be gained.
FLOOR = 1e-7


class UnrolledLesson(RestorationLesson["UnrolledRecipe"]):
    """The loss is minus the PSNR, so that a relative gain counts alike at every level of difficulty."""

    kind = Scenes

    def __init__(self, recipe: UnrolledRecipe) -> None:
        super().__init__(recipe, ["psnr_in", "psnr_out"])

    def model(self) -> Unrolled:
        """An untrained one."""
        return build(self.recipe.network)

    def take(self, model: Unrolled, path: Path) -> None:
        """Weights of the very same network, or of a gray prior with its denoiser: plug-and-play to begin with."""
        held, card = weights.read(path)
        if card.get("kind", "prior") == "prior":
            given = weights.load(path)
            if (given.network.config, given.prediction) == (self.recipe.network.denoiser, "v"):
                model.network.load_state_dict(from_prior(given.network.state_dict(), model.network))
                return
        elif card["kind"] == "unrolled" and load_unrolled(path).config == self.recipe.network:
            model.network.load_state_dict(held)
            return
        raise RecipeError(f"recipe {self.recipe.name}: init {self.recipe.init!r} holds another network")

    def loss(self, state: State, batch: Batch) -> Loss:
        """10 log10 of the squared error on the sensor, mean over the batch; shown as the geometric mean error."""
        scene, *given = batch
        seen = seen_of(*given)
        with autocast(self.recipe, scene.device):
            estimate = state.model(seen)
        total = 10 * (_errors(estimate, scene, seen) + FLOOR).log10().mean()
        return Loss(total, 10 ** (total.detach() / 10), nothing)

    @torch.no_grad()
    def validate(self, average: Unrolled) -> dict[str, float]:
        """Mean PSNR on the sensor of the input and of the estimate, clipped; the loss is the geometric mean error."""
        device = next(average.parameters()).device
        errors: dict[str, list[Tensor]] = {"psnr_in": [], "psnr_out": []}
        for scene, *given in zip(*(part.split(self.recipe.batch) for part in tensors(self.held_out)), strict=True):
            seen, scene = seen_of(*(g.to(device) for g in given)), scene.to(device)
            errors["psnr_in"].append(_errors(seen.y.clamp(-1, 1), scene, seen))
            errors["psnr_out"].append(_errors(average(seen).clamp(-1, 1), scene, seen))
        scores = {k: float(-10 * torch.cat(v).clamp(min=1e-12).log10().mean()) for k, v in errors.items()}
        return scores | {"val_loss": 10 ** (-scores["psnr_out"] / 10)}

    def score(self, figures: dict[str, float]) -> float:
        """PSNR of the estimate."""
        return figures["psnr_out"]

    @torch.no_grad()
    def show(self, rows: list[dict[str, str]], average: Unrolled, out: Path) -> None:
        """Curves; the scene, what the sensor saw of it, the estimate."""
        if n := self.recipe.validation.pictures:
            device = next(average.parameters()).device
            scene, *given = (part[:n].to(device) for part in tensors(self.held_out))
            seen = seen_of(*given)
            pictures = (scene, (seen.y + 1) / 2, (average(seen) + 1) / 2)
            figures.write(rows, [p.cpu().numpy() for p in pictures], out)

    def card(self) -> dict[str, Any]:
        """Kind and degradation."""
        return {"kind": "unrolled", **degradation_of(self.recipe)}


def seen_of(y: Tensor, mask: Tensor, kernel: Tensor, variance: Tensor) -> Seen:
    """What ``Scenes`` hold, as the network takes it."""
    return Seen(y, mask, torch.fft.rfft2(kernel), variance)


def _errors(estimate: Tensor, scene: Tensor, seen: Seen) -> Tensor:
    """Mean squared error on the sensor, in [0, 1] units, (n,)."""
    return seen.averaged(((estimate.float() + 1) / 2 - scene).square()).flatten()
