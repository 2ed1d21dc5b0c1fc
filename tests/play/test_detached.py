"""Channels that are kept from the screens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bouncer.model.records import HIGHLIGHT, MESSAGE, NONE, Channel
from tests.play.stage import Device, Stage, Upstream

TOLD = ":*bouncer!bouncer@bouncer NOTICE alice"
BACK = (
    ":alice!al@home.example JOIN #c",
    ":irc.example 353 alice = #c :alice @bob",
    ":irc.example 366 alice #c :End of /NAMES list.",
)
MINUTE = 60.0
DAY = 86_400.0


def change(stage: Stage, *channels: Channel) -> None:
    """Let the one user's one network have these channels, as a command would."""
    (user,) = stage.house.users()
    (network,) = user.networks
    stage.house.replace(replace(user, networks=(replace(network, channels=channels),)))


def channel(stage: Stage, name: str = "#c") -> Channel:
    """What is stored of a channel now."""
    (user,) = stage.house.users()
    return next(each for each in user.networks[0].channels if each.name == name)


async def in_channel(stage: Stage, **rules: Any) -> tuple[Upstream, Device]:
    """A user who is in #c, for which these rules hold, and in #d; and their phone."""
    stage.user()
    change(stage, Channel("#c", **rules), Channel("#d"))
    upstream = stage.upstream()
    upstream.welcomes()
    upstream.joins("#c", "@bob")
    upstream.joins("#d", "dora")
    return upstream, await stage.attached()


async def test_detaching_takes_a_channel_from_the_screens_and_back(stage: Stage) -> None:
    upstream, phone = await in_channel(stage)
    change(stage, Channel("#c", detached=True), Channel("#d"))
    phone.gets(":alice!al@home.example PART #c Detached")
    upstream.says(":bob!b@h PRIVMSG #c :psst")
    phone.gets_nothing()
    change(stage, Channel("#c"), Channel("#d"))
    phone.gets(*BACK)


async def test_what_is_said_into_a_detached_channel_opens_no_window_elsewhere(stage: Stage) -> None:
    upstream, phone = await in_channel(stage, detached=True)
    desk = await stage.attached("alice@desk")
    upstream.heard()
    phone.says("PRIVMSG #c :hello")
    desk.gets_nothing()
    assert upstream.heard() == ["PRIVMSG #c :hello"]


# --- what is told of it


@pytest.mark.parametrize(("rule", "told"), [(NONE, []), (HIGHLIGHT, ["alice?"]), (MESSAGE, ["hello", "alice?"])])
async def test_the_service_tells_what_counts(stage: Stage, rule: str, told: list[str]) -> None:
    upstream, phone = await in_channel(stage, detached=True, relay=rule)
    desk = await stage.attached("alice@desk")
    upstream.says(":bob!b@h PRIVMSG #c :hello", ":bob!b@h JOIN #c", ":bob!b@h PRIVMSG #c :alice?")
    for device in (phone, desk):
        device.gets(*(f"{TOLD} :#c: <bob> {text}" for text in told))


async def test_what_is_told_is_not_kept(stage: Stage) -> None:
    upstream, phone = await in_channel(stage, detached=True, relay=MESSAGE)
    before = upstream.link.log.seq
    upstream.says(":bob!b@h PRIVMSG #c :hello")
    phone.gets(f"{TOLD} :#c: <bob> hello")
    assert upstream.link.log.seq == before + 1
    desk = await stage.device("alice@desk")
    assert not [line for line in await desk.gets_soon() if "hello" in line and "bouncer!" in line]


async def test_what_was_told_to_nobody_is_not_told_later(stage: Stage) -> None:
    upstream, phone = await in_channel(stage, detached=True, relay=MESSAGE)
    phone.leaves()
    upstream.says(":bob!b@h PRIVMSG #c :hello", ":bob!b@h PRIVMSG alice :hello")
    phone = await stage.device("alice@phone")
    assert [line for line in await phone.gets_soon() if line.endswith("hello")] == [
        ":bob!b@h PRIVMSG alice :[2023-11-14 22:13:20] hello"
    ]


