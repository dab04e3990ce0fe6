"""What a grid file may say, and the message where it says something else."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import DataError, GridError, SettingError
from bench.grid import schema
from bench.grid.conditions import Expression
from bench.grid.document import Distortion
from bench.grid.image_index import ImageIndex
from bench.grid.planner import Planner, settings_of
from bench.grid.read import find_grid, parse_grid, read_grid
from bench.grid.yaml import parse_yaml
from bench.plugins.lookup import PluginError, find_plugin

VALID = """
data:
  test: {photos: {size: 64, limit: 2}}
  val: {photos: {split: val, size: 64, limit: 2}}
blur: [disk: {radius: 2}]
noise: [poisson_gaussian: {lam: 48000, sigma: 4}]
solvers: [blurred]
"""


def read(text: str) -> schema.Grid:
    return parse_grid(parse_yaml(text, "grid.yaml"), Path())


def test_defaults_are_filled_in() -> None:
    grid = read(VALID)
    assert (grid.name, grid.seed, grid.protocol.boundary, grid.protocol.border) == ("grid", 0, "valid", 8)


def test_lists_are_a_product_and_zip_pairs() -> None:
    blur = "blur:\n  - linear: {id: line, length: [5, 9], angle: [0, 45, 90]}"
    noise = "noise:\n  - poisson_gaussian: {id: [low, high], zip: {lam: [768000, 48000], sigma: [1, 4]}}"
    text = VALID.replace("blur: [disk: {radius: 2}]", blur).replace(
        "noise: [poisson_gaussian: {lam: 48000, sigma: 4}]", noise
    )
    grid = read(text)
    assert [b.variant.id for b in grid.blurs][:2] == ["line length=5 angle=0", "line length=5 angle=45"]
    assert len(grid.blurs) == 6
    assert [(n.id, n.settings["lam"], n.settings["sigma"]) for n in grid.noises] == [
        ("low", 768000, 1),
        ("high", 48000, 4),
    ]
    assert len(settings_of(grid)) == 12


@pytest.mark.parametrize(("text", "value"), [("1e-2", 0.01), ("1E3", 1000.0), (".5", 0.5), (".inf", float("inf"))])
def test_numbers_that_yaml_takes_for_text_are_numbers(text: str, value: float) -> None:
    assert parse_yaml(f"x: {text}", "f").data == {"x": value}


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("blur: [", "blurr: [", 5, r"unknown key 'blurr'.*Did you mean 'blur'"),
        ("[disk: {radius: 2}]", "[disc]", 5, r"no operator is called 'disc'.*Did you mean 'disk'"),
        ("radius: 2", "radious: 3", 5, r"no parameter 'radious'.*Did you mean 'radius'"),
        ("radius: 2", "radius: wide", 5, r"radius: .*number.*got 'wide'"),
        ("[disk: {radius: 2}]", "[disk: {radius: 2}, disk: {radius: 2}]", 5, r"two entries called 'disk'"),
        ("[disk: {radius: 2}]", "[]", 5, r"at least one entry"),
        ("radius: 2", "radius: 2, trajectories: 3", 5, r"has one PSF"),
        ("radius: 2", "radius: 2, trajectories: own", 5, r"has one PSF.*its own"),
        ("[blurred]", "[blurred]\nmetrics: [pnsr]", 8, r"no metric is called 'pnsr'.*Did you mean 'psnr'"),
        ("[blurred]", "[blurred]\nprotocol: {boundry: valid}", 8, r"unknown key 'boundry'.*'boundary'"),
        ("[blurred]", "[blurred]\nprotocol: {boundary: mirror}", 8, r"boundary: .*'valid' or 'circular'"),
        ("[blurred]", "[blurred]\nexclude: [\"blur = 'x'\"]", 8, r"not an expression"),
        ("[blurred]", "[blurred]\nsigma_factor: [0]", 8, r"must be positive"),
        ("[blurred]", "[blurred]\npsf_error: [{turn: 3}]", 8, r"unknown key 'turn'"),
        ("[blurred]", "[wiener: {tune: {balanc: [1, 2]}}]", 7, r"no parameter 'balanc'.*'balance'"),
        ("[blurred]", "[wiener: {tune: {balance: {logspace: [1, 0, 3]}}}]", 7, r"low < high"),
        ("[blurred]", "[blurred]\nseed: -1", 8, r"at least 0"),
        ("[blurred]", "[blurred]\nname: a/b", 8, r"letters, digits"),
        ("limit: 2}}\nblur", "limit: x}}\nblur", 4, r"limit: .*integer"),
        ("[blurred]", "[blurred: {zip: {a: [1], b: [1, 2]}}]", 7, r"equal lengths"),
    ],
)
def test_mistakes_are_reported_with_line_and_a_guess(old: str, new: str, line: int, words: str) -> None:
    assert old in VALID
    with pytest.raises(GridError, match=words) as caught:
        read(VALID.replace(old, new))
    assert str(caught.value).startswith(f"grid.yaml:{line}:")


MISTAKES = """
seed: -1
data:
  test: {photos: {size: wide, limitt: 2}, photoes: {}}
  val: {photos: {split: val, size: 64, limit: 2}}
