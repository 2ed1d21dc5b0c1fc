from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bouncer.irc.message import Message
from bouncer.model.entry import Entry, Kind
from bouncer.model.errors import Refused
from bouncer.model.history import Search
from bouncer.model.ports import Removed
from bouncer.operations.context import Actor
from tests.unit.conftest import NOW

if TYPE_CHECKING:
    from tests.unit.conftest import Bench

ALICE = Actor("alice")
BACK = "network alice/libera is back, with 1 channel and its history"
SERVERS = "servers=irc.libera.chat"


async def test_a_deleted_network_comes_back_as_it_was(stocked: Bench) -> None:
    await stocked.do("network update alice/libera sasl.user=alice sasl.password=hush server_password=hush away=asleep")
    await stocked.do("channel update alice/libera/#python key=k detached=yes")
    before = stocked.network("alice", "libera")
    link = stocked.house.links()[0]
    link.place_device("phone", 1)
    stocked.store.put_marker(before.id, "#python", 7)
    stocked.store.append(before.id, [Entry(1, 1, Message.parse(b":b PRIVMSG #python :word"), Kind.PRIVMSG, "#python")])
    await stocked.do("network delete alice/libera")
    assert stocked.user("alice").networks == ()
    result = await stocked.do("network restore alice/libera")
    assert result.lines == (BACK,)
    assert stocked.network("alice", "libera") == before
    assert stocked.connections.told[-1] == "added libera"
    assert stocked.house.links()[0].positions.get("phone", 0) == 1
    assert await stocked.store.markers(before.id) == {"#python": 7}
    assert len(await stocked.store.search(Search((before.id,), "word", 9))) == 1
    assert (await stocked.do("network deleted")).data == {"networks": []}


async def test_it_comes_back_after_a_restart_too(stocked: Bench) -> None:
    before = stocked.user("alice")
    stocked.house.links()[0].place_device("phone", 1)
    await stocked.do("network delete alice/libera")
    stocked.house = stocked.opened()
    await stocked.do("network restore alice/libera")
    stocked.house = stocked.opened()
    assert stocked.user("alice") == before
    assert stocked.house.links()[0].positions.get("phone", 0) == 1


async def test_no_number_is_given_twice_to_a_network_that_comes_back(stocked: Bench) -> None:
    link = stocked.house.links()[0]
    first = link.log.append(Message.parse(b":b PRIVMSG #python :1"), 1, Kind.PRIVMSG, "#python")
    await stocked.do("network delete alice/libera")
    last = link.log.append(Message.parse(b"ERROR :bye"), 1, Kind.PRIVMSG, "#python")  # while it is left
    await stocked.do("network restore alice/libera")
    again = stocked.house.links()[0].log.append(Message.parse(b":b PRIVMSG #python :2"), 1, Kind.PRIVMSG, "#python")
    assert first.seq < last.seq < again.seq


async def test_deleted_networks_are_listed(stocked: Bench) -> None:
    assert (await stocked.do("network deleted")).lines == ("no network was deleted in the last 30 days",)
    await stocked.do("network create bob/oftc servers=irc.oftc.net")
    number = stocked.network("bob", "oftc").id
    await stocked.do("network delete bob/oftc")
    result = await stocked.do("network deleted bob")
    assert result.lines == (
        f"bob/oftc, 0 channels: deleted 0 s ago, kept for 30 d more (id={number})",
        "network restore bob/oftc brings the one back that was deleted last",
    )
    kept = {"name": "oftc", "user": "bob", "id": number, "deleted": NOW, "kept_until": NOW + 30 * 86400}
    assert result.data == {"networks": [kept]}
    assert (await stocked.do("network deleted")).data == {"networks": [kept]}
    assert (await stocked.do("network deleted", ALICE)).data == {"networks": []}
    assert "another user" in await stocked.refusal("network deleted bob", ALICE)
    assert "another user" in await stocked.refusal("network restore bob/oftc", ALICE)


async def test_users_bring_back_their_own_in_irc(stocked: Bench) -> None:
    assert await stocked.chat("network delete libera") == [
        "network libera is deleted; its settings and history are kept for 30 days, and network restore libera brings "
        "it back"
    ]
    (listed, how) = await stocked.chat("network deleted")
    assert listed.startswith("libera, 1 channel: deleted 0 s ago")
    assert how == "network restore libera brings the one back that was deleted last"
    assert await stocked.chat("network restore libera") == ["network libera is back, with 1 channel and its history"]


