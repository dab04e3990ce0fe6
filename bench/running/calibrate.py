"""How wrong a prior is: its error spectrum and its PSNR as a denoiser, measured once on pictures and remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.contracts import Dataset
from bench.errors import DataError, SettingError
from bench.grid.variants import Variant
from bench.imaging.measure import array_sha
from bench.methods.diffusion.colours import shared_channels
from bench.methods.diffusion.denoiser import Denoiser, PriorModel, placed
from bench.methods.diffusion.error_spectrum import SIGMAS, measure
from bench.methods.diffusion.levels import at_sigma, level
from bench.methods.problem import Prior
from bench.plugins import calibrations
from bench.plugins.code_digest import digest_of
from bench.plugins.contents import from_folder
from bench.plugins.describe import Plugin
from bench.plugins.lookup import find_plugin, load_plugin
from bench.plugins.settings import build, resolve
from bench.seeds import digest, generator

#: σ in grey levels of 255 at which papers state the PSNR of denoisers.
GREY_LEVELS = (10, 25, 50)
#: Side of the crops in px where the prior has no size of its own.
SIZE = 128
#: A smaller side has too few frequencies for a spectrum.
LEAST = 16


@dataclass(frozen=True)
class Pictures:
    """What a prior is measured on.

    Attributes:
        about: the dataset in words, without where it lies.
        crops: float32 (n, c, side, side) in [-1, 1], c the prior's channels.
    """

    about: str
    crops: Tensor


@dataclass(frozen=True)
class Calibration:
    """What was measured, and where it is remembered.

    Attributes:
        record: plain data: ``data``, ``crops``, ``size``; ``psnr`` in dB by grey level, None beyond the prior's σ;
            ``error``, the spectra as a card has them; ``rms``, the error's at each of their σ, in [-1, 1] units.
        path: its file.
        is_used: whether runs take it; not so where the prior knows its own error.
        is_new: measured now, and not remembered from before.
    """

    record: dict[str, Any]
    path: Path
    is_used: bool
    is_new: bool


def calibrate(
    prior: Variant,
    data: str,
    settings: Mapping[str, Any],
    *,
    size: int | None = None,
    most: int = 32,
    seed: int = 0,
    device: str = "cpu",
    batch: int = 4,
    say: Callable[[str], None] = lambda _: None,
) -> Calibration:
    """Measure a prior on crops of a dataset, and let runs use what came of it.

    Args:
        prior: the plug-in with its settings.
        data: name or file of a dataset, or a folder of pictures; ``settings``: the dataset's.
        size: side of the crops in px; by default the prior's native size, else 128, or what the first picture has.
        most: number of crops; every picture gives one before any gives a second.
        seed: of the noise.
        batch: crops for each evaluation.
        say: gets a line for each noise level.

    Raises PluginError, SettingError, DataError or WeightsError.
    """
    plug_in = build(prior.plugin, load_plugin(prior.plugin), prior.settings)
    assert isinstance(plug_in, Prior)
    model = placed(plug_in.load(), torch.float32, device)
    pictures = _pictures(data, settings, model, size, most)
    path = calibrations.place_of(prior.plugin, prior.settings) / f"{_key(pictures, seed)}.json"
    is_new = not path.is_file()
    if is_new:
        calibrations.write(path, {"prior": prior.id, **_measured(model, pictures, seed, batch, device, say)})
    knows = model.error_power(1.0, (16, 16), torch.zeros(1)) is not None
    if not knows:
        calibrations.use(path)
    return Calibration(calibrations.read(path), path, not knows, is_new)


def _key(pictures: Pictures, seed: int) -> str:
    code = digest_of([Path(__file__)])
    return digest([code, pictures.about, array_sha(pictures.crops.numpy()), seed])[:32]


@torch.no_grad()
def _measured(
    model: PriorModel, pictures: Pictures, seed: int, batch: int, device: str, say: Callable[[str], None]
) -> dict[str, Any]:
    denoiser, x, rms = Denoiser(model), pictures.crops, []
    low, high = (level(model.schedule, t).sigma for t in (0.0, len(model.schedule) - 1.0))

    def denoise(y: Tensor, sigma: float) -> Tensor:
        say(f"σ = {sigma:.3g}")
        at = at_sigma(model.schedule, sigma)
        estimate = torch.cat([denoiser.x0(at.a * part.to(device), at).cpu() for part in y.split(batch)])
        rms.append(round(float((estimate - x).square().mean().sqrt()), 5))
        return estimate

    def psnr(grey: int) -> float | None:
        sigma = 2 * grey / 255
        if not low <= sigma <= high:
            return None
        noise = [generator("calibrate", seed, grey, i).standard_normal(c.shape) for i, c in enumerate(x)]
        error = (denoise(x + sigma * x.new_tensor(np.stack(noise)), sigma).clamp(-1, 1) - x) / 2
        return round(float((-10 * error.double().square().mean((1, 2, 3)).log10()).mean()), 3)

    error = measure(x, denoise, seed, _sigmas(low, high))
    about = {"data": pictures.about, "crops": len(x), "size": x.shape[-1], "seed": seed, "rms": rms.copy()}
    return {**about, "psnr": {str(g): psnr(g) for g in GREY_LEVELS}, "error": error.card()}


def _sigmas(low: float, high: float) -> list[float]:
    """The levels of ``SIGMAS`` that the prior knows, and where its knowledge ends within them: chains begin there."""
    inner = [s for s in SIGMAS[:-1] if low * 1.05 < s < high / 1.05]
    return [low, *inner, *([high] if high < SIGMAS[-2] else [])]


# --- the pictures ---------------------------------------------------------------------------------------------


def _pictures(data: str, given: Mapping[str, Any], model: PriorModel, size: int | None, most: int) -> Pictures:
    name, settings = ("folder", {"path": data, "margin": 0, **given}) if _is_folder(data) else (data, dict(given))
    plugin = find_plugin("dataset", name)
    stated = {**_fitting(plugin, model.channels), **settings}
    dataset = build(plugin, load_plugin(plugin), resolve(plugin, from_folder(plugin, stated, Path.cwd())))
    assert isinstance(dataset, Dataset)
    crops = _crops(_scenes(dataset, model.channels), size, getattr(model, "native_size", None) or SIZE, most)
    if not crops:
        wanted = "with colours" if model.channels == 3 else "of that size"
        raise DataError(f"{data}: the dataset has no picture {wanted}")
    shown = {k: Path(v).name if k == "path" else v for k, v in stated.items() if (k, v) != ("margin", 0)}
    words = [plugin.label, *(f"{k}={v}" for k, v in shown.items())]
    about = f"{len(crops)} crop{'s' * (len(crops) > 1)} of {' '.join(words)}"
    return Pictures(about, 2 * torch.tensor(np.stack(crops), dtype=torch.float32) - 1)


def _is_folder(data: str) -> bool:
    return not data.endswith(".py") and ("/" in data or Path(data).is_dir())


def _fitting(plugin: Plugin, channels: int) -> dict[str, Any]:
    """What is not stated: pictures that tests do not see, with the colours that the prior sees."""
    known, chosen = plugin.parameters, {}
    if "split" in known and known["split"].default == "test":
        chosen["split"] = "val"
    if channels == 3 and "mode" in known:
        chosen["mode"] = "rgb"
    return chosen


def _scenes(dataset: Dataset, channels: int) -> Iterator[np.ndarray]:
    """Each picture with all that lies around it, (n, c, H, W): the n images of a gray prior are its colours."""
    for name in dataset.ids():
        scene = np.asarray(dataset.load(name).scene)
        seen = shared_channels(channels, len(scene))
        # Three equal channels are a gray picture, in which a colour prior shows no error of colour.
        if seen == 1 or bool((scene != scene[:1]).any()):
            yield scene.reshape(-1, seen, *scene.shape[-2:])


def _crops(scenes: Iterable[np.ndarray], size: int | None, usual: int, most: int) -> list[np.ndarray]:
    """Squares that do not overlap, (c, side, side), at most ``most``: one of each picture, then a second ...

    The side is ``size``, or ``usual`` where the first picture is not smaller; smaller pictures are left out.
    """
    by_picture: list[list[np.ndarray]] = []
    for scene in scenes:
        side = size = size or min(usual, *scene.shape[-2:])
        cut = [c[:, t : t + side, s : s + side] for t, s in _places(scene.shape[-2:], side) for c in scene]
        by_picture += [[c.astype(np.float32) for c in cut[:most]]] if cut else []
        if len(by_picture) == most:
            break
    return [crops[k] for k in range(most) for crops in by_picture if k < len(crops)][:most]


def _places(shape: Sequence[int], side: int) -> list[tuple[int, int]]:
    """Top left corners of the squares of a picture, from its middle outwards."""
    if side < LEAST:
        raise SettingError(f"crops must have a side of at least {LEAST} px, got {side}")
    rows, columns = ([(n % side) // 2 + side * i for i in range(n // side)] for n in shape)
    middle = [(n - side) / 2 for n in shape]
    corners = [(t, s) for t in rows for s in columns]
    return sorted(corners, key=lambda p: (abs(p[0] - middle[0]) + abs(p[1] - middle[1]), p))
