"""A network sends history: it is no news, it is kept once, and it is shown in its place in time."""

from __future__ import annotations

from functools import partialmethod

import pytest

from bouncer.core import replayed
from bouncer.downstream.deliver import stamp
from bouncer.downstream.replay import Replay
from bouncer.irc.message import Message
from bouncer.model.entry import SHOWN_KINDS, TEXT_KINDS
from bouncer.model.history import LAST_SEQ, Range
from bouncer.model.ports import Kept
from bouncer.upstream import batches
from tests.play.stage import START, Device, Stage, Upstream

HOUR = 3600.0
FULL = "batch server-time message-tags"


def at(seconds: float) -> str:
    """The time tag of so many seconds after the start."""
    return f"time={stamp(round((START + seconds) * 1000))}"


def replay(*lines: str, target: str = "#c", kind: str = "chathistory", reference: str = "x") -> list[str]:
    """A batch of these lines, each with its tags but for the batch's."""
    inner = [f"@batch={reference};{line[1:]}" if line[0] == "@" else f"@batch={reference} {line}" for line in lines]
    return [f":irc.example BATCH +{reference} {kind} {target}", *inner, f":irc.example BATCH -{reference}"]


def said(seconds: float, text: str, msgid: str = "", target: str = "#c", by: str = "bob") -> str:
    return f"@{at(seconds)}{f';msgid={msgid}' if msgid else ''} :{by}!b@h PRIVMSG {target} :{text}"


async def kept(stage: Stage, *targets: str) -> list[Kept]:
    await stage.settle()
    network = stage.upstream().link.network.id
    return await stage.store.lines(Range(network, targets or ("#c",), LAST_SEQ, 10_000, kinds=SHOWN_KINDS))


async def texts(stage: Stage, *targets: str) -> list[str]:
    return [Message.parse(line.raw).params[-1] for line in await kept(stage, *targets) if line.kind in TEXT_KINDS]


def begin(stage: Stage) -> Upstream:
    upstream = stage.connected(channels=["#c"])
    upstream.joins("#c", "bob")
    return upstream


async def play(stage: Stage, upstream: Upstream, *lines: str, **more: str) -> None:
    upstream.says(*replay(*lines, **more))
    await stage.settle()


@pytest.mark.parametrize("kind", ["chathistory", "znc.in/playback"])
async def test_it_is_kept_once_with_its_own_time(stage: Stage, kind: str) -> None:
    upstream = begin(stage)
    upstream.says(said(0, "live", "m3"))
    for _ in range(2):
        await play(
            stage, upstream, said(-9 * 86400, "old", "m1"), said(-60, "newer", "m2"), said(0, "live", "m3"), kind=kind
        )
        stage.timers.pass_by(5)
        await stage.settle()
    texts = [line for line in await kept(stage) if line.kind in TEXT_KINDS]
    assert [(line.time, Message.parse(line.raw).params[-1]) for line in texts] == [
        (round((START - 9 * 86400) * 1000), "old"),
        (round((START - 60) * 1000), "newer"),
        (round(START * 1000), "live"),
    ]


async def test_without_msgids_it_is_known_by_who_said_what_and_when(stage: Stage) -> None:
    upstream = begin(stage)
    upstream.says(said(-100, "a"), said(-99, "a"))
    await play(stage, upstream, said(-100, "a"), said(-99, "a"), said(-98, "a"), said(-99, "b"))
    assert (await texts(stage))[-4:] == ["a", "a", "b", "a"]


async def test_what_the_user_said_is_known_though_the_network_has_another_time(stage: Stage) -> None:
    upstream = begin(stage)
    phone = await stage.attached()
    phone.says("PRIVMSG #c :mine", "PRIVMSG #c :mine")
    stage.timers.pass_by(HOUR)
    mine = [said(late, "mine", f"m{late}", by="alice") for late in (2, 3)]
    await play(stage, upstream, *mine, said(4, "theirs", "m4"))
    assert (await texts(stage))[-3:] == ["mine", "mine", "theirs"]
    await play(stage, upstream, *mine, said(HOUR / 2, "mine", "m5", by="alice"))
    assert (await texts(stage))[-4:] == ["mine", "mine", "theirs", "mine"]


