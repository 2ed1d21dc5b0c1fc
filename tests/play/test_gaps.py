"""What was said while the bouncer was not connected is asked of the network, and stands in its place, once."""

from __future__ import annotations

import pytest

from bouncer.core import gaps, replayed
from bouncer.irc.message import Message
from bouncer.model.entry import TEXT_KINDS
from bouncer.model.history import LAST_SEQ, Range
from tests.play.historian import CAPS, Historian
from tests.play.stage import Stage

FULL = "batch server-time message-tags"


async def texts(stage: Stage, target: str = "#c") -> list[str]:
    """What history has of a conversation."""
    await stage.settle()
    lines = await stage.store.lines(Range(stage.upstream().link.network.id, (target,), LAST_SEQ, 10_000))
    return [Message.parse(line.raw).params[-1] for line in lines if line.kind in TEXT_KINDS]


def shown(lines: list[str], target: str = "#c") -> list[str]:
    return [line.rpartition(":")[2] for line in lines if f" PRIVMSG {target} " in line]


async def begin(stage: Stage, network: Historian) -> Historian:
    stage.user(channels=network.channels)
    network.connects()
    await network.answers()
    assert network.asked == []
    return network


def talk(network: Historian, *texts: str, channel: str = "#c") -> list[str]:
    """Words, ten seconds apart."""
    for text in texts:
        network.stage.timers.pass_by(10)
        network.talks(text, channel)
    return list(texts)


@pytest.mark.parametrize("how", ["hangs up", "killed", "restarted"])
async def test_what_was_missed_stands_in_its_place_once(stage: Stage, how: str) -> None:
    network = await begin(stage, Historian(stage))
    for device in ("full", "plain"):
        (await stage.attached(f"alice@{device}", FULL if device == "full" else "")).leaves()
    expected = talk(network, "before", "cut")
    await stage.settle()
    if how == "hangs up":
        network.hangs_up()
    else:
        if how == "restarted":
            network.hangs_up()
        network.here = False
        stage.begin()
    expected += talk(network, "missed 1", "missed 2")
    stage.timers.pass_by(3600)
    network.connects()
    stage.timers.pass_by(1)
    network.talks("after")  # live, before the answer
    await network.answers()
    expected += ["after", *talk(network, "at last")]
    assert await texts(stage) == expected
    for device in ("full", "plain"):
        back = await stage.device(f"alice@{device}", FULL if device == "full" else "server-time")
        assert shown(await back.gets_soon()) == expected
        back.leaves()
        again = await stage.device(f"alice@{device}", FULL)
        assert shown(await again.gets_soon()) == []
        again.leaves()


async def test_who_is_attached_meanwhile_is_shown_it(stage: Stage) -> None:
    network = await begin(stage, Historian(stage))
    full, plain = await stage.attached("alice@full", FULL), await stage.attached("alice@plain")
    talk(network, "before")
    network.hangs_up()
    talk(network, "missed")
    network.connects()
    network.talks("live")
    await network.answers()
    assert shown(full.lines()) == ["before", "live", "missed"]
    assert [line.rpartition(" ")[2].lstrip(":") for line in plain.lines() if " PRIVMSG " in line] == [
        "before",
        "live",
        "missed",
    ]


async def test_pages_are_asked_one_after_the_other(stage: Stage) -> None:
    network = await begin(stage, Historian(stage, page=50))
    talk(network, "before")
    network.hangs_up()
    expected = ["before", *talk(network, *(f"missed {number}" for number in range(130)))]
    network.connects()
    await network.answers()
    assert await texts(stage) == expected
    assert [line.split()[1] for line in network.asked] == ["TARGETS", "AFTER", "AFTER", "AFTER"]
    assert network.asked[2].split()[3].startswith("msgid=")
    network.asked.clear()
    network.hangs_up()
    network.connects()
    await network.answers()
    assert len(network.asked) == 2


async def test_a_replay_of_the_networks_own_is_not_taken_for_the_answer(stage: Stage) -> None:
    network = await begin(stage, Historian(stage, caps=f"{CAPS} labeled-response", page=10))
    talk(network, "before")
    network.hangs_up()
    expected = ["before", *talk(network, *(f"missed {number}" for number in range(35)))]
    network.connects()
    (targets,) = [line for line in network.upstream.heard() if "CHATHISTORY" in line]
    assert targets.startswith("@label=gap1 CHATHISTORY TARGETS ")
    network.upstream.says(*network.answer(Message.parse(targets.encode())))
    (page,) = network.upstream.got
    lines = [said.line for said in network.history["#c"][-3:]]
    network.upstream.says(*network.batch("chathistory #c", lines))  # as UnrealIRCd does after a JOIN
    stage.timers.pass_by(1)
    assert len(await texts(stage)) == 4
    assert network.upstream.got == [page]
    await network.answers()
    assert await texts(stage) == expected


