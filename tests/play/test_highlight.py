"""What calls the user, as it is told of channels that are out of sight."""

from __future__ import annotations

from dataclasses import replace

from bouncer.model.records import Channel
from tests.play.stage import Device, Stage, Upstream

TOLD = ":*bouncer!bouncer@bouncer NOTICE"


async def out_of_sight(stage: Stage, *words: str) -> tuple[Upstream, Device]:
    """A channel that is detached, and a phone that is told of it."""
    user = stage.user(highlights=words)
    network = replace(user.networks[0], channels=(Channel("#c", detached=True),))
    stage.house.replace(replace(user, networks=(network,)))
    upstream = stage.upstream()
    upstream.welcomes()
    upstream.joins("#c", "bob")
    return upstream, await stage.attached()


async def test_the_nick_of_now_and_the_words_of_now_call(stage: Stage) -> None:
    upstream, phone = await out_of_sight(stage, "coffee")
    upstream.says(":bob!b@h PRIVMSG #c :alice: hi", ":bob!b@h PRIVMSG #c :Coffee?", ":bob!b@h PRIVMSG #c :alison, tea?")
    phone.gets(f"{TOLD} alice :#c: <bob> alice: hi", f"{TOLD} alice :#c: <bob> Coffee?")
    upstream.says(":alice!al@home.example NICK alison")
    phone.lines()
    upstream.says(":bob!b@h PRIVMSG #c :alice: hi", ":bob!b@h PRIVMSG #c :alison: hi")
    phone.gets(f"{TOLD} alison :#c: <bob> alison: hi")
    (user,) = stage.house.users()
    stage.house.replace(replace(user, highlights=("tea",)))
    upstream.says(":bob!b@h PRIVMSG #c :coffee", ":bob!b@h PRIVMSG #c :tea")
    phone.gets(f"{TOLD} alison :#c: <bob> tea")


async def test_urls_servers_and_the_user_do_not_call(stage: Stage) -> None:
    upstream, phone = await out_of_sight(stage)
    upstream.says(
        ":bob!b@h PRIVMSG #c :http://example.org/alice",
        ":irc.example NOTICE #c :alice is here",
        ":alice!al@home.example PRIVMSG #c :alice is me",
    )
    phone.gets_nothing()


async def test_formatting_and_the_networks_cases_do_not_hide_the_nick(stage: Stage) -> None:
    upstream, phone = await out_of_sight(stage)
    upstream.says(":alice!al@home.example NICK al[")
    phone.lines()
    upstream.says(":bob!b@h PRIVMSG #c :\x02A\x02L{: hi")
    phone.gets(f"{TOLD} al[ :#c: <bob> \x02A\x02L{{: hi")
