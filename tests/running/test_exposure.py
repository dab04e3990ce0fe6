"""Which PSF an image is blurred with: one of its own, or one that all images share."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import GridError
from bench.grid.cells import Shot
from bench.grid.image_index import ImageIndex
from bench.grid.planner import Planner
from bench.grid.read import parse_grid
from bench.grid.yaml import parse_yaml
from bench.running.exposure import expose, psf_generator
from bench.seeds import generator

WALK = Path(__file__).parents[1] / "example_plugins/walk.py"


def shots(settings: str) -> list[Shot]:
    """The exposures of two images by the random walk with these settings."""
    text = f"""
data: {{test: {{phantoms: {{size: 32, margin: 8, limit: 2}}}}}}
blur: [{{{WALK}: {{{settings}}}}}]
noise: [poisson_gaussian: {{lam: .inf, sigma: 1}}]
solvers: [blurred]
"""
    planner = Planner(parse_grid(parse_yaml(text, "grid.yaml"), Path()), ImageIndex())
    return [s for x in planner.settings for s, _ in planner.shots(x, "test")]


def psfs(settings: str) -> dict[tuple[str, int], bytes]:
    """(image, psf_index) -> the bytes of its PSF."""
    return {(s.image, s.psf_index): expose(s)[1].psf.tobytes() for s in shots(settings)}


def test_every_image_has_a_kernel_of_its_own_by_default() -> None:
    by_default = psfs("T: 1.0")
    assert len(set(by_default.values())) == 2
    assert by_default == psfs("T: 1.0, trajectories: own")
    assert {s.kernel for s in shots("T: 1.0")} == {None}


def test_an_image_may_have_several_kernels_of_its_own() -> None:
    several = psfs("T: 1.0, trajectories: {own: 3}")
    assert len(set(several.values())) == len(several) == 6
    assert psfs("T: 1.0").items() <= several.items()


def test_a_number_of_trajectories_is_shared_by_all_images() -> None:
    shared = psfs("T: 1.0, trajectories: 2")
    assert len(shared) == 4
    assert {k for k, _ in enumerate(set(shared.values()))} == {0, 1}


def test_a_shared_kernel_has_one_name_for_all_images_and_exposures() -> None:
    names = {(s.psf_index, s.kernel) for s in shots("T: [0.5, 1.0], trajectories: 2")}
    assert [index for index, _ in sorted(names)] == [0, 1]
    assert len({name for _, name in names}) == 2


def test_the_exposures_of_an_image_share_its_path() -> None:
    half, full = shots("T: [0.5, 1.0]")[::2]
    assert (half.image, half.degradation.blur.settings["T"]) == (full.image, 0.5)
    a, b = (expose(s)[1].psf for s in (half, full))
    assert (b * 10 - a * 5).min() >= -1e-12  # the first five steps are among the ten


def test_a_shared_kernel_is_drawn_as_before_there_were_own_ones() -> None:
    for shot in shots("T: 0.5, trajectories: 2"):
        assert psf_generator(shot).random() == generator(0, "psf", "Walk", {}, "test", shot.psf_index).random()


def test_own_and_shared_kernels_make_different_cells() -> None:
    assert not {s.key for s in shots("T: 1.0")} & {s.key for s in shots("T: 1.0, trajectories: 1")}


@pytest.mark.parametrize("given", ["0", "mine", "{own: 0}", "{own: 1, more: 2}", "true", "[1, 2]"])
def test_other_trajectories_are_refused_with_what_is_allowed(given: str) -> None:
    with pytest.raises(GridError, match=r"own or \{own: N\}.*or N"):
        shots(f"T: 1.0, trajectories: {given}")
