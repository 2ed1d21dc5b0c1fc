"""A process killed at any moment has lost nothing that it was told is durable, and no number is given twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bouncer.model.history import LAST_SEQ, LINES_LIMIT, Range, Search
from bouncer.model.ports import Page
from bouncer.store.secrets import open_box
from bouncer.store.sqlite import Store

# Writes bursts for ever, and says for each which numbers it gives and, later, which it was told are durable.
WRITER = """
import asyncio, os, sys
from pathlib import Path
from bouncer.irc.message import Message
from bouncer.model.entry import Entry, Kind
from bouncer.model.records import Network, User
from bouncer.store.secrets import open_box
from bouncer.store.sqlite import Store

async def main():
    home = Path(sys.argv[1])
    store = Store.open(home / "bouncer.db", open_box(home / "secret.key", home / "bouncer.db"))
    heads = store.load().heads
    loop = asyncio.get_running_loop()
    store.attach(loop)
    say = lambda *words: os.write(1, (" ".join(map(str, words)) + "\\n").encode())
    store.listen(lambda highest: [say("durable", network, seq) for network, seq in highest.items()])
    store.put_users([User(id=1, name="alice", networks=(Network(id=1, name="one"), Network(id=2, name="two")))])
    next_seq = {network: heads[network].seq + 1 if network in heads else 1 for network in (1, 2)}

    def burst(network, size):
        first = next_seq[network]
        next_seq[network] += size
        say("given", network, first, first + size - 1)
        store.append(network, [
            Entry(seq, seq, Message.parse(b":b PRIVMSG #a :%d" % seq), Kind.PRIVMSG, "#a", "")
            for seq in range(first, first + size)
        ])
        store.put_position(network, "phone", first + size - 1)
        if store.undurable < 5000:
            loop.call_soon(burst, 3 - network, size * 7 % 31 + 1)
        else:
            loop.call_later(0.001, burst, 3 - network, 1)

    burst(1, 1)
    await asyncio.Event().wait()

asyncio.run(main())
"""


class Run:
    """What one life of the process has said."""

    def __init__(self) -> None:
        self.given: dict[int, list[int]] = {1: [], 2: []}
        self.durable = {1: 0, 2: 0}


def run_and_kill(home: Path, acknowledged: int) -> Run:
    """Let the writer live until it was told so many times that lines are durable."""
    run = Run()
    with subprocess.Popen([sys.executable, "-c", WRITER, str(home)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        for line in child.stdout:
            what, network, *numbers = line.decode().split()
            if what == "given":
                run.given[int(network)].extend(range(int(numbers[0]), int(numbers[1]) + 1))
            else:
                run.durable[int(network)] = int(numbers[0])
                acknowledged -= 1
                if acknowledged == 0:
                    child.kill()
    assert child.returncode == -signal.SIGKILL
    return run


@pytest.mark.parametrize("acknowledged", [1, 2, 100])
async def test_killed_at_any_moment(tmp_path: Path, acknowledged: int) -> None:
    runs = [run_and_kill(tmp_path, acknowledged) for _ in range(3)]
    store = Store.open(tmp_path / "bouncer.db", open_box(tmp_path / "secret.key", tmp_path / "bouncer.db"))
    try:
        heads = store.load().heads
        for network in (1, 2):
            everything = [seq for run in runs for seq in run.given[network]]
            assert everything == sorted(set(everything))  # no number twice, over all lives
            assert heads[network].seq >= max(everything, default=0)
            page = await store.page(Page(network, 0, heads[network].seq, 10_000_000))
            assert all(line.raw == b":b PRIVMSG #a :%d" % line.seq for line in page)
            kept = [line.seq for line in page]
            while store.unindexed:
                await store.settled()
            assert [line.seq for line in await store.lines(Range(network, ("#a",), LAST_SEQ, LINES_LIMIT))] == kept[
                :LINES_LIMIT
            ]
            found = await store.search(Search((network,), "", LINES_LIMIT, target="#a"))
            assert [hit.line.seq for hit in found] == kept[::-1][:LINES_LIMIT]
            for run in runs:
                given = run.given[network]
                survived = [seq for seq in kept if given and given[0] <= seq <= given[-1]]
                assert survived == given[: len(survived)]  # no gap
                assert max(survived, default=0) >= run.durable[network]
            assert heads[network].positions.get("phone", 0) <= max(kept, default=0)
        assert sum(run.durable[1] + run.durable[2] for run in runs) > 0
    finally:
        store.close()
