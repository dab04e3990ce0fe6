"""Photographs without sharp versions: what is measured on them, who is run, and the gallery of the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from bench.contracts import Context
from bench.errors import DataError, GridError, ResultError
from bench.grid.read import find_grid, parse_grid, read_grid
from bench.grid.yaml import parse_yaml
from bench.imaging.measure import Measurement
from bench.plugins.lookup import find_plugin, load_plugin
from bench.plugins.settings import build
from bench.report.load import load
from bench.report.page import build as build_report
from bench.report.results import Results
from bench.running.degrade import write_dataset
from bench.running.runner import Finished, Options, Runner
from bench.scoring.registry import built_in
from bench.testing import check_dataset
from tests.conftest import Silent
from tests.metric_values import values as evaluate

PSF = np.full((1, 5), 1.0)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three blurred photographs of 24 x 32 pixels in two folders, and the PSF beside them."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "photos"
    (folder / "trip").mkdir(parents=True)
    for name in ("a.png", "trip/b.png", "trip/c.png"):
        small = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8))
        small.resize((32, 24), Image.Resampling.BICUBIC).save(folder / name)
    np.save(tmp_path / "psf.npy", PSF)
    return folder


def made(photos: Path, **settings: object):
    plugin = find_plugin("dataset", "unpaired")
    return build(plugin, load_plugin(plugin), {"path": str(photos), **settings})


def grid(photos: Path, solvers: list, **unpaired: object) -> str:
    return yaml.safe_dump(
        {
            "seed": 1,
            "data": {"test": {"unpaired": {"path": str(photos), **unpaired}}},
            "blur": ["recorded"],
            "noise": [{"poisson_gaussian": {"id": "n", "lam": ".inf", "sigma": 2}}],
            "solvers": solvers,
            "metrics": ["psnr", "ssim", "residual_chi2"],
            "run": {"workers": 1},
        }
    ).replace("'.inf'", ".inf")


def test_it_keeps_the_contract_of_a_dataset(photos: Path) -> None:
    check_dataset("unpaired", {"path": str(photos), "size": 16, "group": "[^/]+"})


def test_a_photograph_is_a_measurement_without_truth_and_with_the_psf_that_is_given(photos: Path) -> None:
    known = made(photos, psf=str(photos.parent / "psf.npy")).recorded("a.png")
    assert known.truth is None
    assert known.psf_known
    assert np.allclose(known.psf, 0.2)
    assert known.y.shape == (3, 24, 32)
    blind = made(photos).recorded("a.png")
    assert not blind.psf_known
    assert blind.psf.tolist() == [[1.0]]
    with pytest.raises(DataError, match="no sharp version"):
        _ = blind.sharp


def test_a_folder_of_psfs_has_one_for_each_picture(photos: Path) -> None:
    kernels = photos.parent / "kernels"
    (kernels / "trip").mkdir(parents=True)
    np.save(kernels / "a.npy", PSF)
    np.save(kernels / "trip" / "b.npy", PSF.T)
    dataset = made(photos, psf=str(kernels))
    assert [dataset.recorded(i).psf.shape for i in ("a.png", "trip/b.png")] == [(1, 5), (5, 1)]
    with pytest.raises(DataError, match=r"holds no PSF for trip/c\.png"):
        dataset.recorded("trip/c.png")


def test_without_a_truth_or_a_psf_metrics_that_need_them_are_empty(photos: Path) -> None:
    names = [n for n, m in built_in().items() if m.of == "picture" and m.family != "perception"]

    def scores(m: Measurement) -> dict[str, float | None]:
        psf = m.psf if m.psf_known else None
        return evaluate(names, m.truth, m.y, Context(m.y, psf, made_level()))

    with_psf = scores(made(photos, psf=str(photos.parent / "psf.npy")).recorded("a.png"))
    assert {n for n, v in with_psf.items() if v is not None} == {"residual_chi2"}
    assert set(scores(made(photos).recorded("a.png")).values()) == {None}


def made_level():
    from bench.contracts import NoiseLevel

    return NoiseLevel(0.0, 0.01)


def test_solvers_that_need_the_psf_are_left_out_with_a_sentence_where_nobody_knows_it(
    photos: Path, run_grid: Callable[..., Finished], tmp_path: Path
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(grid(photos, ["blurred", "wiener"]), encoding="utf-8")
    finished = run_grid(path)
    assert {r["solver"] for r in finished.test} == {"blurred"}
    assert {r["m_psnr"] for r in finished.test} == {None}
    (sentence,) = json.loads((finished.folder / "run.json").read_text())["left_out"]
    assert "wiener asks for it" in sentence


def test_the_report_of_unpaired_pictures_is_a_gallery_that_ranks_nothing(
    photos: Path, run_grid: Callable[..., Finished], tmp_path: Path
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(grid(photos, ["blurred", "wiener"], psf=str(photos.parent / "psf.npy")), encoding="utf-8")
    finished = run_grid(path)
    assert all(r["m_residual_chi2"] > 0 and r["m_psnr"] is None and r["in_psnr"] is None for r in finished.test)
    results = Results([finished.folder])
    assert "nothing is ranked" in results.conclusion()[0]
    assert results.baseline is None
    assert len(results.images()) == 3
    text = build_report([finished.folder], tmp_path / "report", figures=False).read_text()
    assert '<section id="gallery"' in text
    assert '<section id="pairs" hidden' in text
    assert len(load([finished.folder]).pictures) == 3


def test_unpaired_pictures_can_be_neither_blurred_nor_tuned_on_by_psnr(photos: Path) -> None:
    text = grid(photos, [{"wiener": {"tune": "auto"}}], psf=str(photos.parent / "psf.npy"))
    content = yaml.safe_load(text)
    content["blur"] = [{"disk": {"radius": 2}}]
    content["data"]["val"] = content["data"]["test"]
    with pytest.raises(GridError) as error:
        parse_grid(parse_yaml(yaml.safe_dump(content), "own.yaml"), Path.cwd())
    assert "photographs that are blurred already" in str(error.value)
    assert "which tuning by psnr needs" in str(error.value)


def test_the_weight_of_a_solver_is_tuned_by_the_discrepancy_principle(
    photos: Path, run_grid: Callable[..., Finished], tmp_path: Path
) -> None:
    content = yaml.safe_load(grid(photos, [{"tikhonov": {"tune": {"mu": [0.001, 3, 1e6]}}}], psf="psf.npy"))
    content["data"]["val"] = content["data"]["test"]
    content["tune"] = {"metric": "residual_chi2"}
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    tried = [r for r in run_grid(path).rows if r["phase"] == "val"]
    mean = {
        c: np.mean([r["m_residual_chi2"] for r in tried if r["candidate"] == c])
        for c in {r["candidate"] for r in tried}
    }
    chosen = next(r["tuned"] for r in run_grid(path).test)
    assert chosen == min(mean, key=lambda c: abs(mean[c] - 1))


def test_measurements_without_truth_are_not_written_as_a_dataset_of_pairs(photos: Path, tmp_path: Path) -> None:
    parsed = parse_grid(parse_yaml(grid(photos, ["blurred"]), "own.yaml"), tmp_path)
    with pytest.raises((DataError, ResultError), match="no sharp version"):
        write_dataset(parsed, tmp_path / "out", "test", "png8", None)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["seed002_real", "seed004_own"])
def test_a_grid_on_real_pictures_plans_once_they_are_there(
    name: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(DataError, match=r"is not a folder|psf\.npy"):
        Runner(read_grid(find_grid(name)), Options(tmp_path / "out"), Silent()).second_stage({})
    photos.rename(tmp_path / ("radiographs" if name == "seed002_real" else "blurred-photographs"))
    parsed = read_grid(find_grid(name))
    cells = Runner(parsed, Options(tmp_path / "out"), Silent()).second_stage({})
    assert len(cells) == 3 * len(parsed.solvers)
