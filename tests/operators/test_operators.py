"""The deterministic operators against closed forms, and the direction of convolution."""

import math
from importlib import import_module
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image as Picture
from scipy.io import savemat
from scipy.ndimage import gaussian_filter
from scipy.signal import convolve2d

from bench import Exposed, Image, PsfError, SettingError
from bench.imaging.measure import blur_circular, blur_valid
from bench.imaging.psf import barycentre, grid, half_of


def make(name: str, **setting: Any) -> Any:
    module = import_module(f"bench.operators.{name}")
    return getattr(module, name.capitalize())(**setting)


def exposed(name: str, **setting: Any) -> Exposed:
    return make(name, **setting).psf(np.random.default_rng(0))


def psf_of(name: str, **setting: Any) -> np.ndarray:
    return exposed(name, **setting).psf


def moments(psf: np.ndarray) -> tuple[float, float, float]:
    """Second moments about the origin: xx, yy (up), xy (up)."""
    z = grid(half_of(psf))
    xx, yy, xy = (float((m * psf).sum()) for m in (z.real**2, z.imag**2, -z.real * z.imag))
    return xx, yy, xy


EXAMPLES: list[tuple[str, dict[str, Any]]] = [
    ("linear", {"length": 9.0, "angle": 30.0}),
    ("linear", {"length": 0.4, "angle": 45.0}),
    ("linear", {"length": 9.0, "angle": 30.0, "kind": "fspecial"}),
    ("disk", {"radius": 2.5}),
    ("gaussian", {"sigma": 1.6}),
    ("gaussian", {"sigma": 3.0, "sigma_y": 1.0, "angle": 20.0}),
    ("gaussian", {"sigma": 0.5, "kind": "integrated"}),
    ("identity", {}),
]


@pytest.mark.parametrize(("name", "setting"), EXAMPLES)
def test_every_kernel_is_non_negative_odd_of_unit_sum_centred_and_even_under_a_half_turn(
    name: str, setting: dict[str, Any]
) -> None:
    psf, T, note = exposed(name, **setting, T=0.5)
    assert (T, note) == (0.5, "")
    assert psf.dtype == np.float64
    assert psf.min() >= 0
    assert [n % 2 for n in psf.shape] == [1, 1]
    assert_allclose(psf.sum(), 1, rtol=1e-14)
    assert abs(barycentre(psf)) < 1e-12
    assert_allclose(psf, psf[::-1, ::-1], atol=1e-15)


@settings(max_examples=50, deadline=None)
@given(length=st.floats(1e-6, 60), angle=st.floats(-720, 720), kind=st.sampled_from(["bilinear", "fspecial"]))
def test_lines_of_any_length_and_angle_are_centred_kernels_of_unit_sum(
    length: float, angle: float, kind: str
) -> None:
    psf = psf_of("linear", length=length + (kind == "fspecial"), angle=angle, kind=kind)
    assert psf.min() >= 0
    assert_allclose(psf.sum(), 1, rtol=1e-12)
    assert abs(barycentre(psf)) < 1e-9


# --- linear ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [2.0, 8.0, 20.0])
def test_a_horizontal_line_of_even_length_has_variance_l2_over_12_plus_that_of_the_hat(length: float) -> None:
    xx, yy, _ = moments(psf_of("linear", length=length))
    assert_allclose(xx, length**2 / 12 + 1 / 6, rtol=1e-12)
    assert yy == 0


@pytest.mark.parametrize(("length", "angle"), [(9.0, 30.0), (13.7, 101.0), (0.8, 63.0), (4.0, -45.0)])
def test_a_line_is_the_limit_of_dense_uniform_samples(length: float, angle: float) -> None:
    psf = psf_of("linear", length=length, angle=angle)
    n = 200_000
    t = ((np.arange(n) + 0.5) / n - 0.5) * length * np.exp(1j * np.radians(angle))
    x, up = t.real, t.imag
    expected = [
        np.mean(np.maximum(1 - np.abs(x - z.real), 0) * np.maximum(1 - np.abs(up + z.imag), 0))
        for z in grid(half_of(psf)).ravel()
    ]
    assert_allclose(psf.ravel(), expected, atol=1e-9)
    f, g = x - np.floor(x), up - np.floor(up)
    hats = np.mean(f * (1 - f)), np.mean(g * (1 - g)), 0.0
    line = np.mean(x**2), np.mean(up**2), np.mean(x * up)
    assert_allclose(moments(psf), np.add(line, hats), atol=1e-6)


