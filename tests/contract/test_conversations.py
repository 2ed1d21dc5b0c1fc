"""What every implementation of History promises of conversations: pages, places, names and markers."""

from __future__ import annotations

from typing import Any

import pytest

from bouncer.irc.message import Message
from bouncer.model.entry import Entry, Kind
from bouncer.model.history import LAST_SEQ, Mark, Range
from bouncer.model.log import message_ids
from bouncer.model.ports import Talk

END = Mark(5_000, LAST_SEQ)


def line(
    seq: int, time: int, target: str = "#a", kind: Kind = Kind.PRIVMSG, msgid: str = "", also: tuple[str, ...] = ()
) -> Entry:
    raw = f"{f'@msgid={msgid} ' if msgid else ''}:bob!b@host {kind.name} {target or 'x'} :text {seq}"
    return Entry(seq, time, Message.parse(raw.encode("utf-8", "surrogateescape")), kind, target, also=also)


async def seqs(place: Any, *targets: str, limit: int = 100, upto: int = LAST_SEQ, **more: Any) -> list[int]:
    found = await place.store.lines(Range(1, targets, upto, limit, **more))
    return [kept.seq for kept in found]


async def test_a_conversation_in_order_of_time_then_number(place: Any) -> None:
    place.store.append(1, [line(1, 50), line(2, 40), line(3, 50), line(4, 45, "#b"), line(5, 40)])
    await place.written()
    assert await seqs(place, "#a") == [2, 5, 1, 3]
    assert await seqs(place, "#A") == [2, 5, 1, 3]
    assert await seqs(place, "#b", "#a") == [2, 5, 4, 1, 3]
    assert await seqs(place, "#a", "#A", "#nobody") == [2, 5, 1, 3]
    assert await seqs(place, "#a", limit=2) == [2, 5]
    assert await seqs(place, "#a", limit=3, newest=True) == [5, 1, 3]


