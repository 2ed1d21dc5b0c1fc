from __future__ import annotations

import pytest

from bouncer.net.limits import Limits, Lobby, crowd_of


@pytest.mark.parametrize(
    ("address", "crowd"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix", "unix"),
    ],
)
def test_whom_an_address_counts_for(address: str, crowd: str) -> None:
    assert crowd_of(address) == crowd


def test_one_address_has_so_many_places() -> None:
    lobby = Lobby(Limits(unregistered_per_address=2, unregistered=10))
    first = lobby.enter("2001:db8::1", False)
    assert first is not None
    assert lobby.enter("2001:db8::2", False) is not None
    assert lobby.enter("2001:db8::3", False) is None
    assert lobby.enter("2001:db8:0:1::3", False) is not None
    first.leave()
    first.leave()
    assert len(lobby) == 2
    assert lobby.enter("2001:db8::3", False) is not None
    assert lobby.enter("2001:db8::4", False) is None


def test_local_ones_share_no_address_but_the_room() -> None:
    lobby = Lobby(Limits(unregistered_per_address=1, unregistered=3))
    places = [lobby.enter("127.0.0.1", True) for _ in range(3)]
    assert None not in places
    assert lobby.enter("127.0.0.1", True) is None
    assert lobby.enter("192.0.2.1", False) is None


def test_addresses_that_left_are_forgotten() -> None:
    lobby = Lobby(Limits())
    for number in range(100):
        place = lobby.enter(f"192.0.2.{number}", False)
        assert place is not None
        place.leave()
    assert len(lobby) == 0
    assert not lobby._crowds
