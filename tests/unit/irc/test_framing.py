from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.irc.fit import cut as cut_at_character
from bouncer.irc.framing import BODY_LIMIT, DOWNSTREAM_TAG_LIMIT, UPSTREAM_TAG_LIMIT, Framer

Feed = Callable[..., list[bytes]]

TAGS = 12  # small limits let short streams reach every edge
BODY = 9

pieces = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b"\0", b"@", b" ", b"a", "é".encode(), "€".encode(), b"\xff", b"bcdef"]
)
streams = st.one_of(st.lists(pieces).map(b"".join), st.binary())


def upstream() -> Framer:
    return Framer(UPSTREAM_TAG_LIMIT, BODY_LIMIT, cut=True)


def downstream() -> Framer:
    return Framer(DOWNSTREAM_TAG_LIMIT, BODY_LIMIT, cut=False)


def refused(data: bytes, make: Callable[[], Framer]) -> int:
    framer = make()
    framer.feed(data)
    return framer.refused


def by_the_rules(stream: bytes, cut: bool) -> tuple[list[bytes], int]:
    """The lines of a stream and the number refused, by the rules of the limits said one after the other."""
    lines = []
    refused = 0
    *whole, rest = stream.replace(b"\r", b"").replace(b"\0", b"").split(b"\n")
    for line in whole:
        tags, space, body = line.partition(b" ") if line.startswith(b"@") else (b"", b"", line)
        if len(tags + space) > TAGS or len(line) > TAGS + BODY - 2 or (len(body) > BODY - 2 and not cut):
            refused += 1
            continue
        if len(body) > BODY - 2:
            body = cut_at_character(body, BODY - 2)
        if tags + space + body:
            lines.append(tags + space + body)
    return lines, refused + (len(rest) > TAGS + BODY - 2)


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"PING a\r\nPING b\r\n", [b"PING a", b"PING b"]),
        (b"PING a\nPING b\n", [b"PING a", b"PING b"]),
        (b"\r\n\n\r\r\n", []),
        (b"PI\rNG\0 a\r\n", [b"PING a"]),
        (b"no line end", []),
        (b" \n", [b" "]),
        (b"caf\xe9 \xff\r\n", [b"caf\xe9 \xff"]),
    ],
)
def test_lines(data: bytes, lines: list[bytes], feed_every_way: Feed) -> None:
    assert feed_every_way(data, upstream) == lines
    assert feed_every_way(data, downstream) == lines


def test_the_longest_lines_pass_whole(feed_every_way: Feed) -> None:
    for limit, make in ((UPSTREAM_TAG_LIMIT, upstream), (DOWNSTREAM_TAG_LIMIT, downstream)):
        tags = b"@" + b"a" * (limit - 2) + b" "
        body = b"b" * (BODY_LIMIT - 2)
        assert feed_every_way(body + b"\r\n", make) == [body]
        assert feed_every_way(tags + body + b"\r\n", make) == [tags + body]
        assert refused(tags + body + b"\r\n", make) == 0


def test_an_over_long_body_from_a_network_is_cut(feed_every_way: Feed) -> None:
    body = b"x" * BODY_LIMIT
    assert feed_every_way(b"@a " + body + b"\r\nPING\r\n", upstream) == [b"@a " + body[:510], b"PING"]
    euro = "€".encode() * 200
    assert feed_every_way(b"xy" + euro + b"\r\n", upstream) == [(b"xy" + euro)[: 2 + 3 * 169]]
    assert refused(body + b"\r\n", upstream) == 0


def test_an_over_long_body_from_a_client_is_refused(feed_every_way: Feed) -> None:
    data = b"x" * 511 + b"\r\nPING\r\n"
    assert feed_every_way(data, downstream) == [b"PING"]
    assert refused(data, downstream) == 1


@pytest.mark.parametrize("make", [upstream, downstream])
def test_over_long_tags_are_refused(make: Callable[[], Framer], feed_every_way: Feed) -> None:
    limit = UPSTREAM_TAG_LIMIT if make is upstream else DOWNSTREAM_TAG_LIMIT
    data = b"@" + b"a" * (limit - 1) + b" PING a\r\nPING b\r\n@" + b"c" * limit + b"\r\n"
    assert feed_every_way(data, make) == [b"PING b"]
    assert refused(data, make) == 2


@pytest.mark.parametrize("make", [upstream, downstream])
def test_a_run_without_a_line_end_costs_only_itself(make: Callable[[], Framer], feed_every_way: Feed) -> None:
    data = b"x" * 20_000 + b"\r\nPING\r\n"
    assert feed_every_way(data, make) == [b"PING"]
    assert refused(data, make) == 1
    assert refused(b"x" * 20_000, make) == 1


def test_the_body_limit_may_be_raised_in_the_middle_of_a_line() -> None:
    framer = downstream()
    assert framer.feed(b"x" * 600) == []
    framer.body_limit = 1024
    assert framer.body_limit == 1024
    assert framer.feed(b"\n" + b"y" * 1022 + b"\n") == [b"x" * 600, b"y" * 1022]
    assert framer.feed(b"z" * 1023 + b"\n") == []
    assert framer.refused == 1


def test_memory_is_bounded_however_much_comes_without_a_line_end() -> None:
    framer = upstream()
    block = b"x" * 4096
    tracemalloc.start()
    try:
        for _ in range(2048):
            assert framer.feed(block) == []
            assert framer.feed(b"\0\r") == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * (UPSTREAM_TAG_LIMIT + BODY_LIMIT)
    assert framer.refused == 1


@given(streams, st.booleans())
def test_lines_follow_the_rules_however_the_stream_is_fed(feed_every_way: Feed, stream: bytes, cut: bool) -> None:
    def make() -> Framer:
        return Framer(TAGS, BODY, cut=cut)

    lines = feed_every_way(stream, make)
    assert (lines, refused(stream, make)) == by_the_rules(stream, cut)
    assert not any(set(line) & set(b"\r\n\0") or not line for line in lines)


@given(st.lists(streams), st.booleans())
def test_reads_do_not_matter(reads: list[bytes], cut: bool) -> None:
    split = Framer(TAGS, BODY, cut=cut)
    whole = Framer(TAGS, BODY, cut=cut)
    assert [line for read in reads for line in split.feed(read)] == whole.feed(b"".join(reads))
    assert split.refused == whole.refused
