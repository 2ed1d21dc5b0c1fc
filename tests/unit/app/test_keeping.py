"""No more history is kept than the settings say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bouncer.app.keeping import EVERY, Keeping
from bouncer.irc.message import Message
from bouncer.model.entry import Kind
from bouncer.model.errors import Unavailable
from bouncer.model.history import Range, Search
from bouncer.model.ports import Page
from tests.unit.conftest import NOW, Bench

DAY = 86_400
TEXT = "x" * 80
LINE = len(f":b PRIVMSG #a :{TEXT}")


class Kept:
    """A bench, and what sweeps it. A pause lasts no time."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.now = NOW
        self.pauses = 0
        self.keeping = Keeping(bench.house, bench.store, bench.store, now=lambda: self.now, pause=self.pause)

    async def pause(self, seconds: float) -> None:
        self.pauses += 1

    async def do(self, text: str) -> None:
        await self.bench.do(text)

    def say(self, network: str, target: str, *days: float) -> None:
        """A line each, said so many days ago, all of LINE bytes where the target's name has two letters."""
        link = next(link for link in self.bench.house.links() if link.network.name == network)
        said = f":b PRIVMSG {target} :{TEXT}".encode()
        entries = [
            link.log.append(Message.parse(said), int((self.now - ago * DAY) * 1000), Kind.PRIVMSG, target)
            for ago in days
        ]
        self.bench.store.append(link.network.id, entries)

    async def left(self, network: str, target: str = "") -> list[float]:
        """How many days ago what is left was said, the oldest first."""
        number = self.bench.network("alice", network).id
        if target:
            lines = await self.bench.store.lines(Range(number, (target,), 10**9, 9999))
        else:
            lines = list(await self.bench.store.page(Page(number, 0, 10**9, 50_000)))
        return [round((self.now - line.time / 1000) / DAY, 3) for line in lines]


@pytest.fixture
async def kept(stocked: Bench) -> Kept:
    await stocked.do("network create alice/oftc servers=irc.oftc.net channels=#a,#b")
    return Kept(stocked)


async def test_nothing_goes_unless_it_is_asked_for(kept: Kept) -> None:
    kept.say("oftc", "#a", 9999, 1)
    await kept.keeping.look()
    assert await kept.left("oftc") == [9999, 1]


async def test_by_age_the_strictest_holds(kept: Kept) -> None:
    for network in ("libera", "oftc"):
        for target in ("#a", "#b", "bob"):
            kept.say(network, target, 400, 100, 40, 5, 1)
    await kept.do("user update alice keep=1y")
    await kept.do("network update alice/oftc keep=50d")
    await kept.do("channel update alice/oftc/#a keep=1w")
    await kept.do("channel update alice/oftc/#b keep=2y")
    await kept.keeping.look()
    assert await kept.left("libera", "#a") == [100, 40, 5, 1]
    assert await kept.left("oftc", "#a") == [5, 1]
    assert await kept.left("oftc", "#b") == [40, 5, 1]
    assert await kept.left("oftc", "bob") == [40, 5, 1]
    await kept.do("user update alice limits.keep=2d")
    await kept.keeping.look()
    assert [await kept.left(network, "#b") for network in ("libera", "oftc")] == [[1], [1]]


async def test_what_is_gone_is_found_by_nobody(kept: Kept) -> None:
    kept.say("oftc", "#a", 3, 1)
    kept.say("oftc", "#b", 3)
    await kept.do("network update alice/oftc keep=2d")
    await kept.keeping.look()
    number, store = kept.bench.network("alice", "oftc").id, kept.bench.store
    assert [hit.line.seq for hit in await store.search(Search((number,), TEXT, 9))] == [2]
    assert [talk.target for talk in await store.targets(number, 0, 10**15, 9)] == ["#a"]
    boot = (await store.page(Page(number, 0, 9, 9)))[0].boot
    assert await store.find(number, f"bnc-{boot:x}-{number:x}-2") is not None
    assert await store.find(number, f"bnc-{boot:x}-{number:x}-1") is None


async def test_by_size_the_oldest_of_a_network_go(kept: Kept) -> None:
    kept.say("oftc", "#a", *(3000 - number for number in range(2500)))
    kept.say("libera", "#a", *(3000 - number for number in range(2500)))
    await kept.do("network update alice/oftc keep_size=100kB")
    await kept.keeping.look()
    left = await kept.left("oftc")
    assert left[-1] == 501
    assert 0.95 * 100_000 < len(left) * LINE <= 100_000
    assert len(await kept.left("libera")) == 2500


