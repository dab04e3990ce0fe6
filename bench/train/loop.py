"""The training loop: resumable at any step, to the last bit on a CPU."""

from __future__ import annotations

import contextlib
import math
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from bench.errors import TrainingError
from bench.seeds import digest
from bench.train.board import Board
from bench.train.card import card, encode_average
from bench.train.checkpoint import write_atomically
from bench.train.data.feed import Batch, feed
from bench.train.gallery import keep
from bench.train.history import History
from bench.train.kinds.base import Lesson, Loss
from bench.train.progress import Progress
from bench.train.state import State, learning_rate

if TYPE_CHECKING:
    from bench.train.recipe.read import AnyRecipe


@dataclass
class Trainer:
    """One run of the loop, from ``state.step`` to ``recipe.steps``."""

    state: State
    lesson: Lesson
    out: Path
    device: torch.device
    board: Board = field(default_factory=Board)
    saved_at: float = 0.0
    stop: bool = False

    @property
    def recipe(self) -> AnyRecipe:
        """The recipe in force."""
        return self.state.recipe

    @property
    def last(self) -> Path:
        """The checkpoint that a training is resumed from."""
        return self.out / "last.safetensors"

    def run(self) -> None:
        """Train to the end, or until SIGTERM or SIGINT: then a checkpoint is written and the loop left."""
        state, recipe = self.state, self.recipe
        self.history = History(self.out / "history.csv", columns(self.lesson))
        self.history.start(state.step)
        self.saved_at = time.monotonic()
        n = recipe.accumulate
        batches = feed(self.lesson.make, n * state.step, n * recipe.steps, self.lesson.workers)
        self.progress = Progress(state.step, recipe.steps)
        with self._signals(), contextlib.closing(self.progress), contextlib.closing(self.board):
            while state.step < recipe.steps and not self.stop:
                self._advance(batches)
        state.save(self.last)
        if self.stop:
            self.progress.say(f"stopped after step {state.step} of {recipe.steps}; --resume goes on from {self.last}")

    def _advance(self, batches: Iterator[Batch]) -> None:
        o, state = self.recipe.optimiser, self.state
        if o.end == "wsd" and state.step == self.recipe.steps - o.decay:
            state.save(self.out / "trunk.safetensors")
        start = time.perf_counter()
        parts = list(islice(batches, self.recipe.accumulate))
        state.waited += time.perf_counter() - start
        loss = step(state, self.lesson, parts, self.device)
        state.seconds += time.perf_counter() - start
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss is not finite at step {state.step}. {self.last} holds the last good state, if one was "
                "written; a lower learning rate or stronger clipping may get past this point."
            )
        state.losses.append(loss)
        self.progress.step(state.step, loss, self._rate)
        self.board.step(state.step, loss, self._rate)
        if state.step % self.recipe.validation.every == 0 or state.step == self.recipe.steps:
            self._validate()
        if time.monotonic() - self.saved_at > 60 * self.recipe.checkpoint_minutes:
            state.save(self.last)
            self.saved_at = time.monotonic()

    def _validate(self) -> None:
        state = self.state
        figures = self.lesson.validate(state.average)
        val_loss = figures.pop("val_loss")
        rows = self.history.rows()
        steps_done = state.step - (int(rows[-1]["step"]) if rows else 0)
        pace = (state.seconds - (float(rows[-1]["seconds"]) if rows else 0.0)) / max(1, steps_done)
        row = {
            "step": state.step,
            "seconds": round(state.seconds, 1),
            "seconds_per_step": round(pace, 4),
            "seconds_waiting": round(state.waited / max(1, len(state.losses)), 4),
            "lr": f"{self._rate:.3g}",
            "loss": round(float(np.mean(state.losses)), 5),
            "val_loss": round(val_loss, 5),
            **{f"loss_{k}": round(float(np.mean(state.parts[k])), 5) for k in self.lesson.parts if k in state.parts},
            **{k: round(v, 4) for k, v in figures.items()},
        }
        self.history.append(row)
        shown = "  ".join(f"{k} {v}" for k, v in row.items() if k not in ("step", "seconds"))
        self.progress.say(f"step {state.step}/{self.recipe.steps}  {shown}")
        self.lesson.show(self.history.rows(), state.average, self.out)
        state.losses, state.parts, state.waited = [], {}, 0.0
        self._store(figures)
        self.board.validation(row, self.out)

    def _store(self, figures: dict[str, float]) -> None:
        """The weights of a validation, if they are the best so far or all are to be kept."""
        state, score = self.state, self.lesson.score(figures)
        if score <= state.best and not self.recipe.keep:
            return
        weights = encode_average(state, card(state, self.lesson.card(), figures))
        if score > state.best:
            state.best = score
            write_atomically(self.out / "best.safetensors", weights)
        keep(self.out, state.step, weights, self.recipe.keep)

    @property
    def _rate(self) -> float:
        """The learning rate of the step just taken."""
        return learning_rate(self.recipe.optimiser, self.state.step - 1, self.recipe.steps)

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


def columns(lesson: Lesson) -> list[str]:
    """Names of the figures in the history."""
    times = ["seconds", "seconds_per_step", "seconds_waiting"]
    parts = [f"{kind}_{name}" for name in lesson.parts for kind in ("loss", "val")]
    return ["step", *times, "lr", "loss", "val_loss", *parts, *lesson.measured]


def step(state: State, lesson: Lesson, batches: Sequence[Batch], device: torch.device) -> float:
    """One optimisation step along the mean gradient of its batches; returns the mean loss to show.

    All randomness is keyed by the recipe's seed and the number of the batch. When the loss or the gradient is not
    finite, the weights are left as they were and that value is returned.
    """
    recipe = state.recipe
    state.model.train()
    state.optimiser.zero_grad(set_to_none=True)
    losses = [_gradient(state, lesson, batch, part, device) for part, batch in enumerate(batches)]
    norm = torch.nn.utils.clip_grad_norm_(state.model.parameters(), recipe.optimiser.clip)
    total = sum(loss.total.detach() for loss in losses) / len(losses)
    if not math.isfinite(seen := float(total + norm)):
        return seen
    for group in state.optimiser.param_groups:
        group["lr"] = learning_rate(recipe.optimiser, state.step, recipe.steps)
    state.optimiser.step()
    for loss in losses:
        loss.learn()
    shown, *parts = _figures([loss.shown for loss in losses], *([x.parts[n] for x in losses] for n in lesson.parts))
    for name, part in zip(lesson.parts, parts, strict=True):
        state.parts.setdefault(name, []).append(part)
    state.step += 1
    state.update_average()
    return shown


def _figures(*scalars: Sequence[Tensor]) -> list[float]:
    """The mean of each of them, read from the device at once: it waits for a step one time, whatever is shown."""
    return torch.stack([torch.stack([s.detach().float() for s in of]).mean() for of in scalars]).cpu().tolist()


def _gradient(state: State, lesson: Lesson, batch: Batch, part: int, device: torch.device) -> Loss:
    """Add a batch's share of the gradient."""
    state.batch = state.step * state.recipe.accumulate + part
    torch.manual_seed(int(digest(["torch", state.recipe.seed, state.batch])[:15], 16))  # dropout, and noise
    loss = lesson.loss(state, tuple(b.to(device) for b in batch))
    (loss.total / state.recipe.accumulate).backward()
    return loss
