"""The training loop: resumable at any step, to the last bit on a CPU."""

from __future__ import annotations

import contextlib
import math
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.seeds import digest
from bench.train import data
from bench.train.card import card, encode_average
from bench.train.checkpoint import write_atomically
from bench.train.errors import TrainingError
from bench.train.history import History
from bench.train.objective import draw_times, frequency_loss
from bench.train.recipe import Recipe
from bench.train.show import show
from bench.train.state import State, learning_rate
from bench.train.validate import mean_error, validate


@dataclass
class Trainer:
    """One run of the loop, from ``state.step`` to ``recipe.steps``."""

    state: State
    images: data.Images
    crops: np.ndarray
    out: Path
    device: torch.device
    saved_at: float = 0.0
    stop: bool = False

    @property
    def recipe(self) -> Recipe:
        """The recipe in force."""
        return self.state.recipe

    @property
    def last(self) -> Path:
        """The checkpoint that a training is resumed from."""
        return self.out / "last.safetensors"

    def run(self) -> None:
        """Train to the end, or until SIGTERM or SIGINT: then a checkpoint is written and the loop left."""
        self.history = History(self.out / "history.csv", columns(self.recipe))
        self.history.start(self.state.step)
        self.saved_at = time.monotonic()
        with self._signals():
            while self.state.step < self.recipe.steps and not self.stop:
                self._advance()
        self.state.save(self.last)

    def _advance(self) -> None:
        o, state = self.recipe.optimiser, self.state
        if o.end == "wsd" and state.step == self.recipe.steps - o.decay:
            state.save(self.out / "trunk.safetensors")
        start = time.perf_counter()
        loss = step(state, self.images, self.device)
        state.seconds += time.perf_counter() - start
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss is not finite at step {state.step}. {self.last} holds the last good state, if one was "
                "written; a lower learning rate or stronger clipping may get past this point."
            )
        state.losses.append(loss)
        if state.step % self.recipe.validation.every == 0 or state.step == self.recipe.steps:
            self._validate()
        if time.monotonic() - self.saved_at > 60 * self.recipe.checkpoint_minutes:
            state.save(self.last)
            self.saved_at = time.monotonic()

    def _validate(self) -> None:
        state = self.state
        figures = validate(state.average, self.crops, self.recipe.validation.sigmas)
        rows = self.history.rows()
        steps_done = state.step - (int(rows[-1]["step"]) if rows else 0)
        pace = (state.seconds - (float(rows[-1]["seconds"]) if rows else 0.0)) / max(1, steps_done)
        row = {
            "step": state.step,
            "seconds": round(state.seconds, 1),
            "seconds_per_step": round(pace, 4),
            "lr": f"{learning_rate(self.recipe.optimiser, state.step - 1, self.recipe.steps):.3g}",
            "loss": round(float(np.mean(state.losses)), 5),
            "val_loss": round(mean_error(state.average, self.crops, self.recipe.noise), 5),
            **{k: round(v, 4) for k, v in figures.items()},
        }
        self.history.append(row)
        self._say(row, pace)
        if self.recipe.validation.samples:
            show(self.history.rows(), state.average, self.crops, self.recipe.validation, self.out)
        state.losses = []
        if (mean := float(np.mean([v for k, v in figures.items() if k.startswith("psnr_")]))) > state.best:
            state.best = mean
            write_atomically(self.out / "best.safetensors", encode_average(state, card(state, figures)))

    def _say(self, row: dict[str, object], pace: float) -> None:
        left = timedelta(seconds=round(pace * (self.recipe.steps - self.state.step)))
        figures = "  ".join(f"{k} {v}" for k, v in row.items() if k not in ("step", "seconds"))
        sys.stderr.write(f"step {self.state.step}/{self.recipe.steps}  {figures}  left {left}\n")
        sys.stderr.flush()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def ask(*_: object) -> None:
            self.stop = True

        before = {s: signal.signal(s, ask) for s in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for s, handler in before.items():
                signal.signal(s, handler)


def columns(recipe: Recipe) -> list[str]:
    """Names of the figures in the history."""
    measured = [f"{m}_{s:g}" for m in ("psnr", "ssim") for s in recipe.validation.sigmas]
    return ["step", "seconds", "seconds_per_step", "lr", "loss", "val_loss", *measured]


def step(state: State, images: data.Images, device: torch.device) -> float:
    """One optimisation step; returns the mean squared error. All its randomness is keyed by (seed, step).

    When the loss or the gradient is not finite, the weights are left as they were and that value is returned.
    """
    recipe, prior = state.recipe, state.prior
    errors, frequency, sigma = forward(state, images, device)
    weights = state.balance.weights(sigma).to(device) if recipe.loss.weighting == "balanced" else 1.0
    loss = (weights * errors).mean() + recipe.loss.frequency * frequency
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(prior.parameters(), recipe.optimiser.clip)
    if not math.isfinite(seen := (loss + norm).item()):
        return seen
    for group in state.optimiser.param_groups:
        group["lr"] = learning_rate(recipe.optimiser, state.step, recipe.steps)
    state.optimiser.step()
    state.balance.update(sigma, errors.detach())
    state.step += 1
    state.update_average()
    return errors.mean().item()


def forward(state: State, images: data.Images, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Squared error of the prediction (B,), frequency loss (a scalar) and σ (B,) of a fresh batch."""
    recipe, prior = state.recipe, state.prior
    key = (recipe.seed, state.step)
    torch.manual_seed(int(digest(["torch", *key])[:15], 16))  # dropout, and the noise below
    x0 = torch.from_numpy(data.batch(images, recipe.augment, recipe.size, recipe.batch, key)).to(device)
    t = draw_times(prior.schedule, recipe.noise, recipe.batch, key).to(device)
    x_t, target = prior.target(x0, torch.randn(x0.shape).to(device), t)
    prior.train()
    with torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bf16"):
        out = prior(x_t, t)
    errors = (out.float() - target).square().mean(dim=(1, 2, 3))
    frequency = (
        frequency_loss(prior.x0_from(out.float(), x_t, t), x0) if recipe.loss.frequency else errors.new_zeros(())
    )
    return errors, frequency, prior.schedule.sigma(t)
