"""The first table of a run: cheap solvers over all pictures come first, and what they came to is shown once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from bench.grid.read import find_grid, read_grid
from bench.report.terminal import preliminary
from bench.running.runner import Options, Runner
from bench.running.waves import waves_of
from tests.conftest import Silent

CHEAP = ("blurred", "wiener: {tune: {balance: [0.5, 2]}}", "tikhonov")


def test_networks_run_after_what_makes_a_table_without_them() -> None:
    entries = read_grid(find_grid("quickstart")).solvers
    names = [[e.variant.base for e in wave] for wave in waves_of(entries)]
    assert names[0] == ["blurred", "wiener", "tv", "haar_fista"]
    assert sorted(n for wave in names for n in wave) == sorted(e.variant.base for e in entries)
    assert [len(wave) for wave in waves_of(entries[:2])] == [2]  # too few for a table
    assert [len(wave) for wave in waves_of([e for e in entries if e.variant.plugin.name == "blurred"] * 4)] == [4]


def test_quick_solvers_are_shown_over_all_pictures_once_while_slow_ones_are_still_to_come(
    write_grid: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_grid("convir", *CHEAP)
    heard, again = Silent(), Silent()
    finished = Runner(read_grid(path), Options(tmp_path / "out", limit=1, workers=1), heard).run()
    ((rows, total, after),) = heard.offered
    assert {r["solver"] for r in rows} == {"blurred", "wiener", "tikhonov"}
    assert {(r["image"], r["setting"]) for r in rows} == {(r["image"], r["setting"]) for r in finished.test}
    assert total == len(finished.test)
    assert after < len(heard.outcomes)
    in_order = list(dict.fromkeys(r["solver"] for r in finished.test))
    assert in_order == ["convir", "blurred", "wiener", "tikhonov"]  # rows stand as the grid has its solvers
    Runner(read_grid(path), Options(tmp_path / "out", limit=1), again).run()
    assert again.offered == []


def test_a_preliminary_table_says_how_much_of_the_run_it_is_and_claims_nothing() -> None:
    same = {
        "phase": "test",
        "status": "ok",
        "dataset": "d",
        "split": "test",
        "setting": "x",
        "psf_index": 0,
        "rep": 0,
    }
    rows = [
        {**same, "solver": s, "image": str(i), "m_psnr": 20.0 + i, "in_psnr": 19.0}
        for s in ("tv", "wiener")
        for i in range(3)
    ]
    console = Console(width=100)
    with console.capture() as captured:
        console.print(preliminary(rows, 24))
    text = captured.get()
    assert "preliminary, 6 of 24 cells: 2 solvers" in text
    assert "Δ" not in text
    assert preliminary(rows, 24, line=True) == "preliminary, 6 of 24 cells: PSNR tv 21.00, wiener 21.00"
