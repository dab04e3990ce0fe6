"""Numbers as text, the same on the page and in the terminal."""

from __future__ import annotations

import math
from collections.abc import Callable

MISSING = "–"


def number(value: float | None, digits: int) -> str:
    """Fixed decimals with a real minus sign; ∞ and – where there is no finite number."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.{digits}f}"
    zero = float(text) == 0
    return text.lstrip("-") if zero else text.replace("-", "−")


def signed(value: float | None, digits: int) -> str:
    """Like ``number``, with a plus sign for what is positive after rounding."""
    text = number(value, digits)
    return f"+{text}" if text[0].isdigit() and float(text) > 0 else text


def interval(
    low: float, high: float, digits: int, before: str = "", form: Callable[[float, int], str] = signed
) -> str:
    """``before`` and ``(low to high)`` in a form, by default with signs; "" where there is no interval."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"{before}({form(low, digits)} to {form(high, digits)})"


def seconds(value: float | None) -> str:
    """A duration at the precision that one reads."""
    if value is None or math.isnan(value):
        return MISSING
    if value < 1e-4:
        return f"{1e6 * value:.0f} µs"
    if value < 1:
        return f"{1000 * value:.{0 if value >= 0.01 else 1}f} ms"
    if value < 120:
        return f"{value:.{1 if value < 10 else 0}f} s"
    minutes = round(value / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d}"


def count(value: float | None) -> str:
    """A number of calls: digits in groups of three."""
    if value is None or math.isnan(value):
        return MISSING
    return f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
