"""What a plug-in says about itself, read from its source: importing neither it nor torch."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bench.errors import PluginError

Kind = Literal["solver", "operator", "noise", "dataset"]


#: kind -> (folder and entry point group, name of the contract that its class subclasses)
KINDS: dict[str, tuple[str, str]] = {
    "solver": ("solvers", "Solver"),
    "operator": ("operators", "Operator"),
    "noise": ("operators", "Noise"),
    "dataset": ("datasets", "Dataset"),
}


@dataclass(frozen=True)
class Parameter:
    """One field of a plug-in, as its source states it.

    Attributes:
        annotation: the type, as text.
        default: the literal default; meaningless when ``required``.
        tune: the search range that ``tunable(...)`` declares, or None.
        doc: the ``#:`` comment after the field.
    """

    name: str
    annotation: str
    default: Any = None
    required: bool = False
    tune: dict[str, Any] | None = None
    doc: str = ""


@dataclass(frozen=True)
class Plugin:
    """A solver, operator, noise model or dataset, described without importing it.

    Attributes:
        name: as the user wrote it (paths keep their ``./``).
        path: the source file; ``module``: its import name, or None when it is loaded from the path.
        flags: literal ClassVars (blind, stochastic, random, family, reference, ...).
    """

    kind: Kind
    name: str
    path: Path
    module: str | None
    class_name: str
    summary: str
    parameters: dict[str, Parameter] = field(hash=False)
    flags: dict[str, Any] = field(hash=False)

    @property
    def label(self) -> str:
        """Short name for tables: the stem of a path."""
        return self.path.stem if self.module is None else self.name


def describe(kind: Kind, name: str, path: Path, module: str | None) -> Plugin | None:
    """The plug-in in a source file; None where it has no class of the kind. Raises PluginError."""
    try:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
    except (OSError, SyntaxError, ValueError) as error:
        raise PluginError(f"{kind} {name!r}: {path} cannot be read as Python: {error}") from error
    contract = KINDS[kind][1]
    classes = [n for n in tree.body if isinstance(n, ast.ClassDef) and not n.name.startswith("_")]
    ours = [c for c in classes if any(ast.unparse(b).split(".")[-1] == contract for b in c.bases)]
    if not ours:
        return None
    if len(ours) > 1:
        raise PluginError(
            f"{path} has {len(ours)} public {contract} classes ({', '.join(c.name for c in ours)}): keep one"
        )
    parameters, flags = _fields(ours[0], text.splitlines())
    summary = (ast.get_docstring(ours[0]) or "").split("\n\n")[0].replace("\n", " ")
    return Plugin(kind, name, path, module, ours[0].name, summary, parameters, flags)


def _fields(node: ast.ClassDef, lines: list[str]) -> tuple[dict[str, Parameter], dict[str, Any]]:
    parameters: dict[str, Parameter] = {}
    flags: dict[str, Any] = {}
    for item in node.body:
        if isinstance(item, ast.Assign) and len(item.targets) == 1 and isinstance(item.targets[0], ast.Name):
            flags[item.targets[0].id] = _literal(item.value)
        if not isinstance(item, ast.AnnAssign) or not isinstance(item.target, ast.Name):
            continue
        annotation = ast.unparse(item.annotation)
        if annotation.startswith("ClassVar"):
            flags[item.target.id] = _literal(item.value)
        else:
            parameter = _parameter(item.target.id, annotation, item.value, _comment(lines, item))
            parameters[parameter.name] = parameter
    return parameters, flags


def _parameter(name: str, annotation: str, value: ast.expr | None, doc: str) -> Parameter:
    if value is None:
        return Parameter(name, annotation, required=True, doc=doc)
    if isinstance(value, ast.Call) and ast.unparse(value.func).split(".")[-1] == "tunable":
        given = {k.arg or "": _literal(k.value) for k in value.keywords}
        tune = {"low": given["low"], "high": given["high"], "n": given.get("n", 7), "log": given.get("log", True)}
        return Parameter(name, annotation, default=_literal(value.args[0]), tune=tune, doc=doc)
    return Parameter(name, annotation, default=_literal(value), doc=doc)


def _literal(node: ast.expr | None) -> Any:
    if node is None:
        return None
    try:
        return ast.literal_eval(node)
    except ValueError:
        pass
    if ast.unparse(node) in ("float('inf')", "math.inf", "inf"):
        return float("inf")
    raise PluginError(
        f"line {node.lineno}: {ast.unparse(node)!r} must be a literal, so that it can be read without importing"
    )


def _comment(lines: list[str], item: ast.AnnAssign) -> str:
    """The ``#:`` comment on the field's last line, or those on the lines right above it."""
    _, found, doc = lines[(item.end_lineno or item.lineno) - 1].partition("#:")
    if found:
        return doc.strip()
    above: list[str] = []
    for line in reversed(lines[: item.lineno - 1]):
        if not line.strip().startswith("#:"):
            break
        above.insert(0, line.strip().removeprefix("#:").strip())
    return " ".join(above)
