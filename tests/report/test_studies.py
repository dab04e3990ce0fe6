"""The tables in the form of the studies, from made-up rows; each number checked by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.contracts import Context, NoiseLevel
from bench.files import built_in_folder
from bench.grid import schema
from bench.grid.read import find_grid, read_grid
from bench.report.board import Board
from bench.report.load import Pictures, Results
from bench.report.page import build
from bench.report.studies import experiments, profiles
from bench.report.studies.published import HEADING
from bench.report.studies.score import score_table
from bench.report.studies.section import STUDIES, section
from bench.report.studies.table import Table
from bench.results.identity import MeasurementId
from bench.running.runner import Finished
from tests import fake_run
from tests.metric_values import values as evaluate

#: what a solver of these tests makes of a measurement of ``in_psnr``
GAIN = {"blurred": 0.0, "wiener": 2.0, "tv": 3.0}


def row(solver: str, image: str, psnr: float, **about: Any) -> dict[str, Any]:
    """A test row; SSIM and LPIPS follow from PSNR, the input is at ``about["given"]``."""
    given = about.pop("given", psnr)
    where = {"dataset": "photos", "split": "test", "blur": "16 px", "noise": "none", "T": 1.0} | about
    return {
        "phase": "test", "status": "ok", "solver": solver, "image": image, "psf_index": 0, "rep": 0,
        "setting": f"{where['blur']} · {where['noise']}", **where,
        "m_psnr": psnr, "m_ssim": psnr / 50, "m_lpips_alex": 1 / psnr,
        "in_psnr": given, "in_ssim": given / 50, "in_lpips_alex": 1 / given,
    }  # fmt: skip


def board(
    settings: list[dict[str, Any]], base: Callable[..., float], solvers: dict[str, float] | None = None
) -> Board:
    """Every solver on two images, "a" and "b", one dB apart, in each setting."""
    rows = []
    for solver, gain in (solvers or GAIN).items():
        for about, (i, image) in product(settings, enumerate("ab")):
            given = base(**about) + i
            rows.append(row(solver, image, given + gain, given=given, **about))
    return Board.from_rows(rows)


def score(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its part in the score of study 004."""
    return {**row, **{f"{of}_score_convir": 50 * (row[f"{of}_psnr"] / 33 + row[f"{of}_ssim"]) for of in ("m", "in")}}


def texts(table: Table, label: str, group: str = "") -> list[str]:
    (line,) = (e for e in table.lines if e.label == label and e.group in ("", group))
    return [v.text for v in line.values]


def test_kernel_sizes_stand_in_columns_and_each_noise_has_a_table() -> None:
    blurs, noises = ("16 px", "32 px", "64 px"), ("none", "8 bit")
    settings = [{"blur": b, "noise": n} for b in blurs for n in noises]

    def base(blur: str, noise: str) -> float:
        return 30.0 - 4 * blurs.index(blur) - noises.index(noise)

    exact, rounded = experiments.kernel_sizes(board(settings, base))
    assert exact.groups == [(b, 3) for b in blurs]
    assert exact.heads == ["PSNR", "SSIM", "LPIPS"] * 3
    assert texts(exact, "tv")[::3] == ["33.50", "29.50", "25.50"]
    assert texts(rounded, "wiener")[:2] == ["31.50", "0.630"]
    best = [line.label for line in exact.lines if all(v.best for v in line.values)]
    assert best == ["tv"]


def test_noise_levels_show_what_goes_in_what_comes_out_and_the_paired_gain() -> None:
    levels = {"low": 25.0, "high": 20.0}
    (table,) = experiments.noise_levels(board([{"noise": n} for n in levels], lambda noise: levels[noise]))
    assert [(e.group, e.label) for e in table.lines] == [
        (group, label) for group in levels for label in ("In", "wiener", "tv")
    ]
    assert texts(table, "In", "high")[0] == "20.50"
    assert texts(table, "tv", "high") == ["23.50", "0.470", "0.043", "+3.00"]


def test_denoising_shows_noisy_denoised_and_the_paired_improvement_beside_what_was_printed() -> None:
    (table,) = experiments.denoising(board([{"noise": "0.3"}], lambda noise: 17.0))
    assert table.groups == [("PSNR", 3), ("SSIM", 3)]
    assert table.heads == ["noisy", "denoised", "improvement"] * 2
    assert texts(table, "tv") == ["17.50", "20.50", "+3.00", "0.350", "0.410", "+0.060"]
    assert texts(table, "published", HEADING) == ["17.21", "19.66", "+2.44", "0.5372", "0.5364", "−0.0008"]
    assert [e.label for e in table.lines] == ["wiener", "tv", "published"]


