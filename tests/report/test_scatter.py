"""The table of variance components: from made-up cells whose components are known."""

from __future__ import annotations

import numpy as np
import pytest

from bench.report.board import Board
from bench.report.scatter import components

#: standard deviations of a nested experiment: shared by all solvers, of each solver
TRUE = {"photograph": (3.0, 1.0), "kernel": (1.5, 0.8), "noise": (0.7, 0.4)}


def board(
    rng: np.random.Generator, solvers: int = 4, photographs: int = 12, kernels: int = 3, reps: int = 2
) -> Board:
    """Photographs, in each its own kernels, in each its own draws of the noise."""

    def effects(name: str, *shape: int) -> np.ndarray:
        shared, own = TRUE[name]
        return shared * rng.standard_normal(shape) + own * rng.standard_normal((solvers, *shape))

    photo = effects("photograph", photographs)[..., None, None]
    kernel = effects("kernel", photographs, kernels)[..., None]
    values = 30 + photo + kernel + effects("noise", photographs, kernels, reps)
    rows = [
        {
            "phase": "test", "status": "ok", "solver": f"s{s}", "dataset": "d", "split": "test", "setting": "one",
            "image": f"i{p}", "psf_index": k, "rep": r, "psf_sha": f"{p}-{k}", "m_psnr": float(values[s, p, k, r]),
        }
        for s, p, k, r in np.ndindex(values.shape)
    ]  # fmt: skip
    return Board.from_rows(rows, ["psnr"])


def test_each_nested_source_is_estimated_without_bias() -> None:
    rng = np.random.default_rng(0)
    runs = [components(board(rng), "psnr")[0] for _ in range(40)]
    for name, (shared, own) in TRUE.items():
        spread = np.array([next((c.shared, c.own) for c in run if c.source == name) for run in runs])
        assert np.sqrt((spread**2).mean(0)) == pytest.approx([shared, own], rel=0.12), name


def test_sources_that_the_cells_cannot_tell_apart_stand_in_one_line() -> None:
    shares, _ = components(board(np.random.default_rng(1), kernels=1, reps=1), "psnr")
    assert [c.source for c in shares] == ["photograph, kernel and noise"]
    assert shares[0].settings == 1


def test_a_solver_that_diverges_is_left_out_and_named() -> None:
    made = board(np.random.default_rng(2))
    rows = [r for line in made.rows for r in line if r is not None]
    far = [{**r, "solver": "far", "m_psnr": -200.0 + 40 * r["psf_index"]} for r in rows if r["solver"] == "s0"]
    shares, left_out = components(Board.from_rows([*rows, *far], ["psnr"]), "psnr")
    assert left_out == ["far"]
    assert shares == components(made, "psnr")[0]


def test_two_photographs_have_no_components() -> None:
    assert components(board(np.random.default_rng(3), photographs=2), "psnr")[0] == []
