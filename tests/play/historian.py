"""A network that keeps history and answers CHATHISTORY, for conversations about what was missed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from bouncer.downstream.deliver import stamp
from bouncer.irc.message import Message
from tests.play.stage import Stage, Upstream

CAPS = "batch server-time message-tags draft/chathistory draft/event-playback"


@dataclass
class Said:
    """A line in the network's own history: milliseconds, and the line with its tags."""

    time: int
    msgid: str
    body: str

    @property
    def line(self) -> str:
        return f"@time={stamp(self.time)};msgid={self.msgid} {self.body}"


class Historian:
    """The network ``upstream`` is connected to. People talk there whether we listen or not."""

    def __init__(
        self, stage: Stage, *isupport: str, channels: Iterable[str] = ("#c",), caps: str = CAPS, page: int = 50
    ) -> None:
        self.stage = stage
        self.caps = caps
        self.page = page
        self.isupport = isupport or (f"CHATHISTORY={page}", "MSGREFTYPES=msgid,timestamp")
        self.channels = tuple(channels)
        self.history: dict[str, list[Said]] = {}  # by conversation
        self.asked: list[str] = []
        self.here = False
        self.deaf = False  # answers nothing
        self._ids = 0
        self._batches = 0

    @property
    def upstream(self) -> Upstream:
        return self.stage.upstream()

    @property
    def now(self) -> int:
        return round(self.stage.timers.time * 1000)

    def connects(self, nick: str = "alice") -> None:
        """The bouncer comes in and is in its channels again."""
        upstream = self.upstream
        upstream.heard()  # what was asked on another connection is not answered on this one
        upstream.link.opened("irc.example:6697")
        upstream.says(f":irc.example CAP {nick} ACK :{self.caps}")
        upstream.welcomes(nick, *self.isupport, opened=True)
        self.here = True
        for channel in self.channels:
            upstream.joins(channel, "bob")

    def hangs_up(self) -> None:
        self.here = False
        self.upstream.hangs_up()

    def talks(self, text: str, channel: str = "#c", *, by: str = "bob", to: str = "") -> Said:
        """Somebody says something now; we hear it if we are there. Private if ``to`` is given: then ``channel`` is the
        other's nick."""
        self._ids += 1
        said = Said(self.now, f"m{self._ids}", f":{by}!b@h PRIVMSG {to or channel} :{text}")
        self.history.setdefault(channel, []).append(said)
        if self.here:
            self.upstream.says(said.line)
        return said

    async def answers(self) -> None:
        """Answer all that is asked, and what is asked then."""
        for _ in range(1000):
            await self.stage.settle()
            asked = [line for line in self.upstream.heard() if "CHATHISTORY " in line]
            self.asked += asked
            if not asked:
                self.stage.timers.pass_by(1)
                await self.stage.settle()
                if not any("CHATHISTORY " in line for line in self.upstream.got):
                    return
            if not self.deaf:
                for line in asked:
                    self.upstream.says(*self.answer(Message.parse(line.encode())))

    def answer(self, question: Message) -> list[str]:
        verb, *params = question.params
        if verb == "TARGETS":
            low, high = (_time(text) for text in params[:2])
            latest = {name: lines[-1].time for name, lines in self.history.items() if lines}
            named = [f":irc.example CHATHISTORY TARGETS {n} {stamp(t)}" for n, t in latest.items() if low < t < high]
            return self.batch("draft/chathistory-targets", named, question.tags.get("label", ""))
        assert verb == "AFTER"
        target, after, limit = params
        lines = self.history.get(target, [])
        if after.startswith("msgid="):
            place = 1 + [said.msgid for said in lines].index(after[6:])
        else:
            place = sum(said.time <= _time(after) for said in lines)
        found = lines[place : place + min(int(limit), self.page)]
        return self.batch(f"chathistory {target}", [said.line for said in found], question.tags.get("label", ""))

    def batch(self, kind: str, lines: Iterable[str], label: str = "") -> list[str]:
        self._batches += 1
        name = f"h{self._batches}"
        inner = [f"@batch={name};{line[1:]}" if line[0] == "@" else f"@batch={name} {line}" for line in lines]
        whole = [f":irc.example BATCH +{name} {kind}", *inner, f":irc.example BATCH -{name}"]
        if not label:
            return whole
        if self._batches % 2:  # servers differ in where they write it
            return [f"@label={label} {whole[0]}", *whole[1:]]
        start, *rest, end = whole
        return [
            f"@label={label} :irc.example BATCH +o{name} labeled-response",
            f"@batch=o{name} {start}",
            *rest,
            f"@batch=o{name} {end}",
            f":irc.example BATCH -o{name}",
        ]


def _time(selector: str) -> int:
    kind, _, text = selector.partition("=")
    assert kind == "timestamp"
    return round(datetime.fromisoformat(text).timestamp() * 1000)
