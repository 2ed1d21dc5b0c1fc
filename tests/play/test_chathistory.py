"""History on request: CHATHISTORY in all its forms, and what is wrong with a request."""

from __future__ import annotations

from typing import Any

import pytest

from bouncer.irc.message import Message
from bouncer.model.ports import History
from tests.play.stage import Device, Stage, Upstream

CAPS = "batch server-time message-tags draft/chathistory"
FULL = CAPS + " draft/event-playback"


def at(seconds: float) -> str:
    """A time of the stage as server-time writes it, so many seconds after the start."""
    assert 0 <= seconds < 60
    return f"2023-11-14T22:13:{20 + int(seconds):02d}.{round(seconds % 1 * 1000):03d}Z"


def talk(upstream: Upstream, count: int, target: str = "#c", first: int = 0) -> None:
    """Bob says numbered lines, the first now, each a second after the last."""
    for number in range(first, first + count):
        upstream.says(f"@msgid=m{number} :bob!b@h PRIVMSG {target} :{number}")
        upstream.stage.timers.time += 1


async def talked(stage: Stage, count: int = 10, caps: str = CAPS) -> tuple[Upstream, Device]:
    """A channel in which so many lines were said, and a client that has not seen any."""
    upstream = stage.connected()
    upstream.joins("#c", "bob")
    talk(upstream, count)
    return upstream, await stage.attached("alice@phone", caps)


async def ask(device: Device, command: str) -> list[str]:
    """What is answered."""
    device.says(command)
    return await device.gets_soon()


async def numbers(device: Device, command: str) -> str:
    """What was said in the lines of the answer."""
    lines = await ask(device, command)
    assert " BATCH +" in lines[0], lines
    assert " BATCH -" in lines[-1], lines
    return " ".join(Message.parse(line.encode()).params[-1] for line in lines[1:-1])


async def test_a_client_that_asks_is_pushed_nothing(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.says(":bob!b@h PRIVMSG #c :missed")
    phone = await stage.device("alice@phone", CAPS)
    lines = await phone.gets_soon()
    assert not [line for line in lines if "missed" in line or "BATCH" in line]
    assert [
        line
        for line in lines
        if " 005 " in line and " CHATHISTORY=1000 " in line and " MSGREFTYPES=msgid,timestamp " in line
    ]


async def test_the_position_of_one_that_asks_moves_with_its_signs_of_life(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.says(":bob!b@h PRIVMSG #c :missed")
    phone = await stage.attached("alice@phone", CAPS)
    link = upstream.link
    assert link.positions.kept["phone"] < link.log.seq
    stage.timers.pass_by(100)
    phone.lines()
    assert link.positions.kept["phone"] == link.log.seq
    phone.leaves()
    again = await stage.device("alice@phone", "batch server-time")
    assert not [line for line in await again.gets_soon() if "missed" in line]


async def test_the_answer_is_a_batch_of_lines_as_they_were_said(stage: Stage) -> None:
    _, phone = await talked(stage, 2)
    assert await ask(phone, "CHATHISTORY LATEST #C * 50") == [
        "@draft/chathistory-end :irc.example BATCH +r1 chathistory #c",
        f"@batch=r1;time={at(0)};msgid=m0 :bob!b@h PRIVMSG #c :0",
        f"@batch=r1;time={at(1)};msgid=m1 :bob!b@h PRIVMSG #c :1",
        ":irc.example BATCH -r1",
    ]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("LATEST #c * 3", "7 8 9"),
        (f"LATEST #c timestamp={at(7)} 5", "8 9"),
        (f"LATEST #c timestamp={at(2)} 3", "7 8 9"),
        ("LATEST #c msgid=m7 5", "8 9"),
        (f"BEFORE #c timestamp={at(4)} 3", "1 2 3"),
        ("BEFORE #c msgid=m4 3", "1 2 3"),
        ("BEFORE #c msgid=m0 3", ""),
        ("BEFORE #c * 2", "8 9"),
        (f"AFTER #c timestamp={at(4)} 3", "5 6 7"),
        (f"AFTER #c timestamp={at(3.999)} 3", "4 5 6"),
        ("AFTER #c msgid=m4 3", "5 6 7"),
        ("AFTER #c msgid=m9 3", ""),
        (f"AROUND #c timestamp={at(4)} 4", "2 3 4 5"),
        ("AROUND #c msgid=m4 5", "2 3 4 5 6"),
        ("AROUND #c msgid=m4 1", "4"),
        ("AROUND #c msgid=m0 4", "0 1 2 3"),
        ("AROUND #c msgid=m9 4", "6 7 8 9"),
        (f"BETWEEN #c timestamp={at(2)} timestamp={at(6)} 50", "3 4 5"),
        (f"BETWEEN #c timestamp={at(6)} timestamp={at(2)} 50", "3 4 5"),
        ("BETWEEN #c msgid=m2 msgid=m8 2", "3 4"),
        ("BETWEEN #c msgid=m8 msgid=m2 2", "6 7"),
        (f"BETWEEN #c msgid=m2 timestamp={at(4)} 50", "3"),
        ("BETWEEN #c msgid=m2 msgid=m2 50", ""),
        (f"BETWEEN #c timestamp={at(2)} timestamp={at(2)} 50", ""),
        ("latest #c * 1", "9"),
        ("LATEST #c * 1000000000", "0 1 2 3 4 5 6 7 8 9"),
        ("LATEST #nobody-was-ever-here * 5", ""),
    ],
)
async def test_what_is_asked_for(stage: Stage, command: str, expected: str) -> None:
    _, phone = await talked(stage)
    assert await numbers(phone, "CHATHISTORY " + command) == expected


