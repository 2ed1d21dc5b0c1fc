"""Two real clients on one network: what one does and what both see, read from their own buffers."""

from collections.abc import Awaitable, Callable

import pytest
from peers.bouncer import Bouncer, network, user
from peers.chat_client import ChatClient
from peers.ircds import Network
from peers.talker import Talker
from peers.waiting import eventually

StartNetwork = Callable[[str], Awaitable[Network]]
StartClient = Callable[[str], Awaitable[ChatClient]]


async def shows(client: ChatClient, *texts: str, timeout: float = 20.0) -> str:
    """All that the client shows, when all of this is in it."""

    async def there() -> str:
        shown = await client.everything()
        missing = [text for text in texts if text not in shown]
        assert not missing, f"{missing} not in {shown[-1500:]}"
        return shown

    return await eventually(there, timeout, f"{client.program} shows {texts}")


async def two_clients(
    server: Network, bouncer: Bouncer, start_client: StartClient, talkers: list[Talker]
) -> tuple[Talker, ChatClient, ChatClient]:
    """Bobby on the network, and WeeChat and irssi of alice's, who is there by a bouncer; all are in #t."""
    bobby = await Talker.connect(server.port, "bobby")
    talkers.append(bobby)
    await bobby.join("#t")
    await bouncer.apply(user("alice", network("net", server, tls=False, nick="alice", channels=["#t"])))
    await bouncer.start()
    await bobby.line(lambda line: line.command == "JOIN" and line.nick == "alice")
    desk, phone = await start_client("weechat"), await start_client("irssi")
    # neither is to hold back its own questions: that is all these tests would wait for
    await desk.type("/set irc.server_default.anti_flood_prio_high 0")
    await desk.type("/set irc.server_default.anti_flood_prio_low 0")
    await phone.type("/set cmds_max_at_once 100")
    for client, device in ((desk, "desk"), (phone, "phone")):
        await client.add(bouncer.login(f"alice/net@{device}", "alice"))
        await client.attach()
    await bobby.say("#t", ["welcome"])
    for client in (desk, phone):
        await client.shows("#t", "welcome")
    return bobby, desk, phone


# InspIRCd answers by label, ngIRCd without.
@pytest.mark.parametrize("kind", ["inspircd", "ngircd"])
async def test_two_clients_are_one_on_the_network(
    kind: str, start_network: StartNetwork, bouncer: Bouncer, start_client: StartClient, talkers: list[Talker]
) -> None:
    bobby, desk, phone = await two_clients(await start_network(kind), bouncer, start_client, talkers)
    # a question of one is answered to that one
    await desk.type("/whois bobby")
    await shows(desk, "[bobby] End of")
    await phone.type("/whois bobby")
    assert (await shows(phone, "End of WHOIS")).count("End of WHOIS") == 1
    assert (await desk.everything()).count("[bobby] End of") == 1
    # what one does is seen by the other
    await desk.type("/join #desk")
    await shows(phone, "has joined #desk")
    await phone.type("/topic #desk tea at five")
    await shows(desk, "tea at five")
    await phone.type("/part #desk")
    await has_left(desk, "#desk")
    # one away state of both: only when the second has said it, the network hears of it
    await desk.type("/away lunch")
    await shows(desk, "You have been marked as being away")
    assert await away_text(bobby) == []
    await phone.type("/away lunch")

    async def is_away() -> bool:
        return await away_text(bobby) == ["lunch"]

    await eventually(is_away, what="bobby sees that alice is away")


async def away_text(talker: Talker) -> list[str]:
    """What a WHOIS says of alice's being away."""
    start = len(talker.lines)
    talker.send("WHOIS alice")
    await talker.line(lambda line: line.command == "318", since=start)
    return [line.text for line in talker.lines[start:] if line.command == "301"]


@pytest.mark.parametrize("kind", ["inspircd", "ngircd"])
async def test_both_clients_see_a_new_nick(
    kind: str, start_network: StartNetwork, bouncer: Bouncer, start_client: StartClient, talkers: list[Talker]
) -> None:
    bobby, desk, phone = await two_clients(await start_network(kind), bouncer, start_client, talkers)
    await desk.type("/nick alicia")
    await bobby.line(lambda line: line.command == "NICK" and line.params[0] == "alicia")
    await shows(desk, "You are now known as alicia", timeout=5)
    await shows(phone, "You're now known as alicia")


async def has_left(client: ChatClient, channel: str) -> None:
    """Until the client shows that we left the channel."""

    async def left() -> bool:
        return any("has left" in line.text for line in await client.shown(channel))

    await eventually(left, what=f"{client.program} leaves {channel}")


async def test_a_channel_detached_in_one_client_is_told_of_by_a_notice(
    inspircd: Network, bouncer: Bouncer, start_client: StartClient, talkers: list[Talker]
) -> None:
    bob, desk, phone = await two_clients(inspircd, bouncer, start_client, talkers)
    await desk.type("/part #t detach", "#t")
    await has_left(desk, "#t")
    await bob.say("#t", ["nothing of note", "are you there, alice?"])
    for client in (desk, phone):
        assert "nothing of note" not in await shows(client, "#t: <bobby> are you there, alice?")
    await bob.sees("alice", "#t")

    await phone.type("/join #t")
    for client in (desk, phone):
        await shows_again(client, bob)


async def shows_again(client: ChatClient, bob: Talker) -> None:
    """Until what is said in #t is shown there."""

    async def shown() -> bool:
        await bob.say("#t", ["back again"])
        return any(line.text == "back again" for line in await client.shown("#t"))

    await eventually(shown, what=f"{client.program} shows #t again")
