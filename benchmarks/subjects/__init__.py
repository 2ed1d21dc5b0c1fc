"""The bouncers that are measured. A further one is a module with a :class:`~benchmarks.subjects.port.Subject`, and a
row in :func:`subjects`."""

from __future__ import annotations

from benchmarks.subjects.bouncer import Bouncer
from benchmarks.subjects.port import Subject
from benchmarks.subjects.soju import Soju
from benchmarks.subjects.znc import Znc

__all__ = ["Subject", "subjects"]


def subjects(bouncer: str = "", soju: str = "") -> list[Subject]:
    """All, ours first. ``bouncer``: the installed program, if it is not to be the tree's. ``soju``: the path of its
    program where that is not on PATH."""
    return [Bouncer(bouncer), Znc(log=False), Znc(log=True), Soju(soju)]
