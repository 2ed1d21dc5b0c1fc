"""Channels that are kept from the screens."""

from __future__ import annotations

from dataclasses import replace

from tests.play.stage import Stage


async def test_detaching_takes_a_channel_from_the_screens_and_back(stage: Stage) -> None:
    user = stage.user(channels=("#c",))
    upstream = stage.upstream()
    upstream.welcomes()
    upstream.joins("#c", "@bob")
    phone = await stage.attached()
    network = upstream.link.network
    (channel,) = network.channels
    hidden = replace(network, channels=(replace(channel, detached=True),))
    stage.house.replace(replace(user, networks=(hidden,)))
    phone.gets(":alice!al@home.example PART #c Detached")
    upstream.says(":bob!b@h PRIVMSG #c :psst")
    phone.gets_nothing()
    stage.house.replace(replace(user, networks=(network,)))
    phone.gets(
        ":alice!al@home.example JOIN #c",
        ":irc.example 353 alice = #c :alice @bob",
        ":irc.example 366 alice #c :End of /NAMES list.",
    )


async def test_what_is_said_into_a_detached_channel_opens_no_window_elsewhere(stage: Stage) -> None:
    user = stage.user(channels=("#c",))
    upstream = stage.upstream()
    upstream.welcomes()
    upstream.joins("#c", "@bob")
    network = upstream.link.network
    hidden = replace(network, channels=(replace(network.channels[0], detached=True),))
    stage.house.replace(replace(user, networks=(hidden,)))
    phone = await stage.attached("alice@phone")
    desk = await stage.attached("alice@desk")
    upstream.heard()
    phone.says("PRIVMSG #c :hello")
    desk.gets_nothing()
    assert upstream.heard() == ["PRIVMSG #c :hello"]
