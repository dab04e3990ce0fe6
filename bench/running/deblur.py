"""A solver on pictures that belong to no grid: the PSF is known or not needed, the noise given or estimated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from bench.contracts import Cost, NoiseLevel
from bench.errors import SettingError, SolverError
from bench.grid.priors import DEFAULT, prior_variants, refuse_weights
from bench.imaging.measure import Measurement
from bench.imaging.psf_files import read_psf
from bench.methods.make_problem import assemble
from bench.methods.problem import Prior, Solver
from bench.plugins import calibrations
from bench.plugins.describe import Plugin
from bench.plugins.lookup import find_plugin, load_plugin, plugin_names
from bench.plugins.settings import build
from bench.seeds import generator

if TYPE_CHECKING:
    from bench.methods.diffusion.denoiser import Denoiser


class Estimate(NamedTuple):
    """What a solver makes of a picture.

    Attributes:
        x: (C, H, W) in [0, 1].
        about: solver, noise level and PSF, in words.
    """

    x: np.ndarray
    about: str


@dataclass(frozen=True)
class Deblurring:
    """A solver, and what it assumes of every picture.

    Attributes:
        psf: (h, w), odd sides, unit sum; None for a blind solver.
        sigma: noise standard deviation in [0, 1] units; None to estimate that of each picture.
        seed: of a stochastic solver; the same for every picture.
        prior: makes the trained denoiser of a solver that needs one.
    """

    plugin: Plugin
    solver: Solver
    psf: np.ndarray | None
    sigma: float | None
    seed: int
    prior: Callable[[Cost], Denoiser] | None

    @classmethod
    def of(
        cls,
        solver: str,
        settings: Mapping[str, Any],
        *,
        psf: Path | None = None,
        rotate180: bool = False,
        sigma: float | None = None,
        seed: int = 0,
    ) -> Deblurring:
        """With a solver's name or path and its settings.

        Args:
            psf: file of the PSF; ``rotate180``: it holds the PSF turned by 180 degrees.
            sigma: noise standard deviation in grey levels of 255.

        Raises:
            PluginError, SettingError: there is no such solver or setting, or it needs a PSF and got none.
            PsfError: the file holds no PSF.
        """
        plugin = find_plugin("solver", solver)
        settings = dict(settings)
        prior = denoiser_of(plugin, settings)
        built = build(plugin, load_plugin(plugin), settings)
        assert isinstance(built, Solver)
        if psf is None and not built.blind:
            blind = [
                n for n in plugin_names("solver") if find_plugin("solver", n).flags.get("blind") and n != "blurred"
            ]
            raise SettingError(f"{plugin.name} needs the PSF: --psf FILE; without one: {', '.join(blind)}")
        kernel = None if psf is None or built.blind else read_psf(psf, rotate180=rotate180)
        level = None if sigma is None else sigma / 255
        return cls(plugin, built, kernel, level, seed, prior)

    def run(self, y: np.ndarray) -> Estimate:
        """The estimate for a picture (C, H, W) in [0, 1]. Raises SolverError."""
        blind = self.psf is None
        sigma = 0.0 if blind else _estimated(y) if self.sigma is None else self.sigma
        kernel = np.ones((1, 1)) if self.psf is None else self.psf
        m = Measurement(y, None, kernel, T=1.0, level=NoiseLevel(0.0, sigma), psf_known=not blind)
        rng = generator(self.seed, "deblur", self.plugin.name)
        problem = assemble([m], [rng], blind=self.solver.blind, prior=self.prior)
        with torch.no_grad():
            x = self.solver.solve(problem)[0].double().numpy()
        if not np.isfinite(x).all():
            raise SolverError(f"{self.plugin.label} returned non-finite values")
        source = "estimated" if self.sigma is None else "given"
        known = "" if blind else f", noise std {sigma * 255:.2f} of 255 ({source}), PSF {kernel.shape}"
        return Estimate(x.clip(0, 1), f"{self.plugin.label}{known}")


def denoiser_of(plugin: Plugin, settings: dict[str, Any]) -> Callable[[Cost], Denoiser] | None:
    """What makes the prior of a solver that needs one: ``prior`` among the settings, from which it is taken."""
    if not plugin.flags.get("needs_prior"):
        return None
    from bench.methods.diffusion.denoiser import Denoiser, measured_error, placed

    refuse_weights(plugin, settings)
    variants = prior_variants(settings.pop("prior", DEFAULT), Path.cwd())
    if len(variants) > 1:
        raise SettingError(f"{plugin.name}: one prior at a time, got {', '.join(v.id for v in variants)}")
    prior = build(variants[0].plugin, load_plugin(variants[0].plugin), variants[0].settings)
    assert isinstance(prior, Prior)
    model = placed(prior.load(), torch.float32, "cpu")
    measured = calibrations.in_use(variants[0].plugin, variants[0].settings)
    error = None if measured is None else measured_error(measured)
    return lambda cost: Denoiser(model, cost, error)


def _estimated(y: np.ndarray) -> float:
    """Noise std from the finest wavelet coefficients (Donoho and Johnstone 1994), smallest over the channels."""
    from skimage.restoration import estimate_sigma

    return min(float(np.asarray(estimate_sigma(channel))) for channel in y)
