"""SEARCH: a client finds what was said on its network."""

from __future__ import annotations

import pytest

from tests.play.stage import Device, Stage
from tests.play.test_chathistory import ask, at, talk

CAPS = "batch server-time message-tags draft/chathistory soju.im/search"


async def talked(stage: Stage, caps: str = CAPS) -> Device:
    upstream = stage.connected()
    upstream.joins("#c", "bob")
    talk(upstream, 3)
    upstream.says("@msgid=n1 :carol!c@h PRIVMSG #c :release notes")
    stage.timers.time += 1
    upstream.says("@msgid=n2 :bob!b@h NOTICE alice :notes of the release")
    return await stage.attached("alice@phone", caps)


async def test_the_answer_is_a_batch_of_lines_as_they_were_said(stage: Stage) -> None:
    phone = await talked(stage)
    assert await ask(phone, r"SEARCH text=release\snotes") == [
        ":irc.example BATCH +r1 soju.im/search",
        f"@batch=r1;time={at(3)};msgid=n1 :carol!c@h PRIVMSG #c :release notes",
        f"@batch=r1;time={at(4)};msgid=n2 :bob!b@h NOTICE alice :notes of the release",
        ":irc.example BATCH -r1",
    ]


@pytest.mark.parametrize(
    ("attributes", "found"),
    [
        ("in=#C;text=notes", "n1"),
        ("in=bob;text=notes", "n2"),
        ("from=bob;in=#c", "m0 m1 m2"),
        ("from=bob;in=#c;limit=2", "m1 m2"),
        ("from=bob;in=#c;limit=100000", "m0 m1 m2"),
        (f"from=bob;in=#c;after={at(0)};before={at(2)}", "m1"),
        ("text=notes;cursor=what-is-not-known", "n1 n2"),
        ("text=nowhere", ""),
        ("text=?!", ""),
        ("in=#d;text=notes", ""),
    ],
)
async def test_what_is_asked_for(stage: Stage, attributes: str, found: str) -> None:
    phone = await talked(stage)
    lines = await ask(phone, f"SEARCH {attributes}")
    assert "BATCH +" in lines[0]
    assert "BATCH -" in lines[-1]
    assert " ".join(line.partition("msgid=")[2].partition(" ")[0] for line in lines[1:-1]) == found


@pytest.mark.parametrize(
    ("attributes", "answer"),
    [
        ("in=a,b;text=x", "FAIL SEARCH INVALID_PARAMS in :This is no name of a channel or person"),
        (r"text=\s", "FAIL SEARCH INVALID_PARAMS text :There is nothing to look for"),
        ("text=x;after=yesterday", "FAIL SEARCH INVALID_PARAMS after :Invalid timestamp"),
        ("text=x;before=", "FAIL SEARCH INVALID_PARAMS before :Invalid timestamp"),
        ("text=x;limit=0", "FAIL SEARCH INVALID_PARAMS limit :Invalid limit"),
    ],
)
async def test_what_is_wrong_is_said(stage: Stage, attributes: str, answer: str) -> None:
    phone = await talked(stage)
    assert await ask(phone, f"SEARCH {attributes}") == [f":irc.example {answer}"]


async def test_bytes_that_are_no_text_are_refused(stage: Stage) -> None:
    phone = await talked(stage)
    assert await ask(phone, "SEARCH text=x;from=\udcff") == [
        ":irc.example FAIL SEARCH INVALID_PARAMS from :This is not UTF-8"
    ]


async def test_what_the_store_cannot_answer(stage: Stage) -> None:
    phone = await talked(stage)
    stage.store.fail("disk full")
    assert await ask(phone, "SEARCH text=notes") == [
        ":irc.example FAIL SEARCH INTERNAL_ERROR :The history could not be searched; try again later"
    ]


async def test_on_no_network_there_is_nothing(stage: Stage) -> None:
    stage.user("alice", "one", "two")
    phone = await stage.attached("alice@phone", CAPS)
    assert len(await ask(phone, "SEARCH text=notes")) == 2
