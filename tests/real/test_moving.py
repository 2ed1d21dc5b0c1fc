"""History and whole homes go in and out while people talk: nobody loses a line, or is shown an old one as new."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from peers.bouncer import PASSWORD, Bouncer
from peers.waiting import eventually

DAYS = 20
LINES_A_DAY = 1000
PAUSE = 0.005  # seconds between two lines that are said meanwhile
SLOW = 1.0  # seconds that one of them may take to its reader, on a machine that does other things too


class Network:
    """An IRC server with one user on it, to whom somebody talks in numbers."""

    def __init__(self) -> None:
        self.said: list[float] = []
        self._writer: asyncio.StreamWriter | None = None
        self._server: asyncio.Server

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"irc+insecure://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers = {
            "CAP": b":irc.test CAP * LS :\r\n",
            "USER": b":irc.test 001 alice :Welcome alice!a@h\r\n:irc.test 422 alice :No MOTD\r\n",
            "JOIN": b":alice!a@h JOIN #t\r\n:irc.test 353 alice = #t :alice\r\n:irc.test 366 alice #t :End\r\n",
        }
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                command = line.decode().split()[0]
                if command != "CAP" or b" LS" in line:
                    writer.write(answers.get(command, b""))
                if command == "JOIN":
                    self._writer = writer
        if self._writer is writer:
            self._writer = None
        writer.close()

    @property
    def joined(self) -> bool:
        return self._writer is not None

    async def talk_until(self, done: asyncio.Task[object]) -> None:
        while not done.done():
            self.say()
            await asyncio.wait([done], timeout=PAUSE)

    def say(self) -> None:
        assert self._writer is not None
        self._writer.write(f":bob!b@h PRIVMSG #t :live {len(self.said)}\r\n".encode())
        self.said.append(time.monotonic())

    async def close(self) -> None:
        self._server.close()
        if self._writer is not None:
            self._writer.close()


class Device:
    """A device that reads, and how long each line took to it."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.texts: list[str] = []
        self.slowest = 0.0

    async def attach(self, port: int, name: str) -> None:
        reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        self.writer.write(f"CAP REQ :server-time batch\r\nPASS alice/net@{name}:{PASSWORD}\r\n".encode())
        self.writer.write(b"NICK a\r\nUSER a 0 * :b\r\nCAP END\r\n")
        self._reading = asyncio.create_task(self._read(reader), name=name)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            while line := (await reader.readline()).decode():
                if line.startswith("PING "):
                    self.writer.write(("PONG " + line[5:]).encode())
                elif " PRIVMSG #t :" in line:
                    self.texts.append(line.rstrip().rpartition(":")[2])
                    number = int(self.texts[-1].rpartition(" ")[2])
                    self.slowest = max(self.slowest, time.monotonic() - self.network.said[number])

    async def hears(self, text: str) -> None:
        await eventually(lambda: self.texts[-1:] == [text], what=f"a device hears {text}")

    async def leave(self) -> None:
        self.writer.write(b"QUIT\r\n")
        await self._reading
        self.writer.close()


@pytest.fixture
async def network(bouncer: Bouncer) -> AsyncIterator[Network]:
    """A network on which alice's bouncer is."""
    network = Network()
    url = await network.start()
    channels = {"name": "net", "servers": [url], "channels": ["#t"]}
    await bouncer.apply({"name": "alice", "password": PASSWORD, "network": [channels]})
    await bouncer.start()
    await eventually(lambda: network.joined, what="the bouncer is in its channel")
    yield network
    bouncer.kill()
    await eventually(lambda: not network.joined, what="the network notices")
    await network.close()


def write_logs(folder: Path) -> None:
    window = folder / "net" / "#t"
    window.mkdir(parents=True)
    for number in range(DAYS):
        day = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=number)
        rows = (
            f"[{day + timedelta(minutes=minute):%H:%M:%S}] <bob> past {number * LINES_A_DAY + minute}\n"
            for minute in range(LINES_A_DAY)
        )
        (window / f"{day:%Y-%m-%d}.log").write_text("".join(rows))


