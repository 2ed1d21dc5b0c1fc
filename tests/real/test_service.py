"""Talking to the bouncer in real clients: under each of its names, the answer stands in the window where one looks."""

from collections.abc import Awaitable, Callable

import pytest
from peers.bouncer import Bouncer, network, user
from peers.chat_client import ChatClient
from peers.ircds import NgIRCd
from peers.talker import Talker
from peers.waiting import eventually

StartClient = Callable[[str], Awaitable[ChatClient]]

# What users of this bouncer, of ZNC and of soju type, and what the answer begins with.
ASKED = {
    "*bouncer": ("network list", "net: connected to 127.0.0.1"),
    "*status": ("ListNetworks", "net: connected to 127.0.0.1"),
    "BouncerServ": ("network status", "net: connected to 127.0.0.1"),
}


@pytest.fixture
async def running(
    start_network: Callable[[str], Awaitable[NgIRCd]], bouncer: Bouncer, talkers: list[Talker]
) -> Bouncer:
    server = await start_network("ngircd")
    bob = await Talker.connect(server.port, "bob")
    talkers.append(bob)
    await bob.join("#t")
    await bouncer.apply(user("alice", network("net", server, tls=False, nick="alice", channels=["#t"])))
    await bouncer.start()
    await bob.line(lambda line: line.command == "JOIN" and line.nick == "alice")
    return bouncer


@pytest.mark.parametrize("kind", ["weechat", "irssi"])
async def test_an_answer_stands_in_the_window_of_who_was_asked(
    kind: str, running: Bouncer, start_client: StartClient
) -> None:
    client = await start_client(kind)
    await client.add(running.login("alice/net@desk", "alice"))
    await client.attach()
    for name, (words, answer) in ASKED.items():
        await client.type(f"/query {name}" if kind == "irssi" else f"/query -server bnc {name}")
        await client.type(words, name)

        async def answered(name: str = name, answer: str = answer) -> bool:
            return any(answer in line.text for line in await client.shown(name.lower()))

        await eventually(answered, what=f"{kind} shows the answer of {name}")


@pytest.mark.parametrize("kind", ["weechat", "irssi"])
async def test_who_types_msg_without_a_window_sees_the_answer(
    kind: str, running: Bouncer, start_client: StartClient
) -> None:
    client = await start_client(kind)
    await client.add(running.login("alice/net@desk", "alice"))
    await client.attach()
    await client.type("/msg *bouncer status" if kind == "irssi" else "/msg -server bnc *bouncer status")

    async def answered() -> bool:
        return "alice: attached: desk from 127.0.0.1" in await client.everything()

    await eventually(answered, what=f"{kind} shows the answer")
