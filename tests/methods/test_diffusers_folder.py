"""Folders of diffusers: the same numbers as diffusers computes, every field heeded, and refusals."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.errors import WeightsError
from bench.methods.diffusion.schedule import Schedule
from bench.methods.networks.adm import ADM, ADMConfig
from bench.methods.networks.diffusers_folder import read_folder, schedule_of
from tests.methods.test_adm import randomised

diffusers: Any = importlib.import_module("diffusers")  # its public names are unknown to type checkers

#: as google/ddpm-celebahq-256, in small: all that must not be a default
CELEBA: dict[str, Any] = {
    "sample_size": 16,
    "in_channels": 3,
    "out_channels": 3,
    "block_out_channels": (32, 64),
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    "layers_per_block": 1,
    "attention_head_dim": None,
    "downsample_padding": 0,
    "flip_sin_to_cos": False,
    "freq_shift": 1,
    "norm_eps": 1e-6,
    "norm_num_groups": 8,
}


def unet(**fields: Any) -> Any:
    network = diffusers.UNet2DModel(**{**CELEBA, **fields})
    randomised(network)
    return network


def ddim(**settings: Any) -> Any:
    """With all its steps as those of inference."""
    scheduler = diffusers.DDIMScheduler(clip_sample=False, **settings)
    scheduler.set_timesteps(1000)
    return scheduler


def save(folder: Path, network: Any, scheduler: Any = None, *, nested: bool = False, **how: Any) -> Path:
    scheduler = scheduler or diffusers.DDPMScheduler()
    if nested:
        diffusers.DDPMPipeline(network, scheduler).save_pretrained(folder, **how)
    else:
        network.save_pretrained(folder, **how)
        scheduler.save_pretrained(folder)
    return folder


def edit(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("safe", [True, False])
def test_both_layouts_give_what_diffusers_predicts_for_the_clean_image(
    tmp_path: Path, nested: bool, safe: bool
) -> None:
    network, scheduler = unet(), ddim()
    folder = save(tmp_path / "it", network, scheduler, nested=nested, safe_serialization=safe)
    prior = read_folder(folder)
    assert (prior.channels, prior.stride, prior.native_size) == (3, 2, 16)
    x = torch.randn(2, 3, 16, 16)
    for t in (0, 400, 999):
        with torch.no_grad():
            step = scheduler.step(network(x, t).sample, t, x)
        torch.testing.assert_close(prior.x0(x, torch.tensor([t, t])), step.pred_original_sample, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("variance", [False, True])
def test_every_kind_of_prediction_becomes_the_clean_image(tmp_path: Path, prediction: str, variance: bool) -> None:
    """The schedulers of diffusers say what it is."""
    network = unet(out_channels=6 if variance else 3)
    scheduler = ddim(prediction_type=prediction)
    prior = read_folder(save(tmp_path, network, scheduler))
    x, t = torch.randn(1, 3, 16, 16), torch.tensor([300])
    with torch.no_grad():
        step = scheduler.step(network(x, t).sample[:, :3], 300, x)
    torch.testing.assert_close(prior.x0(x, t), step.pred_original_sample, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("DDPMScheduler", {}),
        ("DDPMScheduler", {"num_train_timesteps": 300, "beta_start": 3e-4, "beta_end": 0.03}),
        ("DDIMScheduler", {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}),
        ("DDPMScheduler", {"beta_schedule": "squaredcos_cap_v2"}),
        ("PNDMScheduler", {"trained_betas": [0.01, 0.02, 0.05, 0.4]}),
        ("DPMSolverMultistepScheduler", {}),
    ],
)
def test_the_noise_levels_are_those_of_the_scheduler(name: str, settings: dict[str, Any]) -> None:
    scheduler = getattr(diffusers, name)(**settings)
    schedule, _ = schedule_of(dict(scheduler.config), "it")
    torch.testing.assert_close(schedule.alphas_cumprod, scheduler.alphas_cumprod.double(), rtol=2e-5, atol=1e-9)


def test_zero_terminal_snr_is_diffusers_s_and_ends_at_a_level_with_a_finite_logarithm() -> None:
    scheduler = diffusers.DDIMScheduler(rescale_betas_zero_snr=True)
    schedule, _ = schedule_of(dict(scheduler.config), "it")
    torch.testing.assert_close(schedule.alphas_cumprod, scheduler.alphas_cumprod.double(), rtol=1e-4, atol=1e-6)
    assert 0 < float(schedule.alphas_cumprod[-1]) < 1e-7
    assert bool((schedule.log_sigmas.diff() > 0).all())
    assert bool(schedule.log_sigmas.isfinite().all())


def test_an_old_configuration_that_names_no_prediction_predicts_the_noise() -> None:
    schedule, prediction = schedule_of({"_class_name": "DDPMScheduler", "num_train_timesteps": 1000}, "it")
    assert prediction == "epsilon"
    assert torch.equal(schedule.alphas_cumprod, Schedule.make("linear").alphas_cumprod)


def test_weights_with_the_attention_names_of_old_are_read(tmp_path: Path) -> None:
    network = unet()
    folder = save(tmp_path, network, safe_serialization=False)
    names = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}

    def of_old(name: str) -> str:
        for now, then in names.items():
            name = name.replace(now, then)
        return name

    torch.save({of_old(k): v for k, v in network.state_dict().items()}, folder / "diffusion_pytorch_model.bin")
    x, t = torch.randn(1, 3, 16, 16), torch.tensor([300])
    prior = read_folder(folder)
    torch.testing.assert_close(prior.network(x, t), network(x, t).sample.detach(), rtol=1e-5, atol=1e-6)


def test_a_port_of_guided_diffusion_computes_what_guided_diffusion_does(tmp_path: Path) -> None:
    """Ported naively: q, k and v are the thirds of a matrix whose rows are (head, q | k | v, channel)."""
    config = ADMConfig(3, 6, 32, (32, 64), 1, (False, True), head_channels=16)
    adm = randomised(ADM(config))
    port = unet(
        out_channels=6,
        attention_head_dim=16,
        attn_norm_num_groups=32,
        norm_num_groups=32,
        norm_eps=1e-5,
        down_block_types=("ResnetDownsampleBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "ResnetUpsampleBlock2D"),
        downsample_type="resnet",
        upsample_type="resnet",
        resnet_time_scale_shift="scale_shift",
    )
    port.load_state_dict(ported(adm.state_dict(), port.state_dict()))
    folder = save(tmp_path, port)
    edit(folder / "config.json", time_embedding_type="adm", attention_legacy_order=True, attn_norm_num_groups=None)
    x, t = torch.randn(2, 3, 16, 16), torch.tensor([30, 700])
    torch.testing.assert_close(read_folder(folder).network(x, t), adm(x, t).detach(), rtol=1e-4, atol=1e-5)


def ported(adm: dict[str, Tensor], port: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of guided-diffusion in the order of diffusers' two levels."""
    blocks = {
        "down_blocks.0.resnets.0": "input_blocks.1.0",
        "down_blocks.0.downsamplers.0": "input_blocks.2.0",
        "down_blocks.1.resnets.0": "input_blocks.3.0",
        "down_blocks.1.attentions.0": "input_blocks.3.1",
        "mid_block.resnets.0": "middle_block.0",
        "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2",
        "up_blocks.0.resnets.0": "output_blocks.0.0",
        "up_blocks.0.attentions.0": "output_blocks.0.1",
        "up_blocks.0.resnets.1": "output_blocks.1.0",
        "up_blocks.0.attentions.1": "output_blocks.1.1",
        "up_blocks.0.upsamplers.0": "output_blocks.1.2",
        "up_blocks.1.resnets.0": "output_blocks.2.0",
        "up_blocks.1.resnets.1": "output_blocks.3.0",
        "conv_in": "input_blocks.0.0",
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
    }
    layers = {
        "norm1": "in_layers.0",
        "conv1": "in_layers.2",
        "time_emb_proj": "emb_layers.1",
        "norm2": "out_layers.0",
        "conv2": "out_layers.3",
        "conv_shortcut": "skip_connection",
        "group_norm": "norm",
        "to_out.0": "proj_out",
    }
    out = {}
    for name, like in port.items():
        block = next(b for b in blocks if name.startswith(b + "."))
        stem, last = name[len(block) + 1 :].rpartition(".")[::2]
        if stem in ("to_q", "to_k", "to_v"):
            value = adm[f"{blocks[block]}.qkv.{last}"].chunk(3)["qkv".index(stem[-1])]
        else:
            value = adm[".".join(filter(None, (blocks[block], layers.get(stem, stem), last)))]
        out[name] = value.reshape(like.shape)
    return out


