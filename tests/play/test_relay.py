"""What a network says reaches every attached client, and what a client says reaches the network and the others."""

from __future__ import annotations

from dataclasses import replace

from bouncer.irc.message import Message
from bouncer.model.records import Channel
from tests.play.stage import ALL_CAPS, Stage

TIME = "@time=2023-11-14T22:13:20.000Z"


async def test_a_line_reaches_every_client_in_the_form_it_can_take(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#c", "@bob")
    old = await stage.attached("alice@old")
    timed = await stage.attached("alice@timed", "server-time")
    upstream.says(":bob!b@h PRIVMSG #c :hi  there ")
    old.gets(":bob!b@h PRIVMSG #c :hi  there ")
    timed.gets(f"{TIME} :bob!b@h PRIVMSG #c :hi  there ")


async def test_bytes_that_are_not_utf8_come_out_as_they_went_in(stage: Stage) -> None:
    upstream = stage.connected()
    device = await stage.attached()
    raw = b":bob!b@h PRIVMSG alice :caf\xe9 \xff"
    upstream.says(raw.decode("utf-8", "surrogateescape"))
    device.gets(raw.decode("utf-8", "surrogateescape"))


async def test_tags_go_only_to_those_who_asked(stage: Stage) -> None:
    upstream = stage.connected()
    plain = await stage.attached("alice@plain")
    tagged = await stage.attached("alice@tagged", "message-tags server-time account-tag")
    account = await stage.attached("alice@account", "account-tag")
    upstream.says("@time=2023-11-14T22:13:19.500Z;msgid=X1;account=bob;+typing=active :bob!b@h PRIVMSG alice :hi")
    plain.gets(":bob!b@h PRIVMSG alice :hi")
    tagged.gets("@time=2023-11-14T22:13:19.500Z;msgid=X1;account=bob;+typing=active :bob!b@h PRIVMSG alice :hi")
    account.gets("@account=bob :bob!b@h PRIVMSG alice :hi")


async def test_a_line_without_a_msgid_gets_one_of_ours(stage: Stage) -> None:
    upstream = stage.connected()
    device = await stage.attached("alice", "message-tags")
    upstream.says(":bob!b@h PRIVMSG alice :one", ":bob!b@h PRIVMSG alice :two")
    first, second = (line.partition(" ")[0] for line in device.lines())
    assert first.startswith("@msgid=bnc-")
    assert second.startswith("@msgid=bnc-")
    assert first != second


async def test_tagmsg_is_for_clients_with_tags(stage: Stage) -> None:
    upstream = stage.connected()
    plain = await stage.attached("alice@plain")
    tagged = await stage.attached("alice@tagged", "message-tags")
    upstream.says("@+typing=active :bob!b@h TAGMSG alice")
    plain.gets_nothing()
    tagged.gets("@+typing=active :bob!b@h TAGMSG alice")


async def test_extended_join_and_prefixes_are_taken_down_for_old_clients(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#c")
    old = await stage.attached("alice@old")
    new = await stage.attached("alice@new", "extended-join multi-prefix")
    names = ":irc.example 353 alice = #c :@+bob +carl alice"
    upstream.says(":bob!b@h JOIN #c bobacct :Bob B", names)
    old.gets(":bob!b@h JOIN #c", ":irc.example 353 alice = #c :@bob +carl alice")
    new.gets(":bob!b@h JOIN #c bobacct :Bob B", names)


async def test_own_words_reach_the_network_and_the_other_devices_but_not_the_speaker(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice@phone")
    desk = await stage.attached("alice@desk")
    echo = await stage.attached("alice@echo", "echo-message")
    phone.says("PRIVMSG #c :hi all")
    assert upstream.heard() == ["PRIVMSG #c :hi all"]
    phone.gets_nothing()
    desk.gets(":alice!al@home.example PRIVMSG #c :hi all")
    echo.gets(":alice!al@home.example PRIVMSG #c :hi all")
    echo.says("NOTICE bob :psst")
    echo.gets(":alice!al@home.example NOTICE bob psst")
    phone.gets(":alice!al@home.example NOTICE bob psst")


async def test_what_a_client_calls_itself_is_not_passed_on(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached()
    phone.says(":mallory!m@x PRIVMSG #c :hi", "@+typing=active;time=2000-01-01T00:00:00.000Z PRIVMSG #c :ho")
    assert upstream.heard() == ["PRIVMSG #c :hi", "PRIVMSG #c :ho"]


async def test_client_tags_pass_where_the_network_takes_tags(stage: Stage) -> None:
    stage.user()
    upstream = stage.upstream()
    upstream.says(":irc.example CAP * ACK :message-tags")
    upstream.welcomes()
    upstream.says(":irc.example CAP alice ACK :message-tags")
    phone = await stage.attached("alice", "message-tags")
    phone.says("@+typing=active;label=1;+reply=bnc-1-1-5 TAGMSG #c", "@+reply=bnc-1-1-5 TAGMSG #c")
    assert upstream.heard() == ["@+typing=active TAGMSG #c"]


async def test_a_command_without_a_row_passes_unchanged(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached()
    phone.says("WHOIS bob", "KNOCK #c :let me in", "frobnicate  a :b c")
    assert upstream.heard() == ["WHOIS bob", "KNOCK #c :let me in", "frobnicate  a :b c"]


async def test_the_verbs_of_the_session_with_us_never_reach_the_network(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached()
    phone.says("PASS x", "USER a 0 * :b", "CAP LIST", "AUTHENTICATE PLAIN", "PING :1", "PONG :2", "", "@a=b", ":src")
    assert upstream.heard() == []
    phone.gets(
        ":irc.example 462 alice :You may not reregister",
        ":irc.example 462 alice :You may not reregister",
        ":irc.example CAP alice LIST :",
        ":irc.example 907 alice :You have already authenticated using SASL",
        ":irc.example PONG irc.example 1",
    )
    phone.says("QUIT :bye")
    assert upstream.heard() == []
    phone.gets("ERROR :Closing link: Quit: bye")
    assert phone.closed


async def test_questions_that_the_picture_answers_do_not_reach_the_network(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#c", "@bob", topic="Tea")
    upstream.says(":irc.example 324 alice #c +nk key", ":irc.example 329 alice #c 1600000000")
    phone = await stage.attached()
    phone.says("MODE #c", "TOPIC #c", "NAMES #c", "MOTD")
    phone.gets(
        ":irc.example 324 alice #c +nk key",
        ":irc.example 329 alice #c 1600000000",
        ":irc.example 332 alice #c Tea",
        ":irc.example 353 alice = #c :alice @bob",
        ":irc.example 366 alice #c :End of /NAMES list.",
        ":irc.example 422 alice :There is no message of the day",
    )
    assert upstream.heard() == []


async def test_joining_a_channel_again_gives_what_a_server_says_after_a_join(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#c", topic="Tea")
    phone = await stage.attached()
    phone.says("JOIN #C,#d,#e kc,,ke")
    assert upstream.heard() == ["JOIN #e,#d ke"]
    phone.gets(
        ":alice!al@home.example JOIN #c",
        ":irc.example 332 alice #c Tea",
        ":irc.example 353 alice = #c alice",
        ":irc.example 366 alice #c :End of /NAMES list.",
    )


async def test_channels_joined_and_left_in_a_client_are_kept(stage: Stage) -> None:
    user = stage.user()
    upstream = stage.upstream()
    upstream.welcomes()
    phone = await stage.attached()
    phone.says("JOIN #secret key")
    upstream.joins("#secret")
    upstream.joins("#d")
    upstream.says(":alice!al@home.example PART #d :bye")
    await stage.settle()
    account = stage.house.account(user.name)
    assert account is not None
    assert [(channel.name, channel.key) for channel in account.user.networks[0].channels] == [("#secret", "key")]
    stage.begin()
    stage.upstream().welcomes()
    assert stage.upstream().heard() == ["JOIN #secret key"]


async def test_the_service_answers_and_the_network_hears_nothing_of_it(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached()
    phone.says("PRIVMSG *bouncer :help me", "PRIVMSG *status,bob :both", "PING :after")
    await stage.settle()
    phone.gets(
        ":*bouncer!bouncer@bouncer NOTICE alice :you said help me",
        ":*status!bouncer@bouncer NOTICE alice :you said both",
        ":irc.example PONG irc.example after",
    )
    assert upstream.heard() == ["PRIVMSG bob both"]
    assert [text for _, text in stage.service] == ["help me", "both"]


async def test_too_few_parameters_are_refused(stage: Stage) -> None:
    stage.user()
    stage.upstream().welcomes()
    phone = await stage.attached()
    phone.says("JOIN")
    phone.gets(":irc.example 461 alice JOIN :Not enough parameters")


async def test_a_slow_client_costs_nobody_anything_and_gets_all(stage: Stage) -> None:
    upstream = stage.connected()
    slow = await stage.attached("alice@slow")
    quick = await stage.attached("alice@quick", ALL_CAPS)
    slow.full = True
    for number in range(50):
        upstream.says(f":bob!b@h PRIVMSG alice :{number}")
    slow.says("PING :x")
    slow.gets_nothing()
    assert len(quick.lines()) == 50
    slow.takes_again()
    slow.gets(*(f":bob!b@h PRIVMSG alice :{number}" for number in range(50)), ":irc.example PONG irc.example x")


async def test_a_detached_channel_is_kept_from_the_screens_until_it_is_joined(stage: Stage) -> None:
    user = stage.user(channels=("#c",))
    quiet = replace(user.networks[0], channels=(Channel("#c", detached=True),))
    stage.house.replace(replace(user, networks=(quiet,)))
    upstream = stage.upstream()
    upstream.welcomes()
    assert upstream.heard() == ["JOIN #c"]
    phone = await stage.attached()
    upstream.joins("#c", "@bob")
    upstream.says(":bob!b@h PRIVMSG #C :unseen")
    phone.gets_nothing()
    phone.says("JOIN #c")
    phone.gets(
        ":alice!al@home.example JOIN #c",
        ":irc.example 353 alice = #c :alice @bob",
        ":irc.example 366 alice #c :End of /NAMES list.",
    )
    upstream.says(":bob!b@h PRIVMSG #c :seen")
    lines = await phone.gets_soon()
    assert [line.rpartition(" ")[2] for line in lines] == ["unseen", ":seen"]
    assert upstream.heard() == []


async def test_an_answer_goes_to_the_device_that_asked_and_to_no_other(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice@phone")
    desk = await stage.attached("alice@desk")
    phone.says("WHOIS bob")
    desk.says("FROBNICATE")
    upstream.says(":irc.example 311 alice bob b h * :Bob", ":irc.example 318 alice bob :End of /WHOIS list.")
    upstream.says(":irc.example 421 alice FROBNICATE :Unknown command")
    phone.gets(":irc.example 311 alice bob b h * :Bob", ":irc.example 318 alice bob :End of /WHOIS list.")
    desk.gets(":irc.example 421 alice FROBNICATE :Unknown command")


async def test_the_answer_to_a_device_that_has_left_goes_to_nobody(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice@phone")
    desk = await stage.attached("alice@desk")
    phone.says("WHO #c")
    phone.leaves()
    upstream.says(":irc.example 315 alice #c :End of /WHO list.")
    desk.gets_nothing()


async def test_what_the_bouncer_asks_for_itself_is_nobodys_news(stage: Stage) -> None:
    stage.user()
    upstream = stage.upstream()
    upstream.welcomes("alice_")
    phone = await stage.attached()
    upstream.link.sent([Message.parse(b"ISON alice")], stage.timers.time)  # as the client library does
    upstream.says(":irc.example 303 alice_ :alice")
    phone.gets_nothing()
    phone.says("ISON bob")
    upstream.says(":irc.example 303 alice_ :bob")
    phone.gets(":irc.example 303 alice_ :bob")


async def test_a_watch_of_ours_is_nobodys_news(stage: Stage) -> None:
    stage.user()
    upstream = stage.upstream()
    upstream.welcomes("alice_")
    phone = await stage.attached()
    upstream.link.sent([Message.parse(b"MONITOR + alice")], stage.timers.time)  # as the client library does
    upstream.says(
        ":irc.example 730 alice_ :alice!a@h",
        ":irc.example 734 alice_ 100 alice :Monitor list is full.",
        ":irc.example 731 alice_ :alice",
    )
    phone.gets_nothing()


async def test_what_a_client_watches_is_told(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached("alice@phone")
    desk = await stage.attached("alice@desk")
    phone.says("MONITOR + bob")
    lines = [":irc.example 730 alice :bob!b@h", ":irc.example 731 alice :bob"]
    upstream.says(*lines)
    phone.gets(*lines)
    desk.gets(*lines)
    phone.says("MONITOR + carl")
    upstream.says(":irc.example 734 alice 1 carl :Monitor list is full.")
    phone.gets(":irc.example 734 alice 1 carl :Monitor list is full.")
    desk.gets_nothing()
    upstream.hangs_up()
    upstream.welcomes()  # the network begins with an empty list
    phone.lines()
    upstream.says(":irc.example 731 alice :alice")
    phone.gets_nothing()


async def test_tokens_that_hold_between_the_network_and_us_only_are_not_shown(stage: Stage) -> None:
    stage.user()
    upstream = stage.upstream()
    upstream.welcomes("alice", "CHATHISTORY=50", "draft/CHATHISTORY=50", "MSGREFTYPES=msgid", "NAMESX", "WHOX")
    lines = await (await stage.device()).gets_soon()
    (tokens,) = (line for line in lines if " 005 " in line)
    assert " WHOX" in tokens
    words = set(tokens.split())
    assert {"CHATHISTORY=1000", "MSGREFTYPES=msgid,timestamp"} <= words  # ours, not theirs
    assert not {"CHATHISTORY=50", "draft/CHATHISTORY=50", "MSGREFTYPES=msgid", "NAMESX"} & words
    assert "draft/" not in tokens


async def test_a_tag_part_with_nothing_in_it_is_dropped(stage: Stage) -> None:
    upstream = stage.connected()
    timed = await stage.attached("alice@timed", "server-time")
    plain = await stage.attached("alice@plain")
    upstream.says("@ :bob!b@h PRIVMSG alice :hi")
    timed.gets(f"{TIME} :bob!b@h PRIVMSG alice :hi")
    plain.gets(":bob!b@h PRIVMSG alice :hi")