@pytest.mark.parametrize(
    ("command", "end"),
    [
        ("LATEST #c * 10", True),
        ("LATEST #c * 9", False),
        ("BEFORE #c msgid=m3 3", True),
        ("BEFORE #c msgid=m3 2", False),
        ("AFTER #c msgid=m6 3", True),
        ("AFTER #c msgid=m6 2", False),
        ("BETWEEN #c msgid=m2 msgid=m5 2", True),
        ("AROUND #c msgid=m5 5", False),
        ("AROUND #c msgid=m0 5", False),
        ("AROUND #c msgid=m5 20", True),
    ],
)
async def test_the_end_of_history_is_told(stage: Stage, command: str, end: bool) -> None:
    _, phone = await talked(stage)
    assert (await ask(phone, "CHATHISTORY " + command))[0].startswith("@draft/chathistory-end ") == end


@pytest.mark.parametrize("name", ["#what?", "#a*b", "#o!k", "#c\N{LATIN SMALL LETTER E WITH ACUTE}"])
async def test_names_may_have_unusual_characters(stage: Stage, name: str) -> None:
    upstream = stage.connected()
    talk(upstream, 2, name)
    phone = await stage.attached("alice@phone", CAPS)
    assert await numbers(phone, f"CHATHISTORY LATEST {name} * 5") == "0 1"


