"""A bot that says again what it is told: ``!echo text`` in its channel, or any text in private.

    python examples/echo_bot.py irc.example.org 6697 --tls --nick parrot --channel '#parrots'

It registers, answers the server's PING, keeps a decent pace, and comes back when the connection is lost.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from bouncer.client import Client, Register, install_usual, tls_context
from bouncer.irc.fit import fit_text

REPLY_LIMIT = 400  # bytes of text: a line has 512, of which our own name, as others see it, takes some


async def main(options: argparse.Namespace) -> int:
    client = Client(options.host, options.port, ssl=options.tls)
    if options.no_verify:
        client.ssl = tls_context(verify=False)
    client.tls_fingerprint = options.fingerprint
    usual = install_usual(client, Register(options.nick, realname="echo bot of bouncer.client"))

    @client.on("registered")
    def join(nick: str) -> None:
        print(f"registered as {nick}", flush=True)
        if options.channel:
            client.send("join", channel=options.channel)

    @client.on("privmsg")
    def echo(nick: str, target: str, message: str) -> None:
        if not nick:
            return  # a server is no company
        in_channel = target[:1] in ("#", "&", "+", "!")
        if in_channel:
            command, _, message = message.partition(" ")
            if command != "!echo":
                return
        if message:
            for piece in fit_text(message, REPLY_LIMIT):
                client.send("privmsg", target=target if in_channel else nick, message=piece)

    @client.on("client_connect_failed")
    @client.on("client_disconnect")
    def tell(reason: str) -> None:
        print(reason, file=sys.stderr, flush=True)

    async def leave() -> None:
        usual.reconnect.stop("asked to stop")
        if client.is_connected:
            client.send("quit", message="bye")
        await client.disconnect()

    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        client.loop.add_signal_handler(number, stopped.set)
    client.on("client_stopped", stopped.set)
    usual.reconnect.start_soon()
    await stopped.wait()
    await leave()
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="An IRC bot that says again what it is told.")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--tls", action="store_true", help="encrypt, and verify the server's certificate")
    parser.add_argument("--fingerprint", help="SHA-256 of the server's certificate, instead of verifying it")
    parser.add_argument("--no-verify", action="store_true", help="encrypt, but take any certificate")
    parser.add_argument("--nick", default="parrot")
    parser.add_argument("--channel", help="the channel to join")
    parser.add_argument("--uvloop", action="store_true", help="run on uvloop instead of asyncio's own loop")
    arguments = parser.parse_args()
    if arguments.no_verify or arguments.fingerprint:
        arguments.tls = True
    if arguments.uvloop:
        import uvloop

        sys.exit(uvloop.run(main(arguments)))
    sys.exit(asyncio.run(main(arguments)))
