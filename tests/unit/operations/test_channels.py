from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bouncer.model.records import Channel
from bouncer.operations.context import Actor

if TYPE_CHECKING:
    from tests.unit.conftest import Bench

ALICE = Actor("alice")
BOUND = Actor("alice", network="libera")


async def test_a_channel_is_added_changed_and_left(stocked: Bench) -> None:
    await stocked.do("channel create alice/libera/#secret key=k")
    await stocked.do("channel update alice/libera/#SECRET detached=yes")
    assert stocked.network("alice", "libera").channels == (Channel("#python"), Channel("#secret", "k", True))
    await stocked.do("channel update alice/libera/#secret key=")
    await stocked.do("channel delete alice/libera/#python")
    assert stocked.network("alice", "libera").channels == (Channel("#secret", "", True),)
    before = stocked.user("alice")
    stocked.house = stocked.opened()
    assert stocked.user("alice") == before


async def test_inside_irc_user_and_bound_network_need_not_be_named(stocked: Bench) -> None:
    await stocked.do("channel create libera/#a/b", ALICE)
    await stocked.do("channel create #c", BOUND)
    await stocked.do("channel create alice/libera/#d", ALICE)
    names = [channel.name for channel in stocked.network("alice", "libera").channels]
    assert names == ["#python", "#a/b", "#c", "#d"]
    assert "is not a channel of a network" in await stocked.refusal("channel create #x", ALICE)
    assert "USER/NETWORK/#CHANNEL" in await stocked.refusal("channel create libera/#x")


async def test_the_list_says_what_is_joined_and_no_key(stocked: Bench) -> None:
    await stocked.do("channel create alice/libera/#secret key=hush detached=yes")
    result = await stocked.do("channel list")
    assert result.lines == (
        "alice/libera/#python: not joined",
        "alice/libera/#secret: not joined, detached, with a key",
    )
    assert "hush" not in repr(result.data)
    assert (await stocked.do("channel list libera", ALICE)).lines[0] == "libera/#python: not joined"
    assert len((await stocked.do("channel list", ALICE)).data) == 2


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("channel create alice/libera/#Python", 'there is a channel "alice/libera/#Python" already'),
        ("channel update alice/libera/#pyton detached=yes", "did you mean #python?"),
        ("channel update alice/libera/#zzz detached=yes", "channel create alice/libera/#zzz adds it"),
        ("channel create alice/libera/python", "as in #python"),
        ("channel create alice/libera/#a,b", "no space or comma"),
        ("channel create alice/libera/#a pass=x", 'has no key "pass"; it takes key=, detached='),
        ("channel delete alice/libera", "is not a channel of a network"),
    ],
)
async def test_a_refusal_says_what_is_wrong(stocked: Bench, text: str, sentence: str) -> None:
    assert sentence in await stocked.refusal(text)
