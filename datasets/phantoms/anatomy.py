"""The anatomy of axial CT slices of chest and abdomen, drawn in Hounsfield units.

The slice is seen from the feet: the patient lies on the back, the right side is on the left. Everything is drawn
from two generators, one for the anatomy and one for textures, so that the anatomy is the same at any size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from .canvas import Blob, Canvas, blend, coverage

AIR, LUNG, FAT, WATER, MUSCLE, CORTEX, MARROW = -1000.0, -860.0, -100.0, 5.0, 55.0, 650.0, 230.0


# --- What chest and abdomen share -----------------------------------------------------------------------------


@dataclass
class Trunk:
    """A body's outlines.

    Attributes:
        skin, muscle, cavity: from the outside in.
        body: the share of each pixel within the skin.
        f: the cavity's implicit function on the canvas.
        inside: the share of each pixel within the muscles' outline.
        back: where that outline ends behind.
    """

    skin: Blob
    muscle: Blob
    cavity: Blob
    f: np.ndarray
    body: np.ndarray
    inside: np.ndarray
    back: float


def trunk(c: Canvas, fat: tuple[float, float], wall: tuple[float, float], wall_ap: float) -> Trunk:
    """Paint skin, subcutaneous fat and the muscular wall; the cavity is left to fill."""
    u = c.rng.uniform
    a, b, y = u(0.86, 0.93), u(0.6, 0.71), u(-0.1, -0.04)
    # Orders 2 and 4 flatten the back and the flanks.
    wave = ((4, u(-0.035, 0.0), 0.0), *c.wave(0.008, (2, 3, 5)))
    skin = Blob(u(-0.02, 0.02), y, a, b, 0.0, wave)
    t, w = u(*fat), u(*wall)
    muscle = Blob(skin.x, y + 0.01, a - t, b - 0.6 * t, 0.0, (*wave, *c.wave(0.006, (6, 7))))
    cavity = Blob(skin.x, y - 0.03, muscle.a - w, muscle.b - wall_ap, 0.0, c.wave(0.012, (2, 3, 4)))
    inside = coverage(muscle(c.x, c.y))
    _table(c, y + b)
    f = skin(c.x, c.y)
    body = coverage(f)
    c.paint(body, 15.0)
    c.paint(coverage(f + 0.014), FAT + 12 * c.noise(0.02))
    c.paint(inside, MUSCLE + 6 * c.noise(0.015) - 90 * np.clip(c.noise(0.02) - 1.3, 0, 1))
    back = float(c.y[inside.max(1) > 0.5, 0].max())
    return Trunk(skin, muscle, cavity, cavity(c.x, c.y), body, inside, back)


def _table(c: Canvas, back: float) -> None:
    u = c.rng.uniform
    bend, gap, thick = u(0.12, 0.3), u(0.015, 0.05), u(0.05, 0.09)
    for depth, hu, half in ((0.0, u(-650, -250), 0.006), (thick, u(-100, 250), 0.009)):
        f = np.abs(c.y - (back + gap + depth - bend * c.x**2)) - half
        edge = np.abs(c.x) - (0.78 + 0.5 * depth)
        c.paint(coverage(np.maximum(f, edge)), hu)


def ribs(c: Canvas, t: Trunk, angles: np.ndarray, depth: float) -> None:
    """Cut ribs along the wall of the cavity, at those angles (0: left of the patient, pi/2: back)."""
    u = c.rng.uniform
    theta = np.arctan2((c.y - t.cavity.y) / t.cavity.b, (c.x - t.cavity.x) / t.cavity.a)
    radius = 0.5 * (t.cavity.a + t.cavity.b)
    for angle in angles:
        half, thick = u(0.05, 0.13), u(0.02, 0.027)
        win = c.window(t.cavity.x + t.cavity.a * math.cos(angle), t.cavity.y + t.cavity.b * math.sin(angle), 0.25)
        along = np.angle(np.exp(1j * (theta[win] - angle))) * radius
        f = np.hypot(along / half, (t.f[win] - depth - u(-0.3, 0.3) * along * 0.3) / thick) - 1
        near = (np.abs(along) < 1.5 * half) * t.inside[win]
        c.paint(coverage(f * thick) * near, CORTEX * u(0.75, 1.05), win)
        c.paint(coverage((f + 0.45) * thick) * near, MARROW * u(0.4, 1.0), win)


def spine(c: Canvas, x: float, y: float, within: np.ndarray) -> None:
    """A vertebra with its arch, processes and canal, and the muscles beside it; (x, y) is the body's centre."""
    u = c.rng.uniform
    for s in (-1, 1):
        c.blob(Blob(x + s * 0.15, y + 0.2, 0.13, 0.1, s * 0.3, c.wave(0.03)), MUSCLE + 5, within)
        c.line(complex(x + s * 0.12, y + 0.14), complex(x + s * 0.17, y + 0.27), 0.006, -60.0, within)
    tilt, hard = u(0.1, 0.5), u(0.8, 1.15)
    for s in (-1, 1):
        end = complex(x + s * 0.19, y + 0.12 + 0.05 * tilt)
        c.line(complex(x + s * 0.06, y + 0.13), end, 0.024, CORTEX * 0.75 * hard)
        c.line(complex(x + s * 0.08, y + 0.13), end, 0.011, MARROW * hard)
        c.line(complex(x + s * 0.075, y + 0.15), complex(x, y + 0.215), 0.02, CORTEX * 0.85 * hard)
    c.line(complex(x, y + 0.21), complex(x + u(-0.01, 0.01), y + u(0.25, 0.28)), 0.017, CORTEX * 0.75 * hard, within)
    body = Blob(x, y, 0.125, 0.098, 0.0, ((2, 0.03, 0.0), (3, 0.04, math.pi / 2)))
    c.blob(body, CORTEX * hard)
    inner = coverage(body.grown(-0.016)(c.x, c.y))
    c.paint(inner, MARROW * hard + 45 * c.noise(0.009))
    canal = Blob(x, y + 0.135, 0.062, 0.047)
    c.blob(canal.grown(0.012), CORTEX * 0.9 * hard)
    c.blob(canal, -20.0)
    c.blob(canal.grown(-0.014), 30.0)


