"""bench check and bench baseline on real runs, with bugs planted on purpose."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from unittest import mock
from xml.etree import ElementTree

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from bench.check import baseline as baselines
from bench.check.verdict import check
from bench.cli import main
from bench.errors import ResultError
from bench.plugins.weights import find_weights

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
        blur = problem.blur
        K = blur.otf(blur.shape)
        G = K.conj() / (K.abs() ** 2 + self.lam)
        return torch.fft.irfft2(G * torch.fft.rfft2(problem.y), s=blur.shape)
'''

BUGS = {
    "the PSF is flipped": ("K = blur.otf(blur.shape)", "K = blur.otf(blur.shape).conj()"),
    "the weight is wrong": ("+ self.lam)", "+ self.lam / 50)"),
    "the picture is shifted by a pixel": ("s=blur.shape)\n", "s=blur.shape).roll(1, -1)\n"),
}


#: four steps with the shipped prior; seconds per run
PRIOR = """
name: prior
seed: 20261101
data:
  test: {{photos: {{split: test, size: 48, limit: 4}}}}
blur:
  - disk: {{radius: 2}}
noise:
  - poisson_gaussian: {{id: [low, high], zip: {{lam: [768000, 48000], sigma: [1, 4]}}}}
solvers:
  - pnp_hqs: {{steps: 4, lam: 0.5, prior: {weights}}}
