"""The certificates of the samplers in a run: made once for each code and settings, then taken from a cache."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.files import cache_folder, write_text
from bench.plugins.code_digest import closure, code_digest, files_of
from bench.plugins.lookup import find_plugin
from bench.seeds import canonical, digest

#: Settings that change nothing here: the oracle's denoiser stands in for trained weights.
APART = ("weights",)
#: what an examination takes, roughly: seconds, and seconds for each evaluation of one solve
SECONDS, PER_EVALUATION = 10.0, 1 / 3


@dataclass(frozen=True)
class Candidate:
    """A sampler of a run with the settings that it ran with.

    Attributes:
        name: a built-in name or a path.
        settings: all of them, ``APART`` apart.
        evaluations: of the network, forward and backward, in one solve.
        stored: its file in the cache.
    """

    name: str
    settings: Mapping[str, Any]
    evaluations: float
    stored: Path

    def known(self) -> dict[str, Any] | None:
        """The certificate in the cache; None where there is none that can be read."""
        with suppress(OSError, ValueError):
            content = json.loads(self.stored.read_text(encoding="utf-8"))
            return content if isinstance(content, dict) else None
        return None

    def made(self, base: Path | None, say: Callable[[str], None]) -> dict[str, Any]:
        """Examine it, and store the certificate in the cache."""
        from bench.verify.examine import examine  # imports torch

        content = examine(self.name, self.settings, base=base, say=say).json()
        with suppress(OSError):  # a cache that cannot be written costs time and nothing else
            self.stored.parent.mkdir(parents=True, exist_ok=True)
            write_text(self.stored, json.dumps(content, ensure_ascii=False))
        return content


def candidates(
    solvers: Iterable[tuple[str, Mapping[str, Any], float]], *, base: Path | None = None, cache: Path | None = None
) -> list[Candidate]:
    """The solvers that take a prior, one for each of their settings.

    Args:
        solvers: names (or paths), full settings and evaluations, as rows of results have them.
        base: the folder that a relative path of a solver starts from.
        cache: where certificates are stored by content; ``default_cache()`` when None.
    """
    out: dict[str, Candidate] = {}
    for name, given, evaluations in solvers:
        settings = {k: v for k, v in given.items() if k not in APART}
        key = canonical([name, settings])
        if key not in out and find_plugin("solver", name, base).flags.get("needs_prior"):
            stored = (cache or default_cache()) / f"{content_key(name, settings, base)}.json"
            out[key] = Candidate(name, settings, evaluations, stored)
    return list(out.values())


def seconds(some: Iterable[Candidate]) -> float:
    """What it takes to examine them, roughly."""
    return sum(SECONDS + PER_EVALUATION * c.evaluations for c in some)


def certify(
    some: Sequence[Candidate],
    folder: Path,
    *,
    make: bool = True,
    base: Path | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Write ``folder``/certificates, one for each candidate.

    Args:
        folder: the run's.
        make: also those that the cache does not hold, which takes ``seconds``.
        base: the folder that a relative path of a solver starts from.
        report: gets a line for each stage of an examination.
    """
    written = []
    for c in some:
        content = c.known()
        if content is None and make:
            content = c.made(base, lambda text, name=c.name: report(f"{name}: {text}"))
        if content is not None:
            from bench.verify.certificate import write  # imports torch

            written.append(write(content, folder))
    return written


def content_key(name: str, settings: Mapping[str, Any], base: Path | None = None) -> str:
    """sha256 over the solver's code, its settings, and the code that examines."""
    plugin = find_plugin("solver", name, base)
    examining = sorted(digest(f.read_text(encoding="utf-8")) for f in closure(files_of("bench.verify")))
    return digest([plugin.label, code_digest(plugin), dict(settings), examining])


def default_cache() -> Path:
    """``$XDG_CACHE_HOME/deblur-bench/certificates``, by default under ``~/.cache``."""
    return cache_folder("certificates")
