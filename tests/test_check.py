"""bench check and bench baseline on real runs, with bugs planted on purpose."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import plugins
from bench.check import baseline as baselines
from tests.test_priors import write_weights

WIENER = '''"""A Wiener filter."""
from dataclasses import dataclass
import torch
from torch import Tensor
from bench import Problem, Solver


@dataclass(frozen=True)
class Mine(Solver):
    """A Wiener filter on the torus."""

    lam: float = 0.01

    def solve(self, problem: Problem) -> Tensor:
        """In closed form."""
        blur = problem.known_blur
        K = blur.otf(blur.shape)
        G = K.conj() / (K.abs() ** 2 + self.lam)
        return torch.fft.irfft2(G * torch.fft.rfft2(problem.y), s=blur.shape)
'''

BUGS = {
    "the PSF is flipped": ("K = blur.otf(blur.shape)", "K = blur.otf(blur.shape).conj()"),
    "the weight is wrong": ("+ self.lam)", "+ self.lam / 50)"),
    "the picture is shifted by a pixel": ("s=blur.shape)\n", "s=blur.shape).roll(1, -1)\n"),
}


def bench(*args: object, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", *map(str, args)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "GITHUB_ACTIONS": "", **env}
    )


@pytest.fixture
def accepted(write_grid, run_grid, tmp_path: Path) -> Callable[[str], Path]:
    """Run ``mine.py`` with that source in the small grid; returns the results folder."""

    def run(source: str, folder: str = "first", name: str = "mine") -> Path:
        (tmp_path / f"{name}.py").write_text(source)
        grid = write_grid(f"./{name}.py", "@copy.py")
        plugins.find.cache_clear()
        run_grid(grid, folder)
        return tmp_path / folder

    return run


def test_the_same_code_passes_and_planted_bugs_do_not(accepted, tmp_path: Path) -> None:
    first = accepted(WIENER)
    file = tmp_path / "base.parquet"
    assert bench("baseline", "update", first, "--baseline", file, "--all", "--reason", "first").returncode == 0
    again = bench("check", first, "--baseline", file)
    assert again.returncode == 0, again.stdout
    assert "PASSED" in again.stdout
    for number, (name, (old, new)) in enumerate(BUGS.items()):
        assert old in WIENER
        wrong = accepted(WIENER.replace(old, new), f"bug{number}")
        found = bench("check", wrong, "--baseline", file)
        assert found.returncode == 1, (name, found.stdout, found.stderr)
        assert "regression" in found.stdout.splitlines()[-1]
        assert "mine" in found.stdout
        assert "--solver mine" in found.stderr


def test_another_noise_seed_and_other_weights_cannot_be_compared(write_grid, run_grid, tmp_path: Path) -> None:
    def run(folder: str, seed: int, weights: int) -> Path:
        name = tmp_path / f"{folder}.safetensors"
        grid = write_grid(f"@prior_once.py: {{weights: {write_weights(name, weights)}}}", name=f"{folder}.yaml")
        grid.write_text(grid.read_text().replace("seed: 7", f"seed: {seed}"))
        run_grid(grid, folder)
        return tmp_path / folder

    file = tmp_path / "base.parquet"
    assert bench("baseline", "update", run("a", 7, 0), "--baseline", file, "--all", "--reason", "x").returncode == 0
    seed = bench("check", run("b", 8, 0), "--baseline", file)
    assert (seed.returncode, "other measurements" in seed.stderr) == (3, True)
    weights = bench("check", run("c", 7, 1), "--baseline", file)
    assert (weights.returncode, "other weights" in weights.stderr) == (3, True)
    assert bench("check", tmp_path / "a", "--baseline", tmp_path / "none.parquet").returncode == 3


def test_machines_get_json_junit_and_annotations(accepted, tmp_path: Path) -> None:
    first = accepted(WIENER)
    file, junit, summary = tmp_path / "base.parquet", tmp_path / "junit.xml", tmp_path / "summary.md"
    assert bench("baseline", "update", first, "--baseline", file, "--all", "--reason", "first").returncode == 0
    wrong = accepted(WIENER.replace(*BUGS["the PSF is flipped"]), "wrong")
    args = ("check", wrong, "--baseline", file)
    said = json.loads(bench(*args, "--json", "--junit", junit).stdout)
    assert not said["passed"]
    assert any(c["regressed"] and c["solver"] == "mine" for c in said["comparisons"])
    suite = ElementTree.parse(junit).getroot()
    assert int(suite.get("failures", 0)) == len(suite.findall("testcase/failure")) > 0
    found = bench(*args, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary))
    assert 1 <= found.stdout.count("::error title=mine::") <= 10
    assert "FAILED" in summary.read_text()
    assert bench(*args, "--warn-only").returncode == 0
    assert bench(*args, "--tolerance", "psnr=99").returncode == 0
    usage = bench(*args, "--tolerance", "pnsr=1")
    assert (usage.returncode, "psnr" in usage.stderr) == (2, True)
    assert bench(*args, "--tolerance", "psnr=nan").returncode == 2


def test_a_baseline_takes_one_solver_at_a_time_and_remembers_why(accepted, tmp_path: Path) -> None:
    file = tmp_path / "base.parquet"
    first = accepted(WIENER)
    assert bench("baseline", "update", first, "--baseline", file, "--all", "--reason", "first").returncode == 0
    worse = accepted(WIENER.replace(*BUGS["the weight is wrong"]), "worse")
    assert bench("baseline", "update", worse, "--baseline", file, "--reason", "none named").returncode == 2
    shown = bench("baseline", "update", worse, "--baseline", file, "--solver", "mine", "--reason", "it is smoother")
    assert (shown.returncode, "mine" in shown.stdout) == (0, True)
    assert bench("check", worse, "--baseline", file).returncode == 0
    assert baselines.read(file).history[-1]["reason"] == "it is smoother"
    assert "it is smoother" in file.with_suffix(".md").read_text()
    left = bench(
        "baseline", "update", accepted(WIENER, "left", name="other"), "--baseline", file, "--all", "--reason", "y"
    )
    assert (left.returncode, "no longer in the baseline" in left.stdout) == (0, True)
    assert {r["solver"] for r in baselines.read(file).rows} == {"other", "copy"}
    assert len(baselines.read(file).history) == 3


def test_a_check_imports_no_torch(accepted, tmp_path: Path) -> None:
    first, file = accepted(WIENER), tmp_path / "base.parquet"
    code = f"""
import sys
from pathlib import Path
from bench.check import baseline
from bench.check.verdict import check
now = baseline.of_run(Path({str(first)!r}))
baseline.write(Path({str(file)!r}), now)
check(now, baseline.read(Path({str(file)!r})))
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
