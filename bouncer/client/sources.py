"""Which of a machine's addresses a user connects from, so that networks can tell many users of one machine apart.

Owns the way from a range and a user's number to an address. Must not know whether the machine has it.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Network

AddressRange = IPv4Network | IPv6Network


def source_addresses(ranges: Collection[AddressRange], number: int) -> tuple[str, ...]:
    """The address of user ``number`` (from 1) in each family that has a range; users beyond the last address share.

    Ranges of one family count as one after the other. Left out are the first and last address of an IPv4 subnet (its
    network and broadcast address; RFC 3021 has none in a /31), and the first of an IPv6 one (RFC 4291 section 2.6.1:
    every router's).
    """
    found: list[str] = []
    for family in (4, 6):
        spans = [(each, *_usable(each)) for each in ranges if each.version == family]
        total = sum(count for _, _, count in spans)
        place = (number - 1) % total if total else 0
        for subnet, first, count in spans:
            if place < count:
                found.append(str(subnet.network_address + first + place))
                break
            place -= count
    return tuple(found)


def _usable(subnet: AddressRange) -> tuple[int, int]:
    """The first address that may be taken, counted from the subnet's own, and how many there are."""
    size = subnet.num_addresses
    if size <= 2:
        return 0, size
    return (1, size - 2) if subnet.version == 4 else (1, size - 1)