def test_projection_and_correction_has_two_columns_for_each_blur() -> None:
    (table,) = experiments.projection_correction(board([{"blur": b} for b in ("line", "shake")], lambda blur: 25.0))
    assert table.groups == [("line", 2), ("shake", 2)]
    assert texts(table, "tv") == ["28.50", "0.570"] * 2


def test_a_line_with_an_optimum_and_a_plateau_are_told_apart() -> None:
    """PSNR by octave of T, the best at 1/8; later the line loses 2 dB per octave, the shake 0.1."""
    stops = [2.0**-k for k in (5, 4, 3, 2, 1, 0)]
    curve = {
        "line": dict(zip(stops, [20, 24, 26, 24, 22, 20], strict=True)),
        "shake": dict(zip(stops, [20, 24, 26, 25.2, 25.1, 25], strict=True)),
    }
    settings = [{"blur": f"{shape} T={t:g}", "T": t} for shape in curve for t in stops]
    tables = experiments.exposures(board(settings, lambda blur, T: curve[blur.split()[0]][T]))
    assert [t.title for t in tables] == ["Figure 4: exposure, line", "Figure 4: exposure, shake"]
    line, shake = tables
    assert texts(line, "tv")[:6] == ["23.50", "27.50", "29.50", "27.50", "25.50", "23.50"]
    assert texts(line, "tv")[6:] == ["0.125", "−6.00", "−2.00"]
    assert texts(shake, "tv")[6:] == ["0.125", "−1.00", "−0.10"]
    assert [v.best for v in line.lines[0].values[:6]] == [t == 0.125 for t in stops]


def test_paddings_and_regularisers_stand_apart() -> None:
    solvers = {"blurred": 0.0, "TV": 3.0, "wiener padding=zero": 1.0, "wiener padding=edge": 2.0}
    regularisers, paddings = experiments.regularisers(board([{}], lambda: 30.0, solvers))
    assert [e.label for e in regularisers.lines if not e.group] == ["blurred", "TV"]
    assert [e.label for e in regularisers.lines if e.group == HEADING][1] == "TV (PyLops)"
    assert {e.label: e.values[0].text for e in paddings.lines} == {
        "wiener padding=zero": "31.50",
        "wiener padding=edge": "32.50",
    }


def test_the_score_averages_over_datasets_and_not_over_images() -> None:
    """Three pictures of one dataset and one of another: each dataset is half of the score."""
    rows = [row("net", f"g{i}", 33.0, dataset="gopro") for i in range(3)] + [row("net", "r", 16.5, dataset="rsblur")]
    table = score_table(Board.from_rows(map(score, rows)))
    assert table.groups == [("gopro", 2), ("rsblur", 2), ("", 1)]
    # SSIM of these rows is PSNR / 50: 100 (1 + 0.66) / 2 = 83 and 100 (0.5 + 0.33) / 2 = 41.5
    assert texts(table, "net") == ["33.00", "0.660", "16.50", "0.330", "62.25"]


def test_the_score_of_each_image_has_the_mean_that_the_means_have() -> None:
    rng = np.random.default_rng(0)
    context = Context(np.zeros((1, 24, 24)), np.ones((1, 1)), NoiseLevel(0.0, 0.1))
    truths = rng.random((5, 1, 24, 24))
    figures = [
        evaluate(["psnr", "ssim", "score_convir"], x, x + s * rng.standard_normal(x.shape), context)
        for x, s in zip(truths, (0.01, 0.05, 0.1, 0.2, 0.4), strict=True)
    ]
    psnr, ssim, score = (np.mean([f[n] or 0.0 for f in figures]) for n in ("psnr", "ssim", "score_convir"))
    assert score == pytest.approx(100 * (psnr / 33 + ssim) / 2, rel=1e-12)


def stored(folder: Path) -> Pictures:
    """A picture that varies most in row 5, columns 40 to 60; the measurement is half of it, tv all of it."""
    truth = np.zeros((1, 16, 100))
    truth[0, 5, 40:60:2] = 1
    np.savez(
        folder / "p.npz",
        allow_pickle=False,
        **{"truth": truth, "y": truth / 2, "psf": np.ones((1, 1)), "solver:tv": truth},
    )
    measurement = MeasurementId("ct", "test", "disk · low", "slice", 0, 0)
    return Pictures(measurement, folder / "p.npz", {"tv": "tv @ monday"})


