"""Damaged, unfinished and foreign results folders: one message, whatever command meets them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench import cli
from bench.check import baseline as baselines
from bench.errors import ResultError
from tests import fake_run

Damage = Callable[[Path], object]


def without(name: str) -> Damage:
    return lambda run: (run / name).unlink()


def holding(name: str, data: bytes) -> Damage:
    return lambda run: (run / name).write_bytes(data)


def lacking_a_fact(run: Path) -> None:
    facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
    del facts["protocol"]
    (run / "run.json").write_text(json.dumps(facts), encoding="utf-8")


def of_another_schema(run: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table({"solver": ["tv"], "m_psnr": [30.0]}), run / "results.parquet")


DAMAGES: dict[str, tuple[Damage, str]] = {
    "no folder": (shutil.rmtree, "is not a finished run: it has no run.json"),
    "no run.json": (without("run.json"), "is not a finished run: it has no run.json"),
    "no results.parquet": (without("results.parquet"), "is not a finished run: it has no results.parquet"),
    "run.json cut": (holding("run.json", b'{"name": "de'), "run.json cannot be read: "),
    "run.json of bytes": (holding("run.json", b"\xff\xfe\x00"), "run.json cannot be read: "),
    "run.json a list": (holding("run.json", b"[1]"), "run.json cannot be read: it is no JSON object"),
    "run.json nested": (holding("run.json", b"[" * 100_000), "run.json cannot be read: "),
    "a fact gone": (lacking_a_fact, "run.json cannot be read: protocol missing or of another type"),
    "results cut": (holding("results.parquet", b"PAR1"), "results.parquet cannot be read as results"),
    "results of another": (of_another_schema, "results.parquet has schema version ?"),
}

COMMANDS: dict[str, list[str]] = {
    "report": ["report", "RUN", "--out", "OUT"],
    "check": ["check", "RUN", "--baseline", "BASELINE"],
    "check of the old code": ["check", "GOOD", "--baseline", "BASELINE", "--html", "OUT/p.html", "--old", "RUN"],
    "merge": ["merge", "RUN", "GOOD", "--out", "OUT"],
    "show": ["show", "ab", "--runs", "RUN"],
    "baseline": ["baseline", "update", "RUN", "--baseline", "OUT/new.parquet", "--all", "--reason", "why"],
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "good"
    solvers = {n: fake_run.SOLVERS[n] for n in ("blurred", "richardson_lucy")}
    fake_run.write(folder, size=24, images=2, fail=False, solvers=solvers)
    baselines.write(folder.parent / "ci.parquet", baselines.of_run(folder))
    return folder


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_command_says_the_same_of_a_damaged_folder(good: Path, tmp_path: Path, damage: str) -> None:
    run = tmp_path / "run"
    shutil.copytree(good, run)
    harm, expected = DAMAGES[damage]
    harm(run)
    names = {"RUN": run, "GOOD": good, "BASELINE": good.parent / "ci.parquet", "OUT": tmp_path / "out"}
    messages = set()
    for command in COMMANDS.values():
        words = [str(names[w]) if w in names else w.replace("OUT", str(tmp_path / "out")) for w in command]
        done = CliRunner().invoke(cli.app, words)
        assert isinstance(done.exception, ResultError), (command, done.output)
        messages.add(str(done.exception))
    assert len(messages) == 1, messages
    assert expected in messages.pop()


INDEXES = [b"[{", b"[3]", b'[{"file": "0000.npz"}]', b'[{"dataset": []}]', b"[" * 9999]


@pytest.mark.parametrize("index", INDEXES, ids=lambda data: data[:16].decode())
def test_every_command_that_shows_pictures_says_the_same_of_a_damaged_index(
    good: Path, tmp_path: Path, index: bytes
) -> None:
    run, out, baseline = tmp_path / "run", tmp_path / "out", good.parent / "ci.parquet"
    shutil.copytree(good, run)
    (run / "images" / "index.json").write_bytes(index)
    messages = set()
    for words in (
        ["report", run, "--out", out],
        ["merge", run, good, "--out", tmp_path / "joined"],
        ["check", run, "--baseline", baseline, "--html", out / "p.html"],
    ):
        done = CliRunner().invoke(cli.app, list(map(str, words)))
        assert isinstance(done.exception, ResultError), (words, done.output)
        messages.add(str(done.exception))
    assert len(messages) == 1, messages
    assert "index.json cannot be read" in messages.pop()
