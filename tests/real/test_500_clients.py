"""500 clients on one loop against one InspIRCd: all are back within two minutes of its restart, at a pace of 0.05 s."""

import time

from peers.ircds import InspIRCd
from peers.talker import Talker
from peers.waiting import eventually

from bouncer.client import Client, HostPacing, Register, Usual, install_usual

CLIENTS = 500
BACK_SECONDS = 120.0
PACE_SECONDS = 0.05
AT_ONCE = 10  # connects before the pace holds


async def test_all_come_back_at_their_pace(inspircd: InspIRCd, talkers: list[Talker]) -> None:
    connected_at: list[float] = []
    at_first = HostPacing(None)
    installed: list[tuple[Client, Usual]] = []
    for number in range(CLIENTS):
        client = Client(inspircd.host, inspircd.port, ssl=False)
        usual = install_usual(client, Register(f"client{number}"), pacing=at_first)
        client.on("client_connect", lambda: connected_at.append(time.monotonic()))
        client.on("001", lambda client=client: client.send("join", channel="#all"))
        installed.append((client, usual))
    try:
        for _, usual in installed:
            usual.reconnect.start_soon()
        await eventually(lambda: all(usual.register.registered for _, usual in installed), 60, "all are registered")
        assert len(connected_at) == CLIENTS

        pacing = HostPacing(PACE_SECONDS, AT_ONCE)
        for _, usual in installed:
            usual.reconnect.pacing = pacing
        connected_at.clear()
        inspircd.kill()
        await eventually(lambda: not any(client.is_connected for client, _ in installed), 10, "all have noticed")
        await inspircd.start()
        restarted = time.monotonic()
        await eventually(lambda: all(usual.register.registered for _, usual in installed), BACK_SECONDS, "all are back")
        print(f"{CLIENTS} clients were back {time.monotonic() - restarted:.1f} s after the restart")
        assert len(connected_at) == CLIENTS, "some needed a second attempt"
        paced = sorted(connected_at)[AT_ONCE:]
        assert paced[-1] - paced[0] >= (len(paced) - 1) * PACE_SECONDS * 0.95

        watcher = await Talker.connect(inspircd.port, "watcher")
        talkers.append(watcher)
        await eventually(lambda: members(watcher, "#all"), 20, "the network lists them")
    finally:
        for client, _ in installed:
            await client.disconnect()


async def members(watcher: Talker, channel: str) -> bool:
    """Whether the server itself counts all of them in the channel."""
    start = len(watcher.lines)
    watcher.send(f"LIST {channel}")
    await watcher.line(lambda line: line.command == "323", since=start)
    counts = [int(line.params[2]) for line in watcher.lines[start:] if line.command == "322"]
    assert counts == [CLIENTS], counts
    return True
