"""What calls for the user's attention."""

from __future__ import annotations

import re
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.irc.casemap import FOLDS
from bouncer.irc.message import Message
from bouncer.model.highlight import Highlight

ANYTHING = st.text(alphabet="aAbé _-.*?+\x02\x03[]{|}\\^~日本\u0301\u200d:/w\udcff'", max_size=30)


@pytest.mark.parametrize(
    ("nick", "text", "called"),
    [
        ("alice", "alice: hello", True),
        ("alice", "hello, ALICE!", True),
        ("alice", "malice", False),
        ("alice", "alices", False),
        ("alice", "alice_", False),
        ("alice", "alice2", False),
        ("alice", "(alice)", True),
        ("alice", "@alice's", True),
        ("alice", "éalice", False),
        ("alice", "alice\u0301", False),
        ("alice", "al\x02i\x02ce", True),
        ("alice", "\x0304,01alice\x03", True),
        ("alice", "\x03041alice", False),  # the colour ends after two digits
        ("alice", "\x04ff0000alice", True),
        ("alice", "http://example.org/alice", False),
        ("alice", "HTTPS://example.org/?q=alice&x", False),
        ("alice", "www.alice.example", False),
        ("alice", "(http://example.org/alice)", False),
        ("alice", "<http://example.org/>alice", True),
        ("alice", "http://example.org/ alice", True),
        ("alice", "irc+ssl://alice@host", False),
        ("alice", "alice://", False),
        ("alice", "awww.alice", True),
        ("alice", "aliceさん、こんにちは", True),
        ("alice", "\x01ACTION waves to alice\x01", True),
        ("alice", "\x01PING alice\x01", False),
        ("alice", "", False),
        ("[al]", "[al]: hi", True),
        ("[al]", "{AL}: hi", True),
        ("[al]", "x[al]", False),
        ("[al]", "[al]x", False),
        ("al|", "al|: hi", True),
        ("al|", "al\\, hi", True),
        ("al|", "al", False),
        ("al^_", "AL~_ hi", True),
        ("-al-", "-al-", True),
        ("al`", "al`", True),
        ("Ünal", "ünal?", True),
        ("Straße", "STRASSE", True),
        ("日本", "日本語", True),
        ("", "anything", False),
        ("*", "any*thing", False),
    ],
)
def test_the_nick(nick: str, text: str, called: bool) -> None:
    assert Highlight(nick).is_in(text) is called


def test_the_networks_cases_hold_for_the_nick_only() -> None:
    assert Highlight("al[", (), FOLDS["rfc1459"]).is_in("al{ hi")
    assert not Highlight("al[", (), FOLDS["ascii"]).is_in("al{ hi")
    assert not Highlight("al~", (), FOLDS["rfc1459-strict"]).is_in("al^ hi")
    assert not Highlight("nick", ["al["], FOLDS["rfc1459"]).is_in("al{ hi")


@pytest.mark.parametrize(
    ("word", "text", "called"),
    [
        ("coffee", "Coffee?", True),
        ("coffee", "coffees", False),
        ("release*", "the released", True),
        ("release*", "release", True),
        ("release*", "prerelease", False),
        ("*fix*", "a hotfixed", True),
        ("f*x*y", "foxily", True),
        ("f*x*y", "fox silly", False),
        ("f*x*y", "foxilyx", False),
        ("*aab", "aaaab", True),
        ("c?t", "cat", True),
        ("c?t", "ct", False),
        ("c?t", "c t", False),
        ("c++", "use c++, he said", True),
        ("c++", "c++x", False),
        (".net", "in .net 8", True),
        (".net", "in asp.net", False),
        ("a*+*x", "ab+b+x", False),
        ("*+x", "ab+b+x", True),
        ("a.c", "abc", False),
        ("good morning", "Good   morning all", True),
        ("good morning", "good\x02 \x02morning", True),
        ("good morning", "good, morning", False),
        ("good morn*", "good mornings", True),
        ("good morn*", "good http://x.example morning", False),
        ("good ?", "good x", True),
        ("  good   day ", "good day", True),
        ("कि", "कि", True),
        ("क", "कि", False),
        ("क*", "कि", True),
        ("ビール", "今日はビールです", True),
        ("ビ*", "ビール", True),
        ("cafe\u0301", "un café", True),
        ("", "x", False),
        ("*", "x", True),
    ],
)
def test_the_users_words(word: str, text: str, called: bool) -> None:
    assert Highlight("nick", [word]).is_in(text) is called


def test_any_of_many_words_calls() -> None:
    highlight = Highlight("alice", ["coffee", "ビール", "release*"])
    assert all(highlight.is_in(text) for text in ("alice", "coffee", "ビール", "released"))
    assert not highlight.is_in("tea")


@pytest.mark.parametrize(
    ("line", "called"),
    [
        (":bob!b@h PRIVMSG #c :alice: hi", True),
        (":bob!b@h PRIVMSG #c :hi", False),
        (":bob!b@h PRIVMSG Alice :hi", True),
        (":bob!b@h PRIVMSG alice :\x01ACTION waves\x01", True),
        (":bob!b@h PRIVMSG alice :\x01VERSION\x01", False),
        (":bob!b@h NOTICE alice :hi", False),
        (":bob!b@h NOTICE #c :hi alice", True),
        (":irc.example NOTICE alice :alice: you are flooding", False),
        (":NickServ NOTICE alice :alice is registered", False),
        (":ALICE!a@h PRIVMSG #c :alice is me", False),
        (":alice!a@h PRIVMSG alice :a note", False),
        (":bob!b@h PRIVMSG", False),
    ],
)
def test_who_is_called_by_a_line(line: str, called: bool) -> None:
    assert Highlight("alice").calls(Message.parse(line.encode())) is called


@given(ANYTHING, st.lists(ANYTHING, max_size=4), ANYTHING)
def test_any_word_is_taken_and_found_alone(nick: str, words: list[str], text: str) -> None:
    highlight = Highlight(nick, words)
    assert highlight.is_in(text) in (True, False)
    for word in words:
        plain = " ".join(word.split())
        if plain and not set(plain) & set("*?\x02\x03:/w"):
            assert Highlight("", [word]).is_in(f"x {plain} x"), word


@given(st.text(alphabet="ab*?", max_size=8).map(lambda word: "a" + word), st.text(alphabet="ab ", max_size=20))
def test_wildcards_match_as_in_a_mask_of_each_word(word: str, text: str) -> None:
    by_the_book = re.compile(word.replace("*", ".*").replace("?", "."))
    assert Highlight("", [word]).is_in(text) is any(by_the_book.fullmatch(each) for each in text.split())


@given(ANYTHING)
def test_how_letters_are_composed_does_not_count(text: str) -> None:
    highlight = Highlight("alice", ["é", "aé*"])
    assert highlight.is_in(text) == highlight.is_in(unicodedata.normalize("NFD", text))


WORDS = ["*a*a*a*a*a*b", "a* a* a* a* b", "?*?*?*?*?b", "*+*+*+*b", "日*日*b", "* * * b", "*" * 50 + "b", "a" * 60]
LONG = ["a", "a ", " ", "+", "+a", "日", "日a", "ab ", "a.", "://", "www.", "a://", "\x03", "\u0301", "a+"]


@pytest.mark.parametrize("piece", LONG)
def test_long_text_takes_time_in_proportion(piece: str) -> None:
    highlight = Highlight("alice", WORDS * 10)
    text = (piece * 50_000)[:50_000]
    began = time.process_time()
    highlight.is_in(text)
    assert time.process_time() - began < 5  # a hundred lines' worth; what backtracks would take days