def finished(c: Canvas, t: Trunk) -> np.ndarray:
    """The slice with quantum mottle and the scanner's resolution, in Hounsfield units."""
    mottle = 9 * c.noise(0.007) + 4 * c.noise(0.02)
    return gaussian_filter(c.hu + mottle * (0.15 + 0.85 * t.body), 0.4)


# --- Chest ----------------------------------------------------------------------------------------------------


def chest(n: int, anatomy: np.random.Generator, texture: np.random.Generator) -> np.ndarray:
    """A slice through lungs and mediastinum: n x n Hounsfield units."""
    c = Canvas(n, anatomy, texture)
    u = c.rng.uniform
    t = trunk(c, (0.03, 0.1), (0.13, 0.2), u(0.11, 0.14))
    middle, back = t.cavity.x, min(t.cavity.y + t.cavity.b, t.back - 0.17)
    heart = Blob(
        middle + u(0.08, 0.14), t.cavity.y - u(0.06, 0.12), u(0.24, 0.32), u(0.19, 0.24), u(0.3, 0.8), c.wave(0.03)
    )
    cardiac = u() < 0.5
    lungs = _lungs(c, t, heart if cardiac else None)
    _scapulae(c, t)
    sides = np.concatenate([np.linspace(-0.9, 1.25, 6), math.pi - np.linspace(-0.9, 1.25, 6)])
    ribs(c, t, sides + u(-0.1, 0.1, 12), 0.045)
    sternum = Blob(middle, t.cavity.y - t.cavity.b - 0.025, u(0.07, 0.1), 0.027)
    c.blob(sternum, CORTEX * 0.7)
    c.blob(sternum.grown(-0.011), MARROW * 0.6)
    if cardiac:
        _heart(c, heart)
    else:
        _great_vessels(c, middle, t.cavity.y)
    contrast = u(40, 260)
    c.blob(Blob(middle + 0.1, back - 0.25, 0.066, 0.064, 0.0, c.wave(0.02)), contrast)
    c.blob(Blob(middle + 0.01, back - 0.27, 0.035, 0.025), 45.0)
    spine(c, middle, back - 0.12, t.inside)
    for s in (-1, 1):
        _vessel_tree(c, complex(middle + s * 0.15, t.cavity.y + u(0.0, 0.1)), s, lungs)
    return finished(c, t)


