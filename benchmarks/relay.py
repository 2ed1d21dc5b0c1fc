"""What a relayed line costs: CPU microseconds of the bouncer's process, history durable, over real sockets.

A network that only sends prepared bytes and clients that only count run in this process; `bouncer run` is another one,
whose CPU is read from the system. Run it with ``python -m benchmarks.relay``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

BURST = 50  # lines in a write of the network
START_SECONDS = 20.0
LINE = ":bob{n}!bob@host{n}.example.org PRIVMSG #channel{c} :line {n} of a benchmark, about as long as people's\r\n"
STATE = """
[[user]]
name = "alice"
password = "correct-horse-battery"
[[user.network]]
name = "net"
servers = ["irc+insecure://127.0.0.1:{port}"]
channels = [{channels}]
flood = "off"
"""
CONFIG = 'listen = ["irc+insecure://127.0.0.1:{port}"]\n[upstream]\npace = "off"\n'


@dataclass(frozen=True)
class Figures:
    """Of one run. ``cpu_us``: microseconds of CPU a line, user and system, all threads, until all is durable
    and indexed."""

    clients: int
    lines: int
    cpu_us: float
    wall_s: float


class Network:
    """A server with one user on it."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._joined: asyncio.Event = asyncio.Event()
        self._writer: asyncio.StreamWriter
        self._server: asyncio.Server

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        joined = 0
        while line := await reader.readline():
            command, _, rest = line.decode().strip().partition(" ")
            if command == "CAP" and rest.startswith("LS"):
                writer.write(b":irc.bench CAP * LS :\r\n")
            elif command == "USER":
                writer.write(b":irc.bench 001 alice :Welcome alice!a@h\r\n:irc.bench 422 alice :No MOTD\r\n")
            elif command == "JOIN":
                for name in rest.partition(" ")[0].split(","):
                    joined += 1
                    writer.write(f":alice!a@h JOIN {name}\r\n:irc.bench 366 alice {name} :End\r\n".encode())
                if joined >= self._channels:
                    self._joined.set()
            elif command == "PING":
                writer.write(f"PONG {rest}\r\n".encode())
        writer.close()

    async def joined(self) -> None:
        await asyncio.wait_for(self._joined.wait(), START_SECONDS)

    async def say(self, lines: int) -> None:
        texts = [LINE.format(n=n % 100, c=n % self._channels).encode() for n in range(100 * self._channels)]
        for start in range(0, lines, BURST):
            self._writer.write(b"".join(texts[(start + n) % len(texts)] for n in range(min(BURST, lines - start))))
            await self._writer.drain()

    def close(self) -> None:
        self._server.close()


class Client:
    """Counts what it gets, and answers what it is asked."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def attach(cls, port: int, device: str) -> Client:
        self = cls(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 20))
        self._writer.write(f"PASS alice@{device}:correct-horse-battery\r\nNICK a\r\nUSER a 0 * :b\r\n".encode())
        while b" 366 " not in await self._reader.readline():
            pass
        return self

    async def count(self, lines: int) -> None:
        rest = b""
        while lines > 0:
            data = await self._reader.read(1 << 18)
            if not data:
                raise ConnectionError("the bouncer closed the connection")
            whole, _, rest = (rest + data).rpartition(b"\n")
            lines -= whole.count(b" PRIVMSG ")
            if b"PING " in whole:
                self._writer.writelines(
                    b"PONG " + line[5:] + b"\n" for line in whole.split(b"\n") if line.startswith(b"PING ")
                )

    def close(self) -> None:
        self._writer.close()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and all its threads, to the nanosecond where the system counts so."""
    tasks = Path(f"/proc/{pid}/task")
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9


def bouncer(home: str, *words: str) -> list[str]:
    return [sys.executable, "-m", "bouncer", "--home", home, *words]


async def status(home: str) -> dict[str, object]:
    process = await asyncio.create_subprocess_exec(*bouncer(home, "status", "--json"), stdout=subprocess.PIPE)
    out, _ = await process.communicate()
    found: dict[str, object] = json.loads(out)
    return found


async def measure(clients: int, lines: int, channels: int) -> Figures:
    """Start everything, relay that many lines, take it down."""
    with tempfile.TemporaryDirectory() as home:
        network = Network(channels)
        upstream = await network.start()
        port = await _free_port()
        names = ", ".join(f'"#channel{number}"' for number in range(channels))
        (Path(home) / "bouncer.toml").write_text(CONFIG.format(port=port))
        state = Path(home) / "state.toml"
        state.write_text(STATE.format(port=upstream, channels=names))
        await (
            await asyncio.create_subprocess_exec(*bouncer(home, "apply", str(state)), stdout=subprocess.DEVNULL)
        ).wait()
        running = await asyncio.create_subprocess_exec(*bouncer(home, "run"), stdout=subprocess.DEVNULL)
        try:
            await network.joined()
            attached = [await Client.attach(port, f"d{number}") for number in range(clients)]
            before, started = cpu_seconds(running.pid), time.perf_counter()
            await asyncio.gather(network.say(lines), *(client.count(lines) for client in attached))
            wall = time.perf_counter() - started
            while (now := await status(home))["undurable"] or now["unindexed"]:
                pass
            used = cpu_seconds(running.pid) - before
            for client in attached:
                client.close()
        finally:
            running.terminate()
            await running.wait()
            network.close()
    return Figures(clients, lines, used / lines * 1e6, wall)


async def _free_port() -> int:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 20])
    parser.add_argument("--channels", type=int, default=10)
    options = parser.parse_args()
    for clients in options.clients:
        figures = asyncio.run(measure(clients, options.lines, options.channels))
        print(
            f"relay to {figures.clients} clients: {figures.cpu_us:.2f} us of CPU a line, "
            f"{figures.lines / figures.wall_s:,.0f} lines/s"
        )


if __name__ == "__main__":
    main()