async def test_nothing_in_it_happens_now(stage: Stage) -> None:
    upstream = begin(stage)
    state = upstream.link.state
    before = (state.nick, dict(state.channels["#c"].members.items()), state.channels["#c"].topic, set(state.umodes))
    upstream.heard()
    await play(
        stage,
        upstream,
        f"@{at(-50)} :carol!c@h JOIN #c",
        f"@{at(-49)} :bob!b@h NICK robert",
        f"@{at(-48)} :alice!al@home.example NICK other",
        f"@{at(-47)} :bob!b@h KICK #c alice :out",
        f"@{at(-46)} :bob!b@h TOPIC #c :news",
        f"@{at(-45)} :bob!b@h MODE #c +o alice",
        f"@{at(-44)} :bob!b@h PART #c",
        f"@{at(-43)} :bob!b@h QUIT :gone",
        f"@{at(-42)} :alice!al@home.example JOIN #d",
        f"@{at(-41)} :bob!b@h PRIVMSG alice :\x01VERSION\x01",
        ":irc.example 005 alice PREFIX=(q)~ :are supported by this server",
        ":irc.example CAP alice DEL :server-time",
        "PING :x",
    )
    stage.timers.pass_by(2)
    assert upstream.heard() == []  # nobody rejoins, answers or asks
    channel = upstream.link.state.channels["#c"]
    assert (state.nick, dict(channel.members.items()), channel.topic, set(state.umodes)) == before
    assert "#d" not in state.channels
    kinds = [Message.parse(line.raw).command for line in await kept(stage)]
    # our own one of the present is the last
    assert kinds == ["JOIN", "NICK", "NICK", "KICK", "TOPIC", "MODE", "PART", "QUIT", "JOIN"]


async def test_who_is_here_gets_it_as_history(stage: Stage) -> None:
    upstream = begin(stage)
    full, plain = await stage.attached("alice@full", FULL), await stage.attached("alice@plain")
    timed = await stage.attached("alice@timed", "server-time")
    asking = await stage.attached("alice@asking", f"{FULL} draft/chathistory")
    await play(
        stage, upstream, f"@{at(-5)};msgid=j :carol!c@h JOIN #c", said(-4, "missed", "m1"), said(-3, "too", "m2")
    )
    stage.timers.pass_by(2)
    await stage.settle()
    for device in (full, asking):
        first, *lines, last = device.lines()
        name = first.split()[2].removeprefix("+")
        assert first.split()[1:] == ["BATCH", f"+{name}", "chathistory", "#c"]
        assert last.split()[1:] == ["BATCH", f"-{name}"]
        assert lines == [
            f"@batch={name};{at(-4)};msgid=m1 :bob!b@h PRIVMSG #c :missed",
            f"@batch={name};{at(-3)};msgid=m2 :bob!b@h PRIVMSG #c :too",
        ]
    timed.gets(f"@{at(-4)} :bob!b@h PRIVMSG #c :missed", f"@{at(-3)} :bob!b@h PRIVMSG #c :too")
    plain.gets(":bob!b@h PRIVMSG #c :[2023-11-14 22:13:16] missed", ":bob!b@h PRIVMSG #c :[22:13:17] too")


