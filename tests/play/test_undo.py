"""A network that was deleted by mistake comes back with what each device had still to read."""

from __future__ import annotations

from bouncer.operations.context import Actor
from bouncer.operations.table import perform
from tests.play.stage import Stage

CAPS = "batch server-time"
ALICE = Actor("alice")


async def do(stage: Stage, text: str) -> tuple[str, ...]:
    return (await perform(stage.context(ALICE), text.split())).lines


def texts(lines: list[str]) -> list[str]:
    return [line.rpartition(":")[2] for line in lines if " PRIVMSG " in line]


async def test_a_device_gets_what_it_missed_before_and_after(stage: Stage) -> None:
    upstream = stage.connected(channels=("#c",))
    upstream.joins("#c", "bob")
    phone = await stage.attached("alice@phone", CAPS)
    phone.leaves()
    upstream.says(":bob!b@h PRIVMSG #c :missed")
    assert "network restore example brings it back" in (await do(stage, "network delete example"))[0]
    upstream.says(":bob!b@h PRIVMSG #c :last words")  # the server has not heard yet that we go
    await stage.store.settled()
    stage.begin()  # a restart in between
    assert await do(stage, "network restore example") == ("network example is back, with 1 channel and its history",)
    upstream = stage.upstream()
    upstream.welcomes()
    assert upstream.heard() == ["JOIN #c"]
    upstream.joins("#c", "bob")
    upstream.says(":bob!b@h PRIVMSG #c :again")
    again = await stage.device("alice@phone", CAPS)
    assert texts(await again.gets_soon()) == ["missed", "last words", "again"]


async def test_who_is_attached_is_put_out_and_can_come_again(stage: Stage) -> None:
    stage.connected()
    phone = await stage.attached("alice/example@phone")
    await do(stage, "network delete example")
    phone.gets("ERROR :Closing link: The network example was removed")
    await do(stage, "network restore example as=back")
    stage.upstream(network="back").welcomes()
    again = await stage.attached("alice/back@phone")
    stage.upstream(network="back").says(":bob!b@h PRIVMSG alice :hello")
    assert texts(await again.gets_soon()) == ["hello"]
