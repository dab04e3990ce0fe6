"""Training pairs: study 001's four modes, recorded pairs, bursts; reproducible, whoever makes them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from bench.errors import DataError, RecipeError
from bench.grid.image_index import ImageIndex
from bench.grid.planner import Planner
from bench.grid.read import find_grid, read_grid
from bench.imaging.measure import Image as Scene
from bench.imaging.measure import blur_valid
from bench.imaging.pairs import gopro, rsblur
from bench.running.exposure import expose
from bench.train.data import pairs
from bench.train.data.degrade import Exposures
from bench.train.data.feed import feed
from bench.train.data.layouts import halve
from bench.train.recipe.read import read
from bench.train.recipe.restoration import ConditionalRecipe, Degradation, RestorerRecipe
from tests.restoration import SWINIR, write_recipe
from tests.training import write_images

SHAKE = {"boracchi_foi": {"length": 8, "anxiety": 0.005, "samples": 200}}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


def recipe(tmp_path: Path, **changes: Any) -> ConditionalRecipe | RestorerRecipe:
    plan = read(write_recipe(tmp_path / "r.yaml", **changes))
    assert isinstance(plan, ConditionalRecipe | RestorerRecipe)
    return plan


def exposures(*blur: dict[str, Any], noise: dict[str, Any] | None = None, seed: int = 0) -> Exposures:
    entry = noise or {"poisson_gaussian": {"lam": float("inf")}}
    return Exposures(Degradation(blur=list(blur), noise=[entry], margin=4), seed)


def drawn(some: Exposures, n: int = 40) -> tuple[set[bytes], set[float], set[float]]:
    """The different PSFs, exposures and noise levels in n draws."""
    scene = np.full((1, 24, 24), 0.5)
    measured = [some([scene], np.random.default_rng(i)) for i in range(n)]
    return {m.psf.tobytes() for m in measured}, {m.T for m in measured}, {float(m.level.sigma) for m in measured}


# --- the four modes of study 001 -------------------------------------------------------------------------------


def test_one_trajectory_is_one_fixed_kernel() -> None:
    psfs, _, _ = drawn(exposures(SHAKE))
    assert len(psfs) == 1


def test_many_trajectories_are_random_kernels_within_the_given_parameters() -> None:
    some = exposures({"boracchi_foi": {**SHAKE["boracchi_foi"], "trajectories": 30}})
    psfs, _, _ = drawn(some)
    assert 15 < len(psfs) <= 30
    assert max(some.psf(0, k).psf.shape[0] for k in range(30)) <= 9


def test_lists_of_noise_levels_are_drawn_alike() -> None:
    noise = {"poisson_gaussian": {"zip": {"lam": [768000, 48000], "sigma": [1, 4]}}}
    _, _, sigmas = drawn(exposures(SHAKE, noise=noise))
    assert sigmas == {1 / 255, 4 / 255}


def test_exposures_of_one_trajectory_grow_into_one_another() -> None:
    """The path at T = 1/2 is the first half of that at T = 1: a kernel that is nowhere brighter than twice it."""
    some = exposures({"boracchi_foi": {"length": 8, "anxiety": 0.0, "samples": 200, "T": [0.5, 1.0], "size": 9}})
    psfs, exposed, _ = drawn(some)
    assert exposed == {0.5, 1.0}
    assert len(psfs) == 2
    half, whole = (some.psf(i, 0).psf for i in (0, 1))
    assert (half > 1e-3).sum() < (whole > 1e-3).sum()
    u = [np.linalg.svd(np.cov(np.argwhere(k > 1e-3).T))[0][:, 0] for k in (half, whole)]
    assert abs(float(u[0] @ u[1])) > 0.98  # the same direction


def test_a_measurement_is_the_blurred_scene_of_the_harness() -> None:
    some = exposures(SHAKE)
    scene = np.random.default_rng(0).random((1, 24, 24))
    m = some([scene], np.random.default_rng(1))
    assert np.array_equal(m.y, blur_valid(Scene("", scene, 4), m.psf))
    assert np.array_equal(m.sharp, scene[:, 4:-4, 4:-4])


def test_the_kernels_of_a_grid_can_be_asked_for_and_are_not_drawn_otherwise(tmp_path: Path) -> None:
    """A network for one fixed kernel, or for one trajectory at varying T, is tested on that very one."""
    (tmp_path / "g.yaml").write_text(
        "name: g\nseed: 11\ndata: {test: {phantoms: {split: test, size: 64}}}\n"
        "blur: [boracchi_foi: {length: 8, anxiety: 0.005, samples: 200, trajectories: 1}]\n"
        "noise: [poisson_gaussian: {lam: .inf}]\nsolvers: [blurred]\n"
    )
    planner = Planner(read_grid(tmp_path / "g.yaml"), ImageIndex(tmp_path / "index"))
    tested = expose(planner.shots(planner.settings[0], "test")[0][0])[1].psf
    section = {"blur": [SHAKE], "noise": [{"poisson_gaussian": {"lam": 1e6}}], "psf_seed": 11}
    asked = Exposures(Degradation(**section, split="test"), seed=0)
    assert np.array_equal(asked.psf(0, 0).psf, tested)
    assert not np.array_equal(Exposures(Degradation(**section), seed=0).psf(0, 0).psf, tested)


RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.mark.skipif(not RECIPES.is_dir(), reason="there are no recipes beside the tests")
@pytest.mark.parametrize(("name", "blur"), [("fig4_line", 0), ("fig4_shake", 1), ("fixed_kernel", 1)])
def test_the_networks_of_figure_4_are_trained_on_the_paths_that_their_grid_tests(
    name: str, blur: int, tmp_path: Path
) -> None:
    plan = read(RECIPES / f"seed001_{name}.yaml")
    assert isinstance(plan, ConditionalRecipe)
    assert plan.degradation is not None
    learnt = Exposures(plan.degradation, plan.seed)
    planner = Planner(read_grid(find_grid("seed001_fig4_networks")), ImageIndex(tmp_path / "index"), limit=1)
    tested = [
        planner.shots(s, "test")[0][0] for s in planner.settings if s.blur.id.startswith(("line", "shake")[blur])
    ]
    assert len(tested) == 6
    psfs = {float(e.T): e.psf for e in (expose(shot)[1] for shot in tested)}
    known = {float(v.settings.get("T", 1)): learnt.psf(i, 0).psf for i, (_, v, _) in enumerate(learnt.blurs)}
    assert set(psfs) <= set(known) if name != "fixed_kernel" else set(known) == {1.0}
    assert all(np.array_equal(psfs[T], known[T]) for T in psfs.keys() & known.keys())


def test_training_kernels_change_with_the_seed_of_the_recipe() -> None:
    assert not np.array_equal(exposures(SHAKE).psf(0, 0).psf, exposures(SHAKE, seed=1).psf(0, 0).psf)


def test_a_kernel_larger_than_the_margin_is_an_error_and_not_a_crop() -> None:
    some = exposures({"linear": {"length": 15, "angle": 0}})
    with pytest.raises(DataError, match="needs 8 pixels around"):
        some([np.zeros((1, 24, 24))], np.random.default_rng(0))


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ({"blur": [], "noise": [{"poisson_gaussian": {"lam": 1e6}}]}, "at least one entry"),
        ({"blur": ["shake"], "noise": [{"poisson_gaussian": {"lam": 1e6}}]}, "no operator is called 'shake'"),
        ({"blur": ["recorded"], "noise": [{"poisson_gaussian": {"lam": 1e6}}]}, "synthesises nothing"),
        ({"blur": ["identity"], "noise": [{"poisson_gaussian": {"lamda": 1e6}}]}, "no parameter 'lamda'"),
        ({"blur": [{"gaussian": {"sigma": 1, "trajectories": 0}}], "noise": ["poisson_gaussian"]}, "trajectories"),
        (None, "need a degradation section"),
    ],
)
def test_a_degradation_that_cannot_be_is_refused_with_the_file(tmp_path: Path, section: Any, text: str) -> None:
    with pytest.raises(RecipeError, match=rf"r\.yaml: .*{text}"):
        recipe(tmp_path, degradation=section)


# --- batches --------------------------------------------------------------------------------------------------


def test_a_batch_of_pairs_is_a_function_of_its_key_alone(tmp_path: Path, root: Path) -> None:
    made = pairs.load(recipe(tmp_path), "train", root)
    again = pairs.load(recipe(tmp_path), "train", root)
    first = [made.batch((0, step)) for step in (5, 6)]
    x, y = again.batch((0, 5))
    assert np.array_equal(first[0][0], x)
    assert np.array_equal(first[0][1], y)
    assert not np.array_equal(first[1][0], x)
    assert x.shape == y.shape == (4, 1, 16, 16)
    assert x.dtype == y.dtype == np.float32


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_change_neither_the_batches_nor_their_order(tmp_path: Path, root: Path, workers: int) -> None:
    made = pairs.load(recipe(tmp_path), "train", root)
    expected = [made.batch((0, step)) for step in range(3, 8)]
    fed = list(feed(lambda step: made.batch((0, step)), 3, 8, workers))
    assert len(fed) == 5
    for batch, wanted in zip(fed, expected, strict=True):
        assert all(torch.equal(a, torch.from_numpy(b)) for a, b in zip(batch, wanted, strict=True))


def test_validation_pairs_are_centre_crops_degraded_the_same_way_every_time(tmp_path: Path, root: Path) -> None:
    made = pairs.load(recipe(tmp_path), "val", root)
    (x, y), (x2, y2) = made.centres(10), made.centres(10)
    assert len(x) == 3  # there are no more
    assert np.array_equal(y, y2)
    assert np.array_equal(x, x2)
    with Image.open(root / "val/val_0.png") as image:
        assert np.array_equal(np.rint(255 * x[0, 0]), np.asarray(image)[2:18, 4:20])


def test_images_without_room_for_size_and_margin_are_named(tmp_path: Path, root: Path) -> None:
    with pytest.raises(DataError, match=r"none of its 6 images has sides of at least 36 pixels \(size 32"):
        pairs.load(recipe(tmp_path, size=32), "train", root)


def test_colour_pairs_keep_three_channels_and_one_kernel(tmp_path: Path, root: Path) -> None:
    network = {"kind": "convir", "n": 0, "width": 8, "image_channels": 3}
    x, y = pairs.load(recipe(tmp_path, network=network), "train", root).batch((0, 0))
    assert x.shape == y.shape == (4, 3, 16, 16)
    assert np.allclose(x[:, 0], x[:, 2], atol=0.01)  # the pictures are gray


# --- recorded pairs and bursts --------------------------------------------------------------------------------


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def picture(i: int, H: int = 40, W: int = 48) -> np.ndarray:
    return np.random.default_rng(i).integers(0, 200, (H, W), dtype=np.uint8)


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Three pairs in the layouts of GoPro and RSBlur; the blurred picture is the sharp one plus 20."""
    for i in range(3):
        for sharp, blurred in (
            (f"gopro/S{i % 2}/sharp/{i:06}.png", f"gopro/S{i % 2}/blur/{i:06}.png"),
            (f"rsblur/0001/{i:06}/gt/gt_sharp.png", f"rsblur/0001/{i:06}/real_blur/real_blur.png"),
        ):
            save(tmp_path / sharp, picture(i))
            save(tmp_path / blurred, picture(i) + np.uint8(20))
    return tmp_path


