"""kill -9 while 5,000 lines a second come in: what is in history afterwards, and what is not.

A line has arrived when the network's socket took it. Killed at a random moment, the bouncer has every line that had
arrived 100 ms before; none is there twice, and none is missing between others. How long before the kill the newest
kept line had arrived is measured for each kill and printed.
"""

import os
import random
import statistics
import time
from collections.abc import AsyncIterator

import pytest
from peers.bouncer import PASSWORD, Bouncer, user
from peers.historian import Historian, said
from peers.scripted import Scripted
from peers.talker import Talker
from peers.waiting import eventually

SEED = 20261122
KILLS = int(os.environ.get("BOUNCER_KILLS", "5"))
RATE = 5_000  # lines a second
PAGE = 1000
KEPT_WITHIN = (
    0.1  # seconds after its arrival within which a line is safe from kill -9; the interval to aim for is 10 ms
)


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    network = Scripted()
    await network.start()
    yield network
    await network.close()


async def test_what_arrived_is_kept(bouncer: Bouncer, scripted: Scripted, talkers: list[Talker]) -> None:
    dice = random.Random(SEED)
    net = {"name": "net", "servers": [scripted.url], "channels": ["#t"], "nick": "alice"}
    await bouncer.apply(user("alice", net))
    history = Historian(bouncer.port, "alice/net@reader", PASSWORD, talkers)
    kept: list[int] = []
    newest = "timestamp=1970-01-01T00:00:00.000Z"
    missing: list[float] = []
    await bouncer.start()
    for _ in range(KILLS):
        await eventually(lambda: scripted.joined, what="the bouncer is in its channel")
        before = len(scripted.said)
        lasted = dice.uniform(0.5, 2.0)
        await scripted.say_steadily(RATE, lasted)
        moment = time.monotonic()
        bouncer.kill()
        arrived = len(scripted.said)
        assert arrived - before > 0.5 * RATE * lasted, "the bouncer could not take so much"
        await eventually(lambda: not scripted.joined, what="the network notices")

        await bouncer.start()
        await history.come()
        complete = False
        while not complete:
            answer = await history.ask(f"CHATHISTORY AFTER #t {newest} {PAGE}")
            kept += [int(line.text) for line in answer.lines]
            newest = f"msgid={said(answer.lines[-1]).msgid}" if answer.lines else newest
            complete = answer.complete
        await history.detach()
        here = [number for number in kept if number >= before]
        assert here == list(range(before, before + len(here))), "a line is missing between others, or is there twice"
        safe = sum(when < moment - KEPT_WITHIN for when in scripted.said[before:])
        missing.append(moment - scripted.said[before + len(here) - 1])
        print(f"{arrived - before} lines, {arrived - before - len(here)} lost, from {missing[-1] * 1000:.1f} ms on")
        assert len(here) >= safe, f"{safe - len(here)} lines that arrived {KEPT_WITHIN} s before the kill are missing"
    print(f"missing: median {statistics.median(missing) * 1000:.1f} ms, at most {max(missing) * 1000:.1f} ms")
    assert kept == sorted(set(kept))
