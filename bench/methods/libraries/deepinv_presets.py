"""deepinv's own reconstruction methods, configured for deblurring: each call builds a fresh object.

Fresh, because TVPrior keeps the last image's primal and dual variables and starts the next image from them.
All minimise |A x - y|^2 / 2 + lam R(x).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from deepinv.models import Reconstructor, TVDenoiser, WienerDeconvolution
from deepinv.optim import ADMM, FISTA, L2, PDCP, L12Prior, TVPrior, WaveletPrior
from deepinv.physics import BlurFFT, LinearPhysics
from torch import Tensor

from bench.methods.classical.optim import noise_variance, tv_weight
from bench.methods.libraries.deepinv_physics import BlurPhysics
from bench.methods.problem import Problem

Options = Mapping[str, Any]


class Preset(NamedTuple):
    """How to build a method.

    Attributes:
        build: (lam, start, options) -> model. Iterations begin at ``start`` (B, C, *scene_shape); options override
            the preset's keywords of deepinv's class.
        lam: default weight for the noise level of a problem, a batch of one.
        circular: whether the method needs deepinv's BlurFFT.
    """

    build: Callable[[float, Tensor, Options], Reconstructor]
    lam: Callable[[Problem], float]
    circular: bool = False


def wiener(lam: float, _: Tensor, options: Options) -> Reconstructor:
    """WienerDeconvolution, R = |Laplacian x|^2 / 2."""
    return WienerDeconvolution(**{"lambda_reg": lam, "prior": "laplacian", **options})


def pdcp_tv(lam: float, start: Tensor, options: Options) -> Reconstructor:
    """Chambolle-Pock with K = gradient and the data term's prox, R = isotropic TV."""
    tau = float(options.get("stepsize", 20.0))
    keywords = {"stepsize": tau, "stepsize_dual": 1 / (8 * tau), "max_iter": 100, "lambda_reg": lam, **options}
    return PDCP(
        K=TVDenoiser.nabla,
        K_adjoint=TVDenoiser.nabla_adjoint,
        data_fidelity=L2(),
        prior=L12Prior(l2_axis=-1),
        g_first=True,
        custom_init=lambda *_: {"est": (start, start, torch.zeros_like(TVDenoiser.nabla(start)))},
        **keywords,
    )


def admm_tv(lam: float, start: Tensor, options: Options) -> Reconstructor:
    """ADMM with the proxes of the data term and of TV, the latter by deepinv's inner iteration (20 steps of it)."""
    keywords = {"stepsize": 100.0, "max_iter": 30, "lambda_reg": lam, **options}
    return ADMM(
        data_fidelity=L2(),
        prior=TVPrior(n_it_max=20),
        custom_init=lambda *_: {"est": (start, torch.zeros_like(start))},
        **keywords,
    )


def fista_haar(lam: float, start: Tensor, options: Options) -> Reconstructor:
    """FISTA on orthonormal Haar wavelet details."""
    # WaveletPrior.prox multiplies its step with ths = 0.1, a default that FISTA does not override.
    keywords = {"stepsize": 1.0, "max_iter": 100, "lambda_reg": 10 * lam, **options}
    return FISTA(
        data_fidelity=L2(),
        prior=WaveletPrior(level=3, wv="haar", p=1, device=str(start.device)),
        custom_init=lambda *_: {"est": (start, start)},
        **keywords,
    )


PRESETS = {
    "wiener": Preset(wiener, lambda p: 200 * float(noise_variance(p)), circular=True),
    "pdcp_tv": Preset(pdcp_tv, lambda p: float(tv_weight(p, 1.2))),
    "admm_tv": Preset(admm_tv, lambda p: float(tv_weight(p, 1.2))),
    "fista_haar": Preset(fista_haar, lambda p: float(tv_weight(p, 2.2))),
}


def scene_physics(problem: Problem) -> LinearPhysics:
    """The exact operator of the measurement, scene to sensor."""
    return BlurPhysics(problem.blur, problem.noise)


def circular_physics(problem: Problem, y: Tensor) -> LinearPhysics:
    """The BlurFFT of deepinv on the grid of y, a measurement padded to be periodic, with the noise model."""
    psf = problem.psf
    physics = BlurFFT(img_size=tuple(y.shape[1:]), filter=psf, device=psf.device)
    physics.noise_model = scene_physics(problem).noise_model
    return physics
