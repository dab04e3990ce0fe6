"""What a build puts into the package's metadata."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

HOOK = Path(__file__).parents[1] / "hatch_build.py"
pytestmark = pytest.mark.skipif(not HOOK.is_file(), reason="beside an installed wheel there is nothing to build")


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The hook, with a stand-in for hatchling, which only a build's environment has."""
    for part in ("hatchling", "hatchling.metadata", "hatchling.metadata.plugin"):
        monkeypatch.setitem(sys.modules, part, ModuleType(part))
    interface: Any = SimpleNamespace(MetadataHookInterface=object)
    monkeypatch.setitem(sys.modules, "hatchling.metadata.plugin.interface", interface)
    spec = importlib.util.spec_from_file_location("hatch_build", HOOK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_release_names_the_repository_that_builds_it(hook: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://example.org")
    monkeypatch.setenv("GITHUB_REPOSITORY", "me/fork")
    metadata: dict[str, Any] = {}
    hook.Urls().update(metadata)
    assert metadata["urls"]["Repository"] == "https://example.org/me/fork"
    for url in metadata["urls"].values():
        file = url.removeprefix("https://example.org/me/fork").partition("/blob/main/")[2]
        assert (HOOK.parent / file).exists()


def test_a_build_by_hand_names_none(hook: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_SERVER_URL", raising=False)
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    metadata: dict[str, Any] = {}
    hook.Urls().update(metadata)
    assert metadata["urls"] == {}
