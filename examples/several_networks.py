"""Several networks on one event loop: print what each says, and come back to each when it is lost.

python examples/several_networks.py --tls irc.example.org:6697 irc.example.net:6697
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


async def main(options: argparse.Namespace) -> None:
    pacing = HostPacing()  # one for all: a host is not to be asked by all of them at once
    clients = []
    for server in options.servers:
        host, port = split(server)
        client = Client(host, port, ssl=options.tls)
        client.tap(partial(show, server))
        for event in ("client_connect_failed", "client_disconnect", "client_stopped"):
            client.on(event, partial(tell, server))
        usual = install_usual(client, Register(options.nick), pacing=pacing)
        usual.reconnect.start_soon()
        clients.append((client, usual.reconnect))
    try:
        await asyncio.Event().wait()  # until interrupted
    finally:
        for client, reconnect in clients:
            reconnect.stop("interrupted")
            await client.disconnect("interrupted")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Print what several IRC servers say.")
    parser.add_argument("servers", nargs="+", metavar="HOST:PORT")
    parser.add_argument("--tls", action="store_true", help="encrypt, and verify the servers' certificates")
    parser.add_argument("--nick", default="listener")
    try:
        asyncio.run(main(parser.parse_args()))
    except KeyboardInterrupt:
        pass
