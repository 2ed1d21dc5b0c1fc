"""irssi in a terminal of tmux: driven by typed keys, read in the files to which it writes its own windows."""

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

from peers.chat_client import TIME_FORMAT, ChatClient, Login, Shown, read_time
from peers.pages import lines_to_type
from peers.process import find_program
from peers.terminal import Terminal
from peers.waiting import eventually

LINE = re.compile(r"(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:<[~&@%+ ]?(?P<who>[^>]+)> )?(?P<text>.*)")

WELCOME = re.compile("Your host is|Welcome", re.IGNORECASE)
GONE = re.compile("Connection lost|Disconnected|quit")

BANNER = "https://irssi.org"  # irssi greets with it, in its first window only

SETTINGS = {
    "timestamp_format": TIME_FORMAT,
    "timestamp_format_alt": TIME_FORMAT,  # used for lines of another day
    "scrollback_lines": "0",  # 0: no limit
    "scrollback_time": "1day",
    "server_reconnect_time": "10",
    "autolog": "on",
    "paste_verify_line_count": "0",  # 0: never ask whether many lines at once are meant
}


class Irssi(ChatClient):
    """irssi 1.4 and later."""

    program = "irssi"

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self._terminal = Terminal(home)
        self._irssi = find_program(self.program)
        self._login: Login | None = None
        self._reads = 0
        self._config = home / "irssi"
        self._config.mkdir(exist_ok=True)
        self._logs = home / "logs"
        settings = {**SETTINGS, "autolog_path": f"{self._logs}/$$tag/$$0.log"}  # startup expands what has one $
        (self._config / "startup").write_text("".join(f"SET {name} {value}\n" for name, value in settings.items()))

    async def start(self) -> None:
        self._terminal.run(f"exec {self._irssi} --home={self._config}")
        await eventually(lambda: "[(status)]" in self._terminal.screen, what="irssi draws its prompt")

    async def stop(self) -> None:
        pid = self._terminal.pid
        self._terminal.kill()
        # It writes its settings as it ends; until then its home is in use.
        await eventually(lambda: not pid.isdigit() or not Path("/proc", pid).exists(), what="irssi ends")

    async def kill(self) -> None:
        os.kill(int(self._terminal.pid), signal.SIGKILL)
        await self.stop()

    async def type(self, text: str, buffer: str = "") -> None:
        if buffer:
            text = f"/msg -{self._server} {buffer} {text}"
        self._terminal.type(text)

    async def add(self, login: Login) -> None:
        self._login = login
        pinned = ":".join(re.findall("..", login.fingerprint)).upper()
        if login.fingerprint and login.password:
            lines = lines_to_type("irssi", 0, login, pinned)
        else:
            tls = f"-tls -notls_verify -tls_pinned_cert {pinned}" if login.fingerprint else "-notls"
            password = f"{login.user}:{login.password}" if login.password else ""
            lines = [
                f"/network add {login.name}",
                f"/server add -network {login.name} {tls} 127.0.0.1 {login.port} {password}",
                "/set show_server_time on",
            ]
        for line in (f"/set nick {login.nick}", *lines):
            if not line.startswith("/connect"):
                await self.type(line)

    async def attach(self) -> None:
        await self._after(lambda: self._terminal.type(f"/connect {self._server}"), "to be welcomed", WELCOME)

    async def detach(self) -> None:
        await self._after(lambda: self._terminal.type(f"/disconnect {self._server}"), "to be gone", GONE)

    async def lose(self, cut: Callable[[], None]) -> None:
        await self._after(cut, "to be gone", GONE)
        await self.type("/rmreconns")

    async def shown(self, buffer: str) -> list[Shown]:
        lines = map(LINE.match, (raw.rstrip() for raw in (await self._window(buffer)).split("\n")))
        return [Shown(read_time(line["at"]), line["who"] or "", line["text"]) for line in lines if line]

    async def logged(self, buffer: str) -> list[str]:
        path = self._logs / self._server / f"{buffer}.log"
        lines = path.read_text(errors="replace").split("\n") if path.exists() else []
        return [line.partition("> ")[2] for line in lines]

    async def everything(self) -> str:
        windows = [await self._window(str(number)) for number in range(1, 10)]
        return "\n".join(windows)

    @property
    def _server(self) -> str:
        return self._login.name if self._login is not None else "bnc"

    async def _after(self, act: Callable[[], None], what: str, pattern: re.Pattern[str]) -> None:
        before = len(pattern.findall(await self._window("1")))
        act()

        async def more() -> bool:
            return len(pattern.findall(await self._window("1"))) > before

        await eventually(more, what=f"irssi {what}")

    async def _window(self, window: str) -> str:
        """What irssi itself holds in a window; "" if there is no such window."""
        self._reads += 1
        lines, done = self.home / f"window-{self._reads}", self.home / f"done-{self._reads}"
        for command in (
            "/window goto 1",
            f"/window goto {window}",
            f"/lastlog -file {lines}",
            f"/lastlog -file {done} nothing-has-this-text",
        ):
            await self.type(command)
        # Commands run one after the other: when the second file is there, the first is whole.
        await eventually(done.exists, what="irssi writes its window to a file")
        done.unlink()
        text = lines.read_text(errors="replace")
        lines.unlink()
        # Where there is no such window, irssi stays in its first.
        return text if window == "1" or BANNER not in text else ""
