"""Networks and users that go, and come back."""

from __future__ import annotations

from dataclasses import replace

from bouncer.model.ports import Page
from tests.play.stage import Stage


async def texts(stage: Stage, network: int) -> list[bytes]:
    await stage.store.settled()
    return [row.raw for row in await stage.store.page(Page(network, 0, 1 << 40, 100))]


async def test_a_network_that_comes_back_goes_on_with_its_numbers(stage: Stage) -> None:
    user = stage.user()
    upstream = stage.upstream()
    upstream.welcomes()
    upstream.says(":bob!b@h PRIVMSG alice :before")
    phone = await stage.attached("alice@phone")
    phone.leaves()
    before = upstream.link
    stage.house.replace(replace(user, networks=()))
    stage.house.replace(user)
    upstream = stage.upstream()
    assert upstream.link is not before
    assert upstream.link.log.seq == before.log.seq
    assert upstream.link.positions == before.positions
    upstream.welcomes()
    upstream.says(":bob!b@h PRIVMSG alice :after")
    kept = await texts(stage, user.networks[0].id)
    assert kept == [b":bob!b@h PRIVMSG alice :before", b":bob!b@h PRIVMSG alice :after"]


async def test_what_a_removed_network_still_says_does_not_bring_it_back(stage: Stage) -> None:
    user = stage.user(channels=("#c",))
    upstream = stage.upstream()
    upstream.welcomes()
    upstream.joins("#c")
    stage.house.remove(user.id)
    stage.store.put_users([], [user.id])
    upstream.says(":alice!al@home.example PART #c", ":alice!al@home.example JOIN #d")
    await stage.store.settled()
    assert stage.store.load().users == ()