def test_the_support_of_a_line_is_the_smallest_that_holds_it() -> None:
    assert psf_of("linear", length=8.0).shape == (1, 9)
    assert psf_of("linear", length=8.1).shape == (1, 11)
    assert psf_of("linear", length=8.0, angle=90.0).shape == (9, 1)


@pytest.mark.parametrize("kind", ["bilinear", "fspecial"])
def test_a_quarter_turn_of_the_angle_turns_the_kernel_counter_clockwise(kind: str) -> None:
    psf, turned = (psf_of("linear", length=9.0, angle=a, kind=kind) for a in (30.0, 120.0))
    assert_allclose(turned, np.rot90(psf), atol=1e-15)


@pytest.mark.parametrize("kind", ["bilinear", "fspecial"])
def test_a_positive_angle_rises_to_the_right_and_its_negative_is_the_mirror_image(kind: str) -> None:
    psf = psf_of("linear", length=9.0, angle=30.0, kind=kind)
    assert moments(psf)[2] > 1
    assert_allclose(psf_of("linear", length=9.0, angle=-30.0, kind=kind), psf[::-1], atol=1e-15)


def test_an_ever_shorter_line_is_a_delta() -> None:
    psf = psf_of("linear", length=1e-9, angle=30.0)
    assert_allclose(psf[half_of(psf)], 1, atol=1e-8)
    assert_array_equal(psf_of("linear", length=1.0, kind="fspecial"), [[1]])


def test_fspecial_of_a_horizontal_line_is_a_row_of_equal_weights() -> None:
    assert_allclose(psf_of("linear", length=9.0, kind="fspecial"), np.full((1, 9), 1 / 9), atol=1e-15)


def test_fspecial_of_a_short_diagonal_has_the_weights_of_the_definition() -> None:
    # Half a length of 1: the segment ends at (c, c), c = sqrt(1/2). Pixel (1, 1) lies sqrt(2) - 1 beyond its end,
    # pixel (1, 0) at distance c beside it, pixel (1, -1) at sqrt(2): outside.
    c = math.sqrt(0.5)
    on, beside = 2 - math.sqrt(2), 1 - c
    expected = np.array([[0, beside, on], [beside, 1, beside], [on, beside, 0]])
    got = psf_of("linear", length=3.0, angle=45.0, kind="fspecial")
    assert_allclose(got, expected / expected.sum(), atol=1e-15)