@pytest.mark.parametrize("caps", [CAPS, "batch server-time draft/chathistory"])
async def test_pages_by_time_alone_lose_nothing_of_one_millisecond(stage: Stage, caps: str) -> None:
    network = Historian(stage, "CHATHISTORY=10", "MSGREFTYPES=timestamp", caps=caps, page=10)
    await begin(stage, network)
    talk(network, "before")
    network.hangs_up()
    stage.timers.pass_by(100)
    expected = ["before"]
    for number in range(40):
        if number % 7 == 0:
            stage.timers.pass_by(0.001)
        network.talks(f"missed {number}")
        expected.append(f"missed {number}")
    network.connects()
    await network.answers()
    assert await texts(stage) == expected


async def test_private_conversations_too(stage: Stage) -> None:
    network = await begin(stage, Historian(stage))
    network.talks("hi", "bob", to="alice")
    network.hangs_up()
    stage.timers.pass_by(100)
    network.talks("are you there?", "bob", to="alice")
    network.talks("hello", "carol", by="carol", to="alice")
    network.talks("it was me", "carol", by="alice", to="carol")
    network.connects()
    await network.answers()
    assert await texts(stage, "bob") == ["hi", "are you there?"]
    assert await texts(stage, "carol") == ["hello", "it was me"]


async def test_nothing_of_it_reaches_a_client_that_asks_something(stage: Stage) -> None:
    network = await begin(stage, Historian(stage))
    phone = await stage.attached("alice@phone", FULL)
    network.hangs_up()
    talk(network, "missed")
    network.connects()
    phone.lines()
    phone.says("WHOIS bob")
    for line in network.upstream.heard():
        if line.startswith("CHATHISTORY TARGETS"):
            network.upstream.says(*network.answer(Message.parse(line.encode())))
    await stage.settle()
    phone.gets_nothing()
    network.upstream.says(
        ":irc.example FAIL CHATHISTORY MESSAGE_ERROR AFTER #c :Messages could not be retrieved",
        ":irc.example CHATHISTORY TARGETS bob 2020-01-01T00:00:00.000Z",
    )
    phone.gets_nothing()
    network.upstream.says(":irc.example 311 alice bob b h * :Bob", ":irc.example 318 alice bob :End")
    assert [line.partition(" :irc.example ")[2].split()[0] for line in phone.lines()] == ["311", "318"]


async def test_clients_questions_never_go_to_the_network(stage: Stage) -> None:
    network = await begin(stage, Historian(stage))
    phone = await stage.attached("alice@phone", f"{FULL} draft/chathistory")
    phone.says("CHATHISTORY LATEST #c * 10")
    await stage.settle()
    assert network.upstream.heard() == []
    assert any("BATCH" in line for line in phone.lines())


async def test_a_refusal_and_a_silence_hold_up_nothing(stage: Stage) -> None:
    network = await begin(stage, Historian(stage, channels=("#a", "#b", "#c", "#d")))
    network.hangs_up()
    for channel in network.channels:
        talk(network, f"missed in {channel}", channel=channel)
    network.connects()
    upstream = network.upstream
    asked = upstream.heard()
    assert [line.split()[1] for line in asked if "CHATHISTORY" in line] == ["TARGETS"]
    upstream.says(":irc.example FAIL CHATHISTORY INVALID_PARAMS TARGETS :no")
    assert upstream.heard()[0].startswith("CHATHISTORY AFTER #a ")
    upstream.says(":irc.example FAIL CHATHISTORY INVALID_TARGET AFTER #a :no")
    assert upstream.heard()[0].startswith("CHATHISTORY AFTER #b ")
    stage.timers.pass_by(gaps.PATIENCE)
    await network.answers()
    assert [await texts(stage, channel) for channel in network.channels] == [[], [], ["missed in #c"], ["missed in #d"]]
    network.hangs_up()
    network.connects()
    await network.answers()
    assert await texts(stage, "#b") == ["missed in #b"]


async def test_a_network_that_never_answers_is_asked_no_more(stage: Stage) -> None:
    network = await begin(stage, Historian(stage, channels=[f"#{number}" for number in range(9)]))
    network.hangs_up()
    network.deaf = True
    network.connects()
    for _ in range(20):
        stage.timers.pass_by(gaps.PATIENCE)
    await network.answers()
    assert len(network.asked) == gaps.SILENCES


