"""A channel that gets another name keeps its history."""

from __future__ import annotations

from dataclasses import replace

from bouncer.model.records import Channel
from tests.play.stage import Device, Stage, Upstream

CAPS = "batch server-time message-tags draft/chathistory draft/read-marker"
NOW = "timestamp=2023-11-14T22:13:20.000Z"


async def renamed(stage: Stage) -> Upstream:
    """A channel in which something was said before and after it got its name of now."""
    stage.user()
    upstream = stage.upstream()
    upstream.welcomes("alice", "STATUSMSG=@+")
    upstream.joins("#old", "bob")
    (await stage.attached("alice@phone", "batch server-time")).leaves()
    upstream.says(
        "@msgid=m1 :bob!b@h PRIVMSG #old :before",
        "@msgid=m2 :bob!b@h PRIVMSG @#old :for some",
        ":bob!b@h TOPIC #old :tea",
        ":bob!b@h RENAME #old #new :better",
        "@msgid=m3 :bob!b@h PRIVMSG #new :after",
    )
    return upstream


async def ask(device: Device, command: str) -> list[str]:
    device.says(command)
    lines = await device.gets_soon()
    return [line.partition(" :")[2] for line in lines if line.startswith("@batch=")]


async def test_all_of_it_is_found_under_the_new_name(stage: Stage) -> None:
    await renamed(stage)
    phone = await stage.attached("alice@phone", CAPS)
    said = ["bob!b@h PRIVMSG #new before", "bob!b@h PRIVMSG @#new :for some", "bob!b@h PRIVMSG #new :after"]
    assert (await ask(phone, "CHATHISTORY LATEST #new * 9")) == said
    assert (await ask(phone, "CHATHISTORY BEFORE #new msgid=m3 9")) == said[:2]
    assert (await ask(phone, "CHATHISTORY LATEST #old * 9")) == []
    events = await stage.attached("alice@phone", CAPS + " draft/event-playback")
    assert (await ask(events, "CHATHISTORY LATEST #new * 9")) == [
        "alice!al@home.example JOIN #new",
        *said[:2],
        "bob!b@h TOPIC #new tea",
        said[2],
    ]


async def test_it_is_replayed_in_one_batch(stage: Stage) -> None:
    await renamed(stage)
    await stage.settle()
    stage.begin()
    stage.upstream().welcomes("alice", "STATUSMSG=@+")
    phone = await stage.device("alice@phone", "batch server-time")
    lines = [line for line in await phone.gets_soon() if "BATCH +" in line or "PRIVMSG" in line]
    assert [line.partition("PRIVMSG ")[2] for line in lines[1:]] == ["#new before", "@#new :for some", "#new :after"]
    assert lines[0].endswith("chathistory #new")


async def test_clients_leave_one_and_join_the_other(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#old", "bob")
    phone = await stage.attached("alice@phone")
    upstream.says(":bob!b@h RENAME #old #new :better")
    lines = phone.lines()
    assert lines[:2] == [
        ":alice!al@home.example PART #old :Renamed to #new better",
        ":alice!al@home.example JOIN #new",
    ]
    upstream.says(":bob!b@h RENAME #new #New :")
    phone.gets_nothing()
    assert upstream.link.network.channels == (Channel("#New"),)
    upstream.says(":bob!b@h RENAME #nowhere #new :", ":bob!b@h RENAME #new", ":bob!b@h RENAME #new nowhere :")
    phone.gets_nothing()


async def test_what_was_read_of_it_stays_read(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#old")
    phone = await stage.attached("alice@phone", CAPS)
    phone.says(f"MARKREAD #old {NOW}")
    phone.lines()
    upstream.says(":bob!b@h RENAME #old #new :")
    assert any(line.endswith(f"MARKREAD #new {NOW}") for line in phone.lines())


async def test_what_was_missed_of_a_detached_one_is_given(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#old", "bob")
    phone = await stage.attached("alice@phone", "server-time")
    phone.says("PART #old :detach")
    upstream.says(":bob!b@h PRIVMSG #old :before")
    stage.timers.pass_by(10)
    phone.lines()
    upstream.says(":bob!b@h RENAME #old #new :", ":bob!b@h PRIVMSG #new :after")
    stage.timers.pass_by(10)
    phone.lines()
    phone.says("JOIN #new")
    lines = [line for line in await phone.gets_soon() if "PRIVMSG" in line]
    assert [line.partition("PRIVMSG ")[2] for line in lines] == ["#new before", "#new :after"]
    assert upstream.link.positions.kept.keys() == {"phone"}


async def test_what_was_not_kept_is_not_kept(stage: Stage) -> None:
    upstream = stage.connected()
    link = upstream.link
    link._keep(replace(link.network, unlogged=("#old",)))
    upstream.joins("#old", "bob")
    upstream.says(":bob!b@h RENAME #old #new :", ":bob!b@h PRIVMSG #new :psst")
    await stage.settle()
    assert not any(b"psst" in row.raw for row in stage.store._lines.get(link.network.id, []))
    assert link.network.unlogged == ("#old", "#new")


async def test_settings_do_not_grow_however_often_it_is_renamed(stage: Stage) -> None:
    stage.user()
    upstream = stage.upstream()
    link = upstream.link
    link._keep(replace(link.network, unlogged=("#a",)))
    upstream.welcomes()
    upstream.joins("#a", "bob")
    for _ in range(50):
        upstream.says(":bob!b@h RENAME #a #b :there", ":bob!b@h RENAME #b #a :and back")
    assert link.network.unlogged == ("#a", "#b")
