"""What the first start prints: the admin's password, the certificate's fingerprint, and what to type in a client.

Owns these words; docs/clients explains the same lines. Must not know how the account or the certificate was made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bouncer.net.address import ListenAddress, parse_listen
from bouncer.operations.certs import with_colons

_EVERYWHERE = ("::", "0.0.0.0", "")


def started(listeners: Sequence[str], fingerprint: str) -> list[str]:
    """The lines to print at every other start."""
    lines = [f"Listening on {', '.join(listeners) or 'nothing'}."]
    if any(parse_listen(each).secure for each in listeners):
        lines.append(f"Certificate's SHA-256 fingerprint: {fingerprint}")
    return lines


def first_start(name: str, password: str, listeners: Sequence[str], fingerprint: str) -> list[str]:
    """The lines to print at the first start. ``fingerprint`` is the SHA-256 of the certificate in hexadecimal.

    ``listeners`` are those that are open, with their real ports, as ``ircs://host:port``. What is shown is for the
    first one that most clients can use: IRC with TLS, else IRC in plain text, else a WebSocket, else a unix socket.
    """
    addresses = [parse_listen(each) for each in listeners]
    account = [
        f"An admin was made. Name: {name}  password: {password}",
        f"The password is shown this once; keep it. `bouncer user password {name}` sets another one.",
        "",
    ]
    tcp = sorted((each for each in addresses if not each.path), key=lambda each: (each.websocket, not each.secure))
    if not tcp:
        return [*account, *_unix(name, addresses), *_next(name)]
    listener = tcp[0]
    everywhere = listener.host in _EVERYWHERE
    host = "127.0.0.1" if everywhere else listener.host
    lines = [*account]
    if listener.secure:
        lines += [f"Certificate's SHA-256 fingerprint: {fingerprint}", ""]
    if listener.websocket:
        lines += _websocket(name, listener, host)
    else:
        lines += ["In WeeChat type:", *_weechat(name, password, fingerprint, listener, host), ""]
        lines += ["In irssi type:", *_irssi(name, password, fingerprint, listener, host), ""]
        security = "with TLS" if listener.secure else "without TLS"
        lines.append(
            f"In any other client: server {host}, port {listener.port}, {security}, user name {name}, that password."
        )
    if everywhere:
        lines.append("From another machine write this machine's name or address for 127.0.0.1.")
    return [*lines, *_next(name)]


def _next(name: str) -> list[str]:
    return [
        "Then add a network: /msg *bouncer network create libera servers=ircs://irc.libera.chat:6697",
        f"and log in as {name}/libera from then on.",
    ]


def _unix(name: str, addresses: Sequence[ListenAddress]) -> list[str]:
    """Few clients can be told of a socket file: what else can is said too."""
    where = " or ".join(each.path for each in addresses)
    return [
        f"In a client that can use a socket file: {where}, without TLS, user name {name}, that password.",
        'Others need an address of TCP, as in listen = ["ircs://[::]:6697"] in bouncer.toml.',
    ]


def _websocket(name: str, listener: ListenAddress, host: str) -> list[str]:
    address = str(replace(listener, host=host)).replace("ws+insecure://", "ws://", 1)
    lines = [f"In a client for browsers, as in gamja: server {address}, user name {name}, that password."]
    if listener.secure:
        lines.append("A browser refuses a self-signed certificate: name one that it trusts under [tls].")
    else:
        lines.append("It is plain text: let a reverse proxy with TLS stand before it, and use its wss:// address.")
    return [*lines, 'Others need an address of their own, as in listen = ["ircs://[::]:6697"] in bouncer.toml.']


def _weechat(name: str, password: str, fingerprint: str, listener: ListenAddress, host: str) -> list[str]:
    # WeeChat 4 has renamed ssl to tls; each version leaves alone what it does not know
    tls = (
        f"-tls -tls_fingerprint={fingerprint} -ssl -ssl_fingerprint={fingerprint}"
        if listener.secure
        else "-notls -nossl"
    )
    return [
        f"  /server add bouncer {host}/{listener.port} {tls} -nicks={name}",
        "  /set irc.server.bouncer.sasl_mechanism plain",
        f"  /set irc.server.bouncer.sasl_username {name}@weechat",
        f"  /set irc.server.bouncer.sasl_password {password}",
        "  /connect bouncer",
    ]


def _irssi(name: str, password: str, fingerprint: str, listener: ListenAddress, host: str) -> list[str]:
    tls = f"-tls -notls_verify -tls_pinned_cert {with_colons(fingerprint)}" if listener.secure else "-notls"
    return [
        "  /network add bouncer",
        f"  /server add -network bouncer {tls} {host} {listener.port} {name}@irssi:{password}",
        "  /set show_server_time on",
        "  /connect bouncer",
    ]