async def test_actions_and_notices_are_told_as_such(stage: Stage) -> None:
    upstream, phone = await in_channel(stage, detached=True, relay=MESSAGE)
    upstream.says(":bob!b@h PRIVMSG #c :\x01ACTION waves\x01", ":bob!b@h NOTICE #c :beep", ":bob!b@h TAGMSG #c")
    phone.gets(f"{TOLD} :#c: * bob waves", f"{TOLD} :#c: -bob- beep")


async def test_long_text_is_told_in_lines_that_fit(stage: Stage) -> None:
    upstream, phone = await in_channel(stage, detached=True, relay=MESSAGE)
    words = " ".join(["word"] * 95)
    upstream.says(f":bob!b@h PRIVMSG #c :{words}")
    lines = phone.lines()
    assert len(lines) == 2
    assert all(len(line) <= 510 for line in lines)
    assert " ".join(line.removeprefix(f"{TOLD} :#c: <bob> ") for line in lines) == words


async def test_other_channels_and_private_text_are_not_told(stage: Stage) -> None:
    upstream, phone = await in_channel(stage, detached=True, relay=MESSAGE, reattach=MESSAGE)
    lines = [":dora!d@h PRIVMSG #d :alice", ":dora!d@h PRIVMSG alice :hello"]
    upstream.says(*lines)
    phone.gets(*lines)
    assert channel(stage).detached


# --- what brings it back


@pytest.mark.parametrize(("rule", "text"), [(HIGHLIGHT, "alice?"), (MESSAGE, "hello")])
async def test_what_counts_brings_it_back_and_is_shown(stage: Stage, rule: str, text: str) -> None:
    upstream, phone = await in_channel(stage, detached=True, reattach=rule, relay=MESSAGE)
    desk = await stage.attached("alice@desk")
    upstream.says(f":bob!b@h PRIVMSG #c :{text}", ":bob!b@h PRIVMSG #c :and more")
    for device in (phone, desk):
        assert await device.gets_soon() == [
            *BACK,
            f":bob!b@h PRIVMSG #c :{text}",
            ":bob!b@h PRIVMSG #c :and more",
        ]
    assert not channel(stage).detached


async def test_what_does_not_count_leaves_it_where_it_is(stage: Stage) -> None:
    upstream, phone = await in_channel(stage, detached=True, reattach=HIGHLIGHT)
    upstream.says(":bob!b@h PRIVMSG #c :hello", ":alice!al@home.example PRIVMSG #c :alice")
    phone.gets_nothing()
    assert channel(stage).detached


async def test_it_comes_back_while_nobody_is_there(stage: Stage) -> None:
    upstream, phone = await in_channel(stage, detached=True, reattach=MESSAGE)
    phone.leaves()
    upstream.says(":bob!b@h PRIVMSG #c :hello")
    lines = await (await stage.device()).gets_soon()
    assert BACK[0] in lines
    assert any("hello" in line for line in lines)


async def test_ignored_people_bring_nothing_back(stage: Stage) -> None:
    upstream, phone = await in_channel(stage, detached=True, reattach=MESSAGE)
    (user,) = stage.house.users()
    stage.house.replace(replace(user, ignore=("bob!*@*",)))
    upstream.says(":bob!b@h PRIVMSG #c :alice!")
    phone.gets_nothing()
    assert channel(stage).detached


async def test_a_join_brings_it_back(stage: Stage) -> None:
    upstream, phone = await in_channel(stage, detached=True)
    upstream.heard()
    phone.says("JOIN #c")
    phone.gets(*BACK)
    assert upstream.heard() == []
    assert not channel(stage).detached


async def test_a_join_brings_it_back_while_the_network_is_away(stage: Stage) -> None:
    upstream, phone = await in_channel(stage, detached=True)
    upstream.hangs_up()
    phone.lines()
    phone.says("JOIN #c")
    assert await phone.gets_soon() == list(BACK)
    upstream.welcomes()
    upstream.joins("#c", "@bob")
    phone.lines()
    upstream.says(":bob!b@h PRIVMSG #c :hello")
    phone.gets(":bob!b@h PRIVMSG #c :hello")