async def test_who_was_away_gets_it_in_its_place_in_time(stage: Stage) -> None:
    upstream = begin(stage)
    (await stage.attached("alice@phone", FULL)).leaves()
    upstream.says(said(1, "first", "m1"), said(9, "last", "m9"))
    await play(stage, upstream, said(5, "between", "m5"), said(3, "out of order", "m3"))
    stage.timers.pass_by(2)
    await stage.settle()
    for _ in range(2):  # out of memory, and out of the store in the process's next life
        phone = await stage.device("alice@phone", FULL)
        phone.answer_pings = False
        found = [line.rpartition(":")[2] for line in await phone.gets_soon() if " PRIVMSG " in line]
        assert found == ["first", "out of order", "between", "last"]
        stage.store.commit()
        stage.begin()
    position = await stage.device("alice@phone", FULL)
    await position.gets_soon()
    position.leaves()
    again = await stage.device("alice@phone", FULL)
    assert not [line for line in await again.gets_soon() if " PRIVMSG " in line]


async def test_live_lines_among_it_are_live(stage: Stage) -> None:
    upstream = begin(stage)
    phone = await stage.attached()
    start, line, end = replay(said(-4, "missed"))
    upstream.says(start, ":bob!b@h PRIVMSG #c :now", line, ":bob!b@h TOPIC #c :new")
    phone.gets(":bob!b@h PRIVMSG #c :now", ":bob!b@h TOPIC #c :new")
    upstream.says(end)
    stage.timers.pass_by(2)
    assert await phone.gets_soon() == [":bob!b@h PRIVMSG #c :[2023-11-14 22:13:16] missed"]


async def test_batches_in_it_are_part_of_it(stage: Stage) -> None:
    upstream = begin(stage)
    upstream.says(
        ":irc.example BATCH +o labeled-response",
        "@batch=o :irc.example BATCH +x chathistory #c",
        "@batch=x :irc.example BATCH +y draft/multiline #c",
        f"@batch=y;{at(-99)} :bob!b@h PRIVMSG #c :one",
        "@batch=x :irc.example BATCH -y",
        f"@batch=x;{at(-98)} :bob!b@h PRIVMSG #c :two",
        "@batch=o :irc.example BATCH -x",
        ":irc.example BATCH -o",
    )
    assert (await texts(stage))[-2:] == ["one", "two"]


async def test_other_batches_are_news_as_ever(stage: Stage) -> None:
    upstream = begin(stage)
    phone = await stage.attached("alice@phone")
    upstream.says(":irc.example BATCH +n netsplit a b", "@batch=n :bob!b@h QUIT :a b", ":irc.example BATCH -n")
    phone.gets(":bob!b@h QUIT :a b")
    assert "bob" not in upstream.link.state.channels["#c"].members


async def test_one_that_never_ends_is_kept_all_the_same(stage: Stage) -> None:
    upstream = begin(stage)
    upstream.says(*replay(said(-100, "one"))[:2])
    assert await texts(stage) == []
    stage.timers.pass_by(batches.PATIENCE)
    assert await texts(stage) == ["one"]
    upstream.says(f"@batch=x;{at(-90)} :bob!b@h PRIVMSG #c :two", f"@batch=x;{at(-90)} :bob!b@h JOIN #c")
    upstream.hangs_up()
    assert await texts(stage) == ["one", "two"]
    assert [line.kind for line in await kept(stage)][1:] == [1, 4, 4]


async def test_a_very_long_one_is_kept_in_pieces(stage: Stage) -> None:
    upstream = begin(stage)
    lines = replay(*(said(-5000 + number, str(number)) for number in range(batches.LINES_LIMIT + 5)))
    upstream.says(*lines[:-1])
    assert len(await texts(stage)) == batches.LINES_LIMIT
    upstream.says(lines[-1])
    assert await texts(stage) == [str(number) for number in range(batches.LINES_LIMIT + 5)]


async def test_it_is_looked_at_again_when_the_store_works_again(stage: Stage) -> None:
    upstream = begin(stage)
    phone = await stage.attached()
    stage.store.fail("the disk is full")
    await play(stage, upstream, said(-100, "missed", "m1"))
    upstream.says(":bob!b@h PRIVMSG #c :now")
    phone.gets(":bob!b@h PRIVMSG #c :now")
    stage.store.fail(None)
    stage.timers.pass_by(60)
    assert [line.rpartition("] ")[2] for line in await phone.gets_soon()] == ["missed"]
    assert (await texts(stage))[-2:] == ["missed", "now"]


