"""The disk is full: text goes on, and nobody is turned away."""

from __future__ import annotations

from tests.play.stage import Stage


async def test_text_goes_on_and_what_was_missed_is_given_from_memory(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice@phone")
    desk = await stage.attached("alice@desk", "server-time")
    desk.leaves()
    stage.store.fail("the disk is full")
    upstream.says(":bob!b@h PRIVMSG alice :one", ":bob!b@h PRIVMSG alice :two")
    phone.gets(":bob!b@h PRIVMSG alice :one", ":bob!b@h PRIVMSG alice :two")
    desk = await stage.device("alice@desk", "server-time")
    assert [line.rpartition(":")[2] for line in desk.lines() if "PRIVMSG" in line] == ["one", "two"]


async def test_a_new_device_comes_in_at_the_newest_line(stage: Stage) -> None:
    upstream = stage.connected()
    stage.store.fail("the disk is full")
    phone = await stage.attached("alice@phone")
    upstream.says(":bob!b@h PRIVMSG alice :hello")
    phone.gets(":bob!b@h PRIVMSG alice :hello")
    stage.store.fail(None)


async def test_what_was_said_meanwhile_is_kept_when_it_works_again(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice@phone")
    phone.leaves()
    stage.store.fail("the disk is full")
    upstream.says(":bob!b@h PRIVMSG alice :meanwhile")
    stage.store.fail(None)
    await stage.store.settled()
    stage.begin()
    stage.upstream().welcomes()
    phone = await stage.device("alice@phone", "server-time")
    assert [line for line in phone.lines() if "meanwhile" in line]
