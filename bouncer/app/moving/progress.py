"""How far a long command is: a bar for who looks on at a terminal, nothing for programs.

Owns when there is one. Must not know what is done.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

STEP = 997  # units between two looks at the bar, which costs more than a line does


@contextmanager
def progress(total: int, label: str) -> Iterator[Callable[[int], None]]:
    """Gives what is to be told how many more of ``total`` units are done."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda done: None
        return
    waiting = 0
    with click.progressbar(length=max(total, 1), label=label, file=sys.stderr, width=0, show_pos=True) as bar:

        def advance(done: int) -> None:
            nonlocal waiting
            waiting += done
            if waiting >= STEP:
                bar.update(waiting)
                waiting = 0

        yield advance
        bar.update(waiting)
