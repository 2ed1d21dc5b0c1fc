"""What a network takes of a client's line."""

from __future__ import annotations

import pytest

from bouncer.core.outbox import taken
from bouncer.irc.message import Message

TAGS = frozenset({"message-tags"})


@pytest.mark.parametrize(
    ("line", "caps", "out"),
    [
        ("PRIVMSG #c :a  b", frozenset(), "PRIVMSG #c :a  b"),
        (":me!u@h PRIVMSG #c :hi", frozenset(), "PRIVMSG #c :hi"),
        ("@+typing=active PRIVMSG #c :hi", frozenset(), "PRIVMSG #c :hi"),
        ("@+typing=active PRIVMSG #c :hi", TAGS, "@+typing=active PRIVMSG #c :hi"),
        ("@time=x;+a=b PRIVMSG #c :h i", TAGS, "@+a=b PRIVMSG #c :h i"),
        ("@+draft/reply=bnc-1-2-3 PRIVMSG #c :h i", TAGS, "PRIVMSG #c :h i"),
        ("@+typing=active TAGMSG #c", TAGS, "@+typing=active TAGMSG #c"),
        ("@+typing=active TAGMSG #c", frozenset(), None),
        ("@+draft/reply=bnc-1-2-3 TAGMSG #c", TAGS, None),
    ],
)
def test_only_what_means_something_there_is_left(line: str, caps: frozenset[str], out: str | None) -> None:
    left = taken(Message.parse(line.encode()), caps)
    assert (None if left is None else left.raw.decode()) == out
