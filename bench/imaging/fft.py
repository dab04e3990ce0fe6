"""Sizes whose FFTs are fast."""

from __future__ import annotations


def fast_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """The smallest (H, W) not below ``shape`` with factors 2, 3 and 5 alone.

    A PSF of 31 x 31 on 128 pixels would need 158 = 2 * 79 otherwise. ``scipy.fft.next_fast_len`` knows as much;
    importing it costs each run 0.3 s.
    """
    H, W = (_fast(n) for n in shape)
    return H, W


def _fast(n: int) -> int:
    while not _smooth(n):
        n += 1
    return n


def _smooth(n: int) -> bool:
    for p in (2, 3, 5):
        while n % p == 0 and n > 1:
            n //= p
    return n == 1
