"""What every implementation of Archive promises."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bouncer.irc.message import Message
from bouncer.model.entry import Entry, ImportedEntry, Kind
from bouncer.model.errors import Unavailable
from bouncer.model.history import LAST_SEQ, Expiry, Mark, Range, Search, Weight
from bouncer.model.log import message_ids
from bouncer.model.ports import Page, Talk
from bouncer.model.records import Network, User
from bouncer.store.lines import SEQ_GAP

ALICE = User(id=1, name="alice", networks=(Network(id=1, name="one"), Network(id=2, name="two")))


def line(seq: int, text: str = "", target: str = "#a", kind: Kind = Kind.PRIVMSG, device: str = "") -> Entry:
    raw = f":bob!b@host {kind.name} {target} :{text or seq}".encode("utf-8", "surrogateescape")
    return Entry(seq, 1_000_000 + seq, Message.parse(raw), kind, target, device)


async def test_durable_is_told_after_the_commit_and_on_the_loop(place: Any) -> None:
    loop = asyncio.get_running_loop()
    told: list[tuple[Mapping[int, int], int, bool]] = []
    done = loop.create_future()

    def durable(highest: Mapping[int, int]) -> None:
        told.append((dict(highest), place.store.undurable, asyncio.get_running_loop() is loop))
        done.set_result(None)

    place.store.listen(durable)
    place.store.append(1, [line(1), line(2)])
    place.store.append(2, [line(1)])
    assert place.store.undurable == 3
    assert told == []  # never inside append
    await done
    assert told == [({1: 2, 2: 1}, 0, True)]


async def test_every_line_is_told_durable_before_settled_returns(place: Any) -> None:
    seen: dict[int, int] = {}
    place.store.listen(seen.update)
    for seq in range(1, 5001):
        place.store.append(seq % 3, [line(seq)])
    await place.store.settled()
    assert seen == {0: 4998, 1: 4999, 2: 5000}
    assert place.store.undurable == 0


async def test_appending_nothing_is_nothing(place: Any) -> None:
    told: list[object] = []
    place.store.listen(told.append)
    place.store.append(1, [])
    await place.store.settled()
    assert told == []


async def test_the_list_given_may_be_used_again(place: Any) -> None:
    burst = [line(1), line(2)]
    place.store.append(1, burst)
    burst.clear()
    assert [kept.seq for kept in await place.store.page(Page(1, 0, 9, 9))] == [1, 2]


async def test_heads_are_above_all_numbers_that_were_given(place: Any) -> None:
    place.store.put_users([ALICE])
    place.store.append(1, [line(seq) for seq in range(1, 11)])
    heads = (await place.restart()).heads
    assert heads[1].seq >= 10 + SEQ_GAP
    assert heads[1].time == 1_000_010
    assert heads[2].seq >= SEQ_GAP
    assert heads[2].time == 0


async def test_heads_rise_at_each_start_even_if_nothing_was_kept(place: Any) -> None:
    place.store.put_users([ALICE])
    first = (await place.restart()).heads
    second = (await place.restart()).heads
    # lines up to first + SEQ_GAP may have been shown, but lost before they were stored
    assert all(second[network].seq >= first[network].seq + SEQ_GAP for network in (1, 2))


async def test_a_removed_network_keeps_its_head_and_its_history(place: Any) -> None:
    place.store.put_users([ALICE])
    place.store.append(2, [line(1)])
    place.store.put_users([], [1])
    snapshot = await place.restart()
    assert snapshot.users == ()
    assert snapshot.heads[2].seq >= 1 + SEQ_GAP
    assert [kept.seq for kept in await place.store.page(Page(2, 0, 9, 9))] == [1]


async def test_positions_are_kept_by_network_and_device(place: Any) -> None:
    place.store.put_users([ALICE])
    place.store.put_position(1, "phone", 5)
    place.store.put_position(1, "tele\udcff", 6)
    place.store.put_position(2, "phone", 7)
    place.store.put_position(1, "phone", 8)
    heads = (await place.restart()).heads
    assert heads[1].positions == {"phone": 8, "tele\udcff": 6}
    assert heads[2].positions == {"phone": 7}


async def test_a_position_may_go_back(place: Any) -> None:
    place.store.put_users([ALICE])
    place.store.put_position(1, "phone", 5)
    await place.restart()
    place.store.put_position(1, "phone", 2)
    assert (await place.restart()).heads[1].positions == {"phone": 2}


async def test_a_dropped_position_is_as_if_it_had_never_been(place: Any) -> None:
    place.store.put_users([ALICE])
    place.store.put_position(1, "phone", 5)
    place.store.put_position(1, "desk", 5)
    await place.store.settled()
    place.store.drop_position(1, "phone")
    place.store.drop_position(1, "unknown")
    place.store.drop_position(1, "desk")
    place.store.put_position(1, "desk", 1)
    assert (await place.restart()).heads[1].positions == {"desk": 1}


async def test_lines_are_deleted_by_age_everywhere(place: Any) -> None:
    place.store.append(1, [line(seq, "word", "#a" if seq % 3 else "#b") for seq in range(1, 2501)])
    place.store.append(1, [Entry(2501, 1_000_500, Message.parse(b":b QUIT"), Kind.QUIT, also=("#a", "#b"))])
    place.store.append(2, [line(1, "word")])
    await place.written()
    place.store.expire(Expiry(1, before=1_002_400))
    await gone(place, 1, "#a", 2399)
    kept = list(range(2400, 2501))
    assert [found.seq for found in await place.store.page(Page(1, 0, 9999, 9999))] == kept
    every = Range(1, ("#a", "#b"), 9999, 9999, kinds=set(Kind))
    assert [found.seq for found in await place.store.lines(every) if found.kind == Kind.PRIVMSG] == kept
    found = await place.store.search(Search((1, 2), "word", 9999))
    assert sorted((hit.network, hit.line.seq) for hit in found) == [*((1, seq) for seq in kept), (2, 1)]
    place.store.expire(Expiry(1))
    await gone(place, 1, "#a", 2500)
    await gone(place, 1, "#b", 2500)
    assert await place.store.search(Search((1,), "word", 9)) == []
    assert await place.store.lines(every) == []
    place.store.append(1, [line(2600, "word")])
    await place.written()
    assert await place.store.targets(1, 0, 2_000_000, 9) == [Talk("#a", 1_002_600)]
    assert [hit.line.seq for hit in await place.store.search(Search((1,), "word", 9))] == [2600]


async def test_lines_of_one_conversation_are_deleted(place: Any) -> None:
    place.store.append(1, [line(seq, "word", "#a" if seq % 2 else "#b") for seq in range(1, 21)])
    place.store.append(1, [Entry(21, 5, Message.parse(b":b QUIT"), Kind.QUIT, also=("#a", "#b"))])
    await place.written()
    place.store.expire(Expiry(1, "#A", upto=15))
    place.store.expire(Expiry(1, "#nobody"))
    place.store.expire(Expiry(1, "#b", before=6))
    if place.store.unindexed:
        return  # done once they are indexed
    await place.store.expired()
    found = await place.store.search(Search((1,), "word", 99))
    assert sorted(hit.line.seq for hit in found) == [2, 4, 6, 8, 10, 12, 14, 16, 17, 18, 19, 20]
    every = Range(1, ("#a",), 99, 99, kinds=set(Kind))
    assert [kept.seq for kept in await place.store.lines(every)] == [21, 17, 19]
    assert [kept.seq for kept in await place.store.lines(replace(every, targets=("#b",), limit=1))] == [2]


async def test_a_conversation_is_deleted_with_the_lines_that_came_just_before(place: Any) -> None:
    place.store.append(1, [line(seq, "word", "#a") for seq in range(1, 4)])
    await place.written()
    place.store.append(1, [line(4, "word", "#a"), line(5, "word", "#b")])
    place.store.expire(Expiry(1, "#a"))
    await place.store.settled()
    place.store.append(1, [line(6, "word", "#a")])
    await place.written()
    if place.store.unindexed:
        return  # done once they are indexed
    await place.store.expired()
    assert sorted(hit.line.seq for hit in await place.store.search(Search((1,), "word", 9))) == [5, 6]
    assert await place.store.find(1, place_id(place, 4)) is None
    assert await place.store.targets(1, 0, 2_000_000, 9) == [Talk("#b", 1_000_005), Talk("#a", 1_000_006)]


async def test_old_lines_that_came_late_are_deleted_by_age_too(place: Any) -> None:
    place.store.append(1, [line(seq, "word") for seq in range(1, 11)])
    old = [Entry(11, 5, Message.parse(b":b PRIVMSG #a :word"), Kind.PRIVMSG, "#a")]
    old += [Entry(12, 6, Message.parse(b":b QUIT"), Kind.QUIT, also=("#a", "#b"))]
    place.store.append(1, [*old, line(13, "word")])
    await place.written()
    place.store.expire(Expiry(1, before=1_000_000))
    await place.store.expired()
    if place.store.unindexed:
        return
    every = Range(1, ("#a", "#b"), 99, 99, kinds=set(Kind))
    assert [kept.seq for kept in await place.store.lines(every)] == [*range(1, 11), 13]
    assert len(await place.store.search(Search((1,), "word", 99))) == 11


async def test_numbers_of_deleted_lines_are_not_given_again(place: Any) -> None:
    place.store.put_users([ALICE])
    far = 5 * SEQ_GAP
    place.store.append(1, [line(far)])
    place.store.append(2, [line(far, target="#b")])
    await place.written()
    place.store.expire(Expiry(1))
    await place.store.expired()
    assert (await place.restart()).heads[1].seq >= far + SEQ_GAP


async def test_what_is_to_be_deleted_is_asked_for_again_after_a_restart(place: Any) -> None:
    place.store.append(1, [line(seq) for seq in range(1, 11)])
    place.store.expire(Expiry(1, upto=5))
    await place.restart()
    place.store.expire(Expiry(1, upto=5))
    await place.store.expired()
    assert [kept.seq for kept in await place.store.page(Page(1, 0, 99, 99))] == [6, 7, 8, 9, 10]


async def test_what_lines_weigh(place: Any) -> None:
    entries = [line(seq, "x" * 50, "#a" if seq % 2 else "#b") for seq in range(1, 21)]
    size = len(entries[0].message.raw)
    place.store.append(1, entries)
    await place.written()
    newest = Mark(0, LAST_SEQ)
    assert await place.store.weigh(1, "", newest, 5) == Weight(5, 5 * size, Mark(1_000_016, 16))
    assert await place.store.weigh(1, "", Mark(0, 16), 100) == Weight(15, 15 * size, Mark(1_000_001, 1))
    assert await place.store.weigh(1, "", Mark(0, 1), 100) == Weight(0, 0, Mark(0, 1))
    assert await place.store.weigh(2, "", newest, 5) == Weight(0, 0, newest)
    newest = Mark(LAST_SEQ, LAST_SEQ)
    assert await place.store.weigh(1, "#nobody", newest, 5) == Weight(0, 0, newest)
    if not place.store.unindexed:
        assert await place.store.weigh(1, "#A", newest, 3) == Weight(3, 3 * size, Mark(1_000_015, 15))
        assert await place.store.weigh(1, "#a", Mark(1_000_015, 15), 9) == Weight(7, 7 * size, Mark(1_000_001, 1))
        assert await place.store.weigh(1, "#a", Mark(1_000_001, 1), 9) == Weight(0, 0, Mark(1_000_001, 1))


def place_id(place: Any, seq: int) -> str:
    """The msgid of a line without one of its network's."""
    return f"{message_ids(place.snapshot.boot, 1)}{seq:x}"


