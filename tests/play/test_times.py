"""Clocks that are wrong: ours, and networks'."""

from __future__ import annotations

import pytest

from bouncer.model.history import LAST_SEQ, Range
from bouncer.model.ports import Kept
from tests.play.stage import START, Stage


async def kept(stage: Stage) -> list[Kept]:
    await stage.settle()
    network = stage.upstream().link.network.id
    found = await stage.store.lines(Range(network, ("#c",), LAST_SEQ, 100))
    return sorted(found, key=lambda line: line.seq)


async def test_our_clock_is_set_back_an_hour(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice@phone", "server-time")
    upstream.says(":bob!b@h PRIVMSG #c :one")
    stage.timers.time -= 3600
    upstream.says(":bob!b@h PRIVMSG #c :two")
    phone.says("PRIVMSG #c :mine")
    stage.timers.time += 5
    upstream.says(":bob!b@h PRIVMSG #c :three")
    phone.gets(*(f"@time=2023-11-14T22:13:20.000Z :bob!b@h PRIVMSG #c :{text}" for text in ("one", "two", "three")))
    await stage.settle()
    stage.begin()  # with the clock still wrong
    upstream = stage.upstream()
    upstream.welcomes()
    stage.timers.time += 5
    upstream.says(":bob!b@h PRIVMSG #c :four")
    times = [line.time for line in await kept(stage)]
    assert times[:4] == [round(START * 1000)] * 4
    assert round((START - 3590) * 1000) <= times[4] <= times[0]
    stage.timers.time += 7200
    upstream.says(":bob!b@h PRIVMSG #c :five")
    assert (await kept(stage))[-1].time == round((START + 3610) * 1000)


@pytest.mark.parametrize("year", ["1970", "2100", "0000", "99999"])
async def test_a_networks_clock_is_off_by_decades(stage: Stage, year: str) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice@phone", "server-time message-tags")
    line = f"@time={year}-01-01T00:00:00.000Z;msgid=m :bob!b@h PRIVMSG #c :hello"
    upstream.says(line, f"@time={year}-01-01T00:00:00.000Z :alice!al@home.example JOIN #c")
    shown = phone.lines()
    assert shown[0] == "@time=2023-11-14T22:13:20.000Z;msgid=m :bob!b@h PRIVMSG #c :hello"
    (found,) = await kept(stage)
    assert found.time == round(START * 1000)
    assert found.raw.decode() == line


async def test_a_live_line_is_news_though_its_msgid_is_known(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice@phone", "message-tags")
    line = "@msgid=m :bob!b@h PRIVMSG #c :hello"
    upstream.says(line, line)
    phone.gets(line, line)
    assert len(await kept(stage)) == 2
