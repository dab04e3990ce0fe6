"""``bench new``: a file to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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


def command(
    kind: Annotated[str, typer.Argument(help="What to make: solver.")],
    name: Annotated[str, typer.Argument(help="Its name: a Python identifier; the file is NAME.py.")],
) -> None:
    """Write NAME.py, a working plug-in to start from; a grid names it as ./NAME.py."""
    from bench.errors import PluginError, SettingError

    if kind != "solver":
        raise PluginError(f"bench new makes solvers, not {kind!r}: bench new solver NAME")
    if not name.isidentifier():
        raise SettingError(f"{name!r} is not a Python identifier")
    path = Path(f"{name}.py")
    if path.exists():
        raise SettingError(f"{path} exists already")
    title = "".join(part.capitalize() for part in name.split("_"))
    path.write_text(SOLVER.format(title=title), encoding="utf-8")
    typer.echo(f"{path}: name it in a grid as  - ./{path}")
