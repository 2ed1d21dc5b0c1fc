"""A terminal of tmux in which a program runs: typed into, and read off the screen."""

import subprocess
from pathlib import Path

from peers.process import find_program


class Terminal:
    """One terminal, with a tmux server of its own in `home`; `run` may be called again when its program has ended."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._home = home
        self._program = find_program("tmux")

    def run(self, command: str) -> None:
        environment = "TZ=UTC LC_ALL=C.UTF-8 TERM=screen"
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", "200", "-y", "50", f"{environment} {command}")

    def type(self, line: str) -> None:
        self._tmux("send-keys", "-l", "--", line, ";", "send-keys", "Enter")

    @property
    def screen(self) -> str:
        return self._tmux("capture-pane", "-p", check=False)

    @property
    def running(self) -> bool:
        return "no server" not in self._tmux("list-sessions", check=False)

    @property
    def pid(self) -> str:
        """Of the program; not a number if none runs."""
        return self._tmux("list-panes", "-F", "#{pane_pid}", check=False).strip()

    def kill(self) -> None:
        self._tmux("kill-server", check=False)

    def _tmux(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(
            [self._program, "-S", str(self._home / "tmux"), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=20,
        )
        assert done.returncode == 0 or not check, done.stdout
        return done.stdout