def test_a_profile_runs_through_the_row_with_the_most_variation(tmp_path: Path) -> None:
    at, lines = profiles.profiles(stored(tmp_path))
    assert at == 5
    assert {40, 59} <= set(lines["column"].tolist())
    assert len(lines["column"]) == 64
    assert np.allclose(lines["measurement"], lines["truth"] / 2)
    assert np.allclose(lines["tv @ monday"], lines["truth"])


def test_profiles_are_saved_with_the_numbers_behind_them(tmp_path: Path) -> None:
    (figure,) = profiles.draw([stored(tmp_path)], tmp_path)
    assert {(tmp_path / name).suffix for name in figure.files} == {".pdf", ".svg", ".csv"}
    assert (tmp_path / "profiles_0.csv").read_text().splitlines()[0] == "column,truth,measurement,tv @ monday"
    assert figure.svg.startswith("<svg")


def results(name: str | None) -> Results:
    return Results([{"name": "mine", "study": name}], [], [], 0, 0, [], [])


def test_only_the_grids_of_the_studies_and_those_that_ask_for_the_score_get_a_section() -> None:
    one = board([{}], lambda: 30.0)
    assert section(results(None), one, None) is None
    one_study = section(results("001_table1"), one, None)
    assert one_study is not None
    assert "Innocenti" in one_study.source
    asking = Board.from_rows([score(r) for line in one.rows for r in line if r is not None])
    scored = section(results(None), asking, None)
    assert scored is not None
    assert [t.name for t in scored.tables] == ["score"]


def test_every_experiment_that_a_grid_may_name_has_a_form_and_a_grid_that_ships() -> None:
    assert set(STUDIES) == set(schema.STUDIES)
    folder = built_in_folder("grids")
    assert folder is not None
    named = {read_grid(find_grid(path.stem)).study for path in folder.glob("seed00[0-3]_*.yaml")}
    assert named - {None} == set(STUDIES)  # grids on pictures without a truth follow no table


def test_the_figures_of_the_thesis_stand_below_ours_in_the_columns_they_belong_to() -> None:
    settings = [{"blur": b} for b in ("32 px", "64 px")]
    (table,) = experiments.kernel_sizes(board(settings, lambda blur: 30.0))
    assert texts(table, "Wiener", HEADING)[::3] == ["25.53", "22.64"]
    assert texts(table, "tv")[::3] == ["33.50", "33.50"]
    levels = [{"noise": "no noise"}, {"noise": "σ = 4, λ = 48000"}]
    (noisy,) = experiments.noise_levels(board(levels, lambda noise: 20.0))
    assert texts(noisy, "published: Out", "σ = 4, λ = 48000") == ["22.69", "0.572", "0.309", "+3.37"]


def test_the_page_shows_the_tables_of_a_study_with_hostile_names_as_text(tmp_path: Path) -> None:
    run = fake_run.write(tmp_path / "run", study="001_table3", size=24, images=2, fail=False,
                         change={"noise": "<b>8 bit</b>"})  # fmt: skip
    page = build([run], tmp_path / "report", figures=False).read_text(encoding="utf-8")
    assert "Table 3: sizes of the kernel, noise: &lt;b&gt;8 bit&lt;/b&gt;" in page
    assert "<b>8 bit" not in page
    plain = fake_run.write(tmp_path / "plain", size=24, images=2, fail=False)
    assert 'id="study"' not in build([plain], tmp_path / "other", figures=False).read_text(encoding="utf-8")


def test_a_grid_that_asks_for_the_score_stores_it_and_shows_it(
    write_grid: Callable[..., Path], run_grid: Callable[..., Finished], tmp_path: Path
) -> None:
    path = write_grid("@copy.py")
    path.write_text(path.read_text().replace("metrics: [psnr]", "metrics: [psnr, ssim, score_convir]"))
    finished = run_grid(path)
    one = finished.test[0]
    assert one["m_score_convir"] == pytest.approx(50 * (one["m_psnr"] / 33 + one["m_ssim"]))
    page = build([finished.folder], tmp_path / "report", figures=False).read_text(encoding="utf-8")
    assert "Score over datasets" in page