def _lungs(c: Canvas, t: Trunk, heart: Blob | None) -> np.ndarray:
    """Paint both lungs and the fat between them; returns the share of lung in each pixel."""
    u = c.rng.uniform
    middle, y0, b = t.cavity.x, t.cavity.y, t.cavity.b
    bulge = Blob(middle + 0.03, y0, 0.17, 0.3, 0.0, c.wave(0.05))
    column = np.abs(c.x - middle - 0.02 * np.sin(4 * c.y + u(0, 6))) - u(0.02, 0.045)
    back = Blob(middle, y0 + b - 0.03, 0.18, 0.19)(c.x, c.y)
    between = [column, bulge(c.x, c.y), back]
    if heart is not None:
        between.append(heart.grown(0.012)(c.x, c.y))
    # Inside the cavity and outside all of these, with rounded corners.
    lungs = coverage(-blend(-t.f, *between, k=0.02))
    c.paint(coverage(t.f), FAT + 25 + 15 * c.noise(0.03))
    # Blood sinks: the lung is denser at the back.
    c.paint(lungs, LUNG + 40 * (c.y - y0) / b + 16 * c.noise(0.012) + 12 * c.noise(0.08))
    return lungs


def _scapulae(c: Canvas, t: Trunk) -> None:
    u = c.rng.uniform
    muscle = coverage(t.muscle.grown(-0.03)(c.x, c.y))
    for s in (-1, 1):
        p = complex(t.cavity.x + s * (t.cavity.a + u(0.05, 0.09)), t.cavity.y + 0.55 * t.cavity.b)
        q = complex(t.cavity.x + s * u(0.42, 0.5) * t.cavity.a / 0.62, t.cavity.y + t.cavity.b * u(0.96, 1.02))
        bend = (p + q) / 2 + s * u(0.0, 0.03) * (1 + 0.5j)
        for a, b in ((p, bend), (bend, q)):
            c.line(a, b, 0.018, CORTEX * 0.8, muscle)
        for a, b in ((p, bend), (bend, q)):
            c.line(a, b, 0.007, MARROW, muscle)
        # Fat planes between the muscles of the shoulder.
        c.line(p + s * 0.05, q + s * 0.06 + 0.03j, 0.006, -70.0, muscle)


def _heart(c: Canvas, heart: Blob) -> None:
    u = c.rng.uniform
    c.blob(heart.grown(0.012), FAT + 20)
    c.blob(heart, 60.0)
    blood = u(50, 240)
    e = complex(math.cos(heart.angle), math.sin(heart.angle))
    chambers = (
        (0.48, 0.2, 0.1, 0.075),
        (0.2, -0.62, 0.13, 0.055),
        (-0.5, -0.35, 0.085, 0.08),
        (-0.45, 0.5, 0.12, 0.065),
    )
    for along, across, a, b in chambers:
        z = complex(heart.x, heart.y) + e * complex(along * heart.a, across * heart.b) + complex(u(-0.01, 0.01), 0)
        c.blob(Blob(z.real, z.imag, a, b, heart.angle, c.wave(0.06)), blood * u(0.85, 1.1))
    if u() < 0.4:  # a calcified coronary artery
        z = complex(heart.x, heart.y) + e * complex(0.1 * heart.a, -0.8 * heart.b)
        c.line(z, z + 0.03 * e, 0.007, 500.0)


def _great_vessels(c: Canvas, x: float, y: float) -> None:
    u = c.rng.uniform
    blood = u(50, 260)
    c.blob(Blob(x + 0.03, y - 0.04, 0.14, 0.2, 0.0, c.wave(0.06)), -20.0)
    for _ in range(5):  # lymph nodes
        c.blob(Blob(x + u(-0.13, 0.13), y + u(-0.2, 0.15), u(0.01, 0.022), u(0.01, 0.018)), 40.0)
    c.blob(Blob(x + u(0.08, 0.13), y - 0.1, 0.09, 0.065, u(0, 1), c.wave(0.03)), blood * u(0.9, 1.2))
    c.blob(Blob(x - u(0.03, 0.06), y - u(0.1, 0.15), 0.085, 0.08, 0.0, c.wave(0.02)), blood)
    c.blob(Blob(x - u(0.13, 0.16), y - 0.06, 0.04, 0.034, 0.0, c.wave(0.03)), blood * u(1.0, 1.8))
    airways = [(0.0, 0.05)] if u() < 0.5 else [(-0.085, 0.036), (0.08, 0.034)]
    for dx, r in airways:
        tube = Blob(x + dx, y + u(0.07, 0.1), r, r * u(0.75, 0.95), dx * 4)
        c.blob(tube.grown(0.012), 35.0)
        c.blob(tube, -985.0)


