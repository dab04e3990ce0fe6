"""A sampler's run as its states: x_t and E[x_0 | x_t] of the evaluations of its network.

Every evaluation is announced to ``problem.cost`` with its inputs. A counter that evaluates there once more has all
that shows a run: no sampler knows of it, none draws or computes anything else, and no content key covers this file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch

from bench.contracts import Cost
from bench.errors import SolverError
from bench.grid.cells import Cell, instance
from bench.methods.networks.sample import Sampler
from bench.methods.networks.unrolled import UnrolledNet
from bench.methods.problem import Problem, Solver
from bench.running.score import given, outcome, taken
from bench.running.solve import problem_of

#: How a tensor of the run is shown: (C, H, W) in [0, 1] units, not clipped.
Shown = Callable[[torch.Tensor], torch.Tensor]


class State(NamedTuple):
    """One evaluation.

    Attributes:
        number: of it in the run, from 0.
        sigma: noise-to-signal ratio of x_t, in [-1, 1] units.
        x: x_t, (C, H, W) in [0, 1] units, not clipped; on the sampler's canvas, which may reach beyond the sensor.
        x0: E[x_0 | x_t], likewise.
    """

    number: int
    sigma: float
    x: np.ndarray
    x0: np.ndarray


@dataclass(frozen=True)
class Run:
    """What a sampler did on the measurement of a cell.

    Attributes:
        states: some of the evaluations of its first chain, spread evenly over it from the first to the last.
        evaluations: how many that chain has.
        truth, y, estimate: (C, H, W) in [0, 1] units; nobody may have the truth, and of several samples the estimate
            is the first.
        scores: the metrics of the estimate, as columns of a row; {} where the row is of several samples.
    """

    states: list[State]
    evaluations: int
    truth: np.ndarray | None
    y: np.ndarray
    estimate: np.ndarray
    scores: dict[str, Any]


class _Asked(NamedTuple):
    """An evaluation: the denoiser's bound method, x_t, what else it is given, the noise-to-signal ratio of x_t."""

    number: int
    call: Any
    x: torch.Tensor
    rest: tuple[Any, ...]
    sigma: float


class Trace(Cost):
    """A counter that remembers evaluations: those whose number is a multiple of ``stride``, at most 4 ``most``.

    Args:
        most: how many are wanted.
        state, estimate: how x_t and E[x_0 | x_t] are shown.
    """

    def __init__(self, most: int, state: Shown, estimate: Shown) -> None:
        super().__init__()
        self.most, self.state, self.estimate = most, state, estimate
        self.stride, self.evaluations = 1, 0
        self.states: list[State] = []
        self._latest: _Asked | None = None

    def evaluation(self, network: Any, *inputs: Any, call: Any = None) -> None:
        """Count; where it is the estimate of x_0 at a noise level, remember what goes in and what comes out."""
        super().evaluation(network, *inputs, call=call)
        sigma = _sigma(call, inputs)
        if sigma is None:
            return
        self._latest = _Asked(self.evaluations, call, inputs[0].detach().clone(), inputs[1:], sigma)
        if self.evaluations % self.stride == 0:
            self.states.append(self._state(self._latest))
        self.evaluations += 1
        if len(self.states) > 4 * self.most:
            self.states, self.stride = self.states[::2], 2 * self.stride

    def chosen(self, chains: int) -> tuple[list[State], int]:
        """Evenly spread states of the first of so many chains, one after the other, and its number of evaluations."""
        length = self.evaluations // chains
        first = [s for s in self.states if s.number < length]
        if self._latest is not None and first[-1].number < self._latest.number < length:
            first.append(self._state(self._latest))
        places = np.linspace(0, len(first) - 1, min(self.most, len(first))).round().astype(int)
        return [first[i] for i in places], length

    @torch.no_grad()
    def _state(self, asked: _Asked) -> State:
        x0 = asked.call(asked.x, *asked.rest)
        return State(asked.number, asked.sigma, _numpy(self.state(asked.x)), _numpy(self.estimate(x0)))


def _sigma(call: Any, inputs: Sequence[Any]) -> float | None:
    """The σ of an evaluation: of a prior at steps t, or of an unrolled solver's denoiser, which is given σ itself.

    None where there is no noise level: of a restorer, of a predictor.
    """
    owner = getattr(call, "__self__", None)
    schedule = getattr(owner, "schedule", None)
    if schedule is not None and len(inputs) == 2:
        return float(schedule.sigma(inputs[1][:1]))
    return float(inputs[2][0]) if isinstance(owner, UnrolledNet) else None


def trace(cell: Cell, device: str, frames: int = 8) -> Run:
    """Solve a cell again and watch. Raises SolverError where its solver asks no denoiser for E[x_0 | x_t].

    Args:
        cell: of a finished run.
        device: where it was solved.
        frames: states to return at most.
    """
    torch.set_num_threads(cell.protocol["threads"])
    shot, plan = taken(cell), given([cell], device)
    solver = instance(cell.solver)
    assert isinstance(solver, Solver)
    y = shot.measurement.y
    watch = Trace(frames, _on_canvas(y.shape[0]), _on_canvas(y.shape[0]))
    problem = problem_of(plan, [shot.sensed], watch)
    if cell.solver.plugin.flags.get("weights_kind") == "conditional":
        solver = _in_one_batch(solver, problem, watch)
    with torch.no_grad():
        x = solver.solve(problem)
    if not watch.states:
        raise SolverError(f"{cell.label} has no intermediate states: it asks no denoiser for E[x_0 | x_t]")
    states, evaluations = watch.chosen(_chains(solver, watch.states[0], y.shape[0]))
    estimate = x.detach().double().cpu().numpy()
    scores = {} if cell.samples > 1 else outcome(cell, shot, estimate, {})
    return Run(states, evaluations, shot.measurement.truth, y, estimate[0], scores)


def _on_canvas(channels: int) -> Shown:
    """Of (n, c, H, W) in [-1, 1]: the picture, whose colours may be gray images; its first plane if that is alone."""

    def shown(x: torch.Tensor) -> torch.Tensor:
        planes = (x.flatten(0, 1) + 1) / 2
        return planes[:channels] if len(planes) >= channels else planes[:1]

    return shown


def _in_one_batch(solver: Any, problem: Problem, watch: Trace) -> Any:
    """The conditional sampler, all patches in one evaluation; ``watch`` joins them, and adds the predictor's share.

    What diffuses beside a predictor is the residual: x_t is shown as it is, the estimate of x_0 as the image.
    """
    from bench.methods.networks.restore import load_conditional

    solver = replace(solver, batch=2**31)
    model = load_conditional(solver.weights, problem.y.dtype, str(problem.y.device))
    sampler = Sampler(problem, model, solver)
    (condition,) = sampler.conditions
    picture = _on_canvas(problem.y.shape[1])
    watch.state = lambda u: picture(sampler.tiles.join(u))
    watch.estimate = lambda u: picture(sampler.tiles.join(condition.decode(u)))
    return solver


def _chains(solver: Any, state: State, channels: int) -> int:
    """How many chains ran one after the other: samples that are averaged, colours that are solved apart."""
    return getattr(solver, "average", 1) * (channels // len(state.x))


def _numpy(x: torch.Tensor) -> np.ndarray:
    return x.float().cpu().numpy()