async def test_history_comes_in_while_people_talk(bouncer: Bouncer, network: Network, tmp_path: Path) -> None:
    write_logs(tmp_path)
    here, away = Device(network), Device(network)
    await here.attach(bouncer.port, "here")
    await away.attach(bouncer.port, "away")
    network.say()
    await eventually(lambda: here.texts == away.texts == ["live 0"], what="both devices hear")
    await away.leave()
    begun = time.monotonic()
    importing = asyncio.create_task(bouncer.command("history", "import", "alice/net", str(tmp_path), "--json"))
    await network.talk_until(importing)
    done = importing.result()
    assert done.code == 0, done
    counts = json.loads(done.out)
    assert (counts["read"], counts["added"], counts["stored"]) == (DAYS * LINES_A_DAY,) * 3
    last = f"live {len(network.said) - 1}"
    await eventually(lambda: here.texts[-1] == last, what="the last line arrives")
    live = [f"live {number}" for number in range(len(network.said))]
    assert here.texts == live
    print(f"{counts['added']} lines in {time.monotonic() - begun:.1f} s, the slowest live one: {here.slowest:.3f} s")
    assert here.slowest < SLOW
    await here.leave()

    network.say()
    for name, first in (("away", 1), ("here", len(live))):
        device = Device(network)
        await device.attach(bouncer.port, name)
        await device.hears(f"live {len(live)}")
        # what it had not proved to have read comes again
        assert int(device.texts[0].removeprefix("live ")) <= first
        assert device.texts == [f"live {number}" for number in range(len(live) + 1 - len(device.texts), len(live) + 1)]
        await device.leave()
    again = json.loads((await bouncer.command("history", "import", "alice/net", str(tmp_path), "--json")).out)
    assert (again["added"], again["there"]) == (0, DAYS * LINES_A_DAY)
    found = await bouncer.command("search", "--json", "alice", "past", "limit=3")
    texts = [line["text"] for line in json.loads(found.out)["lines"]]
    assert texts == [f"past {number}" for number in range(DAYS * LINES_A_DAY - 3, DAYS * LINES_A_DAY)]


async def test_a_backup_of_a_busy_home_comes_up_elsewhere(bouncer: Bouncer, network: Network, home: Path) -> None:
    here = Device(network)
    await here.attach(bouncer.port, "here")
    for _ in range(500):
        network.say()
    await eventually(lambda: len(here.texts) == 500, what="all is there")
    await bouncer.durable()
    archive = home / "backup.tar.gz"
    backing_up = asyncio.create_task(bouncer.command("backup", str(archive)))
    await network.talk_until(backing_up)
    assert backing_up.result().code == 0, backing_up.result()
    assert (await bouncer.command("restore", "--verify", str(archive))).code == 0
    refused = await bouncer.command("restore", "--force", str(archive))
    assert (refused.code, "in use" in refused.err) == (1, True), refused
    await eventually(lambda: len(here.texts) == len(network.said), what="live text goes on")
    assert here.slowest < SLOW
    await here.leave()
    bouncer.kill()
    await eventually(lambda: not network.joined, what="the network notices")

    elsewhere = Bouncer(home / "elsewhere")
    done = await elsewhere.command("restore", str(archive))
    assert done.code == 0, done
    elsewhere.port, elsewhere.tls_port = bouncer.port, bouncer.tls_port  # they are in its settings
    await elsewhere.start()
    try:
        await eventually(lambda: network.joined, what="the restored bouncer is in its channel")
        new = Device(network)
        await new.attach(elsewhere.port, "new")
        network.say()
        last = f"live {len(network.said) - 1}"
        await eventually(lambda: new.texts[-1:] == [last], what="a new device gets what there is")
        assert new.texts[:500] == [f"live {number}" for number in range(500)]
        await new.leave()
    finally:
        elsewhere.kill()
