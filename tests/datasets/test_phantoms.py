"""Drawn CT slices: sizes, seeds, tissues, antialiasing."""

import numpy as np
import pytest
from bench.datasets.phantoms import Phantoms  # pyright: ignore[reportMissingImports]
from bench.datasets.phantoms.canvas import (  # pyright: ignore[reportMissingImports]
    Blob,
    Canvas,
    coverage,
)

from bench import DataError, SettingError


def canvas(n: int) -> Canvas:
    return Canvas(n, np.random.default_rng(0), np.random.default_rng(1))


@pytest.mark.parametrize(("size", "margin"), [(32, 0), (64, 32), (128, 32), (45, 3)])
def test_slices_have_the_size_that_was_asked_for(size, margin):
    phantoms = Phantoms(size=size, margin=margin, limit=2)
    for name in phantoms.ids():
        image = phantoms.load(name)
        assert image.scene.shape == (1, size + 2 * margin, size + 2 * margin)
        assert image.margin == margin
        assert 0 <= image.scene.min() < image.scene.max() <= 1


def test_the_same_name_gives_the_same_pixels_and_another_seed_another_patient():
    a, b, other = (Phantoms(seed=s).load("test_003_abdomen").scene for s in (0, 0, 1))
    assert np.array_equal(a, b)
    assert np.abs(a - other).mean() > 0.01


def test_splits_share_no_slice():
    loaded = [Phantoms(split=s, size=64, limit=3) for s in ("train", "val", "test")]
    scenes = [p.load(name).scene for p in loaded for name in p.ids()]
    assert len({s.tobytes() for s in scenes}) == 9
    ids = [name for p in loaded for name in p.ids()]
    assert len(set(ids)) == 9


def test_a_slice_does_not_depend_on_how_many_there_are_nor_on_their_kind():
    one, many = Phantoms(limit=1, kind="chest"), Phantoms(limit=9)
    assert np.array_equal(one.load("test_000_chest").scene, many.load("test_000_chest").scene)


def test_the_anatomy_is_the_same_at_every_size():
    small, large = (Phantoms(size=n, margin=0).load("test_000_chest").scene[0] for n in (96, 192))
    halved = large.reshape(96, 2, 96, 2).mean((1, 3))
    assert np.corrcoef(small.ravel(), halved.ravel())[0, 1] > 0.97


def test_tissues_have_their_hounsfield_units():
    phantoms = Phantoms(size=192, margin=0, limit=4, kind="chest")
    for name in phantoms.ids():
        hu = phantoms.load(name).scene[0] * 2000 - 1000
        assert hu[:8].mean() < -970  # air above the patient
        assert 0.05 < ((hu > -930) & (hu < -700)).mean() < 0.4  # lung
        assert 0.05 < ((hu > 20) & (hu < 120)).mean() < 0.5  # muscle and blood
        assert 0.005 < (hu > 250).mean() < 0.1  # bone


def test_a_window_maps_its_ends_to_zero_and_one():
    wide, soft = (Phantoms(window=w).load("test_001_abdomen").scene for w in ((-1000.0, 1000.0), (-160.0, 240.0)))
    inside = (soft > 0) & (soft < 1)
    assert inside.mean() > 0.1
    assert np.allclose((wide * 2000 - 1000)[inside], (soft * 400 - 160)[inside])


def test_coverage_keeps_the_area_of_an_ellipse():
    for n in (40, 41, 200):
        c = canvas(n)
        area = coverage(Blob(0.013, -0.07, 0.5, 0.3, 0.4)(c.x, c.y)).sum() * (2 / n) ** 2
        assert area == pytest.approx(np.pi * 0.5 * 0.3, rel=0.01)


def test_a_vessel_thinner_than_a_pixel_keeps_its_area():
    for r in (0.002, 0.01, 0.03):
        c = canvas(100)
        c.hu[:] = 0
        c.line(-0.5 - 0.5003j, 0.5 - 0.5003j, r, 1.0)
        assert c.hu.sum() * 0.02**2 == pytest.approx(2 * r * 1.0, rel=0.08)


def test_fingerprints_tell_slices_and_settings_apart():
    choices = [Phantoms(), Phantoms(seed=1), Phantoms(size=64), Phantoms(margin=0), Phantoms(window=(-160.0, 240.0))]
    prints = [p.fingerprint(name) for p in choices for name in p.ids()]
    assert len(set(prints)) == len(prints)


def test_wrong_settings_and_names_are_refused():
    with pytest.raises(SettingError, match="at least 32"):
        Phantoms(size=16, margin=0)
    with pytest.raises(SettingError, match="lower and a higher"):
        Phantoms(window=(1.0, 1.0))
    with pytest.raises(SettingError, match="abdomen, chest, ct"):
        Phantoms(kind="mri")  # pyright: ignore[reportArgumentType]
    with pytest.raises(DataError, match="Did you mean 'test_000_chest'"):
        Phantoms().load("test_000_chst")
