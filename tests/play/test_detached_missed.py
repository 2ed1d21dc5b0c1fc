"""What was said in a channel while it was detached is given to each device once, when it is shown again."""

from __future__ import annotations

import pytest

from tests.play.stage import Device, Stage, Upstream

CAPS = "batch server-time"
BACK = [
    ":alice!al@home.example JOIN #c",
    ":irc.example 353 alice = #c :alice bob",
    ":irc.example 366 alice #c :End of /NAMES list.",
]


async def in_channel(stage: Stage, caps: str = CAPS) -> tuple[Upstream, Device]:
    """A user in #c and #d, and their phone."""
    upstream = stage.connected()
    upstream.joins("#c", "bob")
    upstream.joins("#d", "dora")
    return upstream, await stage.attached("alice@phone", caps)


def said(lines: list[str], channel: str = "#c") -> str:
    """What was said in a channel."""
    return " ".join(line.rpartition(" :")[2] for line in lines if f" PRIVMSG {channel} " in line)


def says(upstream: Upstream, *texts: object, channel: str = "#c") -> None:
    for text in texts:
        upstream.stage.timers.pass_by(6)  # so that each is asked for: has it been read?
        upstream.says(f":bob!b@h PRIVMSG {channel} :{text}")


async def test_it_comes_in_a_batch_after_the_channel_and_before_what_is_new(stage: Stage) -> None:
    upstream, phone = await in_channel(stage)
    says(upstream, "shown")
    phone.lines()
    phone.says("PART #c detach")
    upstream.says(":bob!b@h PRIVMSG #c :hidden", ":dora!d@h PRIVMSG #d :other")
    phone.lines()
    phone.says("JOIN #c")
    upstream.says(":bob!b@h PRIVMSG #c :new")
    assert await phone.gets_soon() == [
        *(f"@time=2023-11-14T22:13:26.000Z {line}" for line in BACK),
        ":irc.example BATCH +r1 chathistory #c",
        "@batch=r1;time=2023-11-14T22:13:26.000Z :bob!b@h PRIVMSG #c :hidden",
        ":irc.example BATCH -r1",
        "@time=2023-11-14T22:13:26.000Z :bob!b@h PRIVMSG #c :new",
    ]


async def test_it_comes_once(stage: Stage) -> None:
    upstream, phone = await in_channel(stage)
    for round_ in range(3):
        phone.says("PART #c detach")
        says(upstream, f"a{round_}", f"b{round_}")
        phone.lines()
        phone.says("JOIN #c")
        assert said(await phone.gets_soon()) == f"a{round_} b{round_}"
    phone.leaves()
    again = await stage.device("alice@phone", CAPS)
    assert said(await again.gets_soon()) == ""


async def test_nothing_is_asked_for_when_nothing_was_said(stage: Stage) -> None:
    _, phone = await in_channel(stage)
    phone.says("PART #c detach", "JOIN #c")
    phone.gets(
        ":alice!al@home.example PART #c Detached".replace(":alice", "@time=2023-11-14T22:13:20.000Z :alice"),
        *(f"@time=2023-11-14T22:13:20.000Z {line}" for line in BACK),
    )


async def test_a_device_that_is_away_meanwhile_gets_it_when_it_comes(stage: Stage) -> None:
    upstream, phone = await in_channel(stage)
    desk = await stage.attached("alice@desk", CAPS)
    phone.leaves()
    says(upstream, "before")
    desk.says("PART #c detach")
    says(upstream, "hidden")
    desk.lines()
    desk.says("JOIN #c")
    assert said(await desk.gets_soon()) == "hidden"
    says(upstream, "after")
    again = await stage.device("alice@phone", CAPS)
    assert said(await again.gets_soon()) == "before hidden after"


