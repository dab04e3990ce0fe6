"""Any reconstruction model of deepinv, or one with its interface, by import path."""

import inspect
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from deepinv.models import Denoiser, Reconstructor
from torch import Tensor

from bench import PluginError, Problem, SettingError, Solver, SolverError, import_object, tunable
from bench.errors import did_you_mean
from bench.methods.classical.padding import crop, surround
from bench.methods.libraries.deepinv_models import ModelSpec, counting, fresh
from bench.methods.libraries.deepinv_presets import PRESETS, circular_physics, scene_physics
from bench.methods.libraries.planes import by_image, scene_start


@dataclass(frozen=True)
class DeepinvModel(Solver):
    """deepinv: a preset (wiener, pdcp_tv, admm_tv, fista_haar) or any model(y, physics) by import path."""

    family: ClassVar[str] = "library"
    same_as: ClassVar = {"model": {"pdcp_tv": "tv", "admm_tv": "tv", "fista_haar": "haar"}}
    reference: ClassVar[str] = (
        "Tachella et al., DeepInverse: A Python package for solving imaging inverse problems, 2025"
    )

    imports: ClassVar[tuple[str, ...]] = ("model", "denoiser")

    model: str = "pdcp_tv"  #: a preset, or package.module.Class that is built from ``options``
    options: dict[str, float | int | str | bool] | None = None  #: keywords of the class; they override a preset's
    path: str = ""  #: weights of that class: .safetensors, or a torch file of plain data
    denoiser: str = ""  #: package.module.Class of a denoiser, for a class that takes one (deepinv.optim.DPIR)
    denoiser_options: dict[str, float | int | str | bool] | None = None  #: its keywords
    denoiser_path: str = ""  #: its weights
    weight: float = tunable(1.0, low=0.1, high=10.0)  #: multiplies the regularisation of a preset
    circular: bool = False  #: give a model of your own deepinv's BlurFFT on padded data, not the exact operator
    padding: Literal["none", "zero", "mean", "edge", "reflect", "blend"] = "blend"  #: where BlurFFT meets valid data

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise SettingError(f"deepinv_model: weight must be >= 0, got {self.weight}")
        if "." not in self.model and self.model not in PRESETS:
            raise SettingError(
                f"deepinv_model: model {self.model!r} is neither a preset nor an import path package.module.Class. "
                f"{did_you_mean(self.model, PRESETS)}"
            )

    def solve(self, problem: Problem) -> Tensor:
        """Each image alone, by a model built for it."""
        return by_image(problem, self._one)

    def _one(self, problem: Problem) -> Tensor:
        preset = PRESETS.get(self.model)
        if preset is not None:
            model = preset.build(self.weight * preset.lam(problem), scene_start(problem), self.options or {})
        else:
            model = fresh(self._spec(), str(problem.y.device))
        with torch.no_grad(), counting(problem.cost):
            if self.circular or (preset is not None and preset.circular):
                y, sides = surround(problem, self.padding)
                return crop(model(y, circular_physics(problem, y)), sides)
            return self._sensor_part(model(problem.y, scene_physics(problem)), problem)

    def _sensor_part(self, x: Tensor, problem: Problem) -> Tensor:
        blur = problem.blur
        if tuple(x.shape[-2:]) == blur.scene_shape:
            return blur.crop(x)
        if x.shape == problem.y.shape:
            return x
        raise SolverError(
            f"deepinv_model: {self.model} returned {tuple(x.shape)}; expected the scene's {blur.scene_shape} or the "
            f"measurement's {blur.shape}"
        )

    def _spec(self) -> ModelSpec:
        try:
            cls = import_object(self.model)
        except PluginError as error:
            raise PluginError(f"deepinv_model: {error}") from error
        if not (inspect.isclass(cls) and issubclass(cls, torch.nn.Module)):
            raise PluginError(f"deepinv_model: {self.model} is not a class of models called as model(y, physics)")
        if issubclass(cls, Denoiser) and not issubclass(cls, Reconstructor):
            raise PluginError(
                f"deepinv_model: {self.model} is a denoiser, not a class of models called as model(y, physics). "
                "It may be the `denoiser` of one, or the prior of a sampler (`prior: {deepinv_denoiser: ...}`)"
            )
        denoiser = ModelSpec.of(self.denoiser, self.denoiser_options, self.denoiser_path) if self.denoiser else None
        return ModelSpec.of(self.model, self.options, self.path, denoiser)
