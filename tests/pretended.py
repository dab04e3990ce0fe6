"""A GPU for tests on machines without one: devices and shapes of all tensors are computed, no values."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Self
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten
COPIES = (aten._to_copy.default, aten.copy_.default, aten.index.Tensor, aten.index_put_.default)
Hook = Callable[[Tensor], Tensor | None]


class Pretended(TorchDispatchMode):
    """Tensors on "cuda" have a device and a shape, but no values; those on the CPU are real.

    Where both meet in one operation torch raises, as with a GPU. What Python reads of the pretended GPU is 1, or a
    tensor of ones; a truth value is true and false in turn for each line that asks, so that loops end.

    Attributes:
        waits: how often the CPU would have waited for the GPU: "read" is a number (``float``, ``bool``, ``.item()``),
            "download" and "upload" are copies of tensors, which block where memory is not pinned.
        asked: truth values that were read, by code object and line.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fakes, self.waits = FakeTensorMode(allow_non_fake_inputs=True), Counter[str]()
        self.asked = Counter[Any]()

    def __enter__(self) -> Self:
        self.fakes.__enter__()  # below this mode, which decides what comes to it
        self.patches = ExitStack()
        hooks: dict[Any, list[Hook]] = {}
        self.patches.enter_context(patch.object(torch.autograd, "_engine_run_backward", Backward(hooks).run))
        self.patches.enter_context(patch.object(Tensor, "register_hook", lambda x, hook: _noted(hooks, x, hook)))
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self.patches.close()
        self.fakes.__exit__(*error)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        on_gpu = [isinstance(v, FakeTensor) for v in tree_leaves((args, kwargs)) if isinstance(v, Tensor)]
        target = torch.device(kwargs.get("device") or (args[0].device if any(on_gpu) and func in COPIES else "cpu"))
        if func is aten._local_scalar_dense.default and any(on_gpu):
            self.waits["read"] += 1
            return self._value(args[0].dtype)
        if func is aten._to_copy.default and any(on_gpu) and target.type == "cpu":
            return self._download(args[0], kwargs.get("dtype"))
        if func is aten.copy_.default and on_gpu == [False, True]:
            with unset_fake_temporarily():
                return args[0].copy_(self._download(args[1], None))
        if any(on_gpu) or target.type == "cuda":
            self.waits["upload"] += func in COPIES and not all(on_gpu)
            return func(*args, **kwargs)
        with unset_fake_temporarily():
            return func(*args, **kwargs)

    def _value(self, dtype: torch.dtype) -> float:
        if dtype != torch.bool:
            return 1.0 if dtype.is_floating_point else 1
        frame = sys._getframe(2)
        while "torch" in frame.f_globals.get("__name__", "") and frame.f_back is not None:
            frame = frame.f_back
        self.asked[frame.f_code, frame.f_lineno] += 1
        return self.asked[frame.f_code, frame.f_lineno] % 2

    def asked_by(self, function: str) -> int:
        """Truth values that a function of that name read."""
        return sum(n for (code, _), n in self.asked.items() if code.co_name == function)

    def _download(self, x: Tensor, dtype: torch.dtype | None) -> Tensor:
        self.waits["download"] += 1
        with unset_fake_temporarily():
            return torch.ones(x.shape, dtype=dtype or x.dtype)


class Backward:
    """The backward pass node by node: torch's own engine asks a driver for its streams before it begins."""

    def __init__(self, hooks: dict[Any, list[Hook]]) -> None:
        self.hooks = hooks

    def run(
        self,
        outputs: Sequence[Tensor],
        gradients: Sequence[Tensor | None],
        keep_graph: bool,
        create_graph: bool,
        inputs: Sequence[Tensor],
        *_: object,
        accumulate_grad: bool,
        **__: object,
    ) -> tuple[Tensor | None, ...]:
        """As ``torch.autograd.backward`` and ``grad`` call it."""
        sums: dict[tuple[Any, int], Tensor] = {}

        def add(edge: tuple[Any, int], g: Tensor | None) -> None:
            if edge[0] is not None and g is not None:
                like = edge[0]._input_metadata[edge[1]]
                g = g.sum_to_size(like.shape).to(like.dtype)  # what formulas leave to the engine
                sums[edge] = sums[edge] + g if edge in sums else g

        with torch.set_grad_enabled(create_graph):
            for y, g in zip(outputs, gradients, strict=True):
                add(_edge(y), torch.ones_like(y) if g is None else g)
            for node in _sorted([_edge(y)[0] for y in outputs]):
                slots = [(node, i) for i in range(len(node._input_metadata))]
                for slot in slots:
                    for hook in self.hooks.get(slot, []) if slot in sums else []:
                        changed = hook(sums[slot])
                        sums[slot] = sums[slot] if changed is None else changed
                if not any(slot in sums for slot in slots):
                    continue
                if hasattr(node, "variable"):
                    if accumulate_grad:
                        _accumulate(node.variable, sums[slots[0]])
                    continue
                out = node(*(sums.get(slot) for slot in slots))
                out = out if isinstance(out, tuple) else (out,)
                for edge, g in zip(node.next_functions, out, strict=True):
                    add(edge, g)
        return tuple(sums.get(_edge(x)) for x in inputs)


def _edge(x: Tensor) -> tuple[Any, int]:
    """Where the gradient in ``x`` arrives: a node of the graph, and which of its inputs."""
    edge = torch.autograd.graph.get_gradient_edge(x)
    return edge.node, edge.output_nr


def _noted(hooks: dict[Any, list[Hook]], x: Tensor, hook: Hook) -> None:
    hooks.setdefault(_edge(x), []).append(hook)


def _accumulate(variable: Tensor, g: Tensor) -> None:
    variable.grad = g if variable.grad is None else variable.grad + g


def _sorted(roots: list[Any]) -> list[Any]:
    """The nodes of a graph, each before those that its gradients go to."""
    seen, order, stack = set[Any](), list[Any](), [(root, False) for root in roots]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node is not None and node not in seen:
            seen.add(node)
            stack += [(node, True), *((n, False) for n, _ in node.next_functions)]
    return order[::-1]


def to_gpu(model: Any) -> Any:
    """A model with the tensors of its modules on the pretended GPU; call it inside the mode."""
    parts = [model] if isinstance(model, nn.Module) else vars(model).values()
    for part in (m for p in parts if isinstance(p, nn.Module) for m in p.modules()):
        for table in (part._parameters, part._buffers):
            table.update({k: v.to("cuda") for k, v in table.items() if v is not None})  # type: ignore[arg-type]  # a fake is one
    return model
