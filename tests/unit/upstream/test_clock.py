"""When a network says that a line was said."""

from __future__ import annotations

import pytest

from bouncer.irc.message import Message
from bouncer.upstream.clock import past_at, said_at

NOW = 1_700_000_000.0  # 2023-11-14T22:13:20Z
STAMP = 1


@pytest.mark.parametrize(
    ("tag", "time"),
    [
        ("time=2023-11-14T22:13:20.123Z", 1_700_000_000_123),
        ("time=2023-11-15T22:13:19.000Z", 1_700_086_399_000),
        ("time=2023-11-15T22:13:20.000Z", STAMP),
        ("time=2023-11-13T22:13:20.000Z", STAMP),
        ("time=0001-01-01T00:00:00.000Z", STAMP),
        ("time=9999-12-31T23:59:59.999+23:59", STAMP),
        ("time=soon", STAMP),
        ("time=", STAMP),
        ("account=bob", STAMP),
    ],
)
def test_a_time_that_can_be_right_is_taken(tag: str, time: int) -> None:
    assert said_at(Message.parse(f"@{tag} :bob PRIVMSG #c :hi".encode()), STAMP, NOW) == time


@pytest.mark.parametrize(
    ("tag", "time"),
    [
        ("time=2023-11-14T22:13:20.123Z", 1_700_000_000_123),
        ("time=2023-11-15T22:13:19.000Z", 1_700_086_399_000),
        ("time=2023-11-15T22:13:20.000Z", STAMP),
        ("time=2001-02-03T04:05:06.789Z", 981_173_106_789),
        ("time=1990-01-01T00:00:00.000Z", 631_152_000_000),
        ("time=1989-12-31T23:59:59.999Z", STAMP),
        ("time=1970-01-01T00:00:00.000Z", STAMP),
        ("time=2100-01-01T00:00:00.000Z", STAMP),
        ("time=9999-12-31T23:59:59.999+23:59", STAMP),
        ("time=soon", STAMP),
    ],
)
def test_a_line_of_the_past_may_be_old(tag: str, time: int) -> None:
    assert past_at(Message.parse(f"@{tag} :bob PRIVMSG #c :hi".encode()), STAMP, NOW) == time
