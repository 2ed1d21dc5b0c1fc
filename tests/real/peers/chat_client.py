"""What the drivers of real IRC clients have in common. What a client shows is always read from the client itself."""

import calendar
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, NamedTuple

from peers.waiting import eventually

TIME_FORMAT = "%Y-%m-%d %H:%M:%S"  # how each client is told to write times; their TZ is UTC


class Shown(NamedTuple):
    """One line of a client's buffer: the UNIX time it stands at, who said it ("" for the client's own), the text."""

    at: float
    who: str
    text: str


class Login(NamedTuple):
    """Where and as whom a client attaches: no password, no login; no fingerprint, no TLS.

    `name` is the client's own name for the server.
    """

    port: int
    user: str
    password: str
    nick: str
    fingerprint: str = ""
    name: str = "bnc"


class ChatClient:
    """A real client in a home of its own. `attach` and `detach` may be called again and again: its buffers stay."""

    program: ClassVar[str]

    def __init__(self, home: Path) -> None:
        self.home = home

    async def start(self) -> None:
        """Start the client, connected to nothing."""
        raise NotImplementedError

    async def stop(self) -> None:
        raise NotImplementedError

    async def lose(self, cut: Callable[[], None]) -> None:
        """Have the connection cut, and wait until the client says that it is over; it does not come back by itself."""
        raise NotImplementedError

    async def kill(self) -> None:
        """kill -9; `start` and `add` may be called again."""
        raise NotImplementedError

    async def type(self, text: str, buffer: str = "") -> None:
        """Type a line into the buffer of a channel or nick of the attached server, or into the main one."""
        raise NotImplementedError

    async def add(self, login: Login) -> None:
        """Make the server known to the client, as docs/clients says."""
        raise NotImplementedError

    async def attach(self) -> None:
        raise NotImplementedError

    async def detach(self) -> None:
        """Disconnect, and wait until the client says so."""
        raise NotImplementedError

    async def shown(self, buffer: str) -> list[Shown]:
        """The lines of the buffer of a channel or nick, from its beginning. Ask while attached: a detached irssi has
        the window still, but no name for it."""
        raise NotImplementedError

    async def logged(self, buffer: str) -> list[str]:
        """The texts of the log that the client writes of a channel or nick, over all its lives."""
        raise NotImplementedError

    async def everything(self) -> str:
        """All that the client has shown anywhere, as text."""
        raise NotImplementedError

    async def said(self, buffer: str, who: str) -> list[Shown]:
        """What that nick said in that buffer."""
        return [line for line in await self.shown(buffer) if line.who == who]

    async def shows(self, buffer: str, text: str, timeout: float = 20.0) -> Shown:
        """Wait for a line with exactly that text, and return the first such."""

        async def found() -> Shown:
            lines = await self.shown(buffer)
            line = next((line for line in lines if line.text == text), None)
            assert line is not None, f"{buffer} ends with {lines[-3:]}"
            return line

        return await eventually(found, timeout, f"{self.program} shows {text!r} in {buffer}")


def read_time(text: str) -> float:
    return float(calendar.timegm(time.strptime(text, TIME_FORMAT)))
