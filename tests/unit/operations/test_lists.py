from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bouncer.model.records import Endpoint
from bouncer.operations.context import Actor
from bouncer.operations.values import MASKS_LIMIT

if TYPE_CHECKING:
    from tests.unit.conftest import Bench

ALICE = Actor("alice")
BOUND = Actor("alice", network="libera")


async def test_people_are_ignored_everywhere_or_on_one_network(stocked: Bench) -> None:
    await stocked.do("ignore add troll *!*@spam.example", ALICE)
    await stocked.do("ignore add libera pest", ALICE)
    await stocked.do("ignore add libera", ALICE)  # of that name; a network is meant where something follows
    await stocked.do("ignore add alice/libera other")
    assert stocked.user("alice").ignore == ("troll!*@*", "*!*@spam.example", "libera!*@*")
    assert stocked.network("alice", "libera").ignore == ("pest!*@*", "other!*@*")
    assert (await stocked.do("ignore list", ALICE)).lines == (
        "alice: troll!*@*",
        "alice: *!*@spam.example",
        "alice: libera!*@*",
        "libera: pest!*@*",
        "libera: other!*@*",
    )
    assert (await stocked.do("ignore list libera", ALICE)).data == [
        {"user": "alice", "network": "libera", "ignore": ["pest!*@*", "other!*@*"]}
    ]
    await stocked.do("ignore remove TROLL libera", ALICE)
    await stocked.do("ignore remove alice/libera pest")
    assert stocked.user("alice").ignore == ("*!*@spam.example",)
    assert stocked.network("alice", "libera").ignore == ("other!*@*",)
    assert (await stocked.do("ignore list bob")).lines == ("nobody is ignored",)


async def test_what_is_there_is_not_added_twice(stocked: Bench) -> None:
    assert (await stocked.do("nolog add #Private", BOUND)).lines == ("libera has #Private in its nolog list now",)
    assert (await stocked.do("nolog add #private,#private", BOUND)).lines == ("libera has that already",)
    assert stocked.network("alice", "libera").unlogged == ("#Private",)
    await stocked.do("nolog add libera do_not_log=alice,bob", ALICE)
    assert stocked.network("alice", "libera").unlogged == ("#Private", "alice", "bob")


async def test_highlights_may_have_spaces(stocked: Bench) -> None:
    await stocked.do("highlight add coffee 'green tea' a=b", ALICE)
    await stocked.do("highlight add alice release*")
    assert stocked.user("alice").highlights == ("coffee", "green tea", "a=b", "release*")
    await stocked.do("highlight remove 'Green Tea'", ALICE)
    assert (await stocked.do("highlight list alice")).lines == ("alice: coffee", "alice: a=b", "alice: release*")


async def test_servers_come_and_go_but_the_last(stocked: Bench) -> None:
    await stocked.do("server add libera servers=irc+insecure://localhost server_password=hush", ALICE)
    network = stocked.network("alice", "libera")
    assert network.servers == (Endpoint("irc.libera.chat", 6697), Endpoint("localhost", 6667, False))
    assert network.server_password == "hush"
    assert "hush" not in repr(await stocked.do("server list", ALICE))
    await stocked.do("server remove irc.libera.chat", BOUND)
    assert "a network needs a server" in await stocked.refusal("server remove irc+insecure://localhost", BOUND)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("ignore add", "ignore add needs ignore, as in: ignore add alice '*!*@spam.example'"),
        ("ignore add ignore=x", "ignore add needs to know which: ignore add alice '*!*@spam.example'"),
        ("ignore add alice", "ignore add needs ignore, as in: ignore add alice"),
        ("ignore remove alice x", 'alice has no ignored nick or mask "x!*@*"; ignore list shows what there is'),
        ("ignore add alice *", "is no mask"),
        ("nolog add alice #x", '"alice" is a user, and a network goes behind it'),
        ("highlight add alice highlight=", "highlight add needs highlight"),
        ("server add alice/libera what ever://", "servers:"),
    ],
)
async def test_a_refusal_says_what_is_wrong(stocked: Bench, text: str, sentence: str) -> None:
    problem = await stocked.refusal(text)
    assert sentence in problem


async def test_a_list_has_an_end(stocked: Bench) -> None:
    masks = ",".join(f"n{number}" for number in range(MASKS_LIMIT))
    await stocked.do(f"user update alice ignore={masks}")
    assert f"more than {MASKS_LIMIT}" in await stocked.refusal("ignore add one-more", ALICE)


async def test_lists_of_others_are_theirs(stocked: Bench) -> None:
    bob = Actor("bob")
    await stocked.do("ignore add alice/libera x", bob)  # two nicks, as far as bob may know
    assert stocked.network("alice", "libera").ignore == ()
    assert stocked.user("bob").ignore == ("alice/libera!*@*", "x!*@*")
    assert "another user" in await stocked.refusal("ignore list alice/libera", bob)
