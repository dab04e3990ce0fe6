"""Synthetic run folders with the schema of real results: deterministic, no solver was run for them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.results import parquet as results
from bench.results.identity import MeasurementId

#: label -> (family, share of the blur removed, noise left, seconds, operator calls)
SOLVERS = {
    "blurred": ("reference", 0.0, 1.0, 0.0002, 0),
    "wiener": ("filter", 0.55, 1.2, 0.002, 2),
    "wiener prior=flat": ("filter", 0.50, 1.4, 0.002, 2),
    "richardson_lucy": ("variational", 0.45, 1.5, 0.08, 60),
    "haar_fista": ("variational", 0.62, 0.9, 0.6, 200),
    "tv": ("variational", 0.74, 0.5, 1.9, 450),
    "dps": ("diffusion", 0.80, 0.7, 41.0, 2000),
}
SETTINGS = {
    "shake T=0.25 · high": (7, 0.03),
    "shake T=1 · high": (11, 0.03),
    "disk · high": (5, 0.03),
    "disk · low": (5, 0.008),
}
TUNED = {"wiener": "balance", "tv": "lam", "haar_fista": "lam"}
METRICS = ("psnr", "ssim", "lpips_alex", "residual_chi2", "residual_chi2_expected")
IMAGES = ("lena_like", "barbara_like", "stones", "window", "harbour")
#: what a run records of several samples per cell: column -> value from the PSNR of the estimate
POSTERIOR = {
    "m_psnr_mean": lambda psnr: psnr + 1.1,
    "m_ssim_mean": lambda psnr: 1 - 10 ** (-(psnr + 1.1) / 22),
    "m_lpips_alex_mean": lambda psnr: 2.6 * 10 ** (-psnr / 20),
    "m_crps": lambda psnr: 0.4 * 10 ** (-psnr / 20),
    "m_coverage_50": lambda psnr: 0.44 + 0.001 * psnr,
    "m_coverage_90": lambda psnr: 0.86 + 0.001 * psnr,
}


def scene(index: int, size: int, channels: int = 1) -> np.ndarray:
    """A picture (channels, size, size) with edges, texture and a gradient."""
    rng = np.random.default_rng(100 + index)
    v, u = np.mgrid[:size, :size] / size
    x = 0.25 + 0.3 * u * (1 - v)
    for _ in range(9):
        a, b, r = rng.uniform(0.1, 0.9, 3)
        x = np.where((u - a) ** 2 + (v - b) ** 2 < (0.22 * r) ** 2, rng.uniform(0.05, 0.95), x)
    stripes = 0.5 + 0.5 * np.sin(2 * np.pi * (10 + 3 * index) * (u + 0.4 * v))
    x = np.where((u > 0.55) & (v > 0.6), 0.2 + 0.6 * stripes, x)
    return np.stack([x * s for s in np.linspace(1, 0.7, channels)])


def motion_psf(length: int, index: int) -> np.ndarray:
    """A curved path of unit sum on an odd square."""
    n = 2 * length + 1
    k = np.zeros((n, n))
    t = np.linspace(-1, 1, 40 * length)
    i = np.round(length + 0.6 * length * t * np.cos(index)).astype(int)
    j = np.round(length + 0.5 * length * (t**2 - 0.4 + 0.5 * t * np.sin(index))).astype(int)
    np.add.at(k, (i, j), 1.0)
    return k / k.sum()


def blur(x: np.ndarray, psf: np.ndarray) -> np.ndarray:
    """Circular convolution."""
    h, w = psf.shape
    k = np.zeros(x.shape[-2:])
    k[:h, :w] = psf
    k = np.roll(k, (-(h // 2), -(w // 2)), (0, 1))
    return np.fft.irfft2(np.fft.rfft2(x) * np.fft.rfft2(k), s=x.shape[-2:])


def psnr(truth: np.ndarray, estimate: np.ndarray) -> float:
    """On the clipped estimate."""
    return float(-10 * np.log10(np.mean((truth - np.clip(estimate, 0, 1)) ** 2)))


def sha(*parts: object) -> str:
    """64 hex digits."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def write(
    folder: Path,
    *,
    name: str = "demo",
    size: int = 64,
    channels: int = 1,
    fail: bool = True,
    boundary: str = "valid",
    solvers: dict[str, tuple[str, float, float, float, int]] | None = None,
    images: int = len(IMAGES),
    seed: int = 0,
    change: dict[str, Any] | None = None,
    posterior: bool = False,
    study: str | None = None,
) -> Path:
    """Write ``folder``/results.parquet, run.json and images/; returns the folder.

    Args:
        folder: the run folder, made if missing.
        name: of the run.
        size: of the pictures.
        channels: 1 or 3.
        fail: let some cells of the last solver fail.
        boundary: what the rows say.
        solvers: instead of ``SOLVERS``.
        images: how many of ``IMAGES``.
        seed: of the noise: another seed is another measurement.
        change: column -> value, written over every row (to build broken or hostile results).
        study: the experiment that its grid repeats.
        posterior: let dps have drawn samples: their metrics, pictures, certificates and a noise level.
    """
    solvers = SOLVERS if solvers is None else solvers
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rows, index = [], []
    for number, (cell, arrays) in enumerate(_cells(size, channels, solvers, seed, boundary, fail, images)):
        cell = [{**r, **(change or {})} for r in cell]
        file = f"{number:04d}.npz"
        if posterior:
            arrays |= _draws(arrays, number)
        stored: dict[str, Any] = {key: a.astype(np.float16) for key, a in arrays.items()}
        np.savez_compressed(folder / "images" / file, **stored)
        index.append({**MeasurementId.of(cell[0])._asdict(), "file": file})
        rows += cell
    rows += [{**r, **(change or {})} for r in _tuning_rows(solvers, boundary)]
    (folder / "images" / "index.json").write_text(json.dumps(index), encoding="utf-8")
    results.write(folder / "results.parquet", rows, METRICS)
    if posterior:
        _add_posterior(folder / "results.parquet")
        _certify(folder / "certificates")
    (folder / "run.json").write_text(
        json.dumps({**_facts(name, rows, boundary, seed, images), "study": study}, indent=1), encoding="utf-8"
    )
    return folder


