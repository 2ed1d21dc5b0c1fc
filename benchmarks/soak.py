"""One bouncer with very many networks for long: does it answer every PING, keep every line, and stay as large as it is?

    python -m benchmarks.soak [--upstreams N] [--seconds N] [--users N] [--bouncer PATH]

Each network says a line a second, spread over the second, and sends a PING now and then. Some users have a device
attached, on their first network. In the end the lines in the database are counted.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import uvloop

from benchmarks.certificate import Certificate
from benchmarks.client import Client, Place
from benchmarks.meter import cpu_ns, pss_bytes
from benchmarks.network import Network, Upstream
from benchmarks.stage import free_port
from benchmarks.subjects.bouncer import Running, run, user_of
from benchmarks.subjects.port import Plan, Setting
from benchmarks.words import downstream

_SPARE = 200  # descriptors that both processes need beside their connections
_CLIENTS = 20
_TICKS = 100  # in a second: each is the turn of a hundredth of the networks
_PING_EVERY = 60  # seconds, of each network
_PATIENCE = 30.0  # seconds for the answer to a PING; networks have two minutes and more
_REPORT = 10  # seconds between two lines of the report
_START = 600.0  # seconds until all are joined
_FLAT = 1.05  # memory of the last third against the middle one: what grows for ever grows by more


@dataclass(frozen=True, slots=True)
class Sample:
    """``second`` of the soak; ``memory`` in bytes; ``cpu`` in seconds since the last one."""

    second: int
    memory: int
    cpu: float


class Pings:
    """PINGs of the networks, and who has not answered in time."""

    def __init__(self) -> None:
        self.sent = self.late = 0
        self.slowest = 0.0
        self._open: dict[Upstream, float] = {}

    def ask(self, upstream: Upstream) -> None:
        self.answered(upstream)
        if upstream in self._open:
            self.late += 1
        upstream.pongs = 0
        self.sent += 1
        self._open[upstream] = time.monotonic()
        upstream.transport.write(b"PING :irc.bench\r\n")

    def look(self) -> None:
        """Note who has answered by now."""
        for upstream in list(self._open):
            self.answered(upstream)

    def answered(self, upstream: Upstream) -> None:
        since = self._open.get(upstream)
        if since is None or not upstream.pongs:
            return
        taken = time.monotonic() - since
        self.slowest = max(self.slowest, taken)
        self.late += taken > _PATIENCE
        del self._open[upstream]

    @property
    def unanswered(self) -> int:
        return len(self._open)


class Soak:
    """``upstreams`` networks of ``users`` for ``seconds``."""

    def __init__(self, upstreams: int, users: int, seconds: int) -> None:
        self.plan = Plan(networks=upstreams, channels=3, members=30)
        self.users, self.seconds = users, seconds
        self.network = Network(self.plan.channels, self.plan.members)
        self.pings = Pings()
        self.said = 0
        self.samples: list[Sample] = []
        self._lines = [chunk.split(b"\n")[0] + b"\n" for chunk in downstream(3_000, self.plan.channels)]

    async def begin(self, home: Path, program: str) -> Running:
        """Start the bouncer, an installed one or the tree's; done when every network has let it into all channels."""
        await self.network.open(None)
        self.setting = Setting(
            self.plan, home, self.network.port, free_port(), Certificate.make(home / "certificate.pem")
        )
        each = -(-self.plan.networks // self.users)
        state = "".join(
            user_of(f"user{user}", self.setting, range(user * each, min((user + 1) * each, self.plan.networks)))
            for user in range(self.users)
        )
        daemon = await run(self.setting, state, program)
        began, used = time.monotonic(), cpu_ns(daemon.pid)
        async with asyncio.timeout(_START):
            await self.network.joined(self.plan.networks)
        taken, cpu = time.monotonic() - began, (cpu_ns(daemon.pid) - used) / 1e9
        print(f"all joined after {taken:.1f} s, with {cpu:.1f} s of CPU", flush=True)
        return daemon

    async def clients(self) -> list[Client]:
        each = -(-self.plan.networks // self.users)
        return [
            await Client.attach(Place(self.setting.port), f"user{user}@soak/n{user * each}")
            for user in range(min(_CLIENTS, self.users))
        ]

    async def talk(self, daemon: Running) -> None:
        """A line a second on each network, evenly over the second."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        used = cpu_ns(daemon.pid)
        for second in range(self.seconds):
            for tick, ours in enumerate(self._turns()):
                self._speak(ours, second)
                await asyncio.sleep(max(0.0, started + second + (tick + 1) / _TICKS - loop.time()))
                self.pings.look()
            if second % _REPORT == _REPORT - 1:
                now = cpu_ns(daemon.pid)
                self._sample(second + 1, pss_bytes(daemon.pid), (now - used) / 1e9, loop.time() - started)
                used = now
        async with asyncio.timeout(_PATIENCE):
            while self.pings.unanswered:
                await asyncio.sleep(1 / _TICKS)
                self.pings.look()

    def _turns(self) -> Iterator[list[Upstream]]:
        connections = self.network.connections
        for tick in range(_TICKS):
            yield [connections[number] for number in range(tick, self.plan.networks, _TICKS) if number in connections]

    def _speak(self, ours: list[Upstream], second: int) -> None:
        for upstream in ours:
            upstream.transport.write(self._lines[(self.said + second) % len(self._lines)])
            self.said += 1
            if (upstream.number + second) % _PING_EVERY == 0:
                self.pings.ask(upstream)

    def _sample(self, second: int, memory: int, cpu: float, passed: float) -> None:
        self.samples.append(Sample(second, memory, cpu))
        print(
            f"{second:5} s  {memory / 2**20:7.1f} MiB  {cpu / _REPORT * 100:5.1f} % of one processor  "
            f"{len(self.network.connections):,} connected  PINGs {self.pings.sent:,}, slowest answer "
            f"{self.pings.slowest * 1e3:.0f} ms, late {self.pings.late}"
            + (f"  (the load is {passed - second:.1f} s behind)" if passed - second > 1 else ""),
            flush=True,
        )

    def growth(self) -> float:
        """The largest of the last third by the largest of the middle one; 1 is flat."""
        third = len(self.samples) // 3
        middle = max((sample.memory for sample in self.samples[third : 2 * third]), default=1)
        return max((sample.memory for sample in self.samples[2 * third :]), default=1) / middle


async def soak(options: argparse.Namespace) -> int:
    """Do it all; the exit status."""
    home = Path(tempfile.mkdtemp(prefix="bench-soak-"))
    work = Soak(options.upstreams, options.users, options.seconds)
    try:
        daemon = await work.begin(home, options.bouncer)
        try:
            clients = await work.clients()
            heard = sum(client.seen for client in clients)
            print(f"{pss_bytes(daemon.pid) / 2**20:.1f} MiB with {len(clients)} clients", flush=True)
            await work.talk(daemon)
            await daemon.settled()
            heard = sum(client.seen for client in clients) - heard
            connected = len(work.network.connections)
        finally:
            await daemon.stop()
            work.network.close()
        with closing(sqlite3.connect(home / "bouncer.db")) as database:
            (kept,) = database.execute("SELECT count(*) FROM messages WHERE kind = 1").fetchone()
        size = (home / "bouncer.db").stat().st_size
    finally:
        shutil.rmtree(home, ignore_errors=True)
    cpu = sum(sample.cpu for sample in work.samples)
    lines = len(work.samples) * _REPORT * options.upstreams
    checks = {
        f"{connected:,} of {options.upstreams:,} still connected": connected == options.upstreams,
        f"{work.pings.sent:,} PINGs, {work.pings.late} answered late or never": not work.pings.late,
        f"{kept:,} of {work.said:,} lines kept": kept == work.said,
        f"{heard:,} of {len(clients) * options.seconds:,} lines heard": heard == len(clients) * options.seconds,
        f"memory grew by {(work.growth() - 1) * 100:.1f} % in the last third": work.growth() < _FLAT,
    }
    print(f"{cpu / max(1, lines) * 1e6:.1f} us of CPU a line, PINGs and all; {size / 2**20:,.0f} MiB on disk")
    for what, well in checks.items():
        print(f"{'ok    ' if well else 'FAILED'}  {what}")
    return not all(checks.values())


def _room_for(upstreams: int) -> str:
    """Have room for so many connections in this process and those it starts; what to do if that can't be."""
    wanted = upstreams + _SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return ""
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
    except (ValueError, OSError):
        return (
            f"{upstreams:,} upstreams need {wanted:,} descriptors, and this process may have {hard:,}; raise ulimit -n"
        )
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstreams", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--bouncer", default="", metavar="PATH", help="an installed bouncer, which may be compiled")
    options = parser.parse_args()
    if problem := _room_for(options.upstreams):
        print(problem, file=sys.stderr)
        return 1
    return uvloop.run(soak(options))


if __name__ == "__main__":
    sys.exit(main())
