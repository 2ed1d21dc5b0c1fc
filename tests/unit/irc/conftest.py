"""What the tests of the language share: the one way in which streams of bytes are fed to a framer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bouncer.irc.framing import BODY_LIMIT, UPSTREAM_TAG_LIMIT, Framer


def _feed_every_way(data: bytes, make: Callable[[], Framer] | None = None) -> list[bytes]:
    """The lines of ``data``, after checking that it gives the same ones whole, byte by byte and with trailing data."""

    def new() -> Framer:
        return make() if make else Framer(UPSTREAM_TAG_LIMIT, BODY_LIMIT, cut=True)

    whole = new()
    lines = whole.feed(data)
    bytewise = new()
    assert [line for byte in data for line in bytewise.feed(bytes([byte]))] == lines
    assert bytewise.refused == whole.refused
    trailed = new()
    assert trailed.feed(data + b"\nPI") == [*lines, *whole.feed(b"\n")]
    assert trailed.feed(b"NG\r\n") == [b"PING"]
    assert trailed.refused == whole.refused
    return lines


@pytest.fixture(scope="session")
def feed_every_way() -> Callable[..., list[bytes]]:
    return _feed_every_way