def _cells(
    size, channels, solvers, seed, boundary, fail, images
) -> Iterator[tuple[list[dict], dict[str, np.ndarray]]]:
    for s, (setting, (length, sigma)) in enumerate(SETTINGS.items()):
        for i, image in enumerate(IMAGES[:images]):
            rng = np.random.default_rng([seed, s, i])
            truth, psf = scene(i, size, channels), motion_psf(length, s + i)
            clean = blur(truth, psf)
            y = clean + sigma * rng.standard_normal(clean.shape)
            arrays = {"truth": truth, "y": y, "psf": psf}
            rows = []
            for label, spec in solvers.items():
                estimate = truth + (1 - spec[1]) * (clean - truth) + spec[2] * (y - clean)
                broken = fail and label == list(solvers)[-1] and (s, i) in {(0, 1), (2, 3), (2, 4)}
                row = _row(label, spec, setting, image, truth, y, estimate, boundary, s, i)
                rows.append(_failed(row, "error" if s == 0 else "timeout") if broken else row)
                if not broken:
                    arrays[f"solver:{label}"] = estimate
            yield rows, arrays


def _row(label, spec, setting, image, truth, y, estimate, boundary, s, i) -> dict[str, Any]:
    family, _, noise, seconds, calls = spec
    value, given = psnr(truth, estimate), psnr(truth, y)
    solver = label.split()[0]
    tuned = {TUNED[solver]: round(0.002 * (s + 1), 5)} if label in TUNED else None
    return {
        "cell_key": sha("cell", label, setting, image, y.tobytes()),
        "status": "ok",
        "error_type": None,
        "error_message": None,
        "solver": label,
        "solver_name": solver,
        "solver_settings": json.dumps({"label": label}),
        "family": family,
        "blind": False,
        "stochastic": solver == "dps",
        "tuned": json.dumps(tuned) if tuned else None,
        "tuning": "val" if tuned else None,
        "dataset": "photos",
        "split": "test",
        "image": image,
        "image_sha": sha(image),
        "height": truth.shape[1],
        "width": truth.shape[2],
        "channels": truth.shape[0],
        "setting": setting,
        "blur": setting.split()[0],
        "blur_settings": "{}",
        "T": 0.25 if "0.25" in setting else 1.0,
        "psf_index": 0,
        "psf_sha": sha(s, i),
        "psf_note": "",
        "noise": setting.split(" · ")[1],
        "noise_settings": json.dumps({"lam": 48000 if "high" in setting else 768000, "sigma": 4}),
        "psf_error": "none",
        "sigma_factor": 1.0,
        "boundary": boundary,
        "rep": 0,
        "y_sha": hashlib.sha256(y.tobytes()).hexdigest(),
        "m_psnr": value,
        "m_ssim": 1 - 10 ** (-value / 22),
        "m_lpips_alex": 2.2 * 10 ** (-value / 20),
        "m_residual_chi2": 0.4 + noise,
        "m_residual_chi2_expected": -3.0 if solver == "haar_fista" else 0.75,
        "in_psnr": given,
        "in_ssim": 1 - 10 ** (-given / 22),
        "in_lpips_alex": 2.2 * 10 ** (-given / 20),
        "in_residual_chi2": None,
        "in_residual_chi2_expected": None,
        "seconds": seconds * (1 + 0.1 * i),
        "n_A": calls // 2,
        "n_At": calls - calls // 2,
        "nfe_forward": 100 if solver == "dps" else 0,
        "nfe_backward": 100 if solver == "dps" else 0,
        "peak_rss_mb": 412.5,
        "batch": 1,
        "dtype": "float32",
        "device": "cpu",
        "threads": 2,
        "env_id": "a1b2c3",
        "started_at": "2026-01-01T12:00:00+00:00",
        "phase": "test",
        "candidate": None,
    }