async def gone(place: Any, network: int, target: str, upto: int) -> None:
    """Wait until a conversation has no text up to this number any more."""
    await place.store.settled()
    while await place.store.lines(Range(network, (target,), upto, 1)):
        await place.store.settled()


async def test_a_closed_store_says_so(place: Any) -> None:
    place.store.append(1, [line(1)])
    place.store.close()
    place.store.close()
    with pytest.raises(Unavailable, match="closed"):
        await place.store.settled()
    with pytest.raises(Unavailable, match="closed"):
        await place.store.page(Page(1, 0, 9, 9))


async def test_closing_commits_what_waits(place: Any) -> None:
    place.store.append(1, [line(seq) for seq in range(1, 3001)])
    assert place.store.undurable == 3000
    place.store.close()
    assert place.store.undurable == 0


async def test_imported_lines_are_missed_by_nobody_and_are_found_by_time_and_msgid(place: Any) -> None:
    old = Message.parse(b":bob!b@host PRIVMSG #a :of the past")
    place.store.put_users([ALICE])
    place.store.append(1, [line(1), ImportedEntry(2, 500, old, Kind.PRIVMSG, "#a"), line(3)])
    place.store.put_position(1, "phone", 0)
    assert [kept.seq for kept in await place.store.page(Page(1, 0, 9, 9))] == [1, 3]
    assert (await place.store.devices(1))["phone"].behind == 2
    assert await place.store.first_helping(1, 2, 0) == 0
    assert await place.store.first_helping(1, 1, 0) == 2
    for _ in range(2):  # also after a restart
        await place.written()
        found = await place.store.lines(Range(1, ("#a",), 9, 9))
        assert [(kept.seq, kept.boot == 0) for kept in found] == [(2, True), (1, False), (3, False)]
        others = await place.store.lines(Range(1, ("#a",), 9, 9, imported=False))
        assert [kept.seq for kept in others] == [1, 3]
        assert await place.store.find(1, "bnc-0-1-2") == (500, 2)
        assert [hit.line.seq for hit in await place.store.search(Search((1,), "past", 9))] == [2]
        await place.restart()
