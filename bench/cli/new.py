"""``bench new``: a file to start from, which runs as it is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

SOLVER = '''"""{title}: say in a sentence what it does."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench import Problem, Solver, tunable


@dataclass(frozen=True)
class {title}(Solver):
    """Landweber iteration: gradient descent on |A(x) - y|^2, stopped early."""

    reference: ClassVar[str] = "Landweber, American Journal of Mathematics 73, 1951"

    steps: int = tunable(50, low=5, high=500)  #: fewer keep the noise down, more sharpen
    step_size: float = 1.0  #: converges below 2, since |A| <= 1 for a blur

    def solve(self, problem: Problem) -> Tensor:
        """The scene after ``steps`` steps, cropped to what the sensor saw."""
        blur, y = problem.blur, problem.y
        x = blur.A_adjoint(y)
        for _ in range(self.steps):
            x = (x - self.step_size * blur.A_adjoint(blur.A(x) - y)).clamp(0, 1)
        return blur.crop(x)
'''

OPERATOR = '''"""{title}: say in a sentence what blurs like this."""

from dataclasses import dataclass

import numpy as np

from bench import Exposed, Operator, SettingError


@dataclass(frozen=True)
class {title}(Operator):
    """A ring: an annular aperture out of focus, as of a mirror lens."""

    radius: float = 4.0  #: outer, in pixels
    inner: float = 0.5  #: inner radius over the outer one

    def __post_init__(self) -> None:
        if self.radius <= 0 or not 0 <= self.inner < 1:
            raise SettingError(f"{name}: radius > 0 and 0 <= inner < 1, got {{self.radius}} and {{self.inner}}")

    def psf(self, rng: np.random.Generator) -> Exposed:
        """Odd sides, non-negative, unit sum, centre at ``size // 2``; ``rng`` is for those with ``random = True``."""
        half = int(np.ceil(self.radius))
        fine = (np.arange(8 * (2 * half + 1)) + 0.5) / 8 - half - 0.5  # 8 x 8 points in each pixel
        r = np.hypot(*np.meshgrid(fine, fine, indexing="ij"))
        inside = (r <= self.radius) & (r >= self.inner * self.radius)
        psf = inside.reshape(2 * half + 1, 8, 2 * half + 1, 8).mean((1, 3))
        return Exposed(psf / psf.sum())
'''

PRIOR = '''"""{title}: say in a sentence what images are like."""

from dataclasses import dataclass

from torch import Tensor

from bench import Prior
from bench.methods.diffusion.denoiser import PriorModel
from bench.methods.diffusion.sigma_denoiser import SigmaDenoiser


class Model(SigmaDenoiser):
    """The best denoiser of independent pixels N(0, variance): replace it by a network of yours."""

    def __init__(self, variance: float) -> None:
        super().__init__(low=0.0, high=80.0)  # of sigma, in [-1, 1] units; channels=3 for colours seen together
        self.variance = variance

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """E[x_0 given x = x_0 + sigma n]: x (B, 1, H, W) in [-1, 1], sigma (B,)."""
        return x * (self.variance / (self.variance + sigma**2)).view(-1, 1, 1, 1)


@dataclass(frozen=True)
class {title}(Prior):
    """Independent pixels."""

    variance: float = 0.25  #: of a pixel, images in [-1, 1]

    def load(self) -> PriorModel:
        """A new model; files of yours are read here."""
        return Model(self.variance)
