"""What is measured: each scenario a row of SCENARIOS, and a function for what one run of it does.

A run gives figures by name. The first figure of a scenario is the one that subjects are compared by, unless `goals.py`
names others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from benchmarks.meter import cpu_ns, pss_bytes
from benchmarks.stage import Cost, Stage
from benchmarks.subjects.port import Plan
from benchmarks.words import downstream, upstream

Figures = dict[str, float]
Prepare = Callable[[Stage], Awaitable[None]]
Run = Callable[[Stage, int], Awaitable[Figures]]

SPENT = "s"  # the figure that says how much CPU the whole run cost
RATE = 500.0  # lines a second, where each is to find its bouncer asleep
_IDLE = 10  # seconds of doing nothing
_SETTLE = 2.0  # seconds that a bouncer has for itself before its memory is looked at
_MOST = 300_000  # lines of a run
_DEVICE = "bench"
_FEW = 5  # networks, where it is only to be seen that things work
_SMALL = 1_000  # lines


@dataclass(frozen=True, slots=True)
class Scenario:
    """``run`` is done many times on a stage of ``plan`` that ``prepare`` made ready, for each subject in turn, with so
    many lines that it costs ENOUGH CPU, between ``least`` and ``most`` (equal: always as many). ``fresh``: each run
    starts its subject anew. ``sizes``: of networks, where a figure is the slope between two plans."""

    title: str
    plan: Plan
    run: Run
    prepare: Prepare | None = None
    least: int = 2_000
    most: int = _MOST
    fresh: bool = False
    sizes: tuple[int, int] | None = None
    without: frozenset[str] = frozenset()

    def small(self) -> Scenario:
        """The same with little of everything: does it work at all?"""
        plan = replace(self.plan, networks=min(self.plan.networks, _FEW), channels=min(self.plan.channels, 2 * _FEW))
        least = min(self.least, _SMALL)
        if self.run is hold:
            least = 1
        return replace(self, plan=plan, least=least, most=least, sizes=self.sizes and (1, _FEW))


def clients(count: int) -> Prepare:
    """As many devices attached to each network, and a line in each of its channels."""

    async def prepare(stage: Stage) -> None:
        networks = stage.plan.networks
        await stage.attach_all([(f"{_DEVICE}{number}", on) for number in range(count) for on in range(networks)])
        await _relay(stage, stage.plan.channels * networks)

    return prepare


async def _relay(stage: Stage, lines: int) -> Cost:
    """As many lines of each network to all its clients."""
    each = lines // stage.plan.networks
    chunks = downstream(each, stage.plan.channels, tagged=stage.plan.tagged)
    arrived = [client.awaiting(each) for client in stage.clients]

    async def work() -> None:
        await asyncio.gather(*(stage.upstream(number).send(chunks) for number in range(stage.plan.networks)))
        await asyncio.gather(*arrived)

    return await stage.cost(work)


async def relay(stage: Stage, lines: int) -> Figures:
    return _per_line(await _relay(stage, lines), lines)


def _per_line(cost: Cost, lines: int) -> Figures:
    return {
        "us": cost.cpu / lines * 1e6,
        "us of the first thread": cost.main / lines * 1e6,
        "lines/s": lines / cost.wall,
        SPENT: cost.cpu,
    }


async def speak(stage: Stage, lines: int) -> Figures:
    """What a client says goes to the network."""
    chunks = upstream(lines, stage.plan.channels)
    arrived = stage.upstream().awaiting(lines)

    async def work() -> None:
        await stage.clients[0].send(chunks)
        await arrived

    return _per_line(await stage.cost(work), lines)


async def on_each_network(stage: Stage) -> None:
    await stage.attach_all([(_DEVICE, number) for number in range(stage.plan.networks)])


async def single(stage: Stage, lines: int) -> Figures:
    """One line at a time, each on the next network, with nothing going on between them."""
    chunks = [line + b"\r\n" for chunk in downstream(lines, stage.plan.channels) for line in chunk.split(b"\r\n")[:-1]]
    count = stage.plan.networks
    arrived = [
        client.awaiting(len(range(number, lines, count)))
        for number, client in enumerate(stage.clients)
        if number < lines
    ]

    async def work() -> None:
        loop = asyncio.get_running_loop()
        for number, line in enumerate(chunks):
            due = loop.time() + 1 / RATE
            stage.upstream(number % count).transport.write(line)
            await asyncio.sleep(due - loop.time())
        await asyncio.gather(*arrived)

    return _per_line(await stage.cost(work), lines)


async def ping_pong(stage: Stage, lines: int) -> Figures:
    """A line is sent when the one before it has come."""
    line = downstream(1, 1)[0]
    network, client = stage.upstream(), stage.clients[0]
    taken = []
    for _ in range(lines):
        arrived = client.awaiting(1)
        began = time.perf_counter()
        network.transport.write(line)
        await arrived
        taken.append((time.perf_counter() - began) * 1e6)
    await stage.daemon.settled()
    taken.sort()
    return {"p50 us": taken[lines // 2], "p99 us": taken[lines * 99 // 100]}


async def leave(stage: Stage) -> None:
    """A device that was there, and had a line of each channel."""
    await clients(1)(stage)
    await _away(stage)


async def _away(stage: Stage) -> None:
    await stage.daemon.settled()
    await stage.clients.pop().close()
    await stage.daemon.settled()


async def come_back(stage: Stage, lines: int) -> Figures:
    """The device attaches and gets all that it missed."""
    await stage.upstream().send(downstream(lines, stage.plan.channels))
    await stage.daemon.settled()

    async def work() -> None:
        client = await stage.attach(f"{_DEVICE}0")
        stage.clients.append(client)
        if client.seen < lines:
            await client.awaiting(lines - client.seen)

    cost = await stage.cost(work)
    seen = stage.clients[-1].seen
    if seen != lines:
        raise RuntimeError(f"{stage.subject.name} gave {seen:,} of {lines:,} missed lines")
    await _away(stage)
    return {"ms": cost.cpu * 1e3, "wall ms": cost.wall * 1e3}


async def hold(stage: Stage, seconds: int) -> Figures:
    """Memory of what has just joined, and what doing nothing costs for so many seconds; no clients."""
    await asyncio.sleep(_SETTLE)
    await stage.daemon.quiet()
    memory = pss_bytes(stage.daemon.pid)
    began, used = time.perf_counter(), cpu_ns(stage.daemon.pid)
    await asyncio.sleep(seconds)
    idle = (cpu_ns(stage.daemon.pid) - used) / 1e9 / (time.perf_counter() - began)
    return {"start s": stage.start_s, "idle %": idle * 100, "MiB": memory / 2**20}


async def weigh(stage: Stage, lines: int) -> Figures:
    await asyncio.sleep(_SETTLE)
    await stage.daemon.quiet()
    return {"KiB": pss_bytes(stage.daemon.pid) / 1024}


_CROWD = Plan(networks=300, channels=10, members=100)
SCENARIOS: Mapping[str, Scenario] = {
    "relay-1": Scenario("relay, 1 client", Plan(), relay, clients(1)),
    "relay-20": Scenario("relay, 20 clients", Plan(), relay, clients(20)),
    "tags": Scenario("relay with tags", Plan(tagged=True), relay, clients(1)),
    "targets": Scenario("relay over 1,500 targets", Plan(networks=5, channels=300), relay, clients(1), least=3_000),
    "upstream": Scenario("upstream direction", Plan(), speak, clients(1)),
    "single": Scenario("single lines over 300 networks", _CROWD, single, on_each_network, least=600, most=6_000),
    "latency": Scenario("latency", Plan(), ping_pong, clients(1), least=2_000, most=2_000),
    "attach": Scenario(
        "attach with 20,000 missed lines",
        Plan(channels=20, members=500, kept=20_000),
        come_back,
        leave,
        least=20_000,
        most=20_000,
    ),
    "memory": Scenario("memory per added network", _CROWD, weigh, least=1, most=1, fresh=True, sizes=(10, 160)),
    "crowd": Scenario(
        "300 networks from start to all joined",
        _CROWD,
        hold,
        least=_IDLE,
        most=_IDLE,
        fresh=True,
        without=frozenset(("znc", "znc-log")),  # they start one network a second, by a rule of theirs
    ),
    "tls": Scenario("TLS on both sides, relay, 1 client", Plan(tls=True), relay, clients(1)),
}
