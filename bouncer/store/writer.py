"""The one thread that writes.

Owns the queue between the event loop and that thread, group commit, what happens while the store fails, and the news
that go back to the loop. Must not know SQL: a Backend writes the batches.

The two sides share the queue and a few counters of which each has a single writer, so that handing over a burst takes
no lock. The loop's side is used by one thread only.
"""

from __future__ import annotations

import logging
import threading
import time
from asyncio import AbstractEventLoop, Future, get_running_loop
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Protocol

from bouncer.irc.framing import BODY_LIMIT, UPSTREAM_TAG_LIMIT
from bouncer.model.entry import Entry
from bouncer.model.errors import Unavailable
from bouncer.model.history import Expiry
from bouncer.model.records import User
from bouncer.store.aside import Aside
from bouncer.store.batch import Batch, Waiter
from bouncer.store.indexer import INDEX_ROWS

# A batch is closed at the append that reaches this: beyond it a row gets no cheaper, and the next batch waits longer.
BATCH_ROWS = 1000

# What is kept in memory while the store fails: minutes of a very busy house, hours of an ordinary one, and no more
# memory than the smallest machine we are meant for can spare. Beyond either, the oldest lines are given up.
UNDURABLE_LINES = 100_000
UNDURABLE_BYTES = 64 << 20

_LONGEST_LINE = UPSTREAM_TAG_LIMIT + BODY_LIMIT
_NEVER = 1 << 62  # more than can ever wait

FOREVER = 1e6  # seconds

CLOSED = "the store is closed; nothing more is written"
OVERFLOW = "more lines wait for it than there is room for, and the oldest are given up"

log = logging.getLogger(__name__)

Durable = Callable[[Mapping[int, int]], None]
Failing = Callable[[str | None], None]


class Damaged(Exception):
    """A batch can't be written because a part of what is stored is damaged. Parts of the batch may go elsewhere."""


class Behind(Unavailable):
    """What was put before can't be stored now. ``since``: the earliest times (milliseconds) of the lines that wait, by
    network."""

    def __init__(self, problem: str, since: Mapping[int, int]) -> None:
        super().__init__(problem)
        self.since = since


class Backend(Protocol):
    """Where batches go. Used by the writing thread alone. Each may raise: then nothing of that call was done."""

    def commit(self, batch: Batch) -> None:
        """Write a batch, so that it survives the end of this process. Raises Damaged if that is not for now, but for
        good, and may be only for a part of it."""

    def sync(self) -> None:
        """Have what was committed survive a power cut."""

    @property
    def unindexed(self) -> int:
        """How many committed lines are not indexed yet."""

    def index(self) -> bool:
        """Index a little of what was committed. True if more should be done soon."""

    def expire(self) -> bool:
        """Delete a little of what is to be kept no longer. True if there is more."""

    def explain(self, error: Exception) -> str:
        """A clear sentence on what went wrong."""

    def close(self) -> None:
        """The end."""


@dataclass(frozen=True, slots=True)
class Pace:
    """When the writer does things; all in seconds."""

    gather: float = 0.010  # a batch is committed so long after its first line (design 3.1)
    sync: float = 1.0  # bounds what a power cut takes
    first_retry: float = 0.1
    longest_retry: float = 1.0  # memory fills meanwhile, and people wait: soon enough after room was made
    told_after: float = 5.0  # no commit for so long is a failing store, not a slow one
    index: float = 2.0  # a line is indexed so long after it came, or at once if very many wait (design 3.1)
    index_again: float = 60.0  # after it failed; what is not indexed is found all the same
    damage_again: float = 60.0  # what can't be written for damage is tried so often: somebody may have mended it
    expire: float = 3600.0  # removed things are looked for so often
    expire_more: float = 0.05  # between portions, so that they take a small share of the disk's time


