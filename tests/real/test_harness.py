"""The harness itself: servers come up on both ports and come back, and what a client shows is read faithfully.

Without this, a driver that saw nothing, or dropped what comes twice, would make every other test here pass.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from peers.certificates import fingerprint_of
from peers.chat_client import ChatClient, Login
from peers.ircds import Network
from peers.talker import Talker
from peers.waiting import eventually, free_port

StartNetwork = Callable[[str], Awaitable[Network]]
StartClient = Callable[[str], Awaitable[ChatClient]]

BACKLOG = [(1_700_000_000 + second, f"old {second}") for second in range(5)]


@pytest.mark.parametrize("kind", ["inspircd", "ngircd", "ergo"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_two_people_talk_before_and_after_a_restart(
    start_network: StartNetwork, talkers: list[Talker], kind: str, tls: bool
) -> None:
    server = await start_network(kind)
    port = server.tls_port if tls else server.port
    for round_ in ("before", "after"):
        bob = await Talker.connect(port, "bob", tls=tls)
        talkers.append(bob)
        amy = await Talker.connect(port, "amy", tls=tls)
        talkers.append(amy)
        await bob.join("#t")
        await amy.join("#t")
        sent = await bob.say("#t", [f"{round_} {number}" for number in range(300)])
        await amy.heard("#t", sent[-1].text)
        assert [line.text for line in amy.messages("#t")] == [text for text, _ in sent]
        if round_ == "before":
            server.kill()
            await bob.end()
            await server.start()


@pytest.mark.parametrize("client_kind", ["weechat", "irssi"])
async def test_a_client_on_a_network_talks_both_ways_over_pinned_tls(
    start_network: StartNetwork, start_client: StartClient, talkers: list[Talker], client_kind: str
) -> None:
    server = await start_network("inspircd")
    client = await start_client(client_kind)
    bob = await Talker.connect(server.port, "bob")
    talkers.append(bob)
    await bob.join("#t")
    assert fingerprint_of(server.tls_port) == server.fingerprint
    await client.add(Login(server.tls_port, "", "", "amy", server.fingerprint))
    await client.attach()
    await client.type("/join #t")
    await bob.line(lambda line: line.command == "JOIN" and line.nick == "amy")
    sent = await bob.say("#t", ["hello amy"])
    shown = await client.shows("#t", "hello amy")
    assert shown.who == "bob"
    assert abs(shown.at - sent[0].at) <= 2
    await client.type("hello bob", "#t")
    heard = await bob.heard("#t", "hello bob")
    assert heard.nick == "amy"
    assert [line.text for line in await client.said("#t", "amy")] == ["hello bob"]
    await client.detach()
    await bob.line(lambda line: line.command == "QUIT" and line.nick == "amy")


@pytest.mark.parametrize("client_kind", ["weechat", "irssi"])
async def test_a_wrong_fingerprint_is_refused_by_the_client(
    start_network: StartNetwork, start_client: StartClient, client_kind: str
) -> None:
    server = await start_network("inspircd")
    client = await start_client(client_kind)
    await client.add(Login(server.tls_port, "", "", "amy", "0" * 64))
    await client.type("/connect bnc")

    async def refused() -> bool:
        text = (await client.everything()).lower()
        assert "welcome to" not in text, text
        return "fingerprint" in text or "pinned" in text

    await eventually(refused, what="the client complains")


@pytest.mark.parametrize("client_kind", ["weechat", "irssi"])
async def test_a_replayed_line_is_read_with_its_own_time_and_as_often_as_it_came(
    start_client: StartClient, client_kind: str
) -> None:
    """A pretended bouncer replays five lines, the third of them twice and the last two in the wrong order."""
    order = [0, 1, 2, 2, 4, 3]
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nick, awaited = "", {"NICK", "USER", "CAP END"}
        while line := (await reader.readline()).decode().strip():
            words = line.split()
            if words[0] == "QUIT":
                break
            if words[0] == "NICK":
                nick = words[1]
            elif words[:2] == ["CAP", "LS"]:
                writer.write(b":b CAP * LS :server-time batch message-tags\r\n")
            elif words[:2] == ["CAP", "REQ"]:
                writer.write(f":b CAP * ACK {line.partition(' REQ ')[2]}\r\n".encode())
            stage = "CAP END" if words[:2] == ["CAP", "END"] else words[0]
            if awaited == {stage}:
                writer.write(replay(nick, order))
            awaited.discard(stage)
        writer.close()
        ended.set()

    port = free_port()
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        client = await start_client(client_kind)
        await client.add(Login(port, "", "", "amy"))
        await client.attach()
        live = await client.shows("#t", "live")
        assert abs(live.at - time.time()) < 20
        said = [(line.at, line.text) for line in await client.said("#t", "bob") if line.text != "live"]
        assert said == [BACKLOG[number] for number in order]
        await client.detach()
        await asyncio.wait_for(ended.wait(), 20)
    finally:
        server.close()
        await server.wait_closed()


def replay(nick: str, order: list[int]) -> bytes:
    """The welcome burst and the backlog of the pretended bouncer."""
    lines = [f":b {numeric} {nick} :Welcome, Your host is b" for numeric in ("001", "002", "003")]
    lines += [f":b 004 {nick} b v a b", f":b 422 {nick} :No MOTD", f":{nick}!u@h JOIN #t", ":b BATCH +1 chathistory #t"]
    for number in order:
        at, text = BACKLOG[number]
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(at))
        lines.append(f"@batch=1;time={stamp} :bob!b@h PRIVMSG #t :{text}")
    lines += [":b BATCH -1", ":bob!b@h PRIVMSG #t :live"]
    return "".join(f"{line}\r\n" for line in lines).encode()
