"""The operations on certificates: the listeners', and those that are shown to networks.

Owns what may be done with them. Must not know how one is made or read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bouncer.model.errors import Refused
from bouncer.model.records import Network, User
from bouncer.model.spans import span
from bouncer.operations import keys
from bouncer.operations.change import find_network, keep, network_label, with_network
from bouncer.operations.context import Certificate, Context
from bouncer.operations.row import Call, LeftOut, Operation, Result, Takes, Who


async def show(context: Context, call: Call) -> Result:
    certificate = await context.certs.show()
    return Result(_lines(certificate, context.now), shown(certificate))


async def renew(context: Context, call: Call) -> Result:
    certificate = await context.certs.renew()
    first = "a new certificate is made; clients that trust the old one by its fingerprint need the new one"
    return Result((first, *_lines(certificate, context.now)), shown(certificate))


async def generate(context: Context, call: Call) -> Result:
    user, network = find_network(context, call.target)
    changed = replace(network, certificate=keys.make(user.name, context.now))
    await keep(context, [with_network(user, changed)])
    label = network_label(context, user.name, network.name)
    lines = [f"{label} has a new certificate of yours; log in there and type this once, so that it knows it:"]
    if network.certificate:
        lines.insert(0, "the certificate that was there is gone; what the network knows of it can be taken off there")
    how = f"then network update {label} sasl.mechanism=EXTERNAL logs in with it"
    return Result((*lines, *_print_lines(changed), how), _prints(user, changed))


async def fingerprint(context: Context, call: Call) -> Result:
    user, network = find_network(context, call.target)
    label = network_label(context, user.name, network.name)
    if not network.certificate:
        raise Refused(f"{label} has no certificate of yours; cert generate {label} makes one")
    return Result(_print_lines(network), _prints(user, network))


def _prints(user: User, network: Network) -> dict[str, Any]:
    return {"user": user.name, "network": network.name, "fingerprints": keys.fingerprints(network.certificate)}


def _print_lines(network: Network) -> tuple[str, ...]:
    prints = keys.fingerprints(network.certificate)
    return (
        "/msg NickServ CERT ADD  (of the certificate that you are connected with)",
        f"/msg NickServ CERT ADD {prints['SHA-512']}  (or of one of these three, as the network takes it)",
        *(f"{name} {text}" for name, text in prints.items()),
    )


def shown(certificate: Certificate) -> dict[str, Any]:
    """The certificate as data."""
    return {
        "fingerprint": certificate.fingerprint,
        "names": list(certificate.names),
        "not_before": certificate.not_before,
        "not_after": certificate.not_after,
        "self_signed": certificate.self_signed,
        "path": certificate.path,
    }


def with_colons(fingerprint: str) -> str:
    """``abcd…`` as ``AB:CD:…``, as some clients want it."""
    return ":".join(fingerprint[at : at + 2] for at in range(0, len(fingerprint), 2)).upper()


def _lines(certificate: Certificate, now: float) -> tuple[str, ...]:
    left = certificate.not_after - now
    valid = f"valid for {span(left)} more" if left > 0 else f"not valid any more since {span(-left)}"
    kind = "self-signed" if certificate.self_signed else "signed by an authority"
    return (
        f"SHA-256 {certificate.fingerprint}",
        f"SHA-256 {with_colons(certificate.fingerprint)}",
        f"for {', '.join(certificate.names) or 'no name'}, {kind}, {valid} ({certificate.path})",
    )


_RENEW = (
    "Makes a new self-signed certificate, for new connections. One that was not made here (from an authority) is not "
    "touched: replace its file instead."
)

OPERATIONS = (
    Operation(
        "cert show",
        "show the fingerprint of the listener's certificate",
        "Compare it with what your client shows, or have the client trust it. Both lines are the same number.",
        ("cert show",),
        show,
        reads=True,
    ),
    Operation("cert renew", "make a new certificate for the listener", _RENEW, ("cert renew",), renew, Who.ADMIN),
    Operation(
        "cert generate",
        "make a certificate that logs you in to a network",
        "A network's services know you by its fingerprint (CertFP) instead of a password. It and its key are kept with "
        "the network and shown to it at each connect; it holds for 20 years. The network connects anew with it.",
        ("cert generate {network}",),
        generate,
        takes=Takes.NETWORK,
        left_out=LeftOut.OWN,
    ),
    Operation(
        "cert fingerprint",
        "show the fingerprints of the certificate that a network sees",
        "SHA-1, SHA-256 and SHA-512, and the line that tells NickServ.",
        ("cert fingerprint {network}",),
        fingerprint,
        takes=Takes.NETWORK,
        left_out=LeftOut.OWN,
        reads=True,
    ),
)
