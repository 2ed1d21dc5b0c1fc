"""The network's server is killed and comes back: the client is told, the bouncer returns by itself, nothing is lost."""

import re
from collections.abc import Awaitable, Callable

import pytest
from peers.bouncer import PASSWORD, Bouncer, network, user
from peers.chat_client import ChatClient
from peers.ircds import InspIRCd
from peers.talker import Talker
from peers.waiting import eventually

StartClient = Callable[[str], Awaitable[ChatClient]]

LINES = 20
RETURN_SECONDS = 60.0  # the first tries come after about 2, 4 and 8 seconds; the server itself needs 2 to register
TOLD = re.compile(r"disconnect|connection|lost|closed|reset|refused|next try|again|down", re.IGNORECASE)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_the_bouncer_comes_back_to_a_killed_network(
    tls: bool, inspircd: InspIRCd, bouncer: Bouncer, start_client: StartClient, talkers: list[Talker]
) -> None:
    bob = await Talker.connect(inspircd.port, "bob")
    talkers.append(bob)
    await bob.join("#t")
    await bob.join("#later")
    await bouncer.apply(user("alice", network("insp", inspircd, tls=tls, nick="alice", channels=["#t"])))
    await bouncer.start()
    await bob.line(lambda line: line.command == "JOIN" and line.nick == "alice")

    desk = await start_client("weechat")
    await desk.add(bouncer.login("alice/insp@desk", "alice"))
    await desk.attach()
    phone = await start_client("irssi")
    await phone.add(bouncer.login("alice/insp@phone", "alice"))
    await phone.attach()
    raw = await Talker.connect(bouncer.port, "alice", password=f"alice/insp@raw:{PASSWORD}")
    talkers.append(raw)
    await desk.type("/join #later", "#t")  # a channel joined by hand is come back to as one of the state file is
    await bob.line(lambda line: line.command == "JOIN" and line.nick == "alice" and line.params[0] == "#later")
    await phone.detach()
    before = [line.text for line in await bob.say("#t", [f"before {number:02}" for number in range(LINES)])]
    await desk.shows("#t", before[-1])

    told = len(raw.lines)
    inspircd.kill()
    notice = await raw.line(lambda line: line.command == "NOTICE" and bool(TOLD.search(line.text)), since=told)

    async def desk_is_told() -> bool:
        return notice.text in await desk.everything()

    await eventually(desk_is_told, what="WeeChat shows the notice")
    raw.send("PRIVMSG #t :said while down")
    await raw.line(lambda line: line.command in ("NOTICE", "404", "FAIL") and line.raw != notice.raw, since=told)
    assert not raw.closed

    await inspircd.start()
    again = await Talker.connect(inspircd.port, "bob")
    talkers.append(again)
    for channel in ("#t", "#later"):
        await again.join(channel)
        await again.sees("alice", channel, RETURN_SECONDS)
    after = [line.text for line in await again.say("#t", [f"after {number:02}" for number in range(LINES)])]
    later = [line.text for line in await again.say("#later", ["in the other channel too"])]
    await desk.shows("#t", after[-1])
    await desk.shows("#later", later[-1])
    assert [line.text for line in await desk.said("#t", "bob")] == before + after
    await phone.attach()
    await phone.shows("#t", after[-1])
    assert [line.text for line in await phone.said("#t", "bob")] == before + after
    assert not [line for line in again.messages("#t") if line.text == "said while down"]

    await desk.type("hello again", "#t")
    assert (await again.heard("#t", "hello again")).nick == "alice"
