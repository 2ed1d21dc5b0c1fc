"""Whatever a network or a client says: nothing raises, no line breaks out of its place, everybody else goes on."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from bouncer.downstream.commands import COMMANDS
from bouncer.irc.framing import BODY_LIMIT, DOWNSTREAM_TAG_LIMIT, UPSTREAM_TAG_LIMIT, Framer
from bouncer.irc.message import Message
from bouncer.upstream.tracked import TRACKED
from tests.play.stage import ALL_CAPS, Device, Stage

WORDS = [
    *(
        "alice",
        "bob",
        "#c",
        "#d",
        ":",
        "::",
        "+o",
        "-ovb+k",
        "+nk",
        "*",
        ":a b",
        "@+bob +carl alice",
        "\x01ACTION x\x01",
    ),
    *("bob!b@h", "=", "ACK", "LS", "DEL", ":message-tags batch", "0", "", " ", "\xff", "é", "bnc-1-1-1", "*bouncer"),
]
commands = st.sampled_from([*TRACKED, *COMMANDS, "WHO", "433", "474", "FROB"])
sources = st.sampled_from(["", ":bob!b@h ", ":alice!al@home.example ", ":irc.example ", "::x ", ": ", ":a b "])
tags = st.sampled_from(
    ["", "@a=b ", "@time=2023-11-14T22:13:19.000Z ", "@time=x;msgid= ", "@ ", "@batch=1;=;;+x ", "@"]
)
lines = st.builds(
    lambda tag, source, command, params: (tag + source + command + " " + " ".join(params)).encode("latin-1", "replace"),
    tags,
    sources,
    commands,
    st.lists(st.sampled_from(WORDS), max_size=5),
)
reads = st.lists(st.one_of(lines, st.binary(max_size=60)), max_size=30).map(b"\r\n".join)


@settings(max_examples=300, deadline=None)
@given(reads, reads, st.booleans())
def test_nothing_that_is_said_raises_or_breaks_a_line(above: bytes, below: bytes, detached: bool) -> None:
    async def live() -> None:
        stage = Stage()
        stage.user(channels=("#c",))
        upstream = stage.upstream()
        upstream.welcomes()
        upstream.joins("#c", "@bob")
        plain = await stage.attached("alice@plain")
        modern = await stage.attached("alice/example@modern", ALL_CAPS)
        from_above = Framer(UPSTREAM_TAG_LIMIT, BODY_LIMIT, cut=True).feed(above + b"\r\n")
        from_below = Framer(DOWNSTREAM_TAG_LIMIT, BODY_LIMIT, cut=False).feed(below + b"\r\n")
        upstream.link.receive([Message.parse(line) for line in from_above], stage.timers.time)
        plain.visit.receive([Message.parse(line) for line in from_below])
        if detached:
            upstream.hangs_up()
            upstream.welcomes()
            upstream.link.receive([Message.parse(line) for line in from_above], stage.timers.time)
        late = await stage.device("alice@late", "batch server-time")
        await stage.settle()
        upstream.says(":carl!c@h PRIVMSG #z :still here")
        heard = modern.written[-1] if modern.written else b""
        assert b"still here" in heard
        assert not late.closed
        for device in (plain, modern, late):
            for line in b"".join(device.written).split(b"\r\n"):
                assert not set(line) & set(b"\r\n\0")
        for sent in upstream.heard():
            assert not set(sent) & set("\r\n\0")
        await stage.desk.close()
        stage.store.close()

    asyncio.run(live())


@settings(max_examples=200, deadline=None)
@given(reads)
def test_nothing_that_a_stranger_says_raises(said: bytes) -> None:
    async def live() -> None:
        stage = Stage()
        stage.user()
        stranger = await stage.device("nobody@x")
        assert stranger.closed
        device = Device(stage)
        framer = Framer(DOWNSTREAM_TAG_LIMIT, BODY_LIMIT, cut=False)
        device.visit.receive([Message.parse(line) for line in framer.feed(said + b"\r\n")])
        await stage.settle()
        assert b" 001 " not in b"".join(device.written)
        await stage.desk.close()
        stage.store.close()

    asyncio.run(live())
