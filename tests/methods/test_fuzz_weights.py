"""Weights files whose bytes are not what their suffix promises: weights, or an error that names the file."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path

import pytest
import torch
from hypothesis import strategies as st

from bench.errors import WeightsError
from bench.methods.networks import weights
from tests.fuzz import damaged, fuzzed


@cache
def whole() -> bytes:
    card = {"kind": "restorer", "network": {"width": 8}}
    return weights.encode({"a.weight": torch.ones(3, 4), "b": torch.arange(5.0)}, card)


@fuzzed(150, seed=st.integers(0, 2**64))
def test_damaged_weights_are_weights_or_an_error_that_names_the_file(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "w.safetensors")
        path.write_bytes(damaged(whole(), seed))
        try:
            tensors, card = weights.read(path)
        except WeightsError as error:
            message = str(error)
        else:
            message = str(path)
            assert isinstance(card, dict)
            assert all(isinstance(t, torch.Tensor) for t in tensors.values())
        assert str(path) in message


@fuzzed(100, seed=st.integers(0, 2**64))
def test_weights_with_a_card_beside_them_are_those_that_it_describes_or_refused(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "w.safetensors")
        path.write_bytes(whole())
        weights.write_card(path)
        path.write_bytes(data := damaged(whole(), seed))
        if data == whole():
            assert set(weights.read_sealed(path, "restorer")[0]) == {"a.weight", "b"}
        else:
            with pytest.raises(WeightsError):
                weights.read_sealed(path, "restorer")


@pytest.mark.parametrize("card", ["", "[]", "{", "\udcff", "[" * 5000, json.dumps({"sha256": 3})])
def test_a_card_that_is_none_is_refused(card: str, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(whole())
    path.with_suffix(".json").write_bytes(card.encode(errors="surrogateescape"))
    with pytest.raises(WeightsError):
        weights.read_sealed(path, "restorer")
