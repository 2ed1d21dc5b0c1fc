"""Away, for a user with several devices on a network that knows one user."""

from __future__ import annotations

from dataclasses import replace

from bouncer.core.away import ALONE_DELAY, UNSENT_WAIT
from tests.play.stage import Stage, Upstream

HERE = ":irc.example 305 alice :You are no longer marked as being away"
AWAY = ":irc.example 306 alice :You have been marked as being away"


def left_alone(stage: Stage, words: str) -> Upstream:
    """A network whose setting speaks for a user who is not there."""
    user = stage.user()
    stage.house.replace(replace(user, networks=(replace(user.networks[0], away=words),)))
    upstream = stage.upstream()
    upstream.welcomes()
    return upstream


def is_away(upstream: Upstream) -> bool:
    return upstream.link.state.away


async def test_the_network_hears_of_it_when_all_devices_are_away(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice@phone")
    desk = await stage.attached("alice@desk")
    phone.says("AWAY :on the train")
    phone.gets(AWAY)
    desk.gets_nothing()
    assert upstream.heard() == []
    desk.says("AWAY :at  lunch")
    assert upstream.heard() == ["AWAY :at  lunch"]
    desk.gets_nothing()
    upstream.says(AWAY)
    assert is_away(upstream)
    phone.gets(AWAY)
    desk.gets(AWAY)
    phone.says("AWAY")
    assert upstream.heard() == ["AWAY"]
    upstream.says(HERE)
    assert not is_away(upstream)
    phone.gets(HERE)
    desk.gets(HERE)
    phone.says("AWAY")
    phone.gets(HERE)
    desk.gets_nothing()
    assert upstream.heard() == []


async def test_own_words_stay_over_leaving_reconnects_and_restarts(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached()
    phone.says("AWAY :gone fishing")
    upstream.heard()
    phone.leaves()
    assert upstream.heard() == []
    upstream.hangs_up()
    upstream.welcomes()
    assert upstream.heard() == ["AWAY :gone fishing"]
    await stage.store.settled()
    stage.begin()
    upstream = stage.upstream()
    upstream.welcomes()
    assert upstream.heard() == ["AWAY :gone fishing"]
    phone = await stage.attached()
    assert upstream.heard() == ["AWAY"]
    await stage.store.settled()
    assert stage.store.load().users[0].networks[0].away_text == ""


async def test_the_setting_speaks_after_a_while_alone(stage: Stage) -> None:
    upstream = left_alone(stage, "asleep")
    assert upstream.heard() == []
    stage.timers.pass_by(ALONE_DELAY)
    assert upstream.heard() == ["AWAY asleep"]
    phone = await stage.attached()
    assert upstream.heard() == ["AWAY"]
    phone.leaves()
    stage.timers.pass_by(ALONE_DELAY / 2)
    phone = await stage.attached()
    stage.timers.pass_by(ALONE_DELAY * 2)
    assert upstream.heard() == []
    phone.leaves()
    stage.timers.pass_by(ALONE_DELAY)
    assert upstream.heard() == ["AWAY asleep"]
    upstream.hangs_up()
    upstream.welcomes()
    assert upstream.heard() == ["AWAY asleep"]
    assert upstream.link.network.away_text == ""


async def test_away_while_the_network_is_down_is_told_when_it_is_back(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached()
    upstream.hangs_up()
    phone.lines()
    phone.says("AWAY :brb")
    phone.gets(AWAY)
    assert upstream.heard() == []
    upstream.welcomes()
    assert upstream.heard() == ["AWAY brb"]


async def test_what_did_not_go_out_is_told_later(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached()
    upstream.room = False
    phone.says("AWAY :at lunch")
    phone.gets(AWAY)
    upstream.says(":bob!b@h PRIVMSG #c :hi", ":bob!b@h INVITE alice #c")
    upstream.room = True
    assert upstream.heard() == []
    stage.timers.pass_by(UNSENT_WAIT)
    assert upstream.heard() == ["AWAY :at lunch"]
    upstream.room = False
    phone.says("AWAY")
    upstream.room = True
    phone.says("AWAY :at lunch")
    stage.timers.pass_by(10 * UNSENT_WAIT)
    assert upstream.heard() == []


async def test_bytes_that_are_no_utf8_come_through_a_restart(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached()
    phone.says("AWAY :caf\udce9")
    assert upstream.heard() == ["AWAY caf\udce9"]
    phone.leaves()
    await stage.store.settled()
    stage.begin()
    stage.upstream().welcomes()
    assert stage.upstream().heard() == ["AWAY caf\udce9"]
