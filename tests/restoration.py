"""Restoration small enough for tests: tiny networks, their weights files, recipes on smooth random images."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
import yaml

from bench.methods.networks import conditional, restorer, weights
from bench.methods.networks.conditional import ConditionalConfig
from bench.methods.networks.convir import ConvIRConfig
from bench.methods.networks.restorer import RestorerConfig
from bench.methods.networks.swinir import SwinIRConfig

LINEAR = {"name": "linear", "steps": 1000}

CONVIR = ConvIRConfig(kind="convir", n=0, width=8, space_to_depth=2)
SWINIR = SwinIRConfig(kind="swinir", width=12, depths=(2,), heads=2, window=4, space_to_depth=2)
UNET = ConditionalConfig(
    kind="conditional_unet2d",
    channels=(8, 8),
    layers=1,
    attention=(False, True),
    head_dim=8,
    groups=4,
    space_to_depth=2,
)
INFORMED = UNET.model_copy(update={"informed": True, "predictor": CONVIR.model_copy(update={"informed": True})})
RESIDUAL = UNET.model_copy(update={"predictor": CONVIR})

#: A restorer of crops of 16 pixels: one kernel, some noise.
TINY: dict[str, Any] = {
    "name": "tiny",
    "summary": "Tiny.",
    "kind": "restorer",
    "data": {"train": {"path": "train"}, "val": {"path": "val"}, "credits": ["made here"]},
    "degradation": {
        "margin": 2,
        "blur": [{"gaussian": {"sigma": 0.5}}],
        "noise": [{"poisson_gaussian": {"lam": 1e6}}],
    },
    "size": 16,
    "network": CONVIR.model_dump(mode="json"),
    "augment": {"scale_share": 0},
    "optimiser": {"lr": 2e-3, "warmup": 3, "end": "cosine"},
    "batch": 4,
    "steps": 10,
    "validation": {"every": 5, "crops": 3, "pictures": 2, "samples": 2, "sample_steps": 2},
    "device": "cpu",
}
CONDITIONAL = {"kind": "conditional", "network": UNET.model_dump(mode="json")}


def write_recipe(path: Path, **changes: Any) -> Path:
    """The tiny recipe with top-level entries replaced."""
    path.write_text(yaml.safe_dump(deepcopy(TINY) | changes))
    return path


def write_restorer(path: Path, config: RestorerConfig, seed: int = 0) -> Path:
    """An untrained restorer as a weights file."""
    torch.manual_seed(seed)
    model = restorer.build(config)
    for p in model.parameters():
        p.data += 0.02 * torch.randn_like(p)  # SwinIR begins as the identity
    card = {"kind": "restorer", "network": config.model_dump(mode="json"), "size": 16}
    path.write_bytes(weights.encode(model.network.state_dict(), card))
    return path


def write_conditional(path: Path, config: ConditionalConfig, seed: int = 0) -> Path:
    """An untrained conditional model as a weights file."""
    torch.manual_seed(seed)
    model = conditional.build(config, LINEAR, "v")
    card = {"kind": "conditional", "network": config.model_dump(mode="json"), "schedule": LINEAR, "prediction": "v"}
    path.write_bytes(weights.encode(model.network.state_dict(), {**card, "size": 16}))
    return path
