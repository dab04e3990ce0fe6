"""How large the networks of a solver are, and how much they multiply: parameters and MACs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from bench.contracts import Cost, Evaluated, Shaped


def complexity(cost: Cost, images: int) -> dict[str, float | None]:
    """``parameters`` of all networks that were evaluated, and ``macs`` for one image of the batch.

    MACs are the multiplications with addition of all evaluations, forward and backward, half of what torch's
    FlopCounterMode counts: convolutions and matrix products. Fourier transforms, sums and pointwise functions are not
    in it, nor what the solver does outside of its networks. Each network is evaluated once more on zeros of the same
    shape, and the result multiplied by its calls; a backward pass is one to the input.

    None for a solver without networks, and for ``macs`` where a network cannot be called so.
    """
    if not cost.evaluated:
        return {"parameters": None, "macs": None}
    networks = {id(e.network): e.network for e in cost.evaluated.values()}
    share = cost.nfe_backward / cost.nfe_forward if cost.nfe_forward else 0.0
    macs = None
    with suppress(Exception):  # whatever a network of somebody else's says to zeros: a column less
        macs = sum(e.times * _macs_of(e, share) for e in list(cost.evaluated.values())) / images
    return {"parameters": sum(parameters(n) for n in networks.values()), "macs": macs}


def parameters(network: object) -> int:
    """Parameters of the torch modules that a network is, or has as attributes."""
    return sum(p.numel() for p in {id(p): p for m in _modules(network) for p in m.parameters()}.values())


def _modules(network: object) -> Iterator[nn.Module]:
    if isinstance(network, nn.Module):
        yield network
        return
    for part in vars(network).values() if hasattr(network, "__dict__") else ():
        if isinstance(part, nn.Module) or hasattr(part, "x0"):  # a model around another
            yield from _modules(part)


_known: WeakKeyDictionary[Any, dict[Any, tuple[float, float]]] = WeakKeyDictionary()


def _macs_of(e: Evaluated, share: float) -> float:
    """Of one call with a backward pass in ``share`` of the calls."""
    known = _known.setdefault(e.network, {})
    key = (*(i if isinstance(i, Shaped) else None for i in e.inputs), share > 0)
    if key not in known:
        known[key] = measured(e.call, e.inputs, backward=share > 0)
    forward, backward = known[key]
    return forward + share * backward


def measured(call: Any, inputs: tuple[Any, ...], *, backward: bool) -> tuple[float, float]:
    """MACs of one forward pass on zeros of these shapes, and of one backward pass to the first input."""
    given = [torch.zeros(i.shape, dtype=i.dtype, device=i.device) if isinstance(i, Shaped) else i for i in inputs]
    with _Flops() as flops, torch.set_grad_enabled(backward):
        out = call(*[i.requires_grad_() if backward and n == 0 else i for n, i in enumerate(given)])
        forward = flops.total
        if backward:
            torch.autograd.grad(out.sum(), given[0])
    return forward / 2, (flops.total - forward) / 2


class _Flops(TorchDispatchMode):
    """The sum of the formulas of torch's FlopCounterMode.

    That class itself imports torch's compiler on its first use, which takes six seconds in each process of a solver.
    """

    total = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here; to be skipped by the compiler means to import it

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.total += formula(*args, **(kwargs or {}), out_val=out)
        return out
