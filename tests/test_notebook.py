"""The notebook of the documentation runs from its first cell to its last, and what is committed is such a run."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
pytestmark = pytest.mark.skipif(not (DOCS / "notebook.ipynb").is_file(), reason="there are no docs beside the tests")


def script() -> object:
    spec = importlib.util.spec_from_file_location("make_notebook", DOCS / "make_notebook.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_notebook_has_the_cells_of_its_script_and_their_outputs() -> None:
    import nbformat

    stored = nbformat.read(DOCS / "notebook.ipynb", as_version=4)
    nbformat.validate(stored)
    fresh = script().notebook()  # pyright: ignore[reportAttributeAccessIssue]
    assert [c.source for c in stored.cells] == [c.source for c in fresh.cells]
    assert all(c.outputs for c in stored.cells if c.cell_type == "code")
    assert not [o for c in stored.cells if c.cell_type == "code" for o in c.outputs if o.output_type == "error"]


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path) -> None:
    module = script()
    done = module.execute(module.notebook(), tmp_path)  # pyright: ignore[reportAttributeAccessIssue]
    shown = [o for c in done.cells if c.cell_type == "code" for o in c.outputs]
    assert sum("image/png" in o.get("data", {}) for o in shown) == 2
    assert any(re.search(r"<progress value='(\d+)' max='\1'>", o.get("data", {}).get("text/html", "")) for o in shown)
