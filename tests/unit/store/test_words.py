from __future__ import annotations

import re
import sqlite3
from collections import Counter
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.irc.message import Message
from bouncer.model.entry import Entry, Kind
from bouncer.store.index_words import (
    BLOCK_LINES,
    LATE,
    LATE_MS,
    WEEK,
    Line,
    block_of,
    msgid_mark,
    parts,
    query,
    row_of,
    sender_mark,
    target_mark,
    week_mark,
)
from bouncer.store.indexer import line_of
from bouncer.store.words import Term, ask, derive, fold_sender, found, said

TEXT = st.text(st.characters(exclude_characters="\r\n\0"))


@given(TEXT)
def test_a_line_is_found_by_any_of_its_own_words(text: str) -> None:
    for word in text.split():
        if (terms := ask(word.replace('"', " "))) and "://" not in text and text.isprintable():
            assert found(derive(text), terms), terms


@given(TEXT)
def test_words_are_what_the_tokenizer_takes_for_words(text: str) -> None:
    derived = derive(text)
    derived.encode()  # a lone surrogate would be refused
    tokens = re.findall(r"(?:[0-9A-Za-z]|[^\x00-\x7f])+", derived)
    assert tokens == derived.split()
    assert not any(0xE000 <= ord(character) < 0xF900 for character in derived)  # marks begin with these


@given(st.binary())
def test_no_line_is_too_strange(raw: bytes) -> None:
    words, sender = said(raw)
    message = Message.parse(raw)
    assert sender == fold_sender(message.nick)
    assert words == (derive(message.params[-1]) if len(message.params) > 1 else "")


@pytest.mark.parametrize(
    "raw",
    [
        b":bob!b@h PRIVMSG #a :hello there",
        b"@a=b;c :bob@h PRIVMSG #a :hello :there",
        b"@a=b   :bob PRIVMSG #a :",
        b":bob PRIVMSG #a hello",
        b":bob  PRIVMSG  #a :hello",
        b":bob PRIVMSG #a b :hello",
        b":bob PRIVMSG :hello",
        b":bob  :hello",
        b"PRIVMSG #a :hello",
        b":bob PRIVMSG",
        b"",
    ],
)
def test_the_short_way_reads_what_the_long_one_does(raw: bytes) -> None:
    test_no_line_is_too_strange.hypothesis.inner_test(raw)  # type: ignore[attr-defined]  # hypothesis adds it


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"))
    | st.text(st.characters(max_codepoint=127, exclude_characters="\r\n\0")),
    st.sampled_from(["bob", "B[b", "é", "caf\udce9"]),
)
def test_a_block_is_taken_out_as_it_was_put_in(text: str, nick: str) -> None:
    said_now = [Message.lenient("PRIVMSG", "#a", each, source=f"{nick}!u@h") for each in (text, "plain words")]
    put = [(Entry(seq, 5, message, Kind.PRIVMSG), 5) for seq, message in enumerate(said_now)]
    read = [line_of((str(entry.seq), "5", "1", "5", entry.message.raw.hex())) for entry, _ in put]
    assert block_of(1, put, True, {}, 0).document.split() == block_of(1, read, True, {}, 0).document.split()


@given(st.text(st.characters(max_codepoint=127, exclude_characters="\r\n\0")))
def test_the_tokenizer_takes_plain_text_as_it_is_derived(text: str) -> None:
    message = Message.lenient("PRIVMSG", "#a", text, source="bob!u@h")
    document = block_of(1, [(Entry(1, 5, message, Kind.PRIVMSG), 5)], False, {}, 3).document
    derived = [target_mark(5), sender_mark("bob"), *said(message.raw).words.split()]
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE VIRTUAL TABLE words USING fts5 (said, tokenize = 'ascii')")
        connection.execute("CREATE VIRTUAL TABLE one USING fts5vocab (words, row)")
        connection.execute("INSERT INTO words (said) VALUES (?)", (document,))
        counts = connection.execute("SELECT term, cnt FROM one").fetchall()
    assert dict(counts) == Counter(derived)


def test_marks_are_one_token_each_and_differ() -> None:
    senders = [sender_mark(fold_sender(nick)) for nick in ("bob", "b[b", "b{b", "b|b", "é", "x\udcff", "626f62", "")]
    marks = [LATE, target_mark(1), target_mark(11), msgid_mark(b"a"), msgid_mark(b"b"), *senders]
    assert len(set(marks)) == len(marks) - 1  # [ and { are one letter
    for mark in marks:
        assert re.fullmatch(r"(?:[0-9a-z]|[^\x00-\x7f])+", mark)
        mark.encode()


def lines(*raws: bytes, kind: Kind = Kind.PRIVMSG, time: int = 5, target: int = 5) -> list[Line]:
    return [(Entry(seq, time, Message.parse(raw), kind), target) for seq, raw in enumerate(raws, start=1)]


def test_what_is_indexed_of_a_block() -> None:
    latest: dict[int, int] = {}
    two = block_of(1, lines(b":bob PRIVMSG #a :Hello", b":eve PRIVMSG #a :hi"), False, latest, 3)
    assert sorted(two.document.split()) == sorted(
        [target_mark(5), sender_mark("bob"), sender_mark("eve"), "Hello", "hi"]
    )
    assert two[:7] == (1, 1, 2, 5, 3, 2, False)
    assert latest == {5: 5}
    late = block_of(1, lines(b"@msgid=x :bob PRIVMSG #a :hello", time=WEEK), True, latest, 3)
    assert late.document.split()[:3] == [msgid_mark(b"x"), LATE, week_mark(1)]
    assert late.weeks == {1}
    latest = {}
    joined = block_of(1, lines(b"@msgid=x :bob JOIN #a", kind=Kind.JOIN), False, latest, 3)
    assert joined.document.split() == [msgid_mark(b"x"), target_mark(5)]
    assert latest == {}
    assert block_of(1, lines(b":bob QUIT", kind=Kind.QUIT, target=0), False, {}, 3).document == ""


@given(st.lists(st.integers(0, 12_000), min_size=1, max_size=60), st.integers(0, 12_000))
def test_blocks_are_of_late_lines_or_of_others(times: list[int], newest: int) -> None:
    every = [(Entry(seq, time, Message.parse(b"x"), Kind.PRIVMSG), 1) for seq, time in enumerate(times)]
    taken = list(parts(every, newest))
    assert [line for part, _ in taken for line in part] == every
    for part, late in taken:
        assert 1 <= len(part) <= BLOCK_LINES
        for entry, _ in part:
            before = max([newest, *times[: entry.seq]])
            assert late is (before - entry.time > LATE_MS)


def test_a_question() -> None:
    terms = [Term(("a", "b")), Term(("c",), prefix=True)]
    assert query(terms, [LATE]) == f'"{LATE}" AND "a" AND "b" AND "c"*'


def test_rows_are_in_order_of_network_then_number() -> None:
    assert row_of(1, (1 << 40) - 1) < row_of(2, 0)
