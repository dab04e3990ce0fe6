"""From Python: a grid in, results out, as tables, pictures and plots."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

import bench
from bench.errors import GridError, ResultError, SettingError
from bench.statistics.leaderboard import leaderboard
from tests import fake_run

pytestmark = pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> bench.Results:
    return bench.load(fake_run.write(tmp_path_factory.mktemp("runs") / "demo", fail=False))


@pytest.fixture(autouse=True)
def no_window() -> Iterator[None]:
    import matplotlib.pyplot as plt

    with mpl.rc_context({"backend": "agg"}):
        yield
        plt.close("all")


def test_a_run_returns_what_its_folder_holds_and_computes_nothing_twice(
    write_grid: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_grid("@copy.py")
    results = bench.run(path, tmp_path / "out", progress=False)
    assert len(results.frame) == 8
    assert set(results.frame["status"]) == {"ok"}
    before = (tmp_path / "out" / "journal.jsonl").read_bytes()
    again = bench.run(path, tmp_path / "out", progress=False)
    assert (tmp_path / "out" / "journal.jsonl").read_bytes() == before
    assert again.frame.equals(results.frame)
    assert bench.load(tmp_path / "out").frame.equals(results.frame)


def test_a_dictionary_is_a_grid_and_its_mistakes_are_those_of_a_file(tmp_path: Path) -> None:
    grid: dict[str, Any] = {
        "name": "d",
        "data": {"test": {"photos": {"size": 32, "margin": 8, "limit": 1}}},
        "blur": [{"disk": {"radius": 1.5}}],
        "noise": [{"poisson_gaussian": {"lam": 48000, "sigma": 2}}],
        "solvers": ["blurred", {"wiener": {"balance": 2.0}}],
        "protocol": {"border": 2},
    }
    results = bench.run(grid, tmp_path / "d", workers=1, progress=False)
    assert list(results.leaderboard().index) == ["wiener", "blurred"]
    with pytest.raises(GridError, match="Did you mean 'wiener'"):
        bench.run(grid | {"solvers": ["wienr"]}, tmp_path / "e")
    with pytest.raises(GridError, match="dictionaries, lists, text and numbers alone"):
        bench.run(grid | {"seed": np.zeros(3)}, tmp_path / "e")


def test_a_plain_script_without_a_main_guard_runs_a_grid_once(
    write_grid: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_grid("@copy.py")
    script = tmp_path / "script.py"
    script.write_text(f"import bench\nprint(len(bench.run({str(path)!r}, 'out', workers=2).frame))\n")
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "8\n", done.stderr
    assert "Error" not in done.stderr


def test_importing_the_door_costs_neither_torch_nor_pandas_nor_typer() -> None:
    code = "import bench, sys; print([m for m in ('torch', 'pandas', 'matplotlib', 'typer') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert {"run", "load", "Results"} <= set(dir(bench))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = bench.nothing  # pyright: ignore[reportAttributeAccessIssue]


def test_the_leaderboard_has_the_numbers_of_the_statistics(demo: bench.Results) -> None:
    table = demo.leaderboard(baseline="wiener")
    board = demo.board
    expected = leaderboard(
        board.values("psnr"),
        board.settings,
        board.groups,
        board.kernels,
        lower_is_better=False,
        baseline=board.solvers.index("wiener"),
    )
    assert list(table.index) == [board.solvers[s] for s in expected.order]
    for s, row in zip(board.solvers, expected.rows, strict=True):
        assert table.loc[s, "psnr"] == row.mean
        assert table.loc[s, "psnr_low"] == pytest.approx(row.low, nan_ok=True)
        if row.delta is not None:
            assert table.loc[s, "delta"] == row.delta.mean
            assert table.loc[s, "p"] == pytest.approx(row.delta.adjusted, nan_ok=True)
    with pytest.raises(SettingError, match="Did you mean 'wiener'"):
        demo.leaderboard(baseline="weiner")


def test_a_plot_shows_every_mean_where_the_table_has_it(demo: bench.Results) -> None:
    ax = demo.plot("psnr", by=None, solvers=["tv", "wiener"])
    points = ax.lines[0]
    assert list(np.asarray(points.get_xdata())) == [demo.leaderboard().loc[s, "psnr"] for s in ("tv", "wiener")]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["tv", "wiener"]


def test_a_plot_by_a_column_has_a_point_for_each_solver_and_value(demo: bench.Results) -> None:
    ax = demo.plot(by="setting", baseline="wiener")
    values = demo.frame["setting"].unique()
    assert [t.get_text() for t in ax.get_xticklabels()] == list(values)
    assert len(ax.containers) == len(demo.board.solvers) - 1
    psnr = demo.frame.pivot_table(index="setting", columns="solver", values="m_psnr", sort=False)
    _, labels = ax.get_legend_handles_labels()
    points = [
        line for line in ax.lines if line.get_marker() != "None" and len(np.asarray(line.get_xdata())) == len(values)
    ]
    tv = points[labels.index("tv")]
    assert np.asarray(tv.get_ydata()) == pytest.approx((psnr["tv"] - psnr["wiener"]).loc[values].to_numpy())
    for wrong, text in (({"metric": "psnrr"}, "Did you mean 'psnr'"), ({"by": "settin"}, "Did you mean 'setting'")):
        with pytest.raises(SettingError, match=text):
            demo.plot(**wrong)  # pyright: ignore[reportArgumentType]


def test_pictures_are_those_that_the_run_stored(demo: bench.Results) -> None:
    where = demo.frame.iloc[0]
    axes = demo.images(where["image"], where["setting"], solvers=["tv"])
    assert [ax.get_title().split("\n")[0] for ax in axes] == ["truth", "measurement", "tv"]
    shown = np.asarray(axes[0].images[0].get_array())
    assert shown.shape == (64, 64)
    assert shown.min() >= 0
    assert shown.max() <= 1
    with pytest.raises(ResultError, match="no picture of nobody under any setting"):
        demo.images("nobody")


def test_a_notebook_shows_the_conclusion_and_the_table(demo: bench.Results) -> None:
    html = demo._repr_html_()
    for sentence in demo.conclusion():
        assert sentence.replace("'", "&#x27;") in html
    assert html.count("<tr") == len(demo.board.solvers) + 1
    assert repr(demo).startswith("Results(")


def test_a_folder_without_a_run_says_what_every_command_says(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="is not a finished run"):
        bench.load(tmp_path)


def test_names_of_solvers_cannot_break_the_table_of_a_notebook(tmp_path: Path) -> None:
    solvers = {"<script>": ("filter", 0.5, 1.0, 0.1, 1), "blurred": ("reference", 0.0, 1.0, 0.1, 0)}
    html = bench.load(fake_run.write(tmp_path / "r", solvers=solvers, fail=False))._repr_html_()
    assert "<script>" not in html


def test_types_travel_with_the_package() -> None:
    assert (Path(bench.__file__).parent / "py.typed").is_file()
