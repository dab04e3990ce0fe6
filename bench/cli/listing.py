"""``bench list``: what there is, read from the sources without importing them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from shutil import get_terminal_size
from textwrap import wrap
from typing import Annotated, Any

import typer

from bench.files import shipped_files
from bench.plugins import describe
from bench.plugins.lookup import find_plugin, plugin_names

_KINDS = {
    "solvers": ("solver",),
    "priors": ("prior",),
    "operators": ("operator", "noise"),
    "datasets": ("dataset",),
    "metrics": ("metric",),
    "grids": (),
    "recipes": (),
    "weights": (),
}
#: families of solvers and of metrics in the order in which they are listed
_FAMILIES = {
    "solvers": ("reference", "filter", "variational", "library", "diffusion", "network"),
    "metrics": ("fidelity", "structure", "perception", "check", "samples"),
}
#: the family of one that states none
_FAMILY = {"solvers": "variational", "metrics": "fidelity"}


def command(
    kind: Annotated[
        str | None,
        typer.Argument(
            help="solvers, priors, operators, datasets, metrics, grids, recipes or weights; or a plug-in's file."
        ),
    ] = None,
    name: Annotated[str | None, typer.Argument(help="One of them, with its parameters.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List what there is, solvers by family; with a name, its parameters and reference."""
    from bench.errors import PluginError, did_you_mean

    if kind is not None and kind.endswith(".py"):
        _show([p for k in describe.KINDS if (p := _in_file(k, kind))], kind, as_json)
        return
    if kind is not None and kind not in _KINDS:
        raise PluginError(f"{kind!r} is no kind of thing. {did_you_mean(kind, _KINDS)}")
    if kind and name:
        _one(kind, name, as_json)
        return
    kinds = [kind] if kind else list(_KINDS)
    if as_json:
        typer.echo(json.dumps({k: _rows(k) for k in kinds}, indent=1, ensure_ascii=False))
        return
    for k in kinds:
        for title, rows in _groups(k).items():
            _print(title, rows)


def _print(title: str, rows: list[tuple[str, str]]) -> None:
    """A title, and names with their sentences beside them, wrapped and never cut."""
    width = max((len(n) for n, _ in rows), default=0) + 4
    typer.echo(title)
    for n, summary in rows:
        lines = wrap(summary, max(get_terminal_size((118, 40)).columns - width, 40)) or [""]
        typer.echo(f"  {n:<{width - 4}}  {lines[0]}".rstrip())
        for line in lines[1:]:
            typer.echo(" " * width + line)


def _groups(kind: str) -> dict[str, list[tuple[str, str]]]:
    """The rows of a kind under their titles: solvers and metrics by family, operators apart from noise."""
    if kind not in (*_FAMILIES, "operators"):
        return {kind: _rows(kind)}
    groups: dict[str, list[tuple[str, str]]] = {f"{kind}: {f}": [] for f in _FAMILIES.get(kind, ())}
    for k in _KINDS[kind]:
        for p in _plugins(k):
            title = f"{kind}: {p.flags.get('family', _FAMILY[kind])}" if kind in _FAMILIES else _TITLES[k]
            groups.setdefault(title, []).append((p.name, p.summary))
    return {title: rows for title, rows in groups.items() if rows}


_TITLES = {"operator": "operators", "noise": "noise"}


def _rows(kind: str) -> list[tuple[str, str]]:
    if kind in ("grids", "recipes"):
        return [(n, _first_sentence(f)) for n, f in shipped_files(kind, ".yaml").items()]
    if kind == "weights":
        return [(n, _card(f)) for n, f in shipped_files("weights", ".safetensors").items()]
    return [(p.name, p.summary) for k in _KINDS[kind] for p in _plugins(k)]


