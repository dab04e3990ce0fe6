"""``bench doctor``: what this machine has, what is missing, and how to get it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

#: GB on the disk below which a run of many pictures is at risk
LITTLE_DISK = 2.0


class Finding(NamedTuple):
    """Something that was looked at.

    Attributes:
        name: what.
        state: "ok"; "note": works without, with less; "missing": something that was asked for will fail.
        text: what is there; of the others, what follows and how to get it.
    """

    name: str
    state: str
    text: str


def command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Look at environment, device, threads, weights and disk; exits 1 if something is missing."""
    findings = list(examine())
    if as_json:
        typer.echo(json.dumps([f._asdict() for f in findings], indent=1, ensure_ascii=False))
    else:
        width = max(len(f.name) for f in findings)
        for f in findings:
            typer.echo(f"{'' if f.state == 'ok' else f.state:<7}  {f.name:<{width}}  {f.text}")
    if any(f.state == "missing" for f in findings):
        raise typer.Exit(1)


def examine() -> Iterator[Finding]:
    """Everything that is looked at, cheapest first."""
    yield from _versions()
    yield _device()
    yield _threads()
    yield _backbone("LPIPS", "alex", "lpips_alex stays empty", "lpips.LPIPS(net='alex')")
    yield _backbone("LPIPS-VGG, DISTS", "vgg", "lpips_vgg and dists stay empty", "lpips.LPIPS(net='vgg')")
    yield _shipped()
    yield _disk()
    yield _cluster()


def _versions() -> Iterator[Finding]:
    import platform
    from importlib.metadata import version

    import bench
    from bench.running.environment import commit

    head, dirty = commit()
    where = f"{Path(bench.__file__).parent}" + (f", commit {head[:12]}" if head else "")
    yield Finding(
        "deblur-bench", "ok", f"{version('deblur-bench')} in {where}{', with local changes' if dirty else ''}"
    )
    yield Finding("Python", "ok", f"{platform.python_version()}, {platform.platform()}")
    packages = ", ".join(f"{p} {version(p)}" for p in ("torch", "numpy", "scipy", "deepinv", "diffusers"))
    yield Finding("packages", "ok", packages)


def _device() -> Finding:
    import torch

    driver = Path("/proc/driver/nvidia/version").exists()
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return Finding("device", "ok", f"cuda: {', '.join(names)}")
    if driver:
        text = f"there is an NVIDIA driver, but torch {torch.__version__} cannot use it: run with --device cpu, or "
        return Finding("device", "missing", text + "install a build of torch for its version of CUDA")
    return Finding("device", "ok", f"cpu ({torch.backends.cpu.get_cpu_capability()})")


def _threads() -> Finding:
    from bench.running.local import usable_cores

    set_to = os.environ.get("OMP_NUM_THREADS")
    text = f"{usable_cores()} usable cores: as many workers of one thread each"
    return Finding("threads", "ok", text + (f"; OMP_NUM_THREADS={set_to}" if set_to else ""))


def _backbone(name: str, net: str, empty: str, fetch: str) -> Finding:
    from bench.scoring.backbones import BACKBONES, weights_file

    title, env, _ = BACKBONES[net]
    if (file := weights_file(net)) is not None:
        return Finding(name, "ok", str(file))
    if os.environ.get(env):
        return Finding(name, "missing", f"{env} names {os.environ[env]}, and there is no such file")
    how = f'python -c "import lpips; {fetch}" on a machine with a network'
    return Finding(name, "note", f"no weights of {title}: {empty}. {env}=FILE, or once {how}")


def _shipped() -> Finding:
    from bench.errors import DataError
    from bench.files import shipped_files
    from bench.plugins.lookup import find_plugin, load_plugin
    from bench.plugins.settings import build

    plugin = find_plugin("dataset", "photos")
    dataset = build(plugin, load_plugin(plugin), {"size": 64, "margin": 16})
    try:
        for name in dataset.ids():
            dataset.load(name)
    except DataError as error:
        return Finding("data", "missing", str(error))
    weights = shipped_files("weights", ".safetensors")
    return Finding("data", "ok", f"{len(dataset.ids())} test photographs; weights: {', '.join(weights) or 'none'}")


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    if not os.access(Path.cwd(), os.W_OK):
        return Finding("disk", "missing", f"{Path.cwd()} cannot be written: runs/ goes there; --out DIR changes it")
    little = free < LITTLE_DISK
    return Finding("disk", "note" if little else "ok", f"{free:.1f} GB free in {Path.cwd()}")


def _cluster() -> Finding:
    from importlib.util import find_spec

    if find_spec("parsl") is None:
        return Finding(
            "cluster", "note", "no Parsl: --executor parsl:SITE.py needs pip install 'deblur-bench[cluster]'"
        )
    return Finding("cluster", "ok", "Parsl is installed")
