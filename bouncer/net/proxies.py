"""Whose word is taken for where a client comes from: the proxies that the admin trusts.

Owns the reading of X-Forwarded-For and Forwarded (RFC 7239). Must not open anything.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

LOOPBACK: tuple[Network, ...] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
MAX_HOPS = 32  # looked at, from the nearest: no chain of proxies is that long
_FOR = re.compile(r"""(?:^|;)\s*for\s*=\s*("?)([^";]+)\1\s*(?:;|$)""", re.IGNORECASE)


def address_of(text: str) -> Address | None:
    """An address as programs write it: with brackets, a port, a zone; IPv4 in IPv6 is IPv4. None if it is none."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


@dataclass(frozen=True, slots=True)
class Proxies:
    """The trusted ones."""

    networks: tuple[Network, ...] = LOOPBACK

    def __contains__(self, address: Address) -> bool:
        return any(address in network for network in self.networks)

    def client(self, forwarded_for: Sequence[str], forwarded: Sequence[str]) -> Address | None:
        """Where a client comes from, by the values of X-Forwarded-For (or, if there are none, Forwarded) in a request
        of a trusted proxy: the last address that no trusted proxy has. None if they do not say.

        Anybody may have written what stands before that one.
        """
        hops = ",".join(forwarded_for).split(",") if forwarded_for else _hops(",".join(forwarded))
        found: Address | None = None
        for hop in reversed(hops[-MAX_HOPS:]):
            address = address_of(hop)
            if address is None:
                return found
            found = address
            if address not in self:
                return found
        return found


def _hops(forwarded: str) -> list[str]:
    hops = []
    for element in forwarded.split(","):
        match = _FOR.search(element)
        hops.append(match[2] if match else "")
    return hops if forwarded else []
