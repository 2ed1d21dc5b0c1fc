"""One subject at work: the fake network, the daemon, the clients. What is measured is measured here."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.certificate import Certificate
from benchmarks.client import CAPS, USER, Client, Place
from benchmarks.meter import cpu_ns, main_thread_ns
from benchmarks.network import Network, Upstream
from benchmarks.subjects.port import LOOK, Daemon, Plan, Setting, Subject
from benchmarks.wire import PATIENCE

_AT_ONCE = 16  # clients that log in together: passwords cost all subjects a lot
_TRIES_EACH = 0.05  # seconds
_SECONDS_A_NETWORK = 1.5  # ZNC starts one each second


@dataclass(frozen=True, slots=True)
class Cost:
    """Of some work: seconds of CPU, those of the first thread alone, and seconds that went by until the last line
    was there."""

    cpu: float
    main: float
    wall: float


class Stage:
    """A subject with the networks of its plan, all joined."""

    def __init__(self, subject: Subject, plan: Plan, home: Path, network: Network) -> None:
        self.subject = subject
        self.plan = plan
        self.clients: list[Client] = []
        self.start_s = 0.0
        self._home = home
        self._network = network
        self._place: Place
        self.daemon: Daemon

    @classmethod
    async def open(cls, subject: Subject, plan: Plan, certificate: Certificate) -> Stage:
        network = Network(plan.channels, plan.members, tagged=plan.tagged)
        await network.open(certificate.for_upstream() if plan.tls else None)
        home = Path(tempfile.mkdtemp(prefix=f"bench-{subject.name}-"))
        os.chmod(home, 0o755)  # for subjects with a user of their own
        self = cls(subject, plan, home, network)
        setting = Setting(plan, home, network.port, free_port(), certificate)
        self._place = Place(setting.port, certificate.for_clients() if plan.tls else None)
        try:
            self.daemon = await subject.start(setting)
            began = time.perf_counter()
            async with asyncio.timeout(PATIENCE + plan.networks * _SECONDS_A_NETWORK):
                await network.joined(plan.networks)
            await self.daemon.quiet()  # it has read all that the networks said
            self.start_s = time.perf_counter() - began - LOOK
            await self._reachable()
        except BaseException as error:
            error.add_note(f"{subject.name} said: {(home / 'log').read_text()[-2000:]}")
            await self.close()
            raise
        return self

    async def close(self) -> None:
        if hasattr(self, "daemon"):
            await self.daemon.stop()
        self._network.close()
        shutil.rmtree(self._home, ignore_errors=True)

    async def _reachable(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self._place.port)
                except OSError:
                    await asyncio.sleep(_TRIES_EACH)
                    continue
                writer.close()
                return

    def upstream(self, number: int = 0) -> Upstream:
        return self._network.connections[number]

    async def attach(self, device: str, network: int = 0) -> Client:
        """A client that takes tags if the network has them."""
        wanted = CAPS if self.plan.tagged else frozenset()
        return await Client.attach(self._place, f"{USER}@{device}/n{network}", wanted)

    async def attach_all(self, places: list[tuple[str, int]]) -> None:
        """Clients for devices on networks, in that order, some at a time."""
        for start in range(0, len(places), _AT_ONCE):
            self.clients += await asyncio.gather(*(self.attach(*place) for place in places[start : start + _AT_ONCE]))

    async def cost(self, work: Callable[[], Awaitable[object]]) -> Cost:
        """Of the daemon, for ``work`` and all that it leaves to be done after it."""
        pid = self.daemon.pid
        began, used, main = time.perf_counter(), cpu_ns(pid), main_thread_ns(pid)
        async with asyncio.timeout(PATIENCE):
            await work()
            wall = time.perf_counter() - began
            await self.daemon.settled()
        return Cost((cpu_ns(pid) - used) / 1e9, (main_thread_ns(pid) - main) / 1e9, wall)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port
