"""What history costs with very many lines: to keep and index them, to page through them, and to search them.

    python -m benchmarks.history [--rows N] [--networks N] [--targets N] [--directory DIR]

Lines are made up, as much like people's as figures need: words by Zipf's law, 500 conversations of which few are busy,
joins and quits among them, and msgids on every second network. Then each question is asked many times, while nothing
else happens and while 10,000 lines a second are parsed and kept. Where ``--directory`` has a database with that many
lines already, it is asked as it is. Each figure for which there is a target says whether it is met; the targets are
those for ten million lines.

Before it is asked the file is read once, as a bouncer's file has been that runs for long on a machine with memory for
it: else these are figures of the disk.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import sqlite3
import sys
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import cycle
from pathlib import Path

from bouncer.app.supervisor import GC_THRESHOLDS, SWITCH_INTERVAL
from bouncer.irc.message import Message
from bouncer.model.entry import Entry, Kind
from bouncer.model.history import LAST_SEQ, Mark, Range, Search
from bouncer.model.ports import Page
from bouncer.store.secrets import open_box
from bouncer.store.sqlite import Store

MOST_WAITING = 20_000  # where a bouncer would stop reading
BURST = 40
VOCABULARY = 40_000
START = 1_700_000_000_000
RATE = 10_000  # lines a second, while questions are asked
PAGE = 100
POOL = 100_000  # different lines that come in
QUIET = 10.0  # seconds for which lines come in and nobody asks
SETTLE = 2.0  # seconds in which the index may merge what was filled in
ATTACH_PAGE = 500  # lines that a device missed and gets in its first page
# p99 in milliseconds
IDLE = {
    "LATEST": 5.0,
    "BEFORE a time": 5.0,
    "attach, 100 conversations": 50.0,
    "search: rare word": 50.0,
    "search: commonest word": 100.0,
    "search: common word": 100.0,
}
LOADED = {"LATEST": 50.0, "BEFORE a time": 50.0, "attach, 100 conversations": 50.0}


class World:
    """Who talks where, and of what."""

    def __init__(self, networks: int, targets: int) -> None:
        self.random = random.Random(1)
        letters = "etaoinshrdlucmfwypvbgkjqxz"
        self.words = [
            "".join(self.random.choices(letters, range(26, 0, -1), k=2 + number.bit_length() // 3 + number % 4))
            for number in range(VOCABULARY)
        ]
        self.weights = list(self._sums(1 / (rank + 2) for rank in range(VOCABULARY)))
        self.nicks = [f"{self.random.choice(self.words)}{number}" for number in range(3000)]
        self.networks = networks
        self.targets = [f"#{self.random.choice(self.words)}{number}" for number in range(targets)]
        self.busy = list(self._sums(1 / (rank + 5) for rank in range(targets)))
        self.seqs = [0] * (networks + 1)
        self.made = 0

    @staticmethod
    def _sums(parts: Iterator[float]) -> Iterator[float]:
        total = 0.0
        for part in parts:
            total += part
            yield total

    def burst(self, size: int) -> tuple[int, list[Entry]]:
        """The next lines, all of one network."""
        pick = self.random
        network = pick.randrange(self.networks) + 1
        mine = range(network - 1, len(self.targets), self.networks)
        entries = []
        for number in range(size):
            self.seqs[network] += 1
            self.made += 1
            # a target of this network, by how busy it is
            place = pick.choices(range(len(self.targets)), cum_weights=self.busy)[0]
            target = self.targets[mine[place % len(mine)]]
            nick = self.nicks[(place * 37 + pick.randrange(40)) % len(self.nicks)]
            at = START + self.made * 50
            tags = f"@time=2026-01-01T00:00:00.000Z;msgid={pick.getrandbits(110):027x} " if network % 2 else ""
            prefix = f"{tags}:{nick}!~{nick[:9]}@user/{nick}"
            kind = Kind.JOIN if number % 8 == 7 else Kind.PRIVMSG
            if kind is Kind.JOIN:
                raw = f"{prefix} JOIN {target}"
            else:
                text = " ".join(pick.choices(self.words, cum_weights=self.weights, k=pick.randrange(2, 18)))
                if number % 20 == 0:
                    text += f" https://{pick.choice(self.words)}.example.org/{pick.choice(self.words)}/{self.made}"
                if self.made % 100_000 == 5000:
                    text += " xylophonist"
                raw = f"{prefix} PRIVMSG {target} :{text}"
            entries.append(Entry(self.seqs[network], at, Message.parse(raw.encode()), kind, target))
        return network, entries

    def work(self, rows: int) -> list[tuple[int, list[Entry]]]:
        """Bursts made beforehand, so that only the store is measured."""
        return [self.burst(BURST) for _ in range(rows // BURST)]

    def resume(self, path: Path) -> None:
        """Go on behind the lines that are there."""
        with closing(sqlite3.connect(path)) as connection:
            for network in range(1, self.networks + 1):
                seq, at = connection.execute(
                    "SELECT max(seq), max(time) FROM messages WHERE network = ?", (network,)
                ).fetchone()
                self.seqs[network] = seq or 0
                self.made = max(self.made, ((at or START) - START) // 50)


async def fill(store: Store, world: World, rows: int) -> None:
    """Put all lines in, and tell what that costs."""
    wall = cpu = 0.0
    while world.made < rows:
        work = world.work(min(200_000, rows - world.made))
        began, began_cpu = time.perf_counter(), time.process_time()
        for network, burst in work:
            store.append(network, burst)
            if store.undurable > MOST_WAITING:
                await store.settled()
        await store.settled()
        wall += time.perf_counter() - began
        cpu += time.process_time() - began_cpu
    waiting = store.unindexed
    began, began_cpu = time.perf_counter(), time.process_time()
    while store.unindexed:
        await store.settled()
    wall += time.perf_counter() - began
    cpu += time.process_time() - began_cpu
    print(
        f"  kept and indexed: {cpu / world.made * 1e6:.1f} us of CPU a line, {world.made / wall:,.0f} lines/s; "
        f"{waiting:,} were not indexed at the end"
    )


async def timed(ask: Callable[[], Awaitable[object]], times: int, pause: float) -> list[float]:
    """How long each answer took, in milliseconds."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        await ask()
        taken.append((time.perf_counter() - began) * 1e3)
        await asyncio.sleep(pause)
    return sorted(taken)


