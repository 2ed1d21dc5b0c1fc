"""WeeChat without a screen: driven through its FIFO plugin, read in the log files it writes itself."""

import contextlib
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from peers.chat_client import TIME_FORMAT, ChatClient, Login, Shown, read_time
from peers.pages import lines_to_type
from peers.process import Program, find_program
from peers.waiting import eventually

# WeeChat writes what it does not say as somebody's line with one of these where the nick stands.
MARKS = frozenset({"", "--", "-->", "<--", "=!=", " *", "*", "⚡"})

WELCOME = re.compile(r"\t--\t.*(?:Welcome|Your host is)", re.IGNORECASE)  # the texts of 001 and 002
GONE = re.compile(r"disconnected from server")

MODES = "~&@%+"  # channel rank shown before a nick


class WeeChat(ChatClient):
    """weechat-headless; 3.8 and later (the options of TLS were renamed in 4)."""

    program = "weechat-headless"

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        home.mkdir(parents=True, exist_ok=True)
        self._fifo = home / "fifo"
        self._logs = home / "logs"
        self._login: Login | None = None
        settings = {
            "weechat.plugin.autoload": "irc,logger,fifo",
            "logger.file.path": str(self._logs),
            "logger.file.mask": "$plugin.$name.log",
            "logger.file.time_format": TIME_FORMAT,
            "logger.file.flush_delay": "0",  # 0: each line is written at once
            "irc.look.server_buffer": "independent",
            "fifo.file.path": str(self._fifo),
        }
        program = find_program(self.program)
        version = subprocess.run([program, "--version"], stdout=subprocess.PIPE, check=True, timeout=20).stdout
        self._version = int(version.split(b".")[0])
        argv = [program, "--dir", str(home / "home"), "--no-script"]
        for name, value in settings.items():
            argv += ["--run-command", f'/set {name} "{value}"']
        self._process = Program(argv, home, {"TZ": "UTC", "LC_ALL": "C.UTF-8", "HOME": str(home)})

    async def start(self) -> None:
        self._process.start()

        def ready() -> bool:
            assert self._process.running, self._process.output()
            return self._fifo.is_fifo()

        await eventually(ready, what="WeeChat makes its FIFO")

    async def stop(self) -> None:
        self._process.kill()
        self._fifo.unlink(missing_ok=True)

    async def kill(self) -> None:
        await self.stop()

    async def type(self, text: str, buffer: str = "") -> None:
        name = f"irc.{self._server}.{buffer} " if buffer else ""
        # Never create the file: a plain one in the FIFO's place would be taken for it.
        descriptor = os.open(self._fifo, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(descriptor, f"{name}*{text}\n".encode())
        finally:
            os.close(descriptor)

    async def add(self, login: Login) -> None:
        self._login = login
        if login.fingerprint and login.password:
            block = 0 if self._version >= 4 else 1
            lines = lines_to_type("weechat", block, login, login.fingerprint)
        else:
            kind = "tls" if self._version >= 4 else "ssl"
            tls = f"-{kind} -{kind}_fingerprint={login.fingerprint}" if login.fingerprint else f"-no{kind}"
            lines = [f"/server add {login.name} 127.0.0.1/{login.port} {tls} -nicks={login.nick}"]
            if login.password:
                lines.append(f"/set irc.server.{login.name}.password {login.user}:{login.password}")
        for line in lines:
            if not line.startswith("/connect"):
                await self.type(line)

    async def attach(self) -> None:
        before = self._count(WELCOME)
        await self.type(f"/connect {self._server}")
        await eventually(lambda: self._count(WELCOME) > before, what="WeeChat is welcomed")

    async def detach(self) -> None:
        before = self._count(GONE)
        await self.type(f"/disconnect {self._server}")
        await eventually(lambda: self._count(GONE) > before, what="WeeChat says it is gone")

    async def lose(self, cut: Callable[[], None]) -> None:
        before = self._count(GONE)
        cut()
        await eventually(lambda: self._count(GONE) > before, what="WeeChat says it is gone")
        await self.type(f"/disconnect {self._server}")

    async def shown(self, buffer: str) -> list[Shown]:
        path = self._logs / f"irc.{self._server}.{buffer}.log"
        lines = []
        with contextlib.suppress(FileNotFoundError):
            for raw in path.read_text(errors="replace").split("\n"):
                at, tab, rest = raw.partition("\t")
                if tab:
                    who, _, text = rest.partition("\t")
                    lines.append(Shown(read_time(at), "" if who in MARKS else who.lstrip(MODES), text))
        return lines

    async def logged(self, buffer: str) -> list[str]:
        return [line.text for line in await self.shown(buffer)]

    async def everything(self) -> str:
        return "\n".join(path.read_text(errors="replace") for path in sorted(self._logs.glob("*.log")))

    @property
    def _server(self) -> str:
        return self._login.name if self._login is not None else "bnc"

    def _count(self, pattern: re.Pattern[str]) -> int:
        path = self._logs / f"irc.server.{self._server}.log"
        return len(pattern.findall(path.read_text(errors="replace"))) if path.exists() else 0