async def test_whom_the_user_ignores_and_what_is_not_kept(stage: Stage) -> None:
    user = stage.user(ignore=("troll!*@*",), channels=["#c"])
    upstream = stage.upstream()
    upstream.welcomes()
    upstream.joins("#c")
    await play(
        stage,
        upstream,
        said(-100, "x", by="troll"),
        said(-99, "identify secret", target="NickServ", by="alice"),
        said(-98, "y"),
        target="",
    )
    assert user.name == "alice"
    assert await texts(stage, "#c", "NickServ", "troll") == ["y"]


@pytest.mark.parametrize(
    ("tag", "seconds"), [("1970-01-01T00:00:00.000Z", 0), ("2100-01-01T00:00:00.000Z", 0), ("nonsense", 0)]
)
async def test_impossible_times_are_now(stage: Stage, tag: str, seconds: float) -> None:
    upstream = begin(stage)
    await play(stage, upstream, f"@time={tag};msgid=m :bob!b@h PRIVMSG #c :when")
    stage.timers.pass_by(2)
    line = (await kept(stage))[-1]
    assert line.time == round((START + seconds) * 1000)
    assert tag.encode() in line.raw


async def test_private_conversations_go_by_the_batch(stage: Stage) -> None:
    upstream = begin(stage)
    await play(
        stage,
        upstream,
        said(-100, "hi", target="oldnick"),
        said(-99, "hello", target="bob", by="oldnick"),
        target="bob",
        kind="znc.in/playback",
    )
    assert await texts(stage, "bob") == ["hi", "hello"]


@pytest.mark.parametrize("device", ["alice@full"])
async def test_it_survives_nonsense(stage: Stage, device: str) -> None:
    upstream = begin(stage)
    phone: Device = await stage.attached(device, FULL)
    upstream.says(
        "BATCH",
        "BATCH +",
        "BATCH -",
        "BATCH + chathistory",
        "@batch= :bob!b@h PRIVMSG #c :now",
        ":irc.example BATCH +x chathistory",
        "@batch=x :bob!b@h PRIVMSG",
        "@batch=x",
        "@batch=x :bob!b@h JOIN",
        "@batch=x NICK",
        "@batch=x BATCH +x chathistory #c",
        "@batch=x BATCH -x",
        ":irc.example BATCH -x",
        "BATCH -x",
        *(f"BATCH +{number} chathistory #c" for number in range(1000)),
    )
    stage.timers.pass_by(100)
    await stage.settle()
    assert any(line.endswith("PRIVMSG #c :now") for line in phone.lines())


async def test_what_a_detached_channel_has_of_it_comes_when_it_is_shown(stage: Stage) -> None:
    upstream = begin(stage)
    phone = await stage.attached("alice@phone", "server-time")
    phone.says("PART #c :detach")
    phone.lines()
    upstream.says(said(0, "live"))
    await play(stage, upstream, said(-40 * 86400, "very old"), said(-100, "old"))
    phone.gets_nothing()
    phone.says("JOIN #c")
    assert [line.rpartition(":")[2] for line in await phone.gets_soon() if "PRIVMSG" in line] == [
        "very old",
        "old",
        "live",
    ]


