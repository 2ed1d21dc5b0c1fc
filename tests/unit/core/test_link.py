"""A link's own memory: times, devices, channels, limits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bouncer.core import positions, wishes
from bouncer.model import members
from bouncer.model import state as state_module
from bouncer.model.records import Channel
from tests.play.stage import START, Stage


async def test_every_millisecond_of_a_networks_time_is_kept(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice@phone", "server-time")
    times = [f"@time=2023-11-14T22:13:20.{ms:03d}Z" for ms in range(1000)]
    upstream.says(*(f"{time} :bob!b@h PRIVMSG alice :x" for time in times))
    assert [line.partition(" ")[0] for line in phone.lines()] == times


async def test_a_networks_clock_is_measured_by_ours_and_not_by_its_own(stage: Stage) -> None:
    user = stage.user()
    upstream = stage.upstream()
    upstream.welcomes()
    upstream.says("@time=2023-11-15T21:00:00.000Z :bob!b@h PRIVMSG alice :nearly a day ahead")
    await stage.store.settled()
    stage.begin()  # the process starts again; the newest line is from the future
    upstream = stage.upstream()
    upstream.welcomes()
    phone = await stage.attached("alice@phone", "server-time")
    upstream.says("@time=2023-11-16T20:00:00.000Z :bob!b@h PRIVMSG alice :nearly two days")
    upstream.says(":bob!b@h PRIVMSG alice :now")
    ahead, now = phone.lines()
    assert not ahead.startswith("@time=2023-11-16")
    assert now.startswith("@time=2023-11-14T22:13:20.000Z")
    assert user.networks[0].id == upstream.link.network.id


async def test_a_twin_that_leaves_does_not_hold_back_what_the_other_has_proved(stage: Stage) -> None:
    upstream = stage.connected()
    first = await stage.attached("alice@phone")
    second = await stage.attached("alice@phone")
    second.answer_pings = False
    upstream.says(":bob!b@h PRIVMSG alice :hello")
    assert len(first.lines()) == len(second.lines()) == 1
    second.leaves()
    first.leaves()
    again = await stage.device("alice@phone")
    assert not [line for line in again.lines() if "hello" in line]


async def test_devices_are_not_kept_without_end(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "DEVICES_LIMIT", 3)
    upstream = stage.connected()
    here = await stage.attached("alice@here")
    for name in "abcde":
        upstream.says(f":bob!b@h PRIVMSG alice :{name}")
        (await stage.attached(f"alice@{name}")).leaves()
    await stage.store.settled()
    here.leaves()
    assert set(upstream.link.positions.kept) == {"here", "d", "e"}
    stage.begin()
    assert set(stage.upstream().link.positions.kept) == {"here", "d", "e"}


async def test_a_channel_stays_detached_when_the_case_mapping_comes(stage: Stage) -> None:
    user = stage.user()
    network = replace(user.networks[0], channels=(Channel("#Tea[s]", detached=True),))
    stage.house.replace(replace(user, networks=(network,)))
    upstream = stage.upstream()
    upstream.welcomes("alice", "CASEMAPPING=ascii")
    phone = await stage.attached()
    upstream.joins("#tea[s]")
    upstream.says(":bob!b@h PRIVMSG #tea[s] :psst")
    phone.gets_nothing()


async def test_what_a_hostile_network_draws_is_bounded(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_module, "CHANNELS_LIMIT", 10)
    monkeypatch.setattr(wishes, "CHANNELS_LIMIT", 10)
    monkeypatch.setattr(members, "MEMBERS_LIMIT", 20)
    upstream = stage.connected()
    for number in range(30):
        upstream.says(f":alice!al@home.example JOIN #c{number}")
    state = upstream.link.state
    assert len(state.channels) == 10
    assert len(upstream.link.network.channels) == 10
    for number in range(50):
        upstream.says(f":n{number}!n@h JOIN #c1", f":irc.example 353 alice = #c2 :n{number}")
    assert len(state.channels["#c1"].members) == 20
    assert len(state.channels["#c2"].members) == 20


async def test_what_status_shows_has_nothing_that_moves_a_terminal(stage: Stage) -> None:
    upstream = stage.connected(channels=("#c",))
    upstream.says(":irc.example 474 alice #c :\x1b[2J no \udcff")
    await stage.attached("alice@ph\x1b[2Jone")
    upstream.hangs_up("\x1b[2J bye")
    status = upstream.link.status()
    assert status.reason == "?[2J bye"
    assert status.channels[0].reason == "?[2J no ?"
    assert status.devices == ("ph?[2jone",)
    assert status.since == START
