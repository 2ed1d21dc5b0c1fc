"""Networks whose text is not UTF-8."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.irc.encoding import _USABLE, LineEncoding, line_encoding, usable_encoding

PAIRS = (
    *("shift_jis", "cp932", "euc_jp", "euc_jis_2004", "euc_kr", "cp949"),
    *("gb2312", "gbk", "gb18030", "big5", "big5hkscs", "cp950"),
)
ENDS = {0, 10, 13, 32, 58}  # NUL LF CR space colon


@pytest.mark.parametrize(
    ("name", "usual"),
    [("UTF8", "utf-8"), ("latin-1", "iso8859-1"), ("CP1251", "cp1251"), ("KOI8-R", "koi8-r"), ("SJIS", "shift_jis")],
)
def test_usual_names(name: str, usual: str) -> None:
    assert usable_encoding(name) == usual


@pytest.mark.parametrize(
    "name",
    [
        *("utf-16", "utf-16-le", "utf-32", "utf-7", "hz", "iso-2022-kr", "iso-2022-jp-2", "cp037", "cp500", "johab"),
        *("utf-8-sig", "charmap", "unicode_escape", "rot13", "base64", "punycode", "idna", "no such", "", "a\0b"),
    ],
)
def test_what_lines_can_not_be_in(name: str) -> None:
    with pytest.raises(ValueError, match="is no encoding that IRC lines can be in; use one such as"):
        usable_encoding(name)


@pytest.mark.parametrize("name", sorted(_USABLE - {"utf-8", "iso2022_jp"}))
def test_no_character_looks_like_a_line_s_structure(name: str) -> None:
    assert bytes(range(128)).decode(name) == bytes(range(128)).decode("ascii")
    letters = bytes(range(128, 256)).decode(name, "ignore")
    if name in PAIRS:
        letters = "".join(map(chr, (*range(0x80, 0xD800), *range(0xE000, 0x10000), 0x20000)))
    assert ENDS.isdisjoint(letters.encode(name, "ignore"))


def test_utf_8_needs_nothing_done() -> None:
    assert line_encoding("UTF-8") is None


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("latin-1", ":a!b@c PRIVMSG #caf\u00e9 :d\u00e9j\u00e0 vu".encode("latin-1")),
        ("koi8-r", ":a PRIVMSG #c :\u043f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440".encode("koi8-r")),
        ("shift_jis", ":a PRIVMSG #c :\u8868\u793a \u30bd\u30fc\u30b9".encode("shift_jis")),
        ("iso-2022-jp", ":a PRIVMSG #\u65e5 :\u8868\u793a \u30bd\u30fc\u30b9".encode("iso2022_jp")),
        ("gb18030", ":a PRIVMSG #c :\u4f60\u597d \U00020000".encode("gb18030")),
    ],
)
def test_there_and_back(name: str, wire: bytes) -> None:
    coding = LineEncoding(name)
    line = coding.decode(wire)
    assert line.decode() == wire.decode(name)
    assert coding.encode(line, 510) == wire
    tagged = b"@msgid=\xc3\xa9 " + wire
    assert coding.decode(tagged) == b"@msgid=\xc3\xa9 " + line
    assert coding.encode(b"@msgid=\xc3\xa9 " + line, 510) == tagged


@pytest.mark.parametrize("name", ["latin-1", "cp1251", "shift_jis", "iso-2022-jp"])
def test_lines_in_utf_8_stay_as_they_are(name: str) -> None:
    for line in (b"PING :x", ":a PRIVMSG #c :d\u00e9j\u00e0 \u2713".encode(), b""):
        assert LineEncoding(name).decode(line) is line


def test_what_the_network_lacks_is_a_question_mark() -> None:
    assert LineEncoding("latin-1").encode("PRIVMSG #c :caf\u00e9 \u2713".encode(), 510) == b"PRIVMSG #c :caf\xe9 ?"


def test_bytes_that_are_no_text_pass() -> None:
    assert LineEncoding("latin-1").encode(b"PRIVMSG #c :caf\xe9", 510) == b"PRIVMSG #c :caf\xe9"


def test_what_becomes_too_long_is_cut_at_a_character() -> None:
    line = ("PRIVMSG #c :" + "\u0153" * 200).encode()
    coded = LineEncoding("gb18030").encode(b"@a=b " + line, 510)
    assert len(coded) <= 515
    assert coded.decode("gb18030").rstrip("\u0153") == "@a=b PRIVMSG #c :"
    short = LineEncoding("iso-2022-jp").encode("PRIVMSG #c :\u3042\u3044\u3046".encode(), 22)
    assert short.decode("iso2022_jp") == "PRIVMSG #c :\u3042\u3044"


NAMES = st.sampled_from(sorted(_USABLE - {"utf-8"}))


@given(NAMES, st.binary(max_size=80))
def test_no_bytes_raise_or_make_a_line_of_their_own(name: str, data: bytes) -> None:
    line = data.replace(b"\n", b"").replace(b"\r", b"").replace(b"\0", b"")
    coding = LineEncoding(name)
    for result in (coding.decode(line), coding.encode(line, 510)):
        assert not {0, 10, 13} & set(result)
    coding.decode(line).partition(b" ")[2].decode()


@given(NAMES, st.text(max_size=60), st.integers(8, 60))
def test_a_limit_is_kept(name: str, text: str, limit: int) -> None:
    body = text.lstrip("@").encode("utf-8", "surrogatepass")
    if not body.isascii():
        assert len(LineEncoding(name).encode(body, limit)) <= limit
