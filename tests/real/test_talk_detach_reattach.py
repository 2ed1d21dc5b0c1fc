"""The promise of the bouncer, seen from real clients on a real network, through TLS on both sides.

Talk both ways; detach; 200 lines arrive meanwhile; each is shown exactly once, in order, with the time at which it
was said: to the device that comes back, then to a second one that had been attached before; and so again when the
bouncer was killed in between.
"""

import time
from collections.abc import Awaitable, Callable

import pytest
from peers.bouncer import PASSWORD, Bouncer, network, user
from peers.chat_client import ChatClient, Shown
from peers.ircds import InspIRCd
from peers.talker import Sent, Talker
from peers.waiting import until_clock

StartClient = Callable[[str], Awaitable[ChatClient]]

LINES = 200
TOLERANCE = 2.0  # seconds between saying a line and the time a client shows for it
APART = 5.0  # seconds from the last line to the re-attach, so that the one's time is never taken for the other's


@pytest.mark.parametrize("kind", ["weechat", "irssi", "catgirl"])
async def test_what_was_missed_comes_once_in_order_with_its_time(
    kind: str, inspircd: InspIRCd, bouncer: Bouncer, start_client: StartClient, talkers: list[Talker]
) -> None:
    bob = await Talker.connect(inspircd.tls_port, "bob", tls=True)
    talkers.append(bob)
    await bob.join("#t")
    await bouncer.apply(user("alice", network("insp", inspircd, tls=True, nick="alice", channels=["#t"])))
    await bouncer.start()
    await bob.line(lambda line: line.command == "JOIN" and line.nick == "alice")

    desk = await start_client(kind)
    await desk.add(bouncer.login("alice/insp@desk", "alice"))
    await desk.attach()
    phone = await start_client(kind)
    await phone.add(bouncer.login("alice/insp@phone", "alice"))
    await phone.attach()
    await talk_both_ways(desk, phone, bob)

    await phone.detach()
    await desk.detach()
    missed = await say_while_away(bob, bouncer, "first")
    await comes_back(desk, [], missed)
    await comes_back(phone, [], missed)

    await phone.detach()
    await desk.detach()
    missed_later = await say_while_away(bob, bouncer, "second")
    bouncer.kill()
    joined = len(bob.lines)
    await bouncer.start()
    await bob.line(lambda line: line.command == "JOIN" and line.nick == "alice", since=joined)
    await comes_back(desk, missed, missed_later)
    await comes_back(phone, missed, missed_later)
    for client in (desk, phone):
        assert [line.text for line in await client.said("bob", "bob")] == ["privately first", "privately second"]


async def talk_both_ways(desk: ChatClient, phone: ChatClient, bob: Talker) -> None:
    """A line each way; the other device sees both as well."""
    sent = await bob.say("#t", ["hello alice"])
    for client in (desk, phone):
        shown = await client.shows("#t", "hello alice")
        assert shown.who == "bob"
        assert abs(shown.at - sent[0].at) <= TOLERANCE
    await desk.type("hello bob", "#t")
    assert (await bob.heard("#t", "hello bob")).nick == "alice"
    assert (await phone.shows("#t", "hello bob")).who == "alice"
    assert (await desk.shows("#t", "hello bob")).who == "alice"
    assert [line.text for line in await desk.said("#t", "alice")] == ["hello bob"]


async def say_while_away(bob: Talker, bouncer: Bouncer, round_: str) -> list[Sent]:
    """Bob says his lines; returns when the bouncer has them for good, and their times lie well in the past."""
    watch = await Talker.connect(bouncer.port, "alice", password=f"alice/insp@watch:{PASSWORD}")
    try:
        sent = await bob.say("#t", [f"{round_} line {number:03} of {LINES}" for number in range(LINES)])
        await bob.say("alice", [f"privately {round_}"])
        await watch.heard("alice", f"privately {round_}")
    finally:
        await watch.close()
    await bouncer.durable()
    await until_clock(sent[-1].at + APART)
    return sent


async def comes_back(client: ChatClient, shown_before: list[Sent], missed: list[Sent]) -> None:
    """Attach; what was missed then stands in the client's own buffer, once, in order, at the time it was said.

    Nothing that was shown before comes again.
    """
    reattached = time.time()
    await client.attach()
    await client.shows("#t", missed[-1].text)
    shown = await numbered(client)
    said = shown_before + missed
    assert [line.text for line in shown] == [line.text for line in said]
    wrong = [(line, sent) for line, sent in zip(shown, said, strict=True) if abs(line.at - sent.at) > TOLERANCE]
    assert not wrong, wrong[:5]
    assert shown[-1].at < reattached - TOLERANCE


async def numbered(client: ChatClient) -> list[Shown]:
    return [line for line in await client.said("#t", "bob") if " line " in line.text]
