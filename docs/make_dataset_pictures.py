"""Draw docs/img/photos.png and docs/img/phantoms.png. Run: ``python docs/make_dataset_pictures.py``."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
from PIL import Image as Pil
from PIL import ImageDraw

from bench import Image

TARGET = Path(__file__).parent / "img"
#: files that their source says are CC0 or in the public domain; the others are not reprinted here
FREE = ("astronaut", "brick", "camera", "chelsea", "coffee", "grass", "gravel", "hubble", "retina", "rocket")
GAP = 4


def sheet(images: list[Image], columns: int, side: int) -> Pil.Image:
    """The scenes with their names below, the field of view framed."""
    height = side + 12
    page = Pil.new("RGB", (columns * (side + GAP), -(-len(images) // columns) * (height + GAP)), "white")
    draw = ImageDraw.Draw(page)
    for i, image in enumerate(images):
        x, y = i % columns * (side + GAP), i // columns * (height + GAP)
        pixels = (np.moveaxis(np.broadcast_to(image.scene, (3, *image.scene.shape[1:])), 0, -1) * 255).round()
        page.paste(Pil.fromarray(pixels.astype(np.uint8)).resize((side, side), Pil.Resampling.LANCZOS), (x, y))
        edge = image.margin * side / image.scene.shape[-1]
        draw.rectangle((x + edge, y + edge, x + side - edge, y + side - edge), outline="#e8c000")
        draw.text((x + 1, y + side), image.id, fill="black")
    return page


def main() -> None:
    """Draw and save, with few colours so that the files stay small."""
    photos = import_module("bench.datasets.photos")
    free = {c.name for c in photos.TEST + photos.VAL if c.file.startswith(FREE)}
    sets = [photos.Photos(split=split, mode="rgb") for split in ("test", "val")]
    pictures = [s.load(name) for s in sets for name in s.ids() if name in free]
    phantoms = import_module("bench.datasets.phantoms")
    wide, soft = (phantoms.Phantoms(limit=4, window=w) for w in ((-1000.0, 1000.0), (-160.0, 240.0)))
    slices = [s.load(name) for s in (wide, soft) for name in s.ids()]
    TARGET.mkdir(exist_ok=True)
    sheet(pictures, 5, 128).quantize(96).save(TARGET / "photos.png", optimize=True)
    sheet(slices, 4, 192).quantize(48, dither=Pil.Dither.NONE).save(TARGET / "phantoms.png", optimize=True)


if __name__ == "__main__":
    main()
