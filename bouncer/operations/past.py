"""Putting lines of the past into a network's history.

Owns the form in which a command hands them to the bouncer, a portion at a time. Must not know which files they are of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bouncer.model.errors import Refused
from bouncer.model.past import PastLine, past_line
from bouncer.operations.change import find_network
from bouncer.operations.context import Context
from bouncer.operations.row import Target

PORTION_LINES = 500  # handed over at once: the bouncer is 5 ms with them, in which it relays nothing
PORTION_BYTES = 256 << 10  # of their text, for the same reason

_FORM = "a line of the past is written as [time, raw, target, device, [also, ...], kind]"


def row_of(line: PastLine) -> list[Any]:
    """A line as it is handed over: its bytes are a text of as many characters."""
    return [line.time, line.raw.decode("latin-1"), line.target, line.device, list(line.also), line.kind.name]


async def import_lines(context: Context, user: str, network: str, rows: object) -> dict[str, int]:
    """Keep these lines; return when they are durable. How many they were, and how many lines wait to be indexed.

    Raises Refused, before anything was done, and Unavailable if they can't be stored now.
    """
    if not isinstance(rows, list) or len(rows) > PORTION_LINES:
        raise Refused(f"{_FORM}, and at most {PORTION_LINES} of them come at once")
    lines = [_line(row) for row in rows]
    owner, found = find_network(context, Target(user, network))
    account = context.house.account(owner.name)
    if context.archive.failing:
        raise Refused("history can't be stored now; import again when it can: what is there already is left out")
    if lines and account is not None:
        account.links[found.id].import_lines(lines)
    await context.records.settled()
    return {"lines": len(lines), "unindexed": context.archive.unindexed}


def _line(row: object) -> PastLine:
    match row:
        case [int(time), str(raw), str(target), str(device), list(also), str(kind)] if _are_texts(also):
            try:
                return past_line(time, raw.encode("latin-1"), target, device, tuple(also), kind)
            except UnicodeEncodeError:
                raise Refused(_FORM) from None
    raise Refused(_FORM)


def _are_texts(names: Sequence[object]) -> bool:
    return all(isinstance(name, str) for name in names)
