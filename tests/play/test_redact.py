"""What the network takes back is shown no more, on no device and in no way."""

from __future__ import annotations

import pytest

from tests.play.stage import Device, Stage, Upstream

CAP = "draft/message-redaction"
TAGS = f"message-tags server-time batch {CAP}"
ASKS = f"{TAGS} draft/chathistory"
REDACT = ":bob!b@h REDACT #c m1 :sorry"


async def said(stage: Stage) -> Upstream:
    """A channel in which two lines were said, on a network that takes messages back."""
    upstream = stage.connected()
    upstream.says(f":irc.example CAP alice ACK :message-tags {CAP}")
    upstream.joins("#c", "bob")
    (await stage.attached("alice@phone")).leaves()
    upstream.says("@msgid=m1 :bob!b@h PRIVMSG #c :unspeakable", "@msgid=m2 :bob!b@h PRIVMSG #c :fine")
    return upstream


async def ask(device: Device, command: str) -> list[str]:
    """The lines of the answer, without tags."""
    device.says(command)
    lines = [line.partition(" :")[2] if line[0] == "@" else line for line in await device.gets_soon()]
    return [line for line in lines if "BATCH" not in line]


async def test_it_is_passed_on_to_those_who_can_take_it(stage: Stage) -> None:
    upstream = await said(stage)
    phone, old = await stage.attached("alice@phone", CAP), await stage.attached("alice@old")
    upstream.says(REDACT)
    phone.gets(REDACT)
    old.gets_nothing()


@pytest.mark.parametrize("stored", [True, False])
async def test_it_is_in_no_answer_any_more(stage: Stage, stored: bool) -> None:
    upstream = await said(stage)
    if stored:
        await stage.settle()
    upstream.says(REDACT)
    phone = await stage.attached("alice@phone", f"{ASKS} znc.in/playback soju.im/search")
    assert await ask(phone, "CHATHISTORY LATEST #c * 9") == ["bob!b@h PRIVMSG #c :fine"]
    assert await ask(phone, "CHATHISTORY AFTER #c msgid=m1 9") == ["bob!b@h PRIVMSG #c :fine"]
    assert await ask(phone, "CHATHISTORY AROUND #c msgid=m1 9") == ["bob!b@h PRIVMSG #c :fine"]
    assert await ask(phone, "PRIVMSG *playback :PLAY #c 0") == ["bob!b@h PRIVMSG #c :fine"]
    assert await ask(phone, "SEARCH text=unspeakable") == []
    assert not any(b"unspeakable" in row.raw for row in stage.store._lines[upstream.link.network.id])


@pytest.mark.parametrize("caps", ["", "server-time", "batch server-time", f"{TAGS} draft/event-playback"])
async def test_it_is_not_replayed(stage: Stage, caps: str) -> None:
    upstream = await said(stage)
    upstream.says(REDACT)
    phone = await stage.device("alice@phone", caps)
    lines = await phone.gets_soon()
    assert not [line for line in lines if "unspeakable" in line]
    assert len([line for line in lines if "fine" in line]) == 1


async def test_those_who_take_events_get_the_redaction_too(stage: Stage) -> None:
    upstream = await said(stage)
    upstream.says(REDACT)
    everything = ["alice!al@home.example JOIN #c", "bob!b@h PRIVMSG #c :fine", REDACT[1:]]
    phone = await stage.attached("alice@phone", f"{ASKS} draft/event-playback")
    assert await ask(phone, "CHATHISTORY LATEST #c * 9") == everything
    other = await stage.attached("alice@other", "message-tags server-time batch draft/chathistory draft/event-playback")
    assert await ask(other, "CHATHISTORY LATEST #c * 9") == everything[:2]


async def test_a_client_that_reads_slowly_is_not_shown_it_any_more(stage: Stage) -> None:
    upstream = await said(stage)
    slow = await stage.attached("alice@slow", CAP)
    slow.full = True
    upstream.says("@msgid=m3 :bob!b@h PRIVMSG #c :secret")
    upstream.says(":bob!b@h REDACT #c m3")
    slow.takes_again()
    slow.gets(":bob!b@h REDACT #c m3")