@pytest.mark.parametrize("layout", ["gopro", "rsblur"])
@pytest.mark.parametrize("halved", [False, True])
def test_recorded_pairs_are_cropped_at_the_same_place(recorded: Path, layout: str, halved: bool) -> None:
    data = {"train": {"path": layout}, "val": {"path": f"./{layout}"}, "credits": ["x"]}  # another name: no split
    plan = recipe(recorded, degradation=None, data=data, pairs={"layout": layout, "halved": halved})
    for part in ("train", "val"):
        made = pairs.load(plan, part, recorded)
        x, y = made.batch((0, 1))
        assert len(made) == 3
        assert np.allclose(255 * (y - x), 20, atol=1.01 if halved else 1e-3)


def test_one_gopro_folder_trains_and_validates_on_different_sequences(recorded: Path) -> None:
    """S0 has the pictures 0 and 2, S1 the picture 1; in the flat layout the sequence stands in the name."""
    for i in range(3):
        for folder in ("target", "input"):
            save(recorded / f"flat/{folder}/S{i % 2}-{i:06}.png", picture(i))
    for place in ("gopro", "flat"):
        data = {"train": {"path": place}, "val": {"path": place}, "credits": ["x"]}
        plan = recipe(recorded, degradation=None, data=data, pairs={"layout": "gopro"})
        assert [len(pairs.load(plan, part, recorded)) for part in ("train", "val")] == [2, 1]


