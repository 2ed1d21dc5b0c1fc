"""Three kinds of client on one account come and go while people talk all the time: each shows each line.

WeeChat and irssi are given what they missed; the third fetches it with CHATHISTORY. Each comes and goes 20 times, at
random moments and in four ways. In the end its own log has every line, in the order in which they were said. None is
there twice but what the client had been given and had not confirmed when it went: then it is given again, and from
there on. Who went when it had confirmed all has nothing twice. Who fetches has nothing twice at all.
"""

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from peers.bouncer import PASSWORD, Bouncer, network, user
from peers.chat_client import ChatClient, Login
from peers.historian import Historian
from peers.ircds import NgIRCd
from peers.talker import Talker
from peers.waiting import eventually, ticks
from peers.wire import Wire

SEED = 20261122
CHANNELS = ("#a", "#b")
PEOPLE = ("bob", "carol", "dave")
PAUSE = 0.02  # seconds between two handfuls of lines
CALM, QUIT, CUT, KILL = "calm", "quit", "cut", "kill"  # ways to go: with all confirmed; at any moment ...
WAYS = (CALM,) * 4 + (QUIT,) * 8 + (CUT,) * 5 + (KILL,) * 3
NUMBERED = re.compile(r"\w+ \d{5}$")

StartClient = Callable[[str], Awaitable[ChatClient]]


class People:
    """They talk in two channels, and privately to alice: each line has its speaker, its conversation and a number."""

    def __init__(self, talkers: Sequence[Talker], witness: Talker) -> None:
        self._talkers = talkers
        self._witness = witness
        self._counts: Counter[str] = Counter()
        self._private: dict[str, list[str]] = {talker.nick: [] for talker in talkers}
        self._silencers = 0

    async def talk(self, dice: random.Random) -> None:
        async for _ in ticks(PAUSE, 600):
            if self._silencers:
                continue
            talker = dice.choice(self._talkers)
            target = dice.choice((*CHANNELS, "alice"))
            for _ in range(dice.choice((1, 2, 5, 20))):
                name = talker.nick + target.lstrip("#")
                self._counts[name] += 1
                text = f"{name} {self._counts[name]:05}"
                talker.send(f"PRIVMSG {target} :{text}")
                if target == "alice":
                    self._private[talker.nick].append(text)

    @asynccontextmanager
    async def silence(self) -> AsyncIterator[None]:
        """Nobody says anything; all that was said has gone through the network."""
        self._silencers += 1
        try:
            for talker in (*self._talkers, self._witness):
                await talker.flushed()
            yield
        finally:
            self._silencers -= 1

    def said(self) -> dict[str, list[str]]:
        """What each conversation has to have, as others on the network have it."""
        return self._private | {
            channel: [line.text for line in self._witness.messages(channel)] for channel in CHANNELS
        }


class Chatter:
    """A real client that is given what it missed. What it shows is read from the log that it writes."""

    def __init__(self, client: ChatClient, login: Login, wire: Wire) -> None:
        self._client = client
        self._login = login
        self._wire = wire
        self._ways: list[str] = []  # in which it went, each time

    async def come(self) -> None:
        await self._client.attach()

    async def go(self, way: str) -> None:
        self._ways.append(way)
        if way == CALM:
            await eventually(self._wire.confirmed_all, what=f"{self._client.program} has confirmed all")
        if way == KILL:
            await self._client.kill()
            await eventually(lambda: not self._wire.up, what="the wire is down")
            await self._client.start()
            await self._client.add(self._login)
        elif way == CUT:
            await self._client.lose(self._wire.cut)
        else:
            await self._client.detach()

    async def shows(self, conversation: str) -> list[str]:
        return [text for text in await self._client.logged(conversation) if NUMBERED.match(text)]

    def given(self) -> Counter[str]:
        """How often each line was given to the client, none of them again once it had confirmed it."""
        times: Counter[str] = Counter()
        again: Counter[str] = Counter()
        confirmed: dict[str, int] = {}
        assert len(self._wire.attachments) == len(self._ways) + 1
        for way, attachment in zip([QUIT, *self._ways], self._wire.attachments, strict=True):
            for name, numbers in attachment.given.items():
                assert numbers == sorted(set(numbers)), (name, numbers)
                assert numbers[0] > confirmed.get(name, 0), f"{name} {numbers[0]} came again though it was confirmed"
                texts = [f"{name} {number:05}" for number in numbers]
                again[way] += sum(text in times for text in texts)
                times.update(texts)
            confirmed |= attachment.confirmed
        print(f"{self._client.program} was given again, as it had not confirmed it: {dict(again)}")
        assert not again[CALM]
        return times


