"""Many devices on one network: every answer reaches the device that asked, and no other one sees a line of it.

InspIRCd answers by label, ngIRCd without.
"""

import random
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from peers.bouncer import PASSWORD, Bouncer, network, user
from peers.ircds import Network
from peers.talker import Line, Talker
from peers.waiting import eventually

StartNetwork = Callable[[str], Awaitable[Network]]

DEVICES = 5
QUESTIONS = 1000
# A question about `{}`, a name that only its asker uses, and the numeric that ends its answer.
ABOUT_A_NAME = (
    ("WHOIS {}", "318"),
    ("WHO {}", "315"),
    ("WHO #{}", "315"),
    ("WHOWAS {}", "369"),
    ("MODE #{}", "401 or 403"),
    ("NAMES #{}", "366"),
    ("TOPIC #{}", "403"),
    ("PRIVMSG {} :are you there", "401"),
    ("INVITE {} #all", "401"),
    ("{}", "421"),
)
OF_THE_SERVER = (
    ("WHOIS bob", "318"),
    ("WHO #all", "315"),
    ("MODE #all b", "368"),
    ("LIST", "323"),
    ("LUSERS", "266"),
    ("VERSION", "351"),
    ("TIME", "391"),
    ("ADMIN", "258"),
    ("INFO", "374"),
    ("LINKS", "365"),
    ("STATS u", "219"),
    ("ISON bob nobody", "303"),
    ("USERHOST bob", "302"),
)


def is_answer(line: Line) -> bool:
    return line.command.isdigit()


def seen(device: Talker) -> list[str]:
    """What a device was shown, but for the bouncer's own questions and answers to it."""
    return [line.raw for line in device.lines if line.command not in ("PING", "PONG")]


async def devices_on(
    kind: str, count: int, start_network: StartNetwork, bouncer: Bouncer, talkers: list[Talker]
) -> tuple[Talker, list[Talker]]:
    """Bob, who is on the network, and devices of alice, who is there by a bouncer; both are in #all."""
    server = await start_network(kind)
    bob = await Talker.connect(server.port, "bob")
    talkers.append(bob)
    await bob.join("#all")
    await bouncer.apply(user("alice", network("net", server, tls=False, nick="alice", channels=["#all"])))
    await bouncer.start()
    await bob.line(lambda line: line.command == "JOIN" and line.nick == "alice")
    devices = []
    for number in range(count):
        device = await Talker.connect(bouncer.port, "guess", password=f"alice/net@d{number}:{PASSWORD}")
        talkers.append(device)
        devices.append(device)
        await device.line(lambda line: line.command == "366" and line.params[1] == "#all")
        await device.flushed()
        device.lines.clear()
    return bob, devices


@pytest.mark.parametrize("kind", ["inspircd", "ngircd"])
async def test_whois_by_one_is_seen_by_no_other(
    kind: str, start_network: StartNetwork, bouncer: Bouncer, talkers: list[Talker]
) -> None:
    bob, (asker, other) = await devices_on(kind, 2, start_network, bouncer, talkers)
    asker.send("WHOIS bob")
    await asker.line(lambda line: line.command == "318")
    assert [line.params[1] for line in asker.lines if line.command == "311"] == ["bob"]
    await bob.say("#all", ["after it"])
    await other.heard("#all", "after it")
    assert [line for line in seen(other) if "PRIVMSG" not in line] == []
    assert not any(line.tags for line in asker.lines)


@pytest.mark.parametrize("kind", ["inspircd", "ngircd"])
async def test_what_one_does_is_seen_by_all(
    kind: str, start_network: StartNetwork, bouncer: Bouncer, talkers: list[Talker]
) -> None:
    _, (doer, other) = await devices_on(kind, 2, start_network, bouncer, talkers)
    doer.send("JOIN #new", "TOPIC #new :tea", "MODE #new +k key", "NICK alicia", "PART #new")
    await other.line(lambda line: line.command == "PART")
    commands = [line.command for line in other.lines if line.command not in ("PING", "PONG")]
    # the nick overtakes what waits for the pacer
    assert sorted(name for name in commands if not name.isdigit()) == ["JOIN", "MODE", "NICK", "PART", "TOPIC"]
    assert {"353", "366"} <= set(commands)
    await doer.line(lambda line: line.command == "PART")
    assert seen(doer) == seen(other)


@pytest.mark.parametrize("kind", ["inspircd", "ngircd"])
async def test_a_thousand_questions_at_once_each_answered_to_its_asker(
    kind: str, start_network: StartNetwork, bouncer: Bouncer, talkers: list[Talker]
) -> None:
    bob, (watcher, *devices) = await devices_on(kind, DEVICES + 1, start_network, bouncer, talkers)
    dice = random.Random(3)
    due: list[Counter[tuple[str, str]]] = [Counter() for _ in devices]
    for count in range(QUESTIONS):
        number = count % DEVICES
        name = f"d{number}q{count}"
        if dice.random() < 0.5:
            question, end = dice.choice(ABOUT_A_NAME)
        else:
            question, end = dice.choice(OF_THE_SERVER)
        if end == "401 or 403":
            end = "401" if kind == "ngircd" else "403"
        devices[number].send(question.format(name))
        due[number][end, name if "{}" in question else ""] += 1
        if count % 100 == 0:
            await bob.say("#all", [f"line {count}"])
            for device in devices:
                await device.flushed()

    def ends(number: int) -> Counter[tuple[str, str]]:
        """The ends that a device has got: about a name of its own, or about nothing of its own."""
        found: Counter[tuple[str, str]] = Counter()
        known = {name.lower(): name for _, name in due[number]}
        numerics = {end for end, _ in due[number]}
        for line in devices[number].lines:
            if line.command in numerics:
                subject = line.params[1].lower().lstrip("#") if len(line.params) > 1 else ""
                key = line.command, known.get(subject, "")
                if key in due[number]:  # a WHOIS may have an error before its end
                    found[key] += 1
        return found

    def all_have_their_ends() -> bool:
        for number in range(DEVICES):
            missing = due[number] - ends(number)
            assert not missing, missing
        return True

    await eventually(all_have_their_ends, 60, "every question is answered")
    await bob.say("#all", ["the end"])
    for number, device in enumerate(devices):
        await device.heard("#all", "the end")
        assert ends(number) == due[number]
        strangers = [
            line.raw
            for line in device.lines
            if any(f"d{each}q" in line.raw.lower() for each in range(DEVICES) if each != number) and is_answer(line)
        ]
        assert strangers == []
    await watcher.heard("#all", "the end")
    assert [line.raw for line in watcher.lines if is_answer(line)] == []
    assert len(watcher.messages("#all")) == QUESTIONS // 100 + 1
