"""The certificate of a solver: what was measured, what was asked, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bench.files import write_text
from bench.verify import gaussian, mixture
from bench.verify.invariances import Check

#: sample: draws from the posterior; point: one estimate, judged against the posterior mean; other: has a prior of
#: its own, so that the oracle's posterior is not what it aims at.
Kind = Literal["sample", "point", "other"]

#: W₂ of a sampler. The posterior mean as point estimate has 1; at 1/2, three quarters of W₂² are accounted for.
W2 = 0.5
#: χ² of a sampler: outside, the data are ignored or their noise is fitted.
CHI2 = (0.8, 1.25)
#: Variance over the posterior's, in observed frequencies and in the others. DDPM with the exact score reaches the
#: lower end with 20 evaluations.
VARIANCE = (0.5, 1.5)
#: CRPS of a sampler over that of exact samples, on the mixture. One that knows only the spectrum of the patches has
#: about 1.3.
CRPS = 1.2
#: Bias² of a point estimate, over the MMSE: its mean squared error is within 1 dB of the least.
BIAS2 = 0.26

ORACLE = "Gaussian 64 × 64"


@dataclass(frozen=True)
class Certificate:
    """What ``bench verify`` found.

    Attributes:
        solver, settings: the solver's name, and all its settings.
        kind: what it was judged as.
        calls: network evaluations forward and backward for one image.
        scores: against the Gaussian oracle, the first at the main noise level.
        patches: against the mixture; None when it was not run.
        checks: contract and invariances.
        seconds: the whole examination took.
    """

    solver: str
    settings: dict[str, Any]
    kind: Kind
    calls: tuple[int, int]
    scores: Sequence[gaussian.Score]
    patches: mixture.Score | None
    checks: Sequence[Check]
    seconds: float

    @property
    def faults(self) -> list[str]:
        """What was asked and not kept, in words; none means a pass."""
        found = [f"{c.name}: {c.text}" for c in self.checks if c.outcome == "fail"]
        for s in self.scores:
            found += [f"σ {s.sigma:g}: {fault}" for fault in _faults(self.kind, s)]
        if self.kind == "sample" and self.patches is not None:
            found += [f"mixture: {fault}" for fault in _patch_faults(self.patches)]
        return found

    @property
    def verdict(self) -> Literal["pass", "fail"]:
        """Whether there are no faults."""
        return "fail" if self.faults else "pass"

    @property
    def text(self) -> str:
        """One line for a report."""
        s = self.scores[0]
        if self.kind == "sample":
            exact = f" (exact score, as many calls: {s.exact:.2f})" if s.exact is not None else ""
            spread = f"variance {s.observed.value:.2f} / {s.null.value:.2f}"
            return f"W₂ {s.w2.value:.3f} ± {s.w2.error:.3f}{exact}, χ² {s.chi2:.2f}, {spread}"
        aim = "point estimate" if self.kind == "point" else "a prior of its own, accuracy not judged"
        return f"{aim}: bias² {s.bias2.value:.3f} of the MMSE, χ² {s.chi2:.2f}"

    def json(self) -> dict[str, Any]:
        """Plain data; ``bench.report.certificates`` reads the first ones."""
        s = self.scores[0]
        judged = {"w2": s.w2.value, "exact_w2": s.exact} if self.kind == "sample" else {}
        return {
            "solver": self.solver,
            "settings": self.settings,
            "verdict": self.verdict,
            "oracle": ORACLE,
            "text": self.text,
            "kind": self.kind,
            "faults": self.faults,
            **judged,
            "bias2": s.bias2.value,
            "chi2": s.chi2,
            "calls": {"forward": self.calls[0], "backward": self.calls[1]},
            "gaussian": [score.json() for score in self.scores],
            "mixture": None if self.patches is None else self.patches.json(),
            "checks": [c.json() for c in self.checks],
            "seconds": round(self.seconds, 1),
        }

    def write(self, folder: Path) -> Path:
        """``folder``/certificates/<solver>.json, where ``bench report`` looks for it in a run folder."""
        import json

        target = folder / "certificates" / f"{Path(self.solver).stem}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        write_text(target, json.dumps(self.json(), indent=1, ensure_ascii=False) + "\n")
        return target


def _faults(kind: Kind, s: gaussian.Score) -> list[str]:
    if kind == "point":
        return [f"bias² {s.bias2.value:.3f}, allowed {BIAS2}"] if s.bias2.value - s.bias2.error > BIAS2 else []
    if kind == "other":
        return []
    found = [f"W₂ {s.w2.value:.3f}, allowed {W2}"] if s.w2.value - s.w2.error > W2 else []
    named = {"χ²": s.chi2, "variance where observed": s.observed.value, "variance elsewhere": s.null.value}
    return found + [
        f"{name} {value:.2f}, allowed {low} to {high}"
        for (name, value), (low, high) in zip(named.items(), (CHI2, VARIANCE, VARIANCE), strict=True)
        if not low <= value <= high
    ]


def _patch_faults(s: mixture.Score) -> list[str]:
    found = [] if CHI2[0] <= s.chi2 <= CHI2[1] else [f"χ² {s.chi2:.2f}, allowed {CHI2[0]} to {CHI2[1]}"]
    excess = s.crps / s.crps_exact
    return found + ([f"CRPS {excess:.2f} times that of exact samples, allowed {CRPS}"] if excess > CRPS else [])
