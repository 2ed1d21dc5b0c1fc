"""Our own clock is set back while clients are here, and between two starts."""

from __future__ import annotations

from tests.play.stage import Stage

HOUR = 3600.0


def texts(lines: list[str]) -> list[str]:
    return [line.rpartition(" :")[2] for line in lines if "PRIVMSG" in line]


async def test_positions_go_on_when_the_clock_is_set_back(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice@phone")
    for text in ("one", "two"):
        upstream.says(f":bob!b@h PRIVMSG alice :{text}")
        stage.timers.pass_by(6)
    phone.lines()  # and answers the PINGs
    stage.timers.time -= HOUR
    upstream.says(":bob!b@h PRIVMSG alice :three")
    assert texts(phone.lines()) == ["three"]
    upstream.says(":bob!b@h PRIVMSG alice :four")
    for _ in range(4):
        stage.timers.pass_by(6)
        upstream.says(":bob!b@h PRIVMSG alice :and on")
        phone.lines()
    assert upstream.link.positions.kept["phone"] >= upstream.link.log.seq - 1
    for _ in range(4):
        stage.timers.pass_by(50)
        phone.lines()
    assert not phone.closed
    phone.leaves()
    upstream.says(":bob!b@h PRIVMSG alice :last")
    phone = await stage.device("alice@phone")
    missed = texts(phone.lines())
    assert len(missed) <= 2
    assert missed[-1].endswith("last")


async def test_lines_stay_in_order_when_the_clock_is_set_back(stage: Stage) -> None:
    """Live, and over a new start: who asks for what came after a line gets all of it."""
    upstream = stage.connected()
    desk = await stage.attached("alice@desk", "server-time batch message-tags draft/chathistory")
    said = []

    def say(text: str) -> str:
        upstream.says(f":bob!b@h PRIVMSG alice :{text}")
        said.append(text)
        (line,) = desk.lines()
        return line.partition(" ")[0]

    say("one")
    anchor = next(tag for tag in say("two")[1:].split(";") if tag.startswith("msgid="))
    stage.timers.time -= HOUR
    times = [say("three"), say("four")]
    assert "22:13:20" in times[0]
    await stage.store.settled()
    stage.begin()
    upstream = stage.upstream()
    upstream.welcomes()
    desk = await stage.attached("alice@desk", "server-time batch message-tags draft/chathistory")
    say("five")
    for _ in range(80):
        stage.timers.pass_by(60)
        desk.lines()
    say("six")
    for words, expected in (
        ("LATEST bob * 10", said),
        (f"AFTER bob {anchor} 10", said[2:]),
        ("LATEST bob * 2", said[-2:]),
    ):
        desk.says(f"CHATHISTORY {words}")
        await stage.settle()
        assert texts(desk.lines()) == expected, words