@pytest.mark.parametrize(("length", "angle"), [(7.0, 20.0), (12.5, 77.0), (5.0, 160.0)])
def test_fspecial_is_one_minus_the_distance_to_a_segment_of_length_minus_one(length: float, angle: float) -> None:
    psf = psf_of("linear", length=length, angle=angle, kind="fspecial")
    segment = np.linspace(-0.5, 0.5, 20_001) * (length - 1) * np.exp(1j * np.radians(angle))
    a, b = (n // 2 + 1 for n in psf.shape)
    pixels = np.arange(-b, b + 1) - 1j * np.arange(-a, a + 1)[:, None]
    weight = np.maximum(1 - np.abs(pixels[..., None] - segment).min(-1), 0)
    assert_allclose(np.pad(psf, 1), weight / weight.sum(), atol=1e-6)


# --- disk and gaussian ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [1.0, 2.5, 7.3])
def test_a_disk_has_the_second_moments_of_a_disk_less_those_of_the_pixel(radius: float) -> None:
    # E x^2 of the disk is r^2 / 4; replacing each pixel's part by its centre changes it by the spread in the pixel.
    xx, yy, xy = moments(psf_of("disk", radius=radius))
    assert_allclose(xx, yy, rtol=1e-12)
    assert abs(xy) < 1e-14
    k, half = 400, half_of(psf_of("disk", radius=radius))[0]
    x = (np.arange((2 * half + 1) * k) + 0.5) / k - half - 0.5
    inside = np.hypot(x[:, None], x) <= radius
    column = inside.sum(0)
    assert_allclose((x**2 * column).sum() / column.sum(), radius**2 / 4, rtol=1e-3)
    assert_allclose(xx, (np.round(x) ** 2 * column).sum() / column.sum(), rtol=1e-3)


@pytest.mark.parametrize(("radius", "side"), [(0.3, 1), (0.5, 1), (0.51, 3), (1.5, 3), (2.5, 5), (2.6, 7)])
def test_a_disk_has_the_support_of_fspecial_and_a_small_one_is_a_delta(radius: float, side: int) -> None:
    psf = psf_of("disk", radius=radius)
    assert psf.shape == (side, side)
    assert_allclose(psf, np.rot90(psf), atol=1e-15)
    assert_allclose(psf, psf[::-1], atol=1e-15)
    if side == 1:
        assert_array_equal(psf, [[1]])


@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.3])
def test_a_sampled_gaussian_is_that_of_scipy(sigma: float) -> None:
    psf = psf_of("gaussian", sigma=sigma)
    delta = np.zeros(psf.shape)
    delta[half_of(psf)] = 1
    assert_allclose(psf, gaussian_filter(delta, sigma, mode="constant"), atol=1e-16)


def test_an_integrated_gaussian_has_the_variance_of_the_pixel_on_top() -> None:
    xx, yy, xy = moments(psf_of("gaussian", sigma=1.5, kind="integrated", truncate=9.0))
    assert_allclose((xx, yy), 1.5**2 + 1 / 12, rtol=1e-8)
    assert abs(xy) < 1e-15


def test_an_elliptic_gaussian_has_the_covariance_of_its_axes() -> None:
    angle, s, q = math.radians(25), 3.0, 1.5
    got = moments(psf_of("gaussian", sigma=s, sigma_y=q, angle=25.0, truncate=8.0))
    c, d = math.cos(angle), math.sin(angle)
    expected = (s * c) ** 2 + (q * d) ** 2, (s * d) ** 2 + (q * c) ** 2, (s**2 - q**2) * c * d
    assert_allclose(got, expected, rtol=1e-8)


@pytest.mark.parametrize("kind", ["sampled", "integrated"])
def test_a_quarter_turn_of_an_elliptic_gaussian_swaps_its_axes(kind: str) -> None:
    lying, upright = (psf_of("gaussian", sigma=2.0, sigma_y=0.7, angle=a, kind=kind) for a in (0.0, 90.0))
    assert lying.shape[0] < lying.shape[1]
    assert_allclose(upright, lying.T, atol=1e-16)


@pytest.mark.parametrize("kind", ["sampled", "integrated"])
def test_an_ever_narrower_gaussian_is_a_delta(kind: str) -> None:
    assert_array_equal(psf_of("gaussian", sigma=1e-6, kind=kind, truncate=4e6).round(12), np.pad([[1]], 4))


def test_the_identity_is_one_pixel() -> None:
    assert_array_equal(psf_of("identity"), [[1]])


@pytest.mark.parametrize(
    ("name", "setting", "key"),
    [
        ("linear", {"length": 0.0}, "length"),
        ("linear", {"length": 0.5, "kind": "fspecial"}, "length"),
        ("linear", {"length": 5.0, "kind": "cubic"}, "kind"),
        ("linear", {"length": 5.0, "angle": math.inf}, "angle"),
        ("disk", {"radius": -1.0}, "radius"),
        ("gaussian", {"sigma": 0.0}, "sigma"),
        ("gaussian", {"sigma": 1.0, "sigma_y": -1.0}, "sigma_y"),
        ("gaussian", {"sigma": 2.0, "sigma_y": 1.0, "angle": 30.0, "kind": "integrated"}, "angle"),
        ("identity", {"T": 1.5}, "T"),
        ("file", {"path": "k.npy", "index": -1}, "index"),
    ],
)
def test_a_setting_out_of_range_is_an_error_that_names_it(name: str, setting: dict[str, Any], key: str) -> None:
    with pytest.raises(SettingError, match=f"^{key} is"):
        make(name, **setting)


