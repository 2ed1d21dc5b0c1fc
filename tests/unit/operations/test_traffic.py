from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bouncer.irc.message import Message
from bouncer.model.records import Channel, Network, SaslLogin
from bouncer.operations.context import Actor
from bouncer.operations.tap import LINE_LIMIT, LINES_LIMIT, Traffic, cut, secrets_of

if TYPE_CHECKING:
    from tests.unit.conftest import Bench

ALICE = Actor("alice")
T0 = 1_700_000_000.0


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"PASS hush", "PASS ***"),
        (b"AUTHENTICATE aHVzaA==", "AUTHENTICATE ***"),
        (b"OPER alice hush", "OPER alice ***"),
        (b"PRIVMSG NickServ :IDENTIFY alice hush", "PRIVMSG NickServ ***"),
        (b":a!a@h PRIVMSG nickserv@services.x :IDENTIFY hush", ":a!a@h PRIVMSG nickserv@services.x ***"),
        (b"PRIVMSG bob,nickserv :IDENTIFY hush", "PRIVMSG bob,nickserv ***"),
        (b"PRIVMSG NickServ!s@services.x :IDENTIFY hush", "PRIVMSG NickServ!s@services.x ***"),
        (b"PRIVMSG MemoServ :SET PASSWORD hush", "PRIVMSG MemoServ ***"),
        (b"NS IDENTIFY hush", "NS ***"),
        (b"GHOST alice hush", "GHOST alice ***"),
        (b":irc.example 696 alice #a k hush :Bad key", ":irc.example 696 alice #a k ***"),
        (b"JOIN #a,#b hush", "JOIN #a,#b ***"),
        (b":alice!a@h JOIN #a alice :A Person", ":alice!a@h JOIN #a alice :A Person"),
        (b"MODE #a +k hush", "MODE #a +k ***"),
        (b":op!o@h MODE #a +ok bob hush", ":op!o@h MODE #a +ok ***"),
        (b":irc.example 324 alice #a +knt hush", ":irc.example 324 alice #a +knt ***"),
        (b"MODE #a +o bob", "MODE #a +o bob"),
        (b"REGISTER * a@example.org hush", "REGISTER * ***"),
        (b"PRIVMSG #a :pass hush", "PRIVMSG #a :pass hush"),
        (b":x PRIVMSG #a :\x1b[2J", ":x PRIVMSG #a :?[2J"),
    ],
)  # fmt: skip
def test_secrets_are_cut_out(line: bytes, shown: str) -> None:
    assert cut(Message.parse(line)) == shown


def test_what_is_known_to_be_secret_is_cut_wherever_it_stands() -> None:
    network = Network(
        1, "x", server_password="sesame", sasl=SaslLogin("a", "opensesame"), connect_commands=("LOG me in",),
        channels=(Channel("#c", "k"), Channel("#d", "door-key")),
    )  # fmt: skip
    assert secrets_of(network) == ["opensesame", "door-key", "sesame", "me in"]
    traffic = Traffic()
    traffic.sent([Message.parse(b"LOG me in"), Message.parse(b"PRIVMSG #a :opensesame it is k")], T0)
    assert [line.text for line in traffic.last(9, secrets_of(network))] == ["LOG ***", "PRIVMSG #a :*** it is k"]


def test_only_the_last_lines_are_remembered() -> None:
    traffic = Traffic()
    for number in range(LINES_LIMIT + 50):
        traffic.received([Message.parse(b"PING %d" % number)], T0)
    traffic.sent([Message.parse(b"PRIVMSG #a " + b"x" * 2000)], T0)
    lines = traffic.last(LINES_LIMIT, ())
    assert len(lines) == LINES_LIMIT
    assert lines[0].text == "PING 51"
    assert (lines[-1].sent, len(lines[-1].text)) == (True, LINE_LIMIT)


async def test_it_is_watched_from_when_it_is_switched_on(stocked: Bench) -> None:
    network = stocked.network("alice", "libera").id
    assert "watch=on begins with it" in await stocked.refusal("network traffic libera", ALICE)
    await stocked.do("network traffic libera watch=on", ALICE)
    traffic = stocked.connections.watching[network]
    assert (await stocked.do("network traffic libera", ALICE)).lines == ("nothing was said since then",)
    traffic.sent([Message.parse(b"PASS hush"), Message.parse(b"NICK al")], T0)
    traffic.received([Message.parse(b":irc 001 al :Hi")], T0 + 1)
    await stocked.do("network traffic libera watch=on", ALICE)  # again: nothing is lost
    result = await stocked.do("network traffic alice/libera lines=2")
    assert result.lines == ("22:13:20 > NICK al", "22:13:21 < :irc 001 al :Hi")
    assert result.data["lines"][0] == {"time": T0, "sent": True, "line": "NICK al"}
    await stocked.do("network traffic libera watch=off", ALICE)
    assert stocked.connections.watching == {}
    stocked.known = replace(stocked.known, running=False)
    assert "not running" in await stocked.refusal("network traffic libera watch=on", ALICE)
    assert "another user" in await stocked.refusal("network traffic alice/libera", Actor("bob"))
