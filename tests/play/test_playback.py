"""History for clients that know ZNC's module ``*playback``."""

from __future__ import annotations

import pytest

from bouncer.irc.message import Message
from tests.play.stage import START, Device, Stage, Upstream

CAPS = "batch server-time znc.in/playback"
T = int(START)
FROM = ":*playback!playback@bouncer PRIVMSG alice"


async def talked(stage: Stage, caps: str = CAPS) -> tuple[Upstream, Device]:
    """#c, #d and bob have said something, two seconds apart, the last of them now; #left is a channel of long ago."""
    upstream = stage.connected()
    upstream.joins("#c")
    upstream.joins("#d")
    for number, target in enumerate(("#left", "#c", "#d", "alice", "#c")):
        upstream.says(f":bob!b@h PRIVMSG {target} :{number}")
        stage.timers.time += 2
    return upstream, await stage.attached("alice@phone", caps)


async def played(device: Device, *commands: str) -> dict[str, list[str]]:
    """What was said in each batch of the answer, by its target."""
    device.says(*commands)
    found: dict[str, list[str]] = {}
    target = ""
    for line in await device.gets_soon():
        message = Message.parse(line.encode())
        if message.command == "BATCH" and message.params[0].startswith("+"):
            assert message.params[1] == "znc.in/playback"
            target = message.params[2]
        elif message.command == "PRIVMSG":
            assert {"batch", "time"} <= message.tags.keys()
            found.setdefault(target, []).append(message.params[1])
    return found


async def test_a_client_that_asks_is_pushed_nothing(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.says(":bob!b@h PRIVMSG #c :missed")
    phone = await stage.device("alice@phone", CAPS)
    assert not [line for line in await phone.gets_soon() if "missed" in line]


async def test_it_is_played_in_batches(stage: Stage) -> None:
    _, phone = await talked(stage)
    phone.says("PRIVMSG *playback :PLAY #c 0")
    assert await phone.gets_soon() == [
        ":irc.example BATCH +r1 znc.in/playback #c",
        "@batch=r1;time=2023-11-14T22:13:22.000Z :bob!b@h PRIVMSG #c :1",
        "@batch=r1;time=2023-11-14T22:13:28.000Z :bob!b@h PRIVMSG #c :4",
        ":irc.example BATCH -r1",
    ]


@pytest.mark.parametrize(
    "spelling",
    [
        "PRIVMSG *playback :PLAY {}",
        "privmsg *PlayBack :play {}",
        "ZNC *playback PLAY {}",
        "ZNC *playback :play {}",
        "ZNC :*playback play {}",
        "PLAYBACK PLAY {}",
        "PLAYBACK :play {}",
    ],
)
async def test_all_spellings_are_understood(stage: Stage, spelling: str) -> None:
    upstream, phone = await talked(stage)
    upstream.heard()
    assert await played(phone, spelling.format("* 0")) == {"#c": ["1", "4"], "#d": ["2"], "bob": ["3"]}
    assert upstream.heard() == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("*", {"#c": ["1", "4"], "#d": ["2"], "bob": ["3"]}),
        ("#* 0", {"#c": ["1", "4"], "#d": ["2"]}),
        ("BOB,#? 0", {"#c": ["1", "4"], "#d": ["2"], "bob": ["3"]}),
        ("#nobody 0", {}),
        (f"* {T + 2}", {"#c": ["4"], "#d": ["2"], "bob": ["3"]}),
        (f"* {T + 1.999}", {"#c": ["1", "4"], "#d": ["2"], "bob": ["3"]}),
        (f"* {T + 2}.000 {T + 6}", {"#d": ["2"], "bob": ["3"]}),
        (f"* 0 {T + 5.5}", {"#c": ["1"], "#d": ["2"]}),
        (f"#c {T + 8}", {}),
    ],
)
async def test_names_and_times(stage: Stage, words: str, expected: dict[str, list[str]]) -> None:
    _, phone = await talked(stage)
    assert await played(phone, f"PRIVMSG *playback :PLAY {words}") == expected


