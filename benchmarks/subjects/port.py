"""What a subject is: a program that can be started with settings for a given plan, as a daemon of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.certificate import Certificate
from benchmarks.meter import cpu_ns

START_SECONDS = 60.0  # that a subject may take until it can be spoken to
STOP_SECONDS = 30.0
LOOK = 0.25  # seconds between two looks whether work goes on: more often, the looks would be part of the work
_QUIET_NS = 1_000_000  # of CPU in that time, that a bouncer uses which has nothing to do


@dataclass(frozen=True, slots=True)
class Plan:
    """What a subject is to hold: ``networks``, each with as many ``channels``, with so many ``members`` in each.
    ``tls``: on both sides. ``tagged``: the networks offer time, ids and accounts. ``kept``: lines of a channel that a
    client who is away is to find when it comes back."""

    networks: int = 1
    channels: int = 10
    members: int = 3
    tls: bool = False
    tagged: bool = False
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known when a subject is started. ``home``: an empty folder. ``upstream``: the port of the fake network.
    ``port``: where clients will come."""

    plan: Plan
    home: Path
    upstream: int
    port: int
    certificate: Certificate


class Daemon:
    """A subject that runs. It is told to end with :meth:`stop`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    @property
    def pid(self) -> int:
        return self.process.pid

    async def settled(self) -> None:
        """Wait until nothing is left to be done of what came."""
        await self.quiet()

    async def quiet(self) -> None:
        """Wait until it uses no CPU."""
        before = cpu_ns(self.pid)
        while True:
            await asyncio.sleep(LOOK)
            if (now := cpu_ns(self.pid)) - before < _QUIET_NS:
                return
            before = now

    async def stop(self) -> None:
        self.process.terminate()
        await end_of(self.process)


class Subject(Protocol):
    """``name`` is the word for it on the command line and in JSON."""

    name: str

    def missing(self) -> str:
        """Why it can't be measured here, or nothing."""

    async def start(self, setting: Setting) -> Daemon:
        """Have it run and connect to its networks."""

    def version(self) -> str: ...


def spawn(
    words: Sequence[str], home: Path, *, user: str | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a program with what it prints in the file ``log`` of its home."""
    with (home / "log").open("ab") as log:
        return subprocess.Popen(
            words,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            user=user,
            env={**os.environ, **(environment or {})},
        )


async def end_of(process: subprocess.Popen[bytes], patience: float = STOP_SECONDS) -> int:
    """Wait for the end of a process, and kill it if that takes too long; its exit status."""
    try:
        return await asyncio.to_thread(process.wait, patience)
    except subprocess.TimeoutExpired:
        process.kill()
        return await asyncio.to_thread(process.wait)


def output(*words: str) -> str:
    """The first line that a program prints."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=START_SECONDS, check=False)
    except OSError:
        return ""
    return next(iter((done.stdout or done.stderr).splitlines()), "")


def found(program: str) -> str:
    """Where a program is, or nothing."""
    return shutil.which(program) or ""
