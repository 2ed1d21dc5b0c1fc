from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from bouncer.irc.message import Message
from bouncer.model.entry import Entry, Kind
from bouncer.model.errors import Unavailable
from bouncer.model.history import Expiry
from bouncer.model.records import User
from bouncer.store.batch import REDACTIONS_LIMIT, Batch
from bouncer.store.indexer import INDEX_ROWS
from bouncer.store.writer import (
    BATCH_ROWS,
    OVERFLOW,
    UNDURABLE_BYTES,
    UNDURABLE_LINES,
    Behind,
    Damaged,
    Pace,
    Writer,
)

# nothing here waits for a time: either it comes at once, or it must be asked for
PROMPT = Pace(gather=0.0, sync=0.0, first_retry=0.001, longest_retry=0.001, told_after=0.0)
PATIENT = Pace(gather=3600.0, sync=3600.0, first_retry=0.001, longest_retry=0.001, told_after=3600.0)


class Disk:
    """A place to write to that fails and stalls on command."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.problem: Exception | None = None
        self.damaged: set[object] = set()  # networks whose lines, and kinds of other things, that can't be written
        self.sync_problem: Exception | None = None
        self.attempts = 0
        self.syncs = 0
        self.portions = 0
        self.unindexed = 0
        self.indexed: list[int] = []  # how many lines waited at each portion of the index
        self.index_problem: Exception | None = None
        self.expire_problem: Exception | None = None
        self.closed = False
        self.attempted: Callable[[], object] = lambda: None
        self.indexing: Callable[[], object] = lambda: None
        self.gate = threading.Event()
        self.gate.set()

    def commit(self, batch: Batch) -> None:
        self.gate.wait()
        self.attempts += 1
        self.attempted()
        if self.problem is not None:
            raise self.problem
        if self.damaged & {
            *batch.lines,
            *(kind for kind in ("users", "positions", "redactions") if getattr(batch, kind)),
        }:
            raise Damaged("it is damaged")
        self.batches.append(batch)
        self.unindexed += batch.rows

    def index(self) -> bool:
        if self.index_problem is not None:
            raise self.index_problem
        self.indexed.append(self.unindexed)
        if self.unindexed:
            self.indexing()
        self.unindexed = max(0, self.unindexed - 1000)
        return self.unindexed > 0

    def sync(self) -> None:
        if self.sync_problem is not None:
            raise self.sync_problem
        self.syncs += 1

    def expire(self) -> bool:
        if self.expire_problem is not None:
            raise self.expire_problem
        if self.portions:
            self.portions -= 1
        return self.portions > 0

    def explain(self, error: Exception) -> str:
        return f"the disk says {error}"

    def close(self) -> None:
        self.closed = True

    @property
    def seqs(self) -> list[int]:
        return [entry.seq for batch in self.batches for entries in batch.lines.values() for entry in entries]


class News:
    """What the writer tells, to wait for."""

    def __init__(self) -> None:
        self.durable: list[dict[int, int]] = []
        self.failing: asyncio.Queue[str | None] = asyncio.Queue()


def lines(*seqs: int, size: int = 10) -> list[Entry]:
    return [Entry(seq, 0, Message.parse(b"x" * size), Kind.PRIVMSG) for seq in seqs]


Make = Callable[..., tuple[Writer, Disk, News]]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    writers: list[tuple[Writer, Disk]] = []

    def make(
        pace: Pace = PROMPT,
        start: bool = True,
        lines: int = UNDURABLE_LINES,
        size: int = UNDURABLE_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> tuple[Writer, Disk, News]:
        disk, news = Disk(), News()
        writer = Writer(disk, pace, lines=lines, size=size, clock=clock)
        writer.attach(asyncio.get_running_loop())
        writer.listen(lambda highest: news.durable.append(dict(highest)))
        writer.watch(news.failing.put_nowait)
        if start:
            writer.start()
        writers.append((writer, disk))
        return writer, disk, news

    yield make
    for writer, disk in writers:
        disk.gate.set()
        writer.close()
        assert disk.closed


async def test_what_waits_together_is_written_together(make: Make) -> None:
    writer, disk, news = make(PATIENT, start=False)
    for seq in range(1, 11):
        writer.append(1, lines(seq))
    writer.put_position(1, "phone", 3)
    writer.start()
    await writer.settled()
    assert len(disk.batches) == 1
    assert disk.seqs == list(range(1, 11))
    assert disk.batches[0].positions == {(1, "phone"): 3}
    assert news.durable == [{1: 10}]


async def test_a_full_batch_does_not_wait_for_more(make: Make) -> None:
    writer, disk, _ = make(PATIENT)
    written = asyncio.Event()
    loop = asyncio.get_running_loop()
    disk.attempted = lambda: loop.call_soon_threadsafe(written.set)
    for seq in range(1, BATCH_ROWS + 1):
        writer.append(1, lines(seq))
    await written.wait()
    await writer.settled()
    assert disk.seqs == list(range(1, BATCH_ROWS + 1))


async def test_no_batch_grows_beyond_its_limit(make: Make) -> None:
    writer, disk, news = make(start=False)
    for start in range(1, 5001, 100):
        writer.append(1, lines(*range(start, start + 100)))
    writer.start()
    await writer.settled()
    assert [batch.rows for batch in disk.batches if batch.rows] == [BATCH_ROWS] * 5
    assert news.durable == [{1: seq} for seq in range(BATCH_ROWS, 5001, BATCH_ROWS)]


async def test_a_position_is_never_written_before_its_lines(make: Make) -> None:
    writer, disk, _ = make(start=False)
    for seq in range(1, 3001):
        writer.append(1, lines(seq))
        writer.put_position(1, "phone", seq)
    writer.start()
    await writer.settled()
    written = 0
    for batch in disk.batches:
        written = max([written, *batch.highest.values()])
        assert (batch.positions.get((1, "phone")) or 0) <= written
    assert written == 3000
    assert disk.batches[-1].positions == {(1, "phone"): 3000}


async def test_what_was_committed_is_synced(make: Make) -> None:
    writer, disk, _ = make()
    writer.append(1, lines(1))
    await writer.settled()
    await writer.settled()  # the second turn of the thread comes after the sync of the first
    assert disk.syncs == 1


async def test_a_failed_batch_is_kept_and_written_later(make: Make) -> None:
    writer, disk, news = make()
    disk.problem = OSError("no")
    writer.append(1, lines(1))
    assert await news.failing.get() == "the disk says no"
    writer.append(1, lines(2))
    assert writer.undurable == 2
    assert writer.behind(1)
    disk.problem = None
    assert await news.failing.get() is None
    await writer.settled()
    assert disk.seqs == [1, 2]
    assert (writer.undurable, writer.dropped) == (0, 0)
    assert not writer.behind(1)
    assert news.failing.empty()


async def test_even_a_mistake_of_ours_does_not_end_the_thread(make: Make) -> None:
    writer, disk, news = make()
    disk.problem = TypeError("a bug")
    writer.append(1, lines(1))
    assert await news.failing.get() == "the disk says a bug"
    disk.problem = None
    assert await news.failing.get() is None
    await writer.settled()
    assert disk.seqs == [1]


async def test_settled_raises_while_the_store_fails_and_only_then(make: Make) -> None:
    writer, disk, news = make()
    disk.problem = OSError("no")
    writer.put_users([User(id=1, name="alice")], [])
    with pytest.raises(Unavailable, match="the disk says no"):
        await writer.settled()
    assert await news.failing.get() == "the disk says no"
    disk.problem = None
    assert await news.failing.get() is None
    await writer.settled()
    assert list(disk.batches[0].users) == [1]


async def test_a_short_failure_is_no_news(make: Make) -> None:
    writer, disk, news = make(PATIENT)
    disk.problem = OSError("no")
    failed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def fail_three_times() -> None:
        if disk.attempts == 3:
            disk.problem = None
            loop.call_soon_threadsafe(failed.set)

    disk.attempted = fail_three_times
    writer.append(1, lines(1))
    settled = asyncio.create_task(writer.settled())
    await failed.wait()
    await settled
    assert disk.attempts == 3
    assert disk.seqs == [1]
    assert news.failing.empty()


async def test_a_failing_sync_is_a_failing_store(make: Make) -> None:
    writer, disk, news = make()
    disk.sync_problem = OSError("no sync")
    writer.append(1, lines(1))
    assert await news.failing.get() == "the disk says no sync"
    disk.sync_problem = None
    assert await news.failing.get() is None
    assert disk.seqs == [1]


@pytest.mark.parametrize(("limits", "size"), [({"lines": 4000}, 10), ({"size": 4000 * 100}, 100)])
async def test_beyond_the_limits_the_oldest_lines_are_given_up(make: Make, limits: dict[str, int], size: int) -> None:
    writer, disk, news = make(**limits)
    disk.problem = OSError("no")
    writer.put_users([User(id=1, name="alice")], [])
    writer.put_position(1, "phone", 7)
    for start in range(1, 10_001, 100):
        writer.append(1, lines(*range(start, start + 100), size=size))
    assert await news.failing.get() == "the disk says no"
    assert await news.failing.get() == f"the disk says no; {OVERFLOW}"
    with pytest.raises(Unavailable):
        await writer.settled()  # all that was put has been taken in
    assert news.failing.empty()  # told once
    assert writer.undurable <= 4000
    assert writer.dropped == 10_000 - writer.undurable
    disk.problem = None
    assert await news.failing.get() is None
    await writer.settled()
    assert disk.seqs == list(range(writer.dropped + 1, 10_001))
    assert [list(batch.users) for batch in disk.batches if batch.users] == [[1]]
    assert [batch.positions for batch in disk.batches if batch.positions] == [{(1, "phone"): 7}]
    assert writer.undurable == 0


async def test_a_damaged_network_is_in_nobodys_way(make: Make) -> None:
    writer, disk, news = make()
    disk.damaged = {1}
    writer.append(1, lines(1))
    writer.append(2, lines(1))
    writer.put_users([User(id=1, name="alice")], [])
    writer.put_position(2, "phone", 1)
    await writer.settled()
    assert await news.failing.get() == "the disk says it is damaged"
    assert writer.failing
    writer.append(1, lines(2))
    writer.append(2, lines(2))
    await writer.settled()
    assert (writer.kept(1), writer.kept(2), writer.undurable) == (0, 2, 2)
    await writer.settled(2)
    with pytest.raises(Behind) as behind:
        await writer.settled(1)
    assert behind.value.since == {1: 0}
    assert [list(batch.users) for batch in disk.batches if batch.users] == [[1]]
    assert [batch.positions for batch in disk.batches if batch.positions] == [{(2, "phone"): 1}]
    assert news.failing.empty()


async def test_what_is_aside_is_written_in_order_when_the_damage_is_mended(make: Make) -> None:
    writer, disk, news = make(replace(PROMPT, damage_again=0.0))
    disk.damaged = {1, "users"}
    writer.append(1, lines(1))
    writer.append(1, lines(2))
    for name in ("alice", "alicia"):
        writer.put_users([User(id=1, name=name)], [])
        with pytest.raises(Unavailable):  # nobody is told that settings are kept which are not
            await writer.settled()
    assert await news.failing.get() == "the disk says it is damaged"
    for _ in range(3):  # it is tried again and again, and that is no news
        await writer.settled()
    assert news.failing.empty()
    writer.append(1, lines(3))
    disk.damaged = set()
    assert await news.failing.get() is None
    await writer.settled()
    assert [seq for batch in disk.batches for entry in batch.lines.get(1, ()) for seq in [entry.seq]] == [1, 2, 3]
    users = [user for batch in disk.batches for versions in batch.users.values() for user in versions if user]
    assert users[-1].name == "alicia"
    assert (writer.undurable, writer.failing) == (0, False)


@pytest.mark.parametrize("damaged", [{1}, {"redactions"}, {1, "users"}])
async def test_what_is_taken_back_is_not_forgotten_for_damage(make: Make, damaged: set[object]) -> None:
    writer, disk, news = make(replace(PROMPT, damage_again=0.0))
    disk.damaged = damaged
    writer.append(1, lines(1))
    writer.redact(1, "#a", "x")
    writer.redact(2, "#b", "y")
    writer.put_position(2, "phone", 1)
    assert await news.failing.get() == "the disk says it is damaged"
    for _ in range(3):
        await writer.settled()
    writer.redact(1, "#a", "z")
    disk.damaged = set()
    assert await news.failing.get() is None
    await writer.settled()
    written = [each for batch in disk.batches for each in (*batch.lines, *batch.redactions)]
    assert sorted(map(str, written)) == ["(1, '#a', 'x')", "(1, '#a', 'z')", "(2, '#b', 'y')", "1"]
    assert written.index(1) < written.index((1, "#a", "x"))


async def test_redactions_do_not_pile_up_while_the_store_fails(make: Make) -> None:
    writer, disk, news = make()
    disk.problem = OSError("no")
    for number in range(REDACTIONS_LIMIT + 10):
        writer.redact(1, "#a", str(number))
    assert await news.failing.get() is not None
    disk.problem = None
    assert await news.failing.get() is None
    await writer.settled()
    (redactions,) = [list(batch.redactions) for batch in disk.batches if batch.redactions]
    assert (len(redactions), redactions[-1][2]) == (REDACTIONS_LIMIT, str(REDACTIONS_LIMIT + 9))


async def test_what_is_aside_has_a_limit(make: Make) -> None:
    writer, disk, news = make(lines=4000)
    disk.damaged = {1}
    for start in range(1, 10_001, 100):
        writer.append(1, lines(*range(start, start + 100)))
        writer.append(2, lines(*range(start, start + 100)))
    assert await news.failing.get() == "the disk says it is damaged"
    assert await news.failing.get() == f"the disk says it is damaged; {OVERFLOW}"
    await writer.settled()
    await writer.settled()
    assert writer.undurable <= 4000
    assert writer.kept(2) == 10_000
    assert writer.dropped == 10_000 - writer.undurable


async def test_close_tells_what_was_aside(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    writer, disk, _ = make(PATIENT)
    disk.damaged = {1}
    writer.append(1, lines(1, 2, 3))
    writer.append(2, lines(1))
    writer.close()
    assert "3 lines could not be stored" in caplog.text
    assert disk.seqs == [1]


async def test_positions_do_not_pile_up_while_the_store_fails(make: Make) -> None:
    writer, disk, news = make()
    disk.problem = OSError("no")
    writer.append(1, lines(1))
    await news.failing.get()
    for seq in range(10_000):
        writer.put_position(1, "phone", seq)
    disk.problem = None
    await news.failing.get()
    await writer.settled()
    assert sum(len(batch.positions) for batch in disk.batches) <= 2
    assert disk.batches[-1].positions == {(1, "phone"): 9999}


async def test_close_writes_what_waits(make: Make) -> None:
    writer, disk, _ = make(PATIENT)
    for start in range(1, 3001, 50):
        writer.append(1, lines(*range(start, start + 50)))
    writer.close()
    assert disk.seqs == list(range(1, 3001))
    assert writer.undurable == 0
    with pytest.raises(Unavailable, match="closed"):
        await writer.settled()


async def test_close_does_not_wait_for_a_store_that_fails(make: Make) -> None:
    writer, disk, _ = make(PATIENT)
    disk.problem = OSError("no")
    writer.append(1, lines(1))
    answer, _ = await asyncio.gather(writer.settled(), asyncio.to_thread(writer.close), return_exceptions=True)
    assert isinstance(answer, Unavailable)
    assert "closed" in str(answer)
    assert disk.closed
    assert writer.undurable == 1


async def test_a_waiter_that_was_cancelled_harms_nobody(make: Make) -> None:
    writer, disk, _ = make()
    disk.gate.clear()
    writer.append(1, lines(1))
    first, second = asyncio.create_task(writer.settled()), asyncio.create_task(writer.settled())
    await asyncio.wait({first, second}, timeout=0)  # both have asked
    first.cancel()
    disk.gate.set()
    await second
    assert first.cancelled()


async def test_portions_are_deleted_until_none_is_left(make: Make) -> None:
    writer, disk, _ = make(Pace(expire=3600.0, expire_more=0.0), start=False)
    disk.portions = 5
    writer.start()
    while disk.portions:
        await writer.settled()
    assert disk.portions == 0


async def test_who_waits_for_deletions_is_told_when_none_is_left(make: Make) -> None:
    writer, disk, _ = make(Pace(expire=3600.0, expire_more=0.0))
    await writer.expired()
    disk.portions = 5
    writer.expire(Expiry(1))
    await writer.expired()
    assert disk.portions == 0


async def test_who_waits_for_deletions_is_told_that_they_fail(make: Make) -> None:
    writer, disk, _ = make(Pace(expire=3600.0, expire_more=0.0))
    disk.expire_problem = OSError("no")
    with pytest.raises(Unavailable, match="the disk says no"):
        await writer.expired()
    disk.expire_problem = None
    await writer.expired()
    writer.close()
    with pytest.raises(Unavailable, match="closed"):
        await writer.expired()


async def test_lines_are_indexed_in_portions_until_none_is_left(make: Make) -> None:
    writer, disk, _ = make(Pace(gather=0.0, index=0.0))
    writer.append(1, lines(*range(1, 2501)))
    await writer.settled()
    while writer.unindexed:
        await writer.settled()
    assert [waiting for waiting in disk.indexed if waiting] == [2500, 1500, 500]


async def test_few_lines_wait_to_be_indexed_with_more(make: Make) -> None:
    writer, disk, _ = make(Pace(gather=0.0, index=3600.0))
    await writer.settled()
    await writer.settled()  # the look at the start is over
    looked = len(disk.indexed)
    writer.append(1, lines(*range(1, INDEX_ROWS)))
    for _ in range(3):
        await writer.settled()
    assert (len(disk.indexed), writer.unindexed) == (looked, INDEX_ROWS - 1)
    writer.append(1, lines(INDEX_ROWS))
    while writer.unindexed:
        await writer.settled()
    assert disk.indexed[looked] == INDEX_ROWS


async def test_what_came_during_a_long_portion_does_not_wait_for_more(make: Make) -> None:
    now = 0.0
    writer, disk, _ = make(Pace(gather=3600.0, index=0.0), clock=lambda: now)
    loop = asyncio.get_running_loop()
    indexing, go_on = asyncio.Event(), threading.Event()
    disk.indexing = lambda: (loop.call_soon_threadsafe(indexing.set), go_on.wait())
    writer.append(1, lines(1))
    await writer.settled()
    await indexing.wait()
    written = asyncio.Event()
    disk.attempted = lambda: loop.call_soon_threadsafe(written.set)
    writer.append(1, lines(2))
    now += 3600.0
    go_on.set()
    await written.wait()


async def test_an_index_that_fails_is_no_failing_store(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    writer, disk, news = make(Pace(gather=0.0, index=0.0, index_again=0.0))
    disk.index_problem = OSError("no index")
    writer.append(1, lines(1))
    await writer.settled()
    writer.append(1, lines(2))
    await writer.settled()
    await writer.settled()
    assert disk.seqs == [1, 2]
    assert (writer.unindexed, writer.undurable) == (2, 0)
    assert caplog.text.count("lines can't be indexed now") == 1
    disk.index_problem = None
    while writer.unindexed:
        await writer.settled()
    assert news.failing.empty()
