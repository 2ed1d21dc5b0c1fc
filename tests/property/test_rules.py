"""Whatever is said, and whatever the rules are: what is ignored, not kept or detached stays so, and the rest comes."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from bouncer.model.records import HIGHLIGHT, MESSAGE, NONE, Channel
from tests.play.stage import Stage

RULES = st.sampled_from([NONE, HIGHLIGHT, MESSAGE])
PEOPLE = ("bob", "troll", "alice")
TARGETS = ("#c", "#secret", "#d")
TEXTS = ("hello", "alice?", "\x01ACTION waves\x01", "\x01VERSION\x01", "http://x.example/alice", "\x0304coffee\x03 ")
lines = st.builds(
    lambda who, command, target, text: (who, f":{who}!x@h {command} {target} :{text}", target, text),
    st.sampled_from(PEOPLE),
    st.sampled_from(["PRIVMSG", "NOTICE"]),
    st.sampled_from(TARGETS),
    st.sampled_from(TEXTS),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(lines, max_size=20), st.integers(1, 5), RULES, RULES)
def test_each_line_goes_where_the_rules_say(
    said: list[tuple[str, str, str, str]], size: int, relay: str, reattach: str
) -> None:
    async def live() -> None:
        stage = Stage()
        user = stage.user(highlights=("coffee",), ignore=("troll!*@*",))
        channels = (Channel("#c"), Channel("#secret"), Channel("#d", detached=True, relay=relay, reattach=reattach))
        network = replace(user.networks[0], channels=channels, unlogged=("#secret",))
        stage.house.replace(replace(user, networks=(network,)))
        upstream = stage.upstream()
        upstream.welcomes()
        for name in TARGETS:
            upstream.joins(name, "bob", "troll")
        phone = await stage.attached(caps="server-time")
        before = upstream.link.log.seq

        shown: list[str] = []
        hidden: list[str] = []
        kept, away = 0, True
        for who, line, target, text in said:
            ctcp = text.startswith("\x01") and (not text.startswith("\x01ACTION") or " NOTICE " in line)
            calls = who == "bob" and text in {"alice?", TEXTS[-1]}
            if who == "troll":
                continue
            kept += not ctcp and target != "#secret"
            if target == "#d" and away and not ctcp and who == "bob":
                away = not (reattach == MESSAGE or (reattach == HIGHLIGHT and calls))
                if not away:
                    shown += hidden
            if target != "#d" or not away:
                shown.append(line)
            elif not ctcp:
                hidden.append(line)
        for start in range(0, len(said), size):
            upstream.says(*(line for _, line, _, _ in said[start : start + size]))

        got = [line.partition(" ")[2] for line in await phone.gets_soon() if "!x@h" in line]
        assert got == shown
        assert upstream.link.log.seq - before == kept
        await stage.desk.close()
        stage.store.close()

    asyncio.run(live())
