"""A page of the past, written the short way and the long one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bouncer.caps.table import CAPABILITIES
from bouncer.downstream.deliver import Renderer
from bouncer.downstream.missed import JITTER_MS, steady
from bouncer.downstream.replay import Replay, in_order
from bouncer.irc.message import Message
from bouncer.model.capability import Capability
from bouncer.model.entry import Entry, Kind
from bouncer.model.ports import Kept, Run
from bouncer.model.records import Channel
from tests.play.stage import ALL_CAPS, Stage

START = 1_700_000_000_000
CAPS = (
    "",
    "server-time",
    "batch",
    "account-tag",
    "server-time batch",
    "server-time batch message-tags",
    "server-time account-tag",
    "znc.in/server-time-iso znc.in/batch",
    "server-time batch draft/event-playback",
    ALL_CAPS,
)
TAGS = (
    "",
    "@ ",
    "@time=2023-01-01T00:00:00.000Z ",
    "@time=2023-01-01T00:00:00.000Z;msgid=abc;account=bob ",
    "@account=;+typing;+draft/react=\\s ",
    "@a=1;b=2;a=3;msgid=x;msgid=y ",
    "@+x=1;+y;+x ",
    "@+y;+x;+y=1 ",
    "@batch=7;label=1;=odd;;account=b ",
    "@+caf\udcff=\udcfe  ",
)
SOURCES = (":bob!b@h ", ":alice!al@h ", ":irc.example ", "", ":bob!b@h  ")
TARGETS = ("#c", "#hidden", "#caf\udce9", "bob", "alice", "")
NAMES = (*TARGETS, "@#c", "#C", "#elsewhere", "#c  ")
TEXTS = (" :hello there", " :", " word", " :\x01ACTION waves\x01", " : PRIVMSG alice :x", " :caf\udce9 \U0001f600", "")
LONG = " :" + "twelve bytes " * 38
KINDS = (Kind.PRIVMSG, Kind.NOTICE, Kind.TAGMSG, Kind.JOIN, Kind.QUIT, Kind.NICK)


@st.composite
def pages(draw: st.DrawFn) -> list[Kept]:
    seq, latest = draw(st.integers(0, 5)), START
    rows = []
    for _ in range(draw(st.integers(0, 12))):
        seq += draw(st.integers(1, 3))
        latest += draw(st.sampled_from([0, 1, 999, 60_000, 86_400_000]))
        time = latest - draw(st.sampled_from([0, 0, 400, JITTER_MS]))  # so that all stay in their order
        kind = draw(st.sampled_from((Kind.PRIVMSG, Kind.PRIVMSG, *KINDS)))
        target = draw(st.sampled_from(TARGETS))
        name = draw(st.sampled_from((target or "#c", *NAMES)))
        text = draw(st.sampled_from(TEXTS)) if draw(st.integers(0, 9)) else LONG[: draw(st.integers(440, 490))]
        words = f"{kind.name} {name}{text}" if kind is not Kind.QUIT else "QUIT :gone"
        raw = draw(st.sampled_from(TAGS)) + draw(st.sampled_from(SOURCES)) + words
        device = draw(st.sampled_from(["", "", "phone", "desk"]))
        boot = draw(st.integers(1, 2))
        also = draw(st.sampled_from([(), ("#c", "bob"), ("#hidden", "#c")])) if kind in (Kind.QUIT, Kind.NICK) else ()
        line = raw.encode("utf-8", "surrogateescape")
        rows.append(Kept(seq, time, int(kind), target, device, boot, line, also))
    return rows


@settings(max_examples=400, deadline=None)
@given(pages(), st.sampled_from(CAPS), st.sampled_from(["UTC", "Asia/Kolkata"]))
def test_both_ways_give_the_same_bytes(rows: list[Kept], caps: str, zone: str) -> None:
    async def live() -> None:
        stage = Stage()
        user = stage.user()
        network = replace(user.networks[0], channels=(Channel("#c"), Channel("#hidden", detached=True)))
        stage.house.replace(replace(user, networks=(network,)))
        stage.upstream().welcomes()
        device = await stage.attached("alice/example@phone", caps)
        account = stage.house.account("alice")
        assert account is not None
        (session,) = account.sessions
        assert session.device == "phone"
        run = Run.of(rows)
        assert list(run) == rows
        renderer = Renderer(CAPABILITIES)
        shown = [row for row in rows if row.kind in session.kinds]
        short = Replay(renderer, ZoneInfo(zone)).page(session, Run.of(shown))
        replay = Replay(renderer, ZoneInfo(zone))
        assert b"".join(short) == replay.written(session, replay.kept(session, shown))
        device.leaves()
        await stage.desk.close()
        stage.store.close()

    asyncio.run(live())


async def test_text_that_clients_take_in_different_forms_is_read() -> None:
    stage = Stage()
    stage.connected()
    stage.entrance._renderer = renderer = Renderer(
        (Capability("draft/shout", downgrades={"PRIVMSG": lambda message: Message.build("NOTICE", *message.params)}),)
    )
    await stage.attached()
    account = stage.house.account("alice")
    assert account is not None
    row = Kept(1, START, int(Kind.PRIVMSG), "#c", "", 1, b":bob!b@h PRIVMSG #c :a word")
    page = Replay(renderer).page(account.sessions[0], Run.of([row]))
    assert b"".join(page) == b"NOTICE #c :[2023-11-14 22:13:20] a word\r\n"
    await stage.desk.close()
    stage.store.close()


@pytest.mark.parametrize(
    ("times", "stay"),
    [([], True), ([10, 20, 20], True), ([2000, 2000 - JITTER_MS], True), ([2000, 1999 - JITTER_MS, 3000], False)],
)
def test_lines_stay_in_their_order_unless_one_is_of_the_past(times: list[int], stay: bool) -> None:
    assert steady(times) is stay
    lines = [(Entry(seq, time, Message.parse(b"x"), Kind.PRIVMSG), "") for seq, time in enumerate(times, 1)]
    assert (in_order(lines) == lines) is stay
