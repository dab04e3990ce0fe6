"""Folders that diffusers saves: a UNet2DModel and its noise scheduler, every field of theirs taken from the files.

A pipeline's folder has ``unet/`` and ``scheduler/``; the older, flat one has both configurations side by side.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import WeightsError, did_you_mean
from bench.methods.diffusion.schedule import Schedule, cosine_betas, scaled_linear_betas
from bench.methods.networks.predictions import PREDICTIONS, NetworkPrior, Prediction
from bench.methods.networks.state_dicts import State, filled, read_state_dict

#: A network's weights under the names that diffusers gives them; .bin is read with weights_only.
WEIGHTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")

#: What ports of guided-diffusion say that no released diffusers understands, and that changes what is computed.
PORTED = ("attention_legacy_order",)

#: Names of attention layers before diffusers 0.14, and after.
RENAMED = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def read_folder(folder: Path) -> NetworkPrior:
    """A pipeline's folder or a flat one. Raises WeightsError where it is neither, or says what cannot be done."""
    if not folder.is_dir():
        raise WeightsError(f"there is no folder {folder}")
    nested = (folder / "unet").is_dir()
    network = folder / "unet" if nested else folder
    scheduler = (folder / "scheduler" if nested else folder) / "scheduler_config.json"
    config = _json(network / "config.json")
    schedule, prediction = schedule_of(_json(scheduler), str(scheduler))
    unet = _network(network, config)
    fields = unet.unet.config
    size = fields.sample_size
    return NetworkPrior(
        unet,
        schedule,
        prediction,
        channels=fields.in_channels,
        stride=2 ** (len(fields.block_out_channels) - 1),
        native_size=size[0] if isinstance(size, list | tuple) else size,
    )


class Unwrapped(nn.Module):
    """A UNet2DModel whose output is a tensor."""

    def __init__(self, unet: Any) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """(B, C, H, W) at real steps t (B,) -> (B, outputs, H, W)."""
        return self.unet(x, t, return_dict=False)[0]


# --- the network ----------------------------------------------------------------------------------------------


def _network(folder: Path, config: dict[str, Any]) -> Unwrapped:
    file = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
    if file is None:
        raise WeightsError(f"{folder} has no weights: {' or '.join(WEIGHTS)}")
    state = _renamed(read_state_dict(file))
    fields, legacy = _fields(config, str(folder / "config.json"))
    if legacy:
        fields = _as_ported(fields, state)
        state = _by_head(state, fields["attention_head_dim"])
    from diffusers.models.unets.unet_2d import UNet2DModel

    with torch.device("meta"):
        unet = UNet2DModel(**fields)
    outputs, inputs = unet.config["out_channels"], unet.config["in_channels"]
    if outputs not in (inputs, 2 * inputs):
        raise WeightsError(
            f"{folder}: {outputs} channels out of {inputs} are no prediction, with a variance or without"
        )
    return Unwrapped(filled(unet, state, file))


def _fields(config: dict[str, Any], where: str) -> tuple[dict[str, Any], bool]:
    """The arguments of UNet2DModel that a config.json gives, and whether attention has guided-diffusion's order."""
    from diffusers.models.unets.unet_2d import UNet2DModel

    if (kind := config.get("_class_name", "UNet2DModel")) != "UNet2DModel":
        raise WeightsError(f"{where}: the network is a {kind}; only UNet2DModel is a prior of images alone")
    known = [*inspect.signature(UNet2DModel.__init__).parameters][1:]
    given = {k: v for k, v in config.items() if not k.startswith("_")}
    if unknown := sorted(given.keys() - {*known, *PORTED}):
        raise WeightsError(
            f"{where}: the installed diffusers knows no {', '.join(unknown)}, and would compute something else. "
            + did_you_mean(unknown[0], known)
        )
    if given.get("class_embed_type") is not None or given.get("num_class_embeds") is not None:
        raise WeightsError(f"{where}: the network is class-conditional: without a label it is no prior of all images")
    if given.get("center_input_sample"):
        raise WeightsError(
            f"{where}: center_input_sample wants images in [0, 1], where a noise schedule is not defined"
        )
    legacy = bool(given.pop("attention_legacy_order", False))
    if given.get("time_embedding_type") == "adm":  # cosines first, and no shift of the frequencies
        given |= {"time_embedding_type": "positional", "flip_sin_to_cos": True, "freq_shift": 0}
    return given, legacy


