"""Our bouncer: as it is installed where a program of it is named, else plain Python from the tree that this file is in.
History is durable and indexed, as it always is."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.client import PASSWORD, USER
from benchmarks.subjects.port import LOOK, Daemon, Setting, end_of, found, output, spawn
from benchmarks.words import channel

_APPLY_SECONDS = 300.0  # ten thousand networks of a hundred users, whose passwords are hashed, on a busy machine
_ANSWER_LIMIT = 64 * 1024 * 1024
_CONFIG = """
listen = ["{scheme}://127.0.0.1:{port}"]
[upstream]
pace = "off"
[tls]
certificate = "{certificate}"
client_certificates = false
"""
_USER = """
[[user]]
name = "{user}"
password = "{password}"
"""
_NETWORK = """
[[user.network]]
name = "n{number}"
nick = "n{number}"
servers = ["{scheme}://127.0.0.1:{port}"]
channels = [{channels}]
flood = "off"
{more}
"""


class Running(Daemon):
    def __init__(self, process: subprocess.Popen[bytes], home: Path) -> None:
        super().__init__(process)
        self._socket = home / "admin.sock"

    async def settled(self) -> None:
        """Wait until all is durable and in the index."""
        while True:
            now = await self.status()
            if not now["undurable"] and not now["unindexed"]:
                return
            await asyncio.sleep(LOOK)

    async def status(self) -> dict[str, Any]:
        """What `bouncer status --json` prints, asked for without a process for it."""
        reader, writer = await asyncio.open_unix_connection(self._socket, limit=_ANSWER_LIMIT)
        writer.write(b'{"words": ["status"]}\n')
        answer = json.loads(await reader.readline())
        writer.close()
        await writer.wait_closed()
        now: dict[str, Any] = answer["data"]
        return now


class Bouncer:
    name = "bouncer"

    def __init__(self, program: str = "") -> None:
        """``program``: the installed ``bouncer`` to run, absolute; it may be compiled, which the tree's is not."""
        self._program = program

    def missing(self) -> str:
        return "" if not self._program or found(self._program) else f"there is no program {self._program}"

    def version(self) -> str:
        return f"{output(*_command(self._program), '--version')} ({self._program or 'plain Python of this tree'})"

    async def start(self, setting: Setting) -> Running:
        return await run(setting, user_of(USER, setting, range(setting.plan.networks)), self._program)


async def run(setting: Setting, state: str, program: str = "") -> Running:
    """Start it with the users and networks of a state file."""
    await settle_in(setting, state)
    home = setting.home
    # an installed one must not find the tree, which is on the path where the tool was told so
    nowhere = {"PYTHONPATH": ""} if program else None
    words = [*_command(program), "--home", str(home), "run"]
    return Running(spawn(words, home, environment=nowhere), home)


async def settle_in(setting: Setting, state: str) -> None:
    """Make the home: settings, and what the state file says in the database."""
    home = setting.home
    (home / "bouncer.toml").write_text(
        _CONFIG.format(
            scheme="ircs" if setting.plan.tls else "irc+insecure",
            port=setting.port,
            certificate=setting.certificate.pem,
        )
    )
    file = home / "state.toml"
    file.write_text(state)
    applying = spawn([*_command(""), "--home", str(home), "apply", str(file)], home)
    if await end_of(applying, _APPLY_SECONDS):
        raise RuntimeError(f"the settings were not applied: {(home / 'log').read_text()}")


def _command(program: str) -> list[str]:
    return [program] if program else [sys.executable, "-m", "bouncer"]


def user_of(name: str, setting: Setting, networks: Iterable[int]) -> str:
    """One user of the state file, with networks of these numbers."""
    plan = setting.plan
    names = ", ".join(f'"{channel(number).decode()}"' for number in range(plan.channels))
    return _USER.format(user=name, password=PASSWORD) + "".join(
        _NETWORK.format(
            number=number,
            scheme="ircs" if plan.tls else "irc+insecure",
            port=setting.upstream,
            channels=names,
            more=f'tls_fingerprint = "{setting.certificate.fingerprint}"' if plan.tls else "",
        )
        for number in networks
    )
