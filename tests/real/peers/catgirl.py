"""catgirl in a terminal of tmux: one process is one attachment, read in its own logs."""

import calendar
import re
import ssl
import time
from pathlib import Path

from peers.chat_client import ChatClient, Login, Shown
from peers.process import find_program
from peers.terminal import Terminal
from peers.waiting import eventually

LINE = re.compile(r"\[(?P<at>[0-9T:-]{19})(?P<zone>[+-]\d{4})\] (?:<(?P<who>[^>]+)> )?(?P<text>.*)")


class Catgirl(ChatClient):
    """catgirl 2.1 and later. It knows TLS only."""

    program = "catgirl"

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self._terminal = Terminal(home)
        self._catgirl = find_program(self.program)
        self._config = home / "catgirl.conf"
        self._data = home / "data"
        self._data.mkdir(exist_ok=True)  # catgirl makes its folders in there, but not this one

    async def start(self) -> None:
        """Nothing runs until it is attached."""

    async def stop(self) -> None:
        self._terminal.kill()

    async def type(self, text: str, buffer: str = "") -> None:
        for line in ((f"/window {buffer}",) if buffer else ()) + (text,):
            self._terminal.type(line)

    async def add(self, login: Login) -> None:
        trusted = self.home / "trusted.pem"
        trusted.write_text(ssl.get_server_certificate(("127.0.0.1", login.port)))
        self._config.write_text(
            f"host = 127.0.0.1\nport = {login.port}\nuser = {login.user}\npass = {login.password}\n"
            f"nick = {login.nick}\ntrust = {trusted}\nlog\n"
        )

    async def attach(self) -> None:
        before = self._welcomes()
        self._terminal.run(f"XDG_DATA_HOME={self._data} exec {self._catgirl} {self._config}")
        await eventually(lambda: self._welcomes() > before, what="catgirl is welcomed")

    async def detach(self) -> None:
        await self.type("/quit")
        await eventually(lambda: not self._terminal.running, what="catgirl ends")

    async def shown(self, buffer: str) -> list[Shown]:
        lines = [line for path in self._logs(buffer) for line in path.read_text(errors="replace").splitlines()]
        found = [LINE.match(line) for line in lines]
        return [Shown(_read_time(line["at"]), line["who"] or "", line["text"]) for line in found if line]

    async def everything(self) -> str:
        return "\n".join(path.read_text(errors="replace") for path in sorted(self._data.rglob("*.log")))

    def _logs(self, buffer: str) -> list[Path]:
        """A buffer's own logs, a file a day, in order."""
        return sorted(path for path in self._data.rglob("*.log") if path.parent.name == buffer)

    def _welcomes(self) -> int:
        return sum(path.read_text(errors="replace").count(" arrives in ") for path in self._data.rglob("*.log"))


def _read_time(text: str) -> float:
    return float(calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%S")))
