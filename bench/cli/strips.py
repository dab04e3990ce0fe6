"""The figures of ``bench show``: a sampler's way from noise to its estimate, and a prior's way to noise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import PluginError, RecipeError, ResultError, did_you_mean

if TYPE_CHECKING:
    import numpy as np

    from bench.grid.cells import Cell
    from bench.methods.diffusion.denoiser import PriorModel
    from bench.methods.diffusion.schedule import Schedule
    from bench.results.folder import Row
    from bench.running.trace import Run

#: what figures are written as
FORMATS = (".png", ".pdf", ".svg")


def place(out: Path | None, name: str) -> Path:
    """Where a figure goes. Raises ResultError for a format that there is not."""
    file = out or Path(f"{name}.png")
    if file.suffix.lower() not in FORMATS:
        raise ResultError(f"{file}: figures are written as {', '.join(FORMATS)}")
    return file


def draw_reverse(cell: Cell, row: Row, file: Path, frames: int) -> str:
    """Draw the states of a cell's sampler into ``file``; returns what to tell the user."""
    import torch

    from bench.report.figures.strip import draw_strip
    from bench.running.trace import trace

    device = row["device"] or "cpu"
    run = trace(cell, device if device == "cpu" or torch.cuda.is_available() else "cpu", frames)
    heads = [
        "truth" if run.truth is not None else "",
        *(f"evaluation {s.number + 1}\nσ = {s.sigma:.3g}" for s in run.states),
        "",
    ]
    rows = [
        ("$x_t$", [run.truth, *(s.x for s in run.states), None]),
        ("$\\hat{x}_0$", [run.y, *(s.x0 for s in run.states), run.estimate]),
    ]
    title = f"{cell.label} on {row['image']}, {row['setting']}; below at the ends: measurement and estimate"
    draw_strip(heads, rows, title, file)
    return f"{file}: {len(run.states)} of {run.evaluations} evaluations{_agreement(run, row)}"


def _agreement(run: Run, row: Row) -> str:
    """Whether this was the run of the row."""
    names = [n for n, v in run.scores.items() if n.startswith("m_") and v is not None and row.get(n) is not None]
    if not names:
        return ""
    differing = [n for n in names if run.scores[n] != row[n]]
    return f"; {', '.join(differing)} differ from the row" if differing else "; the row's metrics to the last bit"


def draw_forward(name: str, file: Path, frames: int, image: Path | None) -> str:
    """Draw the schedule and the forward process of a prior or a recipe; returns what to tell the user."""
    from bench.report.figures import strip
    from bench.running import forward as process

    schedule, model = _schedule(name)
    states = process.forward(schedule, process.picture_for(getattr(model, "channels", 1), image), frames, model)
    heads = [f"t = {s.t:g}\nσ = {s.sigma:.3g}" for s in states]
    rows: list[tuple[str, list[np.ndarray | None]]] = [("$x_t$", [s.x for s in states])]
    if model is not None:
        rows.append(("$\\hat{x}_0$", [s.x0 for s in states]))
    strip.draw_forward(process.curves(schedule), heads, rows, file)
    return f"{file}: {len(schedule)} levels, σ from {_sigma(schedule, 0):.3g} to {_sigma(schedule, -1):.3g}"


def _sigma(schedule: Schedule, step: int) -> float:
    return float(schedule.log_sigmas[step].exp())


def _schedule(name: str) -> tuple[Schedule, PriorModel | None]:
    """The schedule of a prior, with its model, or of a recipe. Raises BenchError where there is neither."""
    from bench.files import path_or_shipped, shipped_files
    from bench.grid.priors import prior_variants
    from bench.methods.diffusion.schedule import Schedule
    from bench.plugins.lookup import plugin_names
    from bench.running.forward import model_of
    from bench.train.recipe.read import read

    priors = {*plugin_names("prior"), *shipped_files("weights", ".safetensors")}
    if name in priors or name.endswith((".safetensors", ".py")):
        model = model_of(prior_variants(name, Path.cwd())[0])
        return model.schedule, model
    recipes = shipped_files("recipes", ".yaml")
    if name not in recipes and not name.endswith(".yaml"):
        raise PluginError(f"no prior and no recipe is called {name!r}. {did_you_mean(name, [*priors, *recipes])}")
    recipe = read(path_or_shipped(name, "recipes", ".yaml", RecipeError))
    section = getattr(recipe, "schedule", None)
    if section is None:
        raise RecipeError(f"{name} trains no diffusion: it has no schedule")
    return Schedule.make(**section.model_dump()), None
