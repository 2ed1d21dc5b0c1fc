"""Lengths of time as text: in words, and in the short form that settings are written in.

Owns the units. Must not know what takes so long.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

WEEK, DAY, HOUR, MINUTE = 604_800, 86_400, 3600, 60  # seconds

_WORDS = (("d", DAY), ("h", HOUR), ("min", MINUTE), ("s", 1))
# as settings have them, the longest first
UNITS: Mapping[str, int] = MappingProxyType({"w": WEEK, "d": DAY, "h": HOUR, "m": MINUTE, "s": 1})


def span(seconds: float) -> str:
    """In words, by the two largest units: "1 d 6 h", "90 s" is "1 min 30 s"."""
    left = max(0, round(seconds))
    words = []
    for unit, size in _WORDS:
        amount, left = divmod(left, size)
        if amount:
            words.append(f"{amount} {unit}")
    return " ".join(words[:2]) or "0 s"


def short(seconds: float) -> str:
    """Whole seconds exactly, in the largest unit that divides them: "30h", "90s"."""
    unit = next(unit for unit, size in UNITS.items() if seconds % size == 0 or unit == "s")
    return f"{seconds / UNITS[unit]:.0f}{unit}"
