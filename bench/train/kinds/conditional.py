"""Learning p(x | y) as a conditional diffusion model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from bench.errors import RecipeError
from bench.methods.networks import weights
from bench.methods.networks.conditional import Condition, Conditional, build
from bench.methods.networks.restoration_weights import load_restorer
from bench.plugins.weights import find_weights
from bench.seeds import generator
from bench.train import figures
from bench.train.card import seen
from bench.train.data.feed import Batch
from bench.train.figures import ddim
from bench.train.kinds.base import Loss, autocast
from bench.train.kinds.restoration import RestorationLesson
from bench.train.losses import Balance, balanced, draw_times

if TYPE_CHECKING:
    from bench.train.recipe.restoration import ConditionalRecipe
    from bench.train.state import State


class ConditionalLesson(RestorationLesson["ConditionalRecipe"]):
    """See the module."""

    def __init__(self, recipe: ConditionalRecipe) -> None:
        given = {"wiener": recipe.network.informed, "mean": True, "sample": bool(recipe.validation.samples)}
        names = ["in", *(name for name, there in given.items() if there)]
        super().__init__(recipe, [f"{m}_{n}" for m in ("psnr", "ssim") for n in names])
        self.parts = ("predictor",) if self._learns_to_predict else ()

    def model(self) -> Conditional:
        """An untrained model, but for a predictor that was trained before."""
        recipe = self.recipe
        model = build(recipe.network, recipe.schedule.model_dump(), recipe.prediction)
        if recipe.predictor_init is not None:
            assert model.predictor is not None
            given = load_restorer(find_weights(recipe.predictor_init))
            if given.config != recipe.network.predictor:
                raise RecipeError(f"recipe {recipe.name}: {recipe.predictor_init!r} holds another predictor")
            model.predictor.load_state_dict(given.state_dict())
        return model

    def balance(self, model: Conditional) -> Balance:
        """All noise levels count alike."""
        return Balance(model.schedule)

    def take(self, model: Conditional, path: Path) -> None:
        """Weights of the same network, or of a prior: what it saw stays, what is new to the network starts at 0."""
        given, here = weights.read(path)[0], model.network.state_dict()
        lacking = [k for k in here if k not in given and not k.startswith("predictor.")]
        if lacking or any(k not in here or not _widens(v, here[k]) for k, v in given.items()):
            raise RecipeError(f"recipe {self.recipe.name}: init {self.recipe.init!r} holds another network")
        for name, value in given.items():
            here[name].zero_()[tuple(slice(n) for n in value.shape)] = value
        model.network.load_state_dict(here)

    def loss(self, state: State, batch: Batch) -> Loss:
        """Squared error of the prediction at random noise levels, plus the predictor's own error."""
        recipe, model, balance = self.recipe, state.model, state.balance
        assert balance is not None
        x, y = (2 * b - 1 for b in batch)
        t = draw_times(model.schedule, recipe.noise, recipe.batch, (recipe.seed, state.batch)).to(x.device)
        noise = torch.randn(x.shape).to(x.device)
        with autocast(recipe, x.device):
            condition = self._condition(model, y)
            fixed = Condition(condition.given.detach(), _detached(condition.estimate), condition.scale)
            prior = model.given(fixed.given)
            x_t, target = prior.target(fixed.encode(x), noise, t)
            out = prior(x_t, t)
        errors = (out.float() - target.float()).square().mean(dim=(1, 2, 3))
        sigma = model.schedule.sigma(t)
        total = balanced(balance, recipe.weighting == "balanced", sigma, errors)
        parts = {}
        if self._learns_to_predict:  # the diffusion learns what the predictor leaves; neither waits
            assert condition.estimate is not None
            parts["predictor"] = (condition.estimate.float() - x).abs().mean()
            total = total + recipe.predictor_loss * parts["predictor"]
        return Loss(total, errors.mean(), lambda: balance.update(sigma, errors), parts)

    @property
    def _learns_to_predict(self) -> bool:
        return self.recipe.network.predictor is not None and self.recipe.predictor_loss > 0

    def _condition(self, model: Conditional, y: Tensor) -> Condition:
        if self._learns_to_predict or model.predictor is None:
            return model.condition(y)
        model.predictor.eval()
        with torch.no_grad():
            return model.condition(y)

    @torch.no_grad()
    def validate(self, average: Conditional) -> dict[str, float]:
        """PSNR and SSIM of the input, of its Wiener estimate, of E[x | y] in one evaluation, of samples."""
        n, C = self.recipe.validation.samples, average.channels
        scores = figures.scores("in", self.seen[:, :C], self.truth)
        if average.informed:
            scores |= figures.scores("wiener", self.seen[:, C:], self.truth)
        scores |= figures.scores("mean", self._restored(average, self.seen, 1), self.truth)
        if n:
            samples = self._restored(average, self.seen[:n], self.recipe.validation.sample_steps)
            scores |= figures.scores("sample", samples, self.truth[:n])
        return {k: scores[k] for k in self.measured} | {"val_loss": self._error(average)}

    def _restored(self, average: Conditional, y: np.ndarray, steps: int) -> np.ndarray:
        """Samples of p(x | y) by DDIM; one step gives the mean, E[x | y]."""
        device = next(average.parameters()).device
        shape = (len(y), *self.truth.shape[1:])
        noise = torch.from_numpy(generator("validation samples").standard_normal(shape)).float()
        done = []
        for part, start in zip(*(z.split(self.recipe.batch) for z in (torch.from_numpy(y), noise)), strict=True):
            condition = average.condition(2 * part.to(device) - 1)
            done.append((condition.decode(ddim(average.given(condition.given), start.to(device), steps)) + 1) / 2)
        return torch.cat(done).float().cpu().numpy()

    def _error(self, average: Conditional) -> float:
        """Squared error of the prediction at the noise levels of training: the same draws every time."""
        device = next(average.parameters()).device
        times = draw_times(average.schedule, self.recipe.noise, len(self.truth), ("validation",))
        unit = torch.from_numpy(generator("validation loss").standard_normal(self.truth.shape)).float()
        given = (torch.from_numpy(self.truth), torch.from_numpy(self.seen), unit, times)
        errors: list[Tensor] = []
        for x, y, noise, t in zip(*(z.to(device).split(self.recipe.batch) for z in given), strict=True):
            condition = average.condition(2 * y - 1)
            prior = average.given(condition.given)
            x_t, target = prior.target(condition.encode(2 * x - 1), noise, t)
            errors.append((prior(x_t, t) - target).square().flatten())
        return float(torch.cat(errors).mean())

    def score(self, figures: dict[str, float]) -> float:
        """Mean PSNR of the mean and of samples."""
        return float(np.mean([v for k, v in figures.items() if k in ("psnr_mean", "psnr_sample")]))

    @torch.no_grad()
    def show(self, rows: list[dict[str, str]], average: Conditional, out: Path) -> None:
        """Curves; truth, input, E[x | y] and a sample."""
        if n := self.recipe.validation.pictures:
            y = self.seen[:n]
            restored = [self._restored(average, y, steps) for steps in (1, self.recipe.validation.sample_steps)]
            C = average.channels
            figures.write(rows, [self.truth[:n], *(y[:, i : i + C] for i in range(0, y.shape[1], C)), *restored], out)

    def card(self) -> dict[str, Any]:
        """Kind, schedule, prediction, degradation."""
        recipe = self.recipe
        diffusion = {"schedule": recipe.schedule.model_dump(), "prediction": recipe.prediction}
        return {"kind": "conditional", **diffusion, **seen(recipe)}


def _detached(estimate: Tensor | None) -> Tensor | None:
    return None if estimate is None else estimate.detach()


def _widens(old: Tensor, new: Tensor) -> bool:
    """Whether ``new`` has the shape of ``old`` but perhaps more input channels."""
    return old.shape[:1] + old.shape[2:] == new.shape[:1] + new.shape[2:] and old.shape[1:2] <= new.shape[1:2]
