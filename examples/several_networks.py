"""Several networks on one event loop: print what each says, and come back to each when it is lost.

    python examples/several_networks.py irc.example.org:6697 localhost:6667 --plain localhost:6667

Servers named with ``--plain`` are spoken to without TLS.
"""

from __future__ import annotations

import argparse
import asyncio
from functools import partial

from bouncer.client import Client, HostPacing, Register, install_usual
from bouncer.irc.message import Message


def show(name: str, messages: list[Message], now: float) -> None:
    """Print the lines of one read; bytes that are no text are shown as what they are."""
    for message in messages:
        print(f"{name}: {message.raw.decode('utf-8', 'backslashreplace')}", flush=True)


def tell(name: str, reason: str) -> None:
    print(f"{name}: -- {reason}", flush=True)


def split(server: str) -> tuple[str, int]:
    """``host:port``, where the host may be ``[an IPv6 address]``."""
    host, _, port = server.rpartition(":")
    return host.strip("[]"), int(port)


async def main(servers: list[str], plain: list[str], nick: str) -> None:
    pacing = HostPacing()  # one for all: a host is not to be asked by all of them at once
    for server in [*servers, *plain]:
        host, port = split(server)
        client = Client(host, port, ssl=server not in plain)
        client.tap(partial(show, server))
        for event in ("client_connect_failed", "client_disconnect", "client_stopped"):
            client.on(event, partial(tell, server))
        usual = install_usual(client, Register(nick), pacing=pacing)
        usual.reconnect.start_soon()
    await asyncio.Event().wait()  # until interrupted


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Print what several IRC servers say.")
    parser.add_argument("servers", nargs="*", metavar="HOST:PORT", help="with TLS")
    parser.add_argument("--plain", action="append", default=[], metavar="HOST:PORT", help="without TLS; repeat it")
    parser.add_argument("--nick", default="listener")
    arguments = parser.parse_args()
    try:
        asyncio.run(main(arguments.servers, arguments.plain, arguments.nick))
    except KeyboardInterrupt:
        pass