metrics: [psnr]
protocol: {{border: 8, dtype: float64}}
run: {{workers: 1, images: 0}}
"""


def bench(*args: object, **env: str) -> subprocess.CompletedProcess[str]:
    """The command line in this process: its exit code, and its two streams."""
    words, out, err, code = ["bench", *map(str, args)], io.StringIO(), io.StringIO(), 0
    with mock.patch.object(sys, "argv", words), mock.patch.dict(os.environ, {"GITHUB_ACTIONS": "", **env}):
        try:
            with redirect_stdout(out), redirect_stderr(err):
                main()
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 0
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


@pytest.fixture
def accepted(write_grid, run_grid, tmp_path: Path) -> Callable[[str], Path]:
    """Run ``mine.py`` with that source in the small grid; returns the results folder."""

    def run(source: str, folder: str = "first", name: str = "mine") -> Path:
        (tmp_path / f"{name}.py").write_text(source)
        grid = write_grid(f"./{name}.py", "@copy.py")
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
        done = bench("check", wrong, "--baseline", file)
        assert done.returncode == 1, (name, done.stdout, done.stderr)
        assert re.search(r"^FAILED  \d+ regressions?$", done.stdout.splitlines()[-1]), name
        assert re.search(r"^  mine +walk.* psnr .* -\d.* test\d \(-", done.stdout, re.MULTILINE), (
            name,
            done.stdout,
        )
        assert not re.search(r"^  copy", done.stdout, re.MULTILINE), name
        assert "--solver mine" in done.stderr


def test_another_noise_seed_cannot_be_compared(write_grid, run_grid, tmp_path: Path) -> None:
    for folder, seed in (("a", 7), ("b", 8)):
        grid = write_grid("@copy.py", name=f"{folder}.yaml")
        grid.write_text(grid.read_text().replace("seed: 7", f"seed: {seed}"))
        run_grid(grid, folder)
    file = tmp_path / "base.parquet"
    assert bench("baseline", "update", tmp_path / "a", "--baseline", file, "--all", "--reason", "x").returncode == 0
    done = bench("check", tmp_path / "b", "--baseline", file)
    assert (done.returncode, "other measurements" in done.stderr) == (3, True)
    assert "PASSED" not in done.stdout


def perturbed(path: Path) -> Path:
    """The shipped prior with every weight off by 1 % (one standard deviation)."""
    generator = torch.Generator().manual_seed(1)
    with safe_open(find_weights("photos_unet"), "pt") as file:
        about, tensors = file.metadata(), {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118  no mapping
    wrong = {k: (v * (1 + 0.01 * torch.randn(v.shape, generator=generator))).to(v.dtype) for k, v in tensors.items()}
    save_file(wrong, path, metadata=about)
    return path


def test_weights_off_by_one_percent_are_refused_and_would_show_in_the_numbers(run_grid, tmp_path: Path) -> None:
    for folder, weights in (("first", "photos_unet"), ("wrong", perturbed(tmp_path / "wrong.safetensors"))):
        grid = tmp_path / f"{folder}.yaml"
        grid.write_text(PRIOR.format(weights=weights))
        run_grid(grid, folder)
    file = tmp_path / "base.parquet"
    assert (
        bench("baseline", "update", tmp_path / "first", "--baseline", file, "--all", "--reason", "x").returncode == 0
    )
    refused = bench("check", tmp_path / "wrong", "--baseline", file)
    assert (refused.returncode, "other weights" in refused.stderr) == (3, True)
    # Were it not for the hash: better here, worse there, by more than any rounding.
    before, now = baselines.read(file), baselines.of_run(tmp_path / "wrong")
    with pytest.raises(ResultError, match="other weights"):
        check(now, before)
    same = {r["weights_sha"] for r in before.rows}.pop()
    verdict = check(replace(now, rows=[{**r, "weights_sha": same} for r in now.rows]), before)
    assert verdict.regressed
    assert all(abs(c.loss) > 3 * c.tolerance for c in verdict.comparisons if c.setting)


def test_a_refusal_is_told_to_every_machine_with_its_reason(accepted, tmp_path: Path) -> None:
    first = accepted(WIENER)
    wanted = [tmp_path / name for name in ("junit.xml", "check.html", "summary.md")]
    junit, page, summary = wanted
    args = ("check", first, "--baseline", tmp_path / "none.parquet", "--json", "--junit", junit, "--html", page)
    done = bench(*args, "--warn-only", GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary))
    assert done.returncode == 3
    printed = json.loads(done.stdout)
    assert (printed["passed"], printed["comparable"], printed["exit"]) == (False, False, 3)
    assert "there is no baseline" in printed["reason"]
    suite = ElementTree.parse(junit).getroot()
    assert (suite.get("errors"), len(suite.findall("testcase/error"))) == ("1", 1)
    assert "there is no baseline" in suite.findall("testcase/error")[0].get("message", "")
    assert all("there is no baseline" in f.read_text() and "NOT COMPARABLE" in f.read_text() for f in (page, summary))
    assert "::error title=not comparable::there is no baseline" in done.stderr
    assert "error: there is no baseline" in done.stderr


def test_machines_get_json_junit_and_annotations(accepted, tmp_path: Path) -> None:
    first = accepted(WIENER)
    file, junit, summary = tmp_path / "base.parquet", tmp_path / "junit.xml", tmp_path / "summary.md"
    assert bench("baseline", "update", first, "--baseline", file, "--all", "--reason", "first").returncode == 0
    wrong = accepted(WIENER.replace(*BUGS["the PSF is flipped"]), "wrong")
    args = ("check", wrong, "--baseline", file)
    printed = json.loads(bench(*args, "--json", "--junit", junit).stdout)
    assert not printed["passed"]
    assert any(c["regressed"] and c["solver"] == "mine" for c in printed["comparisons"])
    suite = ElementTree.parse(junit).getroot()
    assert int(suite.get("failures", 0)) == len(suite.findall("testcase/failure")) > 0
    page = tmp_path / "check.html"
    shown = bench(*args, "--html", page, "--old", first)
    assert (shown.returncode, page.resolve().as_uri() in shown.stderr) == (1, True)
    panels = re.findall(r'class="name">([^<]+)<', page.read_text())
    assert panels == ["truth", "measurement", "old", "new", "new − old", "new − truth"] * 4  # of each group
    done = bench(*args, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary))
    assert 1 <= done.stdout.count("::error title=mine::") <= 10
    assert "FAILED" in summary.read_text()
    assert bench(*args, "--warn-only").returncode == 0
    assert bench(*args, "--tolerance", "psnr=99").returncode == 0
    usage = bench(*args, "--tolerance", "pnsr=1")
    assert (usage.returncode, "psnr" in usage.stderr) == (2, True)
    assert bench(*args, "--tolerance", "psnr=nan").returncode == 2
    assert bench(*args, "--old", first).returncode == 2
    assert bench(*args, "--old", tmp_path / "nowhere", "--html", page).returncode == 3


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
    first, wrong = accepted(WIENER), accepted(WIENER.replace(*BUGS["the PSF is flipped"]), "wrong")
    file, page = tmp_path / "base.parquet", tmp_path / "check.html"
    code = f"""
import sys
sys.modules["torch"] = None
from pathlib import Path
from bench.check import baseline
baseline.write(Path({str(file)!r}), baseline.of_run(Path({str(first)!r})))
from bench.cli import main
sys.argv = ["bench", "check", {str(wrong)!r}, "--baseline", {str(file)!r}, "--html", {str(page)!r}]
sys.argv += ["--old", {str(first)!r}]
main()
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "data:image/webp" in page.read_text()
