"""What a device missed it gets at attach: all of it, in order, once."""

from __future__ import annotations

import re

import pytest

from tests.play.stage import START, Device, Stage, Upstream

DAY = 86400.0


TIME_IN_TEXT = re.compile(r"\[[-0-9: ]+\] ")


def said(lines: list[str]) -> list[str]:
    """The target and text of each PRIVMSG."""
    return [line.partition(" PRIVMSG ")[2] for line in lines if " PRIVMSG " in line]


def texts(lines: list[str]) -> list[str]:
    """The same, without times in the text."""
    return [TIME_IN_TEXT.sub("", text) for text in said(lines)]


def numbered(upstream: Upstream, first: int, last: int, target: str = "#c") -> list[str]:
    """Say numbered lines, a second apart; what a client should get of them."""
    for number in range(first, last):
        upstream.stage.timers.time += 1
        upstream.says(f":bob!b@h PRIVMSG {target} :line {number}")
    return [f"{target} :line {number}" for number in range(first, last)]


async def read(device: Device) -> list[str]:
    """All that there is to read, asked for until nothing comes any more."""
    lines: list[str] = []
    while more := await device.gets_soon():
        lines += more
    return lines


async def test_each_device_gets_what_it_missed_once(stage: Stage) -> None:
    upstream = stage.connected()
    for device in ("phone", "desk"):
        (await stage.attached(f"alice@{device}")).leaves()
    expected = numbered(upstream, 0, 200)
    for device in ("phone", "desk"):
        first = await stage.device(f"alice@{device}", "server-time")
        assert texts(await read(first)) == expected
        first.leaves()
        second = await stage.device(f"alice@{device}", "server-time")
        assert texts(await read(second)) == []
        second.leaves()


async def test_a_line_keeps_the_time_at_which_it_was_said(stage: Stage) -> None:
    upstream = stage.connected()
    (await stage.attached("alice@phone")).leaves()
    upstream.says(":bob!b@h PRIVMSG #c :then")
    stage.timers.pass_by(3600)
    phone = await stage.device("alice@phone", "server-time")
    assert "@time=2023-11-14T22:13:20.000Z :bob!b@h PRIVMSG #c :then" in await read(phone)


