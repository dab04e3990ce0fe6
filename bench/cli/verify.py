"""``bench verify``: a solver's certificate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from bench.verify.certificate import Certificate
    from bench.verify.gaussian import Score
    from bench.verify.oracles.moments import Figure
    from bench.verify.stein import Score as Stein


def command(
    solver: Annotated[str, typer.Argument(help="A solver's name, or a path to one.")],
    setting: Annotated[list[str] | None, typer.Option("--set", help="A setting of the solver: steps=100.")] = None,
    kind: Annotated[
        Literal["sample", "point", "other"] | None,
        typer.Option("--as", help="Judge it as a sampler, a point estimate or neither (default: as it declares)."),
    ] = None,
    samples: Annotated[int | None, typer.Option(min=2, help="Samples to draw where moments are not exact.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="The main oracle alone and few samples: the grade is an upper bound.")
    ] = False,
    prior: Annotated[
        str | None,
        typer.Option(
            help="Also test samples of the posterior of these gray weights, by a Stein discrepancy: photos."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write certificates/SOLVER.json there, as in a run folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run a solver where the exact posterior is known and grade how close it came, A to F; exits 1 for an F."""
    from bench.cli.deblur import settings_of
    from bench.verify.examine import examine

    def say(text: str) -> None:
        typer.echo(f"{solver}: {text}", err=True)

    certificate = examine(
        solver, settings_of(setting or []), kind=kind, samples=samples, quick=quick, prior=prior, say=say
    )
    if as_json:
        typer.echo(json.dumps(certificate.json(), indent=1, ensure_ascii=False))
    else:
        _print(certificate)
    if out is not None:
        typer.echo(f"certificate  {certificate.write(out)}", err=as_json)
    if certificate.verdict == "fail":
        raise typer.Exit(1)


def _print(certificate: Certificate) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.width = max(console.width, 145)
    forward, backward = certificate.calls
    given = ", ".join(f"{k} = {v}" for k, v in certificate.settings.items())
    console.print(f"{certificate.solver}  ({given})")
    console.print(f"{forward} evaluations forward, {backward} backward; examined in {certificate.seconds:.0f} s\n")
    console.print(_scores(certificate))
    if certificate.patches is not None:
        console.print(_patches(certificate))
    if (truths := certificate.truths) is not None:
        spread = f"root mean square of whitened block errors {truths.spread:.3f} (exact 1)"
        console.print(f"Calibration over {truths.truths} truths: p = {truths.p:.2g}, {spread}\n")
    if certificate.stein is not None:
        console.print(_stein(certificate.stein))
        console.print(f"Stein discrepancy: KSD² {certificate.stein.ksd2:.4f}, p = {certificate.stein.p:.2g}\n")
    for check in certificate.checks:
        console.print(f"{check.outcome:<5} {check.name:<9} {check.text}")
    grade = "not judged" if certificate.grade is None else f"grade {certificate.grade}"
    console.print(f"\n{grade.upper()}  {certificate.text}")
    for fault in certificate.faults:
        console.print(f"      {fault}")


def _scores(certificate: Certificate) -> Table:
    titles = [s.oracle for s in certificate.scores]
    return _table("Gaussian oracles", titles, [_column(s) for s in certificate.scores])


#: How the moments of a score were had, for a reader.
_HOW = {"affine": "exact, affine", "one estimate": "one estimate"}


def _column(s: Score) -> dict[str, str]:
    column = {
        "moments": _HOW.get(s.moments, f"{s.samples} samples"),
        "bias² / MMSE": _figure(s.bias2),
        "W₂ / √MMSE": _figure(s.w2),
        "  an identity for this prior": "yes" if s.identity else "no",
    }
    if s.exact is not None and s.exact_second is not None:
        column["  exact score, DDPM, as many calls"] = f"{s.exact:.3f}"
        column["  exact score, DPM-Solver++(2M)"] = f"{s.exact_second:.3f}"
    return column | {
        "variance, observed frequencies": _figure(s.observed),
        "variance, null frequencies": _figure(s.null),
        "coverage of 90 %, pixels": f"{s.coverage_90:.3f}",
        "coverage of 90 %, 8 × 8 blocks": f"{s.coverage_90_blocks:.3f}",
        "MSE of one sample / MMSE (exact 2)": f"{s.mse:.2f}",
        "χ² / of exact samples": f"{s.chi2:.3f} / {s.chi2_exact:.3f}",
        "CRPS / of exact samples": f"{s.crps:.3f} / {s.crps_exact:.3f}",
    }


def _patches(certificate: Certificate) -> Table:
    s = certificate.patches
    assert s is not None
    column = {
        "moments": f"{s.patches} patches, {s.samples} samples each",
        "bias² / MMSE": f"{s.bias2:.3f}",
        "W₂ / √MMSE": _figure(s.w2),
        "variance": f"{s.variance:.3f}",
        "coverage of 90 %, pixels": f"{s.coverage_90:.3f}",
        "coverage of 90 %, 8 × 8 blocks": f"{s.coverage_90_blocks:.3f}",
        "MSE of one sample / MMSE (exact 2)": f"{s.mse:.2f}",
        "χ²": f"{s.chi2:.3f}",
        "CRPS": f"{s.crps:.4f} (exact {s.crps_exact:.4f})",
    }
    return _table("Mixture oracle", ["σ 0.1"], [column])


def _stein(s: Stein) -> Table:
    titles = [f"{b.low:g} to {b.high:g}" for b in s.bands]
    columns = [{"variance": f"{b.variance:.3f}", "bias² / variance": f"{b.bias2:.3f}"} for b in s.bands]
    return _table(f"Prior {s.prior}, cycles per picture", titles, columns)


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
    return f"{f.value:.3f}" + (f" ± {f.error:.3f}" if f.error else "")