async def test_bounds_are_exact_within_one_millisecond(place: Any) -> None:
    place.store.append(1, [line(seq, 1_000 + seq // 10) for seq in range(1, 41)])
    await place.written()
    assert await seqs(place, "#a", after=Mark(1_001, 14), limit=3) == [15, 16, 17]
    assert await seqs(place, "#a", before=Mark(1_001, 14), limit=3, newest=True) == [11, 12, 13]
    assert await seqs(place, "#a", after=Mark(1_001, LAST_SEQ), before=Mark(1_003, 0)) == list(range(20, 30))
    assert await seqs(place, "#a", after=Mark(1_003, 35), before=Mark(1_003, 37)) == [36]
    assert await seqs(place, "#a", after=Mark(1_003, 37), before=Mark(1_003, 35)) == []


@pytest.mark.parametrize("size", [1, 3, 7])
async def test_paging_either_way_misses_nothing_and_repeats_nothing(place: Any, size: int) -> None:
    place.store.append(1, [line(seq, 1_000 + seq * 7 % 5) for seq in range(1, 31)])
    await place.written()
    every = await seqs(place, "#a")
    assert sorted(every) == list(range(1, 31))
    forward: list[int] = []
    after = None
    while page := await place.store.lines(Range(1, ("#a",), LAST_SEQ, size, after=after)):
        forward += [kept.seq for kept in page]
        after = Mark(page[-1].time, page[-1].seq)
    assert forward == every
    backward: list[int] = []
    before = None
    while page := await place.store.lines(Range(1, ("#a",), LAST_SEQ, size, before=before, newest=True)):
        backward[:0] = [kept.seq for kept in page]
        before = Mark(page[0].time, page[0].seq)
    assert backward == every


async def test_kinds_are_chosen(place: Any) -> None:
    place.store.append(1, [line(int(kind), 1, kind=kind) for kind in Kind if kind])
    await place.written()
    assert await seqs(place, "#a") == [Kind.PRIVMSG, Kind.NOTICE]
    assert await seqs(place, "#a", kinds={Kind.JOIN, Kind.TOPIC}) == [Kind.JOIN, Kind.TOPIC]
    assert await seqs(place, "#a", kinds=set()) == []


async def test_a_quit_is_kept_once_and_seen_in_each_of_its_channels(place: Any) -> None:
    every = {Kind.PRIVMSG, Kind.QUIT}
    place.store.append(1, [line(1, 1), line(2, 2, "", Kind.QUIT, also=("#a", "#B", "#A")), line(3, 3, "#b")])
    await place.written()
    assert await seqs(place, "#a", kinds=every) == [1, 2]
    assert await seqs(place, "#b", kinds=every) == [2, 3]
    assert await seqs(place, "#a", "#b", kinds=every) == [1, 2, 3]
    assert await seqs(place, "#a") == [1]
    await place.restart()
    await place.written()
    assert await seqs(place, "#b", kinds=every) == [2, 3]


async def test_a_nick_change_ties_both_names_of_a_conversation(place: Any) -> None:
    place.store.append(1, [line(1, 1, "bob"), line(2, 2, "bob", Kind.NICK, also=("rob", "bob")), line(3, 3, "rob")])
    await place.written()
    kinds = {Kind.PRIVMSG, Kind.NICK}
    assert await seqs(place, "bob", "rob", kinds=kinds) == [1, 2, 3]
    assert await seqs(place, "rob", kinds=kinds) == [2, 3]


async def test_what_came_after_the_question_is_left_out(place: Any) -> None:
    place.store.append(1, [line(seq, seq) for seq in range(1, 11)])
    assert await seqs(place, "#a", upto=4) == [1, 2, 3, 4]
    await place.written()
    assert await seqs(place, "#a", upto=4) == [1, 2, 3, 4]
    assert await seqs(place, "#a", upto=4, newest=True, limit=2) == [3, 4]


async def test_what_waits_is_committed_for_who_asks(place: Any) -> None:
    for seq in range(1, 101):
        place.store.append(1, [line(seq, seq)])
    assert await seqs(place, "#a", upto=100) == list(range(1, 101))


@pytest.mark.parametrize("limit", [0, -1, 10**9, 10**30])
async def test_any_limit_is_granted_as_far_as_is_sane(place: Any, limit: int) -> None:
    place.store.append(1, [line(1, 1), line(2, 2)])
    await place.written()
    assert await seqs(place, "#a", limit=limit) == ([1, 2] if limit > 0 else [])
    assert await place.store.targets(1, 0, 9, limit) == ([Talk("#a", 2)] if limit > 0 else [])


async def test_times_of_any_year(place: Any) -> None:
    times = [0, 1, 4_102_444_800_000, 253_402_300_799_999, -1]
    place.store.append(1, [line(seq, time, msgid=f"id{seq}") for seq, time in enumerate(times, start=1)])
    await place.written()
    assert await seqs(place, "#a") == [5, 1, 2, 3, 4]
    assert await seqs(place, "#a", after=Mark(-(10**30), 0), before=Mark(10**30, 10**30)) == [5, 1, 2, 3, 4]
    assert await seqs(place, "#a", before=Mark(10**30, 0), newest=True, limit=1) == [4]
    assert await place.store.find(1, "id4") == Mark(times[3], 4)


async def test_nobody_ever_saw_it(place: Any) -> None:
    place.store.append(1, [line(1, 1)])
    await place.written()
    assert await seqs(place, "#nobody") == []
    assert await seqs(place) == []
    assert await place.store.lines(Range(9, ("#a",), 9, 9)) == []
    assert await place.store.find(9, "x") is None
    assert await place.store.targets(9, 0, 9, 9) == []
    assert await place.store.markers(9) == {}


async def test_a_line_is_found_by_its_networks_msgid(place: Any) -> None:
    place.store.append(
        1, [line(1, 10, msgid="aB"), line(2, 20), line(3, 30, msgid="Ab"), line(4, 5, "#b", msgid="é\udcff")]
    )
    place.store.append(2, [line(1, 99, msgid="other")])
    await place.written()
    assert await place.store.find(1, "aB") == Mark(10, 1)
    assert await place.store.find(1, "Ab") == Mark(30, 3)
    assert await place.store.find(1, "é\udcff") == Mark(5, 4)
    assert await place.store.find(1, "other") is None
    assert await place.store.find(1, "") is None
    assert await place.store.find(1, '" OR x NOT (') is None


async def test_a_join_is_found_by_its_msgid_too(place: Any) -> None:
    place.store.append(1, [line(1, 10, kind=Kind.JOIN, msgid="j")])
    await place.written()
    assert await place.store.find(1, "j") == Mark(10, 1)


async def test_of_lines_with_one_msgid_the_first_is_found(place: Any) -> None:
    place.store.append(1, [line(seq, 100 - seq, msgid="same") for seq in range(1, 6)])
    await place.written()
    place.store.append(1, [line(6, 1, msgid="same")])
    assert await place.store.find(1, "same") == Mark(99, 1)


async def test_odd_msgids_page_like_others(place: Any) -> None:
    """Long, with odd bytes, like ours, of several lines: each stands where its first line does."""
    long = "x" * 4000
    ids = [long, f"{long}y", "bnc-1-1-3", "bnc-ffffffffffffffff-1-1", "=", "*", "é\udcff\udc80", "same", "same", "%_'"]
    place.store.append(1, [line(seq, 100, msgid=msgid) for seq, msgid in enumerate(ids, start=1)])
    await place.store.settled()
    for seq, msgid in enumerate(ids, start=1):
        if msgid == "bnc-1-1-3":
            continue  # that it has no line of ours is another test
        mark = await place.store.find(1, msgid)
        assert mark == Mark(100, 8 if msgid == "same" else seq), msgid[:20]
    assert await place.store.find(1, "x" * 3999) is None


async def test_a_line_is_found_by_the_msgid_that_we_gave(place: Any) -> None:
    boot = place.snapshot.boot
    place.store.append(1, [line(0xAB, 10), line(0xAC, 11, msgid="theirs")])
    await place.written()
    assert await place.store.find(1, f"{message_ids(boot, 1)}ab") == Mark(10, 0xAB)
    assert await place.store.find(1, f"{message_ids(boot, 1)}ac") is None  # it was shown with the network's
    assert await place.store.find(1, f"{message_ids(boot, 1)}ad") is None
    assert await place.store.find(1, f"{message_ids(boot + 1, 1)}ab") is None
    assert await place.store.find(1, f"{message_ids(boot, 2)}ab") is None
    assert await place.store.find(1, f"{message_ids(boot, 1)}ffffffffffffffffffff") is None
    await place.restart()
    assert await place.store.find(1, f"{message_ids(boot, 1)}ab") == Mark(10, 0xAB)


async def test_conversations_by_the_time_of_their_latest_text(place: Any) -> None:
    place.store.append(1, [line(1, 10), line(2, 30, "#b"), line(3, 20, "bob"), line(4, 90, "#joins", Kind.JOIN)])
    await place.written()
    place.store.append(1, [line(5, 25, "#A"), line(6, 95, "bob", Kind.QUIT), line(7, 12, "#b")])
    assert await place.store.targets(1, 0, 100, 9) == [Talk("bob", 20), Talk("#A", 25), Talk("#b", 30)]
    assert await place.store.targets(1, 20, 30, 9) == [Talk("#A", 25)]
    assert await place.store.targets(1, 0, 100, 2) == [Talk("#A", 25), Talk("#b", 30)]
    assert await place.store.targets(1, 30, 20, 9) == []
    assert await place.store.targets(1, -(10**30), 10**30, 1) == [Talk("#b", 30)]
    await place.restart()
    await place.written()
    assert await place.store.targets(1, 0, 100, 9) == [Talk("bob", 20), Talk("#A", 25), Talk("#b", 30)]


async def test_markers_only_go_forward(place: Any) -> None:
    place.store.put_marker(1, "#a", 50)
    place.store.put_marker(1, "#A", 40)
    place.store.put_marker(1, "b\udcff", 7)
    place.store.put_marker(2, "#a", 1)
    assert await place.store.markers(1) == {"#a": 50, "b\udcff": 7}
    await place.restart()
    place.store.put_marker(1, "#A", 60)
    place.store.put_marker(1, "b\udcff", 6)
    assert await place.store.markers(1) == {"#A": 60, "b\udcff": 7}
    assert await place.store.markers(2) == {"#a": 1}
