"""Devices are listed with what they have still to read, put out, and forgotten; all are told what an admin says."""

from __future__ import annotations

import pytest

from bouncer.model.errors import Refused
from bouncer.operations.context import MACHINE, Actor
from bouncer.operations.row import Result
from bouncer.operations.table import perform
from tests.play.stage import Stage

ALICE = Actor("alice")


async def do(stage: Stage, text: str, actor: Actor = ALICE) -> Result:
    return await perform(stage.context(actor), text.split())


async def test_the_list_says_who_is_here_and_how_far_behind_the_others_are(stage: Stage) -> None:
    upstream = stage.connected()
    laptop = await stage.attached("alice/example@laptop")
    phone = await stage.attached("alice/example@Phone")
    laptop.leaves()
    upstream.says(*[f":bob!b@h PRIVMSG alice :hello {number}" for number in range(3)])
    assert len(await phone.gets_soon()) == 3
    stage.timers.pass_by(90)
    await phone.gets_soon()
    assert (await do(stage, "device list", MACHINE)).lines == (
        "alice/laptop: not attached; example 3 lines behind",
        "alice/phone: attached for 1 min 30 s from 192.0.2.1; example read to the end",
    )
    result = await do(stage, "device list")
    assert result.lines[0] == "laptop: not attached; example 3 lines behind"
    assert result.data[1]["attached"] == [{"network": "Example", "address": "192.0.2.1", "since": 1_700_000_000.0}]
    stage.user("bob")
    assert (await do(stage, "device list bob", MACHINE)).lines == ("no device has been here yet",)


async def test_a_device_is_put_out_and_its_place_kept(stage: Stage) -> None:
    upstream = stage.connected()
    phone, other = await stage.attached("alice/example@phone"), await stage.attached("alice/example@other")
    assert (await do(stage, "device kick PHONE")).lines == (
        "phone is put out: 1 connection; it can log in again, and misses nothing",
    )
    phone.gets("ERROR :Closing link: This device was put out with `device kick`")
    assert (phone.closed, other.closed) == (True, False)
    upstream.says(":bob!b@h PRIVMSG alice :you there?")
    again = await stage.device("alice/example@phone")
    assert [line for line in await again.gets_soon() if line.endswith("you there?")]
    again.leaves()
    with pytest.raises(Refused, match="phone is not attached"):
        await do(stage, "device kick phone")


async def test_a_device_is_forgotten_for_good(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice/example@phone")
    upstream.says(":bob!b@h PRIVMSG alice :hello")
    assert len(await phone.gets_soon()) == 1
    await do(stage, "device forget phone")
    assert phone.closed
    assert (await do(stage, "device list")).lines == ("no device has been here yet",)
    stage.begin()
    assert stage.upstream().link.positions.kept == {}
    stage.upstream().welcomes()
    # as new it gets a first helping, in which is what it had read
    again = await stage.device("alice/example@phone")
    assert [line for line in await again.gets_soon() if line.endswith("hello")]


async def test_a_forgotten_device_has_no_place_in_detached_channels_either(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#c", "bob")
    phone = await stage.attached("alice/example@phone")
    phone.says("PART #c detach")
    for text in ("one", "two"):
        stage.timers.pass_by(6)
        upstream.says(f":bob!b@h PRIVMSG #c :{text}", f":bob!b@h PRIVMSG alice :{text}")
        phone.says(*(line.replace("PING", "PONG") for line in phone.lines() if line.startswith("PING")))
    phone.leaves()
    link = upstream.link
    assert any("\t" in name for name in link.positions.kept)
    await do(stage, "device forget phone")
    assert link.positions.kept == {}
    stage.begin()
    assert stage.upstream().link.positions.kept == {}


@pytest.mark.parametrize(
    ("text", "actor", "sentence"),
    [
        ("device kick phone", MACHINE, '"phone" needs its user before it: device kick alice/phone'),
        ("device kick alice/fone", MACHINE, 'there is no device "alice/fone"; did you mean alice/phone?'),
        ("device forget x", ALICE, "device list shows them"),
        ("device kick", MACHINE, "device kick needs to know which: device kick alice/phone"),
        ("device forget alice/phone", Actor("bob"), "another user"),
    ],
)
async def test_a_refusal_says_what_is_wrong(stage: Stage, text: str, actor: Actor, sentence: str) -> None:
    stage.connected()
    await stage.attached("alice/example@phone")
    with pytest.raises(Refused) as refusal:
        await do(stage, text, actor)
    assert sentence in str(refusal.value)


async def test_a_broadcast_reaches_all_who_are_attached(stage: Stage) -> None:
    stage.connected()
    stage.user("bob", "one", "two")
    there = [await stage.attached(login) for login in ("alice/example@a", "alice/example@b", "bob/one", "bob")]
    result = await do(stage, "broadcast back in a minute, a=b", MACHINE)
    assert result.lines == ("told to 4 attached clients",)
    for device, nick in zip(there, ("alice", "alice", "bob", "bob"), strict=True):
        device.gets(f":*bouncer!bouncer@bouncer NOTICE {nick} :To all users: back in a minute, a=b")
    with pytest.raises(Refused, match="admins only"):
        await do(stage, "broadcast hello")


async def test_a_line_is_sent_as_it_is(stage: Stage) -> None:
    upstream = stage.connected()
    await do(stage, "network quote example PRIVMSG #c :one two")
    await do(stage, "network quote VERSION", Actor("alice", network="example"))
    await perform(stage.context(MACHINE), ["network", "quote", "alice/example", "line=KNOCK #c :a  b"])
    assert upstream.heard() == ["PRIVMSG #c :one two", "VERSION", "KNOCK #c :a  b"]
    result = await do(stage, "network quote example OPER alice hush")
    assert result.lines == ("sent to example: OPER alice ***",)
    for line in ("line=", "line=a\r\nb", "line=a\0b"):
        with pytest.raises(Refused):
            await perform(stage.context(MACHINE), ["network", "quote", "alice/example", line])
    upstream.heard()
    upstream.hangs_up()
    with pytest.raises(Refused, match="the line was not sent to example, which is waiting, reset by peer"):
        await do(stage, "network quote example VERSION")
    assert upstream.heard() == []
