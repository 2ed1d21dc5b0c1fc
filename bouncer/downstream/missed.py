"""A page of what a client missed: from the store's columns to the client's bytes.

Owns the short way of lines that need no look inside, which are nearly all: what is said in a channel that has its name
still. Each other line is read, as `replay` reads lines of the log, and both ways give the same bytes. Must not know
when pages are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import tzinfo

from bouncer.downstream.asnow import Moments, kept_line, with_time
from bouncer.downstream.deliver import CRLF, Renderer, stamp
from bouncer.downstream.place import Place
from bouncer.irc.framing import BODY_LIMIT
from bouncer.model.entry import TEXT_KINDS
from bouncer.model.log import message_ids
from bouncer.model.ports import Heading, Kept, Run

# Clocks of a network's servers and ours differ, and words pass each other on the way: lines stay in the order in which
# they came, in a replay as live, unless they are later than the others by more than this.
JITTER_MS = 1000
KEYS_LIMIT = 100  # names of tags that are remembered; networks have some five, and one that invents more has them read
TEXT = frozenset(map(int, TEXT_KINDS))
AT = ord("@")
ROOM = BODY_LIMIT - 6  # of a line for source, command, target and text, as `with_time` counts


def steady(times: Sequence[int]) -> bool:
    """Whether lines with these times, in the order in which they came, stay in it."""
    latest = 0
    for time in times:
        if time < latest:
            if time < latest - JITTER_MS:
                return False
        else:
            latest = time
    return True


NOWHERE = b"\n"  # no line has it in it


class Talk:
    """One conversation of a page. ``name``: its batch's, if it has one; ``head``: how its lines begin, b"" until one is
    written."""

    __slots__ = ("head", "name", "pieces", "target")

    def __init__(self, target: str, pieces: list[bytes]) -> None:
        self.target = target
        self.pieces = pieces
        self.name = self.head = b""


class Kin:
    """Lines of a page that have the same heading.

    ``mention``: what one has in it if it can stay as it is, ``name``: the same less what stands behind; ``hidden``:
    none is shown; ``ids``: how msgids of ours began when they came; ``head`` and ``pieces``: their conversation's.
    """

    __slots__ = ("head", "hidden", "ids", "mention", "name", "pieces", "talk")

    def __init__(self, talk: Talk, mention: bytes, ids: bytes, *, hidden: bool) -> None:
        self.talk = talk
        self.mention = mention
        self.name = mention[:-1]
        self.ids = ids
        self.hidden = hidden
        self.pieces = talk.pieces
        self.head = talk.head


class Missed:
    """A page for clients of one profile at one place.

    ``begin`` gives the name of a new batch around a conversation, for clients that take batches.
    """

    def __init__(
        self, renderer: Renderer, profile: int, place: Place, zone: tzinfo, begin: Callable[[], bytes] | None
    ) -> None:
        self._renderer = renderer
        self._profile = profile
        self._place = place
        self._zone = zone
        self._begin = begin
        self._talks: dict[str, Talk] = {}
        self._kins: dict[Heading, Kin] = {}
        self._device = ""
        self._all: list[bytes] = []  # without batches: the lines of all conversations
        self._tags: dict[bytes, bool] = {}  # which tags pass on
        self.read = 0  # lines that had to be read
        self.begun: list[Talk] = []  # with batches: conversations that have lines, in order of the first

    def write(self, run: Run, device: str) -> None:
        """Turn lines into bytes, in the order in which they came; those said by ``device`` are left out."""
        self._device = device
        if self._renderer.has_time(self._profile):
            self._stamped(run)
        else:
            self._worded(run)

    def lines(self) -> list[bytes]:
        """Without batches: all that was written."""
        return self._all

    def _talk(self, target: str) -> Talk:
        talk = self._talks.get(target)
        if talk is None:
            talk = self._talks[target] = Talk(target, self._all if self._begin is None else [])
        return talk

    def _kin(self, heading: Heading) -> Kin:
        place, target = self._place, heading.target
        hidden = place.is_detached(target) or (heading.device != "" and heading.device == self._device)
        stays = (
            not hidden
            and heading.kind in TEXT
            and self._renderer.plain_text
            and place.state.isupport.is_channel(target)
        )
        mention = b" %b " % target.encode("utf-8", "surrogateescape") if stays else NOWHERE
        ids = message_ids(heading.boot, place.log.network).encode()
        kin = self._kins[heading] = Kin(self._talk(target), mention, ids, hidden=hidden)
        return kin

    def _open(self, talk: Talk) -> bytes:
        """How lines of a conversation begin."""
        if not talk.head:
            if self._begin is None:
                talk.head = b"@time="
            else:
                talk.name = self._begin()
                talk.head = b"@batch=%b;time=" % talk.name
                self.begun.append(talk)
        return talk.head

    def _stamped(self, run: Run) -> None:
        """For clients with time tags."""
        with_ids = bool(self._profile & self._renderer.tags)
        kins = self._kins
        last = -1
        moment = b""
        for seq, time, heading, raw in zip(run.seqs, run.times, run.headings, run.raws, strict=True):
            kin = kins.get(heading)
            if kin is None:
                kin = self._kin(heading)
            if kin.mention not in raw:
                if not kin.hidden:
                    self._read(_row(seq, time, heading, raw, run))
                continue
            if time != last:
                last = time
                moment = stamp(time).encode() + (b";msgid=" if with_ids else b"")
            if not kin.head:
                kin.head = self._open(kin.talk)
            if raw[0] != AT:
                if with_ids:
                    kin.pieces.append(b"%b%b%b%x %b\r\n" % (kin.head, moment, kin.ids, seq, raw))
                else:
                    kin.pieces.append(b"%b%b %b\r\n" % (kin.head, moment, raw))
                continue
            tagtext, _, body = raw.partition(b" ")
            picked = self._pick(tagtext[1:])
            if picked is None or body[:1] == b" ":
                self._read(_row(seq, time, heading, raw, run))
                continue
            msgid, rest = picked
            if with_ids:
                msgid = msgid or b"%b%x" % (kin.ids, seq)
            else:
                msgid = b""
            kin.pieces.append(b"%b%b%b%b %b\r\n" % (kin.head, moment, msgid, rest, body))

    def _pick(self, tagtext: bytes) -> tuple[bytes, bytes] | None:
        """Of a network's tags the msgid, and those that pass on, each with ``;`` before it; None if the line has to be
        read."""
        if b"\\" in tagtext:
            return None
        known = self._tags
        msgid = rest = b""
        for tag in tagtext.split(b";"):
            key, _, value = tag.partition(b"=")
            passes = known.get(key)
            if passes is None:
                passes = self._passes(key)
            if passes:
                if rest and (b";%b=" % key in rest + b"=" or b";%b;" % key in rest):
                    return None
                rest += b";" + (tag if value else key)
            elif key == b"msgid":
                msgid = value
        return msgid, rest

    def _passes(self, key: bytes) -> bool:
        name = key.decode("utf-8", "surrogateescape")
        passes = bool(name) and self._renderer.passes(name, self._profile)
        if len(self._tags) < KEYS_LIMIT:
            self._tags[key] = passes
        return passes

    def _worded(self, run: Run) -> None:
        """For clients without time tags: it stands in the text, with the date where the day changes."""
        plain = not self._renderer.takes_tags(self._profile)
        kins, moments = self._kins, Moments(self._zone)
        last, moment, begin, room = -1, "", b"", 0
        for seq, time, heading, raw in zip(run.seqs, run.times, run.headings, run.raws, strict=True):
            kin = kins.get(heading)
            if kin is None:
                kin = self._kin(heading)
            if kin.hidden:
                continue
            if time != last or moments.dated:
                last = time
                moment = moments.of(time)
                begin = b" :[%b] " % moment.encode()
                room = ROOM + 2 * len(b" :") - len(begin)
            if plain and kin.name:
                body = raw.partition(b" ")[2].lstrip(b" ") if raw[0] == AT else raw
                at = body.find(b" :", 1)  # the text begins here, if the name stands before it
                if (
                    len(kin.name) < at < len(body) - 2
                    and body[at + 2] != 1  # of an action or another question by CTCP the time stands inside
                    and body.startswith(kin.name, at - len(kin.name))
                    and len(body) <= room
                    and body.find(b"  ", 0, at) < 0
                ):
                    kin.pieces += (body[:at], begin, body[at + 2 :], CRLF)
                    continue
            self._read(_row(seq, time, heading, raw, run), moment)

    def _read(self, row: Kept, moment: str = "") -> None:
        """Write a line that has to be read, with its time in the text if that is given."""
        self.read += 1
        entry, ids = kept_line(self._place, row)
        for each in with_time(entry, moment) if moment and row.kind in TEXT else (entry,):
            data = self._renderer.line(each, self._profile, ids)
            if not data:
                continue
            if self._begin is None:
                self._all.append(data)
                continue
            for target in (row.target,) if row.target else self._channels_of(row.also):
                talk = self._talk(target)
                self._open(talk)
                talk.pieces.append(b"@batch=" + talk.name + (b";" + data[1:] if data[:1] == b"@" else b" " + data))

    def _channels_of(self, also: Sequence[str]) -> Iterator[str]:
        """Where a QUIT or NICK is shown: not in private, where nothing may have been said."""
        is_channel, is_detached = self._place.state.isupport.is_channel, self._place.is_detached
        return (name for name in also if is_channel(name) and not is_detached(name))


def _row(seq: int, time: int, heading: Heading, raw: bytes, run: Run) -> Kept:
    also = run.also.get(seq, ())
    return Kept(seq, time, heading.kind, heading.target, heading.device, heading.boot, raw, also)
