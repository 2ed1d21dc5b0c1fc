from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.irc.message import Message
from bouncer.store.index_words import (
    LATE,
    document,
    document_of,
    late_marks,
    msgid_mark,
    query,
    row_of,
    sender_mark,
    target_mark,
    week_mark,
)
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
def test_a_line_at_hand_is_indexed_as_when_it_is_taken_out(text: str, nick: str) -> None:
    message = Message.lenient("PRIVMSG", "#a", text, source=f"{nick}!u@h")
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(
            "CREATE VIRTUAL TABLE words USING fts5 (said, content = '', columnsize = 0, tokenize = 'ascii')"
        )
        connection.execute("CREATE VIRTUAL TABLE one USING fts5vocab (words, instance)")
        connection.execute(
            "INSERT INTO words (rowid, said) VALUES (1, ?)",
            (document_of(message, 5, msgid_mark(b"x"), late=late_marks(5)),),
        )
        tokens = [(term, place) for term, _, _, place in connection.execute("SELECT * FROM one")]
        connection.execute("INSERT INTO words (words) VALUES ('delete-all')")
        connection.execute(
            "INSERT INTO words (rowid, said) VALUES (1, ?)", (document(said(message.raw), 5, b"x", late=late_marks(5)),)
        )
        assert tokens == [(term, place) for term, _, _, place in connection.execute("SELECT * FROM one")]


def test_marks_are_one_token_each_and_differ() -> None:
    senders = [sender_mark(fold_sender(nick)) for nick in ("bob", "b[b", "b{b", "b|b", "é", "x\udcff", "626f62", "")]
    marks = [LATE, target_mark(1), target_mark(11), msgid_mark(b"a"), msgid_mark(b"b"), *senders]
    assert len(set(marks)) == len(marks) - 1  # [ and { are one letter
    for mark in marks:
        assert re.fullmatch(r"(?:[0-9a-z]|[^\x00-\x7f])+", mark)
        mark.encode()


def test_what_is_indexed_of_a_line() -> None:
    text = said(b":bob PRIVMSG #a :Hello")
    assert document(text, 5, b"", late="").split() == [target_mark(5), sender_mark("bob"), "hello"]
    assert document(text, 5, b"x", late=late_marks(5)).split()[:3] == [LATE, week_mark(0), msgid_mark(b"x")]
    assert document(None, 5, b"x", late=late_marks(5)) == msgid_mark(b"x")
    assert document(None, 5, b"", late="") == ""


def test_a_question() -> None:
    terms = [Term(("a", "b")), Term(("c",), prefix=True)]
    assert query(terms, [LATE]) == f'"{LATE}" AND "a b" AND "c"*'


def test_rows_are_in_order_of_network_then_number() -> None:
    assert row_of(1, (1 << 40) - 1) < row_of(2, 0)
