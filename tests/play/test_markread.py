"""What was read on one device, the others know."""

from __future__ import annotations

import pytest

from tests.play.stage import Device, Stage, Upstream

CAPS = "draft/read-marker"
NOW = "timestamp=2023-11-14T22:13:20.000Z"
BEFORE = "timestamp=2023-11-14T22:13:19.999Z"
LATER = "timestamp=2023-11-14T22:14:20.000Z"


async def reading(stage: Stage) -> tuple[Upstream, Device]:
    """A user in #c, and a client that knows markers."""
    upstream = stage.connected()
    upstream.joins("#c", "bob")
    return upstream, await stage.attached("alice@phone", CAPS)


async def test_a_marker_is_set_asked_for_and_told_to_the_other_devices(stage: Stage) -> None:
    upstream, phone = await reading(stage)
    desk, old = await stage.attached("alice@desk", CAPS + " server-time"), await stage.attached("alice@old")
    upstream.heard()
    phone.says("MARKREAD #c")
    phone.gets(":irc.example MARKREAD #c *")
    phone.says(f"MARKREAD #C {NOW}")
    phone.gets(f":irc.example MARKREAD #c {NOW}")
    desk.gets(f"@time=2023-11-14T22:13:20.000Z :irc.example MARKREAD #c {NOW}")
    old.gets_nothing()
    desk.says("MARKREAD #c")
    desk.gets(f":irc.example MARKREAD #c {NOW}")
    assert upstream.heard() == []


async def test_a_marker_never_goes_back(stage: Stage) -> None:
    _, phone = await reading(stage)
    desk = await stage.attached("alice@desk", CAPS)
    phone.says(f"MARKREAD bob {NOW}")
    phone.lines()
    desk.lines()
    for earlier in (BEFORE, NOW):
        phone.says(f"MARKREAD Bob {earlier}")
        phone.gets(f":irc.example MARKREAD Bob {NOW}")
        desk.gets_nothing()


async def test_nobody_has_read_what_is_not_yet_said(stage: Stage) -> None:
    _, phone = await reading(stage)
    phone.says(f"MARKREAD #c {LATER}")
    phone.gets(f":irc.example MARKREAD #c {NOW}")


async def test_who_has_not_asked_for_markers_is_answered_all_the_same(stage: Stage) -> None:
    await reading(stage)
    old = await stage.attached("alice@old")
    old.says(f"MARKREAD #c {NOW}")
    old.gets(f":irc.example MARKREAD #c {NOW}")


async def test_each_channel_comes_with_its_marker(stage: Stage) -> None:
    upstream, phone = await reading(stage)
    upstream.joins("#d")
    phone.says(f"MARKREAD #d {NOW}")
    phone.lines()
    desk = await stage.device("alice@desk", CAPS)
    lines = await desk.gets_soon()
    for channel, marker in (("#c", "*"), ("#d", NOW)):
        place = lines.index(f":irc.example MARKREAD {channel} {marker}")
        assert lines.index(f":alice!al@home.example JOIN {channel}") < place
        assert place < lines.index(f":irc.example 366 alice {channel} :End of /NAMES list.")


async def test_a_channel_joined_later_comes_with_its_marker(stage: Stage) -> None:
    upstream, phone = await reading(stage)
    phone.says(f"MARKREAD #new {NOW}")
    phone.lines()
    upstream.joins("#new", "bob")
    phone.gets(
        ":alice!al@home.example JOIN #new",
        f":irc.example MARKREAD #new {NOW}",
        ":irc.example 353 alice = #new :alice bob",
        ":irc.example 366 alice #new :End of /NAMES list.",
    )


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("MARKREAD", "NEED_MORE_PARAMS :Missing parameters"),
        ("MARKREAD #c *", "INVALID_PARAMS * :Invalid parameters"),
        ("MARKREAD #c 2023-11-14T22:13:20.000Z", "INVALID_PARAMS 2023-11-14T22:13:20.000Z :Invalid parameters"),
        ("MARKREAD #c timestamp=soon", "INVALID_PARAMS timestamp=soon :Invalid parameters"),
        ("MARKREAD #c,#d", "INVALID_PARAMS #c,#d :Invalid parameters"),
        ("MARKREAD * timestamp=soon", "INVALID_PARAMS * :Invalid parameters"),
    ],
)
async def test_what_is_wrong_is_told(stage: Stage, command: str, answer: str) -> None:
    _, phone = await reading(stage)
    phone.says(command)
    phone.gets(f":irc.example FAIL MARKREAD {answer}")


async def test_markers_outlive_the_process(stage: Stage) -> None:
    _, phone = await reading(stage)
    phone.says(f"MARKREAD #c {NOW}", f"MARKREAD Bob {BEFORE}")
    await stage.settle()
    stage.begin()
    upstream = stage.upstream()
    upstream.welcomes()
    upstream.joins("#c")
    desk = await stage.device("alice@desk", CAPS)
    assert f":irc.example MARKREAD #c {NOW}" in await desk.gets_soon()
    desk.says("MARKREAD bob")
    desk.gets(f":irc.example MARKREAD bob {BEFORE}")


async def test_on_no_network_there_is_nothing_to_mark(stage: Stage) -> None:
    stage.user("alice", "one", "two")
    phone = await stage.attached("alice@phone", CAPS)
    phone.says("MARKREAD bob")
    phone.gets(
        ":bnc.example FAIL MARKREAD INTERNAL_ERROR bob :The read timestamp could not be set or told; try again later"
    )
