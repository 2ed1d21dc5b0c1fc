"""Fails when a line costs more than it did: the interpreter's steps for each, held against a stored baseline.

    python -m benchmarks.guard          compare with benchmarks/baseline.json
    python -m benchmarks.guard --set    what is counted now is the baseline, for this version of Python

The bouncer runs in this process, between the fake network and clients of the load tool. Lines come in portions, and the
next one is sent when the one before is with all clients and on disk, so that each run does the same.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import uvloop

from benchmarks.certificate import Certificate
from benchmarks.client import CAPS, USER, Client, Place
from benchmarks.counting import Counter
from benchmarks.network import Network
from benchmarks.stage import free_port
from benchmarks.subjects.bouncer import settle_in, user_of
from benchmarks.subjects.port import Plan, Setting
from benchmarks.words import downstream, upstream
from bouncer.app.config import load_config
from bouncer.app.home import Home
from bouncer.app.storenews import StoreNews
from bouncer.app.wire import COMPILED, Bouncer, assemble, open_store

BASELINE = Path(__file__).with_name("baseline.json")
MOST = 1.15  # of the baseline
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_ROUNDS = 16  # of the loop the least of them counts: what happens by the clock, as each 5 s, adds to some
_PATIENCE = 60.0  # seconds for what is a matter of one
_LOOK = 0.002  # seconds between two looks whether a portion is on disk


@dataclass(frozen=True, slots=True)
class Case:
    """``portion``: lines that are sent together. ``clients``: devices that are attached. ``speaks``: it is the client
    who says them."""

    clients: int = 1
    portion: int = 50
    tagged: bool = False
    speaks: bool = False
    lines: int = 100


CASES: Mapping[str, Case] = {
    "relay, 1 client": Case(),
    "relay, 20 clients": Case(clients=20),
    "relay with tags": Case(tagged=True),
    "upstream direction": Case(speaks=True),
    "single lines": Case(portion=1, lines=20),
}


async def count(case: Case) -> dict[str, float]:
    """What a line costs: for the event loop, and for the threads of the store."""
    home = Path(tempfile.mkdtemp(prefix="bench-guard-"))
    plan = Plan(tagged=case.tagged)
    network = Network(plan.channels, plan.members, tagged=plan.tagged)
    await network.open(None)
    counter = Counter()
    try:
        setting = Setting(plan, home, network.port, free_port(), Certificate.make(home / "certificate.pem"))
        await settle_in(setting, user_of(USER, setting, range(plan.networks)))
        async with _running(Home(home), counter) as bouncer, asyncio.timeout(_PATIENCE):
            await network.joined(plan.networks)
            wanted = CAPS if case.tagged else frozenset()
            clients = [
                await Client.attach(Place(setting.port), f"{USER}@d{number}/n0", wanted)
                for number in range(case.clients)
            ]
            work = _Work(bouncer, network, clients, case)
            for _ in range(_ROUNDS // 2):
                await work.relay(case.lines)  # whatever is kept for the next line is there
            rounds = []
            with counter.counting():
                for _ in range(_ROUNDS):
                    before = replace(counter.loop)
                    await work.relay(case.lines)
                    rounds.append(counter.loop.since(before))
                await work.indexed()
    finally:
        network.close()
        shutil.rmtree(home, ignore_errors=True)
    figures = {"steps of the loop": min(each.steps for each in rounds) / case.lines}
    if case.clients == 1:  # places of devices are kept by the clock: the more devices, the more of that
        figures["steps of the store"] = counter.others.steps / (case.lines * _ROUNDS)
    return figures


@asynccontextmanager
async def _running(home: Home, counter: Counter) -> AsyncIterator[Bouncer]:
    """A bouncer in this process, whose threads are watched."""
    config = load_config(home.config)
    async with AsyncExitStack() as ending:
        ending.enter_context(counter.watching())
        store = open_store(home, config)
        ending.callback(store.close)
        bouncer = assemble(home, config, store)
        ending.callback(bouncer.passwords.close)
        store.watch(StoreNews(bouncer.house, lambda: store.dropped))
        ending.push_async_callback(bouncer.desk.close)
        ending.push_async_callback(bouncer.listeners.close, b"")
        ending.push_async_callback(bouncer.upstreams.close, "")
        await bouncer.listeners.open(map(str, config.listen))
        bouncer.upstreams.start()
        yield bouncer


class _Work:
    def __init__(self, bouncer: Bouncer, network: Network, clients: list[Client], case: Case) -> None:
        self._store = bouncer.store
        self._upstream = network.connections[0]
        self._clients = clients
        self._case = case

    async def relay(self, lines: int) -> None:
        """Portion by portion."""
        case = self._case
        if case.speaks:
            chunks = upstream(lines, 10, case.portion)
        else:
            chunks = downstream(lines, 10, tagged=case.tagged, chunk=case.portion)
        for chunk in chunks:
            heard = [each.awaiting(case.portion) for each in ([self._upstream] if case.speaks else self._clients)]
            (self._clients[0] if case.speaks else self._upstream).transport.write(chunk)
            await asyncio.gather(*heard)
            await _until(lambda: not self._store.undurable)

    async def indexed(self) -> None:
        """Until all is in the index, too."""
        await _until(lambda: not self._store.unindexed)


async def _until(done: Callable[[], bool]) -> None:
    while True:
        if done():
            return
        await asyncio.sleep(_LOOK)


def compare(found: Mapping[str, Mapping[str, float]], baseline: Mapping[str, Mapping[str, float]]) -> list[str]:
    """What is too much, a sentence for each."""
    return [
        f"{case}: {now:,.1f} {name} a line, {now / before - 1:+.0%} over the {before:,.1f} of the baseline"
        for case, figures in found.items()
        for name, now in figures.items()
        if (before := baseline.get(case, {}).get(name)) and now > before * MOST
    ]


async def _count_all() -> dict[str, dict[str, float]]:
    return {
        name: {figure: round(value, 2) for figure, value in (await count(case)).items()} for name, case in CASES.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", action="store_true", help="make these figures the baseline")
    options = parser.parse_args()
    if COMPILED:
        print("The bouncer that Python finds here is compiled, and only plain Python can be counted.", file=sys.stderr)
        return 1
    baselines = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    found = uvloop.run(_count_all())
    before = baselines.get(PYTHON, {})
    for case, figures in found.items():
        print(f"{case}, a line:")
        for name, now in figures.items():
            was = before.get(case, {}).get(name)
            print(f"  {now:10,.1f} {name}" + (f"  ({now / was - 1:+.1%})" if was else ""))
    if options.set:
        BASELINE.write_text(json.dumps({**baselines, PYTHON: found}, indent=1, sort_keys=True) + "\n")
        return 0
    if not before:
        print(f"There is no baseline for Python {PYTHON}: python -m benchmarks.guard --set makes one.")
        return 0
    if problems := compare(found, before):
        print("\n".join(problems), file=sys.stderr)
        print(
            f"A line costs over {MOST - 1:.0%} more than it did. If that is what it takes, say why in the commit, and "
            "set the baseline anew: python -m benchmarks.guard --set",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
