"""The table of operations, and the one way to run a row of it.

Owns the list. Each row is in the module of what it is about; must not know the skins.
"""

from __future__ import annotations

from collections.abc import Sequence

from bouncer.operations import (
    broadcast,
    certs,
    channels,
    devices,
    erase,
    lists,
    logins,
    networks,
    overview,
    recover,
    search,
    show,
    tokens,
    traffic,
    undo,
    users,
    whole,
)
from bouncer.operations.context import Context
from bouncer.operations.row import Operation, Result
from bouncer.operations.words import call_of, find

OPERATIONS: tuple[Operation, ...] = (
    *overview.OPERATIONS,
    *users.OPERATIONS,
    *recover.OPERATIONS,
    *undo.USER_OPERATIONS,
    *networks.OPERATIONS,
    *traffic.OPERATIONS,
    *undo.NETWORK_OPERATIONS,
    *channels.OPERATIONS,
    *lists.OPERATIONS,
    *devices.OPERATIONS,
    *tokens.OPERATIONS,
    *logins.OPERATIONS,
    *certs.OPERATIONS,
    *search.OPERATIONS,
    *show.OPERATIONS,
    *erase.OPERATIONS,
    *broadcast.OPERATIONS,
    *whole.OPERATIONS,
)


async def perform(context: Context, words: Sequence[str], table: Sequence[Operation] = OPERATIONS) -> Result:
    """Do what the words say. Raises Refused with one sentence, and Unavailable if it would work at another time."""
    row, rest = find(table, words)
    return await row.run(context, call_of(context, row, rest))
