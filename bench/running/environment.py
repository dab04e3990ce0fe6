"""Where a number was made: versions, processor, device, memory."""

from __future__ import annotations

import platform
import resource
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path


@cache
def environment(device: str) -> dict[str, str]:
    """What numbers may depend on besides their key (imports torch)."""
    import torch

    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu(),
        "simd": torch.backends.cpu.get_cpu_capability(),
        "device": torch.cuda.get_device_name() if device.startswith("cuda") else device,
        "torch": str(torch.__version__),  # a plain str: unpickling a TorchVersion would import torch
        "numpy": version("numpy"),
        "scipy": version("scipy"),
    }


#: what numbers can depend on: a page under reports/ or notes beside the code are no local changes
SOURCES = (
    "bench", "solvers", "operators", "datasets", "priors", "grids", "weights", "sites", "pyproject.toml", "uv.lock",
)  # fmt: skip


@cache
def commit() -> tuple[str | None, bool]:
    """The harness's git commit, and whether its ``SOURCES`` differ from it; (None, False) outside a checkout."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None, False

    def git(*words: str) -> str:
        command = ["git", "-C", str(root), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)  # noqa: S603  # fixed words
        return done.stdout.strip()

    try:
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--", *SOURCES))
    except (OSError, subprocess.SubprocessError):
        return None, False


def reset_peak(device: str) -> None:
    """Start measuring peak memory anew, where the system can (Linux, CUDA)."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats()
    elif sys.platform == "linux":
        try:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        except OSError:
            return  # then the peak is that of the whole process


def peak_mb(device: str) -> float:
    """Peak memory since ``reset_peak`` in MiB: of the device if it is a GPU, else resident memory of the process."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.max_memory_allocated() / 2**20
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), platform.processor())


@dataclass(frozen=True)
class Shared:
    """What every worker gets once.

    Attributes:
        device: a torch device.
        threads: of torch within a worker.
        memory: limit on a worker's data in bytes, or None.
        pictures: folder for the estimates to store, or None.
        loading: seconds of the processor that importing and building a plug-in may take; by the clock twice that.
    """

    device: str = "cpu"
    threads: int = 1
    memory: int | None = None
    pictures: str | None = None
    loading: float = 60.0
