"""The command line as a user meets it: outputs, errors, exit codes."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.results import parquet as results
from bench.running.runner import Finished
from tests import fake_run


def bench(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *words], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_run_prints_a_table_and_where_the_results_are(write_grid: Callable[..., Path], tmp_path: Path) -> None:
    done = bench("run", str(write_grid("@copy.py", "@broken.py: {how: nan}")), cwd=tmp_path)
    assert done.returncode == 4  # some cells failed
    assert "runs/small/results.parquet" in done.stdout
    assert "non-finite" in done.stdout
    assert "solving: 16 cells" in done.stderr
    again = bench("run", str(tmp_path / "grid.yaml"), "--json", cwd=tmp_path)
    assert json.loads(again.stdout)["computed"] == 0


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["run", "nowhere"], 2, "no shipped grid of that name"),
        (["list", "solver"], 2, "Did you mean 'solvers'"),
        (["list", "solvers", "tvv"], 2, "Did you mean 'tv'"),
        (["list", "weights", "fotos"], 2, "Did you mean 'photos'"),
        (["train", "fotos_cpu", "--out", "here"], 2, "Did you mean 'photos_cpu'"),
        (["show", "abc"], 3, "runs is not a finished run"),
        (["report"], 3, "there are no results"),
        (["degrade", "quickstart", "--out", "d", "--format", "jpg"], 2, "Allowed: npy, png16, png8"),
        (["deblur", "no.png", "--psf", "k.npy", "--out", "x.png"], 2, "no.png"),
        (["new", "solver", "two words"], 2, "not a Python identifier"),
    ],
)
def test_mistakes_are_one_clear_line_and_no_traceback(tmp_path: Path, words: list[str], code: int, text: str) -> None:
    done = bench(*words, cwd=tmp_path)
    assert done.returncode == code
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_list_groups_solvers_by_family_and_cuts_no_sentence(tmp_path: Path) -> None:
    listed = bench("list", cwd=tmp_path).stdout
    titles = [line for line in listed.splitlines() if not line.startswith(" ")]
    assert titles.index("solvers: filter") < titles.index("solvers: diffusion") < titles.index("operators")
    assert {"noise", "datasets", "metrics: fidelity", "grids", "recipes", "weights"} <= set(titles)
    assert max(map(len, listed.splitlines())) <= 118
    rows = json.loads(bench("list", "--json", cwd=tmp_path).stdout)
    words = " ".join(listed.split())
    for kind in rows:
        for name, summary in rows[kind]:
            assert summary, (kind, name)
            assert " ".join(summary.split()) in words, (kind, name)


def test_list_describes_a_solver_with_its_settings_and_reference(tmp_path: Path) -> None:
    listed = json.loads(bench("list", "solvers", "tv", "--json", cwd=tmp_path).stdout)
    assert listed["settings"]["lam"]["tune"]
    assert listed["settings"]["lam"]["doc"]
    assert listed["reference"]


def test_a_dry_run_computes_nothing_and_says_why_cells_must_run(
    write_grid: Callable[..., Path], run_grid: Callable[..., Finished], tmp_path: Path
) -> None:
    grid = write_grid("@copy.py")
    fresh = json.loads(bench("run", str(grid), "--out", "out", "--dry-run", "--json", cwd=tmp_path).stdout)
    assert fresh[0]["why"] == {"new": 8}
    assert not (tmp_path / "out" / "journal.jsonl").exists()
    run_grid(grid)
    grid.write_text(grid.read_text().replace("copy.py", "copy.py: {factor: 0.9}"))
    changed = json.loads(bench("run", str(grid), "--out", "out", "--dry-run", "--json", cwd=tmp_path).stdout)
    assert changed[0]["why"] == {"changed: solver settings": 8}


def test_show_reruns_a_cell_and_finds_the_same_metrics(
    write_grid: Callable[..., Path], run_grid: Callable[..., Finished], tmp_path: Path
) -> None:
    run_grid(write_grid("@dice.py", "@copy.py: {tune: auto}", more="tune: {budget: 3}"))
    for row in (results.read(tmp_path / "out" / "results.parquet")[i] for i in (0, -1)):
        done = bench("show", row["cell_key"][:16], "--runs", "out", "--rerun", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "the same to the last bit" in done.stdout


def test_show_reruns_a_cell_that_failed_and_prints_its_traceback(
    write_grid: Callable[..., Path], run_grid: Callable[..., Finished], tmp_path: Path
) -> None:
    run_grid(write_grid("@broken.py: {how: raise}"))
    row = next(r for r in results.read(tmp_path / "out" / "results.parquet") if r["status"] == "error")
    assert row["traceback"].startswith("Traceback")
    for words in ([], ["--rerun"]):
        done = bench("show", row["cell_key"][:16], "--runs", "out", *words, cwd=tmp_path)
        assert done.returncode == (1 if words else 0), done.stderr
        assert "error: ValueError: the step size is negative" in done.stdout
        assert 'raise ValueError("the step size is negative")' in done.stdout


def test_degrade_writes_the_measurements_that_run_uses(
    write_grid: Callable[..., Path], run_grid: Callable[..., Finished], tmp_path: Path
) -> None:
    grid = write_grid("@copy.py")
    assert bench("degrade", str(grid), "--out", "d", "--format", "npy", cwd=tmp_path).returncode == 0
    with (tmp_path / "d" / "manifest.csv").open() as f:
        rows = list(csv.DictReader(f))
    assert {r["y_sha"] for r in rows} == {r["y_sha"] for r in run_grid(grid).test}
    for r in rows:
        y, psf = (np.load(tmp_path / "d" / r[k], allow_pickle=False) for k in ("blurred", "psf"))
        assert y.shape == (1, 24, 24)
        assert psf.sum() == pytest.approx(1)
    assert bench("degrade", str(grid), "--out", "d", cwd=tmp_path).returncode == 3  # nothing is overwritten


def test_degrade_rounds_to_sixteen_bits(write_grid: Callable[..., Path], tmp_path: Path) -> None:
    grid = write_grid("@copy.py")
    bench("degrade", str(grid), "--out", "a", "--format", "npy", cwd=tmp_path)
    bench("degrade", str(grid), "--out", "b", "--format", "png16", cwd=tmp_path)
    exact = np.load(tmp_path / "a" / "blurred" / "000003.npy")[0].clip(0, 1)
    coded = np.asarray(Image.open(tmp_path / "b" / "blurred" / "000003.png")) / 65535
    assert np.abs(exact - coded).max() <= 0.51 / 65535


def test_deblur_sharpens_somebodys_own_picture(tmp_path: Path) -> None:
    from skimage import data

    from bench.contracts import Image as Scene
    from bench.imaging.measure import blur_valid

    scene = data.camera()[90:186, 190:286][None] / 255
    psf = np.zeros((9, 9))
    psf[4] = 1 / 9
    y = blur_valid(Scene("camera", scene, 8), psf)[0]
    Image.fromarray(np.rint(y.clip(0, 1) * 255).astype(np.uint8)).save(tmp_path / "y.png")
    np.save(tmp_path / "k.npy", psf * 37)  # of any sum
    done = bench(
        "deblur", "y.png", "--psf", "k.npy", "--out", "x.png", "--set", "lam=0.5", "--sigma", "1", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    truth, x = scene[0, 8:-8, 8:-8], np.asarray(Image.open(tmp_path / "x.png")) / 255
    assert ((x - truth) ** 2).mean() < 0.3 * ((y - truth) ** 2).mean()


def test_a_new_solver_runs_as_it_is_written(tmp_path: Path) -> None:
    from bench.testing import check_solver

    assert bench("new", "solver", "my_method", cwd=tmp_path).returncode == 0
    check_solver("./my_method.py", {"steps": 3}, base=tmp_path)
    assert bench("new", "solver", "my_method", cwd=tmp_path).returncode == 2  # nothing is overwritten


def test_a_report_without_arguments_is_of_the_newest_run(tmp_path: Path) -> None:
    for k, name in enumerate(("older", "newer")):
        folder = fake_run.write(tmp_path / "runs" / name, name=name, size=24, images=1, fail=False, seed=k)
        os.utime(folder / "results.parquet", (1000 + k, 1000 + k))
    done = bench("report", "--no-figures", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "the newest of 2 runs" in done.stderr
    assert "<h1>newer</h1>" in (tmp_path / "reports" / "newer" / "index.html").read_text(encoding="utf-8")