async def some_ids(store: Store, world: World) -> list[tuple[int, str]]:
    """Msgids of networks, with theirs."""
    found = []
    for _ in range(50):
        network = 1 + world.random.randrange(0, world.networks, 2)
        page = await store.page(Page(network, world.random.randrange(world.seqs[network]), LAST_SEQ, 4))
        found += [(network, Message.parse(line.raw).tags["msgid"]) for line in page]
    return found


def questions(store: Store, world: World, ids: list[tuple[int, str]]) -> dict[str, Callable[[], Awaitable[object]]]:
    """What is asked."""
    pick = world.random
    networks = tuple(range(1, world.networks + 1))

    def target() -> tuple[int, str]:
        place = pick.randrange(len(world.targets))
        return place % world.networks + 1, world.targets[place]

    def moment() -> int:
        return START + pick.randrange(world.made) * 50

    def lines(**more: object) -> Awaitable[object]:
        network, name = target()
        return store.lines(Range(network, (name,), world.seqs[network], PAGE, newest=True, **more))  # type: ignore[arg-type]  # by keyword

    def search(text: str, **more: object) -> Awaitable[object]:
        return store.search(Search(networks, text, PAGE, **more))  # type: ignore[arg-type]  # by keyword

    async def attach() -> None:
        network = pick.choice(networks)
        now = START + world.made * 50
        await store.first_helping(network, 1000, now - 7 * 86_400_000)
        await store.markers(network)
        await store.targets(network, 0, LAST_SEQ, 1000)
        await store.page(Page(network, world.seqs[network] - 1000, world.seqs[network], ATTACH_PAGE))

    return {
        "LATEST": lambda: lines(),
        "BEFORE a time": lambda: lines(before=Mark(moment(), 0)),
        "attach, 100 conversations": attach,
        "page of the log": lambda: store.page(Page(1, pick.randrange(world.seqs[1]), LAST_SEQ, PAGE)),
        "find an upstream msgid": lambda: store.find(*pick.choice(ids)),
        "TARGETS": lambda: store.targets(1, 0, LAST_SEQ, PAGE),
        "search: rare word": lambda: search("xylophonist"),
        "search: no such word": lambda: search("nosuchword"),
        "search: commonest word": lambda: search(world.words[0]),
        "search: common word": lambda: search(world.words[30]),
        "search: two common words": lambda: search(f"{world.words[0]} {world.words[3]}"),
        "search: phrase": lambda: search(f'"{world.words[0]} {world.words[1]}"'),
        "search: beginning": lambda: search(f"{world.words[100][:3]}*"),
        "search: common, before a time": lambda: search(world.words[0], before=moment()),
        "search: common, one target": lambda: search(world.words[0], target=target()[1]),
        "search: common, one sender": lambda: search(world.words[0], sender=pick.choice(world.nicks)),
    }


