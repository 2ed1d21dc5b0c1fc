"""Channels that will not have us, that put us out, that are elsewhere now: tried again, and not too often."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from bouncer.core import joins
from bouncer.core.status import ChannelStatus
from bouncer.model.records import Channel
from tests.play.stage import START, Stage, Upstream

NOTE = ":*bouncer!bouncer@bouncer NOTICE alice :"


def connected(stage: Stage, *channels: Channel, **settings: object) -> Upstream:
    """A user with one network and these channels, which has welcomed us."""
    user = stage.user()
    network = replace(user.networks[0], channels=channels, **settings)  # type: ignore[arg-type]
    stage.house.replace(replace(user, networks=(network,)))
    upstream = stage.upstream()
    upstream.welcomes()
    return upstream


def status(upstream: Upstream) -> list[ChannelStatus]:
    return list(upstream.link.status().channels)


def refuses(upstream: Upstream, numeric: str, channel: str) -> None:
    upstream.says(f":irc.example {numeric} alice {channel} :Cannot join channel")


async def test_refused_joins_are_tried_again_in_one_line_and_ever_more_rarely(stage: Stage) -> None:
    upstream = connected(stage, *map(Channel, ("#a", "#b", "#c")))
    assert upstream.heard() == ["JOIN #a,#b,#c"]
    upstream.joins("#c")
    refuses(upstream, "471", "#a")
    refuses(upstream, "437", "#b")
    tries = []
    while stage.timers.time < START + 7200:
        stage.timers.pass_by(1)
        if lines := upstream.heard():
            assert lines == ["JOIN #a,#b"]
            tries.append(stage.timers.time - START)
            refuses(upstream, "471", "#a")
            refuses(upstream, "437", "#b")
    waits = [later - earlier for earlier, later in zip([0.0, *tries], tries, strict=False)]
    assert waits[0] <= 45
    assert all(later > earlier for earlier, later in pairwise(waits[:6]))
    assert 1400 <= waits[-1] <= 1815
    assert len(tries) < 12
    upstream.joins("#a")
    upstream.joins("#b")
    assert not [each for each in stage.timers.deadlines if not each.cancelled]


async def test_hundreds_of_channels_are_joined_once(stage: Stage) -> None:
    names = [f"#c{number}" for number in range(600)]
    upstream = connected(stage, *map(Channel, names))
    assert sorted(",".join(line.removeprefix("JOIN ") for line in upstream.heard()).split(",")) == sorted(names)
    for name in names:
        upstream.joins(name)
    stage.timers.pass_by(7200)
    assert upstream.heard() == []
    assert all(channel.joined for channel in status(upstream))


@pytest.mark.parametrize("numeric", ["439", "471", "500"])
async def test_only_the_first_refusal_is_shown(stage: Stage, numeric: str) -> None:
    upstream = connected(stage, Channel("#a"))
    phone = await stage.attached()
    refuses(upstream, numeric, "#a")
    phone.gets(f":irc.example {numeric} alice #a :Cannot join channel")
    stage.timers.pass_by(60)
    assert upstream.heard() == ["JOIN #a", "JOIN #a"]
    refuses(upstream, numeric, "#a")
    phone.gets_nothing()
    assert status(upstream) == [ChannelStatus("#a", False, 0, "Cannot join channel")]


async def test_a_ban_is_asked_about_rarely(stage: Stage) -> None:
    upstream = connected(stage, Channel("#a"))
    refuses(upstream, "474", "#a")
    upstream.heard()
    stage.timers.pass_by(450)
    assert upstream.heard() == []
    stage.timers.pass_by(170)
    assert upstream.heard()[0] == "JOIN #a"


async def test_a_join_without_an_answer_is_said_again(stage: Stage) -> None:
    upstream = connected(stage, Channel("#a"))
    stage.timers.pass_by(70)
    assert upstream.heard() == ["JOIN #a", "JOIN #a"]


async def test_an_invitation_is_followed_at_once_but_not_without_end(stage: Stage) -> None:
    upstream = connected(stage, Channel("#a"))
    refuses(upstream, "473", "#a")
    upstream.heard()
    stage.timers.pass_by(60)
    upstream.says(":bob!b@h INVITE alice :#a", ":bob!b@h INVITE alice :#never", ":bob!b@h INVITE carl :#a")
    assert upstream.heard() == ["JOIN #a"]
    refuses(upstream, "473", "#a")
    upstream.says(*[":bob!b@h INVITE alice :#a"] * 20)
    assert upstream.heard() == []


async def test_too_many_channels_waits_for_one_to_be_left(stage: Stage) -> None:
    upstream = connected(stage, Channel("#a"), Channel("#b"))
    upstream.joins("#a")
    refuses(upstream, "405", "#b")
    upstream.heard()
    stage.timers.pass_by(7200)
    assert upstream.heard() == []
    upstream.says(":alice!al@home.example PART #a")
    assert upstream.heard() == ["JOIN #b"]


async def test_a_bad_name_waits_for_another_connection(stage: Stage) -> None:
    upstream = connected(stage, Channel("#a"))
    refuses(upstream, "479", "#a")
    upstream.heard()
    stage.timers.pass_by(7200)
    assert upstream.heard() == []
    upstream.hangs_up()
    upstream.welcomes()
    assert upstream.heard() == ["JOIN #a"]


async def test_a_login_opens_what_needs_one(stage: Stage) -> None:
    for login in (":irc.example 900 alice alice!a@h Alice :You are now logged in", ":alice MODE alice :+r"):
        upstream = connected(stage, Channel("#a"))
        refuses(upstream, "477", "#a")
        upstream.heard()
        upstream.says(login)
        assert upstream.heard() == ["JOIN #a"]
        stage.house.remove(upstream.link.user.id)


async def test_joins_wait_for_the_login_that_connect_commands_ask_for(stage: Stage) -> None:
    upstream = connected(stage, Channel("#a"), connect_commands=("PRIVMSG NickServ :IDENTIFY secret",))
    assert upstream.heard() == ["PRIVMSG NickServ :IDENTIFY secret"]
    upstream.says(":irc.example 900 alice alice!a@h Alice :You are now logged in")
    assert upstream.heard() == ["JOIN #a"]
    assert upstream.link.state.account == "Alice"
    upstream.hangs_up()
    upstream.welcomes()
    upstream.heard()
    stage.timers.pass_by(joins.LOGIN_WAIT)
    assert upstream.heard() == ["JOIN #a"]


async def test_joins_do_not_wait_without_a_login(stage: Stage) -> None:
    upstream = connected(stage, Channel("#a"), connect_commands=("MODE alice +x",))
    assert upstream.heard() == ["MODE alice +x", "JOIN #a"]


async def test_a_clients_failed_join_is_its_own_and_no_wish(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice@phone")
    desk = await stage.attached("alice@desk")
    phone.says("JOIN #secret guess")
    assert upstream.heard() == ["JOIN #secret guess"]
    refuses(upstream, "475", "#secret")
    phone.gets(":irc.example 475 alice #secret :Cannot join channel")
    desk.gets_nothing()
    assert upstream.link.network.channels == ()
    stage.timers.pass_by(7200)
    assert upstream.heard() == []


async def test_a_key_with_a_space_goes_nowhere(stage: Stage) -> None:
    upstream = connected(stage, Channel("#a", "no key"), Channel("#b", "k"))
    assert upstream.heard() == ["JOIN #b k"]
    assert status(upstream)[0].reason.startswith("its key has a space or a comma")
    phone = await stage.attached()
    phone.says("JOIN #c :no key")
    phone.gets(":irc.example 475 alice #c :Not sent: a channel's key can't have spaces")
    assert upstream.heard() == []


async def test_keys_follow_the_channel(stage: Stage) -> None:
    upstream = connected(stage, Channel("#a"))
    upstream.joins("#a", "@bob")
    for mode, key in (("+k new", "new"), ("+k *", "new"), ("+mk", "new"), ("+o-k bob *", ""), ("+lk 5 x", "x")):
        upstream.says(f":bob!b@h MODE #a {mode}")
        assert upstream.link.network.channels == (Channel("#a", key),)
    await stage.store.settled()
    assert stage.store.load().users[0].networks[0].channels == (Channel("#a", "x"),)


async def test_a_forward_is_followed_and_the_wish_stays(stage: Stage) -> None:
    upstream = connected(stage, Channel("#a"))
    upstream.says(":irc.example 470 alice #a ##a :Forwarding to another channel")
    upstream.joins("##a", "@op")
    assert status(upstream) == [ChannelStatus("#a", True, 2, "forwarded to ##a")]
    assert upstream.link.network.channels == (Channel("#a"),)
    upstream.heard()
    stage.timers.pass_by(7200)
    assert upstream.heard() == []
    phone = await stage.attached()
    upstream.hangs_up()
    upstream.welcomes()
    assert upstream.heard() == ["JOIN #a"]
    phone.lines()
    upstream.joins("#a", "@op")
    lines = phone.lines()
    assert ":alice!al@home.example PART ##a :#a has let us in again" in lines
    assert ":alice!al@home.example JOIN #a" in lines
    assert status(upstream) == [ChannelStatus("#a", True, 2, "")]


async def test_leaving_a_forward_ends_the_wish(stage: Stage) -> None:
    upstream = connected(stage, Channel("#a"))
    upstream.says(":irc.example 470 alice #a ##a :Forwarding to another channel")
    upstream.joins("##a", "@op")
    upstream.says(":alice!al@home.example PART ##a")
    assert upstream.link.network.channels == ()


async def test_a_detached_channel_is_detached_where_it_forwards_to(stage: Stage) -> None:
    upstream = connected(stage, Channel("#a", detached=True))
    phone = await stage.attached()
    upstream.says(":irc.example 470 alice #a ##a :Forwarding to another channel")
    phone.lines()
    upstream.joins("##a", "@op")
    upstream.says(":op!o@h PRIVMSG ##a :psst")
    phone.gets_nothing()


async def test_a_channel_we_are_made_to_join_is_kept(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#made")
    assert upstream.link.network.channels == (Channel("#made"),)


async def test_a_renamed_channel_keeps_all_that_was_set(stage: Stage) -> None:
    upstream = connected(stage, Channel("#old", "key", sticky=True), Channel("#hid", detached=True))
    upstream.joins("#old", "@bob", topic="Tea")
    upstream.joins("#hid", "@bob")
    phone = await stage.attached()
    upstream.says(":irc.example RENAME #old #new :better", ":irc.example RENAME #hid #hidden :")
    phone.gets(
        ":alice!al@home.example PART #old :Renamed to #new better",
        ":alice!al@home.example JOIN #new",
        ":irc.example 332 alice #new Tea",
        ":irc.example 353 alice = #new :alice @bob",
        ":irc.example 366 alice #new :End of /NAMES list.",
    )
    assert upstream.link.network.channels == (Channel("#new", "key", sticky=True), Channel("#hidden", detached=True))
    upstream.says(":bob!b@h PRIVMSG #hidden :psst", ":bob!b@h PRIVMSG #new :hello")
    phone.gets(":bob!b@h PRIVMSG #new :hello")


async def test_a_kick_is_respected_until_we_are_asked_back(stage: Stage) -> None:
    upstream = connected(stage, Channel("#a"))
    upstream.joins("#a", "@bob")
    upstream.heard()
    upstream.says(":bob!b@h KICK #a alice :out")
    stage.timers.pass_by(7200)
    assert upstream.heard() == []
    assert status(upstream) == [ChannelStatus("#a", False, 0, "kicked by bob: out")]
    upstream.says(":bob!b@h INVITE alice #a")
    assert upstream.heard() == ["JOIN #a"]
    upstream.joins("#a", "@bob")
    assert status(upstream) == [ChannelStatus("#a", True, 2, "")]


async def test_other_settings_do_not_bring_us_back_after_a_kick(stage: Stage) -> None:
    upstream = connected(stage, Channel("#a"))
    upstream.joins("#a", "@bob")
    upstream.heard()
    upstream.says(":bob!b@h KICK #a alice :out")
    link = upstream.link
    network = replace(link.network, channels=(*link.network.channels, Channel("#b")))
    stage.house.replace(replace(link.user, networks=(network,)))
    assert upstream.heard() == ["JOIN #b"]


async def test_a_sticky_channel_is_joined_again_until_it_is_clear(stage: Stage) -> None:
    upstream = connected(stage, Channel("#a", sticky=True))
    upstream.joins("#a", "@bob")
    upstream.heard()
    waits: list[float] = []
    while len(waits) < 10:
        upstream.says(":bob!b@h KICK #a alice :out")
        kicked = stage.timers.time
        stage.timers.pass_by(40)
        if upstream.heard() != ["JOIN #a"]:
            break
        waits.append(kicked)
        upstream.joins("#a", "@bob")
    assert len(waits) == joins.KICKS_LIMIT - 1
    (now,) = status(upstream)
    assert now.reason.startswith("kicked by bob: out; not joined again by itself")


async def test_a_sticky_channel_is_not_left_by_a_client_nor_by_the_network(stage: Stage) -> None:
    upstream = connected(stage, Channel("#a", sticky=True), Channel("#b"))
    upstream.joins("#a", "@bob")
    upstream.joins("#b")
    upstream.heard()
    phone = await stage.attached("alice@phone")
    desk = await stage.attached("alice@desk")
    phone.says("PART #a,#b :bye")
    phone.gets(
        f"{NOTE}#a is sticky and was not left; `channel update example/#a sticky=no` lets you leave it",
        ":alice!al@home.example JOIN #a",
        ":irc.example 353 alice = #a :alice @bob",
        ":irc.example 366 alice #a :End of /NAMES list.",
    )
    desk.gets_nothing()
    assert upstream.heard() == ["PART #b bye"]
    upstream.says(":alice!al@home.example PART #a")
    stage.timers.pass_by(joins.KICK_WAIT)
    assert upstream.heard() == ["JOIN #a"]


async def test_join_0_leaves_what_can_be_left(stage: Stage) -> None:
    upstream = connected(stage, Channel("#a", sticky=True), Channel("#b"), Channel("#c"))
    for channel in ("#a", "#b", "#c"):
        upstream.joins(channel)
    upstream.heard()
    phone = await stage.attached()
    phone.says("JOIN 0")
    assert upstream.heard() == ["PART #b,#c"]
    upstream.says(":alice!al@home.example PART #b", ":alice!al@home.example PART #c")
    assert upstream.link.network.channels == (Channel("#a", sticky=True),)


async def test_what_is_remembered_of_channels_is_bounded(stage: Stage) -> None:
    upstream = connected(stage, Channel("#a"))
    for number in range(2000):
        upstream.says(
            f":irc.example 471 alice #x{number} :Full",
            f":irc.example 470 alice #y{number} #z{number} :Elsewhere",
            f":irc.example 470 alice #a #f{number} :Elsewhere",
            f":bob!b@h KICK #k{number} alice",
        )
    assert [each.name for each in status(upstream)] == ["#a"]
    assert len(upstream.link._channels._wishes._forwards) == 1
    assert len(upstream.link._channels._joins._troubles) == 1
