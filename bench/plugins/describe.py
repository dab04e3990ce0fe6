"""What a plug-in says about itself, read from its source: importing neither it nor torch."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bench.errors import PluginError

Kind = Literal["solver", "prior", "operator", "noise", "dataset", "metric"]


#: kind -> (folder and entry point group, name of the contract that its class subclasses)
KINDS: dict[str, tuple[str, str]] = {
    "solver": ("solvers", "Solver"),
    "prior": ("priors", "Prior"),
    "operator": ("operators", "Operator"),
    "noise": ("operators", "Noise"),
    "dataset": ("datasets", "Dataset"),
    "metric": ("metrics", "Metric"),
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
    """A solver, prior, operator, noise model, dataset or metric, described without importing it.

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
    every = {n.name: n for n in tree.body if isinstance(n, ast.ClassDef)}
    classes = [c for c in every.values() if not c.name.startswith("_")]
    ours = [c for c in classes if contract in _bases(c)]
    if not ours:
        _refuse_grandchildren(path, contract, every)
        return None
    if len(ours) > 1:
        raise PluginError(
            f"{path} has {len(ours)} public {contract} classes ({', '.join(c.name for c in ours)}): keep one"
        )
    _require_readable(path, ours[0], every)
    try:
        parameters, flags = _fields(ours[0], text.splitlines())
    except _NotLiteralError as error:
        raise PluginError(f"{path}:{error}") from error
    summary = (ast.get_docstring(ours[0]) or "").split("\n\n")[0].replace("\n", " ")
    return Plugin(kind, name, path, module, ours[0].name, summary, parameters, flags)


def _bases(node: ast.ClassDef) -> list[str]:
    return [ast.unparse(b).split(".")[-1] for b in node.bases]


def _refuse_grandchildren(path: Path, contract: str, classes: dict[str, ast.ClassDef]) -> None:
    """Raise PluginError for a class whose parent, and not itself, subclasses the contract."""
    for node in classes.values():
        for base in _bases(node):
            if base in classes and contract in _bases(classes[base]):
                raise PluginError(
                    f"{path}:{node.lineno}: {node.name} inherits from {base}. A plug-in subclasses {contract} itself "
                    "and states all its parameters, to be read without importing; share functions instead"
                )


def _require_readable(path: Path, node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> None:
    """Raise PluginError unless the class is a frozen dataclass whose fields all stand in it."""
    decorators = [ast.unparse(d).removeprefix("dataclasses.") for d in node.decorator_list]
    if not any(d.startswith("dataclass(") and "frozen=True" in d for d in decorators):
        given = f"@{decorators[0]}" if decorators else "nothing"
        raise PluginError(
            f"{path}:{node.lineno}: {node.name} must be decorated with @dataclass(frozen=True), and is with {given}"
        )
    for base in _bases(node):
        inherited = _field_names(classes[base]) if base in classes else []
        if inherited:
            raise PluginError(
                f"{path}:{node.lineno}: {node.name} inherits the parameters {', '.join(inherited)} from {base}. A "
                "plug-in states all its parameters itself, so that they can be read without importing"
            )


def _field_names(node: ast.ClassDef) -> list[str]:
    """Names of the annotated fields of a class, class variables aside."""
    items = [i for i in node.body if isinstance(i, ast.AnnAssign) and isinstance(i.target, ast.Name)]
    return [ast.unparse(i.target) for i in items if not ast.unparse(i.annotation).startswith("ClassVar")]


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
        tune = {"low": given["low"], "high": given["high"], "log": True, "least": None, "most": None} | given
        return Parameter(name, annotation, default=_literal(value.args[0]), tune=tune, doc=doc)
    return Parameter(name, annotation, default=_literal(value), doc=doc)


class _NotLiteralError(ValueError):
    """The text starts with the line."""


def _literal(node: ast.expr | None) -> Any:
    if node is None:
        return None
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):  # TypeError: {[1]: 2}
        pass
    if ast.unparse(node) in ("float('inf')", "math.inf", "inf"):
        return float("inf")
    raise _NotLiteralError(
        f"{node.lineno}: {ast.unparse(node)!r} must be a literal (number, text, None, tuple, list, dict of such), "
        "so that it can be read without importing"
    )


def _comment(lines: list[str], item: ast.AnnAssign) -> str:
    """The ``#:`` comment on the field's last line, or those on the lines right above it."""
    _, mark, doc = lines[(item.end_lineno or item.lineno) - 1].partition("#:")
    if mark:
        return doc.strip()
    above: list[str] = []
    for line in reversed(lines[: item.lineno - 1]):
        if not line.strip().startswith("#:"):
            break
        above.insert(0, line.strip().removeprefix("#:").strip())
    return " ".join(above)
