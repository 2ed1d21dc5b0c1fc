"""The log: what it keeps, for whom, and what it lets go of."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from bouncer.irc.message import Message
from bouncer.model import log as log_module
from bouncer.model.entry import Kind
from bouncer.model.log import Log


@dataclass
class Reader:
    index: int = 0

    def wake(self) -> None: ...


def text(log: Log, number: int) -> None:
    log.append(Message.build("PRIVMSG", "#c", f"line {number}", source="bob!b@h"), 0, Kind.PRIVMSG, "#c")


def test_what_is_read_and_durable_leaves() -> None:
    log = Log(1)
    for number in range(10):
        text(log, number)
    log.wake()
    assert (log.tail, log.head) == (0, 10)
    log.settle(4)
    assert (log.tail, log.tail_seq) == (4, 4)
    log.settle(10)
    assert (log.tail, log.head, log.tail_seq) == (10, 10, 10)


def test_a_store_that_fails_does_not_make_it_grow_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "WINDOW_BYTES", 50_000)
    monkeypatch.setattr(log_module, "UNDURABLE_BYTES", 100_000)
    log = Log(1)
    log.followers.append(Reader())
    for number in range(5000):
        text(log, number)
        log.wake()
    assert log.head == 5000
    assert 100 < log.head - log.tail < 250
    log.settle(5000)
    assert 50 < log.head - log.tail < 125


def test_a_place_is_found_by_its_number() -> None:
    log = Log(1, seq=100)
    log.append(Message.build("NOTICE", "x"), 0)
    for number in range(5):
        text(log, number)
        log.append(Message.build("NOTICE", "x"), 0)
    assert log.tail_seq == 100
    assert [entry.seq for entry in log.slice(log.resume(103), log.head)] == [104, 104, 105, 105]


def test_what_is_taken_back_is_gone_from_memory() -> None:
    log = Log(1)
    reader = Reader()
    log.followers.append(reader)
    for number in range(3):
        raw = f"@msgid=m{number};+x=secret :bob!b@h PRIVMSG #C :secret {number}"
        log.append(Message.parse(raw.encode()), 0, Kind.PRIVMSG, "#C")
    log.append(Message.parse(b"@msgid=m1 :bob!b@h TOPIC #C :tea"), 0, Kind.TOPIC, "#C")
    given = log.slice(0, 4)[1]
    log.redact({"m1": "#c", "m2": "#d", "": "#c"}, str.lower, log.slice(2, 3))
    assert given.kind is Kind.PRIVMSG  # the store may be writing it
    entries = log.slice(0, 4)
    assert [entry.kind for entry in entries] == [Kind.PRIVMSG, Kind.REDACTED, Kind.PRIVMSG, Kind.TOPIC]
    assert entries[1].message.raw == b"@msgid=m1 :bob!b@h PRIVMSG #C :"
    assert entries[1].only is not None
    log.redact({"m2": "#c"}, str.lower, log.slice(2, 3))
    assert entries[2].kind is Kind.REDACTED  # and has not got this one yet
    reader.index = 4
    log.settle(4)
    assert log.head == log.tail == 4
    assert log._bytes == 0


@pytest.mark.parametrize("others", [{}, {"another": "#c"}])
def test_a_msgid_of_any_form_is_taken_back(others: dict[str, str]) -> None:
    log = Log(1)
    log.append(Message.parse(rb"@msgid=a\:\sb;+x=m1 :bob!b@h PRIVMSG #c :one"), 0, Kind.PRIVMSG, "#c")
    log.append(Message.parse(b"@msgid=m1 :bob!b@h PRIVMSG #c :two"), 0, Kind.PRIVMSG, "#c")
    log.redact({"m1": "#c", **others}, str.lower)
    assert [entry.kind for entry in log.slice(0, 2)] == [Kind.PRIVMSG, Kind.REDACTED]
    log.redact({"a; b": "#c", **others}, str.lower)
    assert [entry.kind for entry in log.slice(0, 2)] == [Kind.REDACTED, Kind.REDACTED]


def test_to_take_one_line_back_the_others_are_not_read() -> None:
    log = Log(1)
    for number in range(3):
        log.append(Message.parse(b"@msgid=m%d :bob!b@h PRIVMSG #c :x" % number), 0, Kind.PRIVMSG, "#c")
    messages = [entry.message for entry in log.slice(0, 3)]
    log.redact({"m1": "#c"}, str.lower)
    assert [message._tags is None for message in messages] == [True, False, True]