async def test_lines_of_one_millisecond_are_told_apart_by_their_ids(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.says(*(f"@msgid=m{number} :bob!b@h PRIVMSG #c :{number}" for number in range(6)))
    phone = await stage.attached("alice@phone", CAPS)
    assert await numbers(phone, "CHATHISTORY BEFORE #c msgid=m4 2") == "2 3"
    assert await numbers(phone, "CHATHISTORY AFTER #c msgid=m1 2") == "2 3"
    assert await numbers(phone, "CHATHISTORY BETWEEN #c msgid=m4 msgid=m0 50") == "1 2 3"


async def test_our_own_ids_name_lines_too(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.says(*(f":bob!b@h PRIVMSG #c :{number}" for number in range(3)))
    phone = await stage.attached("alice@phone", CAPS)
    lines = await ask(phone, "CHATHISTORY LATEST #c * 3")
    msgid = lines[2].partition("msgid=")[2].partition(" ")[0]
    assert msgid.startswith("bnc-")
    assert await numbers(phone, f"CHATHISTORY BEFORE #c msgid={msgid} 5") == "0"


@pytest.mark.parametrize(
    "command",
    [
        "LATEST #c * 0",
        f"BEFORE #c timestamp={at(9)} 000",
        f"AFTER #c timestamp={at(0)} 0",
        f"TARGETS timestamp={at(0)} timestamp={at(39)} 0",
        f"TARGETS timestamp={at(39)} timestamp={at(0)} 0",
    ],
)
async def test_no_lines_are_an_answer_that_does_not_end_the_paging(stage: Stage, command: str) -> None:
    # gamja scrolls before it knows the limit. An error would end its scrolling, and what else it is waiting for.
    _, phone = await talked(stage, 3)
    begin, end = await ask(phone, "CHATHISTORY " + command)
    assert " BATCH +" in begin
    assert "draft/chathistory-end" not in begin
    assert " BATCH -" in end


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("WHENEVER #c * 5", "INVALID_PARAMS WHENEVER :Unknown command"),
        ("LATEST", "INVALID_PARAMS LATEST :Insufficient parameters"),
        ("latest #c *", "INVALID_PARAMS latest :Insufficient parameters"),
        ("BETWEEN #c msgid=m1 5", "INVALID_PARAMS BETWEEN :Insufficient parameters"),
        ("LATEST #c * 5 6", "INVALID_PARAMS LATEST :Too many parameters"),
        ("BEFORE #c timestamp=yesterday 5", "INVALID_PARAMS BEFORE timestamp=yesterday :Invalid timestamp"),
        (
            "BEFORE #c timestamp=2023-13-14T22:13:20.000Z 5",
            "INVALID_PARAMS BEFORE timestamp=2023-13-14T22:13:20.000Z :Invalid timestamp",
        ),
        ("AFTER #c * 5", "INVALID_PARAMS AFTER * :A message is named by timestamp=... or msgid=..."),
        ("AFTER #c msgid= 5", "INVALID_PARAMS AFTER msgid= :Invalid msgid"),
        ("LATEST #c * -5", "INVALID_PARAMS LATEST -5 :Invalid limit"),
        ("LATEST #c * many", "INVALID_PARAMS LATEST many :Invalid limit"),
        ("LATEST #c * ٣", "INVALID_PARAMS LATEST ٣ :Invalid limit"),
        ("LATEST #c * :", "INVALID_PARAMS LATEST * :Invalid limit"),
        ("LATEST * * 5", "INVALID_TARGET LATEST * :Messages could not be retrieved"),
        ("LATEST #c,#d * 5", "INVALID_TARGET LATEST #c,#d :Messages could not be retrieved"),
        ("LATEST #c\x02,\x1f * 5", "INVALID_TARGET LATEST #c\x02,\x1f :Messages could not be retrieved"),
        ("BEFORE #c msgid=unheard-of 5", "MESSAGE_ERROR BEFORE #c unheard-of :Messages could not be retrieved"),
        (
            "BEFORE #c number=5 5",
            "INVALID_MSGREFTYPE BEFORE #c number :A message is named by timestamp=... or msgid=...",
        ),
        (
            f"TARGETS msgid=m1 timestamp={at(2)} 5",
            "INVALID_MSGREFTYPE TARGETS * msgid :Conversations are found by timestamp=... only",
        ),
        ("TARGETS * * 5", "INVALID_PARAMS TARGETS * :A message is named by timestamp=... or msgid=..."),
    ],
)
async def test_what_is_wrong_is_told(stage: Stage, command: str, answer: str) -> None:
    upstream, phone = await talked(stage, 1)
    upstream.heard()
    assert await ask(phone, "CHATHISTORY " + command) == [":irc.example FAIL CHATHISTORY " + answer]
    assert upstream.heard() == []


async def test_without_a_subcommand_the_usual_numeric_answers(stage: Stage) -> None:
    _, phone = await talked(stage, 1)
    assert await ask(phone, "CHATHISTORY") == [":irc.example 461 alice CHATHISTORY :Not enough parameters"]


async def test_while_the_store_fails_an_error_is_told_and_live_text_goes_on(stage: Stage) -> None:
    upstream, phone = await talked(stage, 1)
    stage.store.fail("disk full")
    upstream.says(":bob!b@h PRIVMSG #c :live")
    assert [line.partition(" :")[2] for line in phone.lines()] == ["bob!b@h PRIVMSG #c :live"]
    for _ in range(2):
        answer = ":irc.example FAIL CHATHISTORY MESSAGE_ERROR LATEST #c :Messages could not be retrieved"
        assert await ask(phone, "CHATHISTORY LATEST #c * 5") == [answer]


