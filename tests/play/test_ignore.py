"""People whom a user does not want to see, and conversations that are not kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bouncer.irc.message import Message
from bouncer.model.records import Network
from tests.play.stage import Device, Stage, Upstream


def change(stage: Stage, **settings: Any) -> Network:
    """Let the one network of the one user have these settings, as a command would."""
    (user,) = stage.house.users()
    (network,) = user.networks
    network = replace(network, **settings)
    stage.house.replace(replace(user, networks=(network,)))
    return network


async def text_kept(stage: Stage) -> list[str]:
    """What a device that was never there before is given."""
    device: Device = await stage.device("alice/example@new", "server-time")
    messages = [Message.parse(line.encode()) for line in await device.gets_soon()]
    device.leaves()
    return [each.params[-1] for each in messages if each.command in {"PRIVMSG", "NOTICE"}]


async def test_ignored_text_is_neither_shown_nor_kept(stage: Stage) -> None:
    upstream = stage.connected(ignore=("troll!*@*",))
    upstream.joins("#c", "bob", "Troll")
    phone = await stage.attached()
    upstream.says(
        ":Troll!x@h PRIVMSG #c :one",
        ":troll!x@h NOTICE alice :two",
        ":troll!x@h PRIVMSG alice :\x01VERSION\x01",
        ":troll!x@h TAGMSG #c",
        ":troll!x@h INVITE alice #d",
        ":bob!b@h PRIVMSG #c :hello",
    )
    phone.gets(":bob!b@h PRIVMSG #c :hello")
    assert await text_kept(stage) == ["hello"]


async def test_where_ignored_people_are_is_shown(stage: Stage) -> None:
    upstream = stage.connected(ignore=("troll!*@*",))
    upstream.joins("#c", "bob")
    phone = await stage.attached()
    lines = [
        ":troll!x@h JOIN #c",
        ":troll!x@h TOPIC #c :mine",
        ":troll!x@h MODE #c +t",
        ":troll!x@h KICK #c bob :no",
        ":troll!x@h NICK troll2",
        ":troll2!x@h PART #c",
    ]
    upstream.says(*lines)
    phone.gets(*lines)


async def test_ignoring_begins_and_ends_at_once(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#c", "bob")
    phone = await stage.attached()
    change(stage, ignore=("*!*@spam.example",))
    upstream.says(":bob!b@spam.example PRIVMSG #c :one")
    phone.gets_nothing()
    change(stage, ignore=())
    upstream.says(":bob!b@spam.example PRIVMSG #c :two")
    phone.gets(":bob!b@spam.example PRIVMSG #c :two")


async def test_masks_are_compared_as_the_network_does(stage: Stage) -> None:
    stage.user()
    change(stage, ignore=("troll~!*@*",))
    upstream = stage.upstream()
    upstream.welcomes("alice", "CASEMAPPING=ascii")
    phone = await stage.attached()
    upstream.says(":troll^!x@h PRIVMSG alice :not the same here", ":TROLL~!x@h PRIVMSG alice :the same")
    phone.gets(":troll^!x@h PRIVMSG alice :not the same here")


async def test_the_user_and_servers_are_never_ignored(stage: Stage) -> None:
    upstream = stage.connected(ignore=("*!*@*",))
    phone = await stage.attached()
    lines = [":alice!al@home.example PRIVMSG alice :a note", ":irc.example NOTICE alice :going down"]
    upstream.says(*lines, ":bob!b@h PRIVMSG alice :hello", ":NickServ NOTICE alice :hello")
    phone.gets(*lines, ":NickServ NOTICE alice :hello")
    change(stage, ignore=("NickServ!*@*",))
    upstream.says(":NickServ NOTICE alice :hello")
    phone.gets_nothing()


async def test_questions_of_ignored_people_are_not_answered(stage: Stage) -> None:
    upstream = stage.connected(ignore=("troll!*@*",))
    upstream.heard()
    upstream.says(":troll!x@h PRIVMSG alice :\x01VERSION\x01")
    assert upstream.heard() == []
    upstream.says(":bob!b@h PRIVMSG alice :\x01VERSION\x01")
    assert len(upstream.heard()) == 1


async def speaks_and_hears(upstream: Upstream, phone: Device) -> None:
    phone.says("PRIVMSG #Private :mine", "PRIVMSG Bob :mine", "PRIVMSG #c :mine")
    lines = [f":bob!b@h PRIVMSG {target} :theirs" for target in ("#private", "alice", "#c")]
    upstream.says(*lines)
    phone.gets(*lines)


async def test_what_is_not_to_be_kept_is_shown_only(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#private", "bob")
    upstream.joins("#c", "bob")
    network = change(stage, unlogged=("#PRIVATE", "bob"))
    phone = await stage.attached()
    before = upstream.link.log.seq
    await speaks_and_hears(upstream, phone)
    assert await text_kept(stage) == ["mine", "theirs"]
    assert upstream.link.log.seq == before + 2
    assert upstream.link.network == network
    upstream.says(":carl!c@h JOIN #private")
    phone.gets(":carl!c@h JOIN #private")
    assert upstream.link.log.seq == before + 2


async def test_what_was_not_to_be_kept_is_kept_again(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#private", "bob")
    upstream.joins("#c", "bob")
    change(stage, unlogged=("#private", "bob"))
    change(stage, unlogged=())
    phone = await stage.attached()
    await speaks_and_hears(upstream, phone)
    assert len(await text_kept(stage)) == 6