def test_a_folder_of_one_sequence_cannot_both_train_and_validate(recorded: Path) -> None:
    shutil.rmtree(recorded / "gopro/S1")
    data = {"train": {"path": "gopro"}, "val": {"path": "gopro"}, "credits": ["x"]}
    plan = recipe(recorded, degradation=None, data=data, pairs={"layout": "gopro"})
    with pytest.raises(DataError, match="one sequence cannot both train and validate"):
        pairs.load(plan, "train", recorded)


def test_rsblur_may_be_given_as_a_list_of_files(recorded: Path) -> None:
    shots = [f"0001/{i:06}" for i in (0, 2)]
    lines = [f"rsblur/{s}/gt/gt_sharp.png rsblur/{s}/real_blur/real_blur.png" for s in shots]
    (recorded / "some.txt").write_text("\n".join(lines))
    assert [name for name, *_ in rsblur(recorded / "some.txt")] == [f"rsblur/{s}/gt/gt_sharp.png" for s in shots]


def test_halving_averages_two_by_two_pixels() -> None:
    pixels = np.array([[0, 4, 9], [8, 4, 9], [7, 7, 7]], dtype=np.uint8)
    assert np.array_equal(halve(pixels), [[4]])


def test_pairs_that_lack_their_blurred_picture_are_named(recorded: Path) -> None:
    (recorded / "gopro/S1/blur/000001.png").unlink()
    with pytest.raises(DataError, match=r"1 of 3 sharp pictures lack .*000001\.png"):
        gopro(recorded / "gopro")
    with pytest.raises(DataError, match="holds no pairs"):
        rsblur(recorded / "gopro")


