"""What samplers cost beside their network: CPU seconds in all, and in the network's forward and backward passes.

    OMP_NUM_THREADS=1 python benchmarks/sampler_overhead.py [--steps 20] [--repeat 3] [--size 64]

One photograph, camera shake, ``valid`` and periodic boundary, the shipped ``photos`` prior, one thread. The share is
the smallest of the repeats. The network is timed in the very calls that the sampler makes, the backward passes by
hooks at both ends of them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import torch
from scene import made
from tables import show
from torch import Tensor

from bench.contracts import Cost
from bench.imaging.blur import Boundary
from bench.imaging.measure import measure
from bench.methods.diffusion.denoiser import Denoiser, PriorModel
from bench.methods.diffusion.levels import Level
from bench.methods.make_problem import assemble
from bench.methods.networks.weights import load
from bench.plugins.lookup import built_in, load_plugin
from bench.plugins.weights import find_weights
from bench.seeds import generator

#: seconds around the network over those in it, at most
BAR = 0.05
COLUMNS = {
    "boundary": "boundary", "sampler": "sampler", "seconds": "CPU s", "network": "in the network",
    "percent": "around it (%)",
}  # fmt: skip


class Row(NamedTuple):
    """CPU seconds of one solve, of the network within it, and the rest over that in per cent."""

    boundary: Boundary
    sampler: str
    seconds: float
    network: float
    percent: float


@dataclass
class Clock:
    """CPU seconds spent inside the network."""

    seconds: float = 0.0
    since: float = field(default=0.0)

    def start(self, *_: object) -> None:
        """The network begins to work."""
        self.since = time.process_time()

    def stop(self, *_: object) -> None:
        """The network is done."""
        self.seconds += time.process_time() - self.since


class Timed(Denoiser):
    """A denoiser that is on the clock, forwards and backwards."""

    def __init__(self, prior: PriorModel, clock: Clock, cost: Cost):
        super().__init__(prior, cost)
        self.clock = clock

    def x0(self, x: Tensor, level: Level | Sequence[Level]) -> Tensor:
        """See ``Denoiser.x0``."""
        self.clock.start()
        inner = x.view_as(x) if x.requires_grad else x
        if inner.requires_grad:
            inner.register_hook(self.clock.stop)
        out = super().x0(inner, level)
        self.clock.stop()
        if out.requires_grad:
            out.register_hook(self.clock.start)
        return out


def samplers(steps: int) -> list[tuple[str, Any]]:
    """Every built-in solver that needs a prior and restores blurred images, at ``steps`` evaluations."""
    found = []
    for plugin in built_in("solver"):
        if plugin.flags.get("needs_prior") and "denoise" not in plugin.name:
            settings = {"steps": steps} if "steps" in plugin.parameters else {}
            found.append((plugin.name, load_plugin(plugin)(**settings)))
    return found


def share(name: str, solver: Any, prior: PriorModel, size: int, boundary: Boundary) -> Row:
    """One solve."""
    photos = made("dataset", "photos", split="test", size=size, margin=24)
    exposed = made("operator", "boracchi_foi", length=16).psf(generator("overhead"))
    noise = made("noise", "poisson_gaussian", lam=192000, sigma=2)
    measured = measure(photos.load(next(iter(photos.ids()))), exposed, noise, generator("noise"), boundary)
    clock = Clock()
    problem = assemble([measured], [generator("solver")], boundary=boundary, prior=partial(Timed, prior, clock))
    start = time.process_time()
    with torch.no_grad():
        solver.solve(problem)
    total = time.process_time() - start
    return Row(boundary, name, total, clock.seconds, 100 * (total / clock.seconds - 1))


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """Every sampler on both boundaries, the smallest share of the repeats."""
    prior = load(find_weights("photos"))
    boundaries: tuple[Boundary, ...] = ("valid", "circular")
    for boundary in boundaries:
        for name, solver in samplers(options.steps):
            tried = [share(name, solver, prior, options.size, boundary) for _ in range(options.repeat + 1)]
            yield min(tried[1:], key=lambda r: r.percent)


def arguments() -> argparse.ArgumentParser:
    """What may be chosen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--size", type=int, default=64)
    return parser


def main() -> None:
    """Print the table."""
    options = arguments().parse_args()
    torch.set_num_threads(1)
    show(COLUMNS, rows(options))


if __name__ == "__main__":
    main()
