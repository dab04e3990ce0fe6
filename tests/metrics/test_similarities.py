"""MS-SSIM, GMSD, HaarPSI, PSNR-Y and DISTS against independent implementations and closed forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bench.contracts import Context, NoiseLevel
from bench.errors import PluginError, SettingError
from bench.grid.metrics import measures_of
from bench.running.score import columns_of
from bench.scoring import dists, lpips
from bench.scoring.evaluate import evaluate
from bench.scoring.registry import describe
from bench.testing import check_metric
from tests.metric_values import values

CONTEXT = Context(np.zeros((1, 8, 8)), np.ones((1, 1)), NoiseLevel(0.0, 0.1))


def pictures(channels: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(size)
    v, u = np.mgrid[:size, :size] / size
    x = np.stack([0.5 + 0.3 * np.sin(9 * u + 3 * c) * np.cos(7 * v * v) for c in range(channels)])
    x[:, size // 3 : size // 2, size // 4 :] = 0.9
    return x, (x + 0.08 * rng.standard_normal(x.shape)).clip(0, 1)


def value(name: str, x: np.ndarray, y: np.ndarray) -> float:
    number = values([name], x, y, CONTEXT)[name]
    assert number is not None
    return number


def tensors(*images: np.ndarray) -> list[torch.Tensor]:
    return [torch.as_tensor(i, dtype=torch.float32)[None] for i in images]


def test_ms_ssim_is_that_of_torchmetrics() -> None:
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as theirs

    x, y = pictures(1, 192)
    expected = float(theirs(*tensors(y, x), data_range=1.0, normalize="relu"))  # type: ignore[arg-type]
    assert value("ms_ssim", x, y) == pytest.approx(expected, abs=2e-3)  # they pad where windows leave the picture


@pytest.mark.parametrize("channels", [1, 3])
def test_haarpsi_is_that_of_deepinv_with_the_parameters_of_the_paper(channels: int) -> None:
    from deepinv.loss.metric import HaarPSI

    x, y = pictures(channels, 48)
    expected = float(HaarPSI(C=30.0, alpha=4.2)(*tensors(y, x)))
    assert value("haarpsi", x, y) == pytest.approx(expected, abs=1e-5)


def test_gmsd_is_the_deviation_of_explicit_sums() -> None:
    x, y = (p[0, :16, :16] for p in pictures(1, 32))

    def magnitude(image: np.ndarray) -> np.ndarray:
        half = np.array([[image[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean() for j in range(8)] for i in range(8)])
        p = np.pad(half, 1)
        dx = [[(p[i : i + 3, j].sum() - p[i : i + 3, j + 2].sum()) / 3 for j in range(8)] for i in range(8)]
        dy = [[(p[i, j : j + 3].sum() - p[i + 2, j : j + 3].sum()) / 3 for j in range(8)] for i in range(8)]
        return np.hypot(dx, dy)

    a, b = magnitude(x), magnitude(y)
    c = 170 / 255**2
    assert value("gmsd", x[None], y[None]) == pytest.approx(((2 * a * b + c) / (a * a + b * b + c)).std(), rel=1e-12)


def test_psnr_y_is_matlabs_luma_with_a_peak_of_255() -> None:
    x, y = pictures(3, 32)
    luma = [16 + np.tensordot([65.481, 128.553, 24.966], p, 1) for p in (x, y)]
    expected = 10 * np.log10(255**2 / ((luma[0] - luma[1]) ** 2).mean())
    assert value("psnr_y", x, y) == pytest.approx(expected, abs=1e-4)


def test_psnr_y_of_gray_lies_a_swing_above_psnr() -> None:
    x, y = pictures(1, 32)
    assert value("psnr_y", x, y) - value("psnr", x, y) == pytest.approx(20 * np.log10(255 / 219))


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random VGG16 with torchvision's names: the values mean nothing, the arithmetic is the real one."""
    rng, widths = torch.Generator().manual_seed(0), (64, 128, 256, 512, 512)
    state, before = {}, 3
    for width, stage in zip(widths, dists.STAGES, strict=True):
        for n in stage:
            state[f"features.{n}.weight"] = (
                torch.randn(width, before, 3, 3, generator=rng) * (2 / (9 * before)) ** 0.5
            )
            state[f"features.{n}.bias"], before = torch.zeros(width), width
    path = tmp_path_factory.mktemp("weights") / "vgg16.pth"
    torch.save(state, path)
    return path


