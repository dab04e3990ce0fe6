"""``bench list``: what there is, read from the sources without importing them."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from bench.files import built_in_folder
from bench.plugins import describe
from bench.plugins.lookup import find_plugin, plugin_names

_KINDS = {
    "solvers": ("solver",),
    "operators": ("operator", "noise"),
    "datasets": ("dataset",),
    "metrics": (),
    "grids": (),
}


def command(
    kind: Annotated[str | None, typer.Argument(help="solvers, operators, datasets, metrics or grids.")] = None,
    name: Annotated[str | None, typer.Argument(help="One of them, with its settings.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List solvers, operators, datasets, metrics and grids; with a name, its settings and reference."""
    from bench.errors import PluginError, did_you_mean

    if kind is not None and kind not in _KINDS:
        raise PluginError(f"{kind!r} is no kind of thing. {did_you_mean(kind, _KINDS)}")
    if kind and name:
        _one(kind, name, as_json)
        return
    found = {k: _rows(k) for k in ([kind] if kind else _KINDS)}
    if as_json:
        typer.echo(json.dumps(found, indent=1, ensure_ascii=False))
        return
    for k, rows in found.items():
        width = max((len(n) for n, _ in rows), default=0)
        typer.echo(f"{k}")
        for n, summary in rows:
            typer.echo(f"  {n:<{width}}  {summary}")


def _rows(kind: str) -> list[tuple[str, str]]:
    if kind == "metrics":
        from bench.metrics.evaluate import METRICS

        return [(m.name, m.protocol) for m in METRICS.values()]
    if kind == "grids":
        folder = built_in_folder("grids")
        files = sorted(folder.glob("*.yaml")) if folder else []
        return [(f.stem, f.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")) for f in files]
    return [(p.name, p.summary) for k in _KINDS[kind] for p in _found(k)]


def _found(kind: describe.Kind) -> list[describe.Plugin]:
    return [find_plugin(kind, n) for n in plugin_names(kind)]


def _one(kind: str, name: str, as_json: bool) -> None:
    from bench.errors import PluginError, did_you_mean

    everything = {p.name: p for k in _KINDS[kind] for p in _found(k)}
    if name not in everything:
        raise PluginError(f"no {kind.rstrip('s')} is called {name!r}. {did_you_mean(name, everything)}")
    p = everything[name]
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "name": p.name,
                    "summary": p.summary,
                    "settings": {
                        s.name: {
                            "type": s.annotation,
                            "default": s.default,
                            "required": s.required,
                            "tune": s.tune,
                            "doc": s.doc,
                        }
                        for s in p.parameters.values()
                    },
                    **p.flags,
                },
                indent=1,
                ensure_ascii=False,
            )
        )
        return
    typer.echo(f"{p.name}: {p.summary}")
    for s in p.parameters.values():
        default = "required" if s.required else f"= {s.default!r}"
        tuned = f"  [tunable {s.tune['low']:g} .. {s.tune['high']:g}]" if s.tune else ""
        typer.echo(f"  {s.name}: {s.annotation} {default}{tuned}{'  ' + s.doc if s.doc else ''}")
    if p.flags.get("reference"):
        typer.echo(f"reference: {p.flags['reference']}")