def figure(name: str, taken: Sequence[float], most: float | None = None) -> None:
    """Print one figure, of times in milliseconds in order."""
    p99 = taken[int(len(taken) * 0.99)]
    said = "" if most is None else f"  {'ok' if p99 < most else 'MISSED'}: p99 under {most:g}"
    print(f"  {name:32} p50 {taken[len(taken) // 2]:7.2f} ms  p99 {p99:7.2f}  most {taken[-1]:7.2f}{said}", flush=True)


async def answers(store: Store, world: World, times: int, pause: float, most: Mapping[str, float]) -> None:
    for name, ask in questions(store, world, await some_ids(store, world)).items():
        await ask()
        figure(name, await timed(ask, times, pause), most.get(name))


class Traffic:
    """Lines that come in at a rate, and how long it takes until each burst is durable."""

    def __init__(self, store: Store, world: World) -> None:
        self._store = store
        self._world = world
        self._pool = [
            (network, [(entry.message.raw, entry.kind, entry.target) for entry in burst])
            for network, burst in world.work(POOL)
        ]
        self._waiting: dict[int, deque[tuple[int, float]]] = {network + 1: deque() for network in range(world.networks)}
        self.taken: list[float] = []
        store.listen(self._durable)

    async def run(self) -> None:
        """Parse and keep lines at RATE for ever, as they would come from sockets."""
        due = time.perf_counter()
        world = self._world
        for network, pooled in cycle(self._pool):
            entries = []
            for raw, kind, target in pooled:
                world.seqs[network] += 1
                world.made += 1
                at = START + world.made * 50
                entries.append(Entry(world.seqs[network], at, Message.parse(raw), kind, target))
            self._store.append(network, entries)
            self._waiting[network].append((entries[-1].seq, time.perf_counter()))
            due += len(entries) / RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))

    def _durable(self, highest: Mapping[int, int]) -> None:
        now = time.perf_counter()
        for network, seq in highest.items():
            waiting = self._waiting[network]
            while waiting and waiting[0][0] <= seq:
                self.taken.append((now - waiting.popleft()[1]) * 1e3)


def read_through(path: Path) -> int:
    """Have the system's cache hold the file, as far as it can. Returns its size in bytes."""
    size = 0
    with path.open("rb") as file:
        while part := file.read(1 << 24):
            size += len(part)
    return size


async def measure(rows: int, networks: int, targets: int, path: Path, times: int) -> None:
    store = Store.open(path, open_box(path.with_name("secret.key"), path))
    store.load()
    store.attach(asyncio.get_running_loop())
    world = World(networks, targets)
    world.resume(path)
    if world.made < rows:
        await fill(store, world, rows)
    while store.unindexed:
        await store.settled()
    await asyncio.sleep(SETTLE)
    size = read_through(path) / world.made
    print(f"{world.made:,} lines, {networks} networks, {targets} conversations:")
    print(f"  {size:.0f} bytes a line  {'ok' if size < 400 else 'MISSED'}: under 400")
    traffic = Traffic(store, world)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    print("idle:")
    await answers(store, world, times, 0.0, IDLE)
    print(f"while {RATE:,} lines a second come in:", flush=True)
    coming = asyncio.create_task(traffic.run())
    used, began = time.process_time(), time.perf_counter()
    await asyncio.sleep(QUIET)
    made = len(traffic.taken) * BURST
    used, began = time.process_time() - used, time.perf_counter() - began
    print(f"  {made / began:,.0f} lines/s, {used / made * 1e6:.1f} us of CPU a line, parsing and keeping")
    figure("durable, unasked", sorted(traffic.taken), 100)
    await answers(store, world, times // 2, 0.005, LOADED)
    figure("durable, all the time", sorted(traffic.taken), 100)
    print(f"  {store.undurable:,} lines not durable, {store.unindexed:,} not indexed")
    coming.cancel()
    store.close()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--networks", type=int, default=5)
    arguments.add_argument("--targets", type=int, default=500)
    arguments.add_argument("--times", type=int, default=200, help="how often each question is asked")
    arguments.add_argument("--directory", type=Path, help="where the database is made and left; else it is removed")
    given = arguments.parse_args()
    sys.setswitchinterval(SWITCH_INTERVAL)
    with tempfile.TemporaryDirectory() as temporary:
        path = (given.directory or Path(temporary)) / "bouncer.db"
        asyncio.run(measure(given.rows, given.networks, given.targets, path, given.times))


if __name__ == "__main__":
    main()
