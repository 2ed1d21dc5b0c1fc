"""Tells people when lines can't be stored, when some are given up for that, and when they can again.

Owns the words. Must not know why it is so, nor what is kept meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from bouncer.core.house import House

logger = logging.getLogger(__name__)


class StoreNews:
    """Called with a sentence when something can't be stored or that has become worse, with None when all can be."""

    def __init__(self, house: House, lost: Callable[[], int]) -> None:
        """``lost`` gives how many lines were given up since the start."""
        self._house = house
        self._lost = lost
        self._known = 0  # lost before this trouble

    def __call__(self, problem: str | None) -> None:
        if problem is not None:
            logger.error("history can't be stored: %s", problem)
            self._house.announce(f"History can't be stored: {problem}. Text goes on.", lasting=True)
            return
        lost, self._known = self._lost() - self._known, self._lost()
        rest = f", but {lost} lines that came meanwhile are not kept" if lost else ""
        logger.info("history is stored again%s", rest)
        self._house.announce(f"History is stored again{rest}.")
