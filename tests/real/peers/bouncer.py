"""The bouncer as its users have it: the command line, a home folder, listening ports. A black box like the others."""

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tomli_w

from peers.certificates import fingerprint_of
from peers.chat_client import Login
from peers.ircds import Network
from peers.process import Program, console_script
from peers.waiting import eventually, free_port, listening

PASSWORD = "correct-horse-battery"
START_SECONDS = 20.0
COMMAND_SECONDS = 30.0


class Done(NamedTuple):
    """An ended command."""

    code: int
    out: str
    err: str

    @property
    def complaints(self) -> list[str]:
        """The lines of stderr, without the warning that running as root earns."""
        return [line for line in self.err.splitlines() if line.strip() and "root" not in line]


class Bouncer:
    """One home and, while it is started, the process on it. The ports stay the same over restarts."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.tls_port = free_port()
        self._env = {"BOUNCER_HOME": str(home)}
        self._process = Program([*console_script("bouncer"), "run"], home, self._env)

    def configure(self, **upstream: str) -> None:
        """Write bouncer.toml; by default connects to the networks are not paced, as tests restart everything often."""
        settings = {
            "listen": [f"ircs://127.0.0.1:{self.tls_port}", f"irc+insecure://127.0.0.1:{self.port}"],
            "upstream": {"pace": "off", **upstream},
        }
        (self.home / "bouncer.toml").write_text(tomli_w.dumps(settings))

    async def command(self, *words: str, home: Path | None = None) -> Done:
        """Run one `bouncer` command to its end."""
        env = {**os.environ, **self._env, **({"BOUNCER_HOME": str(home)} if home else {})}
        process = await asyncio.create_subprocess_exec(
            *console_script("bouncer"),
            *words,
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(), COMMAND_SECONDS)
        except TimeoutError:
            process.kill()
            out, err = await process.communicate()
            raise AssertionError(f"bouncer {' '.join(words)} did not end:\n{out!r}\n{err!r}") from None
        assert process.returncode is not None
        return Done(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))

    async def apply(self, *users: Mapping[str, Any]) -> None:
        """Make users and networks as the state file says (section "state file" of the docs)."""
        path = self.home / "state.toml"
        path.write_text(tomli_w.dumps({"user": list(users)}))
        done = await self.command("apply", str(path))
        assert done.code == 0, done

    async def status(self) -> dict[str, Any]:
        """`bouncer status --json`."""
        done = await self.command("status", "--json")
        assert done.code == 0, done
        status: dict[str, Any] = json.loads(done.out)
        return status

    async def durable(self) -> None:
        """Wait until everything received so far would survive kill -9."""

        async def nothing_waits() -> bool:
            status = await self.status()
            assert status["undurable"] == 0, status
            return True

        await eventually(nothing_waits, what="the bouncer has committed all it holds")

    async def start(self) -> None:
        self._process.start()

        def up() -> bool:
            assert self._process.running, f"bouncer run ended:\n{self.output()[-3000:]}"
            return listening(self.port) and listening(self.tls_port)

        await eventually(up, START_SECONDS, "the bouncer listens")

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()

    def terminate(self) -> int:
        """SIGTERM; returns the exit status."""
        return self._process.terminate()

    @property
    def running(self) -> bool:
        return self._process.running

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        return self._process.exit_code

    def run_only(self) -> None:
        """Start the process without waiting for anything."""
        self._process.start()

    def output(self) -> str:
        """What `bouncer run` printed, over all its starts."""
        return self._process.output()

    def login(self, user: str, nick: str, *, tls: bool = True) -> Login:
        """What a real client needs to attach as that login (`user/network@device`)."""
        if not tls:
            return Login(self.port, user, PASSWORD, nick)
        return Login(self.tls_port, user, PASSWORD, nick, fingerprint_of(self.tls_port))


def network(
    name: str, server: Network, *, tls: bool, nick: str, channels: Sequence[Any], **more: Any
) -> dict[str, Any]:
    """A network of a state file: that server, pinned by its fingerprint where it is TLS."""
    pinned = {"tls_fingerprint": server.fingerprint} if tls else {}
    return {
        "name": name,
        "servers": [server.url(tls=tls)],
        "nick": nick,
        "channels": channels,
        "flood": "off",
        **pinned,
        **more,
    }


def user(name: str, *networks: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A user of a state file, with the one password all tests use."""
    return {"name": name, "password": PASSWORD, "nick": name, "network": list(networks), **more}