async def test_what_is_not_confirmed_is_repeated_with_the_same_time_and_id(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice@phone", "server-time message-tags")
    phone.answer_pings = False
    upstream.says(":bob!b@h PRIVMSG #c :did you get this?")
    (first,) = phone.lines()
    phone.leaves()
    again = await stage.device("alice@phone", "server-time message-tags")
    assert first in await read(again)


async def test_who_has_answered_is_asked_again_with_the_next_text(stage: Stage) -> None:
    """So that who goes has, at most, what was on its way a second time."""
    upstream = stage.connected()
    phone = await stage.attached("alice@phone")
    for number in range(30):
        upstream.says(f":bob!b@h PRIVMSG #c :line {number}")
        assert texts(phone.lines()) == [f"#c :line {number}"]
    phone.leaves()
    upstream.says(":bob!b@h PRIVMSG #c :the next")
    phone = await stage.device("alice@phone")
    assert texts(await read(phone)) == ["#c :the next"]


async def test_what_came_while_a_question_was_out_is_asked_for_with_the_answer(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice@phone")
    upstream.says(":bob!b@h PRIVMSG #c :asked for")
    upstream.says(":bob!b@h PRIVMSG #c :not yet")
    first, second = phone.lines(), phone.lines()
    assert (texts(first), second) == (["#c :asked for", "#c :not yet"], [])  # it has answered twice
    phone.leaves()
    assert texts(await read(await stage.device("alice@phone"))) == []


async def test_who_does_not_answer_is_asked_seldom(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice@phone")
    phone.answer_pings = False
    for number in range(100):
        stage.timers.pass_by(0.1)
        upstream.says(f":bob!b@h PRIVMSG #c :line {number}")
    assert b"".join(phone.written).count(b"PING :bnc-") == 2


async def test_an_answer_to_a_question_never_asked_moves_nothing(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice@phone")
    phone.answer_pings = False
    upstream.says(":bob!b@h PRIVMSG #c :unread")
    phone.says("PONG :bnc-ffffffffff", "PONG :bnc-", "PONG :bnc-zz", "PONG x :bnc--1")
    phone.leaves()
    assert texts(await read(await stage.device("alice@phone"))) == ["#c :unread"]


async def test_after_a_kill_nothing_is_lost_and_nothing_confirmed_is_repeated(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice@phone")
    read_before = numbered(upstream, 0, 5)
    assert texts(await read(phone)) == read_before
    stage.timers.pass_by(10)
    await read(phone)
    phone.leaves()
    expected = numbered(upstream, 5, 30)
    await stage.settle()
    stage.begin()
    stage.upstream().welcomes()
    expected += numbered(stage.upstream(), 30, 40)
    assert texts(await read(await stage.device("alice@phone"))) == expected


async def test_a_device_that_was_never_there_gets_a_first_helping(stage: Stage) -> None:
    upstream = stage.connected(first_helping=10)
    upstream.says(":bob!b@h PRIVMSG #c :too long ago")
    stage.timers.time += 8 * DAY
    expected = numbered(upstream, 0, 4)
    await stage.settle()
    assert texts(await read(await stage.device("alice@new"))) == expected
    expected = (expected + numbered(upstream, 4, 20))[-10:]
    await stage.settle()
    assert texts(await read(await stage.device("alice@newer"))) == expected


async def test_unnamed_clients_with_other_settings_do_not_steal_each_others_place(stage: Stage) -> None:
    upstream = stage.connected()
    for realname in ("One", "Two"):
        device = Device(stage)
        device.says("PASS secret", "NICK a", f"USER alice 0 * :{realname}")
        await read(device)
        device.leaves()
    expected = numbered(upstream, 0, 3)
    for realname in ("One", "Two"):
        device = Device(stage)
        device.says("PASS secret", "NICK a", f"USER alice 0 * :{realname}")
        assert texts(await read(device)) == expected


async def test_a_client_with_batches_gets_each_conversation_in_one(stage: Stage) -> None:
    upstream = stage.connected()
    (await stage.attached("alice@phone")).leaves()
    upstream.says(
        ":bob!b@h PRIVMSG #c :one", ":bob!b@h PRIVMSG alice :psst", ":carl!c@h NOTICE #c :two", ":bob!b@h JOIN #c"
    )
    phone = await stage.device("alice@phone", "batch server-time")
    time = "time=2023-11-14T22:13:20.000Z"
    lines = [line for line in await read(phone) if "BATCH" in line or "batch=" in line]
    assert lines == [
        ":irc.example BATCH +r1 chathistory #c",
        f"@batch=r1;{time} :bob!b@h PRIVMSG #c :one",
        f"@batch=r1;{time} :carl!c@h NOTICE #c :two",
        ":irc.example BATCH -r1",
        ":irc.example BATCH +r2 chathistory bob",
        f"@batch=r2;{time} :bob!b@h PRIVMSG alice :psst",
        ":irc.example BATCH -r2",
    ]


async def test_a_client_without_time_tags_gets_the_time_in_the_text(stage: Stage) -> None:
    upstream = stage.connected(timezone="Europe/Berlin")
    (await stage.attached("alice@old")).leaves()
    upstream.says(":bob!b@h PRIVMSG #c :late")
    stage.timers.time += 3600
    upstream.says(":bob!b@h PRIVMSG #c :\x01ACTION yawns\x01")
    assert said(await read(await stage.device("alice@old"))) == [
        "#c :[2023-11-14 23:13:20] late",
        "#c :\x01ACTION [2023-11-15 00:13:20] yawns\x01",
    ]


async def test_what_a_device_said_itself_is_replayed_to_the_others_only(stage: Stage) -> None:
    stage.connected()
    for device in ("phone", "desk", "echo"):
        (await stage.attached(f"alice@{device}")).leaves()
    phone = await stage.attached("alice@phone")
    phone.answer_pings = False
    phone.says("PRIVMSG #c :mine")
    phone.leaves()
    assert texts(await read(await stage.device("alice@phone"))) == []
    assert texts(await read(await stage.device("alice@desk", "server-time"))) == ["#c mine"]


@pytest.mark.parametrize(
    "line",
    [
        "PRIVMSG NickServ :IDENTIFY hunter2",
        "PRIVMSG nickserv@services.example :REGISTER hunter2 a@example.org",
        "PRIVMSG NickServ!s@services.example :GHOST alice hunter2",
        "NOTICE NICKSERV :IDENTIFY hunter2",
        "PRIVMSG AuthServ@Services.GameSurge.net :AUTH alice hunter2",
        "PRIVMSG ChanServ :REGISTER #c hunter2",
        "PRIVMSG Q@CServe.quakenet.org :AUTH alice hunter2",
        "PRIVMSG Q :AUTH alice hunter2",
        "PRIVMSG x@channels.undernet.org :login alice hunter2",
        "PRIVMSG bob,NickServ :IDENTIFY hunter2",
        "NS IDENTIFY hunter2",
        "NICKSERV IDENTIFY hunter2",
        "PASS hunter2",
        "OPER alice hunter2",
        "AUTHENTICATE hunter2",
        "SQUERY NickServ :IDENTIFY hunter2",
    ],
)
async def test_passwords_for_services_are_not_kept(stage: Stage, line: str) -> None:
    upstream = stage.connected()
    (await stage.attached("alice@desk")).leaves()
    phone = await stage.attached("alice@phone", "draft/event-playback")
    phone.says(line, "PRIVMSG carl :kept")
    await stage.settle()
    kept = [row.raw for row in stage.store._lines[upstream.link.network.id]]
    assert not [raw for raw in kept if b"hunter2" in raw and b"PRIVMSG bob " not in raw]
    assert texts(await read(await stage.device("alice@desk")))[-1] == "carl :kept"


async def test_answers_of_services_that_may_repeat_a_password_are_shown_and_not_kept(stage: Stage) -> None:
    upstream = stage.connected()
    (await stage.attached("alice@desk")).leaves()
    phone = await stage.attached("alice@phone")
    secret = (
        ":NickServ!s@services NOTICE alice :You are registered; your password is hunter2, remember it",
        ":NickServ!s@services NOTICE alice :hunter2 is too simple",
        ":ChanServ!s@services NOTICE alice :Your channel password is hunter2",
    )
    news = (":ChanServ!s@services NOTICE alice :[#c] welcome", ":x!x@h PRIVMSG alice :pass me the salt")
    upstream.says(*secret, *news)
    phone.gets(*secret, *news)
    phone.says("PRIVMSG x :here it is")
    lines = await read(await stage.device("alice@desk"))
    assert [TIME_IN_TEXT.sub("", line) for line in lines if TIME_IN_TEXT.search(line)] == [
        *news,
        ":alice!al@home.example PRIVMSG x :here it is",
    ]


async def test_private_lines_are_for_the_nick_of_now(stage: Stage) -> None:
    upstream = stage.connected()
    for device in ("phone", "desk"):
        (await stage.attached(f"alice@{device}", "server-time")).leaves()
    phone = await stage.attached("alice@phone", "server-time")
    upstream.says(":Bob!b@h PRIVMSG alice :hi")
    phone.says("PRIVMSG bob :hello there")
    upstream.says(":alice!al@home.example NICK alicia")
    await stage.settle()
    stage.begin()
    stage.upstream().welcomes("alicia")
    lines = [line.partition(" ")[2] for line in await read(await stage.device("alice@desk", "server-time"))]
    assert [line for line in lines if " PRIVMSG " in line] == [
        ":Bob!b@h PRIVMSG alicia hi",
        ":alicia!al@home.example PRIVMSG bob :hello there",
    ]


async def test_requests_of_programs_are_not_kept(stage: Stage) -> None:
    upstream = stage.connected()
    (await stage.attached("alice@desk")).leaves()
    upstream.says(":bob!b@h PRIVMSG alice :\x01VERSION\x01", ":bob!b@h NOTICE alice :\x01PING 1\x01")
    assert texts(await read(await stage.device("alice@desk"))) == []


async def test_text_that_comes_during_the_replay_comes_after_it(stage: Stage) -> None:
    upstream = stage.connected()
    (await stage.attached("alice@phone")).leaves()
    expected = numbered(upstream, 0, 2500)
    await stage.settle()
    phone = Device(stage)
    phone.says("PASS alice@phone:secret", "NICK a", "USER a 0 * :b")
    expected += numbered(upstream, 2500, 2600)
    assert texts(await read(phone)) == expected


async def test_a_device_attached_twice_counts_as_far_as_the_one_that_read_least(stage: Stage) -> None:
    upstream = stage.connected()
    quick = await stage.attached("alice@phone")
    dead = await stage.attached("alice@phone")
    dead.answer_pings = False
    upstream.says(":bob!b@h PRIVMSG #c :only one of us read this")
    quick.lines()
    quick.leaves()
    dead.leaves()
    assert texts(await read(await stage.device("alice@phone"))) == ["#c :only one of us read this"]


async def test_a_client_that_fell_out_of_memory_reads_on_from_the_store(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice@phone", "server-time")
    phone.full = True
    long = "x" * 400
    for number in range(9000):
        upstream.says(f":bob!b@h PRIVMSG #c :{number} {long}")
        if not number % 500:
            await stage.settle()
    await stage.settle()
    log = upstream.link.log
    assert log.head - log.tail < 9000  # not all of it is in memory
    phone.takes_again()
    assert texts(await read(phone)) == [f"#c :{number} {long}" for number in range(9000)]


async def test_one_that_is_too_far_behind_is_sent_away_and_loses_nothing(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#c")
    phone = await stage.attached("alice@phone", "server-time")
    phone.full = True
    long = "x" * 400
    for number in range(9000):
        upstream.says(f":bob!b@h PRIVMSG #c :{number} {long}")
        if number == 10:
            upstream.says(":carl!c@h JOIN #c")  # which no page of text can tell later
        if not number % 500:
            await stage.settle()
    await stage.settle()
    phone.takes_again()
    assert phone.lines() == ["ERROR :Closing link: You were too far behind; connect again, nothing is lost"]
    again = await stage.device("alice@phone", "server-time")
    assert texts(await read(again)) == [f"#c :{number} {long}" for number in range(9000)]


async def test_a_silent_client_is_asked_and_then_let_go(stage: Stage) -> None:
    stage.connected()
    phone = await stage.attached("alice@phone")
    phone.answer_pings = False
    stage.timers.pass_by(100)
    assert phone.written
    assert phone.written[-1].startswith(b"PING :bnc-")
    stage.timers.pass_by(60)
    assert phone.closed
    assert phone.lines() == ["ERROR :Closing link: Ping timeout"]


async def test_a_client_that_answers_stays(stage: Stage) -> None:
    stage.connected()
    phone = await stage.attached("alice@phone")
    for _ in range(20):
        stage.timers.pass_by(60)
        phone.lines()
    assert not phone.closed
    assert stage.timers.time == START + 1200


async def test_proofs_are_asked_for_at_most_every_five_seconds(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice@phone")
    phone.answer_pings = False
    stage.timers.pass_by(10)
    phone.lines()
    asked = 0
    for _ in range(100):
        stage.timers.pass_by(0.1)
        upstream.says(":bob!b@h PRIVMSG #c :quick")
    stage.timers.pass_by(6)
    asked = b"".join(phone.written).count(b"PING :bnc-")
    assert 3 <= asked <= 4


async def test_a_time_in_the_text_makes_no_line_too_long(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice@phone")
    phone.leaves()
    words = " ".join(f"word{number:03d}" for number in range(59))
    upstream.says(f":bob!b@h PRIVMSG alice :{words}", f":bob!b@h PRIVMSG alice :\x01ACTION {words[:-3]}\x01")
    phone = await stage.device("alice@phone")
    lines = [line for line in phone.lines() if "PRIVMSG" in line]
    assert len(lines) == 4
    assert max(map(len, lines)) <= 510
    said = [line.partition(" :")[2] for line in lines]
    assert f"{said[0]} {said[1]}" == f"[2023-11-14 22:13:20] {words}"
    assert said[2].startswith("\x01ACTION [22:13:20] word000 ")
    assert all(each.startswith("\x01ACTION ") and each.endswith("\x01") for each in said[2:])