async def test_what_is_missed_is_in_order_of_time_over_all_its_pages(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Replay, "__init__", partialmethod(Replay.__init__, page_lines=10))
    upstream = begin(stage)
    for device in ("plain", "full"):
        (await stage.attached(f"alice@{device}", FULL if device == "full" else "server-time")).leaves()
    for number in range(15):
        upstream.says(said(number, f"{number}"))
    for number in range(60, 64):
        upstream.says(said(number, f"{number}"))
    stage.timers.pass_by(1000)
    await play(stage, upstream, *(said(number, f"{number}") for number in range(15, 60)))
    upstream.says(said(64, "64"))
    for device in ("plain", "full"):
        for _ in range(2):  # out of memory, and out of the store
            phone = await stage.device(f"alice@{device}", FULL if device == "full" else "server-time")
            phone.answer_pings = False
            lines = await phone.gets_soon()
            assert [line.rpartition(":")[2] for line in lines if " PRIVMSG " in line] == list(map(str, range(65)))
            stage.store.commit()
            stage.begin()


async def test_replays_of_very_many_channels_at_once(stage: Stage) -> None:
    """As after a reconnect, where each channel tells what was said last."""
    upstream = begin(stage)
    for number in range(300):
        upstream.says(*replay(said(-1, f"line {number}", f"m{number}"), target="#c"))
    stage.timers.pass_by(2)
    assert len(await texts(stage)) == 300


async def test_what_waits_for_the_store_is_bounded(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replayed, "WAITING_BYTES", 50_000)
    upstream = begin(stage)
    stage.store.fail("the disk is full")
    for number in range(1000):
        upstream.says(*replay(said(-100, f"{number}", f"m{number}")))
        upstream.says(":irc.example BATCH +e chathistory #c", ":irc.example BATCH -e")
        await stage.settle()
    assert len(upstream.link._replayed._waiting) < 100
    stage.store.fail(None)
    stage.timers.pass_by(60)
    found = await texts(stage)
    assert found == [str(number) for number in range(len(found))]
    assert 10 < len(found) < 100
    await play(stage, upstream, said(-90, "again", "m"))
    assert (await texts(stage))[-1] == "again"


async def test_passwords_that_were_said_under_another_nick(stage: Stage) -> None:
    upstream = begin(stage)
    for target in ("NickServ", ""):
        await play(stage, upstream, said(-99, "identify secret", target="NickServ", by="mynick"), target=target)
    assert await texts(stage, "NickServ", "mynick") == []


async def test_what_is_missed_in_the_second_of_the_break_came_behind_what_was_heard(stage: Stage) -> None:
    """Networks whose history has whole seconds: what was said live has the milliseconds in which it came."""
    upstream = begin(stage)
    stage.timers.pass_by(0.7)
    upstream.says("@msgid=m1 :bob!b@h PRIVMSG #c :heard")
    upstream.hangs_up()
    upstream.welcomes()
    upstream.joins("#c", "bob")
    await play(stage, upstream, said(-1, "before"), said(0, "heard", "m1"), said(0, "missed", "m2"))
    stage.timers.pass_by(5)
    await stage.settle()
    assert await texts(stage) == ["before", "heard", "missed"]


async def test_clients_that_can_take_the_same_share_one_rendering(stage: Stage) -> None:
    upstream = begin(stage)
    caps = [FULL, FULL, f"{FULL} draft/event-playback", f"{FULL} draft/event-playback", "", ""]
    devices = [await stage.attached(f"alice@{number}", each) for number, each in enumerate(caps)]
    devices[0].says("PRIVMSG #c :mine")
    await play(stage, upstream, f"@{at(-90)} :eve!e@h JOIN #c", *(said(-80 + n, f"{n}") for n in range(3)))
    assert len(upstream.link.log.forms) == 3
    await play(stage, upstream, said(-70, "more"))
    upstream.says(":bob!b@h PRIVMSG #c :live")
    first, *others = [device.lines() for device in devices]
    assert [line for line in others[0] if "mine" not in line] == first
    assert others[1] == others[2]
    assert others[3] == others[4]
    assert [sum(" JOIN " in line for line in lines) for lines in (first, others[1], others[3])] == [0, 1, 0]
    assert all(
        [line[-1] for line in lines if " PRIVMSG " in line][-5:] == [*"012", "e", "e"] for lines in (first, *others)
    )
