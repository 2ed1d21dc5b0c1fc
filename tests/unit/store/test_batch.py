from __future__ import annotations

from dataclasses import replace

from bouncer.irc.message import Message
from bouncer.model.entry import Entry, Kind
from bouncer.model.history import Expiry
from bouncer.model.records import Network, User
from bouncer.store.batch import Batch

ALICE = User(id=1, name="alice")


def entry(seq: int, raw: bytes = b"PING") -> Entry:
    return Entry(seq, 0, Message.parse(raw), Kind.PRIVMSG)


def with_networks(*ids: int) -> User:
    return replace(ALICE, networks=tuple(Network(id=number, name=str(number)) for number in ids))


def test_lines_gather_by_network_in_order() -> None:
    batch = Batch()
    assert batch.empty
    batch.add_lines(1, [entry(1), entry(2)])
    batch.add_lines(2, [entry(5)])
    batch.add_lines(1, [entry(3)])
    assert [line.seq for line in batch.lines[1]] == [1, 2, 3]
    assert batch.rows == 4
    assert batch.highest == {1: 3, 2: 5}
    assert not batch.empty


def test_size_counts_text() -> None:
    batch = Batch()
    batch.add_lines(1, [entry(1, b"12345")])
    assert batch.size == 5
    batch.add_lines(1, [entry(2, b"123")])
    assert batch.size == 8
    assert batch.drop_lines() == 2
    assert batch.size == 0


def test_a_later_position_takes_the_place_of_an_earlier_one() -> None:
    batch = Batch()
    batch.add_position(1, "phone", 5)
    batch.add_position(1, "phone", None)
    batch.add_position(1, "desk", 7)
    assert batch.positions == {(1, "phone"): None, (1, "desk"): 7}


def test_a_user_saved_often_is_written_once() -> None:
    batch = Batch()
    for number in range(1000):
        batch.add_users([replace(with_networks(1), realname=str(number))], [])
    assert batch.users == {1: [replace(with_networks(1), realname="999")]}


def test_a_version_is_kept_if_it_alone_knows_a_network() -> None:
    batch = Batch()
    batch.add_users([with_networks(1)], [])
    batch.add_users([with_networks(1, 2)], [])
    batch.add_users([with_networks(2)], [])
    batch.add_users([], [1])
    batch.add_users([], [1])
    assert batch.users == {1: [with_networks(1, 2), with_networks(2), None]}


def test_what_an_older_batch_has_left_comes_first() -> None:
    older, newer = Batch(), Batch()
    older.add_users([with_networks(1)], [])
    older.add_position(1, "phone", 1)
    older.add_position(1, "desk", 2)
    newer.add_users([with_networks(2)], [])
    newer.add_position(1, "phone", 3)
    newer.follow(older)
    assert newer.users == {1: [with_networks(1), with_networks(2)]}
    assert newer.positions == {(1, "phone"): 3, (1, "desk"): 2}


def test_markers_and_deletions_survive_a_batch_that_failed() -> None:
    older, newer = Batch(), Batch()
    older.add_marker(1, "#a", 5)
    older.add_marker(1, "#a", 4)
    older.add_marker(1, "#b", 1)
    older.add_expiry(Expiry(1))
    newer.add_marker(1, "#a", 3)
    newer.add_marker(1, "#b", 2)
    newer.add_expiry(Expiry(1))
    newer.add_expiry(Expiry(2))
    assert not older.empty
    newer.follow(older)
    assert newer.markers == {(1, "#a"): 5, (1, "#b"): 2}
    assert list(newer.expiries) == [Expiry(1), Expiry(2)]