async def test_the_newest_of_several_comes_back_or_the_one_of_that_id(stocked: Bench) -> None:
    ids = [stocked.network("alice", "libera").id]
    for _ in range(2):
        await stocked.do("network delete alice/libera")
        await stocked.do(f"network create alice/Libera {SERVERS}")
        ids.append(stocked.network("alice", "libera").id)
    await stocked.do("network delete alice/libera")
    await stocked.do("network restore alice/libera")
    assert stocked.network("alice", "libera").id == ids[2]
    assert await stocked.refusal("network restore alice/libera") == (
        'there is a network "alice/Libera" now; network restore alice/libera as=Libera2 brings the deleted one back '
        "beside it"
    )
    await stocked.do(f"network restore alice/libera as=first id={ids[0]}")
    assert stocked.network("alice", "first").id == ids[0]
    refusal = await stocked.refusal(f"network restore alice/libera as=other id={ids[0]}")
    assert refusal == f'no deleted network "alice/libera" has the id {ids[0]}, but {ids[1]}'


async def test_what_is_in_the_way_is_said(stocked: Bench) -> None:
    assert "network deleted shows which" in await stocked.refusal("network restore alice/oftc")
    await stocked.do("network delete alice/libera")
    assert await stocked.refusal("network restore alice/libra") == (
        'no network "alice/libra" was deleted in the last 30 days; did you mean alice/libera?'
    )
    await stocked.do("user update alice limits.networks=1")
    await stocked.do(f"network create alice/oftc {SERVERS}")
    assert "may have 1 networks and has 1" in await stocked.refusal("network restore alice/libera")
    await stocked.do("user delete alice")
    assert await stocked.refusal("network restore alice/oftc") == (
        "user alice is deleted too; user restore alice brings back the networks that went with it"
    )
    assert "there is no user" in await stocked.refusal("network restore nobody/oftc")
    assert "there is no user" in await stocked.refusal("network deleted nobody")


async def test_a_network_that_was_off_stays_off(stocked: Bench) -> None:
    await stocked.do("network disconnect alice/libera")
    await stocked.do("network delete alice/libera")
    result = await stocked.do("network restore alice/libera as=libera2")
    assert result.lines[0].endswith("; it is off until network connect alice/libera2")


async def test_a_deleted_user_comes_back_with_all_networks(stocked: Bench) -> None:
    before = stocked.user("alice")
    assert (await stocked.do("user delete alice")).lines == (
        "user alice is deleted; settings and history are kept for 30 days, and user restore alice brings them back",
    )
    listed = await stocked.do("user deleted")
    assert listed.lines[0] == f"alice, 1 network: deleted 0 s ago, kept for 30 d more (id={before.id})"
    result = await stocked.do("user restore alice")
    assert result.lines == ("user alice is back, with 1 network and their history",)
    assert stocked.user("alice") == before
    assert (await stocked.do("user deleted")).lines == ("no user was deleted in the last 30 days",)
    assert "admins only" in await stocked.refusal("user deleted", ALICE)
    assert "admins only" in await stocked.refusal("user restore alice", ALICE)


async def test_a_user_whose_name_is_taken_comes_back_under_another(stocked: Bench) -> None:
    await stocked.do("user delete alice")
    await stocked.do("user create Alice password=unguessable-enough")
    assert await stocked.refusal("user restore alice") == (
        'there is a user "alice" now; user restore alice as=alice2 brings the deleted one back beside it'
    )
    await stocked.do("user restore alice as=alice2")
    assert [network.name for network in stocked.user("alice2").networks] == ["libera"]
    assert "user deleted shows" in await stocked.refusal("user restore nobody")


async def test_a_user_who_is_brought_back_twice_at_once_is_one(stocked: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await stocked.do("user delete alice")
    both, removed = asyncio.Barrier(2), stocked.store.removed

    async def read_by_both() -> Removed:
        found = await removed()
        await both.wait()
        return found

    monkeypatch.setattr(stocked.store, "removed", read_by_both)
    done = await asyncio.gather(
        *(stocked.do(words) for words in ("user restore alice", "user restore alice as=alice2")), return_exceptions=True
    )
    back = [each.data["name"] for each in done if not isinstance(each, BaseException)]
    assert [type(each) for each in done if isinstance(each, BaseException)] == [Refused]
    assert [user.name for user in stocked.house.users() if user.name.startswith("alice")] == back


async def test_after_thirty_days_nothing_comes_back(stocked: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await stocked.do("network delete alice/libera")
    context = stocked.context()
    monkeypatch.setattr(stocked, "context", lambda actor: replace(context, now=NOW + 30 * 86400))
    assert (await stocked.do("network deleted")).data == {"networks": []}
    assert "was deleted in the last 30 days" in await stocked.refusal("network restore alice/libera")
