"""A verdict for machines: JSON, JUnit, GitHub Actions. So is the reason why there is none: no verdict is no pass."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from bench.check import text
from bench.check.baseline import BASELINE_ID, measurement
from bench.check.rule import Comparison
from bench.check.verdict import Verdict
from bench.files import write_text

#: GitHub shows ten annotations of a kind per step, and refuses summaries above 1 MiB.
ANNOTATIONS, SUMMARY = 10, 900_000
#: Exit code and headline when nothing could be compared.
REFUSED, REFUSED_HEADLINE = 3, "NOT COMPARABLE  no verdict, which is not a pass"

#: What XML 1.0 cannot hold, however it is escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_json(verdict: Verdict) -> str:
    """The whole verdict as JSON; what is not a number is null."""
    cells = ("failing", "fixed", "missing", "new")
    report: dict[str, Any] = {
        "passed": verdict.passed,
        "comparable": True,
        "exit": verdict.exit_code,
        "headline": text.headline(verdict),
        "cells": verdict.cells,
        "same_machine": verdict.same_machine,
        "comparisons": [_plain(c) for c in verdict.comparisons],
        "dearer": verdict.dearer,
        "slower": verdict.slower,
    }
    for name in cells:
        rows = getattr(verdict, name)
        report[name] = [{k: r[k] for k in ("solver", *BASELINE_ID, "status")} for r in rows]
    return json.dumps(report, indent=1, ensure_ascii=False)


def refused_json(reason: str) -> str:
    """Why there is no verdict, with the keys that tell it from one."""
    report = {"passed": False, "comparable": False, "exit": REFUSED, "headline": REFUSED_HEADLINE, "reason": reason}
    return json.dumps(report, indent=1, ensure_ascii=False)


def write_junit(path: Path, verdict: Verdict) -> None:
    """One test case per group and metric, one per failing or missing cell."""
    suite = ElementTree.Element("testsuite")
    for c in verdict.comparisons:
        case = _case(suite, c.solver, f"{c.setting or 'all'} {c.metric}")
        if c.regressed:
            _add(case, "failure", "regression" if "metric" in verdict.fatal else "", text.message(c))
    rows = [("failure", r) for r in (*verdict.failing, *verdict.new_failing)]
    for kind, r in (*rows, *(("missing", r) for r in verdict.missing)):
        case = _case(suite, r["solver"], str(measurement(r)))
        _add(case, "failure", kind if kind in verdict.fatal else "", f"{kind}: {r['status']}")
    _write_suite(path, suite)


def write_refused_junit(path: Path, reason: str) -> None:
    """One test case, in error."""
    suite = ElementTree.Element("testsuite")
    _add(_case(suite, "bench check", "comparable"), "error", "not comparable", reason)
    _write_suite(path, suite)


def to_github(headline: str, lines: Iterable[str], errors: Sequence[tuple[str, str]]) -> list[str]:
    """Append to the step's summary where there is one; returns the workflow commands to print, at most ten.

    Args:
        headline: of the summary.
        lines: the terminal's, shown as they are.
        errors: (title, message) of each annotation, the worst first.
    """
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return []
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        inside = "\n".join(lines).encode()[:SUMMARY].decode(errors="ignore")
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", inside)), default=0))  # no name in it can close it
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(f"### {headline}\n{fence}\n{inside}\n{fence}\n")
    return [
        f"::error title={_escaped(title).replace(':', '%3A').replace(',', '%2C')}::{_escaped(message)}"
        for title, message in errors[:ANNOTATIONS]
    ]


def _case(suite: ElementTree.Element, solver: str, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(
        suite, "testcase", classname=_NOT_XML.sub("?", solver), name=_NOT_XML.sub("?", name)
    )


def _add(case: ElementTree.Element, what: str, kind: str, message: str) -> None:
    """A failure or error; what closes no gate (an empty ``kind``) is written as output of a test that passes."""
    safe = _NOT_XML.sub("?", message)
    if kind:
        ElementTree.SubElement(case, what, type=kind, message=safe)
    else:
        ElementTree.SubElement(case, "system-out").text = safe


def _write_suite(path: Path, suite: ElementTree.Element) -> None:
    suite.set("name", "bench check")
    suite.set("tests", str(len(suite)))
    for what in ("failure", "error"):
        suite.set(f"{what}s", str(len(suite.findall(f"testcase/{what}"))))
    write_text(path, ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n")


def _escaped(message: str) -> str:
    return message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _plain(c: Comparison) -> dict[str, Any]:
    comparison = {**asdict(c), "worst": {"image": c.worst[0], "loss": c.worst[1]}}
    comparison |= {"regressed": c.regressed, "improved": c.improved}
    return _finite(comparison)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