'''

DATASET = '''"""{title}: say in a sentence where the pictures are from."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench import DataError, Dataset, Image


@dataclass(frozen=True)
class {title}(Dataset):
    """Chequered scenes of random phase, drawn and not photographed: replace by your pictures."""

    split: Literal["test", "val"] = "test"
    count: int = 4
    size: int = 64  #: side of the field of view in pixels
    margin: int = 16  #: pixels of scene around it, for a PSF of up to 2 margin + 1 pixels

    def ids(self) -> list[str]:
        """Names of the pictures, in a fixed order; decodes nothing."""
        return [f"{{self.split}}_{{i}}" for i in range(self.count)]

    def load(self, id: str) -> Image:
        """Scene (C, size + 2 margin, size + 2 margin) in [0, 1]; the same pixels for the same name, always."""
        if id not in self.ids():
            raise DataError(f"{name}: no picture {{id!r}}")
        a, b = np.random.default_rng([self.split == "val", self.ids().index(id)]).uniform(4, 9, 2)
        n = np.arange(self.size + 2 * self.margin)
        scene = 0.5 + 0.4 * np.sign(np.sin(n[:, None] / a) * np.sin(n / b))
        return Image(id, scene[None], self.margin)

    def group_of(self, id: str) -> str | None:
        """Photograph, patient or sequence that a picture comes from; None where each is its own."""
        return None
'''

METRIC = '''"""{title}: say in a sentence what it sees."""

from dataclasses import dataclass

import numpy as np

from bench import Context, Metric


@dataclass(frozen=True)
class {title}(Metric):
    """Mean error of the differences between neighbouring pixels; reports print this sentence as its definition."""

    label = "{title}"
    better = "lower"  # or "higher"; "one" for a check that should come to target
    range = (0.0, None)
    digits = 4
    family = "structure"
    smallest = 2  # pixels on a side, below which it is NaN

    def measure(self, truth: np.ndarray, estimate: np.ndarray, context: Context) -> float:
        """Both (C, H, W), float64 in [0, 1], clipped and cropped as the protocol says."""
        return float(np.mean([abs(np.diff(truth - estimate, axis=a)).mean() for a in (1, 2)]))
'''

GRID = """# Say what this compares. Check it: bench run {name}.yaml --dry-run   Run it: bench run {name}.yaml
name: {name}
seed: 20260101 # of PSFs, noise and samplers

data: # a dataset and its settings: bench list datasets folder
  test: {{photos: {{split: test, size: 64, margin: 24, limit: 4}}}}
  val: {{photos: {{split: val, size: 64, margin: 24, limit: 2}}}} # only tune: reads it

blur: # a list is a product: bench list operators
  - boracchi_foi: {{id: shake, length: 16, anxiety: 0.005, T: [0.25, 1.0]}}
  - disk: {{radius: 2.5}}

noise: # zip: pairs lists
  - poisson_gaussian: {{id: [low, high], zip: {{lam: [768000, 48000], sigma: [1, 4]}}}}

solvers: # bench list solvers; a file of your own as ./my_solver.py
  - blurred
  - wiener: {{tune: auto}}
  - tv: {{tune: auto}}

exclude: ["blur == 'disk' and noise == 'high'"]
tune: {{per: [blur, noise], budget: 6}} # one budget for every solver
metrics: [psnr, ssim, residual_chi2] # bench list metrics
"""


def skill(_: str) -> str:
    """What coding agents read, as it ships."""
    from bench.files import roots

    return (roots()[0] / "SKILL.md").read_text(encoding="utf-8")


class Template(NamedTuple):
    """What is written: the file of a name, its text, and what to do with it (``{path}`` is filled in)."""

    file: str
    text: Callable[[str], str]
    then: str


def _plugin(text: str) -> Callable[[str], str]:
    return lambda name: text.format(name=name, title="".join(part.capitalize() for part in name.split("_")))


TEMPLATES = {
    "solver": Template("{name}.py", _plugin(SOLVER), "name it in a grid as  - ./{path}"),
    "prior": Template("{name}.py", _plugin(PRIOR), "name it in a grid as  prior: ./{path}"),
    "operator": Template("{name}.py", _plugin(OPERATOR), "name it in a grid under blur as  - ./{path}"),
    "dataset": Template("{name}.py", _plugin(DATASET), "name it in a grid under data as  ./{path}: {{split: test}}"),
    "metric": Template("{name}.py", _plugin(METRIC), "name it in a grid as  metrics: [psnr, ./{path}]"),
    "grid": Template("{name}.yaml", lambda name: GRID.format(name=name), "bench run {path} --dry-run"),
    "skill": Template("{name}/SKILL.md", skill, "put the folder where your coding agent looks for skills"),
}


def command(
    kind: Annotated[str, typer.Argument(help=f"What to make: {', '.join(TEMPLATES)}.")],
    name: Annotated[str, typer.Argument(help="Its name, a Python identifier: the file is NAME.py or NAME.yaml.")],
) -> None:
    """Write a file to start from into the current folder; it runs as it is. Nothing is overwritten."""
    from bench.errors import PluginError, SettingError, did_you_mean
    from bench.files import write_text

    if kind not in TEMPLATES:
        raise PluginError(f"bench new does not make {kind!r}. {did_you_mean(kind, TEMPLATES)}")
    if not name.isidentifier():
        raise SettingError(f"{name!r} is not a Python identifier")
    template = TEMPLATES[kind]
    path = Path(template.file.format(name=name))
    if path.exists():
        raise SettingError(f"{path} exists already")
    write_text(path, template.text(name))
    typer.echo(f"{path}: {template.then.format(path=path)}")
