from __future__ import annotations

from collections.abc import Mapping

import pytest

from bouncer.irc.message import Message
from bouncer.model.entry import Entry, Kind
from bouncer.model.errors import Unavailable
from bouncer.model.ports import Page
from bouncer.model.records import Network, User
from bouncer.store.memory import MemoryStore

ALICE = User(id=1, name="alice", networks=(Network(id=1, name="one"),))


def entry(seq: int) -> Entry:
    return Entry(seq, seq, Message.parse(b"PRIVMSG #a :x"), Kind.PRIVMSG, "#a")


def test_without_a_loop_the_owner_commits() -> None:
    store = MemoryStore()
    store.load()
    told: list[Mapping[int, int]] = []
    store.listen(told.append)
    store.append(1, [entry(1), entry(2)])
    assert (store.undurable, told) == (2, [])
    store.commit()
    assert (store.undurable, told) == (0, [{1: 2}])


async def test_what_is_not_committed_is_lost_with_the_process() -> None:
    store = MemoryStore()
    store.load()
    store.put_users([ALICE])
    store.append(1, [entry(1)])
    store.commit()
    store.append(1, [entry(2)])
    store.put_position(1, "phone", 2)
    snapshot = store.load()
    assert snapshot.users == (ALICE,)
    assert snapshot.heads[1].positions == {}
    assert [line.seq for line in await store.page(Page(1, 0, 9, 9))] == [1]


async def test_it_can_be_made_to_fail() -> None:
    store = MemoryStore()
    store.load()
    told: list[str | None] = []
    store.watch(told.append)
    store.append(1, [entry(1)])
    store.commit()
    store.fail("the disk is full")
    store.append(1, [entry(2)])
    store.commit()
    assert store.undurable == 1
    with pytest.raises(Unavailable, match="full"):
        await store.settled()
    with pytest.raises(Unavailable, match="full"):
        await store.page(Page(1, 0, 9, 9))
    assert [line.seq for line in await store.page(Page(1, 0, 1, 9))] == [1]
    store.fail(None)
    assert store.undurable == 0
    assert [line.seq for line in await store.page(Page(1, 0, 9, 9))] == [1, 2]
    assert told == ["the disk is full", None]
