from __future__ import annotations

import pytest

from bouncer.net.limits import CROWDS, Full, Limits, Lobby, Pace, Place, crowd_of, site_of


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


def place(lobby: Lobby, crowd: str, now: float = 0.0) -> Place:
    found = lobby.enter(crowd, now)
    assert isinstance(found, Place)
    return found


def test_one_crowd_has_so_many_places() -> None:
    lobby = Lobby(Limits(unregistered_per_address=2, unregistered=10))
    first = place(lobby, "a")
    place(lobby, "a")
    assert lobby.enter("a", 0.0) is Full.CROWD
    place(lobby, "b")
    first.leave()
    first.leave()
    assert len(lobby) == 2
    place(lobby, "a")
    assert lobby.enter("a", 0.0) is Full.CROWD


def test_those_without_a_crowd_share_no_address_but_the_room() -> None:
    lobby = Lobby(Limits(unregistered_per_address=1, unregistered=3, connects_at_once=1))
    for _ in range(3):
        place(lobby, "")
    assert lobby.enter("", 0.0) is Full.ALL
    assert lobby.enter("192.0.2.1", 0.0) is Full.ALL


def test_crowds_that_left_are_forgotten() -> None:
    lobby = Lobby(Limits())
    for number in range(100):
        place(lobby, str(number)).leave()
    assert len(lobby) == 0
    assert not lobby._crowds


def test_a_place_moves_to_the_crowd_that_a_proxy_tells() -> None:
    lobby = Lobby(Limits(unregistered_per_address=1))
    first, second = place(lobby, ""), place(lobby, "")
    assert first.move("a", 0.0) is None
    assert first.move("a", 0.0) is None
    assert second.move("a", 0.0) is Full.CROWD
    first.leave()
    assert second.move("a", 0.0) is None
    second.leave()
    assert second.move("b", 0.0) is None  # too late to matter
    assert len(lobby) == 0
    assert not lobby._crowds


def test_connections_of_one_crowd_come_at_a_pace_whether_they_stay_or_not() -> None:
    lobby = Lobby(Limits(connects_at_once=3, connects_per_second=2))
    for _ in range(3):
        place(lobby, "a").leave()
    assert lobby.enter("a", 0.0) is Full.PACE
    assert lobby.enter("a", 0.4) is Full.PACE
    place(lobby, "b", 0.4)
    place(lobby, "a", 0.5)
    assert lobby.enter("a", 0.5) is Full.PACE
    for _ in range(3):
        place(lobby, "a", 100.0)
    assert lobby.enter("a", 100.0) is Full.PACE


def test_crowds_are_remembered_no_longer_than_needed_and_not_without_end() -> None:
    pace = Pace(2, 1)
    for number in range(CROWDS + 500):
        assert pace.take(str(number), 0.0)
    assert len(pace) == CROWDS
    for number in range(CROWDS):
        assert pace.take("a", 10.0 + 2 * number)
    assert len(pace) == 1


def test_who_has_a_whole_site_of_addresses_does_not_fill_the_room() -> None:
    lobby = Lobby(Limits(unregistered_per_address=2, unregistered_per_site=3, unregistered=10))
    inside = [place(lobby, crowd_of(f"2001:db8:1:{number:x}::1")) for number in range(3)]
    assert lobby.enter(crowd_of("2001:db8:1:ffff::1"), 0.0) is Full.CROWD
    place(lobby, crowd_of("2001:db8:2::1")).leave()
    for number in range(4):
        place(lobby, f"192.0.2.{number}").leave()
    moved = place(lobby, "")
    assert moved.move(crowd_of("2001:db8:1:ffff::1"), 0.0) is Full.CROWD
    inside.pop().leave()
    assert moved.move(crowd_of("2001:db8:1:ffff::1"), 0.0) is None
    for each in (*inside, moved):
        each.leave()
    assert not lobby._crowds


@pytest.mark.parametrize(
    ("crowd", "site"),
    [
        ("2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("192.0.2.1", "192.0.2.1"),
        ("unix", "unix"),
        ("", ""),
        ("what:ever", "what:ever"),
    ],
)
def test_the_site_of_a_crowd(crowd: str, site: str) -> None:
    assert site_of(crowd) == site