def _vessel_tree(c: Canvas, hilum: complex, side: int, lungs: np.ndarray) -> None:
    u = c.rng.uniform
    hu = u(20, 90)
    grow = [(hilum, heading, u(0.013, 0.021)) for heading in np.linspace(-1.2, 1.2, 4) + u(-0.25, 0.25, 4)]
    while grow:
        at, heading, r = grow.pop()
        end = at + complex(side * math.cos(heading), math.sin(heading)) * u(0.06, 0.12) * (r / 0.015) ** 0.2
        c.line(at, end, r, hu, lungs)
        if r > 0.0042:
            for turn, thinner in (
                (u(-0.25, 0.25), u(0.68, 0.84)),
                (u(0.5, 1.0) * c.rng.choice((-1, 1)), u(0.35, 0.6)),
            ):
                grow.append((end, heading + turn, r * thinner))
    # Vessels that run across the slice.
    for _ in range(45):
        z = hilum + side * u(0.02, 0.5) + 1j * u(-0.38, 0.4)
        r = u(0.003, 0.012) * (1 - 0.6 * min(abs(z - hilum) / 0.5, 1))
        c.line(z, z + r * complex(u(-2, 2), u(-2, 2)), r, hu, lungs)


# --- Abdomen --------------------------------------------------------------------------------------------------


def abdomen(n: int, anatomy: np.random.Generator, texture: np.random.Generator) -> np.ndarray:
    """A slice through liver, stomach, kidneys and bowel: n x n Hounsfield units."""
    c = Canvas(n, anatomy, texture)
    u = c.rng.uniform
    t = trunk(c, (0.04, 0.13), (0.05, 0.075), u(0.06, 0.1))
    x, y, a, b = t.cavity.x, t.cavity.y, t.cavity.a, t.cavity.b
    cavity = coverage(t.f)
    c.paint(cavity, FAT + 8 * c.noise(0.02))
    blood = u(60, 230)
    back = min(y + b, t.back - 0.17)
    _bowel(c, x, y, a, b, cavity)
    _stomach(c, Blob(x + 0.45 * a, y - 0.4 * b, u(0.2, 0.27), u(0.15, 0.2), u(-0.6, 0.2), c.wave(0.08)), cavity)
    _liver(c, t, blood)
    spleen = Blob(x + 0.82 * a, y + 0.2 * b, u(0.09, 0.14), u(0.18, 0.26), u(-0.3, 0.0), c.wave(0.07))
    c.blob(spleen, 60 + 0.35 * blood, coverage(t.f + 0.015))
    for s in (-1, 1):
        _kidney(c, x + s * u(0.46, 0.54) * a, y + u(0.38, 0.48) * b, s, blood)
        c.blob(Blob(x + s * 0.175, back - 0.12, 0.065, 0.085, s * 0.2, c.wave(0.04)), MUSCLE + 5)
    pancreas = Blob(x + 0.08, y + 0.02 * b, u(0.16, 0.22), u(0.035, 0.05), u(-0.5, -0.1), c.wave(0.12, (3, 5, 7)))
    c.blob(pancreas, 30 + 0.3 * blood)
    aorta = Blob(x + 0.045, back - u(0.31, 0.33), u(0.048, 0.06), 0.05, 0.0, c.wave(0.02))
    c.blob(aorta, blood)
    if u() < 0.5:
        c.line(complex(aorta.x - 0.03, aorta.y + 0.038), complex(aorta.x + 0.02, aorta.y + 0.045), 0.006, 550.0)
    c.blob(Blob(x - 0.1, back - 0.3, 0.062, 0.045, 0.2, c.wave(0.04)), 0.75 * blood + 15)
    for _ in range(18):  # mesenteric vessels
        z = complex(x + u(-0.25, 0.35), y + u(-0.3, 0.3) * b)
        c.line(z, z + complex(u(-0.05, 0.05), u(-0.05, 0.05)), u(0.004, 0.011), 0.8 * blood)
    sides = np.array([0.15, 0.55, 0.9])
    ribs(c, t, np.concatenate([sides, math.pi - sides]) + u(-0.12, 0.12, 6), 0.03)
    spine(c, x, back - 0.12, t.inside)
    return finished(c, t)


