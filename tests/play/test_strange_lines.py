"""Lines that no client should send: each gets an answer or nothing, and nobody else notices."""

from __future__ import annotations

import pytest

from tests.play.stage import Stage


@pytest.mark.parametrize(
    "line",
    [
        "PRIVMSG *bouncer, :hi",
        "PRIVMSG *bouncer,:x :hi",
        "JOIN #c,:b k1,k2",
        "JOIN #c, k1,k2",
        "JOIN ,,,",
        "@+x=1 :a :b c",
        "@+x=1 ::a b",
    ],
)
async def test_what_can_not_be_passed_on_harms_nobody(stage: Stage, line: str) -> None:
    upstream = stage.connected()
    upstream.says(":irc.example CAP alice ACK :message-tags")
    upstream.joins("#c")
    phone = await stage.attached()
    phone.says(line, "PING still-here")
    assert (await phone.gets_soon())[-1] == ":irc.example PONG irc.example still-here"


async def test_no_verb_of_registration_slips_through_behind_sources(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached()
    upstream.heard()
    phone.says(":a :b QUIT :bye", ":a :b PASS x")
    phone.gets(
        ":irc.example 421 alice B :Unknown command",
        ":irc.example 421 alice B :Unknown command",
    )
    assert upstream.heard() == []


async def test_a_channel_named_many_times_in_one_join_is_shown_once(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#c")
    phone = await stage.attached()
    phone.says("JOIN #c,#c,#C")
    assert len(phone.lines()) == 3


async def test_text_without_words_is_not_kept(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice@phone")
    desk = await stage.attached("alice@desk")
    phone.says("PRIVMSG #c")
    desk.gets_nothing()
    assert upstream.heard() == ["PRIVMSG #c"]


async def test_a_network_can_not_say_which_networks_there_are(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice/example@phone", "soju.im/bouncer-networks-notify")
    upstream.says(
        ":irc.example BOUNCER NETWORK 1 name=Bank;host=evil.example",
        ":irc.example bouncer NETWORK 1 *",
        ":irc.example FAIL BOUNCER ACCOUNT_REQUIRED * :Type your password",
        ":irc.example FAIL bouncer UNKNOWN_ERROR * :Something",
        ":irc.example NOTE BOUNCER X :Something",
        ":irc.example FAIL SETNAME INVALID_REALNAME :Too long",
    )
    phone.gets(":irc.example FAIL SETNAME INVALID_REALNAME :Too long")
