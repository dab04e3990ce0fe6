"""A verdict for machines: JSON, JUnit, GitHub Actions."""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from bench.atomic import write_text
from bench.check import text
from bench.check.rule import Comparison
from bench.check.verdict import Verdict

#: GitHub shows ten annotations of a kind per step, and refuses summaries above 1 MiB.
ANNOTATIONS, SUMMARY = 10, 900_000


def as_json(verdict: Verdict) -> str:
    """Everything that was found, as JSON; what is not a number is null."""
    cells = ("failing", "fixed", "missing", "new")
    found: dict[str, Any] = {
        "passed": verdict.passed,
        "headline": text.headline(verdict),
        "cells": verdict.cells,
        "same_machine": verdict.same_machine,
        "comparisons": [_plain(c) for c in verdict.comparisons],
        "dearer": verdict.dearer,
        "slower": verdict.slower,
    }
    for name in cells:
        rows = getattr(verdict, name)
        found[name] = [{k: r[k] for k in ("solver", "setting", "image", "psf_index", "rep", "status")} for r in rows]
    return json.dumps(found, indent=1, ensure_ascii=False)


def write_junit(path: Path, verdict: Verdict) -> None:
    """One test case per group and metric, one per failing or missing cell."""
    suite = ElementTree.Element("testsuite", name="bench check")
    for c in verdict.comparisons:
        case = ElementTree.SubElement(suite, "testcase", classname=c.solver, name=f"{c.setting or 'all'} {c.metric}")
        if c.regressed:
            ElementTree.SubElement(case, "failure", type="regression", message=_message(c))
    for kind, rows in (("failure", verdict.failing), ("missing", verdict.missing)):
        for r in rows:
            case = ElementTree.SubElement(
                suite, "testcase", classname=r["solver"], name=f"{r['setting']} {r['image']} {r['psf_index']}"
            )
            if kind in verdict.fatal:
                ElementTree.SubElement(case, "failure", type=kind, message=f"{kind}: {r['status']}")
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    write_text(path, ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n")


def to_github(verdict: Verdict, lines: list[str]) -> list[str]:
    """Append to the step's summary where there is one; returns the workflow commands to print, at most ten."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return []
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        body = "\n".join(["### " + text.headline(verdict), "```", *lines, "```", ""])
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(body.encode()[:SUMMARY].decode(errors="ignore"))
    return [f"::error title={_escaped(c.solver)}::{_escaped(_message(c))}" for c in verdict.regressed[:ANNOTATIONS]]


def _message(c: Comparison) -> str:
    where = f"{c.solver} on {c.setting or 'all settings'}"
    if c.broken:
        return f"{where}: {c.metric} is not a number in {c.broken} cells"
    return f"{where}: {c.metric} {c.before:.4g} → {c.now:.4g}, a loss of {c.loss:.3g} (allowed {c.tolerance:g})"


def _escaped(message: str) -> str:
    return message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _plain(c: Comparison) -> dict[str, Any]:
    found = {**asdict(c), "regressed": c.regressed, "improved": c.improved}
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in found.items()}
