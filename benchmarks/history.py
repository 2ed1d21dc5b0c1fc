"""What history costs with very many lines: to keep and index them, to page through them, and to search them.

    python -m benchmarks.history [--rows N] [--networks N] [--targets N] [--directory DIR]

Lines are made up, as much like people's as figures need: words by Zipf's law, 500 conversations of which few are busy,
joins and quits among them, and msgids on every second network. Then each question is asked many times, while nothing
else happens and while 10,000 lines a second come in.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from bouncer.irc.message import Message
from bouncer.model.entry import Entry, Kind
from bouncer.model.history import LAST_SEQ, Mark, Range, Search
from bouncer.model.ports import Page
from bouncer.store.secrets import open_box
from bouncer.store.sqlite import Store

SWITCH_INTERVAL = 0.001  # as the bouncer sets it
MOST_WAITING = 20_000  # where a bouncer would stop reading
BURST = 40
VOCABULARY = 40_000
START = 1_700_000_000_000
RATE = 10_000  # lines a second, while questions are asked
PAGE = 100


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


def questions(store: Store, world: World) -> dict[str, Callable[[], Awaitable[object]]]:
    """What is asked."""
    pick = world.random
    networks = tuple(range(1, world.networks + 1))
    ids = [
        (network, entry.message.tags["msgid"])
        for network, burst in (world.burst(BURST) for _ in range(20))
        for entry in burst
        if "msgid" in entry.message.tags
    ]

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

    return {
        "LATEST": lambda: lines(),
        "BEFORE a time": lambda: lines(before=Mark(moment(), 0)),
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


async def answers(store: Store, world: World, times: int, pause: float) -> None:
    for name, ask in questions(store, world).items():
        await ask()
        taken = await timed(ask, times, pause)
        print(f"  {name:32} p50 {taken[len(taken) // 2]:8.2f} ms  p99 {taken[int(len(taken) * 0.99)]:8.2f} ms")


async def traffic(store: Store, work: list[tuple[int, list[Entry]]], done: list[int]) -> None:
    """Append lines at RATE until there are no more; how many they were is added to ``done``."""
    due = time.perf_counter()
    for network, burst in work:
        store.append(network, burst)
        done.append(len(burst))
        due += len(burst) / RATE
        await asyncio.sleep(max(0.0, due - time.perf_counter()))


async def measure(rows: int, networks: int, targets: int, path: Path, times: int) -> int:
    """Returns how many lines there are at the end."""
    store = Store.open(path, open_box(path.with_name("secret.key"), path))
    store.load()
    store.attach(asyncio.get_running_loop())
    world = World(networks, targets)
    print(f"{rows:,} lines, {networks} networks, {targets} conversations:")
    await fill(store, world, rows)
    print("idle:")
    await answers(store, world, times, 0.0)
    print(f"while {RATE:,} lines a second come in:")
    done = [world.made]
    work = world.work(60 * RATE)
    coming = asyncio.create_task(traffic(store, work, done))
    await answers(store, world, times // 2, 0.005)
    print(f"  {store.undurable:,} lines not durable, {store.unindexed:,} not indexed")
    coming.cancel()
    store.close()
    return sum(done)


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
        lines = asyncio.run(measure(given.rows, given.networks, given.targets, path, given.times))
        print(f"{path.stat().st_size / lines:.0f} bytes a line")


if __name__ == "__main__":
    main()