# --- a client detaches it


async def test_a_part_for_that_reason_detaches(stage: Stage) -> None:
    upstream, phone = await in_channel(stage)
    desk = await stage.attached("alice@desk")
    upstream.heard()
    phone.says("PART #C,#d :Detach")
    for device in (phone, desk):
        device.gets(":alice!al@home.example PART #c Detached", ":alice!al@home.example PART #d Detached")
    assert upstream.heard() == []
    assert channel(stage).detached
    assert "#c" in upstream.link.state.channels


async def test_a_part_for_another_reason_leaves(stage: Stage) -> None:
    upstream, phone = await in_channel(stage)
    upstream.heard()
    phone.says("PART #c :detached from this")
    assert upstream.heard() == ["PART #c :detached from this"]


async def test_what_is_not_on_the_screens_can_not_be_detached(stage: Stage) -> None:
    upstream, phone = await in_channel(stage)
    upstream.heard()
    phone.says("PART #nowhere :detach")
    phone.gets(":irc.example 442 alice #nowhere :You're not on that channel")
    assert upstream.heard() == []


async def test_it_can_be_detached_while_the_network_is_away(stage: Stage) -> None:
    upstream, phone = await in_channel(stage)
    upstream.hangs_up()
    phone.lines()
    phone.says("PART #c :detach")
    phone.gets(":alice!al@home.example PART #c Detached")
    upstream.welcomes()
    assert any("#c" in line for line in upstream.heard())
    phone.lines()
    upstream.joins("#c", "@bob")
    phone.gets_nothing()


# --- it detaches by itself


def deadlines(stage: Stage) -> list[float]:
    """When a channel may have been silent for long enough."""
    return [each.when for each in stage.timers.deadlines if not each.cancelled and "Detached." in str(each.act)]


def later(stage: Stage, phone: Device, minutes: int) -> None:
    """Time goes by, with signs of life of the phone."""
    for _ in range(minutes):
        stage.timers.pass_by(MINUTE)
        phone.says("PONG here")


@pytest.mark.parametrize(
    ("rule", "keeps", "reason"),
    [
        (MESSAGE, ":bob!b@h PRIVMSG #c :hello", "of silence"),
        (HIGHLIGHT, ":bob!b@h PRIVMSG #c :alice?", "without a highlight"),
        (NONE, ":alice!al@home.example PRIVMSG #c :mine", "without a word of yours"),
    ],
)
async def test_silence_detaches(stage: Stage, rule: str, keeps: str, reason: str) -> None:
    upstream, phone = await in_channel(stage, detach_after=3 * MINUTE, detach_on=rule)
    later(stage, phone, 2)
    upstream.says(keeps)
    later(stage, phone, 2)
    upstream.says(":bob!b@h JOIN #c")
    assert not channel(stage).detached
    phone.lines()
    later(stage, phone, 1)
    phone.gets(f":alice!al@home.example PART #c :Detached after 3 min {reason}")
    assert channel(stage).detached
    assert not channel(stage, "#d").detached


async def test_what_does_not_count_is_silence(stage: Stage) -> None:
    upstream, phone = await in_channel(stage, detach_after=3 * MINUTE, detach_on=NONE)
    later(stage, phone, 2)
    upstream.says(":bob!b@h PRIVMSG #c :alice?")
    assert not channel(stage).detached
    later(stage, phone, 1)
    assert channel(stage).detached


async def test_own_words_always_count(stage: Stage) -> None:
    _, phone = await in_channel(stage, detach_after=3 * MINUTE, detach_on=HIGHLIGHT)
    later(stage, phone, 2)
    phone.says("PRIVMSG #c :still here")
    later(stage, phone, 2)
    assert not channel(stage).detached
    later(stage, phone, 1)
    assert channel(stage).detached


