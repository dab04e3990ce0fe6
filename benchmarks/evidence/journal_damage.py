"""Ways to damage a journal, of ``fault_campaign.py``: lines in, the bytes of a damaged file out."""

from __future__ import annotations

import random


def cut(lines: list[bytes], rng: random.Random) -> bytes:
    """The beginning."""
    data = b"".join(lines)
    return data[: rng.randrange(len(data))]


def flip(lines: list[bytes], rng: random.Random) -> bytes:
    """Bytes overwritten."""
    garbled = bytearray(b"".join(lines))
    for _ in range(rng.randint(1, 50)):
        garbled[rng.randrange(len(garbled))] = rng.randrange(256)
    return bytes(garbled)


def double(lines: list[bytes], rng: random.Random) -> bytes:
    """Some lines twice, all in another order."""
    more = lines + rng.choices(lines, k=len(lines) // 2)
    rng.shuffle(more)
    return b"".join(more)


def glue(lines: list[bytes], rng: random.Random) -> bytes:
    """Line ends missing."""
    return b"".join(x.rstrip(b"\n") if rng.random() < 0.2 else x for x in lines)


def splice(lines: list[bytes], rng: random.Random) -> bytes:
    """Foreign and reversed lines in between."""
    foreign = [b'["00000000",{"cell_key":"x"}]\n', b"{}\n", b"\x00" * 512, b"null\n", b"[1,[2]]\n", b"\xff\xfe\n"]
    parts = [[line] if rng.random() < 0.7 else [rng.choice(foreign), line[::-1]] for line in lines]
    return b"".join(x for part in parts for x in part)


DAMAGES = (cut, flip, double, glue, splice)
