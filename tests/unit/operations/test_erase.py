from __future__ import annotations

from typing import TYPE_CHECKING

from bouncer.irc.message import Message
from bouncer.model.entry import Kind
from bouncer.model.ports import Page
from bouncer.operations.context import Actor, Facts
from tests.unit.conftest import NOW

if TYPE_CHECKING:
    from tests.unit.conftest import Bench

ALICE = Actor("alice")
DAY = 86_400


def say(bench: Bench, *lines: tuple[str, float]) -> int:
    """Lines of libera, each with its conversation and how many days ago it was said. Returns the network's id."""
    (link,) = bench.house.links()
    entries = [
        link.log.append(
            Message.parse(f":b PRIVMSG {target} :word".encode()), int((NOW - ago * DAY) * 1000), Kind.PRIVMSG, target
        )
        for target, ago in lines
    ]
    bench.store.append(link.network.id, entries)
    return link.network.id


async def left(bench: Bench, network: int) -> list[int]:
    return [line.seq for line in await bench.store.page(Page(network, 0, 10**9, 99))]


async def test_nothing_goes_that_is_not_confirmed(stocked: Bench) -> None:
    network = say(stocked, ("#python", 1))
    assert await stocked.refusal("history delete alice/libera") == (
        "this would delete the history of alice/libera, and nothing brings it back; with confirm=yes it does"
    )
    refusal = await stocked.refusal("history delete libera in=#python before=2023-11-01 confirm=no", ALICE)
    assert refusal.startswith("this would delete all that was said in libera/#python before 2023-11-01 00:00, and")
    assert await left(stocked, network) == [1]


async def test_a_networks_history_is_deleted(stocked: Bench) -> None:
    network = say(stocked, ("#python", 2), ("bob", 1))
    result = await stocked.do("history delete libera confirm=yes", ALICE)
    assert result.lines[0].startswith("the history of libera is being deleted")
    await stocked.store.expired()
    assert await left(stocked, network) == []
    say(stocked, ("#python", 0))
    assert await left(stocked, network) == [3]


async def test_a_conversations_history_is_deleted_before_a_time(stocked: Bench) -> None:
    network = say(stocked, ("#python", 40), ("#python", 1), ("bob", 40))
    await stocked.do("history delete alice/libera in=#PYTHON before=2023-11-01 confirm=yes")
    await stocked.store.expired()
    assert await left(stocked, network) == [2, 3]
    await stocked.do("history delete alice/libera in=bob confirm=yes")
    await stocked.store.expired()
    assert await left(stocked, network) == [2]


async def test_without_a_bouncer_it_is_done_when_it_is_said(stocked: Bench) -> None:
    network = say(stocked, ("#python", 1))
    stocked.known = Facts("1.0")
    result = await stocked.do("history delete alice/libera confirm=yes")
    assert result.lines == ("the history of alice/libera is deleted",)
    assert await left(stocked, network) == []


async def test_the_history_of_what_was_deleted_goes_too(stocked: Bench) -> None:
    network = say(stocked, ("#python", 1))
    await stocked.do("network delete alice/libera")
    await stocked.do("history delete alice/Libera confirm=yes")
    await stocked.store.expired()
    assert await left(stocked, network) == []
    await stocked.do("network restore alice/libera")
    say(stocked, ("#python", 1))
    await stocked.do("user delete alice")
    await stocked.do("history delete alice/libera confirm=yes")
    await stocked.store.expired()
    assert await left(stocked, network) == []


async def test_who_has_the_name_of_a_deleted_user_deletes_nothing_of_theirs(stocked: Bench) -> None:
    network = say(stocked, ("#python", 1))
    await stocked.do("user delete alice")
    await stocked.do("user create alice password=unguessable-enough")
    assert "no network" in await stocked.refusal("history delete libera confirm=yes", ALICE)
    assert "no network" in await stocked.refusal("history delete alice/libera confirm=yes")
    await stocked.store.expired()
    assert await left(stocked, network) == [1]


async def test_what_is_not_understood_is_refused(stocked: Bench) -> None:
    assert "needs to know which" in await stocked.refusal("history delete confirm=yes", Actor("alice", False, "libera"))
    assert "another user" in await stocked.refusal("history delete alice/libera confirm=yes", Actor("bob"))
    assert "did you mean alice/libera?" in await stocked.refusal("history delete alice/libra confirm=yes")
    assert "is not a date" in await stocked.refusal("history delete alice/libera before=yesterday confirm=yes")
    assert "before 1970" in await stocked.refusal("history delete alice/libera before=0001-01-01 confirm=yes")
    assert "there is no user" in await stocked.refusal("history delete carol/libera confirm=yes")