class Writer:
    """Takes work from the loop at once, writes it in batches on a thread of its own, and says what is durable."""

    def __init__(
        self,
        backend: Backend,
        pace: Pace | None = None,
        *,
        lines: int = UNDURABLE_LINES,
        size: int = UNDURABLE_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backend = backend
        self._pace = pace or Pace()
        self._most_lines = lines
        self._most_bytes = size
        self._clock = clock
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._queue: deque[tuple[Any, ...]] = deque()  # (method of Batch, its arguments)
        self._woken = threading.Event()
        # written by the loop's side
        self._loop: AbstractEventLoop | None = None
        self._on_durable: Durable | None = None
        self._on_failing: Failing | None = None
        self._put = 0  # units of work: a line is one, anything else too
        self._lines = 0
        self._asked: dict[int, int] = {}  # network -> highest number appended
        self._hurry = False
        self._closing = False
        # written by the thread
        self._threshold = _NEVER  # the loop wakes the thread when so many units wait
        self._taken = 0
        self._taken_at = 0.0  # what waits came later
        self._done = 0  # lines committed or given up
        self._dropped = 0
        self._kept: dict[int, int] = {}  # network -> highest durable number
        self._batches: deque[Batch] = deque()
        self._unsynced_since: float | None = None
        self._sync_fails = False
        self._index_at = 0.0
        self._index_fails = False
        self._expire_at = 0.0
        self._finishers: list[Waiter] = []  # told when nothing is left to delete
        self._failing_since: float | None = None
        self._told = False
        self._reason = ""  # what was told
        self._aside = Aside(BATCH_ROWS)
        self._aside_at = inf
        self._overflowed = False
        self._said: str | None = None  # the last news of failing
        self._backoff = 0.0
        self._retry_at = 0.0

    # -- the loop's side -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to write what was and will be put."""
        self._thread.start()

    def attach(self, loop: AbstractEventLoop) -> None:
        """Give the news to listeners on ``loop``; before that they are not given at all."""
        self._loop = loop

    @property
    def problem(self) -> str:
        """The sentence that :meth:`watch` gave last; "" if all can be written."""
        return self._said or ""

    @property
    def failing(self) -> bool:
        """True from the first sentence that :meth:`watch` gives to the None that ends it."""
        return self._said is not None

    def listen(self, durable: Durable) -> None:
        """Call ``durable({network: highest durable number})`` after each commit of lines."""
        self._on_durable = durable

    def watch(self, failing: Failing) -> None:
        """Call ``failing(sentence)`` when something could not be written for a while, and when that has become worse,
        ``failing(None)`` when all can be written again."""
        self._on_failing = failing

    def append(self, network: int, entries: Sequence[Entry]) -> None:
        """Have lines written. Costs the same for one and for many."""
        if entries:
            self._asked[network] = entries[-1].seq
            self._lines += len(entries)
            self._hand_over(len(entries), (Batch.add_lines, network, tuple(entries)))

    def redact(self, network: int, target: str, msgid: str) -> None:
        """Have the text of a line deleted that was appended before."""
        self._hand_over(1, (Batch.add_redaction, network, target, msgid))

    def put_position(self, network: int, device: str, seq: int | None) -> None:
        """Have a position written after all lines appended before; None deletes it."""
        self._hand_over(1, (Batch.add_position, network, device, seq))

    def put_marker(self, network: int, target: str, time: int) -> None:
        """Have it written up to when a conversation was read."""
        self._hand_over(1, (Batch.add_marker, network, target, time))

    def expire(self, expiry: Expiry) -> None:
        """Have lines deleted, by and by."""
        self._hand_over(1, (Batch.add_expiry, expiry))

    def put_users(self, saved: Sequence[User], removed: Sequence[int]) -> None:
        """Have settings written."""
        self._hand_over(1, (Batch.add_users, tuple(saved), tuple(removed)))

    async def settled(self, network: int = 0) -> None:
        """Return when all that was put before is committed. Raises Behind while it can't be.

        Lines of a network whose place in the file is damaged are waited for only by who names that network.
        """
        await self._answered(Batch.add_waiter, network)

    async def expired(self) -> None:
        """Return when all is deleted that was to be. Raises Unavailable if it can't be."""
        await self._answered(Batch.add_finisher)

    async def _answered(self, add: Callable[..., None], *which: int) -> None:
        if self._closing:
            raise Unavailable(CLOSED)
        loop = get_running_loop()
        future: Future[None] = loop.create_future()
        self._hand_over(1, (add, loop, future, *which))
        self._hurry = True
        self._woken.set()
        await future

    @property
    def undurable(self) -> int:
        """How many lines wait to be committed."""
        return self._lines - self._done

    @property
    def unindexed(self) -> int:
        """How many committed lines are not indexed yet."""
        return self._backend.unindexed

    @property
    def dropped(self) -> int:
        """How many lines were given up because the store failed for too long."""
        return self._dropped

    def kept(self, network: int) -> int:
        """The highest number committed since the start, 0 if none."""
        return self._kept.get(network, 0)

    def behind(self, network: int) -> bool:
        """True if lines of that network wait to be committed."""
        return self._asked.get(network, 0) > self.kept(network)

    def close(self) -> None:
        """Write what waits, or give up at the first failure, and end the thread. Blocks; may be called again."""
        self._closing = True
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join()
        elif self._thread.ident is None:  # never started
            self._backend.close()

    def _hand_over(self, units: int, work: tuple[Any, ...]) -> None:
        self._queue.append(work)
        self._put += units
        if self._put - self._taken >= self._threshold and not self._woken.is_set():
            self._woken.set()  # once: setting takes a lock, and the thread may take a millisecond to get its turn

    # -- the thread's side ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing:
            self._rest()
            self._take()
            if self._batches and self._clock() >= self._retry_at:
                self._commit()
            elif self._told:
                self._turn_away()  # at once: a client has questions one after the other, and its PING behind them
            self._tend()
        self._drain()

    def _drain(self) -> None:
        """The end: write what waits, unless the store fails."""
        self._batches.extendleft(reversed(self._aside.release()))
        self._take()
        while self._batches and self._commit():
            self._take()
        self._take()  # the rest, now that it is known to fail
        lost = sum(batch.rows for batch in (*self._aside.batches, *self._batches))
        if lost:
            log.error("%d lines could not be stored", lost)
        for batch in self._batches:
            _answer(batch.waiters + batch.finishers, CLOSED)
        _answer(self._finishers, CLOSED)
        try:
            self._backend.close()
        except Exception as error:
            log.warning("%s", self._backend.explain(error))

    def _rest(self) -> None:
        """Wait until there is something to do, and then for more of it."""
        now = self._clock()
        if self._batches:
            if self._retry_at > now:
                self._wait(self._room(), self._retry_at - now)
            return
        if not self._queue:
            due = now + FOREVER if self._failing_since is not None else min(self._expire_at, self._index_at)
            due = min(due, self._aside_at)
            if self._unsynced_since is not None:
                due = min(due, self._unsynced_since + self._pace.sync)
            self._wait(1, max(0.0, due - now))
            now = self._taken_at = self._clock()
        if self._queue:  # from when on it may have waited: not longer because of what this thread did meanwhile
            self._wait(BATCH_ROWS, max(0.0, self._taken_at + self._pace.gather - now))

    def _wait(self, units: int, timeout: float) -> None:
        """Sleep until so many units of work wait, somebody is in a hurry, or the time is over."""
        self._woken.clear()
        self._threshold = units  # from here on the loop wakes us, so what came before is looked at after
        if self._put - self._taken < units and not self._hurry and not self._closing:
            self._woken.wait(timeout)
        self._threshold = _NEVER

    def _room(self) -> int:
        """How much more may come before lines must be given up. At least a batch, to wake up for many at a time."""
        waiting = (*self._aside.batches, *self._batches)
        lines = self._most_lines - sum(batch.rows for batch in waiting)
        size = self._most_bytes - sum(batch.size for batch in waiting)
        return max(BATCH_ROWS, min(lines, size // _LONGEST_LINE))

    def _take(self) -> None:
        """Move what waits into batches: one, or all there is while the store fails, so that memory can be bounded."""
        self._hurry = False
        self._taken_at = self._clock()
        failing = self._backoff > 0
        while self._queue:
            if not self._batches or self._batches[-1].rows >= BATCH_ROWS:
                if self._batches and not failing:
                    break
                self._batches.append(Batch())
            add, *arguments = self._queue.popleft()
            add(self._batches[-1], *arguments)
            self._taken += len(arguments[1]) if add is Batch.add_lines else 1
        if failing or self._aside.problem:
            self._give_up_oldest()

    def _give_up_oldest(self) -> None:
        """Keep to the limits of what waits. What is aside goes first: it has waited for longest."""
        waiting = (*self._aside.batches, *self._batches)
        lines = sum(batch.rows for batch in waiting)
        size = sum(batch.size for batch in waiting)
        while lines > self._most_lines or size > self._most_bytes:
            oldest = self._aside.give_up_oldest()
            if oldest is None:
                if len(self._batches) < 2:
                    return
                oldest = self._batches.popleft()
            size -= oldest.size
            dropped = oldest.drop_lines()
            lines -= dropped
            self._dropped += dropped
            self._done += dropped
            if not oldest.empty or oldest.waiters or oldest.finishers:
                self._batches[0].follow(oldest)
            if not self._overflowed:
                self._overflowed = True
                log.error("lines are given up: the store has failed for too long")
                self._say()

    def _commit(self) -> bool:
        """Write the oldest batch. False if that failed: then it stays the oldest."""
        now = self._clock()
        batch = self._batches[0]
        if self._aside.problem:
            self._aside.join(batch)
        if not batch.empty:
            try:
                self._backend.commit(batch)
            except Damaged as error:
                self._go_around(batch, self._backend.explain(error))
                return True
            except Exception as error:  # whatever it is, this thread goes on and the batch is kept
                self._failed(error, self._clock())  # it may have taken long
                return False
            if self._unsynced_since is None:
                self._unsynced_since = now
            if not self._sync_fails:
                self._worked()
        self._batches.popleft()
        self._finishers += batch.finishers
        if batch.expiries or batch.finishers:
            self._expire_at = min(self._expire_at, now)
        self._done += batch.rows
        if batch.lines:
            highest = batch.highest
            self._kept.update(highest)
            self._tell(self._on_durable, highest)
            if not self._index_fails:
                urgent = self._backend.unindexed >= INDEX_ROWS
                self._index_at = min(self._index_at, now + (0.0 if urgent else self._pace.index))
        if batch.waiters:
            self._let_go(batch.waiters)
        if self._aside.problem and not self._batches and self._aside.empty:
            self._aside.problem = ""
            self._say()
        return True

    def _go_around(self, batch: Batch, problem: str) -> None:
        """A batch has met damage: write those of its parts that can be written, and keep the others aside."""
        if not self._sync_fails:
            self._worked()
        self._batches.popleft()
        parts = batch.parts()
        if len(parts) > 1:
            self._batches.extendleft(reversed(parts))
            return
        if not self._aside.problem:
            log.error("%s", problem)
        self._aside_at = min(self._aside_at, self._clock() + self._pace.damage_again)
        waiters, batch.waiters = batch.waiters, []
        self._finishers += batch.finishers
        batch.finishers = []
        settings = bool(batch.users)
        self._aside.put(batch, problem)
        if settings:
            _answer(waiters, problem, self._waiting_since())
        else:
            self._let_go(waiters)
        self._give_up_oldest()
        self._say()

    def _let_go(self, waiters: Sequence[Waiter]) -> None:
        """All that these waited for is stored, but for what is aside."""
        aside = [waiter for waiter in waiters if waiter[2] in self._aside]
        if aside:
            _answer(aside, self._aside.problem, self._waiting_since())
        _answer([waiter for waiter in waiters if waiter[2] not in self._aside], None)

    def _turn_away(self) -> None:
        """Tell all who wait that it will take time."""
        waiters = [waiter for batch in self._batches for waiter in (*batch.waiters, *batch.finishers)]
        if waiters:
            _answer(waiters, self._reason, self._waiting_since())
            for batch in self._batches:
                batch.waiters, batch.finishers = [], []

    def _waiting_since(self) -> dict[int, int]:
        """The earliest times of the lines that wait, by network."""
        since: dict[int, int] = {}
        for batch in (*self._aside.batches, *self._batches):
            for network, first in batch.earliest.items():
                since[network] = min(first, since.get(network, first))
        return since

    def _tend(self) -> None:
        """Do what is due beside writing."""
        now = self._clock()
        if now >= self._aside_at and not self._batches:
            self._aside_at = inf
            self._batches.extend((*self._aside.release(), Batch()))  # what comes now is not to share their fate
        if self._unsynced_since is not None and now - self._unsynced_since >= self._pace.sync:
            self._sync(now)
        if now >= self._index_at and self._failing_since is None:
            self._index_at = now + self._index()
        if now >= self._expire_at and self._failing_since is None:
            problem = None
            try:
                more = self._backend.expire()
            except Exception as error:
                problem = self._backend.explain(error)
                log.warning("what is not to be kept can't be deleted now: %s", problem)
                more = False
            if not more:
                _answer(self._finishers, problem)
                self._finishers = []
            self._expire_at = now + (self._pace.expire_more if more else self._pace.expire)

    def _index(self) -> float:
        """Do a portion of the index; returns when the next is due, in seconds."""
        try:
            more = self._backend.index()
        except Exception as error:
            if not self._index_fails:
                log.error("lines can't be indexed now, and finding them takes long: %s", self._backend.explain(error))
            self._index_fails = True
            return self._pace.index_again
        self._index_fails = False
        if more:
            return 0.0
        return self._pace.index if self._backend.unindexed else FOREVER

    def _sync(self, now: float) -> None:
        try:
            self._backend.sync()
        except Exception as error:
            self._sync_fails = True
            self._unsynced_since = now
            self._failed(error, now)
            return
        self._unsynced_since = None
        if self._sync_fails:
            self._sync_fails = False
            self._worked()

    def _failed(self, error: Exception, now: float) -> None:
        pace = self._pace
        if self._failing_since is None:
            self._failing_since = now
            log.warning("%s", self._backend.explain(error))
        self._backoff = min(self._backoff * 2 or pace.first_retry, pace.longest_retry)
        self._retry_at = now + self._backoff
        told_at = self._failing_since + pace.told_after
        if not self._told:
            if now >= told_at:
                self._told = True
                self._reason = self._backend.explain(error)
                log.error("nothing was stored for %.0f s: %s", pace.told_after, self._reason)
                self._say()
            else:
                self._retry_at = min(self._retry_at, told_at)
        if self._told:
            self._turn_away()

    def _worked(self) -> None:
        self._backoff = self._retry_at = 0.0
        self._failing_since = None
        if self._told:
            self._told = False
            self._say()

    def _say(self) -> None:
        """Give the news, if there are any."""
        problem = (self._reason if self._told else "") or self._aside.problem
        if problem and self._overflowed:
            problem = f"{problem}; {OVERFLOW}"
        if not problem:
            self._overflowed = False
        if (problem or None) != self._said:
            self._said = problem or None
            if not problem:
                log.info("the store works again")
            self._tell(self._on_failing, self._said)

    def _tell(self, listener: Callable[[Any], None] | None, news: object) -> None:
        if listener is not None and self._loop is not None:
            _call(self._loop, listener, news)


def _answer(waiters: Sequence[Waiter], problem: str | None, since: Mapping[int, int] | None = None) -> None:
    for loop, future, _ in waiters:
        _call(loop, _finish, future, problem, since or {})


def _finish(future: Future[None], problem: str | None, since: Mapping[int, int]) -> None:
    if future.done():  # whoever waited was cancelled
        return
    if problem is None:
        future.set_result(None)
    else:
        future.set_exception(Behind(problem, since))


def _call(loop: AbstractEventLoop, function: Callable[..., None], *arguments: object) -> None:
    try:
        loop.call_soon_threadsafe(function, *arguments)
    except RuntimeError:
        pass  # that loop is closed: nobody waits there any more
