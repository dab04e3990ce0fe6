"""About how much memory a sampler's batch takes, from one evaluation of its prior on tensors without values."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from typing import Any, cast
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from bench.contracts import Dataset
from bench.files import built_in_folder
from bench.grid.cells import Cell, instance
from bench.methods.diffusion.colours import shared_channels
from bench.methods.diffusion.denoiser import PriorModel, placed
from bench.methods.problem import Prior
from bench.running.complexity import parameters

#: MiB of a solver's process before it solves, with torch in it: what probes of small problems show on Linux.
PROCESS = 360


def footprint(cell: Cell, batch: int, device: str) -> float | None:
    """MiB that a batch of cells like this one takes at most, without solving any; None where that cannot be told.

    That of the network's parameters and of the tensors that live at once while it is evaluated, with those that a
    gradient through it needs where the solver takes one; on a CPU also that of a process with torch in it. Not in it
    is what convolutions allocate inside, and the few images that the solver holds. For built-in priors alone: code of
    a user's own runs in processes of its own, as with --probe.
    """
    if cell.prior is None or cell.prior.plugin.path.parent != built_in_folder("priors"):
        return None
    with suppress(Exception):  # a missing file, a network that cannot do without values: the run will say
        dataset, prior = instance(cell.shot.dataset), instance(cell.prior)
        scene = cast(Dataset, dataset).load(cell.shot.image).scene
        model = cast(Prior, prior).load()
        dtype = getattr(torch, cell.protocol.get("dtype", "float32"))
        weights = parameters(model) * dtype.itemsize / 2**20
        held = weights + (0 if device.startswith("cuda") else PROCESS)
        gradient = "autograd" in cell.solver.plugin.path.read_text(encoding="utf-8")
        x = seen_by(placed(model, dtype, "meta"), scene.shape, batch).to(dtype)
        return held + live_mb(model, x, gradient=gradient)
    return None


def seen_by(model: PriorModel, scene: tuple[int, ...], batch: int) -> Tensor:
    """What a prior is evaluated on, without values: pictures with all their colours, or each by itself."""
    C, *sides = scene
    channels = shared_channels(model.channels, C)
    return torch.empty(batch * C // channels, channels, *(n + -n % model.stride for n in sides), device="meta")


def live_mb(model: PriorModel, x: Tensor, *, gradient: bool) -> float:
    """The most MiB that are alive at once during an evaluation at x, and its backward pass to x."""
    # Networks switch autocasting off in places, which the device without values does not know.
    plain = patch.object(torch, "autocast", lambda *_, **__: nullcontext())
    with plain, torch.set_grad_enabled(gradient), Live() as live:
        x = x.requires_grad_(gradient)
        out = model.x0(x, torch.zeros(len(x), dtype=torch.float64, device=x.device))
        if gradient:
            torch.autograd.grad(out.sum(), x)
    return live.peak / 2**20


class Live(TorchDispatchMode):
    """The sum of the memory of tensors made within, each as long as anything holds it; ``peak`` is the largest."""

    def __init__(self) -> None:
        super().__init__()
        self.alive, self.peak = WeakIdKeyDictionary(), 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # as in complexity._Flops: nothing is compiled here

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for made in tree_leaves(out):
            if isinstance(made, Tensor):
                storage = made.untyped_storage()
                self.alive[storage] = storage.nbytes()
        self.peak = max(self.peak, sum(self.alive.values()))
        return out
