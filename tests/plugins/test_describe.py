"""The rules that come from reading plug-ins without importing them: obeyed, or refused with a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import PluginError
from bench.plugins.lookup import find_plugin

HEAD = "from dataclasses import dataclass, field\nfrom bench import Solver\nHALF = 0.5\n\n"
SOLVE = "    def solve(self, problem):\n        return problem.y\n"


def described(tmp_path: Path, body: str) -> object:
    (tmp_path / "mine.py").write_text(HEAD + body + SOLVE)
    return find_plugin("solver", str(tmp_path / "mine.py"))


GOOD = "@dataclass(frozen=True)\nclass Mine(Solver):\n    lam: float = 0.5  #: weight\n"


def test_name_type_default_and_comment_of_a_field_are_read(tmp_path: Path) -> None:
    plugin = find_plugin("solver", str(described(tmp_path, GOOD) and tmp_path / "mine.py"))
    (parameter,) = plugin.parameters.values()
    assert (parameter.name, parameter.annotation, parameter.default, parameter.doc) == ("lam", "float", 0.5, "weight")


BASE = "@dataclass(frozen=True)\nclass _Base{}:\n    lam: float = 0.5\n\n"
CHILD = "@dataclass(frozen=True)\nclass Mine({}):\n    steps: int = 3\n"


@pytest.mark.parametrize(
    ("body", "line", "words"),
    [
        (GOOD.replace("0.5", "HALF"), 7, "'HALF' must be a literal"),
        (GOOD.replace("0.5", "field(default_factory=float)"), 7, "must be a literal"),
        (GOOD.replace("0.5", "0.25 * 2"), 7, "must be a literal"),
        (
            GOOD.replace("@dataclass(frozen=True)\n", ""),
            5,
            r"@dataclass\(frozen=True\), and is with nothing",
        ),
        (GOOD.replace("(frozen=True)", ""), 6, "and is with @dataclass"),
        (BASE.format("") + CHILD.format("_Base, Solver"), 10, "inherits the parameters lam from _Base"),
        (BASE.format("(Solver)") + CHILD.format("_Base"), 10, "Mine inherits from _Base.*subclasses Solver itself"),
    ],
    ids=["name", "factory", "expression", "no dataclass", "not frozen", "inherited field", "grandchild"],
)
def test_a_broken_rule_is_an_error_that_names_line_and_rule(tmp_path: Path, body: str, line: int, words: str) -> None:
    with pytest.raises(PluginError, match=words) as caught:
        described(tmp_path, body)
    assert f"mine.py:{line}: " in str(caught.value)


def test_a_parent_without_parameters_is_fine(tmp_path: Path) -> None:
    assert described(tmp_path, "class _Tools:\n    pass\n\n" + CHILD.format("_Tools, Solver"))
