"""Turn entries of the log into the bytes that a client with given capabilities gets.

Owns the rendering, once for all clients that asked for the same. Must not know who they are.

A client's capabilities are a profile: one integer with a bit per row of the table. Two clients with the same profile
get the same bytes, from the same rendering.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from bouncer.irc.message import Message, escape_tag_value
from bouncer.model.capability import Capability, Downgrade
from bouncer.model.entry import SAID_KINDS, Entry
from bouncer.model.log import Log

CRLF = b"\r\n"
_AT = ord("@")  # what a line begins with that has tags
FORMS_LIMIT = 16  # renderings kept for sharing, each of some 256 lines: those of one burst, not of all who are behind
STAMPS = 64  # seconds whose form is kept: those of a page or two of the past are read side by side with those of now
NOT_PASSED_ON = frozenset({"batch", "label", "time", "msgid"})  # ours to say, per client


def stamp(milliseconds: int) -> str:
    """The time tag's form: ``2026-01-31T23:59:59.123Z`` (IRCv3 server-time)."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second(seconds)}{rest:03d}Z"


@lru_cache(STAMPS)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}."


class Renderer:
    """Renders entries by a table of capabilities."""

    def __init__(self, table: Sequence[Capability]) -> None:
        self._bits = {row.name: 1 << place for place, row in enumerate(table)}
        self._tag_bits: dict[str, int] = {}
        self._hidden: dict[str, int] = {}
        self._downgrades: dict[str, list[tuple[int, Downgrade]]] = {}
        for row in table:
            bit = self._bits[row.name]
            for tag in row.tags:
                self._tag_bits[tag] = self._tag_bits.get(tag, 0) | bit
            for command in row.hides:
                self._hidden[command] = self._hidden.get(command, 0) | bit
            for command, downgrade in row.downgrades.items():
                self._downgrades.setdefault(command, []).append((bit, downgrade))
        self._special = frozenset(self._hidden) | frozenset(self._downgrades)
        self.plain_text = self._special.isdisjoint({"PRIVMSG", "NOTICE"})  # it is the same for all but for its tags
        self._time = self._tag_bits.get("time", 0)
        self.tags = self._bits.get("message-tags", 0)
        self.echo = self._bits.get("echo-message", 0)
        self.batch = self._bits.get("batch", 0) | self._bits.get("znc.in/batch", 0)
        self._any_tag = self.tags
        for bit in self._tag_bits.values():
            self._any_tag |= bit
        self._stamped = (-1, "")

    def profile(self, enabled: Iterable[str]) -> int:
        """The profile of a client that has these capabilities; those without a row do not count."""
        profile = 0
        for name in enabled:
            profile |= self._bits.get(name, 0)
        return profile

    def has_time(self, profile: int) -> bool:
        """Whether lines for this profile carry their time as a tag."""
        return bool(profile & self._time)

    def passes(self, tag: str, profile: int) -> bool:
        """Whether a network's tag of this name goes on to this profile; of those in NOT_PASSED_ON none does."""
        return tag not in NOT_PASSED_ON and bool(profile & self._tag_bits.get(tag, self.tags))

    def takes_tags(self, profile: int) -> bool:
        """Whether lines for this profile may have tags."""
        return bool(profile & self._any_tag)

    def line(self, entry: Entry, profile: int, ids: str) -> bytes:
        """One entry as a whole line, or b"" if such a client is not to see it. ``ids`` begins the msgids we give."""
        message = entry.message
        if message.command in self._special:
            told = self._told(message, profile)
            if told is None:
                return b""
            message = told
        body = message.raw
        if body[0] == _AT:
            body = message.body
        if not profile & self._any_tag:
            return body + CRLF
        tags = ""
        if profile & self._time:
            at, tags = self._stamped
            if at != entry.time:
                tags = "time=" + stamp(entry.time)
                self._stamped = (entry.time, tags)
        if message.tagtext:
            if tags and self._passes_whole(message, profile, tags):
                return message.raw + CRLF
            tags = self._other_tags(message, entry, profile, tags, ids)
        elif profile & self.tags and entry.kind in SAID_KINDS:
            tags = f"{tags};msgid={ids}{entry.seq:x}" if tags else f"msgid={ids}{entry.seq:x}"
        if tags:
            return b"@%b %b\r\n" % (tags.encode("utf-8", "surrogateescape"), body)
        return body + CRLF

    def plain(self, message: Message, profile: int) -> bytes:
        """A line that is not from the log, as such a client takes it, without tags; b"" if it is not to see it."""
        told = self._told(message, profile) if message.command in self._special else message
        return b"" if told is None else told.body + CRLF

    def _told(self, message: Message, profile: int) -> Message | None:
        hidden = self._hidden.get(message.command)
        if hidden is not None and not profile & hidden:
            return None
        for bit, downgrade in self._downgrades.get(message.command, ()):
            if not profile & bit:
                message = downgrade(message)
        return message

    def _passes_whole(self, message: Message, profile: int, time: str) -> bool:
        """Whether the tags are in the order in which we write them, and all of them go on."""
        text, tags = message.tagtext, message.tags
        if not text.startswith("msgid=", len(time) + 1) or not text.startswith(time) or text.count(";") >= len(tags):
            return False
        if not profile & self.tags or message.raw[len(text) + 2 : len(text) + 3] == b" ":
            return False
        bits = self._tag_bits
        for tag in tags:
            if tag in bits:
                if not profile & bits[tag]:
                    return False
            elif tag in NOT_PASSED_ON and tag != "msgid":
                return False
        return True

    def _other_tags(self, message: Message, entry: Entry, profile: int, first: str, ids: str) -> str:
        theirs = message.tags
        kept = [first] if first else []
        if profile & self.tags and (entry.kind in SAID_KINDS or "msgid" in theirs):
            msgid = theirs.get("msgid")
            kept.append("msgid=" + (escape_tag_value(msgid) if msgid else f"{ids}{entry.seq:x}"))
        bits, rest = self._tag_bits, profile & self.tags
        escaped = "\\" in message.tagtext
        for tag, value in theirs.items():
            if tag not in NOT_PASSED_ON and (profile & bits[tag] if tag in bits else rest):
                if value:
                    kept.append(f"{tag}={escape_tag_value(value) if escaped else value}")
                else:
                    kept.append(tag)
        return ";".join(kept)

    def burst(self, log: Log, start: int, end: int, profile: int, reader: object) -> bytes:
        """The lines from place ``start`` to ``end`` of the log for one reader, in one piece.

        Readers with equal profiles at the same place share it, unless a line in it is for one of them alone.
        """
        several = len(log.followers) > 1
        if several:
            shared = log.forms.get((start, end, profile))
            if shared is not None:
                return shared
        entries = log.slice(start, end)
        ids = log.ids
        pieces = []
        common = True
        special = self._special
        bare = not profile & self._any_tag  # such clients get most lines as they came
        for entry in entries:
            if entry.only is not None or entry.origin is not None:
                common = False
                if entry.only is not None and entry.only != reader:
                    continue
                if entry.origin == reader and not profile & self.echo:
                    continue
            message = entry.message
            if bare and message.raw[0] != _AT and message.command not in special:
                pieces.append(message.raw)
                pieces.append(CRLF)
            else:
                pieces.append(self.line(entry, profile, ids))
        data = b"".join(pieces)
        if several and common and len(log.forms) < FORMS_LIMIT:
            log.forms[start, end, profile] = data
        return data
