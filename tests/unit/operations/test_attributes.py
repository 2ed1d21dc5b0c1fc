"""Names, and who gets one that two want: the rules of the operations hold however a network is asked for."""

from __future__ import annotations

import asyncio

import pytest

from bouncer.model.errors import Refused
from bouncer.operations import attributes
from bouncer.operations.attributes import NoSuchNetwork, name_from
from bouncer.operations.names import NAME_LIMIT, account_name
from tests.unit.conftest import Bench


@pytest.mark.parametrize(
    "text",
    ["Libera Chat", "a/b", "a@b", "a\r\nQUIT", "a\0b", "x" * 300, "é", "  padded  ", "--a--", "irc.example", "\udcffa"],
)
def test_what_a_name_is_made_of_can_be_any_text(text: str) -> None:
    name = name_from(text)
    assert account_name(name) == name
    assert len(name) <= NAME_LIMIT
    assert name_from(name) == name


@pytest.mark.parametrize("text", ["", " ", "///", "ネット", "\r\n\0"])
def test_of_some_texts_no_name_can_be_made(text: str) -> None:
    assert name_from(text) == ""


@pytest.mark.parametrize("name", ["a b", "a/b", "a@b", "a\rb", "a\nb", "a\0b", "x" * 300, "", "ü"])
async def test_a_command_is_told_what_a_name_may_be(bench: Bench, name: str) -> None:
    await bench.do("user create alice password=long-enough-to-do")
    made = [user.name for user in bench.house.users()]
    with pytest.raises(Refused):
        await bench.do(f'user create "{name}" password=long-enough-to-do')
    with pytest.raises(Refused):
        await bench.do(f'network create "alice/{name}" servers=irc.example')
    with pytest.raises(Refused):
        await bench.do(f'user update alice name="{name}"')
    assert [user.name for user in bench.house.users()] == made
    assert bench.house.users()[0].networks == ()


@pytest.mark.parametrize(
    "commands",
    [
        ("user create alice password=long-enough-to-do", "user create ALICE password=long-enough-to-do"),
        ("user update one name=alice", "user update two name=Alice"),
        ("network create one/new servers=a.example", "network create one/New servers=b.example"),
    ],
)
async def test_of_two_who_want_one_name_one_gets_it(bench: Bench, commands: tuple[str, str]) -> None:
    for name in ("one", "two"):
        await bench.do(f"user create {name} password=long-enough-to-do")
    outcomes = await asyncio.gather(*map(bench.do, commands), return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    assert len(refused) == 1
    assert "already" in str(refused[0])
    names = [user.name.casefold() for user in bench.opened().users()]
    assert len(names) == len(set(names))


async def test_a_limit_of_networks_holds_for_commands(bench: Bench) -> None:
    await bench.do("user create alice password=long-enough-to-do limits.networks=1")
    await bench.do("network create alice/one servers=irc.example")
    refusal = await bench.refusal("network create alice/two servers=irc.example")
    assert refusal == (
        "alice may have 1 networks and has 1; delete one, or let an admin raise it: user update alice limits.networks=2"
    )
    await bench.do("user update alice limits.networks=2")
    await bench.do("network create alice/two servers=irc.example")


async def test_an_id_of_somebody_elses_network_is_none(bench: Bench) -> None:
    await bench.do("user create alice password=long-enough-to-do")
    await bench.do("user create bob password=long-enough-to-do")
    netid = await attributes.add(bench.context(), "alice", {"host": "irc.example"})
    with pytest.raises(NoSuchNetwork):
        await attributes.delete(bench.context(), "bob", netid)
    assert await attributes.delete(bench.context(), "alice", netid) == netid
