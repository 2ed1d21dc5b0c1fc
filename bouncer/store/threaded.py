"""The store over a database in threads: one that writes, two that read.

Owns how the parts work together, and what must be committed before a question is asked. Must not know what the lines
mean, nor which database it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from typing import Protocol, TypeVar

from bouncer.model.entry import Entry
from bouncer.model.errors import Unavailable
from bouncer.model.history import Expiry, Mark, Range, Search, Trace, Weight
from bouncer.model.ports import Found, Kept, Page, Removed, Run, Seen, Snapshot, Talk
from bouncer.model.records import User
from bouncer.store.writer import CLOSED, Behind, Failing, Writer

READERS = 2  # a second one, so that one long page does not hold up everybody else's

T = TypeVar("T")


class Reader(Protocol):
    """Answers the questions of History and Records, each in one picture of the database. Used by one thread at
    a time. Each raises Unavailable if there can be no answer."""

    def removed(self) -> Removed: ...

    def page(self, question: Page) -> Run: ...

    def first_helping(self, network: int, lines: int, since: int) -> int: ...

    def devices(self, network: int) -> Mapping[str, Seen]: ...

    def lines(self, question: Range) -> list[Kept]: ...

    def find(self, network: int, msgid: str) -> Mark | None: ...

    def known(self, network: int, traces: Sequence[Trace]) -> frozenset[int]: ...

    def targets(self, network: int, after: int, before: int, limit: int) -> list[Talk]: ...

    def markers(self, network: int) -> Mapping[str, int]: ...

    def weigh(self, network: int, target: str, before: Mark, lines: int) -> Weight: ...

    def search(self, question: Search) -> list[Found]: ...

    def close(self) -> None: ...


class ThreadedStore:
    """Records, Archive and History in one database. Used from one thread, which runs the event loop.

    Open, load, attach to the loop, use, close.
    """

    def __init__(self, load: Callable[[], Snapshot], writer: Writer, readers: Sequence[Reader]) -> None:
        """``load`` reads what is needed at start from the database that ``writer`` writes to."""
        self._load = load
        self._writer = writer
        self._pool = ThreadPoolExecutor(len(readers), thread_name_prefix="store-reader")
        self._readers: SimpleQueue[Reader] = SimpleQueue()
        for reader in readers:
            self._readers.put(reader)
        self._closed = False

    def load(self) -> Snapshot:
        """Read what is needed at start, count the start, and begin to write. Blocks. Raises Refused."""
        snapshot = self._load()
        self._writer.start()
        return snapshot

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Call the listeners on ``loop`` from now on."""
        self._writer.attach(loop)

    def close(self) -> None:
        """Write what waits, and close the database. Blocks; may be called again."""
        if self._closed:
            return
        self._closed = True
        self._pool.shutdown()
        while not self._readers.empty():
            self._readers.get().close()
        self._writer.close()

    # -- Records -------------------------------------------------------------------------------------------------

    def put_users(self, saved: Sequence[User], removed: Sequence[int] = ()) -> None:
        """As the port says."""
        self._writer.put_users(saved, removed)

    async def removed(self) -> Removed:
        """As the port says; what waits is committed first."""
        await self._writer.settled()
        return await self._read(lambda reader: reader.removed())

    async def settled(self) -> None:
        """Return when all that was put before, lines and positions too, is durable. Raises Unavailable while the
        store fails."""
        await self._writer.settled()

    # -- Archive -------------------------------------------------------------------------------------------------

    def append(self, network: int, entries: Sequence[Entry]) -> None:
        """As the port says."""
        self._writer.append(network, entries)

    def redact(self, network: int, target: str, msgid: str) -> None:
        """As the port says."""
        self._writer.redact(network, target, msgid)

    def put_position(self, network: int, device: str, seq: int) -> None:
        """As the port says."""
        self._writer.put_position(network, device, seq)

    def drop_position(self, network: int, device: str) -> None:
        """As the port says."""
        self._writer.put_position(network, device, None)

    def put_marker(self, network: int, target: str, time: int) -> None:
        """As the port says."""
        self._writer.put_marker(network, target, time)

    def expire(self, expiry: Expiry) -> None:
        """As the port says."""
        self._writer.expire(expiry)

    async def expired(self) -> None:
        """As the port says; what is due of removed networks is deleted too."""
        await self._writer.expired()

    def listen(self, durable: Callable[[Mapping[int, int]], None]) -> None:
        """As the port says; there is one listener, and it is called on the loop given to :meth:`attach`."""
        self._writer.listen(durable)

    def watch(self, failing: Failing) -> None:
        """Have ``failing`` called on the loop: with a sentence when something could not be stored for five seconds, and
        when that has become worse; with None when it works again."""
        self._writer.watch(failing)

    @property
    def undurable(self) -> int:
        """How many lines wait to be committed."""
        return self._writer.undurable

    @property
    def unindexed(self) -> int:
        """As the port says: two seconds' worth, and more after a start or a burst."""
        return self._writer.unindexed

    @property
    def failing(self) -> bool:
        """As the port says: for five seconds or more, or because a part of what is stored is damaged."""
        return self._writer.failing

    @property
    def problem(self) -> str:
        """Why not all can be stored, in a sentence; "" if it can."""
        return self._writer.problem

    @property
    def dropped(self) -> int:
        """How many lines were given up since the start because the store failed for too long."""
        return self._writer.dropped

    # -- History -------------------------------------------------------------------------------------------------

    async def page(self, question: Page) -> Run:
        """As the port says; lines that wait are committed first if they are asked for."""
        if question.upto > self._writer.kept(question.network):
            await self._catch_up(question.network)
        return await self._read(lambda reader: reader.page(question))

    async def first_helping(self, network: int, lines: int, since: int) -> int:
        """As the port says. Of the last ``lines`` text lines, those older than ``since`` are left out."""
        with suppress(Behind):  # of what is stored, then; the newest lines are given from memory
            await self._catch_up(network)
        return await self._read(lambda reader: reader.first_helping(network, lines, since))

    async def devices(self, network: int) -> Mapping[str, Seen]:
        """As the port says; what waits is committed first."""
        await self._writer.settled()
        return await self._read(lambda reader: reader.devices(network))

    async def lines(self, question: Range) -> list[Kept]:
        """As the port says; lines that wait are committed first if they are asked for."""
        if question.upto > self._writer.kept(question.network):
            await self._catch_up_to(question.network, question.before.time if question.before else None)
        return await self._read(lambda reader: reader.lines(question))

    async def find(self, network: int, msgid: str) -> Mark | None:
        """As the port says; lines that wait are committed first."""
        behind: Behind | None = None
        try:
            await self._catch_up(network)
        except Behind as error:
            behind = error
        found = await self._read(lambda reader: reader.find(network, msgid))
        if found is None and behind is not None:
            raise behind
        return found

    async def known(self, network: int, traces: Sequence[Trace]) -> frozenset[int]:
        """As the port says; lines that wait are committed first."""
        await self._catch_up(network)
        return await self._read(lambda reader: reader.known(network, traces))

    async def targets(self, network: int, after: int, before: int, limit: int) -> list[Talk]:
        """As the port says; lines that wait are committed first."""
        await self._catch_up_to(network, before)
        return await self._read(lambda reader: reader.targets(network, after, before, limit))

    async def markers(self, network: int) -> Mapping[str, int]:
        """As the port says; what waits is committed first."""
        await self._writer.settled()
        return await self._read(lambda reader: reader.markers(network))

    async def weigh(self, network: int, target: str, before: Mark, lines: int) -> Weight:
        """As the port says; lines that wait are committed first."""
        await self._catch_up(network)
        return await self._read(lambda reader: reader.weigh(network, target, before, lines))

    async def search(self, question: Search) -> list[Found]:
        """As the port says; lines that wait are committed first. While that can't be, what is stored is searched:
        people have been told that the newest lines are not."""
        if any(self._writer.behind(network) for network in question.networks):
            with suppress(Behind):
                await self._writer.settled()
        return await self._read(lambda reader: reader.search(question))

    async def _catch_up(self, network: int) -> None:
        if self._writer.behind(network):
            await self._writer.settled(network)

    async def _catch_up_to(self, network: int, before: int | None) -> None:
        """Have all lines of before that time (milliseconds; None: all) committed."""
        try:
            await self._catch_up(network)
        except Behind as behind:
            since = behind.since.get(network)
            if since is not None and (before is None or before >= since):
                raise

    async def _read(self, ask: Callable[[Reader], T]) -> T:
        if self._closed:
            raise Unavailable(CLOSED)
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._with_reader, ask)

    def _with_reader(self, ask: Callable[[Reader], T]) -> T:
        reader = self._readers.get()
        try:
            return ask(reader)
        finally:
            self._readers.put(reader)
