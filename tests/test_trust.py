"""Plug-ins are code, data are not: nothing is unpickled, nothing is written elsewhere, no name becomes markup."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from bench.datasets.folder import Folder  # pyright: ignore[reportMissingImports]
from PIL import Image as Pil

from bench.errors import DataError, GridError
from bench.grid.read import read_grid
from bench.report.page import build
from bench.running.runner import Finished
from tests import fake_run
from tests.browser import CHROMIUM, Browser

ROOT = Path(__file__).parents[1]
PARTS = ("bench", "solvers", "priors", "operators", "datasets", "metrics", "benchmarks")
FILES = [f for part in PARTS for f in (ROOT / part).rglob("*.py")]

MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "tarfile"}
CALLS = {
    "eval", "exec", "compile", "yaml.load", "yaml.full_load", "yaml.unsafe_load", "yaml.load_all", "pd.read_pickle",
    "torch.hub.load", "shutil.unpack_archive", "os.system",
}  # fmt: skip
#: files that others publish as pickles, by the unpickler that builds tensors alone: torchvision's AlexNet, and state
#: dicts of networks; of the module pickle only the exception is used
EXEMPT = {
    ("bench/scoring/backbones.py", "torch.load(path, map_location='cpu', weights_only=True)"),
    ("bench/methods/networks/state_dicts.py", "torch.load(path, map_location='cpu', weights_only=True)"),
    ("bench/methods/networks/state_dicts.py", "import pickle"),
}


def suspicious(file: Path) -> Iterator[str]:
    """What in a source file could run code out of data."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {a.name for a in node.names} | {getattr(node, "module", "") or ""}
            yield from (f"import {n}" for n in names if n.split(".")[0] in MODULES)
        if isinstance(node, ast.Call):
            name, text = ast.unparse(node.func), ast.unparse(node)
            pickles = name in ("np.load", "numpy.load", "np.save", "np.lib.format.write_array")
            if name in CALLS or name.endswith(("extractall", "torch.load", "torch.save")):
                yield text
            if pickles and "allow_pickle=False" not in text:
                yield text


@pytest.mark.skipif(not (ROOT / "bench").is_dir(), reason="there is no source beside the tests")
def test_nothing_is_pickled_unpickled_or_executed_from_data() -> None:
    calls = {(f.relative_to(ROOT).as_posix(), text) for f in FILES for text in suspicious(f)}
    assert calls == EXEMPT


def test_what_looks_for_pickles_would_find_them(tmp_path: Path) -> None:
    lines = [
        "import pickle",
        "x = np.load(p, allow_pickle=True)",
        "y = np.load(p)",
        "z = torch.load(p)",
        "yaml.load(t)",
    ]
    (tmp_path / "a.py").write_text("\n".join([*lines, "np.load(p, allow_pickle=False)", "yaml.safe_load(t)"]))
    assert len(list(suspicious(tmp_path / "a.py"))) == len(lines)


# --- paths ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../up", "..", "/tmp/x", "a/b", ".hidden", "", "a\\b", "a b", "a\0b", "x" * 300])
def test_the_name_of_a_grid_cannot_leave_the_folder_of_runs(name: str, write_grid: Callable[..., Path]) -> None:
    path = write_grid("@copy.py")
    path.write_text(path.read_text().replace("name: small", f"name: {json.dumps(name)}"))
    with pytest.raises(GridError, match="name must"):
        read_grid(path)


def test_labels_and_ids_that_look_like_paths_write_nothing_outside_the_results(
    write_grid: Callable[..., Path], run_grid: Callable[..., Finished], tmp_path: Path
) -> None:
    evil = "../../../evil"
    path = write_grid(f"@copy.py: {{id: {evil}}}")
    path.write_text(path.read_text().replace("id: walk", f"id: {evil}").replace("sigma: [1, 8]", f"id: {evil}"))
    run = run_grid(path, "deep/er/out")
    build([run.folder], tmp_path / "deep" / "er" / "report", figures=False)
    assert {p.name for p in tmp_path.iterdir()} == {"grid.yaml", "deep"}
    assert {p.name for p in (tmp_path / "deep").iterdir()} == {"er"}
    assert {p.name for p in (tmp_path / "deep" / "er").iterdir()} == {"out", "report"}
    assert not list(tmp_path.rglob("*evil*"))


@pytest.mark.parametrize("name", ["../secret.png", "/etc/secret.png", "a/../../secret.png", "a\x1b[2J.png"])
def test_a_list_of_pictures_cannot_name_one_outside_its_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for place in (tmp_path, tmp_path / "in"):
        Pil.fromarray(np.zeros((80, 80), np.uint8)).save(place / "secret.png")
    (tmp_path / "list.txt").write_text(f"secret.png\n{name}\n")
    with pytest.raises(DataError, match="does not lie below"):
        Folder(path=str(tmp_path / "in"), split_file=str(tmp_path / "list.txt")).ids()


def test_an_index_of_pictures_cannot_name_a_file_outside_the_results(tmp_path: Path) -> None:
    run = fake_run.write(tmp_path / "run", size=24, images=1)
    index = json.loads((run / "images" / "index.json").read_text())
    (run / "images" / index[0]["file"]).rename(tmp_path / "elsewhere.npz")
    index[0]["file"] = "../../elsewhere.npz"
    (run / "images" / "index.json").write_text(json.dumps(index))
    build([run], tmp_path / "report", figures=False)
    assert len(list((tmp_path / "report" / "data").iterdir())) == len(index) - 1


# --- markup ---------------------------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_file_names_of_a_dataset_that_are_markup_are_shown_and_do_nothing(
    write_grid: Callable[..., Path], run_grid: Callable[..., Finished], tmp_path: Path
) -> None:
    names = ["<script>pwned=1</script>.png", "<img src=x onerror=pwned=2>.png", "'\"><svg onload=pwned=3>{{7*7}}.png"]
    for i, name in enumerate(names):
        file = tmp_path / "pictures" / name  # the first is a file "script>.png" in a folder "<script>pwned=1<"
        file.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(i).integers(0, 256, (40, 40), dtype=np.uint8)
        Pil.fromarray(noise).save(file)
    grid = write_grid("@copy.py", "@dice.py")
    lines = [x for x in grid.read_text().splitlines() if not x.strip().startswith(("test:", "val:"))]
    data = f"  test: {{folder: {{path: {tmp_path / 'pictures'}, margin: 8}}}}"
    grid.write_text("\n".join(lines).replace("data:", f"data:\n{data}").replace("images: 1", "images: 3"))
    run = run_grid(grid)
    assert sorted(names) == sorted({r["image"] for r in run.test})
    with Browser(tmp_path / "profile") as browser:
        for single_file in (False, True):
            browser.open(build([run.folder], tmp_path / "report", single_file=single_file).as_uri())
            for _ in names:
                browser.run("document.getElementById('next').click()")
                browser.settled()
            text = browser.run("document.body.innerText + [...document.querySelectorAll('option')].map(o => o.text)")
            assert all(n in text for n in names)
            assert browser.run("typeof pwned") == "undefined"
            assert browser.run("document.querySelectorAll('img, svg[onload]').length") == 0
            assert browser.messages == []
