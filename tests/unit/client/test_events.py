"""A line as keyword arguments."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.client.events import event_arguments, event_key
from bouncer.irc.message import Message

LINES: list[tuple[bytes, dict[str, Any]]] = [
    (
        b":bob!b@host PRIVMSG #c :hello you",
        {"nick": "bob", "user": "b", "host": "host", "target": "#c", "message": "hello you"},
    ),
    (b":bob!b@host PRIVMSG #c :", {"message": ""}),
    (b"PRIVMSG", {"target": "", "message": "", "nick": ""}),
    (b":irc.example.org NOTICE * :hi", {"nick": "", "host": "irc.example.org", "target": "*", "message": "hi"}),
    (b":bob NICK rob", {"nick": "bob", "host": "", "new_nick": "rob"}),
    (b":b!b@h JOIN #c", {"channel": "#c", "account": "", "realname": ""}),
    (b":b!b@h JOIN #c acc :Real Name", {"channel": "#c", "account": "acc", "realname": "Real Name"}),
    (b":b!b@h PART #c :bye", {"channel": "#c", "message": "bye"}),
    (b":b!b@h QUIT :gone", {"message": "gone"}),
    (b":b!b@h KICK #c eve :out", {"channel": "#c", "target": "eve", "message": "out"}),
    (b":b!b@h INVITE me #c", {"target": "me", "channel": "#c"}),
    (b":b!b@h MODE #c +ov x y", {"target": "#c", "modes": "+ov", "arguments": ["x", "y"]}),
    (b"PING :token", {"message": "token"}),
    (b"ERROR :Closing Link", {"message": "Closing Link"}),
    (b":s 001 me :Welcome", {"target": "me", "message": "Welcome", "command": "001"}),
    (b":s 005 me A B=1 :are supported", {"info": ["A", "B=1"], "message": "are supported"}),
    (b":s 252 me 7 :operators", {"count": 7, "message": "operators"}),
    (b":s 252 me 123456789abc :operators", {"count": 0}),
    (b":s 252 me", {"count": 0}),
    (b":s 332 me #c :the topic", {"channel": "#c", "message": "the topic"}),
    (b":s 353 me = #c :@a +b c ", {"channel_type": "=", "channel": "#c", "users": ["@a", "+b", "c"]}),
    (b":s 433 * bob :in use", {"target": "*", "name": "bob", "message": "in use"}),
    (b":s 999 me a b :new", {"target": "me", "message": "new", "params": ["me", "a", "b", "new"]}),
    (b":s FROB x :y z", {"message": "y z", "params": ["x", "y z"]}),
    (b"@a=1;b :s FROB", {"tags": {"a": "1", "b": ""}, "message": ""}),
    (b"FAIL NICK BAD a b :told", {"verb": "NICK", "code": "BAD", "context": ["a", "b"], "message": "told"}),
]


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_parameters_have_names(line: bytes, expected: dict[str, Any]) -> None:
    arguments = event_arguments(Message.parse(line))
    assert {name: arguments.get(name) for name in expected} == expected


def test_a_numeric_is_known_by_its_name_too() -> None:
    assert event_key("RPL_WELCOME") == event_key("rpl_welcome") == event_key("001") == "001"
    assert event_key("privMsg") == "PRIVMSG"


def test_bytes_that_are_no_utf8_are_kept() -> None:
    message = Message.parse(b":b!b@h PRIVMSG #c :caf\xe9")
    assert event_arguments(message)["message"].encode("utf-8", "surrogateescape") == b"caf\xe9"


@given(st.binary())
def test_no_line_raises(line: bytes) -> None:
    arguments = event_arguments(Message.parse(line))
    assert arguments["params"] is not None
