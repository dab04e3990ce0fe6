"""A verdict as one HTML page that needs nothing else: no network, no script, no file beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import report
from bench.check import outputs, text
from bench.check.baseline import Record
from bench.check.looks import MOST, looks
from bench.check.verdict import Verdict
from bench.files import write_text
from bench.report.text import MISSING, number
from bench.scoring.registry import known

#: Cells listed of each kind; --json has all.
LISTED = 50


@dataclass(frozen=True)
class About:
    """What was compared, as it was named: the run, the baseline, and a run of the old code for its pictures."""

    run: Path
    baseline: Path
    old: Path | None = None


def write(path: Path, verdict: Verdict, about: About) -> None:
    """The page of a verdict. Raises ResultError when it cannot be written or ``about.old`` cannot be read."""
    seen = looks(verdict, about.run, about.old)
    page = _render(
        about,
        headline=text.headline(verdict),
        good=verdict.exit_code == 0,
        verdict=verdict,
        looks=seen,
        groups=len({(c.solver, c.setting) for c in verdict.comparisons if c.setting is not None}),
        most=MOST,
        accepted=_accepted(verdict.before, dict.fromkeys(look.row["solver"] for look in seen)),
        cells=[
            ("now fail", "bad", verdict.failing),
            ("of the baseline were not run", "bad", verdict.missing),
            ("failed and have no baseline", "bad", verdict.new_failing),
            ("are fixed", "good", verdict.fixed),
        ],
        border=verdict.now.protocol.get("border") or 0,
    )
    write_text(path, page)


def write_refused(path: Path, reason: str, about: About) -> None:
    """The page that says why there is no verdict. Raises ResultError when it cannot be written."""
    page = _render(about, headline=outputs.REFUSED_HEADLINE, good=False, verdict=None, reason=reason)
    write_text(path, page)


def _accepted(record: Record, solvers: Iterable[str]) -> dict[tuple[str, str], list[str]]:
    """(commit, reason) under which the numbers of solvers entered the baseline -> these solvers."""
    latest = {s: (e["commit"] or "", e["reason"]) for e in record.history for s in e["solvers"]}
    solvers_of: dict[tuple[str, str], list[str]] = {}
    for solver in solvers:
        solvers_of.setdefault(latest.get(solver, (record.commit, "")), []).append(solver)
    return solvers_of


def _render(about: About, **values: Any) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    env = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(number=number, signed=text.signed, origin=text.origin)
    css = Path(report.__file__).with_name("static") / "report.css"
    return env.get_template("check.html.j2").render(
        about=about,
        css=Markup(css.read_text(encoding="utf-8")),  # noqa: S704  our own file
        metrics=known(),
        missing=MISSING,
        listed=LISTED,
        **values,
    )
