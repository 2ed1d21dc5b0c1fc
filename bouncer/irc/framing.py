"""Cut a stream of bytes into lines of IRC.

Owns line ends, length limits and the unfinished tail of a stream; what comes out never holds CR, LF or NUL. Must not
know what a line means, nor where the bytes come from. The result depends on the stream alone, never on how it was
split into reads. An over-long line costs that line at most, never the connection.
"""

from __future__ import annotations

from bouncer.irc.fit import cut

UPSTREAM_TAG_LIMIT = 8191  # IRCv3 message-tags, "Size limit": all tags a line may have, with "@" and the last space
DOWNSTREAM_TAG_LIMIT = 4096  # the same, for what a client may send: 4094 bytes of tag data, with "@" and the space
BODY_LIMIT = 512  # RFC 1459 section 2.3: the rest of the line, with its CRLF
_LINE_END = 2  # bytes of CRLF, which a body limit counts whatever line end the peer uses


class Framer:
    """Bytes of one direction of one connection in, lines out.

    ``tag_limit`` and ``body_limit`` are in bytes and count as the constants above do. A line whose body is too long
    is cut at a character's end with ``cut=True``, else refused; one whose tags are too long, or which is longer than
    both limits together, is always refused. ``refused`` counts the refused lines. The memory held between two calls
    is at most both limits together.
    """

    __slots__ = ("_body_limit", "_cut", "_discarding", "_longest", "_surely_fine", "_tag_limit", "_tail", "refused")

    def __init__(self, tag_limit: int, body_limit: int = BODY_LIMIT, *, cut: bool) -> None:
        self.refused = 0
        self._tag_limit = tag_limit
        self._cut = cut
        self._tail = b""
        self._discarding = False
        self.body_limit = body_limit

    @property
    def body_limit(self) -> int:
        """The longest body in bytes, its CRLF counted. May be set at any time; holds for lines not yet complete."""
        return self._body_limit

    @body_limit.setter
    def body_limit(self, limit: int) -> None:
        self._body_limit = limit
        self._longest = self._tag_limit + limit - _LINE_END
        self._surely_fine = min(self._tag_limit, limit - _LINE_END)

    def feed(self, data: bytes) -> list[bytes]:
        """Take the bytes of one read; give the lines they complete, in order, without line ends and empty lines."""
        if self._discarding:
            end = data.find(b"\n")
            if end < 0:
                return []
            data = data[end + 1 :]
            self._discarding = False
        # CR means nothing but a part of the line end, so all of them go, which needs no look across reads
        data = data.replace(b"\r", b"")
        if self._tail:
            data = self._tail + data
        if b"\0" in data:
            data = data.replace(b"\0", b"")
        lines = data.split(b"\n")
        tail = lines.pop()
        if len(tail) > self._longest:
            self.refused += 1
            self._discarding = True
            tail = b""
        self._tail = tail
        if not lines:
            return lines
        if len(data) > self._surely_fine and max(map(len, lines)) > self._surely_fine:
            return [line for line in map(self._checked, lines) if line]
        if not all(lines):
            return [line for line in lines if line]
        return lines

    def _checked(self, line: bytes) -> bytes:
        """The line as it may pass: whole, cut, or (refused) empty."""
        if len(line) <= self._surely_fine:
            return line
        tags = line.find(b" ") + 1 or len(line) if line[:1] == b"@" else 0
        longest_body = self._body_limit - _LINE_END
        if tags <= self._tag_limit and len(line) <= self._longest:
            if len(line) - tags <= longest_body:
                return line
            if self._cut:
                return line[:tags] + cut(line[tags:], longest_body)
        self.refused += 1
        return b""
