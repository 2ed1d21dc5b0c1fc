"""A flood of connections from one address: turned away before anything is made for it, while others are served."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import tracemalloc

import pytest

from bouncer.net.limits import Full, Limits
from bouncer.net.listen import Listeners
from bouncer.net.peer import Peer
from tests.net.conftest import Run
from tests.net.test_websocket import Echo, turn

FLOOD = 4000  # connections; as quickly as they can be made


def own_address() -> str:
    """An address of this machine that is not loopback, so that its limits hold."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(probe.getsockname()[0])


@pytest.mark.parametrize("at_once", [10, 100])
def test_a_flood_costs_little_and_leaves_nothing(play: Run, caplog: pytest.LogCaptureFixture, at_once: int) -> None:
    address = own_address()
    limits = Limits(connects_at_once=at_once, connects_per_second=0.001, unregistered_per_address=1000)
    began: list[Echo] = []

    async def come_and_go(port: int) -> None:
        _, writer = await asyncio.open_connection(address, port)
        writer.close()

    async def knock(port: int) -> bytes:
        reader, writer = await asyncio.open_connection(address, port)
        try:
            return await reader.readline()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def talk() -> None:
        def converse(peer: Peer) -> Echo:
            began.append(Echo(peer))
            return began[-1]

        listeners = Listeners(converse, limits=limits)
        await listeners.open(["irc+insecure://0.0.0.0:0"])
        port = int(listeners.addresses[0].rpartition(":")[2])
        for _ in range(at_once):
            await come_and_go(port)
        while listeners.unregistered or len(began) < at_once:
            await turn()
        assert {echo.peer.crowd for echo in began} == {address}
        gc.collect()
        tracemalloc.start()
        refused = 0
        for _ in range(FLOOD // 50):
            answers = await asyncio.gather(*(knock(port) for _ in range(50)))
            refused += sum(answer == f"ERROR :{Full.PACE.value}\r\n".encode() for answer in answers)
        gc.collect()
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert len(began) == at_once
        assert listeners.unregistered == 0
        assert refused > FLOOD * 0.9  # a reset may overtake the line
        assert held < 500_000
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"PING x\r\n")
        assert await reader.readline() == b"PING x\r\n"
        assert began[-1].peer.crowd == ""
        writer.close()
        await writer.wait_closed()
        await listeners.close()

    with caplog.at_level(logging.INFO):
        play(talk())
    assert len(caplog.records) == 1  # for all of it
