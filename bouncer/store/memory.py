"""A store that forgets at the end of the process: the fake of every store port, for tests and for trying things out.

Owns nothing that lasts. Behaves as the SQLite one does (one contract suite runs over both), so that what is not
committed is lost at the next :meth:`MemoryStore.load`, as in a process that was killed.
"""

from __future__ import annotations

import time
from asyncio import AbstractEventLoop
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from bouncer.irc.casemap import DEFAULT_FOLD
from bouncer.irc.message import Message
from bouncer.model.entry import PAST_BOOT, SAID_KINDS, TEXT_KINDS, Entry, Kind
from bouncer.model.errors import Unavailable
from bouncer.model.history import LINES_LIMIT, Expiry, Mark, Range, Search, Trace, Weight
from bouncer.model.log import message_ids
from bouncer.model.ports import (
    BEHIND_LIMIT,
    Found,
    Head,
    Kept,
    Page,
    Removed,
    RemovedNetwork,
    RemovedUser,
    Run,
    Seen,
    Snapshot,
    Talk,
)
from bouncer.model.records import User
from bouncer.model.redaction import redacted
from bouncer.store.known import Candidate, by_msgid, by_words, spans
from bouncer.store.lines import SEQ_GAP
from bouncer.store.words import Term, ask, fold_sender, found, said
from bouncer.store.writer import CLOSED


