"""A network goes and comes back: clients are told, keep their channels, and get the difference."""

from __future__ import annotations

from dataclasses import replace

from tests.play.stage import Stage

NOTE = ":*bouncer!bouncer@bouncer NOTICE alice :"


async def test_clients_are_told_why_and_when(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached()
    upstream.hangs_up("the server went away")
    phone.gets(f"{NOTE}Disconnected from example: the server went away. Next try in 2 s.")
    upstream.welcomes()
    phone.gets(
        f"{NOTE}Connected to example (irc.example:6697).",
    )


async def test_the_same_failure_is_told_once(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached()
    for _ in range(5):
        upstream.hangs_up("connection refused")
    assert len(phone.lines()) == 1
    upstream.hangs_up("no route to host")
    assert len(phone.lines()) == 1


async def test_text_is_refused_at_once_and_never_queued(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached()
    upstream.hangs_up("gone")
    phone.lines()
    phone.says("PRIVMSG #c :hello?")
    phone.gets(":irc.example 404 alice #c :Not sent: example is not connected: gone")
    upstream.welcomes()
    assert upstream.heard() == []


async def test_channels_stay_and_only_what_changed_is_told(stage: Stage) -> None:
    upstream = stage.connected(channels=("#c",))
    assert upstream.heard() == ["JOIN #c"]
    upstream.joins("#c", "@bob", "carl", "dave", topic="Tea")
    phone = await stage.attached()
    upstream.hangs_up("gone")
    phone.lines()
    upstream.welcomes()
    assert upstream.heard() == ["JOIN #c"]
    phone.lines()
    upstream.joins("#c", "bob", "@carl", "erin", topic="Coffee")
    phone.gets(
        ":dave PART #c :Gone while the network was away",
        ":erin JOIN #c",
        ":irc.example MODE #c -o+o bob carl",
        ":irc.example TOPIC #c Coffee",
    )


async def test_nothing_is_told_of_a_channel_that_is_as_it_was(stage: Stage) -> None:
    upstream = stage.connected(channels=("#c",))
    upstream.joins("#c", "@bob", topic="Tea")
    phone = await stage.attached()
    upstream.hangs_up()
    upstream.welcomes()
    phone.lines()
    upstream.joins("#c", "@bob", topic="Tea")
    phone.gets_nothing()
    upstream.says(":bob!b@h PRIVMSG #c :wb")
    phone.gets(":bob!b@h PRIVMSG #c :wb")


async def test_a_channel_that_will_not_have_us_again_leaves_the_screens(stage: Stage) -> None:
    upstream = stage.connected(channels=("#c",))
    upstream.joins("#c")
    phone = await stage.attached()
    upstream.hangs_up()
    upstream.welcomes()
    phone.lines()
    upstream.says(":irc.example 474 alice #c :Cannot join channel (+b)")
    phone.gets(
        ":irc.example 474 alice #c :Cannot join channel (+b)",
        ":alice!al@home.example PART #c :Could not join again: Cannot join channel (+b)",
    )
    (channel,) = upstream.link.status().channels
    assert not channel.joined
    assert channel.reason == "Cannot join channel (+b)"


async def test_another_nick_after_the_return_is_told(stage: Stage) -> None:
    stage.user()
    upstream = stage.upstream()
    upstream.welcomes("alice")
    phone = await stage.attached()
    upstream.hangs_up()
    phone.lines()
    upstream.welcomes("alice_")
    assert ":alice NICK alice_" in phone.lines()


async def test_who_comes_while_it_is_down_sees_the_channels_and_why(stage: Stage) -> None:
    upstream = stage.connected(channels=("#c",))
    upstream.joins("#c", "@bob", topic="Tea")
    upstream.hangs_up("gone")
    phone = await stage.device()
    lines = await phone.gets_soon()
    assert any(line.endswith(" JOIN #c") for line in lines)
    assert any(" 353 " in line and "@bob" in line for line in lines)
    assert lines[-1] == f"{NOTE}example is not connected: gone."


async def test_who_comes_before_the_first_connection_is_let_in(stage: Stage) -> None:
    stage.user()
    phone = await stage.device()
    lines = await phone.gets_soon()
    assert lines[0] == ":bnc.example 001 alice :Welcome to example, alice"
    stage.upstream().welcomes()
    phone.lines()
    stage.upstream().joins("#c")
    assert phone.lines()[0] == ":alice!al@home.example JOIN #c"


async def test_lines_that_were_still_waiting_are_given_back(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached()
    upstream.holds = True
    phone.says("PRIVMSG #c :held")
    upstream.holds = False
    upstream.hangs_up("gone")
    assert phone.lines() == [
        f"{NOTE}Not sent, the connection ended: held",
        f"{NOTE}Disconnected from example: gone. Next try in 2 s.",
    ]


async def test_a_network_that_gives_us_a_strange_nick_hurts_nobody(stage: Stage) -> None:
    stage.user()
    upstream = stage.upstream()
    upstream.link.opened("irc.example:6697")
    upstream.says(
        ":irc.example 001 :a b",
        "::x 001 ::y :z",
        ":irc.example 001",
        ":x JOIN :#a b",
        ":x NICK :a b",
        ":x MODE",
        ":x 353",
    )
    upstream.says(":irc.example 001 bob :Welcome", ":bob!b@h JOIN #c", ":irc.example 366 bob #c :End")
    upstream.registered = True
    upstream.link.registered()
    lines = await (await stage.device()).gets_soon()
    assert lines[0].startswith(":irc.example 001 bob ")
    assert any(line == ":bob!b@h JOIN #c" for line in lines)


async def test_a_channel_can_be_left_while_the_network_is_down(stage: Stage) -> None:
    upstream = stage.connected(channels=("#c", "#d"))
    upstream.joins("#c", "@bob")
    upstream.joins("#d")
    phone = await stage.attached("alice@phone")
    desk = await stage.attached("alice@desk")
    upstream.hangs_up()
    phone.lines()
    desk.lines()
    phone.says("PART #c,#d :enough")
    for device in (phone, desk):
        device.gets(":alice!al@home.example PART #c enough", ":alice!al@home.example PART #d enough")
    upstream.heard()
    upstream.welcomes()
    assert upstream.heard() == []


async def test_a_channel_that_never_came_back_can_be_left(stage: Stage) -> None:
    upstream = stage.connected(channels=("#c",))
    upstream.joins("#c", "@bob")
    phone = await stage.attached()
    upstream.hangs_up()
    upstream.welcomes()
    phone.lines()
    phone.says("PART #c")
    phone.gets(":alice!al@home.example PART #c :")
    assert upstream.link.network.channels == ()


async def test_a_channel_joined_while_the_network_is_down_is_joined_later(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached()
    upstream.hangs_up("gone")
    phone.lines()
    phone.says("JOIN #new,#locked x,key")
    phone.gets(
        f"{NOTE}example is not connected: gone. #new will be joined when it is.",
        f"{NOTE}example is not connected: gone. #locked will be joined when it is.",
    )
    upstream.heard()
    upstream.welcomes()
    assert upstream.heard() == ["JOIN #new,#locked x,key"]


async def test_a_forward_takes_the_old_channel_from_the_screens(stage: Stage) -> None:
    upstream = stage.connected(channels=("#c",))
    upstream.joins("#c", "@bob")
    phone = await stage.attached()
    upstream.hangs_up()
    upstream.welcomes()
    phone.lines()
    upstream.says(":irc.example 470 alice #c ##c :Forwarding to another channel")
    assert phone.lines()[-1].startswith(":alice!al@home.example PART #c ")
    upstream.joins("##c", "@op")
    assert phone.lines()[0] == ":alice!al@home.example JOIN ##c"


async def test_a_kick_during_the_return_takes_the_channel_from_the_screens(stage: Stage) -> None:
    upstream = stage.connected(channels=("#c",))
    upstream.joins("#c", "@bob")
    phone = await stage.attached()
    upstream.hangs_up()
    upstream.welcomes()
    phone.lines()
    upstream.says(":alice!al@home.example JOIN #c", ":bob!b@h KICK #c alice :out")
    phone.gets(":bob!b@h KICK #c alice :out")
    assert list(upstream.link.channels) == []


async def test_who_comes_during_the_return_gets_the_same_picture_as_the_others(stage: Stage) -> None:
    upstream = stage.connected(channels=("#c",))
    upstream.joins("#c", "@bob", "carl")
    upstream.hangs_up()
    upstream.welcomes()
    upstream.says(":alice!al@home.example JOIN #c")
    phone = await stage.device()
    names = [line for line in phone.lines() if " 353 " in line]
    assert names == [":irc.example 353 alice = #c :alice @bob carl"]
    upstream.says(":irc.example 353 alice = #c :alice @bob dave", ":irc.example 366 alice #c :End")
    phone.gets(":carl PART #c :Gone while the network was away", ":dave JOIN #c")


async def test_an_end_in_the_middle_of_the_return_forgets_nobody(stage: Stage) -> None:
    upstream = stage.connected(channels=("#c",))
    upstream.joins("#c", "@bob", "carl")
    phone = await stage.attached()
    upstream.hangs_up()
    upstream.welcomes()
    upstream.says(":alice!al@home.example JOIN #c")
    upstream.hangs_up("once more")
    upstream.welcomes()
    phone.lines()
    upstream.joins("#c", "@bob")
    phone.gets(":carl PART #c :Gone while the network was away")


async def test_who_came_before_the_network_learns_its_nick_and_what_it_is(stage: Stage) -> None:
    stage.user()
    upstream = stage.upstream()
    phone = await stage.attached()
    upstream.link.opened("irc.example:6697")
    upstream.says(":irc.example 433 * alice :Nickname is already in use", ":irc.example 464 * :Password incorrect")
    phone.gets_nothing()
    upstream.welcomes("alice_")
    lines = phone.lines()
    assert lines[0] == ":alice NICK alice_"
    assert any(" 005 alice_ NETWORK=Example " in line for line in lines)
    upstream.hangs_up()
    upstream.welcomes("alice_")
    assert not any(" 005 " in line for line in phone.lines())


async def test_a_channel_deleted_while_the_network_is_down_leaves_the_screens(stage: Stage) -> None:
    user = stage.user(channels=("#c",))
    upstream = stage.upstream()
    upstream.welcomes()
    upstream.joins("#c", "@bob")
    phone = await stage.attached()
    upstream.hangs_up()
    phone.lines()
    stage.house.replace(replace(user, networks=(replace(user.networks[0], channels=()),)))
    phone.gets(":alice!al@home.example PART #c :")
    upstream.heard()
    upstream.welcomes()
    assert upstream.heard() == []


async def test_a_login_to_services_that_failed_is_told_and_shown(stage: Stage) -> None:
    stage.user()
    upstream = stage.upstream()
    phone = await stage.attached()
    upstream.welcomes(login_failure="SASL authentication failed")
    assert f"{NOTE}example: not logged in to services: SASL authentication failed" in phone.lines()
    assert upstream.link.status().reason == "not logged in to services: SASL authentication failed"
    upstream.hangs_up()
    upstream.welcomes()
    assert upstream.link.status().reason == ""