def _as_ported(fields: dict[str, Any], state: State) -> dict[str, Any]:
    """With the normalisation before attention that UNet2DModel leaves out unless attn_norm_num_groups is set."""
    if fields.get("attention_head_dim") is None:
        raise WeightsError("attention_legacy_order needs attention_head_dim, the channels of a head")
    normalised = "mid_block.attentions.0.group_norm.weight" in state
    groups = fields.get("attn_norm_num_groups") or (fields.get("norm_num_groups", 32) if normalised else None)
    return {**fields, "attn_norm_num_groups": groups}


def _by_head(state: State, head_dim: int) -> State:
    """q, k and v of guided-diffusion, cut into three although their rows are grouped by head, as true q, k and v."""
    changed = dict(state)
    for name in state:
        stem, _, last = name.rpartition(".to_q.")
        if stem:
            names = [f"{stem}.to_{part}.{last}" for part in "qkv"]
            rows = torch.cat([state[n] for n in names]).unflatten(0, (-1, 3, head_dim))
            changed |= {n: rows[:, i].flatten(0, 1) for i, n in enumerate(names)}
    return changed


def _renamed(state: State) -> State:
    """The state with today's names of attention layers."""

    def today(name: str) -> str:
        parts = name.split(".")
        return ".".join(RENAMED.get(p, p) for p in parts) if "attentions" in parts else name

    return {today(k): v for k, v in state.items()}


# --- the scheduler --------------------------------------------------------------------------------------------


def schedule_of(config: dict[str, Any], where: str) -> tuple[Schedule, Prediction]:
    """Noise levels and kind of prediction of a scheduler_config.json; what it says of sampling alone is not used.

    What it leaves out has the defaults of the scheduler's class, as in diffusers itself.
    """
    import diffusers

    name = str(config.get("_class_name", "DDPMScheduler"))
    scheduler = getattr(diffusers, name, None) if name.endswith("Scheduler") else None
    signature = {} if scheduler is None else inspect.signature(scheduler.__init__).parameters
    if "beta_schedule" not in signature:
        raise WeightsError(f"{where}: {name} has no betas that a variance-preserving schedule could be made of")
    defaults = {n: p.default for n, p in signature.items()}
    given = {"prediction_type": "epsilon", "rescale_betas_zero_snr": False, **defaults, **config}
    if (prediction := given["prediction_type"]) not in PREDICTIONS:
        raise WeightsError(f"{where}: prediction_type {prediction!r}. {did_you_mean(prediction, PREDICTIONS)}")
    return Schedule.of_betas(_betas(given, where), zero_snr=bool(given["rescale_betas_zero_snr"])), prediction


def _betas(given: dict[str, Any], where: str) -> Tensor:
    if given.get("trained_betas") is not None:
        return torch.tensor(given["trained_betas"], dtype=torch.float64)
    steps, first, last = int(given["num_train_timesteps"]), float(given["beta_start"]), float(given["beta_end"])
    if (kind := given["beta_schedule"]) == "linear":
        return torch.linspace(first, last, steps, dtype=torch.float64)
    if kind == "scaled_linear":
        return scaled_linear_betas(steps, first, last)
    if kind == "squaredcos_cap_v2":
        return cosine_betas(steps)
    raise WeightsError(
        f"{where}: beta_schedule {kind!r}. {did_you_mean(kind, ['linear', 'scaled_linear', 'squaredcos_cap_v2'])}"
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WeightsError(f"{path.parent} is no folder of diffusers: it has no {path.name}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path} is no mapping")
    return content