async def test_what_is_taken_back_at_once_is_never_kept(stage: Stage) -> None:
    upstream = await said(stage)
    upstream.says("@msgid=m3 :bob!b@h PRIVMSG #c :secret", ":bob!b@h REDACT #c m3")
    await stage.settle()
    assert not any(b"secret" in row.raw for row in stage.store._lines[upstream.link.network.id])


async def test_in_private(stage: Stage) -> None:
    upstream = await said(stage)
    upstream.says(
        "@msgid=p1 :bob!b@h PRIVMSG alice :one",
        "@msgid=p2 :alice!al@home.example PRIVMSG bob :two",
        "@msgid=p3 :bob!b@h PRIVMSG alice :three",
        ":bob!b@h REDACT alice p1",
        ":alice!al@home.example REDACT bob p2",
        ":irc.example REDACT alice p3",  # in which conversation it does not say
    )
    phone = await stage.attached("alice@phone", ASKS)
    assert await ask(phone, "CHATHISTORY LATEST bob * 9") == ["bob!b@h PRIVMSG alice :three"]


async def test_a_msgid_of_another_conversation_takes_nothing_back(stage: Stage) -> None:
    upstream = await said(stage)
    upstream.joins("#other")
    upstream.says(":eve!e@h REDACT #other m1", ":eve!e@h REDACT #c", ":eve!e@h REDACT alice m1", ":eve!e@h REDACT")
    phone = await stage.attached("alice@phone", ASKS)
    assert len(await ask(phone, "CHATHISTORY LATEST #c * 9")) == 2


async def test_a_redaction_in_history_counts_too(stage: Stage) -> None:
    upstream = await said(stage)
    upstream.says(":irc.example CAP alice ACK :batch server-time")
    upstream.says(
        ":irc.example BATCH +1 chathistory #c",
        "@batch=1;time=2023-11-14T22:00:00.000Z;msgid=h1 :bob!b@h PRIVMSG #c :secret",
        "@batch=1;time=2023-11-14T22:00:01.000Z;msgid=h2 :bob!b@h PRIVMSG #c :known",
        "@batch=1;time=2023-11-14T22:00:02.000Z :bob!b@h REDACT #c h1",
        "@batch=1;time=2023-11-14T22:00:03.000Z :bob!b@h REDACT #c m1",
        ":irc.example BATCH -1",
    )
    stage.timers.pass_by(10)
    await stage.settle()
    stage.timers.pass_by(10)
    await stage.settle()
    phone = await stage.attached("alice@phone", ASKS)
    said_now = ["bob!b@h PRIVMSG #c :known", "bob!b@h PRIVMSG #c :fine"]
    assert await ask(phone, "CHATHISTORY LATEST #c * 9") == said_now


# --- a client's own


async def test_a_clients_word_alone_takes_nothing_back(stage: Stage) -> None:
    upstream = await said(stage)
    phone = await stage.attached("alice@phone", ASKS)
    phone.says("REDACT #c m1 :oops")
    assert upstream.heard()[-1] == "REDACT #c m1 :oops"
    assert len(await ask(phone, "CHATHISTORY LATEST #c * 9")) == 2
    upstream.says(":irc.example FAIL REDACT REDACT_FORBIDDEN #c m1 :You are not authorised to delete this message")
    assert len(phone.lines()) == 1
    upstream.says(":alice!al@home.example REDACT #c m1 :oops")
    assert len(phone.lines()) == 1
    assert len(await ask(phone, "CHATHISTORY LATEST #c * 9")) == 1


async def test_what_the_network_can_not_take_back_is_refused(stage: Stage) -> None:
    upstream = await said(stage)
    phone = await stage.attached("alice@phone", ASKS)
    upstream.heard()
    phone.says("REDACT #c bnc-1-1-5")
    phone.gets(
        ":irc.example FAIL REDACT UNKNOWN_MSGID #c bnc-1-1-5 :The network knows no such message and can't take it back"
    )
    upstream.says(f":irc.example CAP alice DEL :{CAP}")
    phone.says("REDACT #c m1", "REDACT #c")
    phone.gets(
        ":irc.example FAIL REDACT INVALID_TARGET #c :Example can't take messages back",
        ":irc.example 461 alice REDACT :Not enough parameters",
    )
    assert upstream.heard() == []


