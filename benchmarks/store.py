"""What it costs to keep lines: rows a second, and CPU time a row, on the loop's thread and on the writer's.

    python -m benchmarks.store [--rows N] [--networks N] [--burst N]

The first figure is the store alone, as fast as it goes. The second has the loop's thread busy all the time beside it,
as in a bouncer under load: the writer then must get hold of the interpreter to write at all.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

from bouncer.irc.message import Message
from bouncer.model.entry import Entry, Kind
from bouncer.store.secrets import open_box
from bouncer.store.sqlite import Store

SWITCH_INTERVAL = 0.001  # as the bouncer sets it
MOST_WAITING = 20_000  # where a bouncer would stop reading
TURN = 16  # bursts in one turn of the loop
TEXT = b"@time=2026-01-01T00:00:00.000Z :somenick!user@host.example.org PRIVMSG #channel%d :" + b"x" * 60


def bursts(rows: int, networks: int, size: int) -> Iterator[tuple[int, list[Entry]]]:
    """Bursts for one network after the other, made beforehand so that only the store is measured."""
    messages = [Message.parse(TEXT % number) for number in range(20)]
    seqs = [0] * networks
    made = 0
    for network in cycle(range(networks)):
        if made >= rows:
            return
        burst = []
        for _ in range(size):
            seqs[network] += 1
            channel = seqs[network] // size % 20
            burst.append(
                Entry(seqs[network], 1_790_000_000_000 + made, messages[channel], Kind.PRIVMSG, f"#channel{channel}")
            )
        made += size
        yield network + 1, burst


async def fill(store: Store, work: list[tuple[int, list[Entry]]], other_work: float) -> float:
    """Append all bursts, each followed by so many seconds of other work. Returns the longest time for which the loop's
    thread was held up beyond that work."""
    longest = 0.0
    for number, (network, burst) in enumerate(work):
        began = time.perf_counter()
        store.append(network, burst)
        if other_work:
            until = time.thread_time() + other_work
            while time.thread_time() < until:
                pass
        longest = max(longest, time.perf_counter() - began - other_work)
        if store.undurable > MOST_WAITING:
            await store.settled()
        elif number % TURN == 0:
            await asyncio.sleep(0)
    await store.settled()
    return longest


async def measure(rows: int, networks: int, size: int, other_work: float) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "bouncer.db"
        store = Store.open(path, open_box(path.with_name("secret.key"), path))
        store.load()
        store.attach(asyncio.get_running_loop())
        commits = 0

        def durable(_: object) -> None:
            nonlocal commits
            commits += 1

        store.listen(durable)
        work = list(bursts(rows, networks, size))
        gc.collect()
        gc.freeze()  # the collector would else go through all this work again and again
        written = sum(len(burst) for _, burst in work)
        wall, everything, loop = time.perf_counter(), time.process_time(), time.thread_time()
        longest = await fill(store, work, other_work)
        wall = time.perf_counter() - wall
        everything = time.process_time() - everything
        loop = time.thread_time() - loop
        store.close()
        gc.unfreeze()
        micro = 1e6 / written
        print(
            f"  {networks} networks, bursts of {size}: {written / wall:,.0f} rows/s in {commits} commits; "
            f"CPU a row: loop {(loop - other_work * len(work)) * micro:.2f} us, "
            f"writer {(everything - loop) * micro:.2f} us; "
            f"loop held up for {longest * 1e3:.1f} ms at most; {path.stat().st_size / written:.0f} bytes a row"
        )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=200_000)
    arguments.add_argument("--networks", type=int, default=20)
    arguments.add_argument("--burst", type=int, default=40, help="lines of one append")
    given = arguments.parse_args()
    sys.setswitchinterval(SWITCH_INTERVAL)
    print("alone:")
    for networks, burst in ((given.networks, given.burst), (given.networks, 1), (500, given.burst)):
        asyncio.run(measure(given.rows, networks, burst, 0.0))
    print("beside a busy loop (5 us of other work for each line):")
    for networks, burst in ((given.networks, given.burst), (given.networks, 1)):
        asyncio.run(measure(given.rows, networks, burst, burst * 5e-6))


if __name__ == "__main__":
    main()
