"""Questions that a session asks of the world outside, and whose answers it renders when they come.

Owns the shapes. Who answers is decided in `app`; a session never waits, it is called again.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """A line said to ``*bouncer``; the answer is a list of lines of text."""

    text: str