@pytest.mark.parametrize("caps", ["batch server-time message-tags", "server-time draft/chathistory", ""])
async def test_networks_without_history_are_not_asked(stage: Stage, caps: str) -> None:
    network = await begin(stage, Historian(stage, caps=caps))
    network.hangs_up()
    network.connects()
    await network.answers()
    assert network.asked == []


async def test_a_kill_in_the_middle_loses_nothing(stage: Stage) -> None:
    network = await begin(stage, Historian(stage, channels=("#a", "#c")))
    talk(network, "before")
    await stage.settle()
    network.hangs_up()
    expected = ["before", *talk(network, "missed")]
    stage.timers.pass_by(3600)
    network.connects()
    network.deaf = True
    network.talks("live", "#a")
    network.talks("live")
    await network.answers()
    network.here, network.deaf = False, False
    stage.begin()
    network.connects()
    await network.answers()
    assert await texts(stage) == [*expected, "live"]
    assert await texts(stage, "#a") == ["live"]
    assert gaps.NAME not in await stage.store.devices(stage.upstream().link.network.id)


async def test_a_channel_that_is_joined_for_the_first_time_has_no_gap(stage: Stage) -> None:
    network = await begin(stage, Historian(stage))
    network.hangs_up()
    talk(network, "long ago", channel="#new")
    talk(network, "lately", channel="#new")
    network.connects()
    await network.answers()
    network.upstream.joins("#new", "bob")
    await network.answers()
    assert await texts(stage, "#new") == []


async def test_a_networks_clock_that_is_behind(stage: Stage) -> None:
    network = await begin(stage, Historian(stage))
    network.hangs_up()
    stage.timers.time -= 1000
    network.talks("missed")
    stage.timers.time += 1000
    network.connects()
    await network.answers()
    assert await texts(stage) == []  # so far in the past that it was said before; but ...
    network.hangs_up()
    stage.timers.time -= 1000
    network.talks("missed now")
    stage.timers.time += 1000
    upstream = network.upstream
    network.isupport = (*network.isupport, "X=1")
    original = upstream.says
    upstream.says = lambda *lines: original(*(_behind(line) for line in lines))  # type: ignore[method-assign]
    network.connects()
    upstream.says = original  # type: ignore[method-assign]
    await network.answers()
    assert "missed now" in await texts(stage)


def _behind(line: str) -> str:
    return f"@time=2023-11-14T21:56:40.000Z {line}" if " 422 " in line else line


async def test_an_answer_to_the_connection_before_is_none_to_this_one(stage: Stage) -> None:
    network = await begin(stage, Historian(stage, caps=f"{CAPS} labeled-response"))
    network.hangs_up()
    stage.timers.pass_by(100)
    network.talks("hello", "carol", by="carol", to="alice")
    network.connects()
    (targets,) = [line for line in network.upstream.heard() if "CHATHISTORY" in line]
    stage.store.fail("the disk is full")
    label = targets.partition(" ")[0].removeprefix("@")
    network.upstream.says(f"@{label} :irc.example BATCH +t chathistory #x", *_lines(3), ":irc.example BATCH -t")
    await stage.settle()
    stage.timers.pass_by(5)
    network.hangs_up()
    network.connects()
    stage.store.fail(None)
    stage.timers.pass_by(replayed.RETRY - 1)
    stage.timers.pass_by(0.5)
    await stage.settle()
    assert await texts(stage, "#x") == ["0", "1", "2"]
    await network.answers()
    assert await texts(stage, "carol") == ["hello"]


def _lines(count: int) -> list[str]:
    return [f"@batch=t;time=2020-01-01T00:00:00.{number:03d}Z :a!b@c PRIVMSG #x :{number}" for number in range(count)]


@pytest.mark.parametrize("msgid", ["m" * 5000])
async def test_a_msgid_that_no_question_has_room_for(stage: Stage, msgid: str) -> None:
    network = await begin(stage, Historian(stage, channels=("#c", "#d"), page=10))
    network.hangs_up()
    expected = talk(network, *map(str, range(25)))
    for said in network.history["#c"]:
        said.msgid += msgid
    network.connects()
    await network.answers()
    assert await texts(stage) == expected
    assert max(map(len, network.asked)) < 300


async def test_one_conversation_has_a_limit(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaps, "LINES_LIMIT", 100)
    network = await begin(stage, Historian(stage, page=30))
    network.hangs_up()
    talk(network, *map(str, range(500)))
    network.connects()
    await network.answers()
    assert len(await texts(stage)) == 120
