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
from bench.files import built_in_folder

KEYS = """
import json
from bench.plugins.code_digest import code_digest, harness_digest
from bench.plugins.lookup import find_plugin
digests = {n: code_digest(find_plugin("solver", n)) for n in ("tv", "blurred", "dps")}
digests |= {n: code_digest(find_plugin("metric", n)) for n in ("psnr", "ssim", "crps")}
print(json.dumps({"harness": harness_digest(), **digests}))
"""
EDIT = "\n\ndef _added() -> int:\n    return 1\n"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package with its plug-ins inside, as in a wheel."""
    package = tmp_path / "bench"
    shutil.copytree(Path(bench.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__", "weights"))
    for kind in ("solvers", "priors", "operators", "datasets", "metrics"):
        shutil.copytree(built_in_folder(kind) or Path(), package / kind, dirs_exist_ok=True)
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
        ["running/estimates.py", "running/rows.py", "running/merge.py", "running/worker.py", "results/parquet.py"],
        ["report/page.py", "report/board.py", "cli/run.py", "check/rule.py", "train/loop.py", "verify/examine.py"],
        ["grid/cells.py", "grid/planner.py", "grid/read.py", "plugins/lookup.py", "plugins/settings.py", "errors.py"],
        [
            "imaging/picture_files.py",
            "statistics/interval.py",
            "running/runner.py",
            "running/environment.py",
            "files.py",
        ],
    ],
    ids=["storing", "showing", "planning", "around"],
)
def test_what_stores_shows_or_plans_changes_no_key(copy: Path, files: list[str]) -> None:
    before = digests(copy)
    for name in files:
        edit(copy / name)
    assert digests(copy) == before


MEASURING = [
    "imaging/measure.py",
    "imaging/psf.py",
    "imaging/blur.py",
    "running/exposure.py",
    "seeds.py",
    "contracts.py",
]
SOLVING = ["running/solve.py", "methods/make_problem.py", "methods/problem.py", "imaging/blur.py"]
SCORING = ["scoring/evaluate.py", "running/score.py"]


@pytest.mark.parametrize("file", [*MEASURING, *SOLVING, *SCORING])
def test_what_measures_solves_or_scores_changes_every_key(copy: Path, file: str) -> None:
    before = digests(copy)
    edit(copy / file)
    assert digests(copy)["harness"] != before["harness"]


def test_what_a_metric_computes_changes_the_keys_of_cells_that_ask_for_it(copy: Path) -> None:
    before = digests(copy)
    for file in ("metrics/ssim.py", "scoring/posterior.py"):
        edit(copy / file)
    after = digests(copy)
    assert {n for n in before if before[n] != after[n]} == {"ssim", "crps"}


def test_a_new_metric_changes_no_key(copy: Path) -> None:
    before = digests(copy)
    shutil.copy(copy / "metrics/psnr.py", copy / "metrics/another.py")
    shutil.copy(copy / "scoring/mse.py", copy / "scoring/another.py")
    assert digests(copy) == before


def test_code_that_solvers_share_changes_the_keys_of_those_that_use_it(copy: Path) -> None:
    before = digests(copy)
    edit(copy / "methods/classical/optim.py")
    after = digests(copy)
    assert after["tv"] != before["tv"]
    assert {k: after[k] for k in ("harness", "blurred")} == {k: before[k] for k in ("harness", "blurred")}


def test_what_counts_the_calls_of_a_prior_changes_the_keys_of_those_that_need_one(copy: Path) -> None:
    before = digests(copy)
    edit(copy / "methods/diffusion/denoiser.py")
    assert {k for k, v in digests(copy).items() if v != before[k]} == {"dps"}


def rename(package: Path, old: str, new: str) -> None:
    """Move the module bench.OLD to bench.NEW, with every mention of it as a module."""
    package.joinpath(*old.split(".")).with_suffix(".py").rename(package.joinpath(*new.split(".")).with_suffix(".py"))
    (room, leaf), (new_room, new_leaf) = (f"bench.{name}".rsplit(".", 1) for name in (old, new))
    for file in package.rglob("*.py"):
        text = file.read_text()
        if imported := re.search(rf"^\s*from {room} import {leaf}$", text, flags=re.M):
            text = text.replace(imported[0].strip(), f"from {new_room} import {new_leaf}")
            text = re.sub(rf"\b{leaf}\.", f"{new_leaf}.", text)
        file.write_text(re.sub(rf"\bbench\.{old}\b", f"bench.{new}", text))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("methods.classical.optim", "methods.classical.minimisers"),
        ("methods.classical.differences", "methods.gradients"),
        ("imaging.fft", "imaging.fourier"),
        ("scoring.posterior", "scoring.draws"),
    ],
)
def test_a_module_that_is_renamed_or_moved_keeps_every_key(copy: Path, old: str, new: str) -> None:
    before = digests(copy)
    rename(copy, old, new)
    assert digests(copy) == before


def test_a_function_of_the_same_name_from_another_module_of_the_same_solver_is_another_key(copy: Path) -> None:
    for name, value in (("one", 1), ("two", 2)):
        (copy / "methods" / f"{name}.py").write_text(f"def step() -> int:\n    return {value}\n")
    solver = copy / "solvers" / "tv.py"
    text = solver.read_text()
    for imports, calls in (
        ("from bench.methods.one import step\nfrom bench.methods.two import step as other", ("step()", "other()")),
        ("from bench.methods import one, two", ("one.step()", "two.step()")),
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
    shutil.copy(copy / "methods/classical/optim.py", copy / "methods/other.py")
    edit(copy / "methods/other.py")
    solver = copy / "solvers" / "tv.py"
    solver.write_text(solver.read_text().replace("from bench.methods.classical.optim", "from bench.methods.other"))
    assert digests(copy)["tv"] != before["tv"]


@pytest.mark.parametrize("line", ["from bench.gone import x", "import bench.gone"])
def test_an_import_of_a_module_that_is_not_there_is_an_error(copy: Path, line: str) -> None:
    edit(copy / "methods/classical/optim.py", f"\n\ndef late():\n    {line}\n")
    with pytest.raises(RuntimeError, match="no such module"):
        digests(copy)


def test_a_part_of_the_harness_that_is_not_there_is_an_error(copy: Path) -> None:
    (copy / "scoring/evaluate.py").unlink()
    with pytest.raises(RuntimeError, match=r"bench\.scoring\.evaluate"):
        digests(copy)