def refuse(folder: Path, match: str) -> None:
    with pytest.raises(WeightsError, match=match):
        read_folder(folder)


def test_a_field_that_diffusers_does_not_know_is_refused(tmp_path: Path) -> None:
    folder = save(tmp_path, unet())
    edit(folder / "config.json", attention_head_dims=7)
    refuse(folder, r"knows no attention_head_dims.*Did you mean 'attention_head_dim'")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"_class_name": "UNet2DConditionModel"}, "UNet2DConditionModel"),
        ({"num_class_embeds": 10}, "class-conditional"),
        ({"center_input_sample": True}, "center_input_sample"),
        ({"out_channels": 5}, "not of this layout|are no prediction"),
        ({"attention_legacy_order": True, "attention_head_dim": None}, "needs attention_head_dim"),
    ],
)
def test_a_network_that_is_no_prior_is_refused(tmp_path: Path, changes: dict[str, Any], match: str) -> None:
    folder = save(tmp_path, unet())
    edit(folder / "config.json", **changes)
    refuse(folder, match)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"prediction_type": "flow_prediction"}, "prediction_type 'flow_prediction'. Allowed: epsilon, sample"),
        ({"beta_schedule": "sigmoid"}, "beta_schedule 'sigmoid'. Allowed: linear"),
        ({"_class_name": "ScoreSdeVeScheduler"}, "no betas"),
        ({"_class_name": "os"}, "no betas"),
    ],
)
def test_a_schedule_that_is_not_variance_preserving_is_refused(
    tmp_path: Path, changes: dict[str, Any], match: str
) -> None:
    folder = save(tmp_path, unet())
    edit(folder / "scheduler_config.json", **changes)
    refuse(folder, match)


def test_what_is_no_folder_of_diffusers_is_named(tmp_path: Path) -> None:
    refuse(tmp_path / "missing", "no folder")
    refuse(tmp_path, r"has no config\.json")
    folder = save(tmp_path / "it", unet())
    (folder / "diffusion_pytorch_model.safetensors").unlink()
    refuse(folder, "has no weights")
    (folder / "config.json").write_text("{")
    refuse(folder, "cannot be read")
