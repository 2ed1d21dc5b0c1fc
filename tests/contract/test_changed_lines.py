"""What every store promises of lines that are taken back, and of channels that get another name."""

from __future__ import annotations

from typing import Any

import pytest

from bouncer.irc.message import Message
from bouncer.model.entry import LINKED_KINDS, SHOWN_KINDS, TEXT_KINDS, Entry, Kind
from bouncer.model.history import LAST_SEQ, Expiry, Mark, Range, Search
from bouncer.model.ports import Kept, Page, Talk

EVERY = frozenset(Kind)


def entry(seq: int, raw: str, target: str = "#a", kind: Kind = Kind.PRIVMSG, also: tuple[str, ...] = ()) -> Entry:
    return Entry(seq, seq * 1000, Message.parse(raw.encode()), kind, target, also=also)


def text(seq: int, target: str = "#a", words: str = "hello", msgid: str = "") -> Entry:
    return entry(seq, f"@msgid={msgid or f'm{seq}'};+x=secret :bob!b@host PRIVMSG {target} :{words} {seq}", target)


def renamed(seq: int, old: str, new: str) -> Entry:
    return entry(seq, f":irc.example RENAME {old} {new} :why", new, Kind.RENAME, (old,))


async def lines(place: Any, *targets: str, kinds: frozenset[Kind] = EVERY) -> list[Kept]:
    found: list[Kept] = await place.store.lines(Range(1, targets, LAST_SEQ, 100, kinds=kinds))
    return found


async def seqs(place: Any, *targets: str, kinds: frozenset[Kind] = EVERY) -> list[int]:
    return [line.seq for line in await lines(place, *targets, kinds=kinds)]


async def found(place: Any, words: str, target: str = "") -> list[int]:
    return [hit.line.seq for hit in await place.store.search(Search((1,), words, 100, target))]


# --- taken back


@pytest.mark.parametrize("before", [True, False])  # whether it is committed, and indexed, when it is taken back
async def test_what_is_taken_back_is_found_no_more(place: Any, before: bool) -> None:
    place.store.append(1, [text(1, words="unspeakable"), text(2), text(3)])
    if before:
        await place.written()
    place.store.redact(1, "#A", "m1")
    await place.written()
    assert await seqs(place, "#a", kinds=TEXT_KINDS) == [2, 3]
    assert [line.seq for line in await place.store.page(Page(1, 0, 9, 9))] == [2, 3]
    assert await found(place, "unspeakable") == await found(place, "unspeak*") == []
    assert await found(place, "hello") == [3, 2]
    place.store.expire(Expiry(1, "#a", upto=1))
    if not place.store.unindexed:
        await place.store.expired()
    assert await found(place, "hello") == [3, 2]
    place.store.append(1, [text(4)])
    await place.written()
    assert await found(place, "hello") == [4, 3, 2]


async def test_its_place_is_kept(place: Any) -> None:
    place.store.append(1, [text(1), text(2)])
    place.store.redact(1, "#a", "m1")
    await place.written()
    assert await place.store.find(1, "m1") == Mark(1000, 1)
    (left,) = await lines(place, "#a", kinds=frozenset({Kind.REDACTED}))
    assert left.raw == b"@msgid=m1 :bob!b@host PRIVMSG #a :"
    assert Kind.REDACTED not in SHOWN_KINDS


async def test_a_reaction_is_taken_back_and_what_is_gone_stays_gone(place: Any) -> None:
    reaction = entry(1, "@msgid=m1;+draft/react=lol :bob!b@host TAGMSG #a", kind=Kind.TAGMSG)
    place.store.append(1, [reaction, text(2)])
    await place.written()
    for _ in range(2):
        place.store.redact(1, "#a", "m1")
        await place.written()
    (left, _) = await lines(place, "#a")
    assert (left.kind, left.raw) == (Kind.REDACTED, b"@msgid=m1 :bob!b@host TAGMSG #a :")
    place.store.expire(Expiry(1, "#a", upto=1))
    if not place.store.unindexed:
        await place.store.expired()
    place.store.append(1, [text(3)])
    await place.written()
    assert await found(place, "hello") == [3, 2]


async def test_only_that_line_of_that_conversation_is_taken_back(place: Any) -> None:
    topic = entry(3, "@msgid=same :bob!b@host TOPIC #a :hello", kind=Kind.TOPIC)
    place.store.append(1, [text(1, "#b", msgid="same"), text(2, msgid="other"), topic, text(4, msgid="Same")])
    place.store.append(2, [text(1, msgid="same")])
    await place.written()
    for target, msgid in (("#a", "same"), ("#nowhere", "other"), ("#a", "unheard-of"), ("#a", "")):
        place.store.redact(1, target, msgid)
    await place.written()
    assert [line.kind for line in await lines(place, "#a", "#b")] == [1, 1, Kind.TOPIC, 1]
    assert len(await place.store.page(Page(2, 0, 9, 9))) == 1