# --- the flip trap --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (1, 5)])
def test_a_psf_is_applied_by_convolution_not_by_correlation(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    psf, scene = rng.random(shape), rng.random((2, 24, 31))
    psf /= psf.sum()
    expected = np.stack([convolve2d(c, psf, mode="same", boundary="wrap") for c in scene])
    assert_allclose(blur_circular(scene, psf), expected, atol=1e-13)
    assert np.abs(blur_circular(scene, psf[::-1, ::-1]) - expected).max() > 0.01
    a, b = (n // 2 for n in shape)
    m = 4
    expected = np.stack([convolve2d(c, psf, mode="valid") for c in scene[:, m - a : 24 - m + a, m - b : 31 - m + b]])
    assert_allclose(blur_valid(Image("x", scene, m), psf), expected, atol=1e-13)


# --- file -----------------------------------------------------------------------------------------------------

KERNEL = np.array([[0, 10, 20], [30, 40, 50], [60, 70, 80], [5, 15, 25], [1, 2, 3]], np.uint8)


def write(path: Path, kernel: np.ndarray) -> dict[str, Any]:
    """Store a kernel in the format that the suffix names; returns the settings to read it."""
    if path.name == "v73.mat":
        with h5py.File(path, "w") as file:
            cells = [file.create_dataset(f"#refs#/{i}", data=k.T) for i, k in enumerate((kernel[::-1], kernel))]
            file["kernels"] = np.array([[c.ref] for c in cells], h5py.ref_dtype)
        return {"index": 1}
    if path.name == "cell.mat":
        cells = np.empty((1, 2), object)
        cells[0, 0], cells[0, 1] = kernel[::-1], kernel
        savemat(path, {"kernels": cells, "other": 1.0})
        return {"index": 1, "key": "kernels"}
    if path.name == "stack.mat":
        savemat(path, {"f": np.stack([kernel[::-1], kernel], -1)})
        return {"index": 1}
    if path.name == "stack.npy":
        np.save(path, np.stack([kernel[::-1], kernel]))
        return {"index": 1}
    if path.suffix == ".mat":
        savemat(path, {"f": kernel})
    elif path.suffix == ".npy":
        np.save(path, kernel)
    else:
        Picture.fromarray(kernel.astype(np.uint16) * 256 if path.name == "16bit.png" else kernel).save(path)
    return {}


@pytest.mark.parametrize(
    "name", ["k.png", "16bit.png", "k.tif", "k.npy", "stack.npy", "k.mat", "cell.mat", "stack.mat", "v73.mat"]
)
def test_a_kernel_comes_back_normalised_from_every_format(name: str, tmp_path: Path) -> None:
    setting = write(tmp_path / name, KERNEL)
    got = exposed("file", path=str(tmp_path / name), **setting)
    assert_allclose(got.psf, KERNEL / KERNEL.sum(), atol=1e-15)
    total = int(KERNEL.sum()) * (256 if name == "16bit.png" else 1)
    assert got.note == f"sum in the file {total:g}"


def test_a_grey_picture_with_three_equal_channels_is_a_kernel_and_a_colour_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "k.png"
    Picture.fromarray(np.repeat(KERNEL[..., None], 3, -1)).save(path)
    assert_allclose(psf_of("file", path=str(path)), KERNEL / KERNEL.sum(), atol=1e-15)
    Picture.fromarray(np.repeat(KERNEL[..., None], 3, -1) // np.array([1, 2, 1], np.uint8)).save(path)
    with pytest.raises(PsfError, match="colour"):
        make("file", path=str(path)).psf(np.random.default_rng(0))


def test_rotate180_turns_about_the_origin_even_where_sides_are_even(tmp_path: Path) -> None:
    kernel = np.zeros((4, 4))
    kernel[2, 2], kernel[1, 3] = 3, 1  # the origin, and one pixel up and to the right
    np.save(tmp_path / "k.npy", kernel)
    psf = psf_of("file", path=str(tmp_path / "k.npy"), rotate180=True)
    assert psf.shape == (5, 5)
    assert psf[2, 2] == 0.75
    assert psf[3, 1] == 0.25


def test_centring_a_file_moves_its_barycentre_to_the_origin(tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", KERNEL)
    keep, moved = (psf_of("file", path=str(tmp_path / "k.npy"), centre=c) for c in ("keep", "barycentre"))
    assert abs(barycentre(keep)) > 0.1
    assert abs(barycentre(moved)) < 1e-9
    assert_allclose(moved.sum(), 1, rtol=1e-14)


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (np.zeros((3, 3)), "all values are zero"),
        (np.array([[1.0, -0.5]]), "1 values are negative, the least -0.5"),
        (np.array([[1.0, np.nan]]), "1 values are NaN"),
        (np.zeros((0, 3)), "not empty"),
        (np.ones(5), "shape"),
        (np.ones((1, 1027)), "at most 1025"),
        (np.ones((3, 3), complex), "real"),
        (np.ones((3, 3), object), "cannot be read"),
    ],
)
def test_an_array_that_is_no_psf_is_an_error_that_says_why(kernel: np.ndarray, message: str, tmp_path: Path) -> None:
    path = tmp_path / "k.npy"
    np.save(path, kernel, allow_pickle=True)
    with pytest.raises(PsfError, match=message) as error:
        psf_of("file", path=str(path))
    assert "k.npy" in str(error.value)


@pytest.mark.parametrize("name", ["k.png", "k.tif", "k.npy", "k.mat"])
def test_a_missing_and_a_corrupt_file_are_errors(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with pytest.raises(PsfError, match="no such file"):
        psf_of("file", path=str(path))
    write(path, KERNEL)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(PsfError, match="cannot be read"):
        psf_of("file", path=str(path))
    path.write_bytes(b"")
    with pytest.raises(PsfError, match="cannot be read"):
        psf_of("file", path=str(path))


def test_the_fingerprint_of_a_file_follows_its_content_and_not_its_name(tmp_path: Path) -> None:
    first, copy, other = (tmp_path / f"{name}.npy" for name in ("first", "copy", "other"))
    for path, kernel in ((first, KERNEL), (copy, KERNEL), (other, KERNEL[::-1])):
        np.save(path, kernel)
    a, b, c = (make("file", path=str(path)).fingerprint() for path in (first, copy, other))
    assert a == b != c
    with pytest.raises(PsfError, match=r"none\.npy"):
        make("file", path=str(tmp_path / "none.npy")).fingerprint()


def test_a_wrong_suffix_index_or_variable_is_an_error_that_says_what_there_is(tmp_path: Path) -> None:
    savemat(tmp_path / "k.mat", {"kernel": KERNEL, "blurred": KERNEL})
    with pytest.raises(PsfError, match=r"choose one by key\. Allowed: blurred, kernel"):
        psf_of("file", path=str(tmp_path / "k.mat"))
    with pytest.raises(PsfError, match="Did you mean 'kernel'"):
        psf_of("file", path=str(tmp_path / "k.mat"), key="kernal")
    with pytest.raises(PsfError, match=r"index is 1, the file holds 1 kernel"):
        psf_of("file", path=str(tmp_path / "k.mat"), key="kernel", index=1)
    with pytest.raises(PsfError, match=r"Allowed: \.png"):
        psf_of("file", path=str(tmp_path / "k.jpg"))


def test_a_picture_that_is_too_large_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    Picture.new("L", (1026, 4), 1).save(tmp_path / "k.png")
    with pytest.raises(PsfError, match="4 x 1026 px; at most 1025"):
        psf_of("file", path=str(tmp_path / "k.png"))
