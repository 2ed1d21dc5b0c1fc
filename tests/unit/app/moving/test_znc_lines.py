from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.app.moving.znc_lines import line_of, text_of
from bouncer.irc.message import Message
from bouncer.model.entry import Kind
from bouncer.model.errors import Refused
from bouncer.model.past import past_line

SAME = [
    (":bob PRIVMSG #c :hello there", "<bob> hello there"),
    (":bob PRIVMSG #c :\x01ACTION waves\x01", "* bob waves"),
    (":bob NOTICE #c :psst now", "-bob- psst now"),
    (":b-o-b NOTICE #c :psst now", "-b-o-b- psst now"),
    (":bob!b@h JOIN #c", "*** Joins: bob (b@h)"),
    (":bob!b@h PART #c :so long", "*** Parts: bob (b@h) (so long)"),
    (":bob!b@h PART #c", "*** Parts: bob (b@h) ()"),
    (":bob!b@h QUIT :Quit: (gone)", "*** Quits: bob (b@h) (Quit: (gone))"),
    (":bob NICK robert", "*** bob is now known as robert"),
    (":bob KICK #c eve :out (now)", "*** eve was kicked by bob (out (now))"),
    (":bob MODE #c +ov carol dave", "*** bob sets mode: +ov carol dave"),
    (":irc.example MODE #c +n", "*** irc.example sets mode: +n "),
    (":bob TOPIC #c :it's 'new'", "*** bob changes topic to 'it's 'new''"),
]


@pytest.mark.parametrize(("raw", "text"), SAME)
def test_there_and_back(raw: str, text: str) -> None:
    message = Message.parse(raw.encode())
    assert text_of(Kind[message.command], message.raw) == text
    found = line_of(text, "#c", "alice")
    assert found is not None
    assert (found.source, found.command, found.params) == (message.source, message.command, message.params)


def test_accounts_of_those_who_join() -> None:
    assert text_of(Kind.JOIN, b":bob!b@h JOIN #c bobby :Bob B.") == "*** Joins: bob (b@h) bobby"
    assert text_of(Kind.JOIN, b"@account=bobby :bob!b@h JOIN #c") == "*** Joins: bob (b@h) bobby"
    assert text_of(Kind.JOIN, b":bob!b@h JOIN #c * :Bob B.") == "*** Joins: bob (b@h)"


@pytest.mark.parametrize(("speaker", "target"), [("Bob", "alice"), ("alice", "bob"), ("alice2", "bob")])
def test_in_private_either_talks_to_the_other(speaker: str, target: str) -> None:
    found = line_of(f"<{speaker}> hi", "bob", "alice")
    assert found is not None
    assert (found.source, found.params) == (speaker, [target, "hi"])


@pytest.mark.parametrize("text", ["", "Connected to IRC (irc.example +6697)", "Broadcast: hello", "***", "<>", "< > x"])
def test_what_is_no_line_is_none(text: str) -> None:
    assert line_of(text, "#c", "alice") is None


@given(st.binary().map(lambda data: data.replace(b"\n", b"").decode("utf-8", "surrogateescape")))
def test_any_text_is_a_line_or_none_and_reads_the_same_again(text: str) -> None:
    for start in ("", "<bob> ", "* bob ", "-bob- ", "*** Joins: ", "*** bob ", "*** eve was kicked by bob "):
        found = line_of(start + text, "#c", "alice")
        if found is None:
            continue
        try:
            line = past_line(0, found.raw, "")
        except Refused:
            continue
        written = text_of(line.kind, line.raw)
        assert written is not None
        again = line_of(written, "#c", "alice")
        assert again is not None
        assert text_of(line.kind, again.raw) == written
