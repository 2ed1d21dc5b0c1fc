"""The operations on the listeners' certificate.

Owns what may be done with it. Must not know how one is made or read.
"""

from __future__ import annotations

from typing import Any

from bouncer.operations.context import Certificate, Context
from bouncer.operations.overview import span
from bouncer.operations.row import Call, Operation, Result, Who


async def show(context: Context, call: Call) -> Result:
    certificate = await context.certs.show()
    return Result(_lines(certificate, context.now), shown(certificate))


async def renew(context: Context, call: Call) -> Result:
    certificate = await context.certs.renew()
    first = "a new certificate is made; clients that trust the old one by its fingerprint need the new one"
    return Result((first, *_lines(certificate, context.now)), shown(certificate))


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
    Operation("cert generate", "the same as cert renew", _RENEW, ("cert generate",), renew, Who.ADMIN),
)
