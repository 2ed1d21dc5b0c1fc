"""A client that fetches what it missed, as gamja, senpai and goguma do (IRCv3 draft/chathistory).

When it comes in it asks for each channel that it is in, and for each private conversation that CHATHISTORY TARGETS
names, what came after the newest line it has, page by page. It drops nothing that comes twice, so that it shows.
"""

import time
from collections import defaultdict
from datetime import UTC, datetime
from typing import NamedTuple

from peers.talker import Line, Talker
from peers.waiting import eventually

CAPS = "batch draft/chathistory message-tags server-time"
PAGE = 100  # lines asked for at a time; gamja and goguma ask for as many
TEXTS = ("PRIVMSG", "NOTICE")
SKEW = 60.0  # seconds by which the times of conversations are asked for more generously


class Said(NamedTuple):
    """One line of a conversation."""

    msgid: str
    time: str
    who: str
    text: str


class Answer(NamedTuple):
    """What came in one batch. ``complete``: there is no more (draft/chathistory-end)."""

    lines: list[Line]
    complete: bool


def stamp(moment: float) -> str:
    """A UNIX time as a selector."""
    return f"timestamp={datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%S.000Z}"


def said(line: Line) -> Said:
    return Said(line.tags["msgid"], line.tags["time"], line.nick, line.text)


class Historian:
    """One device in all its attachments. ``log`` has what it shows, by folded name of the conversation.

    Its connections are put in ``opened``, for somebody to close them in the end.
    """

    def __init__(self, port: int, login: str, password: str, opened: list[Talker]) -> None:
        self.log: dict[str, list[Said]] = defaultdict(list)
        self._port = port
        self._opened = opened
        self._password = f"{login}:{password}"
        self._seen = time.time()
        self._talker: Talker
        self._read = 0  # lines of this attachment that were looked at
        self._fetching = False
        self._batches: dict[str, Answer] = {}  # that are open
        self._answers: list[Answer] = []
        self._live: dict[str, list[Said]] = defaultdict(list)  # said while it asks for what was missed

    @property
    def _nick(self) -> str:
        return self._talker.nick

    async def come(self) -> None:
        """Log in, and nothing more."""
        self._read = 0
        self._batches.clear()
        self._live.clear()
        self._fetching = True
        self._talker = await Talker.connect(self._port, "historian", password=self._password, caps=CAPS)
        self._opened.append(self._talker)

    async def attach(self) -> None:
        """Log in and fetch all that was missed."""
        since = self._seen
        await self.come()
        await self._talker.flushed()
        joined = [line.params[0] for line in self._talker.lines if line.command == "JOIN" and line.nick == self._nick]
        targets = await self.ask(f"CHATHISTORY TARGETS {stamp(since - SKEW)} {stamp(time.time() + SKEW)} 1000")
        private = [line.params[1] for line in targets.lines if line.params[1][:1] != "#"]
        for target in (*joined, *private):
            await self._fetch(target.lower())
        for conversation, lines in self._live.items():
            self.log[conversation] += lines
        self._fetching = False

    async def _fetch(self, target: str) -> None:
        """All that was said before the first line that came by itself."""
        shown = self.log[target]
        complete = False
        while not complete:
            after = f"msgid={shown[-1].msgid}" if shown else stamp(0)
            answer = await self.ask(f"CHATHISTORY AFTER {target} {after} {PAGE}")
            lines, complete = list(map(said, answer.lines)), answer.complete
            live = self._live[target]
            if live and live[0] in lines:
                # The answer is of the moment of the question: its end may have come by itself already.
                missed = lines.index(live[0])
                assert lines[missed:] == live[: len(lines) - missed]
                lines, complete = lines[:missed], True
            shown += lines

    async def detach(self) -> None:
        """QUIT, and wait for the end."""
        self._talker.send("QUIT")
        await self._talker.end()
        await self.cut()

    async def cut(self) -> None:
        """Close the connection without a word. What has come until then is shown."""
        self.look()
        self._seen = time.time()
        await self._talker.close()

    async def ask(self, question: str, timeout: float = 20.0) -> Answer:
        """Put a question that is answered with one batch."""
        self._answers.clear()
        start = len(self._talker.lines)
        self._talker.send(question)

        def answered() -> Answer | None:
            self.look()
            fails = [line.raw for line in self._talker.lines[start:] if line.command == "FAIL"]
            assert not fails, fails
            assert not self._talker.closed, "the connection has ended"
            return self._answers[0] if self._answers else None

        answer = await eventually(answered, timeout, f"{question} is answered")
        assert answer is not None
        return answer

    def look(self) -> None:
        """Take in what has come."""
        for line in self._talker.lines[self._read :]:
            self._read += 1
            open_batch = self._batches.get(line.tags.get("batch", ""))
            if line.command == "BATCH" and line.params[0][:1] == "+":
                complete = "draft/chathistory-end" in line.tags
                self._batches[line.params[0][1:]] = Answer([], complete)
            elif line.command == "BATCH":
                self._answers.append(self._batches.pop(line.params[0][1:]))
            elif open_batch is not None:
                open_batch.lines.append(line)
            elif line.command in TEXTS and "msgid" in line.tags:
                self._say(line)

    def _say(self, line: Line) -> None:
        """A line has come by itself: it stands behind what was missed, as soon as that is there."""
        target = line.params[0] if line.params[0][:1] == "#" else line.nick
        shown = self._live if self._fetching else self.log
        shown[target.lower()].append(said(line))
