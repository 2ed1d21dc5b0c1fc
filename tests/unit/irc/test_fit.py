from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.irc.fit import cut, fit_text, pack

any_text = st.one_of(
    st.text(st.characters(codec="utf-8")),
    st.text("a é€😀"),
    st.binary().map(lambda data: data.decode("utf-8", "surrogateescape")),
)


def size(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


@pytest.mark.parametrize(
    ("text", "limit", "kept"),
    [
        ("abc", 3, "abc"),
        ("abc", 2, "ab"),
        ("abc", 0, ""),
        ("aé", 2, "a"),
        ("a€", 3, "a"),
        ("a😀", 4, "a"),
        ("a😀", 5, "a😀"),
        ("€€", 3, "€"),
    ],
)
def test_cutting_keeps_whole_characters(text: str, limit: int, kept: str) -> None:
    assert cut(text.encode(), limit).decode() == kept


def test_bytes_that_are_not_utf8_are_cut_anywhere() -> None:
    assert cut(b"\x80" * 10, 5) == b"\x80" * 5
    assert cut(b"\xff\xfe\xfd", 2) == b"\xff\xfe"
    assert cut(b"\xf0aaaa", 2) == b"\xf0a"


@given(st.text(st.characters(codec="utf-8")), st.integers(0, 50))
def test_cutting_text_loses_less_than_a_character(text: str, limit: int) -> None:
    data = text.encode()
    kept = cut(data, limit)
    assert text.startswith(kept.decode())
    assert len(kept) <= limit
    assert len(kept) > limit - 4 or kept == data


@pytest.mark.parametrize(
    ("text", "limit", "fitted"),
    [
        ("", 10, [""]),
        ("hello there", 11, ["hello there"]),
        ("hello there", 10, ["hello", "there"]),
        ("hello there", 5, ["hello", "there"]),
        ("hello there", 4, ["hell", "o", "ther", "e"]),
        ("ééé", 4, ["éé", "é"]),
        ("  leading", 6, [" ", "leadin", "g"]),
    ],
)
def test_text_is_fitted(text: str, limit: int, fitted: list[str]) -> None:
    assert fit_text(text, limit) == fitted


def test_a_limit_below_one_character_is_refused() -> None:
    with pytest.raises(ValueError, match="3 bytes"):
        fit_text("x", 3)


@given(any_text, st.integers(4, 40))
def test_fitted_text_loses_nothing_but_spaces(text: str, limit: int) -> None:
    pieces = fit_text(text, limit)
    assert all(size(piece) <= limit for piece in pieces)
    data = text.encode("utf-8", "surrogateescape")
    fitted = "".join(pieces).encode("utf-8", "surrogateescape")
    assert fitted.replace(b" ", b"") == data.replace(b" ", b"")
    assert len(data) - len(fitted) <= len(pieces) - 1
    assert len(pieces) <= 1 + 2 * size(text) // (limit - 3)


@given(st.text(st.characters(codec="utf-8"), max_size=60), st.integers(4, 20))
def test_fitted_text_has_whole_characters(text: str, limit: int) -> None:
    for piece in fit_text(text, limit):
        assert piece in text


def test_words_are_packed() -> None:
    assert pack([], 10) == []
    assert pack(["ab", "cd", "ef"], 5) == ["ab cd", "ef"]
    assert pack(["#a", "#b", "#c"], 5, ",") == ["#a,#b", "#c"]
    assert pack(["toolong", "a", "b"], 3) == ["toolong", "a b"]
    assert pack(["é", "é"], 4) == ["é", "é"]
    assert pack(["é", "é"], 5) == ["é é"]


@given(st.lists(st.text("abé", min_size=1)), st.integers(1, 30))
def test_packing_keeps_all_words_in_order(words: list[str], limit: int) -> None:
    lines = pack(words, limit)
    assert [word for line in lines for word in line.split(" ")] == words
    assert all(size(line) <= limit or " " not in line for line in lines)
    assert all(size(a) + 1 + size(b.split(" ")[0]) > limit for a, b in pairwise(lines))
