"""Which address a user connects from."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.client.sources import source_addresses


@pytest.mark.parametrize(
    ("ranges", "number", "addresses"),
    [
        ([], 1, ()),
        (["192.0.2.0/24"], 1, ("192.0.2.1",)),
        (["192.0.2.0/24"], 254, ("192.0.2.254",)),
        (["192.0.2.0/24"], 255, ("192.0.2.1",)),
        (["192.0.2.4/31"], 2, ("192.0.2.5",)),
        (["192.0.2.7"], 12, ("192.0.2.7",)),
        (["2001:db8::/64"], 1, ("2001:db8::1",)),
        (["2001:db8::/64", "192.0.2.0/30"], 2, ("192.0.2.2", "2001:db8::2")),
        (["192.0.2.0/30", "198.51.100.0/30"], 3, ("198.51.100.1",)),
        (["192.0.2.0/30", "198.51.100.0/30"], 5, ("192.0.2.1",)),
    ],
)
def test_addresses(ranges: list[str], number: int, addresses: tuple[str, ...]) -> None:
    assert source_addresses([ip_network(each) for each in ranges], number) == addresses


@given(st.integers(1, 2**31), st.integers(0, 30), st.integers(0, 2**32 - 1))
def test_neither_a_network_s_address_nor_its_broadcast(number: int, length: int, address: int) -> None:
    subnet = IPv4Network((address, length), strict=False)
    (found,) = source_addresses([subnet], number)
    assert found not in (str(subnet.network_address), str(subnet.broadcast_address))
    assert IPv4Network(found).subnet_of(subnet)


def test_users_of_a_large_range_never_share() -> None:
    subnet = IPv6Network("2001:db8::/96")
    assert len({source_addresses([subnet], number) for number in range(1, 2000)}) == 1999