class MemoryStore:
    """Records, Archive and History in memory.

    What is put waits for :meth:`commit`, which an attached loop calls at its next turn; without a loop it is up to
    the owner, who can so test what is seen before and after.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._users: dict[int, User] = {}
        self._removed_users: dict[int, RemovedUser] = {}
        self._removed_networks: dict[int, RemovedNetwork] = {}
        self._networks: set[int] = set()  # every one there ever was
        self._next_user = 1
        self._next_network = 1
        self._boot = 0
        self._heads: dict[int, int] = {}
        self._positions: dict[tuple[int, str], int] = {}
        self._lines: dict[int, list[Kept]] = {}
        self._also: dict[tuple[int, int], set[str]] = {}  # by network and seq: folded names
        self._spellings: dict[tuple[int, str], str] = {}  # of targets, by folded name: the newest
        self._markers: dict[int, dict[str, tuple[str, int]]] = {}  # by network and folded name: name and time
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

    async def removed(self) -> Removed:
        """As the port says."""
        self._all_committed()
        return Removed(
            tuple(sorted(self._removed_users.values(), key=lambda each: (each.at, each.user.id), reverse=True)),
            tuple(sorted(self._removed_networks.values(), key=lambda each: (each.at, each.network.id), reverse=True)),
        )

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

    def redact(self, network: int, target: str, msgid: str) -> None:
        """As the port says."""
        self._put(lambda: self._redact(network, DEFAULT_FOLD(target), msgid))

    def put_position(self, network: int, device: str, seq: int) -> None:
        """As the port says."""
        self._put(lambda: self._positions.__setitem__((network, device), seq))

    def drop_position(self, network: int, device: str) -> None:
        """As the port says."""
        self._put(lambda: self._positions.pop((network, device), None))

    def put_marker(self, network: int, target: str, time: int) -> None:
        """As the port says."""
        self._put(lambda: self._write_marker(network, target, time))

    def expire(self, expiry: Expiry) -> None:
        """As the port says; at once, with what else waits."""
        self._put(lambda: self._expire(expiry))

    async def expired(self) -> None:
        """As the port says."""
        await self.settled()

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
    def unindexed(self) -> int:
        """None, ever: every line is looked at."""
        return 0

    @property
    def failing(self) -> bool:
        """As the port says."""
        return self._problem is not None

    @property
    def dropped(self) -> int:
        """How many lines were given up: none, ever."""
        return 0

    async def page(self, question: Page) -> Run:
        """As the port says."""
        lines = self._lines.setdefault(question.network, [])
        self._answerable(question.network, question.upto > (lines[-1].seq if lines else 0))
        start = bisect_right(lines, question.after, key=_seq_of)
        asked = lines[start : bisect_right(lines, question.upto, key=_seq_of)]
        chosen = [line for line in asked if line.kind in question.kinds and line.boot != PAST_BOOT][: question.limit]
        spelled = self._spelled(question.network, chosen)
        return Run.of([replace(line, also=self._names(question.network, line)) for line in spelled])

    async def first_helping(self, network: int, lines: int, since: int) -> int:
        """As the port says."""
        self._answerable(network, True)
        kept = self._lines.get(network, [])
        text = [line for line in kept if _misses(line)]
        helping = [line.seq for line in text[max(0, len(text) - lines) :] if line.time >= since]
        if helping:
            return helping[0] - 1
        return kept[-1].seq if kept else 0

    async def devices(self, network: int) -> Mapping[str, Seen]:
        """As the port says; when is not known."""
        self._all_committed()
        kept = [line.seq for line in self._lines.get(network, []) if _misses(line)]
        return {
            device: Seen(min(BEHIND_LIMIT, len(kept) - bisect_right(kept, seq)))
            for (owner, device), seq in self._positions.items()
            if owner == network
        }

    async def lines(self, question: Range) -> list[Kept]:
        """As the port says."""
        kept = self._lines.get(question.network, [])
        self._answerable(question.network, question.upto > (kept[-1].seq if kept else 0))
        names = {DEFAULT_FOLD(name) for name in question.targets}
        after, before = question.after, question.before
        chosen = sorted(
            (
                line
                for line in self._lines.get(question.network, [])
                if question.above < line.seq <= question.upto
                and line.kind in question.kinds
                and (question.imported or line.boot != PAST_BOOT)
                and (after is None or (line.time, line.seq) > after)
                and (before is None or (line.time, line.seq) < before)
                and not names.isdisjoint(self._conversations(question.network, line))
            ),
            key=_mark_of,
        )
        limit = max(0, min(question.limit, LINES_LIMIT))
        return self._spelled(
            question.network, chosen[max(0, len(chosen) - limit) :] if question.newest else chosen[:limit]
        )

    async def find(self, network: int, msgid: str) -> Mark | None:
        """As the port says."""
        self._all_committed()
        for line in self._lines.get(network, []):
            theirs = Message.parse(line.raw).tags.get("msgid", "")
            if msgid and msgid == (theirs or f"{message_ids(line.boot, network)}{line.seq:x}"):
                return _mark_of(line)
        return None

    async def known(self, network: int, traces: Sequence[Trace]) -> frozenset[int]:
        """As the port says."""
        self._all_committed()
        wanted = spans(traces)
        msgids = set()
        candidates = []
        for line in self._lines.get(network, []):
            msgids.add(Message.parse(line.raw).tags.get("msgid", ""))
            candidates += [
                Candidate(line.time, target, bool(line.device), line.raw)
                for target in self._conversations(network, line) & wanted.keys()
                if any(low <= line.time <= high for low, high in wanted[target])
            ]
        known = by_msgid(traces, msgids)
        return known | by_words(traces, known, candidates)

    async def targets(self, network: int, after: int, before: int, limit: int) -> list[Talk]:
        """As the port says."""
        self._all_committed()
        latest: dict[str, int] = {}
        for line in self._lines.get(network, []):
            if line.target and line.kind in TEXT_KINDS:
                folded = DEFAULT_FOLD(line.target)
                latest[folded] = max(latest.get(folded, line.time), line.time)
        talks = sorted(
            (Talk(self._spellings[network, folded], time) for folded, time in latest.items() if after < time < before),
            key=lambda talk: (talk.time, talk.target),
        )
        return talks[max(0, len(talks) - max(0, min(limit, LINES_LIMIT))) :]

    async def markers(self, network: int) -> Mapping[str, int]:
        """As the port says."""
        self._all_committed()
        return dict(self._markers.get(network, {}).values())

    async def weigh(self, network: int, target: str, before: Mark, lines: int) -> Weight:
        """As the port says."""
        self._all_committed()
        kept = self._lines.get(network, [])
        if target:
            ours = [line for line in kept if DEFAULT_FOLD(target) in self._conversations(network, line)]
            found = sorted((line for line in ours if _mark_of(line) < before), key=_mark_of)
        else:
            found = [line for line in kept if line.seq < before.seq]
        found = found[max(0, len(found) - lines) :]
        return Weight(len(found), sum(len(line.raw) for line in found), _mark_of(found[0]) if found else before)

    async def search(self, question: Search) -> list[Found]:
        """As the port says."""
        self._all_committed()
        terms = ask(question.text)
        if (question.text.strip() and not terms) or not (terms or question.sender or question.target):
            return []
        everything = (Found(network, line) for network in set(question.networks) for line in self._texts(network))
        hits = sorted(
            (hit for hit in everything if _fits(hit, question, terms)), key=lambda hit: hit.spot, reverse=True
        )
        chosen = hits[: max(0, min(question.limit, LINES_LIMIT))]
        return [Found(network, *self._spelled(network, [line])) for network, line in chosen]

    def _texts(self, network: int) -> Iterator[Kept]:
        return (line for line in self._lines.get(network, []) if line.kind in TEXT_KINDS)

    def _conversations(self, network: int, line: Kept) -> set[str]:
        return {DEFAULT_FOLD(line.target)} - {""} | self._also.get((network, line.seq), set())

    def _names(self, network: int, line: Kept) -> tuple[str, ...]:
        also = sorted(self._also.get((network, line.seq), ()))
        return tuple(self._spellings.get((network, name), name) for name in also)

    def _spelled(self, network: int, lines: Sequence[Kept]) -> list[Kept]:
        """These lines, with their target as it was last spelled."""
        return [
            replace(line, target=self._spellings.get((network, DEFAULT_FOLD(line.target)), line.target))
            for line in lines
        ]

    def _all_committed(self) -> None:
        if self._closed:
            raise Unavailable(CLOSED)
        if self._problem is not None:
            raise Unavailable(self._problem)
        self.commit()

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
        return Head(self._heads[network], max((line.time for line in lines or ()), default=0), positions)

    def _write_users(self, saved: Sequence[User], removed: Sequence[int]) -> None:
        now = int(self._now())
        for user in saved:
            went = self._removed_users.pop(user.id, None)
            before, at = (went.user, went.at) if went else (self._users.get(user.id, user), now)
            for network in before.networks:
                self._removed_networks[network.id] = RemovedNetwork(user.id, network, at)
            self._users[user.id] = user
            self._next_user = max(self._next_user, user.id + 1)
            for network in user.networks:
                self._removed_networks.pop(network.id, None)
                self._networks.add(network.id)
                self._next_network = max(self._next_network, network.id + 1)
        for user_id in removed:
            if user_id in self._users:
                self._removed_users[user_id] = RemovedUser(self._users.pop(user_id), now)

    def _write_lines(self, network: int, entries: Sequence[Entry]) -> None:
        for entry in entries:
            target, also = entry.target, {DEFAULT_FOLD(name): name for name in entry.also}
            if also and entry.renames and self._rename(network, entry.also[0], target):
                also = {}
            self._spellings[network, DEFAULT_FOLD(target)] = target
            boot = PAST_BOOT if entry.imported else self._boot
            line = Kept(entry.seq, entry.time, int(entry.kind), target, entry.device, boot, entry.message.raw)
            self._lines.setdefault(network, []).append(line)
            also.pop(DEFAULT_FOLD(target), None)
            if also:
                self._also[network, entry.seq] = set(also)
                for folded, name in also.items():
                    self._spellings[network, folded] = name

    def _rename(self, network: int, old: str, new: str) -> bool:
        """Let a conversation go on under another name; False if there is one of that name already."""
        before, now = DEFAULT_FOLD(old), DEFAULT_FOLD(new)
        if before == now:
            return True
        if (network, now) in self._spellings:
            return False
        self._spellings.pop((network, before), None)
        self._lines[network] = [
            replace(line, target=new) if DEFAULT_FOLD(line.target) == before else line
            for line in self._lines.get(network, [])
        ]
        for (owner, _), names in self._also.items():
            if owner == network and before in names:
                names.remove(before)
                names.add(now)
        return True

    def _redact(self, network: int, folded: str, msgid: str) -> None:
        for place, line in enumerate(self._lines.get(network, [])):
            message = Message.parse(line.raw)
            if (
                line.kind in SAID_KINDS | {Kind.REDACTED}
                and DEFAULT_FOLD(line.target) == folded
                and message.tags.get("msgid", "") == msgid
                and msgid
            ):
                self._lines[network][place] = replace(line, kind=int(Kind.REDACTED), raw=redacted(message).raw)

    def _expire(self, expiry: Expiry) -> None:
        name = DEFAULT_FOLD(expiry.target)
        kept = []
        for line in self._lines.get(expiry.network, []):
            gone = line.seq <= expiry.upto and (expiry.before is None or line.time < expiry.before)
            if gone and name:
                also = self._also.get((expiry.network, line.seq), set())
                also.discard(name)
                gone = DEFAULT_FOLD(line.target) == name
            if not gone:
                kept.append(line)
            else:
                self._heads[expiry.network] = max(self._heads.get(expiry.network, 0), line.seq)
        self._lines[expiry.network] = kept

    def _write_marker(self, network: int, target: str, time: int) -> None:
        markers = self._markers.setdefault(network, {})
        folded = DEFAULT_FOLD(target)
        if folded not in markers or markers[folded][1] < time:
            markers[folded] = (target, time)


def _misses(line: Kept) -> bool:
    """Whether a device that has not seen this line has missed it."""
    return line.kind in TEXT_KINDS and line.boot != PAST_BOOT


def _seq_of(line: Kept) -> int:
    return line.seq


def _mark_of(line: Kept) -> Mark:
    return Mark(line.time, line.seq)


def _fits(hit: Found, question: Search, terms: tuple[Term, ...]) -> bool:
    line = hit.line
    if (
        (question.after is not None and line.time <= question.after)
        or (question.before is not None and line.time >= question.before)
        or (question.older is not None and hit.spot >= question.older)
        or (question.target and DEFAULT_FOLD(line.target) != DEFAULT_FOLD(question.target))
    ):
        return False
    words, sender = said(line.raw)
    return (not question.sender or sender == fold_sender(question.sender)) and found(words, terms)
