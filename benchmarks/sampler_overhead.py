"""What samplers cost beside their network: CPU seconds in all, and in the network's forward and backward passes.

    OMP_NUM_THREADS=1 python benchmarks/sampler_overhead.py [--steps 20] [--repeat 3] [--size 64]

One photograph, camera shake, ``valid`` boundary, the shipped ``photos`` prior, one thread. The share is the smallest
of the repeats. The network is timed in the very calls that the sampler makes, the backward passes by hooks at both
ends of them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from bench.assemble import assemble
from bench.contracts import Cost
from bench.diffusion.denoiser import Denoiser, Prior
from bench.diffusion.levels import Level
from bench.measure import measure
from bench.plugins import built_in, find, load
from bench.priors import load_prior
from bench.seeds import generator


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

    def __init__(self, prior: Prior, clock: Clock, cost: Cost):
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
            settings = {"steps": steps} if "steps" in plugin.settings else {}
            found.append((plugin.name, load(plugin)(**settings)))
    return found


def share(solver: Any, prior: Prior, size: int) -> tuple[float, float, float]:
    """CPU seconds in all and in the network of one solve, and what lies around the network over it."""
    Photos: Any = load(find("dataset", "photos"))
    photos = Photos(split="test", size=size, margin=24)
    exposed = load(find("operator", "boracchi_foi"))(length=16).psf(generator("overhead"))
    noise = load(find("noise", "poisson_gaussian"))(lam=192000, sigma=2)
    measured = measure(photos.load(next(iter(photos.ids()))), exposed, noise, generator("noise"))
    clock = Clock()
    problem = assemble([measured], [generator("solver")], prior=partial(Timed, prior, clock))
    start = time.process_time()
    with torch.no_grad():
        solver.solve(problem)
    total = time.process_time() - start
    return total, clock.seconds, total / clock.seconds - 1


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Seconds around the network.")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--size", type=int, default=64)
    args = parser.parse_args()
    torch.set_num_threads(1)
    prior = load_prior("photos")
    print(f"{'sampler':20} {'seconds':>8} {'network':>8} {'around it':>9}")
    for name, solver in samplers(args.steps):
        share(solver, prior, args.size)
        total, network, extra = min((share(solver, prior, args.size) for _ in range(args.repeat)), key=lambda r: r[2])
        print(f"{name:20} {total:8.3f} {network:8.3f} {extra:9.1%}", flush=True)


if __name__ == "__main__":
    main()
