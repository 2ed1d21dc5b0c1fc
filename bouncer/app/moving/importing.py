"""`bouncer history import`: lines out of a file into a network's history, those that are not there yet.

Owns how lines go from a file to the bouncer, or into the database where none runs: in portions, each durable before
the next is begun. Must not know the forms of files.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

from bouncer.app import admin
from bouncer.app.home import Home, InUse
from bouncer.app.moving.comparing import Comparison, Identity
from bouncer.model.errors import Refused
from bouncer.model.past import PastLine
from bouncer.operations.past import PORTION_BYTES, PORTION_LINES, import_lines, row_of
from bouncer.store.reading import Named, Reader

COMPARED_LINES = 4000  # looked at together at most, where more lines than a portion has are of the same time
TOLD_PROBLEMS = 5  # of refused lines; who has more of them has the wrong file
PATIENCE = 5.0  # seconds for a bouncer that is just starting, or for another command, to be done with the home
TRY_AGAIN = 0.05  # seconds between two looks at it
UNINDEXED = 3000  # lines that may wait to be indexed; more make finding slow for those who use the bouncer meanwhile
SHARE = 1.0  # seconds of rest for each second of the bouncer's work: what is live comes first
LONGEST_REST = 0.5

Put = Callable[[list[PastLine]], Awaitable[int]]  # have these stored; gives how many lines wait to be indexed


@dataclass(slots=True)
class Imported:
    """What became of the lines of a file."""

    read: int = 0
    added: int = 0
    there: int = 0
    refused: int = 0
    problems: list[str] = field(default_factory=list)
    stored: int = 0  # imported lines that the store has more of now, as it says itself

    def complain(self, where: str, reason: str) -> None:
        self.read += 1
        self.refused += 1
        if len(self.problems) < TOLD_PROBLEMS:
            self.problems.append(f"{where}: {reason}")


@asynccontextmanager
async def intake(home: Home, named: Named) -> AsyncIterator[Put]:
    """The way into a network's history: through the bouncer that runs on that home, else into the database.

    Raises Refused, as the function that it gives does.
    """
    async with AsyncExitStack() as ending:
        yield await _way_in(home, named, ending)


async def _way_in(home: Home, named: Named, ending: AsyncExitStack) -> Put:
    deadline = time.monotonic() + PATIENCE
    while True:
        with suppress(admin.NotRunning):
            await admin.request(home.admin_socket, {"import": [named.user, named.network], "past": []})
            return _to_bouncer(home, named)
        try:
            return await ending.enter_async_context(_to_database(home, named))
        except InUse:
            if time.monotonic() >= deadline:
                raise
            await asyncio.sleep(TRY_AGAIN)


def _to_bouncer(home: Home, named: Named) -> Put:
    async def put(lines: list[PastLine]) -> int:
        asked = {"import": [named.user, named.network], "past": [row_of(line) for line in lines]}
        try:
            begun = time.monotonic()
            done = await admin.request(home.admin_socket, asked)
        except admin.NotRunning:
            raise Refused("the bouncer ended meanwhile; import again: what is there already is left out") from None
        await asyncio.sleep(min(LONGEST_REST, (time.monotonic() - begun) * SHARE))
        return int(done.data["unindexed"])

    return put


@asynccontextmanager
async def _to_database(home: Home, named: Named) -> AsyncIterator[Put]:
    from bouncer.app.wire import offline_context  # the whole bouncer: an import into a running one does without it

    async with offline_context(home) as context:

        async def put(lines: list[PastLine]) -> int:
            done = await import_lines(context, named.user, named.network, [row_of(line) for line in lines])
            return done["unindexed"]

        yield put


async def import_network(
    home: Home, reader: Reader, named: Named, lines: Iterable[PastLine], identity: Identity, unit: int, done: Imported
) -> None:
    """Bring a file's lines into a network. ``done`` is told as it goes on, so that it holds also after a failure.

    Raises Refused and Unavailable; what was stored before stays, and an import of the same file goes on there.
    """
    comparison = Comparison(reader, named.id, identity, unit)
    before = reader.count(named.id, imported=True)
    async with intake(home, named) as put:
        for together in portions(lines, unit):
            missing = comparison.missing(together)
            for portion in portions(missing):
                unindexed = await put(portion)
                done.added += len(portion)
                while unindexed > UNINDEXED:
                    await asyncio.sleep(TRY_AGAIN)
                    unindexed = await put([])
            done.read += len(together)
            done.there += len(together) - len(missing)
    done.stored += reader.count(named.id, imported=True) - before


def portions(lines: Iterable[PastLine], unit: int = 0) -> Iterator[list[PastLine]]:
    """The lines in runs that are handed over at once. With ``unit`` cut where the time changes, in these units: lines
    of one time are held against the store together."""
    portion: list[PastLine] = []
    size = 0
    for line in lines:
        weight = len(line.raw) + sum(map(len, line.also))
        full = len(portion) >= PORTION_LINES or (portion and size + weight > PORTION_BYTES)
        if full and (not unit or line.time // unit != portion[-1].time // unit or len(portion) >= COMPARED_LINES):
            yield portion
            portion, size = [], 0
        portion.append(line)
        size += weight
    if portion:
        yield portion