def _first_sentence(file: Path) -> str:
    """The first sentence of the comment that a YAML file begins with."""
    lines = takewhile(lambda line: line.startswith("# "), file.read_text(encoding="utf-8").splitlines())
    text = " ".join(line.lstrip("# ").strip() for line in lines)
    return re.split(r"(?<=[^.]\.) (?=[A-Z])(?<!al\. )", text)[0]


def _card(file: Path) -> str:
    """What the card beside shipped weights says they are."""
    try:
        return str(json.loads(file.with_suffix(".json").read_text(encoding="utf-8")).get("summary", ""))
    except (OSError, ValueError):
        return "its card is missing or damaged"


def _plugins(kind: describe.Kind) -> list[describe.Plugin]:
    return [find_plugin(kind, n) for n in plugin_names(kind)]


def _one(kind: str, name: str, as_json: bool) -> None:
    from bench.errors import PluginError, did_you_mean

    if not _KINDS[kind]:
        rows = dict(_rows(kind))
        if name not in rows:
            raise PluginError(f"no {kind.removesuffix('s')} is called {name!r}. {did_you_mean(name, rows)}")
        typer.echo(json.dumps({"name": name, "summary": rows[name]}) if as_json else f"{name}: {rows[name]}")
        return
    everything = {p.name: p for k in _KINDS[kind] for p in _plugins(k)}
    if name not in everything:
        raise PluginError(f"no {kind.rstrip('s')} is called {name!r}. {did_you_mean(name, everything)}")
    _show([everything[name]], name, as_json)


def _in_file(kind: Any, path: str) -> describe.Plugin | None:
    """The plug-in of a kind in a file; None where the file has another kind. Raises PluginError."""
    from bench.errors import PluginError

    try:
        return find_plugin(kind, path)
    except PluginError as error:
        if "has no public class" in str(error):
            return None
        raise


def _show(plugins: Sequence[describe.Plugin], name: str, as_json: bool) -> None:
    from bench.errors import PluginError

    if not plugins:
        raise PluginError(f"{name} has no solver, prior, operator, noise model, dataset or metric in it")
    for plugin in plugins:
        typer.echo(json.dumps(_facts(plugin), indent=1, ensure_ascii=False) if as_json else _text(plugin))


def _facts(p: describe.Plugin) -> dict[str, Any]:
    parameters = {
        s.name: {"type": s.annotation, "default": s.default, "required": s.required, "tune": s.tune, "doc": s.doc}
        for s in p.parameters.values()
    }
    return {"name": p.name, "summary": p.summary, "settings": parameters, **p.flags}


def _text(p: describe.Plugin) -> str:
    lines = [f"{p.name}: {p.summary}"]
    for s in p.parameters.values():
        default = "required" if s.required else f"= {s.default!r}"
        tuned = f"  [tunable {s.tune['low']:g} .. {s.tune['high']:g}]" if s.tune else ""
        lines.append(f"  {s.name}: {s.annotation} {default}{tuned}{'  ' + s.doc if s.doc else ''}")
    if p.kind == "metric":
        lines.append(_about_metric(p))
    if p.flags.get("reference"):
        lines.append(f"reference: {p.flags['reference']}")
    return "\n".join(lines)


def _about_metric(p: describe.Plugin) -> str:
    """Direction and range, and short names with the settings that they stand for."""
    from bench.contracts import Metric

    better, (low, high) = p.flags.get("better", Metric.better), p.flags.get("range", Metric.range)
    ends = f"{'-inf' if low is None else f'{low:g}'} to {'inf' if high is None else f'{high:g}'}"
    wanted = {"higher": "higher is better", "lower": "lower is better"}.get(better, f"better: see {better}")
    if better == "one":
        wanted = f"should be {p.flags.get('target', Metric.target):g}"
    short: dict[str, dict[str, Any]] = p.flags.get("presets") or {}
    names = [f"{n}: {', '.join(f'{k} = {v!r}' for k, v in given.items())}" for n, given in short.items()]
    return "\n".join([f"range: {ends}; {wanted}", *names])
