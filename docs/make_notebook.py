"""Write docs/notebook.ipynb and execute it: ``python docs/make_notebook.py``."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient

CELLS = (
    """# deblur-bench in a notebook

A small grid as a dictionary: two blurs on eight photographs, three solvers. A grid file does as well.""",
    """import bench

grid = {
    "name": "notebook",
    "data": {
        "test": {"photos": {"split": "test", "size": 48, "margin": 8, "limit": 8}},
        "val": {"photos": {"split": "val", "size": 48, "margin": 8, "limit": 2}},
    },
    "blur": [{"disk": {"radius": [1.5, 3]}}],
    "noise": [{"poisson_gaussian": {"lam": 192000, "sigma": 2}}],
    "solvers": ["blurred", {"wiener": {"tune": {"balance": [0.3, 1, 3]}}}, {"tv": {"tune": {"lam": [0.3, 1, 3]}}}],
    "run": {"images": 1},
}
results = bench.run(grid)
results""",
    "The table as a data frame, with paired differences to Wiener:",
    'results.leaderboard()[["psnr", "delta", "delta_low", "delta_high", "seconds"]].round(3)',
    "Rows as they were measured, one per solver and measurement:",
    'results.frame[["solver", "setting", "image", "m_psnr", "in_psnr", "seconds"]].head()',
    "Means with 95 % intervals, clustered by photograph, on axes that can be drawn over:",
    """%matplotlib inline
ax = results.plot("psnr", by="setting", solvers=["blurred", "wiener", "tv"])
_ = ax.set_title("Two blurs, eight photographs")""",
    "What it looks like:",
    "_ = results.images(columns=5)",
)


def notebook() -> nbformat.NotebookNode:
    """The notebook, not yet executed: texts begin with a capital, code does not."""
    cells = [
        nbformat.v4.new_code_cell(text) if _is_code(text) else nbformat.v4.new_markdown_cell(text) for text in CELLS
    ]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"  # the same file from the same cells
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def _is_code(text: str) -> bool:
    return not (text[0].isupper() or text.startswith("# "))


def execute(book: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """Run every cell in ``folder``. Raises CellExecutionError."""
    return NotebookClient(book, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()


if __name__ == "__main__":
    with TemporaryDirectory() as name:
        done = execute(notebook(), Path(name))
    for cell in done.cells:
        cell.metadata.pop("execution", None)  # times of this machine
    nbformat.write(done, Path(__file__).parent / "notebook.ipynb")