async def test_what_is_said_while_the_answer_is_on_its_way_is_not_in_it(stage: Stage) -> None:
    upstream, phone = await talked(stage, 2)
    phone.says("CHATHISTORY LATEST #c * 5", "PING after")
    upstream.says("@msgid=live :bob!b@h PRIVMSG #c :live")
    lines = await phone.gets_soon()
    assert lines[0].endswith("PRIVMSG #c :live")
    assert [line.rpartition(" :")[2] for line in lines[2:-2]] == ["0", "1"]
    assert lines[-1].endswith("PONG irc.example after")


async def test_a_thousand_requests_at_once_do_not_pile_up(stage: Stage) -> None:
    upstream = stage.connected()
    long = "x" * 400
    for number in range(200):
        upstream.says(f":bob!b@h PRIVMSG #c :{number} {long}")
    phone = await stage.attached("alice@phone", CAPS)
    phone.full = True
    for _ in range(10):
        phone.says(*["CHATHISTORY LATEST #c * 1000"] * 100)
        await stage.settle()
    assert phone.held
    assert phone.visit._session is not None
    assert phone.visit._session._answers_size < 2 << 20
    phone.answer_pings = False
    assert phone.lines() == []
    found = 0
    for _ in range(1000):
        phone.takes_again()
        await stage.settle()
        found += sum(" BATCH +" in line for line in phone.lines())
        phone.full = True
    assert found == 1000
    phone.takes_again()
    assert not phone.held


# --- private conversations


