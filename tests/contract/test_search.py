"""What every implementation of History promises of searches."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from bouncer.irc.message import Message
from bouncer.model.entry import Entry, Kind
from bouncer.model.history import Search, Spot
from bouncer.store import blocks


def line(
    seq: int, text: str, target: str = "#a", nick: str = "bob", time: int | None = None, kind: Kind = Kind.PRIVMSG
) -> Entry:
    raw = f":{nick}!b@host {kind.name} {target} :{text}".encode("utf-8", "surrogateescape")
    return Entry(seq, 1_000 + seq if time is None else time, Message.parse(raw), kind, target)


async def seqs(place: Any, text: str, *networks: int, limit: int = 100, **more: Any) -> list[int]:
    found = await place.store.search(Search(networks or (1,), text, limit, **more))
    return [hit.line.seq for hit in found]


TEXTS = [
    "Hello, World! it's me",
    "see https://Example.org/wiki/Main_Page?old=1#top for more",
    "the caf\u00e9 in Z\u00fcrich",
    "\u65e5\u672c\u8a9e\u304c\u597d\u304d\u3067\u3059",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e04\u0e23\u0e31\u0e1a",
    "\u043f\u0440\u0438\u0432\u0435\u0442 \u0401\u043b\u043a\u0430",
    "\x02bold\x02 \x0304,01red\x03 and \x1dslanted\x1d",
    "\x01ACTION waves\x01",
    "broken \udcff\udcfe bytes",
    "world hello",
]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("hello", [10, 1]),
        ("HELLO world", [10, 1]),
        ('"hello world"', [1]),
        ('"world hello"', [10]),
        ('"hello world', [1]),  # not ended: to the end
        ("hel*", [10, 1]),
        ("hel", []),
        ('"hello wor*"', [1]),
        ("example", [2]),
        ("example.org", [2]),
        ("Main_Page", [2]),
        ("https://example.org/wiki/Main_Page", [2]),
        ("org example", [2]),
        ('"org example"', []),
        ("cafe", [3]),
        ("CAF\u00c9", [3]),
        ("zurich", [3]),
        ("\u65e5\u672c\u8a9e", [4]),
        ("\u672c\u8a9e", [4]),
        ("\u8a9e", [4]),
        ("\u3059", [4]),  # the last character of a run
        ("\u8a9e\u65e5", []),
        ("\u0e2a\u0e14\u0e35", [5]),
        ("\u041f\u0420\u0418\u0412\u0415\u0422 \u0435\u043b\u043a\u0430", [6]),
        ("bold red slanted", [7]),
        ("action", []),
        ("waves", [8]),
        ("broken bytes", [9]),
        ("hello nowhere", []),
        ("it's", [1]),
        (":) hello", [10, 1]),  # what has no word in it can't be looked for
        (":)", []),
        ("*", []),
        ("", []),
        ('"', []),
        ("hello OR NOT AND", []),
        ("said:hello", []),
        (" ".join(f"x{number}" for number in range(10_000)), []),
    ],
)
async def test_words_phrases_and_beginnings(place: Any, text: str, found: list[int]) -> None:
    place.store.append(1, [line(seq, said) for seq, said in enumerate(TEXTS, start=1)])
    await place.written()
    assert await seqs(place, text) == found


async def test_from_whom_and_where(place: Any) -> None:
    place.store.append(
        1,
        [
            line(1, "word"),
            line(2, "word", "#b"),
            line(3, "word", nick="A[lice"),
            line(4, "other", "#b", "a{lice"),
            line(5, "word", "#b", "x\udcff"),
            line(6, "word", "#b", kind=Kind.NOTICE),
            line(7, "word", "#b", kind=Kind.TOPIC),
        ],
    )
    await place.written()
    assert await seqs(place, "word", target="#B") == [6, 5, 2]
    assert await seqs(place, "word", sender="a[LICE") == [3]
    assert await seqs(place, "", sender="a[LICE") == [4, 3]
    assert await seqs(place, "", target="#b") == [6, 5, 4, 2]
    assert await seqs(place, "", target="#b", sender="x\udcff") == [5]
    assert await seqs(place, "word", target="#nobody") == []
    assert await seqs(place, "word", sender="nobody") == []
    assert await seqs(place, "bob") == []  # a sender is no word
    assert await seqs(place, "word", target='" OR "') == []


async def test_networks_are_apart_and_merged_by_time(place: Any) -> None:
    for network, times in {1: (10, 30), 2: (20, 30), 3: (25, 40)}.items():
        place.store.append(network, [line(seq, "word", time=time) for seq, time in enumerate(times, start=1)])
    await place.written()
    found = await place.store.search(Search((1, 2, 1, 9), "word", 9))
    assert [hit.spot for hit in found] == [Spot(30, 2, 2), Spot(30, 1, 2), Spot(20, 2, 1), Spot(10, 1, 1)]
    assert await place.store.search(Search((), "word", 9)) == []


async def test_between_times_both_excluded(place: Any) -> None:
    place.store.append(1, [line(seq, "word", time=seq) for seq in range(1, 11)])
    await place.written()
    assert await seqs(place, "word", after=3, before=7) == [6, 5, 4]
    assert await seqs(place, "word", after=9) == [10]
    assert await seqs(place, "word", before=2) == [1]
    assert await seqs(place, "word", after=7, before=3) == []
    assert await seqs(place, "word", after=-(10**30), before=10**30, limit=10**30) == list(range(10, 0, -1))


@pytest.mark.parametrize("size", [1, 4, 100])
async def test_paging_over_late_lines_and_equal_times(place: Any, size: int) -> None:
    for network in (1, 2):
        place.store.append(
            network, [line(seq, "word", time=seq * 13 % 40 // 3 if seq % 4 == 0 else seq // 3) for seq in range(1, 61)]
        )
        await place.written()
    place.store.append(1, [line(seq, "word", time=seq // 5) for seq in range(61, 71)])
    pages: list[Spot] = []
    older = None
    while page := await place.store.search(Search((1, 2), "word", size, older=older)):
        assert len(page) <= size
        pages += [hit.spot for hit in page]
        older = pages[-1]
    assert pages == sorted(pages, reverse=True)
    assert sorted((spot.network, spot.seq) for spot in pages) == [
        *((1, seq) for seq in range(1, 71)),
        *((2, seq) for seq in range(1, 61)),
    ]


async def test_lines_come_back_whole(place: Any) -> None:
    place.store.append(1, [line(1, "caf\u00e9 \udcff")])
    await place.written()
    (found,) = await place.store.search(Search((1,), "cafe", 9))
    (kept,) = await place.store.search(Search((1,), "", 9, target="#a"))
    assert found == kept
    assert (found.network, found.line.target, found.line.kind) == (1, "#a", Kind.PRIVMSG)
    assert found.line.raw == ":bob!b@host PRIVMSG #a :caf\u00e9 \udcff".encode("utf-8", "surrogateescape")


async def test_what_waits_is_found(place: Any) -> None:
    place.store.append(1, [line(1, "word")])
    assert await seqs(place, "word") == [1]


YEAR = 366 * 86_400_000
MORE: list[dict[str, Any]] = [
    {},
    {"target": "#b"},
    {"sender": "eve"},
    {"after": 3 * YEAR, "before": 12 * YEAR + 300},
]


@pytest.mark.parametrize("limit", [1, 7, 1000])
async def test_very_many_lines_of_the_past_are_found_newest_first(
    place: Any, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(blocks, "LATE_BLOCKS", 2)  # what one index takes for many
    monkeypatch.setattr(blocks, "MOST_WEEKS", 16)
    dice = Random(1)
    entries = [line(1, "word now", time=40 * YEAR)]
    for seq in range(2, 400):
        text = dice.choice(["word", "word rare", "other"]) if seq % 50 else "word rarest"
        time = dice.choice([-5, dice.randrange(12 * YEAR), 12 * YEAR + seq, 3 * YEAR, 41 * YEAR - seq])
        entries.append(line(seq, text, target=dice.choice(["#a", "#b"]), nick=dice.choice(["bob", "eve"]), time=time))
    place.store.append(1, entries)
    await place.written()

    async def all_found(text: str, **more: Any) -> list[int]:
        found: list[int] = []
        older: Spot | None = None
        while True:
            page = await place.store.search(Search((1,), text, limit, older=older, **more))
            found += [hit.line.seq for hit in page]
            if len(page) < limit:
                return found
            older = page[-1].spot

    for text in ("word", "rare", "word rarest", "nowhere"):
        for more in MORE:
            kept = [
                each
                for each in entries
                if set(text.split()) <= set(each.message.params[1].split())
                and more.get("target", each.target) == each.target
                and more.get("sender", each.message.nick) == each.message.nick
                and more.get("after", -10) < each.time < more.get("before", 99 * YEAR)
            ]
            kept.sort(key=lambda each: (each.time, each.seq), reverse=True)
            assert await all_found(text, **more) == [each.seq for each in kept], (text, more)