# --- reactions


async def test_reactions_are_kept_and_can_be_taken_back(stage: Stage) -> None:
    upstream = await said(stage)
    upstream.says(
        "@msgid=r1;+draft/reply=m2;+draft/react=lol :bob!b@h TAGMSG #c",
        "@msgid=r2;+reply=m2;+draft/unreact=lol :bob!b@h TAGMSG #c",
        "@msgid=r3;+typing=active :bob!b@h TAGMSG #c",
        "@msgid=r4;+draft/react=lol :bob!b@h TAGMSG #c",  # to nothing
        "@msgid=r5;+reply=m2;+typing=active :bob!b@h TAGMSG #c",
    )
    phone = await stage.attached("alice@phone", f"{ASKS} draft/event-playback")
    phone.says("CHATHISTORY LATEST #c * 9")
    lines = [line for line in await phone.gets_soon() if "TAGMSG" in line]
    assert [line.partition("msgid=")[2] for line in lines] == [
        "r1;+draft/reply=m2;+draft/react=lol :bob!b@h TAGMSG #c",
        "r2;+reply=m2;+draft/unreact=lol :bob!b@h TAGMSG #c",
    ]
    upstream.says(":bob!b@h REDACT #c r1")
    phone.lines()
    phone.says("CHATHISTORY LATEST #c * 9")
    assert len([line for line in await phone.gets_soon() if "TAGMSG" in line]) == 1
    quiet = await stage.attached("alice@quiet", ASKS)
    assert len(await ask(quiet, "CHATHISTORY LATEST #c * 9")) == 2


async def test_a_reaction_of_ours_is_kept_and_told_to_the_other_devices(stage: Stage) -> None:
    upstream = await said(stage)
    phone = await stage.attached("alice@phone", "message-tags")
    desk = await stage.attached("alice@desk", "message-tags")
    phone.says("@+draft/reply=m2;+draft/react=lol TAGMSG #c", "@+typing=active TAGMSG #c")
    phone.says("@+draft/reply=m2;label=x PRIVMSG #c :indeed")
    assert [line.partition(" ")[0].partition("msgid=bnc-")[0] for line in desk.lines()] == [
        "@",
        "@+typing=active",
        "@",
    ]
    new = await stage.attached("alice@new", f"{ASKS} draft/event-playback")
    new.says("CHATHISTORY LATEST #c * 2")
    lines = [line.partition("msgid=")[2].partition(";")[2] for line in await new.gets_soon()]
    assert [line for line in lines if line] == [
        "+draft/reply=m2;+draft/react=lol :alice!al@home.example TAGMSG #c",
        "+draft/reply=m2 :alice!al@home.example PRIVMSG #c indeed",
    ]
    assert upstream.heard()


async def test_a_redaction_in_history_reaches_who_reads_slowly(stage: Stage) -> None:
    upstream = await said(stage)
    slow = await stage.attached("alice@slow")
    slow.full = True
    upstream.says("@msgid=m3 :bob!b@h PRIVMSG #c :unspeakable as well", "@msgid=m4 :bob!b@h PRIVMSG #c :decent")
    await stage.settle()
    upstream.says(
        ":irc.example BATCH +1 chathistory #c",
        "@batch=1 :bob!b@h REDACT #c m3",
        "@batch=1;time=2023-11-14T22:00:00.000Z :bob!b@h PRIVMSG #c :earlier",
        ":irc.example BATCH -1",
    )
    await stage.settle()
    slow.takes_again()
    assert [line.rpartition(":")[2] for line in slow.lines()] == ["decent", "00] earlier"]
    assert not any(b"as well" in row.raw for row in stage.store._lines[upstream.link.network.id])
