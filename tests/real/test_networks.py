"""The bouncer on each kind of server, plain text and TLS: in the channel, both ways, and a backlog for who was away."""

from collections.abc import Awaitable, Callable

import pytest
from peers.bouncer import PASSWORD, Bouncer, network, user
from peers.ircds import Network
from peers.talker import Talker

StartNetwork = Callable[[str], Awaitable[Network]]


@pytest.mark.parametrize("kind", ["inspircd", "ngircd", "ergo"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_talk_and_backlog(
    kind: str, tls: bool, start_network: StartNetwork, bouncer: Bouncer, talkers: list[Talker]
) -> None:
    server = await start_network(kind)
    bob = await Talker.connect(server.port, "bob")
    talkers.append(bob)
    await bob.join("#t")
    bob.send("TOPIC #t :what we talk about")
    await bouncer.apply(user("alice", network("net", server, tls=tls, nick="alice", channels=["#t"])))
    await bouncer.start()
    await bob.line(lambda line: line.command == "JOIN" and line.nick == "alice")

    caps = "server-time batch message-tags"
    desk = await Talker.connect(bouncer.port, "alice", password=f"alice/net@desk:{PASSWORD}", caps=caps)
    talkers.append(desk)
    await desk.line(lambda line: line.command == "JOIN" and line.params[0] == "#t")
    assert (await desk.line(lambda line: line.command == "332")).text == "what we talk about"
    names = await desk.line(lambda line: line.command == "353" and line.params[2] == "#t")
    assert {name.lstrip("@+") for name in names.text.split()} == {"alice", "bob"}
    desk.send("PRIVMSG #t :hello bob")
    assert (await bob.heard("#t", "hello bob")).nick == "alice"
    await bob.say("#t", ["hello alice"])
    assert (await desk.heard("#t", "hello alice")).nick == "bob"
    desk.send("WHOIS bob")
    await desk.line(lambda line: line.command == "318")

    await desk.flushed()
    await desk.close()
    sent = await bob.say("#t", [f"missed {number}" for number in range(50)])
    await bob.flushed()
    back = await Talker.connect(bouncer.port, "alice", password=f"alice/net@desk:{PASSWORD}", caps=caps)
    talkers.append(back)
    await back.heard("#t", sent[-1].text)
    missed = [line for line in back.messages("#t") if line.text.startswith("missed")]
    assert [line.text for line in missed] == [line.text for line in sent]
    assert all("time" in line.tags and "batch" in line.tags for line in missed)
