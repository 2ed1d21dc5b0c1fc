"""A store that forgets at the end of the process: the fake of every store port, for tests and for trying things out.

Owns nothing that lasts. Behaves as the SQLite one does (one contract suite runs over both), so that what is not
committed is lost at the next :meth:`MemoryStore.load`, as in a process that was killed.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence

from bouncer.irc.casemap import DEFAULT_FOLD
from bouncer.model.entry import TEXT_KINDS, Entry
from bouncer.model.errors import Unavailable
from bouncer.model.ports import BEHIND_LIMIT, Head, Kept, Page, Seen, Snapshot
from bouncer.model.records import User
from bouncer.store.lines import SEQ_GAP
from bouncer.store.writer import CLOSED


class MemoryStore:
    """Records, Archive and History in memory.

    What is put waits for :meth:`commit`, which an attached loop calls at its next turn; without a loop it is up to
    the owner, who can so test what is seen before and after.
    """

    def __init__(self) -> None:
        self._users: dict[int, User] = {}
        self._networks: set[int] = set()  # every one there ever was
        self._next_user = 1
        self._next_network = 1
        self._boot = 0
        self._heads: dict[int, int] = {}
        self._positions: dict[tuple[int, str], int] = {}
        self._lines: dict[int, list[Kept]] = {}
        self._spellings: dict[tuple[int, str], str] = {}
        self._waiting: list[Callable[[], object]] = []
        self._highest: dict[int, int] = {}
        self._undurable = 0
        self._loop: AbstractEventLoop | None = None
        self._on_durable: Callable[[Mapping[int, int]], None] | None = None
        self._on_failing: Callable[[str | None], None] | None = None
        self._problem: str | None = None
        self._closed = False

    def load(self) -> Snapshot:
        """What was committed. Begins anew, as after a kill: what waits is lost."""
        self._waiting.clear()
        self._highest.clear()
        self._undurable = 0
        self._closed = False
        self._boot += 1
        for network in self._networks:
            stored = self._lines[network][-1].seq if self._lines.get(network) else 0
            self._heads[network] = max(self._heads.get(network, 0), stored) + SEQ_GAP
        heads = {network: self._head(network) for network in self._networks}
        users = tuple(self._users[user_id] for user_id in sorted(self._users))
        return Snapshot(users, heads, self._next_user, self._next_network, self._boot)

    def attach(self, loop: AbstractEventLoop) -> None:
        """Commit at the next turn of ``loop`` whenever something waits."""
        self._loop = loop

    def commit(self) -> None:
        """Make durable what waits, and tell the listener. Does nothing while the store is made to fail."""
        if self._problem is not None:
            return
        waiting, self._waiting = self._waiting, []
        highest, self._highest = self._highest, {}
        self._undurable = 0
        for act in waiting:
            act()
        if highest and self._on_durable is not None:
            self._on_durable(highest)

    def fail(self, problem: str | None) -> None:
        """Commit nothing from now on, for the reason given; None ends that."""
        self._problem = problem
        if self._on_failing is not None:
            self._on_failing(problem)
        if problem is None:
            self.commit()

    def close(self) -> None:
        """Commit what waits."""
        self.commit()
        self._closed = True

    def put_users(self, saved: Sequence[User], removed: Sequence[int] = ()) -> None:
        """As the port says."""
        self._put(lambda: self._write_users(saved, removed))

    async def settled(self) -> None:
        """Return when all that was put before is durable. Raises Unavailable while the store fails."""
        if self._closed:
            raise Unavailable(CLOSED)
        if self._problem is not None:
            raise Unavailable(self._problem)
        self.commit()

    def append(self, network: int, entries: Sequence[Entry]) -> None:
        """As the port says."""
        if entries:
            kept = tuple(entries)
            self._undurable += len(kept)
            self._highest[network] = kept[-1].seq
            self._put(lambda: self._write_lines(network, kept))

    def put_position(self, network: int, device: str, seq: int) -> None:
        """As the port says."""
        self._put(lambda: self._positions.__setitem__((network, device), seq))

    def drop_position(self, network: int, device: str) -> None:
        """As the port says."""
        self._put(lambda: self._positions.pop((network, device), None))

    def listen(self, durable: Callable[[Mapping[int, int]], None]) -> None:
        """As the port says."""
        self._on_durable = durable

    def watch(self, failing: Callable[[str | None], None]) -> None:
        """Have ``failing`` called when the store fails, and with None when it works again."""
        self._on_failing = failing

    @property
    def undurable(self) -> int:
        """How many lines wait to be committed."""
        return self._undurable

    @property
    def failing(self) -> bool:
        """As the port says."""
        return self._problem is not None

    @property
    def dropped(self) -> int:
        """How many lines were given up: none, ever."""
        return 0

    async def page(self, question: Page) -> list[Kept]:
        """As the port says."""
        lines = self._lines.setdefault(question.network, [])
        self._answerable(question.network, question.upto > (lines[-1].seq if lines else 0))
        start = bisect_right(lines, question.after, key=_seq_of)
        asked = lines[start : bisect_right(lines, question.upto, key=_seq_of)]
        return [line for line in asked if line.kind in TEXT_KINDS][: question.limit]

    async def first_helping(self, network: int, lines: int, since: int) -> int:
        """As the port says."""
        self._answerable(network, True)
        kept = self._lines.get(network, [])
        text = [line for line in kept if line.kind in TEXT_KINDS]
        helping = [line.seq for line in text[max(0, len(text) - lines) :] if line.time >= since]
        if helping:
            return helping[0] - 1
        return kept[-1].seq if kept else 0

    async def devices(self, network: int) -> Mapping[str, Seen]:
        """As the port says; when is not known."""
        if self._closed:
            raise Unavailable(CLOSED)
        if self._problem is not None:
            raise Unavailable(self._problem)
        self.commit()
        kept = [line.seq for line in self._lines.get(network, []) if line.kind in TEXT_KINDS]
        return {
            device: Seen(min(BEHIND_LIMIT, len(kept) - bisect_right(kept, seq)))
            for (owner, device), seq in self._positions.items()
            if owner == network
        }

    def _put(self, act: Callable[[], object]) -> None:
        if not self._waiting and self._loop is not None:
            self._loop.call_soon(self.commit)
        self._waiting.append(act)

    def _answerable(self, network: int, newest: bool) -> None:
        if self._closed:
            raise Unavailable(CLOSED)
        if newest and network in self._highest:
            if self._problem is not None:
                raise Unavailable(self._problem)
            self.commit()

    def _head(self, network: int) -> Head:
        lines = self._lines.get(network)
        positions = {device: seq for (owner, device), seq in self._positions.items() if owner == network}
        return Head(self._heads[network], lines[-1].time if lines else 0, positions)

    def _write_users(self, saved: Sequence[User], removed: Sequence[int]) -> None:
        for user in saved:
            self._users[user.id] = user
            self._next_user = max(self._next_user, user.id + 1)
            for network in user.networks:
                self._networks.add(network.id)
                self._next_network = max(self._next_network, network.id + 1)
        for user_id in removed:
            self._users.pop(user_id, None)

    def _write_lines(self, network: int, entries: Sequence[Entry]) -> None:
        for entry in entries:
            spelling = self._spellings.setdefault((network, DEFAULT_FOLD(entry.target)), entry.target)
            line = Kept(entry.seq, entry.time, int(entry.kind), spelling, entry.device, self._boot, entry.message.raw)
            self._lines.setdefault(network, []).append(line)


def _seq_of(line: Kept) -> int:
    return line.seq