@pytest.mark.parametrize("killed", [False, True])
async def test_one_that_came_and_went_while_it_was_detached_gets_it_later(stage: Stage, killed: bool) -> None:
    upstream, phone = await in_channel(stage)
    desk = await stage.attached("alice@desk", CAPS)
    phone.leaves()
    says(upstream, "before")
    desk.lines()
    desk.says("PART #c detach")
    says(upstream, "hidden 1")
    says(upstream, "other", channel="#d")
    phone = await stage.device("alice@phone", CAPS)
    lines = await phone.gets_soon()
    assert (said(lines), said(lines, "#d")) == ("", "other")
    phone.lines()
    phone.leaves()
    says(upstream, "hidden 2")
    await stage.settle()
    if killed:
        stage.begin()
        upstream = stage.upstream()
        upstream.welcomes()
        upstream.joins("#c", "bob")
        desk = await stage.attached("alice@desk", CAPS)
    desk.lines()
    desk.says("JOIN #c")
    assert said(await desk.gets_soon()) == "hidden 1 hidden 2"
    says(upstream, "after")
    phone = await stage.device("alice@phone", CAPS)
    # the first of these the position has passed, the others it has not
    assert said(await phone.gets_soon()) == "before hidden 1 hidden 2 after"
    phone.leaves()
    phone = await stage.device("alice@phone", CAPS)
    assert said(await phone.gets_soon()) == ""


async def test_what_is_not_confirmed_comes_again(stage: Stage) -> None:
    upstream, phone = await in_channel(stage)
    phone.says("PART #c detach")
    says(upstream, "hidden")
    says(upstream, "other", channel="#d")
    phone.lines()
    phone.answer_pings = False
    phone.says("JOIN #c")
    assert said(await phone.gets_soon()) == "hidden"
    phone.leaves()
    again = await stage.device("alice@phone", CAPS)
    assert said(await again.gets_soon()) == "hidden"
    again.leaves()
    again = await stage.device("alice@phone", CAPS)
    assert said(await again.gets_soon()) == ""


async def test_who_fetches_history_is_given_none(stage: Stage) -> None:
    upstream, phone = await in_channel(stage, CAPS + " draft/chathistory")
    phone.says("PART #c detach")
    says(upstream, "hidden")
    phone.lines()
    phone.says("JOIN #c")
    assert said(await phone.gets_soon()) == ""


async def test_more_than_a_page_of_it(stage: Stage) -> None:
    upstream, phone = await in_channel(stage)
    phone.says("PART #c detach")
    upstream.says(*(f":bob!b@h PRIVMSG #c :{number}" for number in range(2300)))
    phone.lines()
    phone.says("JOIN #c")
    assert said(await phone.gets_soon()) == " ".join(map(str, range(2300)))


async def test_while_the_store_fails_live_text_goes_on_and_it_comes_later(stage: Stage) -> None:
    upstream, phone = await in_channel(stage)
    phone.says("PART #c detach")
    stage.store.fail("disk full")
    says(upstream, "hidden")
    phone.lines()
    phone.says("JOIN #c")
    upstream.says(":bob!b@h PRIVMSG #c :live")
    lines = await phone.gets_soon()
    assert said(lines) == "live"
    assert [line for line in lines if line.endswith("it comes when you reconnect.")]
    stage.store.fail(None)
    phone.leaves()
    again = await stage.device("alice@phone", CAPS)
    assert "hidden" in said(await again.gets_soon())


async def test_places_in_channels_are_no_devices(stage: Stage) -> None:
    upstream, phone = await in_channel(stage)
    phone.says("PART #c detach")
    says(upstream, "hidden", "and more")
    phone.lines()
    stage.timers.pass_by(10)
    phone.lines()
    await stage.settle()
    stage.begin()
    assert "phone" in stage.upstream().link.positions
    assert "phone\t#c" in stage.upstream().link.positions.kept


async def test_a_channel_that_was_left_is_owed_to_nobody(stage: Stage) -> None:
    upstream, phone = await in_channel(stage)
    phone.says("PART #c detach")
    says(upstream, "hidden")
    phone.lines()
    assert any("\t" in name for name in upstream.link.positions.kept)
    phone.says("PART #c")
    upstream.says(":alice!al@home.example PART #c")
    assert not any("\t" in name for name in upstream.link.positions.kept)
