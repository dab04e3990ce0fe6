"""Two grids in two forms, ours and benchopt's: a solver that does nothing, and a Wiener filter in numpy.

Fifty pictures by as many settings of the solver as make the cells asked for. The Wiener filter, the pictures and
their blur are the same numpy code in both; there is no noise, so that both must come to the same errors.
"""

from __future__ import annotations

from pathlib import Path

IMAGES = 50
TASKS = ("noop", "wiener")
NUMPY = '''
def picture(number, n):
    """A picture (1, n, n) in [0, 1]."""
    v, u = np.mgrid[:n, :n] / n
    return (0.5 + 0.25 * np.sin(7 * u + number) + 0.25 * np.sign(np.sin(9 * v + u * number)))[None]


def wiener(y, k, balance):
    """The filter conj(K) / (|K|^2 + balance)."""
    K = np.fft.rfft2(k)
    return np.fft.irfft2(np.fft.rfft2(y) * K.conj() / (np.abs(K) ** 2 + balance), s=y.shape[-2:])
'''
OUR_SOLVER = '''"""{name}, in numpy."""
from dataclasses import dataclass
import numpy as np
from bench import Problem, Solver
{numpy}

@dataclass(frozen=True)
class Restored(Solver):
    """{name} in numpy."""
    number: int = 0

    def solve(self, problem: Problem):
        """Restore."""
        {body}
'''
OUR_BODY = {
    "noop": "return problem.y",
    "wiener": """y, h = problem.y.numpy(), problem.psf[0, 0].numpy()
        k = np.zeros(y.shape[-2:])
        k[: h.shape[0], : h.shape[1]] = h
        k = np.roll(k, (-(h.shape[0] // 2), -(h.shape[1] // 2)), (0, 1))
        return problem.y.new_tensor(wiener(y, k, 0.001 * (1 + self.number)))""",
}
OUR_DATA = '''"""Pictures made by a formula."""
from dataclasses import dataclass
import numpy as np
from bench import Dataset, Image
{numpy}

@dataclass(frozen=True)
class Formula(Dataset):
    """Pictures with numbers for names."""

    def ids(self):
        """Names."""
        return [str(i) for i in range({images})]

    def load(self, id: str):
        """One."""
        return Image(id, picture(int(id), {size}), {margin})
'''
OUR_GRID = """
name: {name}
data: {{test: {{./formula.py: {{}}}}}}
blur: [disk: {{radius: 1.5}}]
noise: [poisson_gaussian: {{lam: {lam}, sigma: {sigma}}}]
solvers: [./restored.py: {{number: [{numbers}]}}]
metrics: [psnr]
protocol: {{boundary: {boundary}, border: 0, clip: false, dtype: float64}}
run: {{images: 0}}
"""
OBJECTIVE = """
import numpy as np
from benchopt import BaseObjective


class Objective(BaseObjective):
    name = "restoration"
    sampling_strategy = "run_once"

    def set_data(self, y, k, truth):
        self.y, self.k, self.truth = y, k, truth

    def get_objective(self):
        return dict(y=self.y, k=self.k)

    def evaluate_result(self, x):
        return dict(value=float(((x - self.truth) ** 2).mean()))

    def get_one_result(self):
        return dict(x=self.y)
"""
THEIR_DATA = """
import numpy as np
from benchopt import BaseDataset
{numpy}

class Dataset(BaseDataset):
    name = "formula"
    parameters = {{"number": list(range({images}))}}

    def get_data(self):
        truth = picture(self.number, {size})
        h = np.array({psf})
        k = np.zeros(truth.shape[-2:])
        k[: len(h), : len(h)] = h
        k = np.roll(k, (-(len(h) // 2), -(len(h) // 2)), (0, 1))
        y = np.fft.irfft2(np.fft.rfft2(truth) * np.fft.rfft2(k), s=truth.shape[-2:])
        return dict(y=y, k=k, truth=truth)
"""
THEIR_SOLVER = """
import numpy as np
from benchopt import BaseSolver
{numpy}

class Solver(BaseSolver):
    name = "restored"
    parameters = {{"number": list(range({count}))}}

    def set_objective(self, y, k):
        self.y, self.k = y, k

    def run(self, _):
        self.x = {body}

    def get_result(self):
        return dict(x=self.x)
"""
THEIR_BODY = {"noop": "self.y", "wiener": "wiener(self.y, self.k, 0.001 * (1 + self.number))"}


def ours(folder: Path, task: str, cells: int, images: int = IMAGES) -> Path:
    """Write our grid of so many cells on so many images; its file."""
    folder.mkdir(parents=True, exist_ok=True)
    noop = task == "noop"
    (folder / "restored.py").write_text(OUR_SOLVER.format(name=task, numpy=NUMPY, body=OUR_BODY[task]))
    size, margin = (40, 4) if noop else (64, 0)
    (folder / "formula.py").write_text(OUR_DATA.format(numpy=NUMPY, images=images, size=size, margin=margin))
    grid = OUR_GRID.format(
        name=task, lam="48000" if noop else ".inf", sigma=4 if noop else 0,
        boundary="valid" if noop else "circular", numbers=", ".join(map(str, range(cells // images))),
    )  # fmt: skip
    (folder / "g.yaml").write_text(grid)
    return folder / "g.yaml"


def theirs(folder: Path, task: str, cells: int) -> Path:
    """Write benchopt's folder of as many runs."""
    from scene import made

    from bench.seeds import generator

    for name in ("datasets", "solvers"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    psf = made("operator", "disk", radius=1.5).psf(generator(0)).psf.tolist()
    (folder / "objective.py").write_text(OBJECTIVE)
    data = THEIR_DATA.format(numpy=NUMPY, images=IMAGES, size=32 if task == "noop" else 64, psf=psf)
    (folder / "datasets" / "formula.py").write_text(data)
    solver = THEIR_SOLVER.format(numpy=NUMPY, count=cells // IMAGES, body=THEIR_BODY[task])
    (folder / "solvers" / "restored.py").write_text(solver)
    return folder
