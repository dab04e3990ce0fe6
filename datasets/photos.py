"""Photographs that come with scikit-image, PyWavelets and Matplotlib, cut at named places.

Validation and test share no picture, so nothing tuned on the one has seen the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from bench import DataError, Dataset, Image, SettingError
from bench.errors import did_you_mean
from bench.imaging.picture_files import as_mode, fingerprint, read, reduce, window

#: the largest scene, size + 2 margin, that every crop has room for without meeting another one
LARGEST = 192


class Crop(NamedTuple):
    """Where a scene lies: centre (row, column) in the picture once it was reduced by averaging k x k pixels.

    ``room`` is the side of the largest scene that the picture has there.
    """

    name: str
    file: str
    centre: tuple[int, int]
    k: int = 1
    room: int = LARGEST

    @property
    def group(self) -> str:
        """The photograph that it was cut from."""
        return self.file.rpartition(".")[0]


# Names, order and places are public: results refer to them. Every photograph comes once before any comes again, since
# crops of one photograph are alike. The first ones of each split are varied, and as rich
# in detail on average in val as in test: weights tuned on smooth pictures would be too large for textured ones.
TEST = (
    Crop("astronaut_face", "astronaut.png", (110, 225)),
    Crop("motorcycle_engine", "motorcycle_left.png", (330, 372)),
    Crop("grass", "grass.png", (120, 150)),
    Crop("chelsea_eye", "chelsea.png", (126, 163)),
    Crop("camera_head", "camera.png", (130, 236)),
    Crop("brick", "brick.png", (128, 128), 2),
    Crop("coins", "coins.png", (126, 96)),
    Crop("ascent_stairs", "ascent.npz", (330, 130)),
    Crop("aero_trees", "aero.npz", (190, 260)),
    Crop("hopper_face", "grace_hopper.jpg", (150, 300)),
    Crop("page_lines", "page.png", (95, 130), room=190),
    Crop("text_formula", "text.png", (86, 300), room=172),
    Crop("astronaut_patch", "astronaut.png", (385, 169)),
    Crop("motorcycle_shelf", "motorcycle_left.png", (110, 560)),
    Crop("camera_tripod", "camera.png", (380, 300)),
    Crop("motorcycle_wheel", "motorcycle_left.png", (330, 600)),
    Crop("coins_large", "coins.png", (126, 288)),
    Crop("astronaut_helmet", "astronaut.png", (416, 361)),
    Crop("motorcycle_chair", "motorcycle_left.png", (150, 97)),
)
VAL = (
    Crop("coffee_spoon", "coffee.png", (303, 345)),
    Crop("hubble", "hubble_deep_field.jpg", (325, 310)),
    Crop("gravel", "gravel.png", (250, 250)),
    Crop("tissue_gland", "ihc.png", (110, 110)),
    Crop("rocket_pad", "rocket.jpg", (117, 160), 2),
    Crop("coffee_cup", "coffee.png", (110, 350)),
    Crop("tissue_cells", "ihc.png", (380, 330)),
    Crop("moon", "moon.png", (100, 120)),
    Crop("retina", "retina.jpg", (220, 120), 3),
)
SHA256 = {
    "aero.npz": "df862635798bac94226b8928f224da8cef8b0d00492c1fdf48fac6dfaf97a94b",
    "ascent.npz": "a6d56bc8e96571d6124f34cedeba49f1d3599507f6c890ad9ba538544454e8f7",
    "astronaut.png": "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    "brick.png": "7966caf324f6ba843118d98f7a07746d22f6a343430add0233eca5f6eaaa8fcf",
    "camera.png": "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a",
    "chelsea.png": "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    "coffee.png": "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    "coins.png": "f8d773fc9cfa6f4d8e5942dc34d0a0788fcaed2a4fefbbed0aef5398d7ef4cba",
    "grace_hopper.jpg": "a8ca6d734765703b09728ab47fe59f473d93ae3967fc24c7c0288c3c7adb7130",
    "grass.png": "b6b6022426b38936c43a4ac09635cd78af074e90f42ffa8227ac8b7452d39f89",
    "gravel.png": "c48615b451bf1e606fbd72c0aa9f8cc0f068ab7111ef7d93bb9b0f2586440c12",
    "hubble_deep_field.jpg": "3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4",
    "ihc.png": "f8dd1aa387ddd1f49d8ad13b50921b237df8e9b262606d258770687b0ef93cef",
    "moon.png": "78739619d11f7eb9c165bb5d2efd4772cee557812ec847532dbb1d92ef71f577",
    "motorcycle_left.png": "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179",
    "page.png": "341a6f0a61557662b02734a9b6e56ec33a915b2c41886b97509dedf2a43b47a3",
    "retina.jpg": "38a07f36f27f095e818aea7b96d34202c05176d30253c66733f2e00379e9e0e6",
    "rocket.jpg": "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
    "text.png": "bd84aa3a6e3c9887850d45d606c96b2e59433fbef50338570b63c319e668e6d1",
}
#: the pictures without colours
GRAY = frozenset(
    f"{name}.png" for name in ("brick", "camera", "coins", "grass", "gravel", "moon", "page", "text")
) | {"aero.npz", "ascent.npz"}
#: file -> package that brings it, and the folder there; all others are in skimage/data
ELSEWHERE = {
    "aero.npz": ("pywt", "data"),
    "ascent.npz": ("pywt", "data"),
    "grace_hopper.jpg": ("matplotlib", "mpl-data/sample_data"),
}
#: least standard deviation, in [0, 1] units, of the middle 64 x 64 pixels of a crop
CONTENT = 0.04


@dataclass(frozen=True)
class Photos(Dataset):
    """Photographs from installed packages: 19 test crops of 12 photographs, 9 validation crops of 7, offline.

    Each crop is named and lies where the table in this file says; crops never overlap, and no photograph serves both
    splits. A crop's group is its photograph: crops of one are alike, so that statistics count photographs. The test
    split begins with one crop of each. A crop is there only if the middle 64 x 64 pixels have a standard deviation of
    at least 0.04: on nearly constant regions every solver is right. Two photographs have no room for scenes above
    172 and 190 pixels (size + 2 margin) and are left out there.

    Gray is BT.601 luminance in floating point; in ``rgb``, pictures that are gray have three equal channels. The
    files are read from the installed packages (nothing is ever downloaded) and their sha256 is checked, so that the
    same name means the same pixels everywhere.

    Sources: S. van der Walt et al., "scikit-image: image processing in Python", PeerJ 2:e453, 2014; G. Lee et al.,
    "PyWavelets", JOSS 4(36), 2019; J. D. Hunter, "Matplotlib", 2007. Each picture's licence is in docs/datasets.md.
    """

    split: Literal["val", "test"] = "test"
    #: side of the field of view in pixels; size + 2 margin is at most 192
    size: int = 128
    #: pixels of real scene around it, for a PSF of up to 2 margin + 1 pixels
    margin: int = 32
    #: only the first so many
    limit: int | None = None
    mode: Literal["gray", "rgb"] = "gray"
    #: only photographs in colour: four of the test split, five of the validation split
    coloured: bool = False

    def __post_init__(self) -> None:
        if self.split not in ("val", "test"):
            raise SettingError(f"photos: no split {self.split!r}. {did_you_mean(self.split, ['val', 'test'])}")
        if self.mode not in ("gray", "rgb"):
            raise SettingError(f"photos: no mode {self.mode!r}. {did_you_mean(self.mode, ['gray', 'rgb'])}")
        if self.size < 1 or self.margin < 0 or (self.limit is not None and self.limit < 1):
            raise SettingError("photos: size and limit must be at least 1, margin at least 0")
        if self.size + 2 * self.margin > LARGEST:
            raise DataError(
                f"photos: size {self.size} with margin {self.margin} needs {self.size + 2 * self.margin} pixels of "
                f"scene; at most {LARGEST} are there (size: 128 with margin: 32, or size: {LARGEST} with margin: 0)"
            )

    def ids(self) -> list[str]:
        """Names of the crops, in the order of the table."""
        return [c.name for c in self._crops()]

    def load(self, id: str) -> Image:
        """The crop of that name: scene (1 or 3, size + 2 margin, size + 2 margin)."""
        crop, side = self._crop(id), self.size + 2 * self.margin
        picture = reduce(_picture(crop.file, self.mode), crop.k)
        return Image(id, window(picture, crop.centre, (side, side)), self.margin)

    def group_of(self, id: str) -> str:
        """The photograph that it was cut from."""
        return self._crop(id).group

    def fingerprint(self, id: str) -> str:
        """A digest of the crop, of its file's sha256 and of the settings."""
        crop = self._crop(id)
        return fingerprint(__file__, list(crop), SHA256[crop.file], self.size, self.margin, self.mode)

    def _crops(self) -> tuple[Crop, ...]:
        side = self.size + 2 * self.margin
        crops = (c for c in (TEST if self.split == "test" else VAL) if c.room >= side)
        return tuple(c for c in crops if not (self.coloured and c.file in GRAY))[: self.limit]

    def _crop(self, id: str) -> Crop:
        side = self.size + 2 * self.margin
        for crop in TEST if self.split == "test" else VAL:
            if crop.name == id:
                if crop.room < side:
                    raise DataError(f"photos: {id} has room for a scene of {crop.room} pixels, not of {side}")
                return crop
        raise DataError(f"photos: no picture {id!r} in split {self.split}. {did_you_mean(id, self.ids())}")


@lru_cache(maxsize=4)
def _picture(file: str, mode: Literal["gray", "rgb"]) -> np.ndarray:
    package, folder = ELSEWHERE.get(file, ("skimage", "data"))
    path = _folder(package) / folder / file
    if not path.is_file():
        raise DataError(
            f"photos: {path} is missing; reinstall {_DISTRIBUTIONS[package]}, which brings it in its wheel"
        )
    if sha256(path.read_bytes()).hexdigest() != SHA256[file]:
        raise DataError(f"photos: {path} is not the picture that this dataset is defined on (its sha256 differs)")
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return as_mode(arrays["data"][None] / 255.0, mode)  # uint8 (H, W)
    return read(path, mode)


#: package -> what is to be installed for it
_DISTRIBUTIONS = {"skimage": "scikit-image 0.24 or newer", "pywt": "PyWavelets", "matplotlib": "Matplotlib"}


def _folder(package: str) -> Path:
    # Without importing the package: scikit-image's own loader would try to download what is not there.
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise DataError(f"photos: {_DISTRIBUTIONS[package]} is not installed")
    return Path(spec.submodule_search_locations[0])
