"""One bouncer, 50 users with three networks each, three devices of each on every network: an hour's traffic in minutes.

Forty rounds stand for sixty minutes. In each, people on the networks and the users' devices talk, ask, come and go.
At the end every device has exactly what its networks said, in order; no answer has reached one that did not ask; and
the process is no larger than it was after the first rounds.
"""

import random
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import Any

import pytest
from peers.bouncer import PASSWORD, Bouncer, network, user
from peers.ircds import Network
from peers.process import installed
from peers.swarm import ANSWERS, Member, all_of
from peers.usage import resident
from peers.waiting import eventually

USERS = 50
GROUPS = 10
ROUNDS = 40
WARM = 26  # rounds after which what grows up to a limit, as the store's page cache of 16 MiB, has most of its size
LINES = 24  # of other people, per network and round
OWN = 12  # of users' devices, per network and round
QUESTIONS = 20  # per network and round
LEAVING = 3  # devices that go away in a round and come back in a later one, per network
CAPS = {
    "desk": "batch server-time message-tags echo-message multi-prefix account-tag",
    "phone": "server-time",
    "web": "",
}
GROWTH_LIMIT = 12 << 20  # bytes; the allocator's share of what was in use at the busiest moment
LABEL = re.compile(r"\S+-\d+$")  # how every text ends; old clients get a time before it


class Town:
    """One network: its server, the people on it, and what they said as one of them saw it."""

    def __init__(self, name: str, server: Network, members: list[Member]) -> None:
        self.name = name
        self.members = members
        self.server = server
        # Ergo has a thread for each client: two who talk at once are heard in another order by each who listens.
        self.one_order = server.program != "ergo"
        self.people: list[Member] = []
        self.private: dict[str, list[str]] = {}  # by user, what was said to that user alone
        self.said = 0

    @property
    def witness(self) -> Member:
        return self.people[0]

    async def settle(self, people: int) -> None:
        for number in range(people):
            person = await Member.attach(self.server.port, f"p{number}", "", "", nick=f"p{number}")
            self.people.append(person)
            self.members.append(person)
            person.send("JOIN #all", *(f"JOIN #g{group}" for group in range(GROUPS)))
            await person.mark()

    def label(self, who: str) -> str:
        self.said += 1
        return f"{who}/{self.name}-{self.said}"


class Device:
    """One device of a user on one network, over all its connections."""

    def __init__(self, owner: str, town: Town, name: str) -> None:
        self.owner = owner
        self.town = town
        self.name = name
        self.channels = ("#all", group_of(owner))
        self.lives: list[Member] = []

    @property
    def member(self) -> Member:
        return self.lives[-1]

    @property
    def here(self) -> bool:
        return bool(self.lives) and not self.member.closed

    async def attach(self, port: int) -> None:
        login = f"{self.owner}/{self.town.name}@{self.name}"
        name = f"{login} #{len(self.lives)}"
        self.lives.append(await Member.attach(port, name, login, PASSWORD, nick=self.owner, caps=CAPS[self.name]))
        self.town.members.append(self.member)

    def got(self, conversation: str) -> list[str]:
        """What it got in that conversation: what came twice because it was not confirmed before the device left is
        counted once."""
        whole: list[str] = []
        for life in self.lives:
            texts = labels(life.texts.get(conversation, ()))
            seam = next((size for size in range(len(texts), 0, -1) if whole[-size:] == texts[:size]), 0)
            whole += texts[seam:]
        return whole


@pytest.fixture
def members() -> Iterator[list[Member]]:
    """Everybody who is connected; all are cut off at the end."""
    members: list[Member] = []
    yield members
    for member in members:
        member.cut()


@pytest.fixture
async def towns(start_network: Callable[[str], Awaitable[Network]], members: list[Member]) -> list[Town]:
    """Three networks with people on them."""
    kinds = ["inspircd", "ngircd", "ergo" if installed("ergo") else "ngircd"]
    towns = [Town(f"n{place}", await start_network(kind), members) for place, kind in enumerate(kinds)]
    for town in towns:
        await town.settle(4)
    return towns


@pytest.fixture
async def devices(towns: list[Town], bouncer: Bouncer) -> list[Device]:
    """Every device of every user, attached to every network."""
    users = [f"u{number:02}" for number in range(USERS)]
    await bouncer.start()
    await bouncer.apply(*(account(name, towns) for name in users))
    await eventually(lambda: all_joined(bouncer), 120, "all users are in their channels on all networks")
    devices = [Device(name, town, kind) for name in users for town in towns for kind in CAPS]
    await all_of(partial(device.attach, bouncer.port) for device in devices)
    return devices


