"""One IRC line as a value: parsed from bytes, or built from parts.

Owns tags (with their escaping), source, command and parameters. A parsed message keeps the bytes it came in, so
that a line which needs no change is passed on as it was, undecodable bytes included. Must not know who sent it.

Text is UTF-8 with ``surrogateescape`` both ways: a byte that is not UTF-8 becomes a lone surrogate and turns back
into the same byte when the line is encoded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

_UNESCAPES = {":": ";", "s": " ", "r": "\r", "n": "\n", "\\": "\\"}
_ESCAPES = str.maketrans({";": "\\:", " ": "\\s", "\r": "\\r", "\n": "\\n", "\\": "\\\\", "\0": ""})
_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)
_BREAKS = re.compile(r"[\r\n\0]")
_BENT = re.compile(r"[ \r\n\0]+")
_TAG_KEY = re.compile(r"[^;= ]+")
# Spelled once for all lines: less memory, and a key that has its hash already.
_USUAL: Final = {
    command: command
    for command in ("PRIVMSG", "NOTICE", "TAGMSG", "JOIN", "PART", "QUIT", "NICK", "MODE", "PING", "PONG", "353", "366")
}


def unescape_tag_value(value: str) -> str:
    """Undo the escaping of a tag's value (IRCv3 message-tags, "Escaping values"); a lone last backslash is dropped."""
    if "\\" not in value:
        return value
    return _ESCAPED.sub(lambda found: _UNESCAPES.get(found[1], found[1]), value)


def escape_tag_value(value: str) -> str:
    """Escape a tag's value (IRCv3 message-tags). NUL cannot be expressed on the wire and is left out."""
    return value if value.isalnum() else value.translate(_ESCAPES)


def render_tags(tags: Mapping[str, str]) -> str:
    """Join tags into ``key=value;key`` without the leading ``@``; an empty value is written as the missing form."""
    return ";".join(f"{key}={escape_tag_value(value)}" if value else key for key, value in tags.items())


def parse_tags(text: str) -> dict[str, str]:
    """Split ``key=value;key`` (no leading ``@``) into unescaped values; of a repeated key the last one counts."""
    tags: dict[str, str] = {}
    escaped = "\\" in text
    for item in text.split(";"):
        key, _, value = item.partition("=")
        if key:
            tags[key] = unescape_tag_value(value) if escaped else value
    return tags


def _upper(command: str) -> str:
    """Only ASCII has an upper case here: no other letter may become one of a command's."""
    return command.upper() if command.isascii() else command