async def test_one_deadline_serves_all_channels_and_none_is_set_without_need(stage: Stage) -> None:
    await in_channel(stage)
    assert deadlines(stage) == []
    now = stage.timers.now()
    change(stage, Channel("#c", detach_after=DAY), Channel("#d", detach_after=2 * DAY))
    assert deadlines(stage) == [now + DAY]
    stage.timers.pass_by(DAY)
    assert deadlines(stage) == [now + 2 * DAY]
    change(stage, Channel("#c", detached=True), Channel("#d"))
    assert deadlines(stage) == []


async def test_coming_back_begins_the_count_anew(stage: Stage) -> None:
    _, phone = await in_channel(stage, detach_after=3 * MINUTE)
    later(stage, phone, 3)
    assert channel(stage).detached
    later(stage, phone, 3)
    phone.says("JOIN #c")
    later(stage, phone, 2)
    assert not channel(stage).detached
    later(stage, phone, 1)
    assert channel(stage).detached


async def test_the_networks_absence_is_not_silence(stage: Stage) -> None:
    upstream, phone = await in_channel(stage, detach_after=3 * MINUTE)
    upstream.hangs_up()
    later(stage, phone, 5)
    assert not channel(stage).detached
    upstream.welcomes()
    upstream.joins("#c", "@bob")
    later(stage, phone, 2)
    assert not channel(stage).detached
    later(stage, phone, 1)
    assert channel(stage).detached


async def test_a_network_that_was_removed_leaves_no_deadline(stage: Stage) -> None:
    await in_channel(stage, detach_after=DAY)
    assert deadlines(stage)
    (user,) = stage.house.users()
    stage.house.replace(replace(user, networks=()))
    stage.timers.pass_by(DAY)
    assert deadlines(stage) == []


# --- another name


async def test_a_detached_channel_with_another_name_stays_out_of_sight(stage: Stage) -> None:
    upstream, phone = await in_channel(stage, detached=True, relay=MESSAGE)
    upstream.says(":irc.example RENAME #c #new :tidying up", ":bob!b@h PRIVMSG #new :hello")
    phone.gets(f"{TOLD} :#new: <bob> hello")
    assert channel(stage, "#new").detached


async def test_a_channel_with_another_name_detaches_as_before(stage: Stage) -> None:
    upstream, phone = await in_channel(stage, detach_after=3 * MINUTE)
    later(stage, phone, 2)
    upstream.says(":irc.example RENAME #c #new :tidying up")
    later(stage, phone, 3)
    assert channel(stage, "#new").detached


# --- people


async def test_people_seen_only_there_are_not_shown(stage: Stage) -> None:
    upstream, _ = await in_channel(stage, detached=True)
    phone = await stage.attached("alice@tablet", "away-notify account-notify chghost setname")
    unseen = [
        ":bob!b@h AWAY :gone",
        ":bob!b@h ACCOUNT bobby",
        ":bob!b@h CHGHOST b h2",
        ":bob!b@h2 SETNAME :Robert",
        ":bob!b@h2 NICK rob",
        ":rob!b@h2 QUIT :bye",
    ]
    upstream.says(*unseen)
    phone.gets_nothing()
    assert "rob" not in upstream.link.state.channels["#c"].members


async def test_people_seen_elsewhere_or_nowhere_are_shown(stage: Stage) -> None:
    upstream, phone = await in_channel(stage, detached=True)
    upstream.says(":dora!d@h JOIN #c")
    lines = [
        ":dora!d@h NICK dori",
        ":dori!d@h QUIT :bye",
        ":stranger!s@h NICK other",
        ":alice!al@home.example NICK alison",
    ]
    upstream.says(*lines)
    phone.gets(*lines)


async def test_people_on_screens_that_come_back_are_shown(stage: Stage) -> None:
    upstream, phone = await in_channel(stage, detached=True)
    upstream.says(":dora!d@h JOIN #c")
    upstream.hangs_up()
    upstream.welcomes()
    upstream.joins("#c", "dora")
    phone.lines()
    upstream.says(":dora!d@h QUIT :bye")
    phone.gets(":dora!d@h QUIT :bye")