@pytest.mark.parametrize("frames", [1, 3, 5])
def test_a_burst_is_of_neighbours_and_never_reaches_across_the_held_out_end(tmp_path: Path, frames: int) -> None:
    """Frame i of 20 is a constant of 5 i gray levels: what a burst holds can be read off its values."""
    for i in range(20):
        save(tmp_path / f"seq/{i:03}.png", np.full((24, 24), 5 * i, dtype=np.uint8))
    network = SWINIR.model_copy(update={"frames": frames}).model_dump(mode="json")
    data = {"train": {"path": "seq"}, "val": {"path": "seq"}, "credits": ["x"]}
    sharp = {"margin": 2, "blur": ["identity"], "noise": [{"poisson_gaussian": {"lam": float("inf")}}]}
    layout = {"layout": "ct_sequence", "tested": 0.2}
    plan = recipe(tmp_path, network=network, data=data, degradation=sharp, pairs=layout)
    seen = {}
    for part in ("train", "val"):
        x, y = pairs.load(plan, part, tmp_path).centres(100)
        levels = np.rint(255 * y[:, :, 0, 0] / 5).astype(int)
        assert np.array_equal(levels[:, frames // 2], np.rint(255 * x[:, 0, 0, 0] / 5).astype(int))
        assert (np.diff(levels, axis=1) == 1).all()
        seen[part] = set(levels.ravel().tolist())
    assert seen == {"train": set(range(11)), "val": set(range(11, 16))}


def test_a_sequence_of_which_nothing_is_left_to_train_on_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="leave nothing to train on"):
        recipe(tmp_path, pairs={"layout": "ct_sequence", "holdout": 0.5, "tested": 0.5})


def test_a_recorded_sequence_pairs_its_two_folders(tmp_path: Path) -> None:
    for i in range(8):
        save(tmp_path / f"seq/sharp/{i}.png", picture(i))
        save(tmp_path / f"seq/blurred/{i}.png", picture(i) + np.uint8(20))
    data = {"train": {"path": "seq"}, "val": {"path": "seq"}, "credits": ["x"]}
    plan = recipe(tmp_path, data=data, degradation=None, pairs={"layout": "ct_sequence"})
    x, y = pairs.load(plan, "train", tmp_path).batch((0, 0))
    assert np.allclose(255 * (y - x), 20, atol=1e-3)


def test_a_burst_network_wants_a_sequence(tmp_path: Path) -> None:
    network = SWINIR.model_copy(update={"frames": 3}).model_dump(mode="json")
    with pytest.raises(RecipeError, match="ct_sequence"):
        recipe(tmp_path, network=network)
    with pytest.raises(RecipeError, match="gopro pairs are recorded"):
        recipe(tmp_path, pairs={"layout": "gopro"})