def _liver(c: Canvas, t: Trunk, blood: float) -> None:
    u = c.rng.uniform
    x, y, a, b = t.cavity.x, t.cavity.y, t.cavity.a, t.cavity.b
    right = Blob(x - 0.55 * a, y - 0.12 * b, u(0.34, 0.42), u(0.36, 0.44), u(-0.2, 0.2), c.wave(0.07))
    left = Blob(x - 0.05 * a, y - 0.55 * b, u(0.22, 0.32), u(0.11, 0.15), u(-0.2, 0.1), c.wave(0.06))
    f = blend(right(c.x, c.y), left(c.x, c.y), k=0.04)
    cover = coverage(-blend(-f, -(t.f + 0.018), k=0.015))
    hu = u(50, 65) + 0.25 * blood
    c.paint(cover, hu + 5 * c.noise(0.02))
    root = complex(x - 0.2 * a, y - 0.05)
    for heading in np.linspace(1.9, 4.6, 5) + u(-0.2, 0.2, 5):
        at, r = root, u(0.014, 0.024)
        for _ in range(4):
            end = at + u(0.06, 0.12) * complex(math.cos(heading), math.sin(heading))
            c.line(at, end, r, hu + 0.3 * blood, cover)
            at, heading, r = end, heading + u(-0.5, 0.5), 0.75 * r
    if u() < 0.6:
        c.blob(Blob(x - 0.22 * a, y - 0.1 * b, u(0.05, 0.08), u(0.04, 0.06), u(0, 3), c.wave(0.05)), WATER)


def _stomach(c: Canvas, outline: Blob, within: np.ndarray) -> None:
    u = c.rng.uniform
    c.blob(outline, 65.0, within)
    inner = coverage(outline.grown(-0.022)(c.x, c.y)) * within
    c.paint(inner, 25 + 25 * c.noise(0.03))
    # Gas rises, and what is left below has a level surface.
    level = outline.y - u(0.1, 0.7) * outline.b
    c.paint(inner * coverage(c.y - level), -980.0)


def _kidney(c: Canvas, x: float, y: float, side: int, blood: float) -> None:
    u = c.rng.uniform
    outline = Blob(x, y, u(0.115, 0.14), u(0.13, 0.16), side * u(-0.4, 0.0), c.wave(0.03))
    c.blob(outline, 45 + 0.7 * blood)
    c.blob(outline.grown(-0.035), 45 + 0.4 * blood)
    sinus = Blob(x - side * 0.06, y, 0.075, 0.05, side * u(0.0, 0.4), c.wave(0.15))
    c.blob(sinus, -70.0)
    c.blob(Blob(x - side * 0.05, y, 0.035, 0.016, side * 0.3), 20 + 0.5 * blood)


def _bowel(c: Canvas, x: float, y: float, a: float, b: float, within: np.ndarray) -> None:
    u = c.rng.uniform
    fill = u(10, 250)
    for _ in range(16):
        phi, rho = u(-1.9, 1.2), u(0.25, 0.85)
        loop = Blob(
            x + rho * a * math.cos(phi),
            y + rho * b * math.sin(phi),
            u(0.05, 0.09),
            u(0.045, 0.07),
            u(0, 3),
            c.wave(0.08),
        )
        c.blob(loop, 60.0, within)
        kind = u()
        c.blob(loop.grown(-0.016), 20.0 if kind < 0.55 else fill, within)
        if kind > 0.75:
            c.blob(Blob(loop.x, loop.y - 0.2 * loop.b, 0.6 * loop.a, 0.5 * loop.b, 0.0, c.wave(0.1)), -960.0, within)
