"""Clients that are attached to no network: what each kind says first, and what it gets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bouncer.downstream.networks import NETWORKS, NOTIFY
from tests.play.stage import Device, Stage, sasl_plain

NOTE = ":*bouncer!bouncer@bouncer NOTICE alice :"
WHY = "no network is chosen; log in as user/network, or see /msg *bouncer help network"
WELCOME = [
    ":bnc.example 001 alice :Welcome to bouncer, alice",
    ":bnc.example 002 alice :Your host is bnc.example, running bouncer 1.0",
    ":bnc.example 003 alice :This server keeps you on IRC",
    ":bnc.example 004 alice bnc.example bouncer-1.0 iosw biklmnopstv",
    ":bnc.example 005 alice NETWORK=bouncer CASEMAPPING=ascii CHANTYPES PREFIX :are supported by this server",
    ":bnc.example 422 alice :There is no message of the day",
]
LISTING = [
    ":bnc.example BATCH +networks soju.im/bouncer-networks",
    "@batch=networks :bnc.example BOUNCER NETWORK 1 name=libera;state=disconnected;host=irc.example;port=6697;tls=1;"
    "nickname=alice;username=alice;realname=alice",
    "@batch=networks :bnc.example BOUNCER NETWORK 2 name=oftc;state=disconnected;host=irc.example;port=6697;tls=1;"
    "nickname=alice;username=alice;realname=alice",
    ":bnc.example BATCH -networks",
]
CAPS = f"batch cap-notify echo-message message-tags sasl server-time {NETWORKS} {NOTIFY}"
ALL_AT_ONCE = ["CAP LS 302", "NICK alice", "USER alice 0 * :Alice"]


async def in_lobby(stage: Stage, caps: str = "") -> Device:
    stage.user("alice", "libera", "oftc")
    return await stage.attached("alice@old", caps)


async def asks(device: Device, *lines: str) -> list[str]:
    device.says(*lines)
    return await device.gets_soon()


async def test_a_plain_client_learns_how_to_choose_a_network(stage: Stage) -> None:
    stage.user("alice", "libera", "oftc")
    device = Device(stage)
    device.says("PASS alice:secret", "NICK alice", "USER alice 0 * :Alice")
    assert await device.gets_soon() == [
        *WELCOME,
        f"{NOTE}You are not attached to a network. Log in as alice/libera, in place of alice, to be on libera; your "
        "networks: libera, oftc",
    ]


async def test_who_has_no_network_learns_how_to_make_one(stage: Stage) -> None:
    user = stage.user()
    stage.house.replace(replace(user, networks=()))
    device = await stage.device("alice")
    assert (await device.gets_soon())[-1] == (
        f"{NOTE}You have no network yet. /msg *bouncer help network create tells how to make one."
    )


async def test_a_client_that_asks_for_capabilities_one_after_the_other_sees_all_networks(stage: Stage) -> None:
    """As gamja, halloy and senpai come in: CAP LS, then REQ, SASL, and END when each is answered."""
    stage.user("alice", "libera", "oftc")
    app = Device(stage)
    listed = await asks(app, *ALL_AT_ONCE)
    assert {NETWORKS, NOTIFY} <= set(" ".join(listed).replace(" :", " ").split())
    assert await asks(app, f"CAP REQ :{CAPS}") == [f":bnc.example CAP alice ACK :{CAPS}"]
    assert await asks(app, "AUTHENTICATE PLAIN") == ["AUTHENTICATE +"]
    assert len(await asks(app, "AUTHENTICATE " + sasl_plain("alice", "secret"))) == 2
    assert await asks(app, "CAP END") == [*WELCOME, *LISTING]


async def test_one_network_alone_is_not_chosen_for_a_client_that_shows_them_all(stage: Stage) -> None:
    stage.user("alice", "libera")
    app = Device(stage)
    await asks(
        app, *ALL_AT_ONCE, f"CAP REQ :{CAPS}", "AUTHENTICATE PLAIN", "AUTHENTICATE " + sasl_plain("alice", "secret")
    )
    lines = await asks(app, "CAP END")
    assert lines == [*WELCOME, *LISTING[:2], LISTING[3]]


async def test_a_probe_that_says_all_at_once_is_answered_in_order(stage: Stage) -> None:
    """As goguma tries an account: no look at the capabilities, nothing waited for."""
    stage.user("alice", "libera", "oftc")
    probe = Device(stage)
    lines = await asks(
        probe,
        "CAP LS 302",
        "NICK alice",
        "USER alice 0 * :Alice",
        f"CAP REQ :sasl {NETWORKS} {NOTIFY} batch",
        "AUTHENTICATE PLAIN",
        "AUTHENTICATE " + sasl_plain("alice", "secret"),
        "CAP END",
        "PING probe",
    )
    at = [index for index, line in enumerate(lines) if " CAP alice ACK " in line or line == "AUTHENTICATE +"]
    assert len(at) == 2
    assert [line.split()[1] for line in lines[at[1] + 1 : at[1] + 3]] == ["900", "903"]
    assert lines[at[1] + 3 :] == [*WELCOME, *LISTING, ":bnc.example PONG bnc.example probe"]


async def test_then_each_network_gets_a_connection_of_its_own(stage: Stage) -> None:
    """The lobby goes on telling of networks while others are bound by BIND."""
    stage.user("alice", "libera", "oftc")
    stage.upstream("alice", "oftc").welcomes()
    bound = Device(stage)
    lines = await asks(
        bound,
        *ALL_AT_ONCE,
        f"CAP REQ :sasl batch {NETWORKS}",
        "AUTHENTICATE PLAIN",
        "AUTHENTICATE " + sasl_plain("alice", "secret"),
        "BOUNCER BIND 2",
        "CAP END",
    )
    assert any("BOUNCER_NETID=2" in line for line in lines)
    assert not any("BOUNCER NETWORK" in line for line in lines)  # it has not asked to be told


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("MODE alice", ["221 alice +"]),
        ("MODE alice +i", ["221 alice +"]),
        ("MODE bob", ["502 alice :Can't change mode for other users"]),
        ("MODE #c", [f"403 alice #c :No channel here: {WHY}"]),
        ("MOTD", ["422 alice :There is no message of the day"]),
        (
            "WHO alice",
            ["352 alice * alice bnc.example bnc.example alice H :0 alice", "315 alice alice :End of /WHO list."],
        ),
        ("WHO #c", ["315 alice #c :End of /WHO list."]),
        ("WHO", ["315 alice * :End of /WHO list."]),
        (
            "WHOIS ALICE",
            [
                "311 alice alice alice bnc.example * alice",
                "312 alice alice bnc.example :the bouncer",
                "318 alice alice :End of /WHOIS list.",
            ],
        ),
        ("WHOIS bob bob", [f"401 alice bob :Nobody of that name: {WHY}", "318 alice bob :End of /WHOIS list."]),
        ("WHOIS", ["431 alice :No nickname given"]),
        ("WHOWAS bob", ["406 alice bob :There was no such nickname", "369 alice bob :End of WHOWAS"]),
        ("USERHOST alice bob *bouncer", ["302 alice :alice=+alice@bnc.example *bouncer=+bouncer@bnc.example"]),
        ("ISON bob alice", ["303 alice alice"]),
        ("ISON :bob carl", ["303 alice :"]),
        ("MONITOR + alice,bob", ["730 alice alice", "731 alice bob"]),
        ("MONITOR L", ["733 alice :End of MONITOR list"]),
        ("MONITOR C", []),
        ("AWAY :lunch", ["306 alice :You have been marked as being away"]),
        ("AWAY", ["305 alice :You are no longer marked as being away"]),
        (
            "LUSERS",
            ["251 alice :There are 1 users and 0 invisible on 1 servers", "255 alice :I have 1 clients and 0 servers"],
        ),
        ("TIME", ["391 alice bnc.example :2023-11-14 22:13:20 UTC"]),
        ("INFO", ["371 alice :bouncer 1.0", "374 alice :End of /INFO list."]),
        ("ADMIN", ["423 alice * :No administrative info is given here"]),
        ("LIST", ["323 alice :End of /LIST"]),
        ("NAMES #c", ["366 alice #c :End of /NAMES list."]),
        ("LINKS", ["365 alice * :End of /LINKS list."]),
        ("STATS u", ["219 alice u :End of /STATS report"]),
        ("VERSION", ["351 alice bouncer-1.0 bnc.example :An IRC bouncer", WELCOME[4].partition(" ")[2]]),
        ("JOIN #c,#d k", [f"403 alice {name} :No channel here: {WHY}" for name in ("#c", "#d")]),
        ("JOIN 0", []),
        ("PART #c :bye", [f"403 alice #c :No channel here: {WHY}"]),
        ("TOPIC #c :new", [f"403 alice #c :No channel here: {WHY}"]),
        ("KICK #c bob", [f"403 alice #c :No channel here: {WHY}"]),
        ("INVITE bob #c", [f"403 alice #c :No channel here: {WHY}"]),
        ("PRIVMSG bob,#c :hello", [f"401 alice {name} :Not sent: {WHY}" for name in ("bob", "#c")]),
        ("NOTICE bob :hello", [f"401 alice bob :Not sent: {WHY}"]),
        ("@+typing=active TAGMSG bob", []),
        ("SETNAME :Al", None),
        ("OPER a b", [f"421 alice OPER :Not known here: {WHY}"]),
    ],
)
async def test_what_is_asked_of_a_server_is_answered(stage: Stage, line: str, answers: list[str] | None) -> None:
    device = await in_lobby(stage)
    if answers is None:
        answers = [
            "FAIL SETNAME CANNOT_CHANGE_REALNAME :/msg *bouncer user update realname=... sets it on your networks"
        ]
    assert await asks(device, line) == [f":bnc.example {answer}" for answer in answers]


async def test_the_bouncer_itself_can_be_talked_to(stage: Stage) -> None:
    device = await in_lobby(stage)
    assert (await asks(device, "PRIVMSG *bouncer :status", "PING x"))[-1] == ":bnc.example PONG bnc.example x"
    ((actor, text),) = stage.service
    assert (actor.user, actor.network, text) == ("alice", "", "status")


async def test_who_talks_to_themselves_is_heard_by_all_their_devices_here(stage: Stage) -> None:
    one = await in_lobby(stage)
    two = await stage.attached("alice@two")
    one.says("PRIVMSG alice :note to self")
    for device in (one, two):
        device.gets(":alice!alice@bnc.example PRIVMSG alice :note to self")


async def test_a_nick_is_taken_here_only(stage: Stage) -> None:
    device = await in_lobby(stage)
    other = await stage.attached("alice@two")
    change = ":alice!alice@bnc.example NICK al"
    assert await asks(device, "NICK al") == [
        change,
        ":*bouncer!bouncer@bouncer NOTICE al :That is your name here only. /msg *bouncer user update nick=al sets "
        "the one on your networks.",
    ]
    other.gets(change)
    account = stage.house.account("alice")
    assert account is not None
    assert account.user.nick == ""
    for bad in ("a b", "#c", "x" * 65, "a!b", "a\x07"):
        assert (await asks(device, f"NICK :{bad}"))[0].startswith(":bnc.example 432 al ")
    assert (await asks(device, "NICK"))[0].startswith(":bnc.example 431 al ")


async def test_a_nick_of_the_settings_is_told_here(stage: Stage) -> None:
    device = await in_lobby(stage)
    account = stage.house.account("alice")
    assert account is not None
    stage.house.replace(replace(account.user, nick="wonder"))
    device.gets(":alice!alice@bnc.example NICK wonder")
    stage.house.replace(replace(account.user, nick="wonder", name="carol"))
    device.gets_nothing()
    assert (await asks(device, "USERHOST wonder"))[0].endswith("wonder=+carol@bnc.example")


async def test_a_guessed_nick_is_put_right(stage: Stage) -> None:
    stage.user("alice", "libera", "oftc")
    device = Device(stage)
    lines = await asks(device, "PASS alice:secret", "NICK guess", "USER guess 0 * :x")
    assert ":guess!alice@bnc.example NICK alice" in lines