async def test_every_line_with_that_msgid_is_taken_back(place: Any) -> None:
    place.store.append(1, [text(1, msgid="same")])
    await place.written()
    place.store.append(1, [text(2, msgid="same")])
    place.store.redact(1, "#a", "same")
    await place.written()
    assert await seqs(place, "#a", kinds=TEXT_KINDS) == []
    assert await found(place, "hello") == []


async def test_it_stays_taken_back(place: Any) -> None:
    place.store.append(1, [text(1), text(2)])
    place.store.redact(1, "#a", "m1")
    await place.restart()
    await place.written()
    assert await seqs(place, "#a", kinds=TEXT_KINDS) == await found(place, "hello") == [2]


# --- another name


async def test_a_conversation_goes_on_under_its_new_name(place: Any) -> None:
    place.store.append(1, [text(1, "#old"), text(2, "#b"), renamed(3, "#OLD", "#new"), text(4, "#New")])
    await place.written()
    assert await seqs(place, "#new") == [1, 3, 4]
    assert await seqs(place, "#old") == []
    assert {line.target for line in await lines(place, "#new")} == {"#New"}
    assert await found(place, "hello", "#new") == [4, 1]
    assert await place.store.targets(1, 0, LAST_SEQ, 9) == [Talk("#b", 2000), Talk("#New", 4000)]
    place.store.append(1, [text(5, "#old")])
    await place.written()
    assert await seqs(place, "#old") == [5]
    assert await seqs(place, "#new") == [1, 3, 4]


async def test_what_was_kept_long_before_goes_with_it(place: Any) -> None:
    quit_ = entry(2, ":bob!b@host QUIT :bye", "", Kind.QUIT, ("#old", "#b"))
    place.store.append(1, [text(1, "#old"), quit_])
    await place.restart()
    await place.written()
    place.store.append(1, [renamed(3, "#old", "#new")])
    await place.written()
    assert await seqs(place, "#new") == [1, 2, 3]
    assert await seqs(place, "#b") == [2]
    (line,) = await place.store.page(Page(1, 0, 9, 9, frozenset({Kind.QUIT})))
    assert line.also == ("#b", "#new")


async def test_where_the_new_name_has_history_each_keeps_its_own(place: Any) -> None:
    place.store.append(1, [text(1, "#old"), text(2, "#new")])
    await place.written()
    place.store.append(1, [renamed(3, "#old", "#new"), text(4, "#new")])
    await place.written()
    assert await seqs(place, "#old") == [1, 3]
    assert await seqs(place, "#new") == [2, 3, 4]


async def test_a_name_that_is_only_spelled_otherwise(place: Any) -> None:
    place.store.append(1, [text(1, "#old"), renamed(2, "#old", "#Old"), text(3, "#Old")])
    await place.written()
    assert await seqs(place, "#old") == [1, 2, 3]
    assert {line.target for line in await lines(place, "#old")} == {"#Old"}


async def test_there_and_back_again(place: Any) -> None:
    steps = [text(1, "#a"), renamed(2, "#a", "#b"), text(3, "#b"), renamed(4, "#b", "#a"), text(5, "#a")]
    place.store.append(1, steps)
    await place.written()
    assert await seqs(place, "#a") == [1, 2, 3, 4, 5]
    assert await seqs(place, "#b") == []


async def test_an_unknown_channel_may_be_renamed(place: Any) -> None:
    place.store.append(1, [renamed(1, "#old", "#new")])
    await place.written()
    assert await seqs(place, "#new") == [1]


# --- several conversations


async def test_pages_may_have_other_kinds_and_say_where_else_they_belong(place: Any) -> None:
    quit_ = entry(2, ":bob!b@host QUIT :bye", "", Kind.QUIT, ("#b", "#A", "#a"))
    nick = entry(4, ":eve!e@host NICK eva", "", Kind.NICK, ("#b", "eve", "eva"))
    place.store.append(1, [text(1), quit_, entry(3, ":bob!b@host JOIN #a", kind=Kind.JOIN), nick, text(5)])
    await place.written()
    page = await place.store.page(Page(1, 0, 9, 9, EVERY))
    assert [line.seq for line in page] == [1, 2, 3, 4, 5]
    assert [len(line.also) for line in page] == [0, 2, 0, 3, 0]
    assert set(page[3].also) == {"#b", "eve", "eva"}
    assert [line.seq for line in await place.store.page(Page(1, 1, 9, 2, LINKED_KINDS))] == [2, 4]
    if place.store.unindexed:
        return  # what follows is done once they are indexed
    place.store.expire(Expiry(1, "#b", upto=3))
    await place.store.expired()
    (line,) = await place.store.page(Page(1, 1, 2, 9, EVERY))
    assert [name.lower() for name in line.also] == ["#a"]
