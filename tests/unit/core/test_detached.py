"""How the service tells of channels that are out of sight."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.core.detached import TELL_BUDGET, TEXT_LEAST, told
from bouncer.irc.message import Message


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (":bob!b@h PRIVMSG #c :hello", "#c: <bob> hello"),
        (":bob!b@h NOTICE #c :hello", "#c: -bob- hello"),
        (":bob!b@h PRIVMSG #c :\x01ACTION waves\x01", "#c: * bob waves"),
        (":bob!b@h PRIVMSG #c :\x01ACTION waves", "#c: * bob waves"),
        (":bob!b@h PRIVMSG #c :{} \x02bold", "#c: <bob> {} \x02bold"),
        (":{0}!b@h PRIVMSG #c :hello", "#c: <{0}> hello"),
        (":bob!b@h PRIVMSG #c", "#c: <bob> "),
    ],
)
def test_what_was_said_is_told(line: str, text: str) -> None:
    assert list(told(Message.parse(line.encode()), "#c")) == [text]


@given(st.text(alphabet="ab é日", max_size=600), st.integers(1, 600))
def test_pieces_fit_and_nothing_is_left_out(text: str, length: int) -> None:
    target = "#" + "c" * length
    head = f"{target}: <bob> "
    pieces = list(told(Message.lenient("PRIVMSG", target, text, source="bob!b@h"), target))
    assert all(len(piece.encode()) <= max(TELL_BUDGET, len(head) + TEXT_LEAST) for piece in pieces)
    assert "".join(piece.removeprefix(head) for piece in pieces).replace(" ", "") == text.replace(" ", "")
