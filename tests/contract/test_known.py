"""What every implementation of History promises of lines of the past: which of them are kept already."""

from __future__ import annotations

from typing import Any

import pytest

from bouncer.irc.message import Message
from bouncer.model.entry import Entry, Kind
from bouncer.model.history import LAST_SEQ, OWN_SLACK_MS, Range, Trace, words_of
from bouncer.model.records import Network, User

KINDS = {"PRIVMSG": Kind.PRIVMSG, "NOTICE": Kind.NOTICE, "JOIN": Kind.JOIN, "QUIT": Kind.QUIT}


def entry(seq: int, time: int, line: str, target: str = "#a", device: str = "", also: tuple[str, ...] = ()) -> Entry:
    message = Message.parse(line.encode("utf-8", "surrogateescape"))
    return Entry(seq, time, message, KINDS[message.command], target, device, also=also)


def trace(time: int, line: str, target: str = "#a") -> Trace:
    message = Message.parse(line.encode("utf-8", "surrogateescape"))
    msgid = message.tags.get("msgid", "")
    return Trace(msgid, time, target, message.nick, message.command, words_of(message))


async def known(place: Any, *traces: Trace, network: int = 1) -> list[int]:
    return sorted(await place.store.known(network, traces))


@pytest.fixture(params=["just appended", "written"])
async def kept(request: pytest.FixtureRequest, place: Any) -> Any:
    """A store with some lines, asked at once, or when they are committed."""
    place.store.append(
        1,
        [
            entry(1, 1000, "@msgid=one :bob!b@h PRIVMSG #a :hello"),
            entry(2, 2000, ":bob!b@h PRIVMSG #a :bare"),
            entry(3, 2000, ":bob!b@h PRIVMSG #a :bare"),
            entry(4, 3000, ":alice!a@h PRIVMSG #A :mine", device="phone"),
            entry(5, 4000, ":carol!c@h QUIT :gone", target="", also=("#a", "#b")),
            entry(6, 5000, "@msgid=caf\udce9 :bob!b@h PRIVMSG alice :psst", target="bob"),
            entry(7, 500, ":bob!b@h PRIVMSG #a :of the past"),
        ],
    )
    if request.param == "written":
        await place.written()
    return place


async def test_by_msgid_whatever_else_it_says(kept: Any) -> None:
    other = trace(9_999_999, "@msgid=one :bob!b@h PRIVMSG #a :hello")
    assert await known(kept, other, trace(1000, "@msgid=two :bob!b@h PRIVMSG #a :hello")) == [0]
    assert await known(kept, trace(1, "@msgid=caf\udce9 :bob!b@h PRIVMSG alice :x", "bob")) == [0]
    assert await known(kept, other, network=2) == []


async def test_one_msgid_twice_is_one_line(kept: Any) -> None:
    new = trace(1, "@msgid=new :bob!b@h PRIVMSG #a :x")
    assert await known(kept, new, new) == [1]


async def test_by_words_in_the_same_millisecond(kept: Any) -> None:
    assert await known(
        kept,
        trace(2000, ":BOB!other@host PRIVMSG #A :bare", "#A"),
        trace(2001, ":bob!b@h PRIVMSG #a :bare"),
        trace(2000, ":bob!b@h PRIVMSG #a :Bare"),
        trace(2000, ":bob!b@h NOTICE #a :bare"),
        trace(2000, ":bert!b@h PRIVMSG #a :bare"),
        trace(2000, ":bob!b@h PRIVMSG #b :bare", "#b"),
        trace(500, ":bob!b@h PRIVMSG #a :of the past"),
        trace(1000, ":bob!b@h PRIVMSG #a :hello"),
        trace(2000, ":bob!b@h PRIVMSG #nobody :bare", "#nobody"),
    ) == [0, 6, 7]


async def test_each_kept_line_counts_once(kept: Any) -> None:
    bare = trace(2000, ":bob!b@h PRIVMSG #a :bare")
    assert await known(kept, bare, bare, bare) == [0, 1]


async def test_the_users_own_lines_have_our_time(kept: Any) -> None:
    assert await known(kept, trace(3000 + OWN_SLACK_MS, "@msgid=m :alice!a@h PRIVMSG #a :mine")) == [0]
    assert await known(kept, trace(3001 + OWN_SLACK_MS, "@msgid=m :alice!a@h PRIVMSG #a :mine")) == []
    both = [trace(3000 + late, f"@msgid=m{late} :alice!a@h PRIVMSG #a :mine") for late in (0, 10)]
    assert await known(kept, *both) == [0]


async def test_a_quit_in_each_of_its_channels(kept: Any) -> None:
    for channel in ("#a", "#b"):
        assert await known(kept, trace(4000, ":carol!c@h QUIT :gone", channel)) == [0]
    assert await known(kept, trace(4000, ":carol!c@h QUIT :gone", "#c")) == []


async def test_two_thousand_at_once(place: Any) -> None:
    lines = [entry(seq, seq * 700_000, f"@msgid=m{seq} :b!b@h PRIVMSG #a :{seq}") for seq in range(1, 2001)]
    place.store.append(1, lines[::2])
    await place.written()
    asked = [trace(line.time, line.message.raw.decode()) for line in lines]
    assert await known(place, *asked) == list(range(0, 2000, 2))
    bare = [each._replace(msgid="") for each in asked]
    assert await known(place, *bare) == list(range(0, 2000, 2))


async def test_nothing_is_known_of_nothing(place: Any) -> None:
    assert await known(place) == []
    assert await known(place, trace(1, ":bob!b@h PRIVMSG #a :hello")) == []


async def test_lines_above_a_number(kept: Any) -> None:
    found = await kept.store.lines(Range(1, ("#a",), LAST_SEQ, 10, above=2))
    assert [line.seq for line in found] == [7, 3, 4]
    assert [line.seq for line in await kept.store.lines(Range(1, ("#a",), 6, 1, above=2, newest=True))] == [4]


async def test_the_latest_time_is_known_at_the_next_start(kept: Any) -> None:
    kept.store.put_users([User(id=1, name="alice", networks=(Network(id=1, name="one"), Network(id=2, name="two")))])
    heads = (await kept.restart()).heads
    assert heads[1].time == 5000
    assert heads[2].time == 0
