"""What the keys cover: edits in a copy of the harness, and whether the keys notice."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bench
from bench import atomic

KEYS = """
import json
from bench import keys, plugins
digests = {n: keys.code_digest(plugins.find("solver", n)) for n in ("tv", "blurred", "dps")}
print(json.dumps({"harness": keys.harness_digest(), **digests}))
"""
EDIT = "\n\ndef _added() -> int:\n    return 1\n"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package with its plug-ins inside, as in a wheel."""
    package = tmp_path / "bench"
    shutil.copytree(Path(bench.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__", "weights"))
    for kind in ("solvers", "operators", "datasets"):
        shutil.copytree(atomic.folder(kind) or Path(), package / kind, dirs_exist_ok=True)
    return package


def digests(package: Path) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", KEYS], cwd=package.parent, capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def edit(file: Path, text: str = EDIT) -> None:
    file.write_text(file.read_text() + text)


@pytest.mark.parametrize(
    "files",
    [
        ["kept.py", "writing.py", "results.py", "journal.py", "rows.py", "joined_images.py", "worker.py"],
        ["report/build.py", "report/board.py", "cli/run.py", "check/rule.py", "train/loop.py", "verify/examine.py"],
        ["cells.py", "plugins.py", "settings.py", "errors.py", "environment.py", "plan.py", "grid.py", "run.py"],
    ],
    ids=["storing", "showing", "planning"],
)
def test_what_stores_shows_or_plans_changes_no_key(copy: Path, files: list[str]) -> None:
    before = digests(copy)
    for name in files:
        edit(copy / name)
    assert digests(copy) == before


@pytest.mark.parametrize(
    "file",
    ["measure.py", "psf.py", "exposure.py", "metrics.py", "posterior.py", "solve.py", "assemble.py", "seeds.py"],
)
def test_what_measures_solves_or_scores_changes_every_key(copy: Path, file: str) -> None:
    before = digests(copy)
    edit(copy / file)
    assert digests(copy)["harness"] != before["harness"]


def test_code_that_solvers_share_changes_the_keys_of_those_that_use_it(copy: Path) -> None:
    before = digests(copy)
    edit(copy / "optim.py")
    after = digests(copy)
    assert after["tv"] != before["tv"]
    assert {k: after[k] for k in ("harness", "blurred")} == {k: before[k] for k in ("harness", "blurred")}


def test_what_runs_trained_weights_changes_the_keys_of_those_that_need_a_prior(copy: Path) -> None:
    before = digests(copy)
    edit(copy / "priors.py")
    assert {k for k, v in digests(copy).items() if v != before[k]} == {"dps"}


def rename(package: Path, old: str, new: str) -> None:
    """Move the module bench.OLD to bench.NEW, with every mention of it as a module."""
    target = package / Path(*new.split(".")).with_suffix(".py")
    target.parent.mkdir(parents=True, exist_ok=True)
    (package / f"{old}.py").rename(target)
    room, _, leaf = f"bench.{new}".rpartition(".")
    for file in package.rglob("*.py"):
        text = file.read_text()
        text = re.sub(rf"from bench import {old}$", f"from {room} import {leaf}", text, flags=re.M)
        if f"from {room} import {leaf}" in text:
            text = re.sub(rf"\b{old}\.", f"{leaf}.", text)
        text = re.sub(rf"\bbench\.{old}\b", f"bench.{new}", text)
        file.write_text(text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("optim", "minimisers"),
        ("differences", "methods.classical.gradients"),
        ("fast", "fourier"),
        ("posterior", "draws"),
    ],
)
def test_a_module_that_is_renamed_or_moved_keeps_every_key(copy: Path, old: str, new: str) -> None:
    before = digests(copy)
    rename(copy, old, new)
    assert digests(copy) == before


def test_a_function_of_the_same_name_from_another_module_of_the_same_solver_is_another_key(copy: Path) -> None:
    for name, value in (("one", 1), ("two", 2)):
        (copy / f"{name}.py").write_text(f"def step() -> int:\n    return {value}\n")
    solver = copy / "solvers" / "tv.py"
    text = solver.read_text()
    for imports, calls in (
        ("from bench.one import step\nfrom bench.two import step as other", ("step()", "other()")),
        ("from bench import one, two", ("one.step()", "two.step()")),
    ):
        solver.write_text(text + f"\n{imports}\nX = {calls[0]} - 2 * {calls[1]}\n")
        before = digests(copy)
        swapped = imports.replace("one", "x").replace("two", "one").replace("x", "two")
        swapped_calls = calls if "step as" in imports else calls[::-1]
        swapped = swapped if "step as" in imports else imports
        solver.write_text(text + f"\n{swapped}\nX = {swapped_calls[0]} - 2 * {swapped_calls[1]}\n")
        assert digests(copy)["tv"] != before["tv"]


def test_the_same_name_from_another_module_is_another_key(copy: Path) -> None:
    before = digests(copy)
    shutil.copy(copy / "optim.py", copy / "other.py")
    edit(copy / "other.py")
    solver = copy / "solvers" / "tv.py"
    solver.write_text(solver.read_text().replace("from bench.optim", "from bench.other"))
    assert digests(copy)["tv"] != before["tv"]


@pytest.mark.parametrize("line", ["from bench.gone import x", "import bench.gone"])
def test_an_import_of_a_module_that_is_not_there_is_an_error(copy: Path, line: str) -> None:
    edit(copy / "optim.py", f"\n\ndef late():\n    {line}\n")
    with pytest.raises(RuntimeError, match="no such module"):
        digests(copy)


def test_a_part_of_the_harness_that_is_not_there_is_an_error(copy: Path) -> None:
    (copy / "measure.py").rename(copy / "shoot.py")
    with pytest.raises(RuntimeError, match=r"bench\.measure"):
        digests(copy)
