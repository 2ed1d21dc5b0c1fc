"""The service has three names, and answers under the one that was spoken to."""

from __future__ import annotations

import pytest

from tests.play.stage import Stage


@pytest.mark.parametrize(
    ("typed", "name"), [("*bouncer", "*bouncer"), ("BouncerServ", "BouncerServ"), ("*STATUS", "*status")]
)
async def test_it_answers_under_the_name_that_was_spoken_to(stage: Stage, typed: str, name: str) -> None:
    upstream = stage.connected()
    phone = await stage.attached()
    phone.says(f"PRIVMSG {typed} :status")
    assert await phone.gets_soon() == [f":{name}!bouncer@bouncer NOTICE alice :you said status"]
    phone.says(f"NOTICE {typed} :thanks", f"PRIVMSG {typed} :\x01VERSION\x01", f"TAGMSG {typed}")
    assert await phone.gets_soon() == []
    assert upstream.heard() == []


async def test_who_it_is_is_no_question_for_the_network(stage: Stage) -> None:
    upstream = stage.connected()
    phone = await stage.attached()
    phone.says("WHOIS bouncerserv", "WHO *status", "WHOIS")
    phone.gets(
        ":irc.example 311 alice BouncerServ bouncer bouncer * :say help to see what can be done here",
        ":irc.example 312 alice BouncerServ irc.example :the bouncer itself",
        ":irc.example 318 alice BouncerServ :End of /WHOIS list.",
        ":irc.example 352 alice * bouncer bouncer irc.example *status H :0 say help to see what can be done here",
        ":irc.example 315 alice *status :End of /WHO list.",
    )
    assert upstream.heard() == ["WHOIS"]
    phone.says("WHOIS irc.example bob", "WHO #c", "WHO *bouncer %n", "WHO")
    assert upstream.heard() == ["WHOIS irc.example bob", "WHO #c", "WHO *bouncer %n", "WHO"]
