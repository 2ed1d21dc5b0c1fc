"""Equal values as one object: what many users' networks say alike is in memory once.

Owns which values are remembered for that. Must not know what they are.
"""

from __future__ import annotations

from functools import lru_cache

TEXTS_LIMIT = 4096  # of each of two generations: at most 8192 texts live longer than who uses them, some 2 MB


NAMES_LIMIT = 64  # sets and mappings that are remembered; networks differ, users of one have the same
NAMES_SIZE = 256  # names in one of them; larger ones are not shared


@lru_cache(NAMES_LIMIT)
def _same_names(names: frozenset[str]) -> frozenset[str]:
    return names


def shared_names(names: frozenset[str]) -> frozenset[str]:
    """``names``, or an equal set that was given before."""
    return _same_names(names) if len(names) <= NAMES_SIZE else names


@lru_cache(NAMES_LIMIT)
def _same_lines(lines: tuple[str, ...]) -> tuple[str, ...]:
    return lines


def shared_lines(lines: tuple[str, ...]) -> tuple[str, ...]:
    """``lines``, or equal ones in the same order that were given before."""
    return _same_lines(lines) if len(lines) <= NAMES_SIZE else lines


@lru_cache(NAMES_LIMIT)
def _same_values(items: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return dict(items)


def shared_values(values: dict[str, str]) -> dict[str, str]:
    """``values``, or an equal dict in the same order that was given before. Not to be changed any more."""
    return _same_values(tuple(values.items())) if len(values) <= NAMES_SIZE else values


class Shared:
    """``shared(text)`` is ``text`` or an equal one that was given before and not long ago.

    Two generations: what is asked for again moves to the younger one, and the older one is forgotten when that is full.
    """

    __slots__ = ("_limit", "_old", "_young")

    def __init__(self, limit: int = TEXTS_LIMIT) -> None:
        self._limit = limit
        self._young: dict[str, str] = {}
        self._old: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        found = self._young.get(text)
        if found is None:
            found = self._old.get(text, text)
            if len(self._young) >= self._limit:
                self._old, self._young = self._young, {}
            self._young[found] = found
        return found

    def __len__(self) -> int:
        return len(self._young) + len(self._old)


shared = Shared()
