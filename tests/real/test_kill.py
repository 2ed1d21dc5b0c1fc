"""The promise over real sockets, with the process killed at random moments.

A network of the test's own says numbered lines and keeps its own list of them. Two devices come, read and go as they
like, also in the middle of what they are given. `bouncer run` gets SIGKILL while lines come in, again and again. In the
end each device has had every line, in order, and none again that it had proved to have read. Only lines of the last
moment before a kill may be missing.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from peers.bouncer import PASSWORD, Bouncer
from peers.scripted import Scripted
from peers.waiting import eventually

SEED = 20261122
ROUNDS = 6
MOMENT = 0.15  # seconds before a kill within which a line may not have been kept: some commits and a busy machine


@dataclass
class Device:
    """One device in all its attachments. What it proves counts from a moment later, when it is surely kept."""

    name: str
    port: int
    ever: set[int] = field(default_factory=set)
    proofs: list[tuple[float, int]] = field(default_factory=list)  # (when, the highest number read by then)
    here: list[int] = field(default_factory=list)
    floor: int = -1
    most: int | None = None  # lines after which it is gone
    _reading: asyncio.Task[None] | None = None
    _writer: asyncio.StreamWriter | None = None

    @property
    def attached(self) -> bool:
        return self._reading is not None and not self._reading.done()

    async def attach(self) -> None:
        self.floor = max((number for _, number in self.proofs), default=-1)
        self.here, self.most = [], None
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writer.write(f"CAP REQ :server-time batch\r\nPASS alice/net@{self.name}:{PASSWORD}\r\n".encode())
        self._writer.write(b"NICK a\r\nUSER a 0 * :b\r\nCAP END\r\n")
        self._reading = asyncio.create_task(self._read(reader, self._writer), name=self.name)

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := (await reader.readline()).decode():
                if line.startswith("PING "):
                    writer.write(("PONG " + line[5:]).encode())
                    self.proofs.append((time.monotonic(), max([self.floor, *self.here[-1:]])))
                elif " PRIVMSG #t :" in line:
                    if len(self.here) == self.most:
                        return
                    self.take(int(line.rpartition(":")[2]))
        except ConnectionError:
            pass  # the kill
        finally:
            writer.close()

    def take(self, number: int) -> None:
        assert number > self.floor, f"{self.name}: {number} came again after {self.floor} was proved"
        assert not self.here or number > self.here[-1], f"{self.name}: {number} after {self.here[-1]}"
        self.here.append(number)
        self.ever.add(number)

    async def has(self, number: int) -> None:
        await eventually(lambda: number in self.ever, what=f"{self.name} reads {number}")

    async def leave(self) -> None:
        if self._reading is not None:
            if self._writer is not None and not self._reading.done():
                self._writer.write(b"QUIT\r\n")
            await self._reading
            self._reading = None

    def forget(self, moment: float) -> None:
        """What was proved in the moment before a kill, or before it broke off, may not have been kept."""
        self.proofs = [(when, number) for when, number in self.proofs if when < moment - MOMENT]


@pytest.fixture
async def own_network() -> AsyncIterator[Scripted]:
    network = Scripted()
    await network.start()
    yield network
    await network.close()


async def test_every_device_gets_every_line_once_over_kills(bouncer: Bouncer, own_network: Scripted) -> None:
    dice = random.Random(SEED)
    network = own_network
    net = {"name": "net", "servers": [network.url], "channels": ["#t"]}
    await bouncer.apply({"name": "alice", "password": PASSWORD, "network": [net]})
    await bouncer.start()
    await eventually(lambda: network.joined, what="the bouncer is in its channel")
    devices = [Device(name, bouncer.port) for name in ("phone", "desk")]
    for device in devices:
        await device.attach()
    network.say(1)
    await eventually(lambda: all(0 in device.ever for device in devices), what="both devices hear")
    perhaps: set[int] = set()

    for _ in range(ROUNDS):
        for _ in range(dice.randint(3, 8)):
            await step(dice, network, devices)
        moment = time.monotonic()
        network.say(dice.randint(0, 50))
        bouncer.kill()
        perhaps |= {number for number, when in enumerate(network.said) if moment - MOMENT < when}
        for device in devices:
            await device.leave()
            device.forget(moment)
        await eventually(lambda: not network.joined, what="the network notices")
        await bouncer.start()
        await eventually(lambda: network.joined, what="the bouncer is back in its channel")

    last = len(network.said)
    network.say(1)
    for device in devices:
        await device.leave()
        await device.attach()
        await device.has(last)
        await device.leave()
        assert set(range(last)) - device.ever - perhaps == set()
    assert len(perhaps) < last


async def step(dice: random.Random, network: Scripted, devices: list[Device]) -> None:
    """Something happens: lines, a device that comes or goes; and then the others have a look at what is new."""
    device = dice.choice(devices)
    if not device.attached:
        await device.attach()
    elif dice.random() < 0.4:
        await device.leave()
    elif dice.random() < 0.5:
        network.say(1)
        await device.has(len(network.said) - 1)
        device.most = len(device.here) + dice.randint(0, 100)
        network.say(200)
        await eventually(lambda: not device.attached, what=f"{device.name} breaks off")
        device.forget(time.monotonic())
    start = len(network.said)
    network.say(dice.randint(1, 200))
    if device.attached and len(network.said) > start:
        await device.has(len(network.said) - 1)
