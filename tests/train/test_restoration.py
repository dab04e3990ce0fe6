"""Training of restorers and conditional diffusion: resumable to the last bit, and it learns."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from bench.errors import RecipeError, TrainingError
from bench.methods.networks import weights
from bench.methods.networks.conditional import ConditionalUNet
from bench.methods.networks.prior import build
from bench.methods.networks.restoration_weights import load_conditional, load_restorer
from bench.methods.networks.unet import UNetConfig
from bench.train import checkpoint, loop, losses, session
from bench.train.card import export
from bench.train.data import pairs
from bench.train.history import History
from bench.train.recipe.read import read
from bench.train.recipe.restoration import RestorationLoss
from bench.train.session import initial_state, lesson_of
from bench.train.state import State
from bench.train.validate import psnr
from tests.restoration import CONDITIONAL, CONVIR, INFORMED, RESIDUAL, SWINIR, UNET, write_recipe, write_restorer
from tests.training import write_images

CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("one_thread")

KINDS: dict[str, dict[str, Any]] = {
    "convir": {"loss": {"name": "multiscale", "gradient_penalty": 0.1}},
    "swinir": {"network": SWINIR.model_dump(mode="json"), "loss": {"name": "charbonnier"}},
    "conditional": CONDITIONAL,
    "informed": {"kind": "conditional", "network": INFORMED.model_dump(mode="json")},
    "residual": {"kind": "conditional", "network": RESIDUAL.model_dump(mode="json")},
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


def rows(out: Path) -> list[dict[str, str]]:
    return [{k: v for k, v in r.items() if "seconds" not in k} for r in History(out / "history.csv", []).rows()]


@pytest.mark.parametrize(
    "kind", ["convir", "conditional", *(pytest.param(k, marks=pytest.mark.slow) for k in ("swinir", "residual"))]
)
def test_a_restoration_training_interrupted_ends_in_the_same_bits(kind: str, tmp_path: Path, root: Path) -> None:
    """Stopped half-way and resumed with a process of its own making the pairs; the histories agree too."""
    validation = {"every": 5, "crops": 3, "pictures": 0, "samples": 2, "sample_steps": 2}
    changes = KINDS[kind] | {"optimiser": {"lr": 2e-3, "end": "wsd", "decay": 1}, "validation": validation}
    recipe = write_recipe(tmp_path / "r.yaml", **changes)
    session.run(recipe, tmp_path / "whole", data_root=root)
    session.run(recipe, tmp_path / "parts", data_root=root, steps=5)
    ahead = write_recipe(tmp_path / "ahead.yaml", **changes, workers=1)
    session.run(ahead, tmp_path / "parts", data_root=root, resume=True)
    whole, parts = (checkpoint.read(tmp_path / f"{d}/last.safetensors")[0] for d in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[k], parts[k]) for k in whole)
    assert rows(tmp_path / "whole") == rows(tmp_path / "parts")


def test_a_training_with_workers_answers_a_signal_with_a_checkpoint(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = loop.step

    def step(state: State, *args: Any) -> float:
        if state.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return real(state, *args)

    monkeypatch.setattr(loop, "step", step)
    recipe = write_recipe(tmp_path / "r.yaml", workers=2, validation={"every": 100, "pictures": 0})
    session.run(recipe, tmp_path / "out", data_root=root)
    assert checkpoint.read(tmp_path / "out/last.safetensors")[1]["step"] == 4


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_validation_reports_input_and_estimate_and_the_card_says_what_was_learnt(
    kind: str, tmp_path: Path, root: Path
) -> None:
    best = session.run(write_recipe(tmp_path / "r.yaml", **KINDS[kind]), tmp_path / "out", data_root=root, steps=2)
    measured = ["psnr_out"] if kind in ("convir", "swinir") else ["psnr_mean", "psnr_sample"]
    measured += ["psnr_wiener", "ssim_wiener"] if kind == "informed" else []
    row = rows(tmp_path / "out")[-1]
    assert all(float(row[name]) > 0 for name in ("psnr_in", "ssim_in", "val_loss", *measured))
    card = json.loads(export(best, tmp_path / "w.safetensors").read_text())
    assert card["kind"] == ("restorer" if kind in ("convir", "swinir") else "conditional")
    assert card["degradation"]["blur"] == [{"gaussian": {"sigma": 0.5}}]
    assert str(root) not in json.dumps(card)
    shown = {"convir": 3, "swinir": 3, "informed": 5}.get(kind, 4)
    with Image.open(tmp_path / "out/restorations.png") as image:
        assert image.size == (2 * 16, shown * 16)
    load = load_restorer if card["kind"] == "restorer" else load_conditional
    assert all(
        p.dtype == torch.float32 and not p.requires_grad for p in load(tmp_path / "w.safetensors").parameters()
    )


def test_exported_weights_restore_what_the_validation_measured(tmp_path: Path, root: Path) -> None:
    recipe = write_recipe(tmp_path / "r.yaml")
    best = session.run(recipe, tmp_path / "out", data_root=root)
    card = json.loads(export(best, tmp_path / "w.safetensors").read_text())
    plan = read(recipe)
    assert plan.name == "tiny"
    x, y = pairs.load(plan, "val", root).centres(3)  # type: ignore[arg-type]
    with torch.no_grad():
        restored = load_restorer(tmp_path / "w.safetensors")(torch.from_numpy(y)).numpy()
    assert psnr(2 * restored - 1, 2 * x - 1) == pytest.approx(card["validation"]["psnr_out"], abs=0.05)


def test_resuming_with_another_degradation_is_refused(tmp_path: Path, root: Path) -> None:
    session.run(write_recipe(tmp_path / "a.yaml"), tmp_path / "out", data_root=root, steps=2)
    noise = [{"poisson_gaussian": {"lam": 1e4}}]
    other = write_recipe(tmp_path / "b.yaml", degradation={"margin": 2, "blur": ["identity"], "noise": noise})
    with pytest.raises(TrainingError, match="degradation differ"):
        session.run(other, tmp_path / "out", data_root=root, resume=True)


def test_a_training_of_unknown_kind_is_refused_with_the_kinds_there_are(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"no kind 'restore'.*conditional, mixture, prior, restorer"):
        read(write_recipe(tmp_path / "r.yaml", kind="restore"))


# --- conditional models that start from a prior ---------------------------------------------------------------


def test_a_conditional_model_that_starts_from_a_prior_ignores_the_measurement_at_first(tmp_path: Path) -> None:
    """The weights of the prior, and zeros for what is new: at step 0 it predicts what the prior predicts."""
    config = UNetConfig(channels=(8, 8), layers=1, attention=(False, True), head_dim=8, groups=4, space_to_depth=2)
    torch.manual_seed(3)
    prior = build(config, {"name": "linear", "steps": 1000}, "v")
    card = {
        "network": config.model_dump(mode="json"),
        "schedule": {"name": "linear", "steps": 1000},
        "prediction": "v",
    }
    (tmp_path / "prior.safetensors").write_bytes(weights.encode(prior.network.state_dict(), card, torch.float32))
    recipe = write_recipe(tmp_path / "r.yaml", **CONDITIONAL, init=str(tmp_path / "prior.safetensors"))
    model = initial_state(read(recipe), CPU).model.eval()
    x, y, t = torch.randn(2, 1, 16, 16), torch.randn(2, 1, 16, 16), torch.tensor([3.0, 700.0])
    with torch.no_grad():
        assert torch.allclose(model.given(y)(x, t), prior.eval()(x, t), atol=1e-6)
    wide = {"kind": "conditional", "network": UNET.model_copy(update={"channels": (8, 16)}).model_dump(mode="json")}
    with pytest.raises(RecipeError, match="holds another network"):
        initial_state(read(write_recipe(tmp_path / "w.yaml", **wide, init=str(tmp_path / "prior.safetensors"))), CPU)


def test_a_predictor_that_was_trained_before_is_left_as_it_is_and_the_diffusion_learns(
    tmp_path: Path, root: Path
) -> None:
    predictor = SWINIR.model_copy(update={"drop_path": 0.5})
    trained = str(write_restorer(tmp_path / "swinir.safetensors", predictor))
    network = UNET.model_copy(update={"predictor": predictor}).model_dump(mode="json")
    changes = {"kind": "conditional", "network": network, "predictor_init": trained, "predictor_loss": 0}
    recipe = write_recipe(tmp_path / "r.yaml", **changes)
    before = initial_state(read(recipe), CPU).average.network.state_dict()
    session.run(recipe, tmp_path / "out", data_root=root)
    after = load_conditional(tmp_path / "out/best.safetensors").network.state_dict()
    given = load_restorer(Path(trained)).state_dict()
    assert all(torch.equal(after[f"predictor.{name}"], value) for name, value in given.items())
    assert not torch.equal(after["unet.conv_in.weight"], before["unet.conv_in.weight"])


def test_weights_of_another_restorer_are_no_start_for_a_predictor(tmp_path: Path) -> None:
    trained = str(write_restorer(tmp_path / "convir.safetensors", CONVIR))
    network = UNET.model_copy(update={"predictor": SWINIR}).model_dump(mode="json")
    changes = {"kind": "conditional", "network": network, "predictor_init": trained}
    with pytest.raises(RecipeError, match="holds another predictor"):
        initial_state(read(write_recipe(tmp_path / "r.yaml", **changes)), CPU)
    with pytest.raises(RecipeError, match="for a network with a predictor"):
        read(write_recipe(tmp_path / "r.yaml", **CONDITIONAL, predictor_init=trained))


# --- losses ---------------------------------------------------------------------------------------------------


def test_the_multiscale_loss_of_a_constant_error_is_its_size_plus_its_share_at_frequency_zero() -> None:
    """An error of 0.1 everywhere: |F| is 0.1 H W at f = 0 alone, so its mean over 2 H W numbers is 0.05."""
    x = torch.rand(2, 1, 16, 16)
    outputs = [torch.nn.functional.interpolate(x, scale_factor=1 / k, mode="bilinear") + 0.1 for k in (1, 2, 4)]
    spatial, frequency = losses.multiscale(outputs, x)
    assert float(spatial) == pytest.approx(3 * 0.1, rel=1e-4)
    assert float(frequency) == pytest.approx(3 * 0.05, rel=1e-4)
    config = RestorationLoss(name="multiscale", frequency=0.1)
    assert float(losses.restoration(config, outputs, x)[0]) == pytest.approx(3 * (0.1 + 0.1 * 0.05), rel=1e-4)


def test_charbonnier_is_the_absolute_error_beyond_a_thousandth_and_flat_at_zero() -> None:
    x = torch.zeros(1, 1, 8, 8, requires_grad=True)
    config = RestorationLoss(name="charbonnier")
    far, _ = losses.restoration(config, [x.detach() + 0.5], torch.zeros(1, 1, 8, 8))
    assert float(far) == pytest.approx(0.5, abs=1e-5)
    loss, _ = losses.restoration(config, [x], torch.zeros_like(x))
    loss.backward()
    assert x.grad is not None
    assert float(x.grad.abs().max()) == 0


def test_the_gradient_penalty_is_the_norm_of_the_gradient_and_can_be_descended() -> None:
    """L = w² / 2 has the gradient w: its norm is |w|, whose derivative is the sign of w."""
    w = torch.nn.Parameter(torch.tensor([3.0, -4.0]))
    norm = losses.gradient_norm(w.square().sum() / 2, [w])
    norm.backward()
    assert float(norm.detach()) == pytest.approx(5)
    assert w.grad is not None
    assert torch.allclose(w.grad, w.detach() / 5)


# --- what it learns -------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_short_training_lowers_the_validation_loss_by_a_fifth(kind: str, tmp_path: Path, root: Path) -> None:
    changes = KINDS[kind] | ({"loss": {"name": "l1"}} if "loss" in KINDS[kind] else {})
    disk = {"margin": 2, "blur": [{"disk": {"radius": 2}}], "noise": [{"poisson_gaussian": {"lam": 1e6}}]}
    recipe = write_recipe(
        tmp_path / "r.yaml",
        **changes,
        degradation=disk,
        steps=600,
        batch=16,
        ema=0.95,
        optimiser={"lr": 5e-3, "warmup": 10, "end": "cosine", "clip": 1.0},
        validation={"every": 600, "crops": 3, "pictures": 0, "samples": 0},
    )
    plan = read(recipe)
    lesson = lesson_of(plan)
    lesson.open(root)
    before = lesson.validate(initial_state(plan, CPU).average)["val_loss"]
    session.run(recipe, tmp_path / "out", data_root=root)
    assert float(rows(tmp_path / "out")[-1]["val_loss"]) < 0.8 * before


# --- recipes --------------------------------------------------------------------------------------------------

#: Study 001's Table 1 in diffusers' terms, and how many parameters each network has.
TABLE_1 = {
    "base": 17_216_193,
    "multihead": 17_216_193,
    "multires": 18_866_113,
    "biggan": 19_735_745,
    "increased": 68_789_633,
    "improved": 85_427_073,
}


RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.mark.skipif(not RECIPES.is_dir(), reason="there are no recipes beside the tests")
@pytest.mark.parametrize("name", ["base", "multires", "biggan"])
def test_the_networks_of_study_001_have_the_parameters_that_their_recipes_state(name: str) -> None:
    recipe = read(RECIPES / f"seed001_table1_{name}.yaml")
    assert recipe.parameters == TABLE_1[name]
    with torch.device("meta"):
        network: Any = ConditionalUNet(recipe.network)  # type: ignore[arg-type]
    assert sum(p.numel() for p in network.parameters()) == TABLE_1[name]
