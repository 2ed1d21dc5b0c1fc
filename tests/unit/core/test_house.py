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
    assert upstream.link.log.seq > before.log.seq
    assert upstream.link.positions.kept == before.positions.kept
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


async def test_a_rename_keeps_history_and_who_is_attached(stage: Stage) -> None:
    user = stage.user()
    upstream = stage.upstream()
    upstream.welcomes()
    phone = await stage.attached("alice/example@phone")
    upstream.says(":bob!b@h PRIVMSG alice :before")
    phone.lines()
    stage.house.replace(replace(user, name="carol", networks=(replace(user.networks[0], name="other"),)))
    assert stage.house.account("alice") is None
    assert stage.upstream("carol", "other") is upstream
    upstream.says(":bob!b@h PRIVMSG alice :after")
    phone.gets(":bob!b@h PRIVMSG alice :after")
    assert await texts(stage, user.networks[0].id) == [
        b":bob!b@h PRIVMSG alice :before",
        b":bob!b@h PRIVMSG alice :after",
    ]
    stage.timers.pass_by(5)  # until it is asked again what it has read
    phone.gets_nothing()
    again = await stage.device("carol/other@phone")
    assert not [line for line in await again.gets_soon() if "PRIVMSG" in line]  # it has read all of it, under any name


async def test_an_account_that_is_switched_off_ends_its_clients_and_lets_in_none_until_it_is_on(stage: Stage) -> None:
    user = stage.user("alice", "libera", "oftc")
    bound, unbound = await stage.attached("alice/libera@phone"), await stage.attached("alice@lobby")
    stage.house.replace(replace(user, enabled=False))
    for device in (bound, unbound):
        device.gets("ERROR :Closing link: Your account is switched off")
    assert (await stage.device("alice/libera@phone")).closed
    stage.house.replace(user)
    assert not (await stage.attached("alice/libera@phone")).closed


async def test_an_account_is_removed_while_clients_are_attached(stage: Stage) -> None:
    user = stage.user("alice", "libera", "oftc")
    bound, unbound = await stage.attached("alice/libera@phone"), await stage.attached("alice@lobby")
    stage.house.remove(user.id)
    bound.gets("ERROR :Closing link: Your account was removed")
    unbound.gets("ERROR :Closing link: Your account was removed")
    assert stage.house.users() == []
    stage.house.remove(user.id)  # gone is gone
