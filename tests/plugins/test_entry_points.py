"""A package of plug-ins, installed without a network, is seen, run and keyed."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from bench.results import parquet

DOCS = Path(__file__).parents[2] / "docs" / "plugins.md"

PACKAGE = Path(__file__).parent / "tiny_package"
GRID = """
data: {test: {ramps: {count: 1}}}
blur: [pixel]
noise: [poisson_gaussian: {lam: 48000, sigma: 1}]
solvers: [halved: {power: 2}, pnp_hqs: {prior: gray_world, steps: 2}]
metrics: [psnr, worst_pixel]
protocol: {border: 0, boundary: circular}
run: {workers: 1}
"""


def wheel(folder: Path) -> Path:
    """The package as a wheel, written as a build backend would: sources, METADATA, entry points, RECORD."""
    import tomllib

    about = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    name, version = about["name"].replace("-", "_"), about["version"]
    info = f"{name}-{version}.dist-info"
    groups = [
        "\n".join([f"[{group}]", *(f"{n} = {module}" for n, module in points.items())])
        for group, points in about["entry-points"].items()
    ]
    files = {p.relative_to(PACKAGE / "src").as_posix(): p.read_bytes() for p in (PACKAGE / "src").rglob("*.py")}
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {version}\n".encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/entry_points.txt"] = "\n\n".join(groups).encode()
    digests = {
        n: base64.urlsafe_b64encode(hashlib.sha256(b).digest()).rstrip(b"=").decode() for n, b in files.items()
    }
    rows = [f"{n},sha256={digest},{len(files[n])}" for n, digest in digests.items()]
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]).encode()
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for n, data in files.items():
            archive.writestr(n, data)
    return path


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables of a process that sees the package in a site-packages of its own."""
    folder = tmp_path_factory.mktemp("tiny")
    site = folder / "site-packages"
    with zipfile.ZipFile(wheel(folder)) as archive:  # what installing a pure wheel amounts to
        archive.extractall(site)
    return {**os.environ, "PYTHONPATH": str(site)}


def bench(*words: str, env: dict[str, str], cwd: Path) -> str:
    command = [sys.executable, "-m", "bench", *words]
    done = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_its_plugins_are_listed_beside_the_built_in_ones(environment: dict[str, str], tmp_path: Path) -> None:
    listed = json.loads(bench("list", "--json", env=environment, cwd=tmp_path))
    for kind, name in (
        ("solvers", "halved"),
        ("priors", "gray_world"),
        ("operators", "pixel"),
        ("datasets", "ramps"),
        ("metrics", "worst_pixel"),
    ):
        assert name in dict(listed[kind])


def test_a_grid_names_them_like_built_in_ones(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "grid.yaml").write_text(GRID)
    summary = json.loads(bench("run", "grid.yaml", "--out", "out", "--json", env=environment, cwd=tmp_path))
    assert (summary["cells"], summary["computed"], summary["failed"], summary["unverified"]) == (2, 2, [], {})
    rows = parquet.read(tmp_path / "out" / "results.parquet")
    assert all(0 < r["m_worst_pixel"] <= 1 for r in rows)
    again = json.loads(bench("run", "grid.yaml", "--out", "out", "--json", env=environment, cwd=tmp_path))
    assert again["computed"] == 0


@pytest.mark.skipif(not DOCS.is_file(), reason="there are no docs beside the package")
def test_what_docs_show_is_the_package_that_is_tested() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for file in (PACKAGE / "pyproject.toml", PACKAGE / "src/tiny_deblur/halved.py"):
        assert file.read_text(encoding="utf-8").strip() in text