async def test_all_since_a_time_is_played_and_of_all_time_only_the_newest(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#c")
    upstream.says(*(f":bob!b@h PRIVMSG #c :{number}" for number in range(1500)))
    stage.timers.time += 1
    upstream.says(*(f":bob!b@h PRIVMSG #c :{number}" for number in range(1500, 2500)))
    phone = await stage.attached("alice@phone", CAPS)
    assert await played(phone, f"PRIVMSG *playback :PLAY #c {T - 1}") == {"#c": [str(n) for n in range(2500)]}
    assert await played(phone, "PRIVMSG *playback :PLAY #c 0") == {"#c": [str(n) for n in range(1500, 2500)]}


async def test_a_client_that_takes_nothing_is_asked_nothing(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#c")
    long = "x" * 400
    upstream.says(*(f":bob!b@h PRIVMSG #c :{number} {long}" for number in range(9000)))
    phone = await stage.attached("alice@phone", CAPS)
    phone.full = True
    phone.says(f"PRIVMSG *playback :PLAY #c {T - 1}", "PING after")
    await stage.settle()
    session = phone.visit._session
    assert session is not None
    assert 0 < session._answers_size < 2 << 20
    lines: list[str] = []
    while not lines or not lines[-1].endswith("after"):
        phone.full = False
        phone.takes_again()
        await stage.settle()
        lines += phone.lines()
    assert sum("PRIVMSG #c" in line for line in lines) == 9000


async def test_what_it_said_itself_is_played_to_those_who_take_echoes(stage: Stage) -> None:
    _, phone = await talked(stage)
    echo = await stage.attached("alice@phone", CAPS + " echo-message")
    desk = await stage.attached("alice@desk", CAPS)
    phone.says("PRIVMSG bob :mine")
    for device, expected in ((phone, ["3"]), (echo, ["3", "mine"]), (desk, ["3", "mine"])):
        device.lines()
        assert await played(device, "PRIVMSG *playback :PLAY bob 0") == {"bob": expected}


async def test_it_lists_what_there_is(stage: Stage) -> None:
    _, phone = await talked(stage)
    phone.says("PRIVMSG *playback :LIST")
    assert await phone.gets_soon() == [
        f"{FROM} :#d {T + 4}.000 {T + 4}.000",
        f"{FROM} :bob {T + 6}.000 {T + 6}.000",
        f"{FROM} :#c {T + 2}.000 {T + 8}.000",
    ]
    phone.says("ZNC *playback list #c")
    assert await phone.gets_soon() == [f"{FROM} :#c {T + 2}.000 {T + 8}.000"]


async def test_detached_channels_are_not_played(stage: Stage) -> None:
    _, phone = await talked(stage)
    phone.says("PART #c detach")
    phone.lines()
    assert await played(phone, "PRIVMSG *playback :PLAY * 0") == {"#d": ["2"], "bob": ["3"]}


async def test_nothing_is_cleared(stage: Stage) -> None:
    _, phone = await talked(stage)
    phone.says("PRIVMSG *playback :CLEAR #c")
    (line,) = await phone.gets_soon()
    assert line.startswith(f"{FROM} :Nothing was cleared")
    assert await played(phone, "PRIVMSG *playback :PLAY #c 0") == {"#c": ["1", "4"]}


@pytest.mark.parametrize(
    "words", ["", "DANCE", "PLAY", "PLAY #c yesterday", "PLAY #c 0 -1", "PLAY #c 1e5", "PLAY #c nan"]
)
async def test_what_is_not_understood_is_answered_with_what_is(stage: Stage, words: str) -> None:
    upstream, phone = await talked(stage)
    upstream.heard()
    phone.says(f"PRIVMSG *playback :{words}")
    (line,) = await phone.gets_soon()
    assert line.startswith(f"{FROM} :PLAY <names>")
    assert upstream.heard() == []


async def test_a_client_without_the_capability_may_ask_too(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#c")
    upstream.says(":bob!b@h PRIVMSG #c :hi there")
    old = await stage.attached("alice@old")
    old.says("PRIVMSG *playback :PLAY #c 0")
    assert await old.gets_soon() == [":bob!b@h PRIVMSG #c :[2023-11-14 22:13:20] hi there"]


async def test_while_the_store_fails_that_is_told(stage: Stage) -> None:
    upstream, phone = await talked(stage)
    stage.store.fail("disk full")
    upstream.says(":bob!b@h PRIVMSG #c :unkept")
    phone.lines()
    phone.says("PRIVMSG *playback :PLAY #c 0")
    assert await phone.gets_soon() == [f"{FROM} :The history can't be read at the moment; try again later."]


async def test_what_else_is_said_to_znc_is_answered(stage: Stage) -> None:
    upstream, phone = await talked(stage)
    upstream.heard()
    phone.says("ZNC help", "ZNC *status :list users", "ZNC *buffextras help")
    assert await phone.gets_soon() == [
        ":*status!bouncer@bouncer NOTICE alice :you said help",
        ":*status!bouncer@bouncer NOTICE alice :you said list users",
        ":*bouncer!bouncer@bouncer NOTICE alice :There is no *buffextras here; say help to *bouncer.",
    ]
    assert upstream.heard() == []


async def test_other_names_of_the_same_capabilities(stage: Stage) -> None:
    upstream = stage.connected()
    (await stage.attached("alice@phone")).leaves()
    upstream.says(":bob!b@h PRIVMSG #c :hi")
    phone = await stage.device("alice@phone", "znc.in/batch znc.in/server-time-iso znc.in/self-message")
    lines = await phone.gets_soon()
    assert "@batch=r1;time=2023-11-14T22:13:20.000Z :bob!b@h PRIVMSG #c :hi" in lines
    assert ":irc.example BATCH -r1" in lines


async def test_what_is_said_in_private_on_one_device_is_seen_on_the_others(stage: Stage) -> None:
    """With or without znc.in/self-message: clients that do not know it show such a line all the same, as they do on
    networks that echo."""
    upstream = stage.connected()
    phone = await stage.attached("alice@phone")
    knows, old = await stage.attached("alice@knows", "znc.in/self-message"), await stage.attached("alice@old")
    echo = await stage.attached("alice@echo", "echo-message")
    phone.says("PRIVMSG bob :hi there")
    for device in (knows, old, echo):
        device.gets(":alice!al@home.example PRIVMSG bob :hi there")
    phone.gets_nothing()
    echo.says("PRIVMSG bob :me too")
    for device in (phone, knows, old, echo):
        device.gets(":alice!al@home.example PRIVMSG bob :me too")
    assert len(upstream.heard()) == 2