async def test_an_hour_of_fifty_users(bouncer: Bouncer, towns: list[Town], devices: list[Device]) -> None:
    dice = random.Random(3)
    sizes = []
    away: list[Device] = []
    for number in range(ROUNDS):
        for town in towns:
            people_talk(town, dice)
            devices_talk([device for device in devices if device.town is town and device.here], dice)
        back, away = away, []
        await all_of(partial(device.attach, bouncer.port) for device in back)
        for town in towns:
            for device in dice.sample([each for each in devices if each.town is town and each.here], LEAVING):
                await device.member.close(abruptly=dice.random() < 0.5)
                away.append(device)
            await town.witness.mark()
        if number in (WARM, ROUNDS - 1):
            await bouncer.durable()
            sizes.append(resident(bouncer.pid))
    await all_of(partial(device.attach, bouncer.port) for device in away)

    await all_of(person.mark for town in towns for person in town.people)
    await eventually(lambda: everything(devices), 60, "every device has it all")
    lives = [life for device in devices for life in device.lives]
    strays = [stray for life in lives for stray in life.strays]
    assert not strays, (len(strays), strays[:10])
    unanswered = [(device.member.name, device.member.asked) for device in devices if device.member.asked]
    assert not unanswered, (len(unanswered), unanswered[:10])
    answered = sum(life.answered.total() for life in lives)
    lines = sum(len(texts) for life in lives for texts in life.texts.values())
    print(f"{lines} texts to {len(devices)} devices, {answered} questions, {sizes[0] >> 20} and {sizes[1] >> 20} MiB")
    assert sizes[1] - sizes[0] < GROWTH_LIMIT, sizes


def account(name: str, towns: list[Town]) -> dict[str, Any]:
    channels = ["#all", group_of(name)]
    return user(name, *(network(town.name, town.server, tls=False, nick=name, channels=channels) for town in towns))


def group_of(name: str) -> str:
    return f"#g{int(name[1:]) % GROUPS}"


def people_talk(town: Town, dice: random.Random) -> None:
    """What those on the network say in one round; also topics, modes, and one who leaves a channel and comes back."""
    for _ in range(LINES):
        person = dice.choice(town.people[1:])
        chance = dice.random()
        name = f"u{dice.randrange(USERS):02}"
        text = town.label(person.name)
        if chance < 0.15:
            town.private.setdefault(f"{name} {person.name}", []).append(text)
            person.send(f"PRIVMSG {name} :{text}")
        else:
            person.send(f"PRIVMSG {'#all' if chance < 0.5 else group_of(name)} :{text}")
    person = dice.choice(town.people[1:])
    person.send("PART #g0", f"TOPIC #g1 :{town.said}", "JOIN #g0", f"MODE #g1 +v {name}")


def devices_talk(here: list[Device], dice: random.Random) -> None:
    """What the users of one network say and ask in one round."""
    for device in dice.sample(here, OWN):
        device.member.send(f"PRIVMSG {dice.choice(device.channels)} :{device.town.label(device.owner)}")
    for device in dice.sample(here, QUESTIONS):
        ask(device.member, dice)


def ask(member: Member, dice: random.Random) -> None:
    nick = f"u{dice.randrange(USERS):02}"
    command = dice.choice(sorted(ANSWERS))
    params = {
        "WHOIS": (nick,),
        "WHOWAS": (f"x{nick}",),
        "WHO": (nick,),
        "USERHOST": (nick,),
        "ISON": (nick,),
        "MODE": ("#all", "b"),
    }.get(command, ())
    member.ask(command, *params)


async def all_joined(bouncer: Bouncer) -> bool:
    status = await bouncer.status()
    waiting = [
        (owner["name"], town["name"], town["state"], town["reason"])
        for owner in status["users"]
        if owner["name"] != "admin"
        for town in owner["networks"]
        if town["state"] != "connected" or not all(channel["joined"] for channel in town["channels"])
    ]
    assert not waiting, waiting[:5]
    return True


def everything(devices: list[Device]) -> bool:
    """Whether each device has, in each conversation, what the witness has: others' words in order, its own user's words
    from other devices once each."""
    orders: dict[tuple[str, str, str], list[str]] = {}  # what a user's first device got: the others got the same
    for device in devices:
        owner, town = device.owner, device.town
        for channel in device.channels:
            got = device.got(channel)
            others = [text for text in got if not text.startswith(f"{owner}/")]
            said = labels(town.witness.texts[channel])
            expected = [text for text in said if not text.startswith(f"{owner}/")]
            if town.one_order:
                assert others == expected, difference(device, channel, others, expected)
            else:
                assert by_speaker(others) == by_speaker(expected), difference(device, channel, others, expected)
                first = orders.setdefault((owner, town.name, channel), others)
                assert others == first, difference(device, channel, others, first)
            own = [text for text in got if text.startswith(f"{owner}/")]
            assert len(own) == len(set(own)), (owner, town.name, device.name, channel, own)
            if device.name == "desk":  # has echo-message: also what it said itself
                missing = {text for text in said if text.startswith(f"{owner}/")} - set(own)
                assert not missing, (owner, town.name, channel, missing)
        for person in town.people[1:]:
            expected = town.private.get(f"{owner} {person.name}", [])
            assert device.got(person.name) == expected, difference(
                device, person.name, device.got(person.name), expected
            )
    return True


def labels(texts: Iterable[str]) -> list[str]:
    """The texts without the times that old clients get before them."""
    return [found[0] for text in texts if (found := LABEL.search(text))]


def by_speaker(texts: list[str]) -> dict[str, list[str]]:
    said: dict[str, list[str]] = {}
    for text in texts:
        said.setdefault(text.partition("/")[0], []).append(text)
    return said


def difference(device: Device, conversation: str, got: list[str], expected: list[str]) -> str:
    place = next(
        (i for i, (a, b) in enumerate(zip(got, expected, strict=False)) if a != b), min(len(got), len(expected))
    )
    near = slice(max(0, place - 1), place + 3)
    return (
        f"{device.owner}/{device.town.name}@{device.name} ({len(device.lives)} lives) in {conversation}: "
        f"{len(got)} of {len(expected)}, differs at {place}: {got[near]} / {expected[near]}"
    )
