"""How the bouncer leaves real networks, is thrown out of them, and meets itself."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from peers.bouncer import PASSWORD, Bouncer, network, user
from peers.ircds import Network
from peers.talker import Talker
from peers.waiting import eventually

StartNetwork = Callable[[str], Awaitable[Network]]


@pytest.mark.parametrize("kind", ["inspircd", "ngircd"])
@pytest.mark.parametrize("how", ["stop", "disconnect"])
async def test_others_read_the_quit_message(
    kind: str, how: str, start_network: StartNetwork, bouncer: Bouncer, talkers: list[Talker]
) -> None:
    server = await start_network(kind)
    bob = await Talker.connect(server.port, "bob")
    talkers.append(bob)
    await bob.join("#t")
    mine = network("net", server, tls=True, nick="alice", channels=["#t"], quit_message="see you soon")
    await bouncer.apply(user("alice", mine))
    await bouncer.start()
    await bob.line(lambda line: line.command == "JOIN" and line.nick == "alice")
    if how == "stop":
        bouncer.terminate()
    else:
        await bouncer.command("network", "disconnect", "alice/net")
    left = await bob.line(lambda line: line.command == "QUIT" and line.nick == "alice")
    assert "see you soon" in left.text


async def test_a_network_that_is_the_bouncer_itself_is_stopped(bouncer: Bouncer) -> None:
    ourselves: dict[str, Any] = {
        "name": "self",
        "servers": [f"irc+insecure://127.0.0.1:{bouncer.port}"],
        "nick": "alice",
        "server_password": f"alice/self:{PASSWORD}",
    }
    await bouncer.apply(user("alice", ourselves))
    await bouncer.start()

    async def stopped() -> bool:
        owners = (await bouncer.status())["users"]
        (one,) = [each for owner in owners for each in owner["networks"] if each["name"] == "self"]
        return bool(one["state"] == "stopped" and one["reason"].startswith("it is this bouncer itself"))

    await eventually(stopped, what="the network is stopped")
