"""Keys of cells: equal content, equal key, however it is written; other content, another key."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from bench.grid.image_index import ImageIndex
from bench.grid.planner import Planner
from bench.grid.read import parse_grid
from bench.grid.yaml import parse_yaml
from bench.seeds import digest
from tests.conftest import PLUGINS
from tests.fuzz import fuzzed

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.text(max_size=4)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
SEEDS = st.integers(0, 2**64)

BASE: dict[str, Any] = {
    "seed": 3,
    "data": {"test": {str(PLUGINS / "noise_images.py"): {"split": "test", "count": 2}}},
    "blur": [{"linear": {"length": 5.0, "angle": 30.0}}, {"disk": {"radius": 2.0}}],
    "noise": [{"poisson_gaussian": {"lam": 48000.0, "sigma": 4.0}}],
    "solvers": [{"wiener": {"prior": "flat", "balance": 2.0}}, {"tv": {"lam": 3.0}}],
    "protocol": {"boundary": "circular", "border": 2, "clip": True, "dtype": "float64"},
    "metrics": ["psnr"],
}
#: what changes every cell's content: place -> another value
DEEP_CHANGES: list[tuple[tuple[Any, ...], Any]] = [
    (("seed",), 4),
    (("protocol", "boundary"), "valid"),
    (("protocol", "border"), 3),
    (("protocol", "clip"), False),
    (("protocol", "dtype"), "float32"),
    (("noise", 0, "poisson_gaussian", "lam"), 48000.00001),
    (("noise", 0, "poisson_gaussian", "sigma"), 0.0),
    (("metrics",), ["psnr", "ssim"]),
    (("psf_error",), [{"rotate": 1e-9}]),
    (("sigma_factor",), [1.0000001]),
]


def cells(data: dict[str, Any]) -> dict[str, set[str]]:
    """Keys of the test cells by solver."""
    grid = parse_grid(parse_yaml(yaml.safe_dump(data, sort_keys=False), "grid.yaml"), Path())
    planner = Planner(grid, ImageIndex())
    return {
        e.variant.plugin.name: {c.key for g in planner.groups(e) for c in planner.cells("test", e, g)}
        for e in grid.solvers
    }


def shuffled(value: Any, rng: random.Random) -> Any:
    """The same data with mappings in another order and whole floats written as integers or text, or not."""
    if isinstance(value, dict):
        items = list(value.items())
        rng.shuffle(items)
        return {k: shuffled(v, rng) for k, v in items}
    if isinstance(value, list):
        return [shuffled(v, rng) for v in value]
    if isinstance(value, float) and value.is_integer():
        return rng.choice([value, int(value)])
    return value


def spelt(value: Any) -> str:
    """What Python sees of plain data, types told apart, order of mappings aside."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{k!r}:{spelt(value[k])}" for k in sorted(value)) + "}"
    return "[" + ",".join(map(spelt, value)) + "]" if isinstance(value, list) else repr(value)


@fuzzed(300, a=JSON, b=JSON)
def test_a_digest_is_equal_where_the_data_are_and_nowhere_else(a: Any, b: Any) -> None:
    assert digest(a) == digest(json.loads(json.dumps(a)))
    assert (digest(a) == digest(b)) == (spelt(a) == spelt(b))
    assert digest([a, b]) != digest([[a], b])


@fuzzed(15, seed=SEEDS)
def test_keys_do_not_depend_on_how_a_grid_is_written(seed: int) -> None:
    rng, data = random.Random(seed), copy.deepcopy(BASE)
    for entry in [*data["blur"], *data["noise"], *data["solvers"]]:
        next(iter(entry.values()))["id"] = f"name {rng.random()}"
    data |= {"name": f"n{seed}", "run": {"timeout": rng.randint(1, 999), "retries": rng.randint(0, 5)}}
    for key in ("blur", "noise", "solvers"):
        rng.shuffle(data[key])
    assert cells(shuffled(data, rng)) == cells(BASE)


@fuzzed(15, change=st.sampled_from(DEEP_CHANGES))
def test_what_changes_every_number_changes_every_key(change: tuple[tuple[Any, ...], Any]) -> None:
    (*above, key), value = change
    data = copy.deepcopy(BASE)
    parent: Any = data
    for k in above:
        parent = parent[k]
    parent[key] = value
    before, after = cells(BASE), cells(data)
    assert all(not before[s] & after[s] and len(before[s]) == len(after[s]) for s in before)


@fuzzed(30, lam=st.floats(0.01, 100), other=st.floats(0.01, 100))
def test_another_setting_of_a_solver_changes_its_keys_and_no_others(lam: float, other: float) -> None:
    grids_ = [copy.deepcopy(BASE), copy.deepcopy(BASE)]
    for data, value in zip(grids_, (lam, other), strict=True):
        data["solvers"][1]["tv"]["lam"] = value
    a, b = map(cells, grids_)
    assert a["wiener"] == b["wiener"]
    assert (a["tv"] == b["tv"]) == (lam == other)
    assert lam == other or not a["tv"] & b["tv"]