class Message:
    """One line of IRC. ``command`` is upper case, and empty for a line that has none (only tags, only a source)."""

    __slots__ = ("_tags", "command", "params", "raw", "source", "tagtext")

    _tags: dict[str, str] | None

    def __init__(self, raw: bytes, command: str, params: list[str], source: str, tagtext: str) -> None:
        """For the ways below, which see to it that the parts are those of the line: :meth:`parse`, :meth:`build`."""
        self.raw = raw
        self.command = command
        self.params = params
        self.source = source
        self.tagtext = tagtext  # as it stood on the wire: still escaped, without the "@"
        self._tags = None

    @staticmethod
    def parse(line: bytes) -> Message:
        """Read one line (no line end). Never raises: what is not there is empty. Modern RFC 1459 section 2.3."""
        return Message.parse_all((line,))[0]

    @staticmethod
    def parse_all(lines: Sequence[bytes]) -> list[Message]:
        """Likewise of several."""
        messages: list[Message] = []
        for line in lines:
            text = line.decode("utf-8", "surrogateescape")
            tagtext = ""
            if text[:1] == "@":
                tagtext, _, text = text[1:].partition(" ")
                if text[:1] == " ":
                    text = text.lstrip(" ")
            words = text.split(" ", 3)
            if len(words) == 4:  # nearly all are ":source COMMAND target :text"
                source, command, target, last = words
                if source[:1] == ":" and last[:1] == ":" and command and target and target[0] != ":":
                    command = _USUAL.get(command) or _upper(command)
                    messages.append(Message(line, command, [target, last[1:]], source[1:], tagtext))
                    continue
            source = ""
            if text[:1] == ":":
                source, _, text = text[1:].partition(" ")
            head, colon, trailing = text.partition(" :")
            words = head.split(" ")
            if "" in words:  # runs of spaces separate like one (RFC 1459); tabs and the like do not separate at all
                words = [word for word in words if word]
            command = words.pop(0) if words else ""
            if colon:
                words.append(trailing)
            messages.append(Message(line, _USUAL.get(command) or _upper(command), words, source, tagtext))
        return messages

    @staticmethod
    def build(command: str, *params: str, source: str = "", tags: Mapping[str, str] | None = None) -> Message:
        """Make a message of its parts; the last parameter gets a colon where it needs one.

        Raises ValueError if any part holds CR, LF or NUL, or if a part other than the last parameter is empty, has a
        space, or (a parameter) starts with a colon, or a tag's key is no key: such a line would be read as something
        else by the peer.
        """
        pieces = []
        tagtext = ""
        if tags:
            for key in tags:
                if not _TAG_KEY.fullmatch(key):
                    raise ValueError(f"{key!r} can't be a tag's key")
            tagtext = render_tags(tags)
            pieces.append("@" + tagtext)
        if source:
            pieces.append(":" + source)
        pieces.append(command)
        # what is refused is not shown: it may be a password, and errors end up in logs
        for index, word in enumerate((command, *params[:-1])):
            if not word or " " in word or word[0] == ":":
                part = f"parameter {index} of {command}" if index else "the command"
                raise ValueError(f"{part} is empty, has a space or starts with ':': it can't stand inside a line")
        if " " in source:
            raise ValueError("the source has a space")
        if command[0] == "@" and not tagtext and not source:
            raise ValueError("the command would be read as tags")
        pieces.extend(params[:-1])
        if params:
            last = params[-1]
            pieces.append(":" + last if not last or last[0] == ":" or " " in last else last)
        text = " ".join(pieces)
        if _BREAKS.search(text):
            raise ValueError("a line of IRC can't hold CR, LF or NUL")
        return Message(text.encode("utf-8", "surrogateescape"), _upper(command), list(params), source, tagtext)

    @staticmethod
    def lenient(command: str, *params: str, source: str = "") -> Message:
        """Like :meth:`build`, for parts that a peer has had a hand in: never raises, for a ``command`` of our own.

        What can't stand in its place is bent: a middle parameter loses its spaces and leading colons ("*" if nothing
        is left), and CR, LF and NUL become spaces.
        """
        middles = [_BENT.sub("", param).lstrip(":") or "*" for param in params[:-1]]
        last = [_BREAKS.sub(" ", param) for param in params[-1:]]
        return Message.build(command, *middles, *last, source=_BENT.sub("", source))

    def said_to(self, target: str, source: str) -> Message:
        """This line, of a client, as the network shows it to one of its targets: without tags. Never raises."""
        params = self.params
        if len(params) != 2 or not target or target[0] == ":" or not source or " " in source:
            return Message.lenient(self.command, target, *params[1:], source=source)
        text = params[1]  # parts that stood in a line can stand in one
        colon = ":" if not text or text[0] == ":" or " " in text else ""
        raw = f":{source} {self.command} {target} {colon}{text}".encode("utf-8", "surrogateescape")
        return Message(raw, self.command, [target, text], source, "")

    @property
    def tags(self) -> dict[str, str]:
        """The line's tags, unescaped; empty without any. Not to be changed in place: see :meth:`replace`."""
        if self._tags is None:
            self._tags = parse_tags(self.tagtext) if self.tagtext else {}
        return self._tags

    def tag(self, key: str) -> str:
        """The value of one tag, unescaped; "" without it. Where no more is asked of a line, the others are not read."""
        text = self.tagtext
        if self._tags is not None or text.count(key) > 1:
            return self.tags.get(key, "")
        start = text.find(key)
        end = start + len(key)
        if start < 0 or (start > 0 and text[start - 1] != ";") or text[end : end + 1] != "=":
            return ""
        stop = text.find(";", end)
        return unescape_tag_value(text[end + 1 :] if stop < 0 else text[end + 1 : stop])

    @property
    def body(self) -> bytes:
        """The line less its tags."""
        raw = self.raw
        if raw[:1] != b"@":
            return raw
        end = raw.find(b" ")
        body = raw[end + 1 :] if end > 0 else b""
        return body.lstrip(b" ") if body[:1] == b" " else body

    @property
    def nick(self) -> str:
        """The source up to ``!`` or ``@``: a nick, or a server's name."""
        return self.source.partition("!")[0].partition("@")[0]

    def param(self, index: int, default: str = "") -> str:
        """The parameter at ``index``, or ``default`` if the line has fewer."""
        return self.params[index] if index < len(self.params) else default

    def encode(self) -> bytes:
        """The line's bytes, without a line end."""
        return self.raw

    def replace(
        self,
        command: str | None = None,
        params: Sequence[str] | None = None,
        source: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Message:
        """A new message with some parts changed (``tags={}`` takes all tags away). Raises like :meth:`build`."""
        return Message.build(
            self.command if command is None else command,
            *(self.params if params is None else params),
            source=self.source if source is None else source,
            tags=self.tags if tags is None else tags,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        # only the command: parameters may be a password, and reprs end up in logs
        return f"<Message {self.command} of {len(self.raw)} bytes>"