def _failed(row: dict[str, Any], status: str) -> dict[str, Any]:
    message = "sampling diverged: NaN at step 212" if status == "error" else "no result after 600 s"
    lost = dict.fromkeys((k for k in row if k.startswith("m_")), None)
    why = {"status": status, "error_type": "FloatingPointError" if status == "error" else None}
    return {**row, **lost, **why, "error_message": message}


def _draws(arrays: dict[str, np.ndarray], number: int) -> dict[str, np.ndarray]:
    """Four samples about the estimate of dps, and their standard deviation."""
    if "solver:dps" not in arrays:
        return {}
    rng = np.random.default_rng(number)
    mean = arrays["solver:dps"]
    samples = mean + 0.04 * rng.standard_normal((4, *mean.shape))
    level = np.array([1e-4, 0.008])
    return {"samples:dps": samples, "mean:dps": samples.mean(0), "std:dps": samples.std(0), "level": level}


def _add_posterior(file: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    table = parquet.read_table(file)
    rows = table.to_pylist()
    drawn = [r["solver"] == "dps" and r["status"] == "ok" for r in rows]
    columns = {"samples": [4 if d else None for d in drawn]}
    for name, of in POSTERIOR.items():
        columns[name] = [of(r["m_psnr"]) if d else None for r, d in zip(rows, drawn, strict=True)]
    for name, values in columns.items():
        others = [i for i, known in enumerate(table.column_names) if known != name]
        table = table.select(others).append_column(name, pa.array(values))
    parquet.write_table(table, file)


def _certify(folder: Path) -> None:
    folder.mkdir()
    good = {"solver": "dps", "verdict": "pass", "oracle": "gaussian", "w2": 0.031, "exact_w2": 0.028, "chi2": 1.02}
    bad = {"solver": "tv", "verdict": "fail", "oracle": "gaussian", "text": "a point estimate spreads nowhere"}
    for c in (good, bad):
        (folder / f"{c['solver']}.json").write_text(json.dumps(c), encoding="utf-8")


def write_large(folder: Path, solvers: int = 20, settings: int = 20, images: int = 25) -> Path:
    """A run of solvers × settings × images cells without pictures, all metrics drawn at random."""
    rng = np.random.default_rng(1)
    y = scene(0, 16)
    rows = []
    for s in range(solvers):
        spec = (("filter", "variational", "diffusion", "learned")[s % 4], 0.5, 1.0, 10 ** rng.uniform(-3, 1), 10 * s)
        for t in range(settings):
            blur, T, noise = f"blur{t // 8}", 2.0 ** (t // 4 % 2), f"noise{t % 4}"
            setting = f"{blur} T={T:g} · {noise}"
            for i in range(images):
                row = _row(f"solver_{s}", spec, setting, f"image_{i:02d}", y, y + 0.1, y + 0.1, "valid", t, i)
                row["m_psnr"] = 27 - 0.4 * t + 0.15 * s + 2 * np.sin(i) + rng.normal(0, 0.4)
                row["m_ssim"], row["m_lpips_alex"] = (
                    1 - 10 ** (-row["m_psnr"] / 22),
                    2.2 * 10 ** (-row["m_psnr"] / 20),
                )
                about = {"blur": blur, "noise": noise, "T": T, "y_sha": sha(t, i)}
                rows.append(
                    {
                        **row,
                        **about,
                        "m_residual_chi2": rng.normal(1, 0.1),
                        "seconds": spec[3] * rng.uniform(0.9, 1.1),
                    }
                )
    folder.mkdir(parents=True, exist_ok=True)
    results.write(folder / "results.parquet", rows, METRICS)
    (folder / "run.json").write_text(json.dumps(_facts("large", rows, "valid", 0, images)), encoding="utf-8")
    return folder


def _tuning_rows(solvers: dict[str, Any], boundary: str) -> Iterator[dict[str, Any]]:
    for label in [s for s in solvers if s in TUNED]:
        for s, setting in enumerate(SETTINGS):
            for value in (0.001, 0.002, 0.004, 0.008):
                truth = scene(9, 32)
                y = truth + 0.05 + 10 * abs(value - 0.002 * (s + 1))
                row = _row(label, solvers[label], setting, "val_1", truth, y, y, boundary, s, 9)
                candidate = json.dumps({TUNED[label]: value})
                key = sha("tune", label, setting, value)
                yield {**row, "phase": "val", "split": "val", "candidate": candidate, "cell_key": key}


def _facts(name: str, rows: list[dict[str, Any]], boundary: str, seed: int, images: int) -> dict[str, Any]:
    test = [r for r in rows if r["phase"] == "test"]
    ok = sum(r["status"] == "ok" for r in test)
    grid = f"name: {name}\nseed: {seed}\nsolvers:\n" + "".join(f"  - {s}\n" for s in SOLVERS)
    return {
        "name": name,
        "solvers": {s: {"summary": f"What {s} does.", "reference": f"Of {s}, 1965"} for s in SOLVERS},
        "grid_file": f"grids/{name}.yaml",
        "grid_text": grid,
        "grid_base": ".",
        "tuning": [],
        "seed": seed,
        "protocol": {"boundary": boundary, "border": 8, "clip": True, "dtype": "float32"},
        "metrics": list(METRICS),
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "dirty": False,
        "environment": {
            "python": "3.11.9",
            "torch": "2.8.0",
            "platform": "Linux x86_64",
            "cpu": "two cores",
            "device": "cpu",
        },
        "started_at": "2026-01-01T12:00:00+00:00",
        "finished_at": "2026-01-01T12:02:41+00:00",
        "cells": {"total": len(test), "ok": ok, "failed": len(test) - ok},
        "measurements": len(SETTINGS) * images,
    }
