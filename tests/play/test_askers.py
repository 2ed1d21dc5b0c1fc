"""Several devices of one user ask the same network: who asked is told, and what is news is told to all."""

from __future__ import annotations

from tests.play.stage import Stage, Upstream


def with_labels(stage: Stage) -> Upstream:
    stage.user()
    upstream = stage.upstream()
    upstream.welcomes()
    upstream.says(":irc.example CAP alice ACK :batch labeled-response")
    return upstream


async def test_a_labelled_answer_goes_to_its_asker_without_its_label(stage: Stage) -> None:
    upstream = with_labels(stage)
    phone = await stage.attached("alice@phone", "message-tags batch")
    desk = await stage.attached("alice@desk", "message-tags batch")
    phone.says("WHOIS bob")
    desk.says("WHOIS bob")
    first, second = upstream.heard()
    assert first.endswith(" WHOIS bob")
    assert second.endswith(" WHOIS bob")
    label, other = (line.partition(" ")[0] for line in (first, second))
    assert label.startswith("@label=")
    assert label != other
    upstream.says(
        f"{other} :irc.example BATCH +x labeled-response",
        "@batch=x :irc.example 311 alice bob b h * :Bob",
        "@batch=x :irc.example 318 alice bob :End",
        ":irc.example BATCH -x",
        f"{label} :irc.example 263 alice WHOIS :Later",
    )
    desk.gets(":irc.example 311 alice bob b h * :Bob", ":irc.example 318 alice bob :End")
    phone.gets(":irc.example 263 alice WHOIS :Later")


async def test_a_new_nick_is_asked_for_without_a_label(stage: Stage) -> None:
    upstream = with_labels(stage)
    phone = await stage.attached("alice@phone")
    desk = await stage.attached("alice@desk")
    phone.says("NICK alicia")
    assert upstream.heard() == ["NICK alicia"]
    upstream.says(":irc.example 433 alice alicia :Nickname is already in use")
    phone.gets(":irc.example 433 alice alicia :Nickname is already in use")
    desk.gets_nothing()


async def test_what_a_labelled_command_changed_is_told_to_all(stage: Stage) -> None:
    upstream = with_labels(stage)
    phone = await stage.attached("alice@phone")
    desk = await stage.attached("alice@desk", "message-tags batch")
    phone.says("JOIN #c")
    label = upstream.heard()[0].partition(" ")[0]
    lines = [
        ":alice!al@home.example JOIN #c",
        ":irc.example 353 alice = #c :alice bob",
        ":irc.example 366 alice #c :End of /NAMES list.",
    ]
    upstream.says(
        f"{label} :irc.example BATCH +x labeled-response",
        *(f"@batch=x {line}" for line in lines),
        ":irc.example BATCH -x",
    )
    phone.gets(*lines)
    desk.gets(*lines)
    phone.says("JOIN #d")
    label = upstream.heard()[0].partition(" ")[0]
    upstream.says(f"{label} :irc.example 474 alice #d :Cannot join channel (+b)")
    phone.gets(":irc.example 474 alice #d :Cannot join channel (+b)")
    desk.gets_nothing()
    phone.says("MODE alice +i")
    label = upstream.heard()[0].partition(" ")[0]
    upstream.says(f"{label} :alice MODE alice :+i")
    phone.gets(":alice MODE alice :+i")
    desk.gets(":alice MODE alice :+i")


async def test_text_is_labelled_and_its_label_is_not_in_what_the_others_see(stage: Stage) -> None:
    upstream = with_labels(stage)
    phone = await stage.attached("alice@phone")
    desk = await stage.attached("alice@desk", "message-tags")
    phone.says("PRIVMSG bob :hi", "TAGMSG bob")
    (sent,) = upstream.heard()
    assert sent.startswith("@label=")
    (seen,) = desk.lines()
    assert "label" not in seen
    assert seen.endswith(":alice!al@home.example PRIVMSG bob hi")
    upstream.says(f"{sent.partition(' ')[0]} :irc.example 401 alice bob :No such nick")
    phone.gets(":irc.example 401 alice bob :No such nick")
    desk.gets_nothing()


async def test_batches_of_the_network_do_not_show_through(stage: Stage) -> None:
    upstream = with_labels(stage)
    upstream.joins("#c", "bob")
    phone = await stage.attached("alice@phone", "message-tags batch")
    upstream.says(
        ":irc.example BATCH +n netsplit a.example b.example",
        "@batch=n :bob!b@h QUIT :a.example b.example",
        ":irc.example BATCH -n",
        "@batch=unknown;label=9 :carl!c@h JOIN #c",
    )
    phone.gets(":bob!b@h QUIT :a.example b.example", ":carl!c@h JOIN #c")


async def test_answers_to_a_device_that_left_in_the_middle_go_to_nobody(stage: Stage) -> None:
    upstream = with_labels(stage)
    phone = await stage.attached("alice@phone")
    desk = await stage.attached("alice@desk")
    phone.says("LIST")
    label = upstream.heard()[0].partition(" ")[0]
    upstream.says(f"{label} :irc.example BATCH +x labeled-response", "@batch=x :irc.example 321 alice Channel :Users")
    phone.leaves()
    upstream.says("@batch=x :irc.example 322 alice #c 3 :t", "@batch=x :irc.example 323 alice :End")
    desk.gets_nothing()
    late = await stage.attached("alice@phone")
    upstream.says("@batch=x :irc.example 322 alice #d 3 :t")
    late.gets_nothing()


async def test_names_asked_for_while_joining_take_nothing_from_the_others(stage: Stage) -> None:
    upstream = stage.connected(channels=("#c",))
    phone = await stage.attached("alice@phone")
    desk = await stage.attached("alice@desk")
    phone.says("NAMES #c")
    upstream.joins("#c", "bob")
    burst = [
        ":alice!al@home.example JOIN #c",
        ":irc.example 353 alice = #c :alice bob",
        ":irc.example 366 alice #c :End of /NAMES list.",
    ]
    desk.gets(*burst)
    phone.gets(*burst)
    upstream.says(*burst[1:])
    phone.gets(*burst[1:])
    desk.gets_nothing()


async def test_a_device_that_guessed_another_nick_is_told_its_own(stage: Stage) -> None:
    upstream = stage.connected()
    upstream.joins("#c")
    device = await stage.device("alice@phone")
    lines = await device.gets_soon()
    told = lines.index(":guess!al@home.example NICK alice")
    assert lines[0].startswith(":irc.example 001 alice ")
    assert told < lines.index(":alice!al@home.example JOIN #c")
    upstream.says(":alice!al@home.example NICK guess")
    right = await stage.device("alice@desk")
    assert not [line for line in await right.gets_soon() if " NICK " in line]
