"""Grid files that say anything at all: a plan, or an error that names the file and the line."""

from __future__ import annotations

import copy
import json
import random
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from bench.errors import BenchError, GridError
from bench.grid import schema
from bench.grid.image_index import ImageIndex
from bench.grid.planner import Planner
from bench.grid.read import find_grid, parse_grid
from bench.grid.yaml import parse_yaml
from tests.conftest import PLUGINS
from tests.fuzz import fuzzed

BASE: dict[str, Any] = {
    "name": "base",
    "seed": 3,
    "data": {
        "test": {str(PLUGINS / "noise_images.py"): {"split": "test", "count": 2}},
        "val": {str(PLUGINS / "noise_images.py"): {"split": "val", "count": 1}},
    },
    "blur": [
        {"linear": {"id": "line", "length": [5, 9], "angle": 30}},
        {str(PLUGINS / "walk.py"): {"T": [0.5, 1.0], "trajectories": 2}},
        "identity",
    ],
    "noise": [{"poisson_gaussian": {"id": ["low", "high"], "zip": {"lam": [768000, 48000], "sigma": [1, 4]}}}],
    "psf_error": ["none", {"rotate": 5, "scale": 1.1}],
    "sigma_factor": [1, 2.0],
    "solvers": [
        "blurred",
        {"wiener": {"prior": "flat", "tune": {"balance": {"logspace": [1e-3, 1, 3]}}}},
        {str(PLUGINS / "copy.py"): {"oracle": {"factor": [0.9, 1.0]}}},
    ],
    "exclude": ["blur == 'line' and sigma > 2"],
    "repetitions": 2,
    "metrics": ["psnr", "ssim"],
    "tune": {"metric": "psnr", "per": ["blur"], "budget": 3},
    "protocol": {"boundary": "circular", "border": 2, "dtype": "float64"},
    "run": {"timeout": 20, "workers": 1, "memory_gb": 2.5},
}
ODD: list[Any] = [
    None, True, False, 0, 1, -1, 2, 3.5, -0.0, 1e-320, 1e308, -1e308, float("inf"), float("nan"), "nan", "inf",
    10**9, 10**18, 10**400, "", "none", "auto", "psnr", "wiener", "../../x.py", "./no.py", "/", "~nobody/x", "a\0b",
    "\ud800",
    "x" * 5000, "λ", "{split}", "T < ", "__import__('os')", "not " * 2000 + "1", "(" * 200 + "1" + ")" * 200,
    [], [[]], [1, "a", None], {}, {"": {}}, {"a": {"a": 1}}, list(range(400)), [{"rotate": 1e308}],
    {"zip": {"a": [1]}},
    {"logspace": [1, 2, 10**12]}, {"logspace": ["a", "b", 3]}, {"linspace": [0, 0, 2]}, {"logspace": [1e-3, 1, True]},
    {"log": [1e-300, 1e299]}, {"log": [-1, 2]}, {"linear": [True, 10**400]}, {"lam": float("nan")},
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every node below a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [p for k, v in items for p in [(*path, k), *places(v, (*path, k))]]


def changed(seed: int) -> dict[str, Any]:
    """The base with one to three nodes replaced, removed, renamed, doubled or taken from elsewhere."""
    rng, data = random.Random(seed), copy.deepcopy(BASE)
    for _ in range(rng.randint(1, 3)):
        every = places(data)
        *above, key = rng.choice(every)
        parent: Any = data
        for k in above:
            parent = parent[k]
        how = rng.choice(["odd", "odd", "odd", "remove", "rename", "elsewhere"])
        if how == "odd":
            parent[key] = copy.deepcopy(rng.choice(ODD))
        elif how == "elsewhere":
            parent[key] = copy.deepcopy(_at(data, rng.choice(every)))
        elif how == "rename" and isinstance(parent, dict):
            parent[rng.choice([f"{key}x", "id", "zip", "tune", "path", str(rng.choice(every)[-1])])] = parent.pop(key)
        else:
            del parent[key]
    return data


def _at(data: Any, path: tuple[Any, ...]) -> Any:
    for k in path:
        data = data[k]
    return data


def parsed(text: str) -> schema.Grid | None:
    """The grid, or None if it is refused as it should be: with the file and the line."""
    try:
        return parse_grid(parse_yaml(text, "grid.yaml"), Path())
    except GridError as error:
        refusal = str(error)
    assert all(re.match(r"grid\.yaml:\d+: .|\.\.\. and \d+ more$", line) for line in refusal.split("\n")), refusal
    return None


def plan(text: str) -> int:
    """The number of test cells of a grid that is not large; 0 if it is refused."""
    if (grid := parsed(text)) is None:
        return 0
    keys: set[str] = set()
    with suppress(BenchError):
        planner = Planner(grid, ImageIndex(), limit=2)
        if len(planner.settings) * grid.repetitions * max(b.psfs for b in grid.blurs) > 1000:
            return 0
        for entry in grid.solvers:
            for settings in planner.groups(entry):
                keys |= {c.key for c in planner.cells("test", entry, settings)}
    return len(keys)


def test_the_base_of_these_tests_is_a_grid() -> None:
    assert plan(yaml.safe_dump(BASE, sort_keys=False)) > 100


@fuzzed(120, seed=st.integers(0, 2**64))
def test_a_grid_with_odd_values_is_planned_or_refused_with_its_line(seed: int) -> None:
    with suppress(ValueError):  # a number that Python would rather not write
        text = json.dumps(changed(seed)) if seed % 2 else yaml.safe_dump(changed(seed), sort_keys=False)
        assert plan(text) >= 0


def other_characters(seed: int, which: str) -> str:
    """The text of a shipped grid with one to five places changed."""
    rng, text = random.Random(seed), find_grid(which).read_text(encoding="utf-8")
    for _ in range(rng.randint(1, 5)):
        at, n = rng.randrange(len(text)), rng.choice([0, 1, 1, 5])
        new = "".join(rng.choices(":-[]{}#&*!|>'\",.~ \n\tab01eλ", k=rng.choice([0, 1, 2])))
        text = text[:at] + new + text[at + n :]
    return text


@fuzzed(100, seed=st.integers(0, 2**64), which=st.sampled_from(["quickstart", "ci"]))
def test_a_shipped_grid_with_other_characters_is_planned_or_refused(seed: int, which: str) -> None:
    grid = parsed(other_characters(seed, which))
    assert grid is None or grid.solvers


@fuzzed(
    150, text=st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["Cc"]), max_size=60)
)
def test_any_text_is_no_grid_and_says_so(text: str) -> None:
    assert parsed(text) is None
