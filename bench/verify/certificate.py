"""The certificate of a solver: what was measured, how each number was judged, and the grade."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bench.files import write_text
from bench.seeds import digest
from bench.verify import calibration, gaussian, grades, mixture, stein
from bench.verify.grades import Condition, Grade
from bench.verify.invariances import Check

#: sample: draws from the posterior; point: one estimate, judged against the posterior mean; other: has a prior of
#: its own, so that the oracle's posterior is not what it aims at.
Kind = Literal["sample", "point", "other"]
#: pass: graded A, B or C. "not judged": keeps the contract and the invariances, and nothing else was asked of it.
Verdict = Literal["pass", "fail", "not judged"]

ORACLE = "closed-form posteriors"
MIXTURE = "mixture"


@dataclass(frozen=True)
class Certificate:
    """What ``bench verify`` measured.

    Attributes:
        solver, settings: the solver's name, and all its settings.
        kind: what it was judged as.
        calls: network evaluations forward and backward for one image.
        scores: against the Gaussian oracles, the main one first.
        truths: calibration over many truths; None when it was not run.
        patches: against the mixture; None when it was not run.
        checks: contract and invariances.
        quick: whether parts were left out, so that the grade is an upper bound.
        seconds: the whole examination took.
        stein: on the posterior of a trained prior; None when none was named. It is shown and not judged: what is
            wrong may be the sampler or the network's score.
    """

    solver: str
    settings: dict[str, Any]
    kind: Kind
    calls: tuple[int, int]
    scores: Sequence[gaussian.Score]
    truths: calibration.Score | None
    patches: mixture.Score | None
    checks: Sequence[Check]
    quick: bool
    seconds: float
    stein: stein.Score | None = None

    @property
    def conditions(self) -> list[Condition]:
        """Every number that is judged; none for a solver with a prior of its own."""
        if self.kind == "other":
            return []
        if self.kind == "point":
            return [
                Condition.judge(s.oracle, "bias²", s.bias2.value, grades.BIAS2, s.bias2.error) for s in self.scores
            ]
        judged = [c for s in self.scores for c in _of_oracle(s)]
        if self.truths is not None:
            p = Condition.judge("many truths", "p of calibration", self.truths.p, grades.CALIBRATION)
            judged.append(p)
        return judged + ([] if self.patches is None else _of_mixture(self.patches))

    @property
    def broken(self) -> list[str]:
        """The contract and the invariances that do not hold, in words."""
        return [f"{c.name}: {c.text}" for c in self.checks if c.outcome == "fail"]

    @property
    def grade(self) -> Grade | None:
        """Of the worst condition; F when the contract or an invariance is broken; None when nothing is judged."""
        if self.broken:
            return "F"
        return None if self.kind == "other" else grades.worst([c.grade for c in self.conditions])

    @property
    def by_oracle(self) -> dict[str, Grade]:
        """The grade on each oracle."""
        names = dict.fromkeys(c.where for c in self.conditions)
        return {n: grades.worst([c.grade for c in self.conditions if c.where == n]) for n in names}

    @property
    def verdict(self) -> Verdict:
        """Fail for an F, "not judged" without a grade, else pass."""
        return "not judged" if self.grade is None else "fail" if self.grade == "F" else "pass"

    @property
    def faults(self) -> list[str]:
        """What keeps the solver from an A, the worst first."""
        below = [c for c in self.conditions if c.grade != "A"]
        below.sort(key=lambda c: grades.ORDER.index(c.grade), reverse=True)
        return [*self.broken, *(c.text for c in below)]

    @property
    def text(self) -> str:
        """One line for a report."""
        s = self.scores[0]
        if self.kind == "other":
            return f"a prior of its own, accuracy not judged: bias² {s.bias2.value:.3f} of the MMSE, χ² {s.chi2:.2f}"
        parts = ", ".join(f"{name}: {grade}" for name, grade in self.by_oracle.items())
        if self.kind == "point":
            return f"point estimate: bias² {s.bias2.value:.3f} of the MMSE ({parts})"
        identity = ", an identity for a Gaussian prior" if s.identity else ""
        on_mixture = "" if self.patches is None else f", mixture {self.patches.w2.value:.3f}"
        bound = "; quick: an upper bound" if self.quick else ""
        return f"W₂ {s.w2.value:.3f}{identity}{on_mixture} ({parts}{bound})"

    def json(self) -> dict[str, Any]:
        """Plain data; ``bench.report.certificates`` reads the first ones."""
        s = self.scores[0]
        judged = {"w2": s.w2.value, "exact_w2": s.exact} if self.kind == "sample" else {}
        return {
            "solver": self.solver,
            "settings": self.settings,
            "grade": self.grade,
            "verdict": self.verdict,
            "oracle": ORACLE,
            "text": self.text,
            "kind": self.kind,
            "quick": self.quick,
            "by_oracle": self.by_oracle,
            "faults": self.faults,
            **judged,
            "bias2": s.bias2.value,
            "chi2": s.chi2,
            "calls": {"forward": self.calls[0], "backward": self.calls[1]},
            "gaussian": [score.json() for score in self.scores],
            "calibration": None if self.truths is None else self.truths.json(),
            "mixture": None if self.patches is None else self.patches.json(),
            "stein": None if self.stein is None else self.stein.json(),
            "checks": [c.json() for c in self.checks],
            "seconds": round(self.seconds, 1),
        }

    def write(self, folder: Path) -> Path:
        """``folder``/certificates/<solver>-<settings' digest>.json, where ``bench report`` looks in a run folder."""
        return write(self.json(), folder)


def write(certificate: dict[str, Any], folder: Path) -> Path:
    """A certificate as plain data into ``folder``/certificates; one file for each solver and its settings."""
    name = f"{Path(certificate['solver']).stem}-{digest(certificate['settings'])[:8]}.json"
    target = folder / "certificates" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, json.dumps(certificate, indent=1, ensure_ascii=False) + "\n")
    return target


def _of_oracle(s: gaussian.Score) -> list[Condition]:
    low, high = grades.W2.A
    w2 = grades.W2 if s.exact is None else grades.W2._replace(A=(low, min(high, grades.EXACT * s.exact)))
    judge = Condition.judge
    return [
        judge(s.oracle, "W₂", s.w2.value, w2, s.w2.error),
        judge(s.oracle, "variance where observed", s.observed.value, grades.VARIANCE, s.observed.error),
        judge(s.oracle, "variance elsewhere", s.null.value, grades.VARIANCE, s.null.error),
        judge(s.oracle, "χ² over that of exact samples", s.chi2 / s.chi2_exact, grades.CHI2),
        judge(s.oracle, "coverage of 90 %", s.coverage_90, grades.COVERAGE),
        judge(s.oracle, "coverage of 90 %, blocks", s.coverage_90_blocks, grades.COVERAGE),
    ]


def _of_mixture(s: mixture.Score) -> list[Condition]:
    judge = Condition.judge
    return [
        judge(MIXTURE, "W₂", s.w2.value, grades.W2, s.w2.error),
        judge(MIXTURE, "variance", s.variance, grades.VARIANCE),
        judge(MIXTURE, "χ²", s.chi2, grades.CHI2),
        judge(MIXTURE, "CRPS over that of exact samples", s.crps / s.crps_exact, grades.CRPS),
        judge(MIXTURE, "coverage of 90 %", s.coverage_90, grades.COVERAGE),
        judge(MIXTURE, "coverage of 90 %, blocks", s.coverage_90_blocks, grades.COVERAGE),
    ]
