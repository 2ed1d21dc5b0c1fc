"""Joins and the like among what a device missed, for clients that take them for what they are."""

from __future__ import annotations

from bouncer.irc.message import Message
from tests.play.stage import Device, Stage, Upstream

EVENTS = "batch server-time message-tags draft/event-playback"
HAPPENED = (
    ":carl!c@h JOIN #c",
    ":bob!b@h PRIVMSG #c :hi",
    ":carl!c@h MODE #c +o bob",
    ":carl!c@h TOPIC #c :new",
    ":carl!c@h NICK karl",
    ":bob!b@h KICK #c karl :out",
    ":dora!d@h PART #c :bye",
    ":bob!b@h QUIT :gone",
    ":eve!e@h INVITE alice #party",
)


async def happened(stage: Stage) -> Upstream:
    """Things of all kinds, which the phone has missed."""
    upstream = stage.connected()
    upstream.joins("#c", "bob", "dora")
    upstream.joins("#d", "dora", "bob")
    (await stage.attached("alice@phone", EVENTS)).leaves()
    upstream.says(*HAPPENED)
    return upstream


async def batches(device: Device) -> dict[str, list[str]]:
    """What came in each batch, by its target."""
    found: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for line in await device.gets_soon():
        message = Message.parse(line.encode())
        if message.command == "BATCH" and message.params[0][0] == "+":
            assert message.params[2] not in names.values(), "two batches of one conversation"
            names[message.params[0][1:]] = message.params[2]
        elif "batch" in message.tags:
            found.setdefault(names[message.tags["batch"]], []).append(":" + message.body.decode().partition(":")[2])
    return found


async def test_they_come_with_the_text_each_in_its_channels(stage: Stage) -> None:
    await happened(stage)
    expected = [*HAPPENED[:-1]]
    found = await batches(await stage.device("alice@phone", EVENTS))
    assert found == {"#c": expected, "#d": [HAPPENED[7]], "eve": [HAPPENED[8]]}


async def test_nothing_comes_twice(stage: Stage) -> None:
    upstream = await happened(stage)
    phone = await stage.device("alice@phone", EVENTS)
    assert await batches(phone)
    assert upstream.link.positions.kept["phone"] == upstream.link.log.seq
    phone.leaves()
    assert await batches(await stage.device("alice@phone", EVENTS)) == {}


async def test_they_come_from_the_store_as_from_memory(stage: Stage) -> None:
    await happened(stage)
    await stage.settle()
    stage.begin()
    stage.upstream().welcomes()
    found = await batches(await stage.device("alice@phone", EVENTS))
    assert found["#c"][: len(HAPPENED) - 1] == [*HAPPENED[:-1]]
    assert found["#d"] == [HAPPENED[7]]


async def test_pages_end_between_events(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#c")
    (await stage.attached("alice@phone", EVENTS)).leaves()
    expected = []
    for number in range(1500):
        expected += [f":n{number}!n@h JOIN #c", f":n{number}!n@h PRIVMSG #c :{number}", f":n{number}!n@h PART #c"]
    upstream.says(*expected)
    await stage.settle()
    phone = await stage.device("alice@phone", EVENTS)
    lines = [line.partition(" :")[2] for line in await phone.gets_soon() if line.startswith("@batch=")]
    assert lines == [line[1:] for line in expected]


async def test_without_batches_or_times_no_event_is_told_as_news(stage: Stage) -> None:
    await happened(stage)
    for caps in ("draft/event-playback server-time", "draft/event-playback batch", "batch server-time"):
        phone = await stage.device(f"alice@phone-{caps.count('a')}", caps)
        phone.lines()
        phone.leaves()
    for number, caps in enumerate(("draft/event-playback server-time", "draft/event-playback batch")):
        device = await stage.device("alice@phone", caps + " draft/chathistory")
        device.lines()
        device.says("CHATHISTORY LATEST #c * 50")
        lines = [line for line in await device.gets_soon() if "BATCH" not in line]
        assert len(lines) == 1, number
        assert lines[0].endswith("hi")


async def test_detached_channels_stay_out_of_sight(stage: Stage) -> None:
    upstream = await happened(stage)
    desk = await stage.attached("alice@desk", EVENTS)
    desk.says("PART #c :detach")
    assert upstream.link.is_detached("#c")
    assert await batches(await stage.device("alice@phone", EVENTS)) == {"#d": [HAPPENED[7]], "eve": [HAPPENED[8]]}


async def test_nothing_of_it_changes_who_is_there(stage: Stage) -> None:
    upstream = await happened(stage)
    phone = await stage.device("alice@phone", EVENTS)
    lines = await phone.gets_soon()
    outside = [line for line in lines if not line.startswith("@batch=")]
    for command in ("MODE #c", "TOPIC", "NICK k", "KICK", "PART", "QUIT", "INVITE", "JOIN #party"):
        assert not [line for line in outside if command in line], command
    assert upstream.link.state.channels["#c"].members.keys() == {"alice"}


async def test_playback_plays_them_too(stage: Stage) -> None:
    await happened(stage)
    phone = await stage.attached("alice@phone", f"{EVENTS} znc.in/playback")
    phone.says("PRIVMSG *playback :PLAY #c 0")
    assert (await batches(phone))["#c"][1:] == [*HAPPENED[:-1]]


async def test_a_channel_that_is_shown_again_comes_with_its_events(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#c", "bob")
    phone = await stage.attached("alice@phone", EVENTS)
    phone.says("PART #c :detach")
    phone.lines()
    upstream.says(":carl!c@h JOIN #c", ":bob!b@h PRIVMSG #c :hi", ":bob!b@h QUIT :gone")
    phone.says("JOIN #c")
    found = await batches(phone)
    assert found["#c"] == [":carl!c@h JOIN #c", ":bob!b@h PRIVMSG #c :hi", ":bob!b@h QUIT :gone"]
