"""The way in: every login that users write, and every way to be refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bouncer.downstream.registration import LINES_LIMIT
from tests.play.stage import Device, Stage, sasl_plain

LOGINS = (
    "alice",
    "Alice",
    "alice/example",
    "alice@phone",
    "alice/example@phone",
    "alice@phone/example",
    "ALICE/EXAMPLE@PHONE",
)


async def welcomed(device: Device) -> bool:
    return any(" 001 " in line for line in await device.gets_soon())


@pytest.mark.parametrize("login", LOGINS)
async def test_pass_with_login_and_password(stage: Stage, login: str) -> None:
    stage.user()
    device = Device(stage)
    device.says(f"PASS {login}:secret", "NICK x", "USER x 0 * :y")
    assert await welcomed(device)
    (session,) = stage.upstream().link.sessions
    assert session.device == ("phone" if "phone" in login.lower() else session.device)


@pytest.mark.parametrize("login", LOGINS)
async def test_pass_with_the_login_in_user(stage: Stage, login: str) -> None:
    stage.user()
    device = Device(stage)
    device.says("PASS secret", "NICK x", f"USER {login} 0 * :y")
    assert await welcomed(device)


@pytest.mark.parametrize("login", LOGINS)
async def test_sasl_plain(stage: Stage, login: str) -> None:
    stage.user()
    device = Device(stage)
    device.says("CAP LS 302", "NICK x", "USER x 0 * :y", "CAP REQ :sasl", "AUTHENTICATE PLAIN")
    *listed, acknowledged, go_on = await device.gets_soon()
    assert "sasl=PLAIN,SCRAM-SHA-256" in " ".join(listed).split()
    assert [acknowledged, go_on] == [":bnc.example CAP x ACK sasl", "AUTHENTICATE +"]
    device.says("AUTHENTICATE " + sasl_plain(login, "secret"), "CAP END")
    lines = await device.gets_soon()
    assert [line.split()[1] for line in lines[:3]] == ["900", "903", "001"]


async def test_a_password_with_a_colon_is_one_password(stage: Stage) -> None:
    user = stage.user()
    stage.house.replace(replace(user, password_hash="a:b:c"))
    device = Device(stage)
    device.says("PASS a:b:c", "NICK x", "USER alice 0 * :y")
    assert await welcomed(device)


async def test_a_client_that_says_all_at_once_is_let_in(stage: Stage) -> None:
    stage.user()
    device = Device(stage)
    device.says("CAP REQ :batch", "PASS alice:secret", "NICK x", "USER x 0 * :y", "CAP END", "PING :early", "JOIN #c")
    lines = await device.gets_soon()
    assert any(" 001 " in line for line in lines)
    assert any("PONG" in line and line.endswith("early") for line in lines)


async def refused(device: Device) -> list[str]:
    lines = await device.gets_soon()
    assert device.closed
    return lines


async def test_wrong_passwords_and_unknown_users_look_the_same(stage: Stage) -> None:
    stage.user()
    answers = []
    for login in ("alice:wrong", "nobody:secret", "alice/example:"):
        device = Device(stage)
        device.says(f"PASS {login}", "NICK x", "USER x 0 * :y")
        answers.append(await refused(device))
    assert answers[0] == [
        ":bnc.example 464 x :Wrong user or password",
        "ERROR :Closing link: Wrong user or password",
    ]
    assert answers == [answers[0]] * 3


async def test_no_password_is_told_what_to_do(stage: Stage) -> None:
    stage.user()
    device = Device(stage)
    device.says("NICK x", "USER alice 0 * :y")
    lines = await refused(device)
    assert lines[0].startswith(":bnc.example 464 x :Password required: ")


async def test_a_failed_sasl_may_be_tried_again(stage: Stage) -> None:
    stage.user()
    device = Device(stage)
    device.says("CAP REQ :sasl", "NICK x", "USER x 0 * :y", "AUTHENTICATE PLAIN")
    device.says("AUTHENTICATE " + sasl_plain("alice", "wrong"))
    assert (await device.gets_soon())[-1].startswith(":bnc.example 904 x :")
    device.says("AUTHENTICATE GSSAPI")
    assert [line.split()[1] for line in await device.gets_soon()] == ["908", "904"]
    device.says("AUTHENTICATE PLAIN", "AUTHENTICATE !!!!")
    assert (await device.gets_soon())[-1].startswith(":bnc.example 904 x :")
    device.says("AUTHENTICATE PLAIN", "AUTHENTICATE *")
    assert (await device.gets_soon())[-1].startswith(":bnc.example 906 x :")
    device.says("AUTHENTICATE PLAIN", "AUTHENTICATE " + "A" * 401)
    assert (await device.gets_soon())[-1].startswith(":bnc.example 905 x :")
    device.says("AUTHENTICATE PLAIN", "AUTHENTICATE " + sasl_plain("alice", "secret"), "CAP END")
    assert await welcomed(device)


async def test_an_unknown_network_is_refused_with_those_there_are(stage: Stage) -> None:
    stage.user("alice", "libera", "oftc")
    device = Device(stage)
    device.says("PASS alice/freenode:secret", "NICK x", "USER x 0 * :y")
    lines = await refused(device)
    assert lines[0] == ":bnc.example 464 * :You have no network freenode; yours: libera, oftc"


async def test_a_closed_account_is_refused(stage: Stage) -> None:
    stage.user(enabled=False)
    device = Device(stage)
    device.says("PASS alice:secret", "NICK x", "USER x 0 * :y")
    assert (await refused(device))[0].startswith(":bnc.example 464 ")


async def test_no_network_named_and_several_there_binds_to_none(stage: Stage) -> None:
    stage.user("alice", "libera", "oftc")
    device = await stage.device("alice")
    lines = await device.gets_soon()
    assert lines[0].startswith(":bnc.example 001 alice ")
    assert "libera, oftc" in lines[-1]
    device.says("PRIVMSG #c :hi", "PRIVMSG *bouncer :status", "JOIN #c", "MODE alice", "WHO #c")
    lines = await device.gets_soon()
    assert ":*bouncer!bouncer@bouncer NOTICE alice :you said status" in lines
    assert not device.closed


async def test_commands_before_the_login_are_refused_and_nothing_ends(stage: Stage) -> None:
    stage.user()
    device = Device(stage)
    device.says(
        "JOIN #c", "PRIVMSG #c :x", "", "@a", "USER", "USER :", "NICK", "NICK :a b", "PASS", "CAP", "CAP FOO", "PING :x"
    )
    lines = await device.gets_soon()
    assert [line.split()[1] for line in lines] == [
        "451",
        "451",
        "461",
        "461",
        "431",
        "431",
        "461",
        "461",
        "410",
        "PONG",
    ]
    device.says("PASS alice:secret", "NICK x", "USER x 0 * :y")
    assert await welcomed(device)


async def test_who_talks_on_and_on_before_the_login_is_ended(stage: Stage) -> None:
    stage.user()
    device = Device(stage)
    device.says("PASS alice:secret", "NICK x", "USER x 0 * :y", *(f"PRIVMSG #c :{number}" for number in range(100)))
    assert device.closed


async def test_a_new_devices_place_is_durable_before_it_is_welcomed(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.says(":bob!b@h PRIVMSG alice :before")
    await stage.attached("alice@phone")
    stage.begin()  # what was not durable is gone
    assert "phone" in stage.upstream().link.positions


async def test_a_user_that_is_removed_is_sent_away(stage: Stage) -> None:
    user = stage.user()
    device = await stage.attached()
    stage.house.remove(user.id)
    assert device.closed
    assert device.lines() == ["ERROR :Closing link: Your account was removed"]


async def test_over_long_lines_are_refused_and_the_client_stays(stage: Stage) -> None:
    stage.user()
    device = Device(stage)
    device.visit.refused(1)
    device.gets(":bnc.example 417 * :Input line was too long")
    device = await stage.attached()
    device.visit.refused(2)
    device.gets(*[":bnc.example 417 alice :Input line was too long"] * 2)


async def test_who_asks_on_and_on_before_the_login_is_ended(stage: Stage) -> None:
    """Else who does not read the answers would have us keep them."""
    stage.user()
    for said in ("CAP LS 302", "PING x", "NICK x", "AUTHENTICATE *"):
        device = Device(stage)
        device.says(*[said] * LINES_LIMIT)
        closed = [device.closed]
        device.says(said)
        assert [*closed, device.closed] == [False, True]
        assert device.lines()[-1] == "ERROR :Closing link: Too many lines before the login"
    device = Device(stage)
    device.visit.refused(LINES_LIMIT)
    closed = [device.closed]
    device.visit.refused(1000)
    assert [*closed, device.closed] == [False, True]
    assert len(device.lines()) == LINES_LIMIT + 1