async def test_a_private_conversation_has_both_sides(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice@phone", CAPS)
    upstream.says("@msgid=m1 :bob!b@h PRIVMSG alice :hi")
    phone.says("PRIVMSG Bob :hello")
    upstream.says("@msgid=m2 :carl!c@h PRIVMSG alice :other")
    phone.lines()
    lines = await ask(phone, "CHATHISTORY LATEST BOB * 5")
    assert lines[0].endswith("BATCH +r1 chathistory bob")
    assert [line.partition(" :")[2] for line in lines[1:-1]] == [
        "bob!b@h PRIVMSG alice :hi",
        "alice!al@home.example PRIVMSG bob hello",
    ]


async def test_a_private_conversation_is_followed_over_nicks(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#c", "bob")
    upstream.says("@msgid=m0 :bob!b@h PRIVMSG alice :0")
    stage.timers.time += 1
    upstream.says(":bob!b@h NICK bobby", "@msgid=m1 :bobby!b@h PRIVMSG alice :1")
    stage.timers.time += 1
    upstream.says("@msgid=m2 :bob!x@h PRIVMSG alice :a stranger", ":bobby!b@h NICK rob")
    stage.timers.time += 1
    upstream.says(":alice!al@home.example NICK alicia", "@msgid=m3 :rob!b@h PRIVMSG alicia :3")
    phone = await stage.attached("alice@phone", CAPS)
    lines = await ask(phone, "CHATHISTORY LATEST rob * 50")
    assert lines[0].endswith("chathistory rob")
    assert [line.partition(" :")[2] for line in lines[1:-1]] == [
        "rob!b@h PRIVMSG alicia 0",
        "rob!b@h PRIVMSG alicia 1",
        "rob!b@h PRIVMSG alicia :3",
    ]
    assert await numbers(phone, "CHATHISTORY LATEST rob * 2") == "1 3"
    assert await numbers(phone, "CHATHISTORY AFTER rob msgid=m0 1") == "1"
    assert await numbers(phone, "CHATHISTORY BEFORE rob msgid=m3 1") == "1"
    assert await numbers(phone, "CHATHISTORY LATEST bob * 5") == "0 a stranger"


async def test_one_that_lost_its_nick_for_a_while_is_followed(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#c", "bob", "bob_")
    for number, nick in enumerate(("bob", "bob_", "bob")):
        if number == 2:
            upstream.says(":bob!b@h QUIT :ping timeout", ":bob_!b@h NICK bob")
        upstream.says(f":{nick}!b@h PRIVMSG alice :{number}")
        stage.timers.time += 1
    phone = await stage.attached("alice@phone", CAPS)
    assert await numbers(phone, "CHATHISTORY LATEST bob * 5") == "0 1 2"


# --- events


async def test_events_are_for_those_who_can_take_them(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#c", "bob", "dora")
    upstream.joins("#d", "dora")
    upstream.says(
        ":carl!c@h JOIN #c",
        ":bob!b@h PRIVMSG #c :hi",
        ":carl!c@h MODE #c +o bob",
        ":carl!c@h TOPIC #c :new",
        ":carl!c@h NICK karl",
        ":bob!b@h KICK #c karl :out",
        ":dora!d@h PART #c :bye",
        ":bob!b@h QUIT :gone",
    )
    phone = await stage.attached("alice@phone", FULL)
    lines = await ask(phone, "CHATHISTORY LATEST #c * 50")
    assert [line.partition(" :")[2] for line in lines[1:-1]] == [
        "alice!al@home.example JOIN #c",
        "carl!c@h JOIN #c",
        "bob!b@h PRIVMSG #c :hi",
        "carl!c@h MODE #c +o bob",
        "carl!c@h TOPIC #c :new",
        "carl!c@h NICK karl",
        "bob!b@h KICK #c karl :out",
        "dora!d@h PART #c :bye",
        "bob!b@h QUIT :gone",
    ]
    assert [line.partition(" :")[2] for line in (await ask(phone, "CHATHISTORY LATEST #c * 2"))[1:-1]] == [
        "dora!d@h PART #c :bye",
        "bob!b@h QUIT :gone",
    ]
    lines = await ask(phone, "CHATHISTORY LATEST #d * 50")
    assert [line.partition(" :")[2] for line in lines[1:-1]] == ["alice!al@home.example JOIN #d"]
    desk = await stage.attached("alice@desk", CAPS)
    lines = await ask(desk, "CHATHISTORY LATEST #c * 2")
    assert [line.partition(" :")[2] for line in lines[1:-1]] == ["bob!b@h PRIVMSG #c :hi"]


# --- conversations


async def test_targets_are_those_in_which_something_was_said(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#c", "bob")
    talk(upstream, 1, "#c")
    talk(upstream, 1, "alice", 1)
    talk(upstream, 1, "#d", 2)
    talk(upstream, 1, "#e", 3)
    phone = await stage.attached("alice@phone", CAPS)
    assert await ask(phone, f"CHATHISTORY TARGETS timestamp={at(0)} timestamp={at(3)} 50") == [
        "@draft/chathistory-end :irc.example BATCH +r1 draft/chathistory-targets",
        f"@batch=r1 :irc.example CHATHISTORY TARGETS bob {at(1)}",
        f"@batch=r1 :irc.example CHATHISTORY TARGETS #d {at(2)}",
        ":irc.example BATCH -r1",
    ]
    for first, second, expected in ((0, 4, "bob"), (4, 0, "#e")):
        lines = await ask(phone, f"CHATHISTORY TARGETS timestamp={at(first)} timestamp={at(second)} 1")
        assert lines[0].startswith(":irc.example BATCH")
        assert [line.split()[4] for line in lines[1:-1]] == [expected]


async def test_detached_channels_are_no_targets_but_can_be_asked_for(stage: Stage) -> None:
    upstream, phone = await talked(stage, 2)
    phone.says("PART #c :detach")
    phone.lines()
    lines = await ask(phone, f"CHATHISTORY TARGETS timestamp={at(0)} timestamp={at(9)} 50")
    assert len(lines) == 2
    assert await numbers(phone, "CHATHISTORY LATEST #c * 50") == "0 1"
    assert upstream.link.is_detached("#c")


# --- those who can take less


async def test_without_batches_the_lines_come_alone(stage: Stage) -> None:
    _, phone = await talked(stage, 2, "server-time draft/chathistory")
    assert await ask(phone, "CHATHISTORY LATEST #c * 5") == [
        f"@time={at(0)} :bob!b@h PRIVMSG #c :0",
        f"@time={at(1)} :bob!b@h PRIVMSG #c :1",
    ]
    assert await ask(phone, f"CHATHISTORY TARGETS timestamp={at(0)} timestamp={at(9)} 5") == [
        f":irc.example CHATHISTORY TARGETS #c {at(1)}"
    ]


async def test_who_has_batches_only_gets_no_tags_but_that(stage: Stage) -> None:
    _, phone = await talked(stage, 1, "batch draft/chathistory")
    assert await ask(phone, "CHATHISTORY LATEST #c * 5") == [
        ":irc.example BATCH +r1 chathistory #c",
        "@batch=r1 :bob!b@h PRIVMSG #c :[2023-11-14 22:13:20] 0",
        ":irc.example BATCH -r1",
    ]


async def test_on_no_network_there_is_nothing(stage: Stage) -> None:
    stage.user("alice", "one", "two")
    phone = await stage.attached("alice@phone", CAPS)
    for command in ("LATEST #c * 5", f"TARGETS timestamp={at(0)} timestamp={at(9)} 5"):
        lines = await ask(phone, "CHATHISTORY " + command)
        assert len(lines) == 2
        assert "BATCH +" in lines[0]


async def test_a_channel_that_was_left_is_called_as_it_was_last(stage: Stage) -> None:
    upstream, phone = await talked(stage, 1)
    upstream.says(":alice!al@home.example PART #c", ":alice!al@home.example JOIN #C", "@msgid=x :bob!b@h PRIVMSG #C :x")
    upstream.says(":alice!al@home.example PART #C")
    phone.lines()
    lines = await ask(phone, "CHATHISTORY LATEST #c * 9")
    assert lines[0].endswith(" chathistory #C")
    assert [line.partition(" PRIVMSG ")[2] for line in lines[1:-1]] == ["#c :0", "#C :x"]


async def test_a_redaction_in_private_is_told_as_if_all_had_their_nicks_of_now(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.says("@msgid=m1 :bob!b@h PRIVMSG alice :oops", ":bob!b@h REDACT alice m1 :sorry")
    upstream.says(":alice!al@home.example NICK alicia")
    phone = await stage.attached("alice@phone", FULL + " draft/message-redaction")
    lines = await ask(phone, "CHATHISTORY LATEST bob * 9")
    assert [line.partition(" :")[2] for line in lines[1:-1]] == ["bob!b@h REDACT alicia m1 sorry"]


class Counting:
    """A history that counts what it is asked."""

    def __init__(self, history: History) -> None:
        self._history = history
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        return getattr(self._history, name)


async def test_who_attaches_costs_the_same_few_questions_however_many_channels_there_are(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.says(*(f":bob!b@h PRIVMSG #c{number} :hi" for number in range(50)))
    (await stage.attached("alice@phone", "batch server-time")).leaves()
    upstream.says(*(f":bob!b@h PRIVMSG #c{number} :hi" for number in range(50)))
    await stage.settle()
    stage.begin()
    upstream = stage.upstream()
    upstream.welcomes()
    for number in range(50):
        upstream.joins(f"#c{number}", "bob")
    history: Any = Counting(stage.store)
    stage.desk._history = stage.entrance._history = history
    caps = "batch server-time draft/read-marker"
    for login, expected in (
        ("alice@phone", ["markers", "page"]),  # the first of all learns what was read
        ("alice@phone", []),
        ("alice@new", ["first_helping", "page"]),
        ("alice@asks", ["first_helping"]),
    ):
        device = await stage.device(login, caps + (" draft/chathistory" if login == "alice@asks" else ""))
        lines = await device.gets_soon()
        assert sum("MARKREAD" in line for line in lines) == 50
        assert history.asked == expected, login
        history.asked.clear()


async def test_history_outlives_the_process(stage: Stage) -> None:
    await talked(stage, 3)
    await stage.settle()
    stage.begin()
    stage.upstream().welcomes()
    talk(stage.upstream(), 2, first=3)
    phone = await stage.attached("alice@phone", CAPS)
    assert await numbers(phone, "CHATHISTORY AFTER #c msgid=m1 50") == "2 3 4"
