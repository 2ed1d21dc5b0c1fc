"""What send() writes, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from bouncer.client.commands import COMMANDS, render_command

LINES: list[tuple[str, dict[str, Any], str]] = [
    ("privmsg", {"target": "#bottom-dev", "message": "I'm baaack!"}, "PRIVMSG #bottom-dev :I'm baaack!"),
    ("PRIVMSG", {"target": ["a", "b"], "message": ""}, "PRIVMSG a,b :"),
    ("Notice", {"target": "bob", "message": ":)"}, "NOTICE bob ::)"),
    ("pass", {"password": "two words"}, "PASS :two words"),
    ("nick", {"nick": "bob"}, "NICK bob"),
    ("user", {"user": "b", "realname": "Bob B."}, "USER b 0 * :Bob B."),
    ("user", {"user": "b", "mode": 8, "realname": "Bob"}, "USER b 8 * :Bob"),
    ("join", {"channel": "#a"}, "JOIN #a"),
    ("join", {"channel": ["#a", "#b"], "key": ("k",)}, "JOIN #a,#b k"),
    ("part", {"channel": "#a", "message": ""}, "PART #a"),
    ("part", {"channel": "#a", "message": "see you"}, "PART #a :see you"),
    ("topic", {"channel": "#a"}, "TOPIC #a"),
    ("topic", {"channel": "#a", "message": ""}, "TOPIC #a :"),
    ("quit", {}, "QUIT"),
    ("quit", {"message": None}, "QUIT"),
    ("away", {"message": "at lunch"}, "AWAY :at lunch"),
    ("channelmode", {"channel": "#a", "modes": "+ov", "params": ["x", "y"]}, "MODE #a +ov x y"),
    ("channelmode", {"channel": "#a", "modes": "+k", "params": "key"}, "MODE #a +k key"),
    ("usermode", {"nick": "bob", "modes": "+i"}, "MODE bob +i"),
    ("kick", {"channel": "#a", "nick": "eve", "message": "no"}, "KICK #a eve :no"),
    ("whois", {"mask": "bob"}, "WHOIS bob"),
    ("whois", {"target": "irc.example.org", "mask": "bob"}, "WHOIS irc.example.org bob"),
    ("who", {"mask": "#a", "o": True}, "WHO #a o"),
    ("who", {"mask": "#a", "o": False}, "WHO #a"),
    ("ison", {"nick": ["a", "b"]}, "ISON a b"),
    ("pong", {"message": "x y"}, "PONG :x y"),
    ("motd", {}, "MOTD"),
    ("names", {"channel": "#a", "target": "irc.example.org"}, "NAMES #a irc.example.org"),
    ("service", {"nick": "s", "distribution": "*.fr", "type": "0", "info": "x"}, "SERVICE s * *.fr 0 0 :x"),
    ("monitor", {"subcommand": "+", "target": ["a", "b"]}, "MONITOR + a,b"),
]

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("frobnicate", {}, "unknown command"),
    ("privmsg", {"target": "#a"}, "'message'"),
    ("privmsg", {"message": "x"}, "'target'"),
    ("privmsg", {"target": "#a", "mesage": "x"}, "'mesage'"),
    ("privmsg", {"target": "#a", "message": "x\r\nQUIT"}, "CR, LF or NUL"),
    ("privmsg", {"target": "#a\nQUIT", "message": "x"}, "CR, LF or NUL"),
    ("privmsg", {"target": "#a", "message": "x\0"}, "CR, LF or NUL"),
    ("join", {"channel": ["#a", "#b\r"]}, "CR, LF or NUL"),
    ("privmsg", {"target": "#a b", "message": "x"}, "space"),
    ("privmsg", {"target": "", "message": "x"}, "empty"),
    ("nick", {"nick": ":bob"}, "':'"),
    ("channelmode", {"channel": "#a", "params": "bob"}, "without 'modes'"),
    ("names", {"target": "irc.example.org"}, "without 'channel'"),
    ("service", {"nick": "s", "*": "x", "distribution": "d", "type": "0", "info": "i"}, "'*'"),
]


@pytest.mark.parametrize(("command", "arguments", "line"), LINES)
def test_a_command_is_written_as_one_line(command: str, arguments: dict[str, Any], line: str) -> None:
    assert render_command(command, arguments) == line


@pytest.mark.parametrize(("command", "arguments", "told"), REFUSED)
def test_what_cannot_be_meant_is_refused_by_name(command: str, arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError) as refusal:
        render_command(command, arguments)
    assert told in str(refusal.value)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_no_argument_of_any_command_lets_a_second_line_through(command: str) -> None:
    row = [argument for argument in COMMANDS[command] if not argument.literal]
    for culprit in row:
        arguments = {argument.name: "x" for argument in row}
        arguments[culprit.name] = "x\nQUIT"
        with pytest.raises(ValueError):
            render_command(command, arguments)
