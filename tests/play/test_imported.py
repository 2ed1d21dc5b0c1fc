"""Lines of the past that are put into history while people talk."""

from __future__ import annotations

from dataclasses import replace

from bouncer.model.past import PastLine, past_line
from tests.play.stage import START, Stage

ASKS = "batch server-time message-tags draft/chathistory"


def past(seconds: float, text: str) -> PastLine:
    """A line that Bob said in #c so long before the start."""
    return past_line(int((START - seconds) * 1000), b":bob!b@h PRIVMSG #c :" + text.encode(), "#c")


async def test_no_device_is_shown_them_as_missed_and_none_loses_a_line(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#c", "bob")
    here, there = await stage.attached("alice/example@here"), await stage.attached("alice/example@there")
    there.leaves()
    upstream.says(":bob!b@h PRIVMSG #c :before")
    upstream.link.import_lines([past(1000, "old 1"), past(900, "old 2")])
    upstream.says(":bob!b@h PRIVMSG #c :after")
    here.gets(":bob!b@h PRIVMSG #c :before", ":bob!b@h PRIVMSG #c :after")
    for _ in range(2):  # from memory, and from the store in the process's next life
        back = await stage.device("alice/example@there")
        back.answer_pings = False
        texts = [line.rpartition(" ")[2] for line in await back.gets_soon() if " PRIVMSG #c " in line]
        assert texts == ["before", "after"]
        stage.store.commit()
        stage.begin()
    new = await stage.device("alice/example@new")
    assert [line.rpartition(" ")[2] for line in await new.gets_soon() if " PRIVMSG #c " in line] == ["before", "after"]


async def test_a_position_goes_on_past_them(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#c", "bob")
    device = await stage.attached("alice/example@phone")
    upstream.link.import_lines([past(1000 - number, "old") for number in range(10)])
    stage.timers.time += 10
    upstream.says(":bob!b@h PRIVMSG #c :now")
    device.lines()
    assert upstream.link.positions.kept["phone"] == upstream.link.log.seq
    device.leaves()
    stage.store.commit()
    stage.begin()
    again = await stage.device("alice/example@phone")
    assert not [line for line in await again.gets_soon() if " PRIVMSG #c " in line]


async def test_they_stand_at_their_time_and_can_be_named(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#c", "bob")
    upstream.says(":bob!b@h PRIVMSG #c :now")
    upstream.link.import_lines([past(60, "a minute ago")])
    device = await stage.attached("alice/example@phone", ASKS)
    device.says("CHATHISTORY LATEST #c * 10")
    lines = await device.gets_soon()
    assert [line.rpartition(":")[2] for line in lines if " PRIVMSG " in line] == ["a minute ago", "now"]
    assert "time=2023-11-14T22:12:20.000Z" in lines[1]
    assert "msgid=bnc-0-1-" in lines[1]
    msgid = lines[1].partition("msgid=")[2].partition(";")[0].partition(" ")[0]
    device.says(f"CHATHISTORY AFTER #c msgid={msgid} 10")
    assert [line.rpartition(":")[2] for line in await device.gets_soon() if " PRIVMSG " in line] == ["now"]


async def test_a_channel_that_is_shown_again_shows_only_what_was_missed(stage: Stage) -> None:
    upstream = stage.connected(channels=("#c",))
    upstream.joins("#c", "bob")
    device = await stage.attached("alice/example@phone")
    detach(stage, hidden=True)
    upstream.says(":bob!b@h PRIVMSG #c :missed")
    upstream.link.import_lines([past(5, "of the past")])
    device.lines()
    detach(stage, hidden=False)
    lines = await device.gets_soon()
    assert next(line for line in lines if " PRIVMSG #c " in line).endswith("missed")
    assert not any("of the past" in line for line in lines)


def detach(stage: Stage, *, hidden: bool) -> None:
    account = stage.house.account("alice")
    assert account is not None
    (network,) = account.user.networks
    channels = tuple(replace(channel, detached=hidden) for channel in network.channels)
    stage.house.replace(replace(account.user, networks=(replace(network, channels=channels),)))
