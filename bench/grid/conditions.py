"""Conditions such as ``blur == 'disk' and noise == 'high'``, for ``exclude:`` and ``--only``; nothing is executed."""

from __future__ import annotations

import ast
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bench.errors import SettingError, did_you_mean

_COMPARE = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}


@dataclass(frozen=True)
class Expression:
    """A condition over names: comparisons, ``in``, ``and``, ``or``, ``not``, literals. Raises SettingError."""

    text: str

    def __post_init__(self) -> None:
        for node in ast.walk(self._tree):
            allowed = (
                ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.Compare, ast.Name,
                ast.Load, ast.Constant, ast.List, ast.Tuple, *_COMPARE,
            )  # fmt: skip
            if not isinstance(node, allowed):
                raise SettingError(
                    f"{self.text!r}: only comparisons, in, and, or, not and literals are allowed, "
                    f"not {type(node).__name__}"
                )

    @cached_property
    def _tree(self) -> ast.Expression:
        try:
            return ast.parse(self.text, mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise SettingError(f"{self.text!r} is not an expression such as blur == 'disk' and T < 0.5") from error

    @cached_property
    def names(self) -> frozenset[str]:
        """What it asks about."""
        return frozenset(node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name))

    def __call__(self, names: Mapping[str, Any]) -> bool:
        """Whether it holds. A comparison with something that is None is false, but for == and !=."""
        return bool(self._value(self._tree.body, names))

    def _value(self, node: ast.expr, names: Mapping[str, Any]) -> Any:
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                if node.id not in names:
                    raise SettingError(f"{self.text!r}: unknown name {node.id!r}. {did_you_mean(node.id, names)}")
                return names[node.id]
            case ast.List() | ast.Tuple():
                return [self._value(e, names) for e in node.elts]
            case ast.BoolOp():
                values = (self._value(v, names) for v in node.values)
                return all(values) if isinstance(node.op, ast.And) else any(values)
            case ast.UnaryOp():
                value = self._value(node.operand, names)
                if isinstance(node.op, ast.Not):
                    return not value
                if not isinstance(value, int | float):
                    raise SettingError(f"{self.text!r}: there is no -{value!r}")
                return -value
            case ast.Compare():
                return self._compare(node, names)
        raise AssertionError(node)

    def _compare(self, node: ast.Compare, names: Mapping[str, Any]) -> bool:
        left = self._value(node.left, names)
        for op, comparator in zip(node.ops, node.comparators, strict=True):
            right = self._value(comparator, names)
            try:
                if not _COMPARE[type(op)](left, right):
                    return False
            except TypeError:  # None < 3, 'a' < 1: not comparable, hence not true
                return False
            left = right
        return True
