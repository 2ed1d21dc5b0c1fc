"""What every implementation of Records promises."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from bouncer.irc.message import Message
from bouncer.model.entry import Entry, Kind
from bouncer.model.history import Search
from bouncer.model.ports import Removed
from bouncer.model.records import (
    Channel,
    ClientCertificate,
    Endpoint,
    Flood,
    Limits,
    Network,
    SaslLogin,
    Token,
    User,
)

FULL_NETWORK = Network(
    id=7,
    name="Libera",
    servers=(Endpoint("irc.example.org", 6697), Endpoint("::1", 6667, tls=False)),
    enabled=False,
    nick="alice_",
    alternative_nicks=("alice__", "älice"),
    ident="al",
    realname="Alice A.",
    server_password="server secret",
    sasl=SaslLogin("alice", "sasl secret", "SCRAM-SHA-256", required=True),
    tls_fingerprint="ab" * 32,
    connect_commands=("PRIVMSG NickServ :IDENTIFY command secret",),
    certificate="certificate secret",
    bind="192.0.2.1",
    proxy="socks5://user:proxy secret@192.0.2.2:1080",
    encoding="cp1251",
    regain="services",
    away="asleep",
    away_text="back at six",
    quit_message="bye",
    ignore=("troll!*@*",),
    unlogged=("#private", "bob"),
    keep=3600.0,
    keep_size=5 * 10**8,
    flood=Flood(0, 0.5),
    channels=(
        Channel("#z", "channel secret", detached=True),
        Channel("#A", relay="message", reattach="highlight", detach_on="none", detach_after=3600.0, sticky=True),
        Channel("#caf\udce9", keep=3600.0, keep_size=10**5),
    ),
)
FULL_USER = User(
    id=3,
    name="Alice",
    password_hash="$argon2id$secret",
    scram="SCRAM-SHA-256$secret",
    tokens=(Token("1a2b", "phone", "token secret", 1_790_000_000), Token("3c4d", "web", "another secret")),
    certificates=(ClientCertificate("laptop", "cd" * 32),),
    admin=True,
    enabled=False,
    nick="alice",
    realname="A",
    timezone="Europe/Berlin",
    first_helping=5,
    limits=Limits(networks=3, devices=4, keep=7200.0, keep_size=10**6),
    keep=86_400.0,
    keep_size=10**9,
    highlights=("coffee", "rel*"),
    ignore=("*!*@spam.example",),
    networks=(FULL_NETWORK, Network(id=4, name="second")),
)


async def test_a_new_store_is_empty(place: Any) -> None:
    assert place.snapshot.users == ()
    assert place.snapshot.heads == {}
    assert (place.snapshot.next_user_id, place.snapshot.next_network_id) == (1, 1)


async def test_each_load_is_a_boot_of_its_own(place: Any) -> None:
    first = place.snapshot.boot
    assert (await place.restart()).boot == first + 1
    assert (await place.restart()).boot == first + 2


async def test_every_setting_comes_back_as_it_was_put(place: Any) -> None:
    place.store.put_users([FULL_USER, User(id=1, name="bob")])
    assert (await place.restart()).users == (User(id=1, name="bob"), FULL_USER)


async def test_the_last_put_counts(place: Any) -> None:
    place.store.put_users([FULL_USER])
    plain = User(id=3, name="Alice", networks=(Network(id=4, name="renamed"), Network(id=9, name="new")))
    place.store.put_users([plain])
    assert (await place.restart()).users == (plain,)
    swapped = replace(plain, networks=plain.networks[::-1])
    place.store.put_users([swapped])
    assert (await place.restart()).users == (swapped,)


async def test_removed_is_gone(place: Any) -> None:
    bob = User(id=5, name="bob")
    place.store.put_users([FULL_USER, bob])
    place.store.put_users([], [3])
    assert (await place.restart()).users == (bob,)


async def test_one_put_may_save_and_remove(place: Any) -> None:
    place.store.put_users([User(id=1, name="alice")])
    place.store.put_users([User(id=2, name="alice")], [1])
    assert (await place.restart()).users == (User(id=2, name="alice"),)


async def test_removing_who_is_not_there_harms_nobody(place: Any) -> None:
    place.store.put_users([FULL_USER], [99])
    assert (await place.restart()).users == (FULL_USER,)


async def test_ids_are_never_given_again(place: Any) -> None:
    place.store.put_users([FULL_USER])
    place.store.put_users([], [3])
    snapshot = await place.restart()
    assert (snapshot.next_user_id, snapshot.next_network_id) == (4, 8)
    assert (await place.restart()).next_network_id == 8


async def test_ids_of_a_network_that_was_there_for_a_moment_are_never_given_again(place: Any) -> None:
    user = User(id=1, name="a")
    place.store.put_users([replace(user, networks=(Network(id=12, name="brief"),))])
    place.store.put_users([user])  # most likely in one batch with the one before
    snapshot = await place.restart()
    assert snapshot.users == (user,)
    assert snapshot.next_network_id == 13


async def test_what_was_removed_can_be_put_again(place: Any) -> None:
    place.store.put_users([FULL_USER])
    place.store.put_users([replace(FULL_USER, networks=())])
    await place.restart()
    place.store.put_users([FULL_USER])
    assert (await place.restart()).users == (FULL_USER,)


async def test_what_was_removed_can_be_asked_for(place: Any) -> None:
    bob = User(id=5, name="bob", networks=(Network(id=20, name="one"), Network(id=21, name="two")))
    place.store.put_users([FULL_USER, bob])
    assert await place.store.removed() == Removed()
    place.store.put_users([replace(bob, networks=bob.networks[:1])])
    place.store.put_users([], [3])
    for removed in (await place.store.removed(), (await place.restart(), await place.store.removed())[1]):
        ((user, at),) = removed.users
        assert user == FULL_USER
        assert abs(at - time.time()) < 60
        ((owner, network, gone),) = removed.networks
        assert (owner, network) == (5, Network(id=21, name="two"))
        assert abs(gone - time.time()) < 60


async def test_what_is_put_again_is_removed_no_more(place: Any) -> None:
    place.store.put_users([FULL_USER])
    place.store.put_users([], [3])
    place.store.put_users([FULL_USER])
    assert await place.store.removed() == Removed()
    place.store.put_users([], [3])
    place.store.put_users([replace(FULL_USER, networks=FULL_USER.networks[:1])])
    removed = await place.store.removed()
    assert removed.users == ()
    assert [network for _, network, _ in removed.networks] == [FULL_USER.networks[1]]


async def test_a_network_that_is_put_again_has_its_history_positions_and_markers(place: Any) -> None:
    place.store.put_users([FULL_USER])
    place.store.append(7, [Entry(1, 1, Message.parse(b":b PRIVMSG #a :word"), Kind.PRIVMSG, "#a")])
    place.store.put_position(7, "phone", 1)
    place.store.put_marker(7, "#a", 1)
    place.store.put_users([replace(FULL_USER, networks=())])
    await place.restart()
    place.store.put_users([FULL_USER])
    assert (await place.restart()).heads[7].positions == {"phone": 1}
    assert await place.store.markers(7) == {"#a": 1}
    assert [hit.line.seq for hit in await place.store.search(Search((7,), "word", 9))] == [1]


async def test_settled_with_nothing_put_returns(place: Any) -> None:
    await place.store.settled()
    assert place.store.undurable == 0
