"""A small set like Levin et al.'s, in both layouts: turned kernels and shifted pictures are put right."""

from pathlib import Path

import numpy as np
import pytest
from bench.datasets.levin2009 import Levin2009, aligned, centred  # pyright: ignore[reportMissingImports]
from PIL import Image as Pil
from scipy.io import savemat
from scipy.ndimage import gaussian_filter
from scipy.signal import convolve2d

from bench import DataError, Image, SettingError
from bench.imaging.measure import blur_valid

SHIFTS = [(0, 0), (3, -2), (-5, 4), (9, -9)]


def kernel(seed: int, side: int) -> np.ndarray:
    """A crooked path: no symmetry, and its sum a multiple of 1/255 apart from rounding."""
    rng = np.random.default_rng(seed)
    k = np.zeros((side, side))
    at = np.array([side // 2, side // 2])
    for _ in range(4 * side):
        k[tuple(at)] += rng.uniform(0.5, 1)
        at = np.clip(at + rng.integers(-1, 2, 2), 0, side - 1)
    return k / k.sum()


def picture(seed: int, side: int) -> np.ndarray:
    smooth = gaussian_filter(np.random.default_rng(seed).standard_normal((side, side)), 1.5)
    return (smooth - smooth.min()) / np.ptp(smooth)


def shot(scene: np.ndarray, k: np.ndarray, shift: tuple[int, int], side: int) -> tuple[np.ndarray, np.ndarray]:
    """Sharp and blurred field of view; the blurred one shows the scene moved by ``shift``."""
    blurred = convolve2d(scene, k, "same")
    m = (scene.shape[0] - side) // 2
    r, c = m - shift[0], m - shift[1]
    return scene[m : m + side, m : m + side], blurred[r : r + side, c : c + side]


def mat_set(path: Path, *, turned: tuple[int, ...] = (2, 4)) -> Path:
    """Two scenes, four kernels, stored turned by 180 degrees where told, in the authors' layout."""
    for i in (5, 6):
        for j, shift in enumerate(SHIFTS, 1):
            k = kernel(j, 9 + 2 * j)
            x, y = shot(picture(i, 160), k, shift, 96)
            f = k[::-1, ::-1] if j in turned else k
            savemat(path / f"im0{i}_flit0{j}.mat", {"x": x, "y": y, "f": f})
    return path


def png_set(path: Path) -> Path:
    """The same as PNG files, hence rounded to 8 bits; kernels scaled so that their largest value is 255."""
    (path / "gt").mkdir()

    def save(a: np.ndarray, name: str) -> None:
        Pil.fromarray((a * 255).round().astype(np.uint8)).save(path / name)

    for i in (1, 2):
        for j, shift in enumerate(SHIFTS, 1):
            k = kernel(j, 9 + 2 * j)
            stored = (k / k.max() * 255).round() / 255
            x, y = shot(picture(i, 160), stored / stored.sum(), shift, 96)
            save(x, f"gt/im{i}.png")
            save(y, f"im{i}_kernel{j}_img.png")
            save(stored[::-1, ::-1] if j == 3 else stored, f"gt/kernel{j}.png")
    return path


def misfit(m) -> float:
    """The largest difference between y and the truth blurred with the PSF, where the truth is known."""
    a = max(m.psf.shape) // 2
    seen = m.y[:, a:-a, a:-a]
    return float(np.abs(blur_valid(Image("truth", m.truth, a), m.psf) - seen).max())


def test_the_recovered_psf_explains_the_recorded_picture_to_float_accuracy(tmp_path):
    levin = Levin2009(path=str(mat_set(tmp_path)))
    assert levin.ids() == [f"im{i}_kernel{j}" for i in (5, 6) for j in (1, 2, 3, 4)]
    for name in levin.ids():
        m = levin.recorded(name)
        assert m.y.shape == m.truth.shape == (1, 96, 96)
        assert m.psf.sum() == pytest.approx(1, abs=1e-12)
        assert all(n % 2 == 1 for n in m.psf.shape)
        assert misfit(m) < 1e-12, name
        assert m.level.sigma < 1e-12
        assert m.T == 1


def test_the_png_layout_is_explained_to_eight_bits(tmp_path):
    levin = Levin2009(path=str(png_set(tmp_path)))
    assert len(levin.ids()) == 8
    for name in levin.ids():
        m = levin.recorded(name)
        assert misfit(m) < 1.01 / 255, name
        assert 0.1 / 255 < m.level.sigma < 0.5 / 255


def test_both_orientations_of_a_stored_kernel_give_the_same_psf(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = mat_set(tmp_path / "a", turned=()), mat_set(tmp_path / "b", turned=(1, 2, 3, 4))
    for name in Levin2009(path=str(one)).ids():
        a, b = (Levin2009(path=str(p)).recorded(name) for p in (one, other))
        assert np.allclose(a.psf, b.psf, rtol=0, atol=1e-15)


def test_the_shift_goes_into_the_psf_and_the_truth_stays(tmp_path):
    levin = Levin2009(path=str(mat_set(tmp_path)))
    for j, shift in enumerate(SHIFTS, 1):
        m = levin.recorded(f"im5_kernel{j}")
        assert np.array_equal(m.truth, levin.load(f"im5_kernel{j}").scene)
        k = kernel(j, 9 + 2 * j)
        rows, cols = (np.arange(n) - n // 2 for n in k.shape)
        expected = np.array([k.sum(1) @ rows, k.sum(0) @ cols]) + shift
        rows, cols = (np.arange(n) - n // 2 for n in m.psf.shape)
        assert np.allclose([m.psf.sum(1) @ rows, m.psf.sum(0) @ cols], expected, atol=1e-12)


def test_alignment_stands_noise(tmp_path):
    k = kernel(1, 11)
    x, y = shot(picture(3, 160), k, (2, -4), 96)
    noisy = y + 0.01 * np.random.default_rng(0).standard_normal(y.shape)
    psf, residual = aligned(x, noisy, k[::-1, ::-1])
    assert np.array_equal(psf, centred(k, (2, -4)))
    assert residual == pytest.approx(0.01, rel=0.05)


def test_kernels_with_even_sides_are_aligned_too():
    k = kernel(1, 11)[:10, :10]
    k = k / k.sum()
    x, y = shot(picture(3, 160), k, (1, 1), 96)
    psf, residual = aligned(x, y, k)
    assert residual < 1e-12
    assert all(n % 2 == 1 for n in psf.shape)


def test_sharp_pictures_serve_synthetic_blur_once_each(tmp_path):
    sharp = Levin2009(path=str(mat_set(tmp_path)), use="sharp", margin=8)
    assert sharp.ids() == ["im5", "im6"]
    with pytest.raises(DataError, match="use: recorded"):
        sharp.recorded("im5")
    assert sharp.load("im5").scene.shape == (1, 96, 96)
    assert sharp.load("im5").margin == 8
    assert np.array_equal(sharp.load("im6").scene, Levin2009(path=str(tmp_path)).load("im6_kernel1").scene)
    with pytest.raises(DataError, match="margin 48"):
        Levin2009(path=str(tmp_path), use="sharp", margin=48).load("im5")


def test_a_folder_without_the_set_says_how_it_must_look(tmp_path):
    with pytest.raises(DataError, match=r"nothing of the set(.|\n)*im1_kernel1_img\.png(.|\n)*im05_flit01\.mat"):
        Levin2009(path=str(tmp_path)).ids()


def test_missing_unreadable_and_unknown_files_are_named(tmp_path):
    png_set(tmp_path)
    levin = Levin2009(path=str(tmp_path))
    with pytest.raises(DataError, match="Did you mean 'im1_kernel"):
        levin.recorded("im1_kernel")
    (tmp_path / "im2_kernel1_img.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"im2_kernel1_img\.png"):
        levin.recorded("im2_kernel1")
    (tmp_path / "gt" / "kernel3.png").unlink()
    with pytest.raises(DataError, match=r"missing: .*kernel3\.png \(1 in all\)"):
        levin.ids()


def test_a_mat_file_without_its_variables_is_named(tmp_path):
    savemat(tmp_path / "im05_flit01.mat", {"x": np.ones((64, 64))})
    with pytest.raises(DataError, match=r"im05_flit01\.mat: a real matrix 'y' is needed"):
        Levin2009(path=str(tmp_path)).recorded("im5_kernel1")
    (tmp_path / "im05_flit02.mat").write_bytes(b"not a mat file")
    with pytest.raises(DataError, match=r"im05_flit02\.mat: not a readable"):
        Levin2009(path=str(tmp_path)).recorded("im5_kernel2")


def test_a_fingerprint_changes_when_a_file_does(tmp_path):
    png_set(tmp_path)
    levin = Levin2009(path=str(tmp_path))
    before = {name: levin.fingerprint(name) for name in levin.ids()}
    assert len(set(before.values())) == 8
    (tmp_path / "gt" / "kernel2.png").write_bytes((tmp_path / "gt" / "kernel1.png").read_bytes())
    changed = {name for name in before if levin.fingerprint(name) != before[name]}
    assert changed == {"im1_kernel2", "im2_kernel2"}


def test_wrong_settings_are_refused():
    with pytest.raises(SettingError, match="recorded, sharp"):
        Levin2009(path="x", use="blur")
    with pytest.raises(SettingError, match="at least 0"):
        Levin2009(path="x", margin=-1)
