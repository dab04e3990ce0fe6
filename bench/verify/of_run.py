"""The certificates of the samplers in a run: made once for each code and settings, then taken from a cache."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.files import write_text
from bench.plugins.code_digest import closure, code_digest, files_of
from bench.plugins.lookup import find_plugin
from bench.seeds import canonical, digest
from bench.verify.certificate import write
from bench.verify.examine import examine

#: Settings that change nothing here: the oracle's denoiser stands in for trained weights.
APART = ("weights",)


def certify(
    solvers: Iterable[tuple[str, Mapping[str, Any]]],
    folder: Path,
    *,
    base: Path | None = None,
    cache: Path | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Write ``folder``/certificates: one for each solver that takes a prior, and each of its settings.

    Args:
        solvers: names (or paths) and full settings, as rows of results have them; repeated ones count once.
        folder: the run's.
        base: the folder that a relative path of a solver starts from.
        cache: where certificates are looked up and stored by content; ``default_cache()`` when None.
        report: gets a line for each solver and stage.
    """
    written: dict[str, Path] = {}
    for name, given in solvers:
        settings = {k: v for k, v in given.items() if k not in APART}
        key = canonical([name, settings])
        if key not in written and find_plugin("solver", name, base).flags.get("needs_prior"):
            certificate = _certificate(name, settings, base, cache or default_cache(), report)
            written[key] = write(certificate, folder)
    return list(written.values())


def _certificate(
    name: str, settings: Mapping[str, Any], base: Path | None, cache: Path, report: Callable[[str], None]
) -> dict[str, Any]:
    stored = cache / f"{content_key(name, settings, base)}.json"
    with suppress(OSError, ValueError):  # a cache: what cannot be read is made again
        known = json.loads(stored.read_text(encoding="utf-8"))
        if isinstance(known, dict):
            report(f"{name}: known from before")
            return known
    certificate = examine(name, settings, base=base, say=lambda text: report(f"{name}: {text}")).json()
    with suppress(OSError):  # a cache that cannot be written costs time and nothing else
        cache.mkdir(parents=True, exist_ok=True)
        write_text(stored, json.dumps(certificate, ensure_ascii=False))
    return certificate


def content_key(name: str, settings: Mapping[str, Any], base: Path | None = None) -> str:
    """sha256 over the solver's code, its settings, and the code that examines."""
    plugin = find_plugin("solver", name, base)
    examining = sorted(digest(f.read_text(encoding="utf-8")) for f in closure(files_of("bench.verify")))
    return digest([plugin.label, code_digest(plugin), dict(settings), examining])


def default_cache() -> Path:
    """``$XDG_CACHE_HOME/deblur-bench/certificates``, by default under ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "deblur-bench" / "certificates"