async def test_by_size_the_oldest_of_a_channel_go(kept: Kept) -> None:
    kept.say("oftc", "#a", *(3000 - number for number in range(2500)))
    kept.say("oftc", "#b", 9999)
    await kept.do("channel update alice/oftc/#a keep_size=100kB")
    await kept.keeping.look()
    left = await kept.left("oftc", "#a")
    assert left[-1] == 501
    assert 0.95 * 100_000 < len(left) * LINE <= 100_000
    assert await kept.left("oftc", "#b") == [9999]


async def test_by_size_of_a_user_the_oldest_over_all_networks_go(kept: Kept) -> None:
    kept.say("libera", "#a", *(3000 - number for number in range(2000)))
    kept.say("oftc", "#a", *(1000.5 - number for number in range(800)))
    kept.say("oftc", "#b", *(200.5 - number / 10 for number in range(100)))
    await kept.do("user update alice keep_size=100kB")
    await kept.keeping.look()
    libera, oftc = await kept.left("libera"), await kept.left("oftc")
    assert 0.95 * 100_000 < (len(libera) + len(oftc)) * LINE <= 100_000
    assert len(oftc) == 900  # all of them: whatever of libera is left is older
    assert libera == [1001.0 + number for number in reversed(range(len(libera)))]


async def test_it_is_done_again_each_hour_and_no_sooner(kept: Kept) -> None:
    await kept.do("network update alice/oftc keep=2d")
    await kept.keeping.look()
    kept.say("oftc", "#a", 3)
    kept.now += EVERY - 1
    await kept.keeping.look()
    assert len(await kept.left("oftc")) == 1
    kept.now += 1
    await kept.keeping.look()
    assert await kept.left("oftc") == []


async def test_a_setting_that_changed_is_seen_at_the_next_look(kept: Kept) -> None:
    await kept.keeping.look()
    kept.say("oftc", "#a", 3, 1)
    kept.say("libera", "#a", 3, 1)
    await kept.do("user update alice nick=al")
    await kept.keeping.look()
    assert await kept.left("oftc") == [3, 1]
    await kept.do("network update alice/oftc keep=2d")
    await kept.keeping.look()
    assert (await kept.left("oftc"), await kept.left("libera")) == ([1], [3, 1])


async def test_after_a_restart_it_is_asked_for_again(kept: Kept) -> None:
    await kept.do("network update alice/oftc keep=2d keep_size=100kB")
    kept.say("oftc", "#a", 3, 1)
    await kept.bench.store.settled()
    kept.bench.house = kept.bench.opened()
    after = Kept(kept.bench)
    await after.keeping.look()
    assert await after.left("oftc") == [1]


async def test_what_was_weighed_is_not_weighed_again(kept: Kept) -> None:
    await kept.do("network update alice/oftc keep_size=1MB")
    kept.say("oftc", "#a", *(3000 - number for number in range(2500)))
    await kept.keeping.look()
    first, kept.pauses = kept.pauses, 0
    assert first > 20
    kept.say("oftc", "#a", 1)
    kept.now += EVERY
    await kept.keeping.look()
    assert kept.pauses == 1
    kept.say("oftc", "#a", *[1.0] * 20_000)
    kept.now += EVERY
    await kept.keeping.look()
    assert 0.97 * 1_000_000 < len(await kept.left("oftc")) * LINE <= 1_000_000


async def test_a_store_that_fails_is_asked_again(kept: Kept) -> None:
    kept.say("oftc", "#a", 3, 1)
    await kept.do("network update alice/oftc keep=2d keep_size=100kB")
    kept.bench.store.fail("the disk is full")
    with pytest.raises(Unavailable):
        await kept.keeping.look()
    kept.bench.store.fail(None)
    await kept.keeping.look()
    assert await kept.left("oftc") == [1]


async def test_a_user_of_many_networks_holds_up_nobody(kept: Kept) -> None:
    user = kept.bench.user("alice")
    network = user.networks[0]
    many = tuple(replace(network, id=100 + number, name=f"n{number}") for number in range(1000))
    kept.bench.house.replace(replace(user, networks=many))
    kept.pauses = 0
    await kept.keeping.look()
    assert kept.pauses >= 10