def test_dists_is_that_of_torchmetrics(vgg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision
    from torchmetrics.functional.image import dists as theirs

    network = torchvision.models.vgg16(weights=None)
    network.load_state_dict(torch.load(vgg, weights_only=True), strict=False)
    monkeypatch.setattr(theirs, "vgg16", lambda **_: network)
    x, y = pictures(3, 64)
    with torch.no_grad():
        expected = float(theirs.DISTSNetwork()(*tensors(x, y)))
    assert dists.distance(x, y, str(vgg)) == pytest.approx(expected, abs=1e-5)
    assert dists.distance(x, x, str(vgg)) == pytest.approx(0, abs=1e-5)


def test_lpips_vgg_is_that_of_torchmetrics(vgg: Path) -> None:
    """Which brings linear layers of its own, of the same version."""
    from torchmetrics.functional.image.lpips import _LPIPS

    network, given = _LPIPS(net="vgg", pnet_rand=True), torch.load(vgg, weights_only=True)
    network.net.load_state_dict({k: given["features." + k.split(".", 1)[1]] for k in network.net.state_dict()})
    x, y = pictures(3, 64)
    with torch.no_grad():
        expected = float(network.eval()(*(2 * v - 1 for v in tensors(x, y))))
    assert lpips.distance(x, y, "vgg", str(vgg)) == pytest.approx(expected, rel=1e-5)


def test_networks_by_path_keep_the_contract_and_a_path_without_a_file_is_an_error(vgg: Path) -> None:
    check_metric("dists", {"weights": str(vgg)})
    check_metric("lpips", {"net": "vgg", "weights": str(vgg)})
    with pytest.raises(SettingError, match="nothing is downloaded"):
        columns_of(measures_of("dists", {"weights": "/nowhere.pth"}, Path.cwd()))


OWN = '''
from dataclasses import dataclass
from bench import Metric

@dataclass(frozen=True)
class Mine(Metric):
    """Largest error of a pixel."""

    label = "Largest error"
    better = "lower"
    range = (0.0, 1.0)
    digits = 4
    power: float = 1.0

    def measure(self, truth, estimate, context):
        return abs(truth - estimate).max() ** self.power
'''


def test_a_file_is_a_metric_that_carries_its_definition_and_keeps_the_contract(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(OWN)
    check_metric("./mine.py", base=tmp_path)
    (plain, squared) = measures_of("./mine.py", {"power": [1.0, 2.0]}, tmp_path)
    x, y = pictures(1, 32)
    scores = evaluate(columns_of([plain, squared]), x, y, CONTEXT)
    assert scores["mine_2"] == pytest.approx((scores["mine"] or 0) ** 2)
    assert (describe("mine").label, describe("mine").better, describe("mine").digits) == ("Largest error", "lower", 4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('better = "lower"', 'better = "higher"'), "the truth is not the best"),
        (("range = (0.0, 1.0)", "range = (0.0, 0.01)"), "out of its range"),
        (("abs(truth", "estimate.sort() or abs(truth"), "changed the pictures"),
    ],
)
def test_the_check_catches_a_metric_with_a_fault(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    (tmp_path / "mine.py").write_text(OWN.replace(*change))
    with pytest.raises(AssertionError, match=words):
        check_metric("./mine.py", base=tmp_path)


def test_a_metric_of_ones_own_cannot_take_the_name_of_a_built_in_one(tmp_path: Path) -> None:
    (tmp_path / "ssim.py").write_text(OWN)
    with pytest.raises(SettingError, match="give it an id"):
        measures_of("./ssim.py", {}, tmp_path)


def test_a_metric_that_fails_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(OWN.replace("abs(truth - estimate).max()", "1 / 0 "))
    x, y = pictures(1, 32)
    with pytest.raises(PluginError, match=r"metric 'mine' failed: .*mine\.py:\d+: ZeroDivisionError"):
        evaluate(columns_of(measures_of("./mine.py", {}, tmp_path)), x, y, CONTEXT)


FAKE = """
class Model:
    lower_better, metric_mode = True, "NR"
    def __call__(self, x):
        return x.std()

def create_metric(name, device, **given):
    if name == "remote":
        import socket
        socket.create_connection(("example.org", 80))
    return Model()
"""


def test_pyiqa_is_asked_for_the_direction_and_may_not_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyiqa.py").write_text(FAKE)
    monkeypatch.syspath_prepend(tmp_path)
    measures = measures_of("pyiqa", {"metric": "niqe", "direction": "lower"}, tmp_path)
    _, y = pictures(1, 32)
    assert evaluate(columns_of(measures), None, y, Context(y, None, CONTEXT.level))["pyiqa_niqe"] > 0  # type: ignore
    assert describe("pyiqa_niqe").better == "lower"
    with pytest.raises(SettingError, match="direction: lower"):
        columns_of(measures_of("pyiqa", {"metric": "niqe"}, tmp_path))
    with pytest.raises(SettingError, match="nothing is downloaded here"):
        columns_of(measures_of("pyiqa", {"metric": "remote"}, tmp_path))
