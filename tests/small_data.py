"""The commands of docs/studies.md on data so small that they run in a moment: grids, recipes, every layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from bench.errors import RecipeError
from bench.files import path_or_shipped
from bench.grid.read import find_grid
from bench.plugins.lookup import find_plugin
from tests.restoration import UNET, write_conditional

#: side of a field of view
SIDE = 32
#: parameters that say how long a solver works
LENGTHS = ("steps", "niter", "niter_outer", "num_iter", "max_num_iter")


# --- pictures -------------------------------------------------------------------------------------------------


def _save(path: Path, seed: int, side: int, colour: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (side // 8, side // 8, 3) if colour else (side // 8, side // 8)
    coarse = Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))
    coarse.resize((side, side), Image.Resampling.BICUBIC).save(path)


def lay_out(root: Path, side: int = 104) -> Path:
    """Two pictures or more of everything that grids and recipes name, as it is published; returns ``root``.

    As a home it has what grids look for: ~/GOPRO_Large, ~/radiographs with ~/psf.npy, ~/blurred-photographs.
    """
    for folder in ("photos-train", "photos-val", "ct-train", "ct-val", "radiographs", "blurred-photographs"):
        for i in range(2):
            _save(root / folder / f"{i}.png", i, side)
    for i in range(50):  # so many that a tenth of them is a burst of five
        _save(root / f"ct-sequence/{i:03d}.png", 0, side)
    for part, sequence, kind in (
        (p, s, k) for p in ("train", "test") for s in ("GOPR1", "GOPR2") for k in ("sharp", "blur")
    ):
        _save(root / f"GOPRO_Large/{part}/{sequence}/{kind}/000001.png", 1, 2 * side, colour=True)
    for shot in ("0001", "0002"):
        for file in ("gt/gt_sharp.png", "real_blur/real_blur.png"):
            _save(root / f"RSBlur/scene/{shot}/{file}", 2, 264, colour=True)  # ConvIR with its MSM takes 256
    lines = [f"scene/{shot}/gt/gt_sharp.png scene/{shot}/real_blur/real_blur.png" for shot in ("0001", "0002")]
    for part in ("train", "val"):
        (root / f"RSBlur/RSBlur_real_{part}.txt").write_text("\n".join(lines))
    crops = np.random.default_rng(3).integers(0, 256, (4, 28, 28), dtype=np.uint8)
    (root / ".medmnist").mkdir()
    np.savez(root / ".medmnist/organamnist.npz", train_images=crops, val_images=crops, test_images=crops)
    np.save(root / "psf.npy", np.full((3, 3), 1 / 9))
    return root


# --- grids ----------------------------------------------------------------------------------------------------


def small_grid(name: str, folder: Path) -> Path:
    """A shipped grid on one picture of 32 pixels, untuned, with two iterations or evaluations a solver."""
    content = yaml.safe_load(find_grid(name).read_text(encoding="utf-8"))
    for datasets in content["data"].values():
        for dataset, settings in datasets.items():
            datasets[dataset] = _one_picture(dataset, settings)
    content["solvers"] = [_quick(entry, folder) for entry in content["solvers"]]
    content.pop("tune", None)
    content["metrics"] = [m for m in content["metrics"] if not m.startswith("lpips")]  # needs weights of others
    content["run"] = {"timeout": 600, "images": 1, "workers": 1}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def _one_picture(dataset: str, settings: dict[str, Any]) -> dict[str, Any]:
    has = find_plugin("dataset", dataset).parameters
    small = {"limit": 1, "size": SIDE} if dataset != "unpaired" else {"limit": 1}
    changed = {**settings, **{k: v for k, v in small.items() if k in has}}
    return {**changed, "resize": SIDE} if "resize" in changed else changed


def _quick(entry: Any, folder: Path) -> Any:
    if isinstance(entry, str):
        entry = {entry: {}}
    ((name, settings),) = entry.items()
    settings = {k: v for k, v in settings.items() if k != "tune"}
    for length in (n for n in LENGTHS if n in find_plugin("solver", name).parameters):
        settings[length] = min(settings.get(length, 2), 2)
    if str(weights := settings.get("weights", "")).endswith(".safetensors"):
        settings["weights"] = str(write_conditional(folder / weights, UNET))
    return {name: settings}


# --- recipes --------------------------------------------------------------------------------------------------


def small_recipe(name: str, side: int = SIDE) -> list[str]:
    """Options of ``bench train`` that make one step of a recipe with two crops of that side, from random weights."""
    content = yaml.safe_load(path_or_shipped(name, "recipes", ".yaml", RecipeError).read_text(encoding="utf-8"))
    restoration = content.get("kind", "prior") != "prior"
    validation = (
        "{every: 1, crops: 1, samples: 0}" if restoration else "{every: 1, sigmas: [25], samples: 1, sample_steps: 2}"
    )
    changes = {"batch": 2, "precision": "fp32", "workers": 0, "validation": validation, "init": "null"}
    changes |= {"size": min(content["size"], side), "optimiser.decay": 1}
    for part in ("train", "val"):
        source = content["data"][part]
        for place, one in (
            [("", source)] if "mix" not in source else [(f".mix.{i}", s) for i, s in enumerate(source["mix"])]
        ):
            if "dataset" in one:
                changes[f"data.{part}{place}.settings.limit"] = 2
    options = [w for k, v in changes.items() for w in ("--set", f"{k}={v}")]
    return ["--steps", "1", "--device", "cpu", *options]