class Fetcher:
    """A client that fetches what it missed."""

    def __init__(self, historian: Historian) -> None:
        self._historian = historian

    async def come(self) -> None:
        await self._historian.attach()

    async def go(self, way: str) -> None:
        await (self._historian.detach() if way in (CALM, QUIT) else self._historian.cut())

    async def shows(self, conversation: str) -> list[str]:
        self._historian.look()
        return [line.text for line in self._historian.log[conversation]]

    def given(self) -> Counter[str]:
        return Counter({line.text: 1 for lines in self._historian.log.values() for line in lines})


async def come_and_go(client: Chatter | Fetcher, people: People, dice: random.Random) -> None:
    """Twenty times, and in the end be there."""
    ways = list(WAYS)
    dice.shuffle(ways)
    for way in ways:
        await client.come()
        stay = dice.uniform(0, 1)
        async for _ in ticks(stay, 2 * stay):
            pass
        if way == CALM:
            async with people.silence():
                await client.go(way)
        else:
            await client.go(way)
    await client.come()


@pytest.fixture
async def start_wire() -> AsyncIterator[Callable[[int], Awaitable[Wire]]]:
    started: list[Wire] = []

    async def start(port: int) -> Wire:
        started.append(await Wire.to(port))
        return started[-1]

    yield start
    for wire in started:
        await wire.close()


async def test_each_shows_each_line(
    start_network: Callable[[str], Awaitable[NgIRCd]],
    bouncer: Bouncer,
    start_client: StartClient,
    start_wire: Callable[[int], Awaitable[Wire]],
    talkers: list[Talker],
) -> None:
    server = await start_network("ngircd")
    await bouncer.apply(user("alice", network("net", server, tls=False, nick="alice", channels=list(CHANNELS))))
    await bouncer.start()
    for nick in (*PEOPLE, "witness"):
        talkers.append(await Talker.connect(server.port, nick))
        for channel in CHANNELS:
            await talkers[-1].join(channel)
            await talkers[-1].sees("alice", channel)
    people = People(talkers[:-1], talkers[-1])

    clients: dict[str, Chatter | Fetcher] = {
        "fetcher": Fetcher(Historian(bouncer.port, "alice/net@fetcher", PASSWORD, talkers)),
    }
    for kind in ("weechat", "irssi"):
        wire = await start_wire(bouncer.port)
        client = await start_client(kind)
        login = Login(wire.port, f"alice/net@{kind}", PASSWORD, "alice")
        await client.add(login)
        clients[kind] = Chatter(client, login, wire)
    for each in clients.values():  # so that all have a place before the first line
        await each.come()
        await each.go(QUIT)

    began = time.monotonic()
    talking = asyncio.create_task(people.talk(random.Random(SEED)))
    try:
        lives = [come_and_go(client, people, random.Random(SEED + n)) for n, client in enumerate(clients.values())]
        await asyncio.gather(*lives)
    finally:
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
    async with people.silence():
        print(f"{len(WAYS)} times each in {time.monotonic() - began:.1f} s")
        for name, each in clients.items():
            await has_all(name, each, people.said())


async def has_all(name: str, client: Chatter | Fetcher, said: dict[str, list[str]]) -> None:
    """Wait until the client shows the last line of each conversation, then compare all."""
    for conversation, lines in said.items():

        async def last_is_there() -> bool:
            return (await client.shows(conversation))[-1:] == lines[-1:]  # noqa: B023  # called at once

        await eventually(last_is_there, what=f"{name} shows {lines[-1]} in {conversation}")
    given = client.given()
    for conversation, lines in said.items():
        shown = await client.shows(conversation)
        first_times = list(dict.fromkeys(shown))
        assert first_times == lines, f"{name}, {conversation}: {sorted(set(lines) - set(shown))[:5]} missing"
        times = Counter(shown)
        assert not {text: count for text, count in times.items() if count > given[text]}
    print(f"{name} has each of {sum(map(len, said.values()))} lines")
