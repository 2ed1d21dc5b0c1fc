"""A CTCP question of somebody on the network gets one answer."""

from __future__ import annotations

from bouncer.core.ctcp import ANSWER_EVERY, ANSWERS_AT_ONCE, PATIENCE
from tests.play.stage import Stage


async def test_all_devices_see_the_question_and_the_first_one_answers(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice@phone")
    desk = await stage.attached("alice@desk")
    upstream.says(":bob!b@h PRIVMSG alice :\x01VERSION\x01")
    phone.gets(":bob!b@h PRIVMSG alice :\x01VERSION\x01")
    desk.gets(":bob!b@h PRIVMSG alice :\x01VERSION\x01")
    assert upstream.heard() == []
    phone.says("NOTICE Bob :\x01VERSION phone 1.0\x01")
    desk.says("NOTICE bob :\x01VERSION desk 2.0\x01", "NOTICE bob :a word", "NOTICE bob :\x01TIME now\x01")
    assert upstream.heard() == [
        "NOTICE Bob :\x01VERSION phone 1.0\x01",
        "NOTICE bob :a word",
        "NOTICE bob :\x01TIME now\x01",
    ]
    upstream.says(":bob!b@h PRIVMSG #c :\x01VERSION\x01")
    desk.says("NOTICE bob :\x01VERSION desk 2.0\x01")
    phone.says("NOTICE bob :\x01VERSION phone 1.0\x01")
    assert upstream.heard() == ["NOTICE bob :\x01VERSION desk 2.0\x01"]


async def test_each_ping_is_a_question_of_its_own(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice@phone")
    desk = await stage.attached("alice@desk")
    upstream.says(":bob!b@h PRIVMSG alice :\x01PING 1\x01", ":bob!b@h PRIVMSG alice :\x01PING 2\x01")
    phone.says("NOTICE bob :\x01PING 1\x01")
    desk.says("NOTICE bob :\x01PING 1\x01", "NOTICE bob :\x01PING 2\x01")
    assert upstream.heard() == ["NOTICE bob :\x01PING 1\x01", "NOTICE bob :\x01PING 2\x01"]


async def test_an_answer_long_after_the_question_is_somebodys_own_idea(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice@phone")
    upstream.says(":bob!b@h PRIVMSG alice :\x01VERSION\x01")
    phone.says("NOTICE bob :\x01VERSION 1\x01", "NOTICE bob :\x01VERSION 2\x01")
    stage.timers.pass_by(PATIENCE + 1)
    phone.says("NOTICE bob :\x01VERSION 3\x01")
    assert upstream.heard() == ["NOTICE bob :\x01VERSION 1\x01", "NOTICE bob :\x01VERSION 3\x01"]


async def test_the_bouncer_answers_while_nobody_is_there(stage: Stage) -> None:
    upstream = stage.connected()
    for verb in ("VERSION", "PING 12 34", "TIME", "clientinfo", "FINGER", "ACTION waves", "DCC CHAT x 1 2"):
        upstream.says(f":bob!b@h PRIVMSG alice :\x01{verb}\x01")
    assert upstream.heard() == [
        "NOTICE bob :\x01VERSION bouncer 1.0\x01",
        "NOTICE bob :\x01PING 12 34\x01",
        "NOTICE bob :\x01TIME Tue, 14 Nov 2023 22:13:20 +0000\x01",
        "NOTICE bob :\x01CLIENTINFO CLIENTINFO PING TIME VERSION\x01",
    ]


async def test_the_bouncer_never_answers_a_channel_a_server_or_an_answer(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#c", "bob")
    upstream.says(
        ":bob!b@h PRIVMSG #c :\x01VERSION\x01",
        ":irc.example PRIVMSG alice :\x01VERSION\x01",
        ":bob!b@h NOTICE alice :\x01VERSION x\x01",
        ":bob!b@h PRIVMSG alice :\x01\x01",
        ":bob!b@h PRIVMSG alice",
    )
    assert upstream.heard() == []


async def test_a_flood_of_questions_does_not_make_us_flood(stage: Stage) -> None:
    upstream = stage.connected()
    for number in range(50):
        upstream.says(f":n{number}!b@h PRIVMSG alice :\x01VERSION\x01")
    assert len(upstream.heard()) == ANSWERS_AT_ONCE
    stage.timers.pass_by(ANSWER_EVERY)
    for number in range(50):
        upstream.says(f":n{number}!b@h PRIVMSG alice :\x01VERSION\x01")
    assert len(upstream.heard()) == 1
