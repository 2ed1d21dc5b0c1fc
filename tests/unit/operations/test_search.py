from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from bouncer.irc.message import Message
from bouncer.model.entry import Entry, Kind
from bouncer.operations.context import MACHINE, Actor

if TYPE_CHECKING:
    from tests.unit.conftest import Bench

ALICE = Actor("alice")
T0 = 1_700_000_000_000  # 2023-11-14 22:13:20 UTC


def say(
    bench: Bench, seq: int, text: str, nick: str = "bob", target: str = "#python", time: int = 0, command: str = ""
) -> None:
    """A line in alice's libera."""
    kind = Kind[command or "PRIVMSG"]
    message = Message.parse(f":{nick}!u@h {kind.name} {target} :{text}".encode("utf-8", "surrogateescape"))
    entry = Entry(seq, time or T0 + seq * 60_000, message, kind, target)
    bench.store.append(bench.network("alice", "libera").id, [entry])


@pytest.fixture
async def told(stocked: Bench) -> Bench:
    say(stocked, 1, "the release notes are out")
    say(stocked, 2, "notes on the release", "carol")
    say(stocked, 3, "\x01ACTION releases a \x0304red\x03 balloon\x01", "carol", "carol")
    say(stocked, 4, "release at noon", "dave", "#rust", command="NOTICE")
    await stocked.store.settled()
    return stocked


async def test_what_was_found_is_shown_oldest_first(told: Bench) -> None:
    assert (await told.do("search release", ALICE)).lines == (
        "2023-11-14 22:14 libera/#python <bob> the release notes are out",
        "2023-11-14 22:15 libera/#python <carol> notes on the release",
        "2023-11-14 22:17 libera/#rust -dave- release at noon",
    )
    assert (await told.do("search releases", ALICE)).lines == (
        "2023-11-14 22:16 libera/carol * carol releases a red balloon",
    )


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("libera release", "1 2 4"),
        ("release libera", ""),
        ("release in=#Python", "1 2"),
        ("in=#python release", "1 2"),
        ("libera in=#python", "1 2"),
        ("from=Carol", "2 3"),
        ("in=carol", "3"),
        ('"release notes"', "1"),
        ("release notes", "1 2"),
        ("'notes on' from=carol", "2"),
        ('text="release notes" from=bob', "1"),
        ("releas*", "1 2 3 4"),
        ("release after=2023-11-14T22:15:20", "2 4"),
        ("release after=2023-11-14T22:15:20.001", "4"),
        ("release before=2023-11-14T22:15:20", "1"),
        ("release before='2023-11-14 23:15:20+01:00'", "1"),
        ("release after=2023-11-15", ""),
        ("a=b", ""),
    ],
)
async def test_what_is_asked_for(told: Bench, typed: str, found: str) -> None:
    result = await told.do(f"search {typed}", ALICE)
    assert " ".join(str((round(line["time"] * 1000) - T0) // 60_000) for line in result.data["lines"]) == found
    assert found or result.lines == ("nothing found",)


async def test_times_are_of_the_users_zone(told: Bench) -> None:
    await told.do("user update alice timezone=Asia/Tokyo")
    (line,) = (await told.do("search release before=2023-11-15T07:15", ALICE)).lines
    assert line.startswith("2023-11-15 07:14 ")


async def test_the_command_line_names_whose(told: Bench) -> None:
    assert len((await told.do("search alice release")).lines) == 3
    assert len((await told.do("search alice/libera release in=#rust")).lines) == 1
    assert (await told.do("search bob release")).lines == ("nothing found",)
    assert "there is no user" in await told.refusal("search release notes")
    assert "needs to know which" in await told.refusal("search in=#python")


async def test_nobody_reads_others_text_inside_irc(told: Bench) -> None:
    assert (await told.do("search release", Actor("bob"))).data["lines"] == []
    assert (await told.do("search alice/libera release", Actor("bob"))).data["lines"] == []
    refusal = await told.refusal("search alice/libera release", Actor("bob", admin=True))
    assert refusal == "what others said and were told is not searched from here, also not by admins"


@pytest.mark.parametrize("machine", [True, False])
async def test_the_last_line_is_the_command_for_the_next_page(stocked: Bench, machine: bool) -> None:
    for seq in range(1, 8):
        say(stocked, seq, f"it's number {seq}", time=T0)  # all in one millisecond
    await stocked.store.settled()
    actor = MACHINE if machine else ALICE
    command = f"search {'alice/libera' if machine else 'libera'} number it in=#python limit=3"
    pages = []
    for _ in range(3):
        result = await stocked.do(command, actor)
        pages.append([line["text"][-1] for line in result.data["lines"]])
        if not result.data["before"]:
            break
        said, _, command = result.lines[-1].partition(": ")
        assert said == "there is more"
        if machine:
            command = shlex.join(shlex.split(command)[1:])
    assert pages == [["5", "6", "7"], ["2", "3", "4"], ["1"]]


async def test_the_next_page_keeps_phrases_and_dates(stocked: Bench) -> None:
    for seq in range(1, 4):
        say(stocked, seq, f"release notes {seq}")
    await stocked.store.settled()
    await stocked.do("user update alice timezone=Europe/Berlin")
    result = await stocked.do("search 'release notes' after=2023-11-14 limit=2", ALICE)
    command = result.lines[-1].partition(": ")[2]
    number = stocked.network("alice", "libera").id
    assert command == (
        f"search 'text=\"release notes\"' after=2023-11-14T00:00:00+01:00 before={T0 + 120_000}.{number}.2 limit=2"
    )
    (line,) = (await stocked.do(command, ALICE)).data["lines"]
    assert line["text"] == "release notes 1"


async def test_what_was_said_does_no_harm_to_a_screen(stocked: Bench) -> None:
    say(stocked, 1, "bold \x02red\x02 \x1b[2J \x9b \u202eright \udcff")
    await stocked.store.settled()
    (line,) = (await stocked.do("search bold", ALICE)).lines
    assert line.endswith("<bob> bold red \ufffd[2J \ufffd \ufffdright \ufffd")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("search", "needs text"),
        ("search after=2023-11-14", "needs something to look for"),
        ("search x after=yesterday", '"yesterday" is not a date; write it as'),
        ("search x limit=1000", "limit: 1000 is not between 1 and 100"),
        ("search x in=#a in=#b", "in is given twice"),
    ],
)
async def test_what_is_wrong_is_said(told: Bench, typed: str, said: str) -> None:
    assert said in await told.refusal(typed, ALICE)
