"""The admin socket of a running bouncer, spoken by hand: many commands without a process for each, and at one time."""

import asyncio
import json
from pathlib import Path
from typing import Any, NamedTuple, Self

ANSWER_LIMIT = 1 << 24  # bytes of an answer's line


class Answer(NamedTuple):
    """What came back: `refused` is empty if it was done."""

    lines: list[str]
    data: Any
    refused: str


class Desk:
    """One connection to the admin socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, home: Path) -> Self:
        return cls(*await asyncio.open_unix_connection(str(home / "admin.sock"), limit=ANSWER_LIMIT))

    def put(self, *words: str) -> None:
        """Give a command, without waiting for its answer."""
        self._writer.write(json.dumps({"words": words}).encode() + b"\n")

    async def answer(self) -> Answer:
        """The answer to the oldest command that has none yet."""
        found = json.loads(await asyncio.wait_for(self._reader.readline(), 30))
        return Answer(found.get("lines", []), found.get("data"), found.get("refused", ""))

    async def ask(self, *words: str) -> Answer:
        self.put(*words)
        return await self.answer()

    async def do(self, *words: str) -> Answer:
        """A command that has to be done."""
        answer = await self.ask(*words)
        assert not answer.refused, (words[:3], answer.refused)
        return answer

    async def refused(self, *words: str) -> str:
        """A command that has to be refused, in one line without anything that moves a terminal; that line."""
        answer = await self.ask(*words)
        assert answer.refused, (words[:3], answer.lines)
        assert answer.refused.isprintable(), answer.refused
        assert len(answer.refused) < 500, answer.refused
        return answer.refused

    async def network(self, label: str) -> dict[str, Any]:
        """What `status` says of a network, as `user/network`."""
        user, _, name = label.partition("/")
        status = (await self.do("status")).data
        networks = next(each["networks"] for each in status["users"] if each["name"] == user)
        found: dict[str, Any] = next(each for each in networks if each["name"] == name)
        return found

    async def export(self) -> str:
        """All settings as a state file, with the secrets."""
        text: str = (await self.do("export", "secrets=yes")).data["toml"]
        return text

    def close(self) -> None:
        self._writer.transport.abort()
