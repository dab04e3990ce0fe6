"""``bench verify``: a solver's certificate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from bench.verify.certificate import Certificate
    from bench.verify.oracles.moments import Figure


def command(
    solver: Annotated[str, typer.Argument(help="A solver's name, or a path to one.")],
    setting: Annotated[list[str] | None, typer.Option("--set", help="A setting of the solver: steps=100.")] = None,
    kind: Annotated[
        Literal["sample", "point", "other"] | None,
        typer.Option("--as", help="Judge it as a sampler, a point estimate or neither (default: as it declares)."),
    ] = None,
    samples: Annotated[int | None, typer.Option(min=2, help="Samples to draw where moments are not exact.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="One noise level, few samples, no mixture; for many-step solvers.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write certificates/SOLVER.json there, as in a run folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run a solver where the exact posterior is known and say how close it came; exits 1 if it fails."""
    from bench.cli.deblur import settings_of
    from bench.verify.examine import examine

    def say(text: str) -> None:
        typer.echo(f"{solver}: {text}", err=True)

    found = examine(solver, settings_of(setting or []), kind=kind, samples=samples, quick=quick, say=say)
    if as_json:
        typer.echo(json.dumps(found.json(), indent=1, ensure_ascii=False))
    else:
        _print(found)
    if out is not None:
        typer.echo(f"certificate  {found.write(out)}", err=as_json)
    if found.verdict == "fail":
        raise typer.Exit(1)


def _print(found: Certificate) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.width = max(console.width, 110)
    forward, backward = found.calls
    given = ", ".join(f"{k} = {v}" for k, v in found.settings.items())
    console.print(f"{found.solver}  ({given})")
    console.print(f"{forward} evaluations forward, {backward} backward; examined in {found.seconds:.0f} s\n")
    console.print(_scores(found))
    if found.patches is not None:
        console.print(_patches(found))
    for check in found.checks:
        console.print(f"{check.outcome:<5} {check.name:<9} {check.text}")
    console.print(f"\n{found.verdict.upper()}  {found.text}")
    for fault in found.faults:
        console.print(f"      {fault}")


def _scores(found: Certificate) -> Table:
    titles = [f"σ {s.sigma:g}" for s in found.scores]
    columns = [_column(found, i) for i in range(len(found.scores))]
    return _table("Gaussian oracle", titles, columns)


def _column(found: Certificate, i: int) -> dict[str, str]:
    s = found.scores[i]
    how = "exact (linear)" if s.samples is None else f"{s.samples} samples"
    column = {"moments": how, "bias² / MMSE": _figure(s.bias2), "W₂ / √MMSE": _figure(s.w2)}
    if s.exact is not None and s.exact_second is not None:
        column["  exact score, DDPM, as many calls"] = f"{s.exact:.3f}"
        column["  exact score, DPM-Solver++(2M)"] = f"{s.exact_second:.3f}"
    return column | {
        "variance, observed frequencies": _figure(s.observed),
        "variance, null frequencies": _figure(s.null),
        "MSE of one sample / MMSE (exact 2)": f"{s.mse:.2f}",
        "χ²": f"{s.chi2:.3f}  (exact {s.chi2_exact:.3f})",
        "CRPS": f"{s.crps:.4f}  (exact {s.crps_exact:.4f})",
    }


def _patches(found: Certificate) -> Table:
    s = found.patches
    assert s is not None
    column = {
        "moments": f"{s.patches} patches, {s.samples} samples each",
        "bias² / MMSE": f"{s.bias2:.3f}",
        "variance": f"{s.variance:.3f}",
        "MSE of one sample / MMSE (exact 2)": f"{s.mse:.2f}",
        "χ²": f"{s.chi2:.3f}",
        "CRPS": f"{s.crps:.4f}  (exact {s.crps_exact:.4f})",
    }
    return _table("Mixture oracle", ["σ 0.1"], [column])


def _table(title: str, titles: list[str], columns: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(title, no_wrap=True, min_width=36)
    for t in titles:
        table.add_column(t, no_wrap=True)
    for row in columns[0]:
        table.add_row(row, *(c[row] for c in columns))
    return table


def _figure(f: Figure) -> str:
    return f"{f.value:.4f}" + (f" ± {f.error:.4f}" if f.error else "")
