"""What every implementation of History promises."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bouncer.irc.message import Message
from bouncer.model.entry import TEXT_KINDS, Entry, Kind
from bouncer.model.ports import BEHIND_LIMIT, Kept, Page

RAW = b"@time=2026-01-01T00:00:00.000Z;msgid=abc :bob!b@host PRIVMSG #a :caf\xe9 \x01ACTION\x01"


def lines(*seqs: int, kind: Kind = Kind.PRIVMSG, target: str = "#a") -> list[Entry]:
    message = Message.parse(f":b PRIVMSG {target} :text".encode("utf-8", "surrogateescape"))
    return [Entry(seq, seq * 1000, message, kind, target) for seq in seqs]


async def seqs(place: Any, after: int, upto: int, limit: int = 100, network: int = 1) -> list[int]:
    return [kept.seq for kept in await place.store.page(Page(network, after, upto, limit))]


async def test_a_line_comes_back_byte_for_byte(place: Any) -> None:
    entry = Entry(4, 1_790_000_000_123, Message.parse(RAW), Kind.NOTICE, "#a", "phone\udcff")
    place.store.append(1, [entry])
    assert list(await place.store.page(Page(1, 0, 9, 9))) == [
        Kept(4, 1_790_000_000_123, Kind.NOTICE, "#a", "phone\udcff", place.snapshot.boot, RAW)
    ]


async def test_a_line_keeps_the_boot_in_which_it_came(place: Any) -> None:
    place.store.append(1, lines(1))
    first = place.snapshot.boot
    second = (await place.restart()).boot
    place.store.append(1, lines(2))
    assert [kept.boot for kept in await place.store.page(Page(1, 0, 9, 9))] == [first, second]


async def test_pages_are_runs_of_the_oldest_first(place: Any) -> None:
    place.store.append(1, lines(*range(1, 21)))
    assert await seqs(place, 0, 20, 5) == [1, 2, 3, 4, 5]
    assert await seqs(place, 5, 20, 5) == [6, 7, 8, 9, 10]
    assert await seqs(place, 5, 7) == [6, 7]
    assert await seqs(place, 20, 20) == []
    assert await seqs(place, 18, 1_000_000) == [19, 20]
    assert await seqs(place, 0, 20, 0) == []


async def test_only_text_is_given(place: Any) -> None:
    place.store.append(1, [entry for kind in Kind if kind for entry in lines(int(kind), kind=kind)])
    assert await seqs(place, 0, 100) == sorted(TEXT_KINDS)
    assert await seqs(place, 0, 100, 1) == [min(TEXT_KINDS)]


async def test_networks_are_apart(place: Any) -> None:
    place.store.append(1, lines(1, 2))
    place.store.append(2, lines(1, 3))
    assert await seqs(place, 0, 9, network=1) == [1, 2]
    assert await seqs(place, 0, 9, network=2) == [1, 3]
    assert await seqs(place, 0, 9, network=3) == []


async def test_a_page_holds_all_that_was_appended_before_it_was_asked_for(place: Any) -> None:
    for seq in range(1, 2501):
        place.store.append(1, lines(seq))
    assert await seqs(place, 0, 2500, 5000) == list(range(1, 2501))


async def test_old_lines_are_given_while_new_ones_wait(place: Any) -> None:
    place.store.append(1, lines(1, 2))
    await place.store.settled()
    place.store.append(1, lines(3))
    assert await seqs(place, 0, 2) == [1, 2]
    assert await seqs(place, 0, 3) == [1, 2, 3]


async def test_case_does_not_part_a_conversation(place: Any) -> None:
    for seq, target in enumerate(("#Py[a]", "#py{a}", "#PY[A}", "", "ÄB", "äb", "x\udcff"), start=1):
        place.store.append(1, lines(seq, target=target))
    targets = [kept.target for kept in await place.store.page(Page(1, 0, 9, 9))]
    assert targets == ["#PY[A}", "#PY[A}", "#PY[A}", "", "ÄB", "äb", "x\udcff"]  # the newest spelling holds
    await place.restart()
    place.store.append(1, lines(8, target="#pY[a]"))
    place.store.append(2, lines(1, target="#pY[a]"))
    assert {kept.target for kept in await place.store.page(Page(1, 0, 9, 9))} == {"#pY[a]", "", "ÄB", "äb", "x\udcff"}
    assert [kept.target for kept in await place.store.page(Page(2, 0, 9, 9))] == ["#pY[a]"]


@pytest.mark.parametrize(
    ("wanted", "since", "position"),
    [
        (3, 0, 7),  # the last three
        (100, 0, 0),  # all there are
        (100, 6_000, 5),  # of those, from 6 s on
        (2, 6_000, 8),  # the fewer of both
        (100, 60_000, 20),  # nothing so new: nothing is missed, joins neither
        (0, 0, 20),
    ],
)
async def test_first_helping(place: Any, wanted: int, since: int, position: int) -> None:
    place.store.append(1, lines(*range(1, 11)))
    place.store.append(1, lines(*range(11, 21), kind=Kind.JOIN))
    assert await place.store.first_helping(1, wanted, since) == position
    assert await seqs(place, position, 100) == list(range(position + 1, 11))


async def test_first_helping_where_nothing_is_kept(place: Any) -> None:
    assert await place.store.first_helping(1, 1000, 0) == 0


async def test_devices_and_what_they_have_still_to_read(place: Any) -> None:
    place.store.append(1, lines(*range(1, 11)))
    place.store.append(1, lines(11, 12, kind=Kind.JOIN))
    place.store.append(2, lines(1, 2, 3))
    for device, seq in (("phone", 12), ("new", 0), ("b\udcffd", 7)):
        place.store.put_position(1, device, seq)
    found = await place.store.devices(1)
    assert {device: seen.behind for device, seen in found.items()} == {"phone": 0, "new": 10, "b\udcffd": 3}
    await place.restart()
    place.store.drop_position(1, "new")
    assert set(await place.store.devices(1)) == {"phone", "b\udcffd"}
    assert await place.store.devices(2) == {}
    place.store.put_position(2, "far", 0)
    place.store.append(2, lines(*range(4, BEHIND_LIMIT + 100)))
    assert (await place.store.devices(2))["far"].behind == BEHIND_LIMIT


async def test_many_may_ask_at_once(place: Any) -> None:
    place.store.append(1, lines(*range(1, 101)))
    pages = await asyncio.gather(*(seqs(place, start, start + 10) for start in range(0, 100, 10)))
    assert pages == [list(range(start + 1, start + 11)) for start in range(0, 100, 10)]