blur: [disk: {radious: 2, radius: x}, disc]
noise: [poisson_gaussian: {lam: 48000, sigma: 4}]
solver: [blurred]
metrics: [psnr, pnsr]
protocol: {boundry: valid, border: -1}
"""


def test_all_mistakes_are_listed_at_once_each_with_its_line() -> None:
    with pytest.raises(GridError) as caught:
        read(MISTAKES)
    expected = [
        (2, "seed must be a whole number of at least 0"), (4, "'photos': size: .*got 'wide'"),
        (4, "no parameter 'limitt'.*'limit'"), (4, "no dataset is called 'photoes'.*'photos'"),
        (6, "no parameter 'radious'.*'radius'"), (6, "radius: .*got 'x'"), (6, "no operator is called 'disc'"),
        (8, "unknown key 'solver'.*'solvers'"), (9, "no metric is called 'pnsr'"),
        (10, "unknown key 'boundry' in protocol.*'boundary'"), (10, "protocol.border: .*greater than or equal to 0"),
    ]  # fmt: skip
    lines = str(caught.value).splitlines()
    assert len(lines) == len(expected)
    for line, words in expected:
        assert any(re.match(rf"grid\.yaml:{line}: .*{words}", x) for x in lines), (line, words, lines)
    assert [int(x.split(":")[1]) for x in lines] == sorted(line for line, _ in expected)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: " + "9" * 5000, "4300 digits"),
        ("a: 0x" + "f" * 5000, "20,000 bits"),
        ("a: 1" + ":59" * 3000, "bits"),
        ('a: "\\ud800"', "surrogate"),
        ('"\\udc00": 1', "surrogate"),
        ("a: [" + "1," * 150_000 + "]", "more than 100,000 values"),
        ("a: " + "x" * 2_000_000, "longer than 1,000,000"),
    ],
    ids=["digits", "hex", "sexagesimal", "surrogate", "surrogate key", "values", "length"],
)
def test_what_no_grid_holds_is_refused_before_it_costs_anything(text: str, words: str) -> None:
    with pytest.raises(GridError, match=words) as caught:
        parse_yaml(f"b: 1\n{text}", "grid.yaml")
    assert str(caught.value).startswith(("grid.yaml:2:", "grid.yaml:1: is longer"))


@pytest.mark.parametrize(
    ("old", "new"), [("{size: 64, limit: 2}}", "{size: 1e20}}"), ("limit: 2}}\nblur", "limit: 1e30}}\nblur")]
)
def test_sizes_that_nothing_can_hold_are_refused_at_planning(old: str, new: str) -> None:
    assert old in VALID
    with pytest.raises(GridError, match=r"grid\.yaml:\d: .*at most 10,000,000, got 1e"):
        read(VALID.replace(old, new))


def test_a_key_that_stands_twice_is_refused() -> None:
    with pytest.raises(GridError, match=r"grid.yaml:2: the key 'a' stands here twice"):
        parse_yaml("a: 1\na: 2", "grid.yaml")


def test_a_picture_that_no_memory_holds_is_an_error_at_planning() -> None:
    from bench.grid.image_index import ImageIndex

    grid = read(VALID.replace("photos: {size: 64, limit: 2}", "phantoms: {size: 9999999, margin: 9999999, limit: 1}"))
    planner = Planner(grid, ImageIndex())
    with pytest.raises(DataError, match="does not fit in memory"):
        planner.shots(planner.settings[0], "test")


def test_aliases_that_multiply_are_refused() -> None:
    bomb = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "\n".join(
        f"{c}: &{c} [{', '.join(['*' + p] * 10)}]" for p, c in zip("abcdef", "bcdefg", strict=True)
    )
    with pytest.raises(GridError, match="once aliases are expanded"):
        parse_yaml(bomb, "grid.yaml")


def test_tags_that_would_run_code_are_refused() -> None:
    with pytest.raises(GridError):
        parse_yaml("a: !!python/object/apply:os.system ['true']", "grid.yaml")


def test_tuning_without_validation_images_is_refused() -> None:
    text = "\n".join(x for x in VALID.splitlines() if not x.strip().startswith("val:"))
    with pytest.raises(GridError, match="tuning never looks at test images"):
        read(text.replace("[blurred]", "[wiener: {tune: auto}]"))


@pytest.mark.parametrize("name", ["quickstart", "classical"])
def test_shipped_grids_are_found_by_name(name: str) -> None:
    assert read_grid(find_grid(name)).name == name


def test_an_unknown_grid_is_answered_with_those_that_exist() -> None:
    with pytest.raises(GridError, match=r"'quickstat'.*Did you mean 'quickstart'"):
        find_grid("quickstat")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("blur == 'disk' and sigma > 2", True),
        ("blur in ['line', 'gauss']", False),
        ("not (T < 0.5 or noise == 'low')", True),
        ("radius < 3", False),  # None is not below anything
        ("-1 < sigma <= 4", True),
    ],
)
def test_expressions_mean_what_python_means(text: str, expected: bool) -> None:
    names = {"blur": "disk", "sigma": 4, "T": 0.5, "noise": "high", "radius": None}
    assert Expression(text)(names) is expected


@pytest.mark.parametrize("text", ["__import__('os')", "blur.upper()", "[x for x in 'a']", "1 +", "lambda: 1"])
def test_expressions_execute_nothing(text: str) -> None:
    with pytest.raises(SettingError):
        Expression(text)


def test_an_unknown_name_in_an_expression_is_an_error_with_a_guess(write_grid: Callable[..., Path]) -> None:
    with pytest.raises(GridError, match=r"grid.yaml:\d+: .*unknown name 'nose'.*Did you mean 'noise'"):
        read_grid(write_grid("@copy.py", more="exclude: [\"nose == 'gauss'\"]"))
    grid = read_grid(write_grid("@copy.py"))
    planner = Planner(grid, ImageIndex(), Expression("nose == 'gauss'"))  # as of --only
    with pytest.raises(SettingError, match=r"unknown name 'nose'.*Did you mean 'noise'"):
        planner.groups(grid.solvers[0])


def test_the_axes_of_psf_error_are_the_arguments_of_distort() -> None:
    import inspect

    from bench.imaging.psf import distort

    assert tuple(inspect.signature(distort).parameters)[1:] == tuple(Distortion.model_fields)


def test_a_plugin_by_path_starts_from_the_folder_of_the_grid(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from dataclasses import dataclass\nfrom bench import Solver\n@dataclass(frozen=True)\n"
        "class Mine(Solver):\n    'Mine.'\n    lam: float = 0.5\n"
        "    def solve(self, problem):\n        return problem.y\n"
    )
    (tmp_path / "g.yaml").write_text(VALID.replace("[blurred]", "[./mine.py: {lam: 2}]"))
    entry = read_grid(tmp_path / "g.yaml").solvers[0]
    assert (entry.label, entry.variant.settings) == ("mine", {"lam": 2.0})


def test_a_file_without_a_solver_is_named() -> None:
    with pytest.raises(PluginError, match=r"no public class that subclasses bench\.Solver"):
        find_plugin("solver", __file__)


def test_the_main_job_compares_samplers_and_baselines_on_every_photograph_with_one_budget() -> None:
    grid = read_grid(find_grid("quickstart"))
    names = {e.variant.base for e in grid.solvers}
    assert {
        "blurred",
        "wiener",
        "tv",
        "haar_fista",
        "conditional_dm",
        "unrolled",
        "pnp_hqs",
        "sprox",
        "reddiff",
        "dps",
    } == names
    assert {e.tuning.budget for e in grid.solvers if e.tuning} == {grid.tune.budget}
    planner = Planner(grid, ImageIndex())
    assert {s.noise.id for s in planner.settings} == {"low", "high"}
    shots = [s for setting in planner.settings for s, _ in planner.shots(setting, "test")]
    assert len({s.image for s in shots}) == 12
    assert not {s.image for s in shots} & {
        s.image for setting in planner.settings for s, _ in planner.shots(setting, "val")
    }
