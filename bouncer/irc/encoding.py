"""Text of networks that is not UTF-8: which encodings it may be in, and the way of a line from and to them.

Owns that table and the re-coding of whole lines, as bytes. Must not know which network has which, nor what is in a
line. Within the bouncer all text is UTF-8 (see `message`).
"""

from __future__ import annotations

import codecs

from bouncer.irc.fit import cut

UTF_8 = "utf-8"
# Seven bits with escape sequences, as Japanese networks have it: what is no ASCII looks like it, but no byte of it is
# a space or a line end, each line begins in ASCII, and encoders end it so. Its relatives are not that tame.
_JAPANESE = "iso2022_jp"
_ESCAPE = b"\x1b"
# In these every ASCII byte is itself, and no other character has a byte that ends a line, a word or a source (LF, CR,
# NUL, space, colon), so that a line's parts are the same before and after: tests/unit/irc looks at each character.
_TABLE = """
    iso8859-1 iso8859-2 iso8859-3 iso8859-4 iso8859-5 iso8859-6 iso8859-7 iso8859-8 iso8859-9 iso8859-10 iso8859-11
    iso8859-13 iso8859-14 iso8859-15 iso8859-16 koi8-r koi8-u koi8-t kz1048 ptcp154 tis-620
    cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 cp437 cp737 cp775 cp850 cp852 cp855 cp857 cp858
    cp860 cp861 cp862 cp863 cp865 cp866 cp869 cp874 cp1125
    mac-roman mac-cyrillic mac-greek mac-latin2 mac-turkish
    shift_jis cp932 euc_jp euc_jis_2004 euc_kr cp949 gb2312 gbk gb18030 big5 big5hkscs cp950
"""
_USABLE = frozenset(codecs.lookup(name).name for name in (UTF_8, _JAPANESE, *_TABLE.split()))


def usable_encoding(name: str) -> str:
    """The usual name of an encoding that IRC lines can be in. Raises ValueError with a sentence for others."""
    try:
        found = codecs.lookup(name).name
    except (LookupError, ValueError):  # a NUL in it is the latter
        found = ""
    if found not in _USABLE:
        raise ValueError(
            f"{name[:40]!r} is no encoding that IRC lines can be in; use one such as utf-8, latin-1, cp1251, koi8-r or "
            "shift_jis"
        )
    return found


class LineEncoding:
    """The way of lines (bytes, without line end) to UTF-8 and back. Neither way raises. Tags are UTF-8 anyway.

    Raises ValueError for an encoding that is not usable.
    """

    __slots__ = ("_seven_bits", "name")

    def __init__(self, name: str) -> None:
        self.name = usable_encoding(name)
        self._seven_bits = self.name == _JAPANESE

    def decode(self, line: bytes) -> bytes:
        """A line of the network's, in UTF-8. One that is UTF-8 already stays as it is: networks have both kinds."""
        if line.isascii() and not (self._seven_bits and _ESCAPE in line):
            return line
        tags, body = _parted(line)
        try:
            body.decode(UTF_8)
        except UnicodeDecodeError:
            pass
        else:
            if not (self._seven_bits and _ESCAPE in body):
                return line
        return tags + body.decode(self.name, "replace").encode(UTF_8)

    def encode(self, line: bytes, limit: int) -> bytes:
        """A line of ours for the network: "?" stands for what its encoding lacks. What becomes longer than ``limit``
        bytes by this (tags not counted) is cut at a character's end. Bytes that are no UTF-8 pass as they are."""
        if line.isascii():
            return line
        tags, body = _parted(line)
        try:
            text = body.decode(UTF_8)
        except UnicodeDecodeError:
            return tags + cut(body, limit)
        coded = text.encode(self.name, "replace")
        if len(coded) <= limit:
            return tags + coded
        fits, too_many = 0, len(text)
        while too_many - fits > 1:
            middle = (fits + too_many) // 2
            if len(text[:middle].encode(self.name, "replace")) <= limit:
                fits = middle
            else:
                too_many = middle
        return tags + text[:fits].encode(self.name, "replace")

    def length(self, line: bytes) -> int:
        """How many bytes a line of ours has for the network, tags not counted."""
        _, body = _parted(line)
        return len(body.decode(UTF_8, "replace").encode(self.name, "replace"))


def _parted(line: bytes) -> tuple[bytes, bytes]:
    """The tags with the space behind them, and the rest."""
    end = line.find(b" ") + 1 if line[:1] == b"@" else 0
    return line[:end], line[end:]


def line_encoding(name: str) -> LineEncoding | None:
    """How lines of a network come and go; None if nothing is to be done, for UTF-8. Raises ValueError."""
    return None if usable_encoding(name) == UTF_8 else LineEncoding(name)
