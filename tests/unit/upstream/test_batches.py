"""Batches of history are held until they are whole; everything else goes on as it comes."""

from __future__ import annotations

from math import inf

import pytest

from bouncer.irc.message import Message
from bouncer.upstream import batches as module
from bouncer.upstream.batches import BATCHES_LIMIT, LINES_LIMIT, PATIENCE, Batches, Piece


def message(line: str) -> Message:
    return Message.parse(line.encode("utf-8", "surrogateescape"))


def fed(batches: Batches, *lines: str, now: float = 0.0) -> list[Piece]:
    """What comes of these lines, as a link gives them."""
    pieces = []
    for each in map(message, lines):
        if batches.takes(each):
            if piece := batches.overfull(each):
                pieces.append(piece)
        elif each.command == "BATCH" and (piece := batches.batch(each, now)):
            pieces.append(piece)
    return pieces


def texts(piece: Piece) -> list[str]:
    return [line.param(1) for line in piece.lines]


@pytest.mark.parametrize("kind", ["chathistory", "znc.in/playback", "draft/chathistory-targets"])
def test_a_whole_one(kind: str) -> None:
    batches = Batches()
    (piece,) = fed(batches, f"BATCH +1 {kind} #c", "@batch=1 PRIVMSG #c :a", "PRIVMSG #c :live", "BATCH -1")
    assert (piece.type, piece.target, texts(piece), piece.last, piece.complete) == (kind, "#c", ["a"], True, False)
    assert not batches.open
    assert batches.due_at == inf


def test_an_empty_one_and_one_that_has_all() -> None:
    assert fed(Batches(), "@draft/chathistory-end BATCH +1 chathistory #c", "BATCH -1") == [
        Piece("chathistory", "#c", [], True, True)
    ]


@pytest.mark.parametrize("end", ["@batch=1 BATCH -2", "BATCH -2"])
def test_those_inside_are_part_of_it(end: str) -> None:
    lines = ["BATCH +1 chathistory #c", "@batch=1 BATCH +2 draft/multiline #c", "@batch=2 PRIVMSG #c :a", end]
    batches = Batches()
    pieces = fed(batches, *lines, "@batch=1 PRIVMSG #c :b", "BATCH -1")
    assert [text for piece in pieces for text in texts(piece)] == ["a", "b"]
    assert not batches.open


def test_one_that_is_in_itself_ends_all_the_same() -> None:
    lines = ["@batch=1 BATCH +1 chathistory #c", "@batch=1 PRIVMSG #c :a", "@batch=1 BATCH +1 chathistory #c"]
    assert [texts(piece) for piece in fed(Batches(), *lines, "@batch=1 BATCH -1")] == [["a"]]


def test_others_are_not_held() -> None:
    batches = Batches()
    assert fed(batches, "BATCH +1 netsplit a b", "@batch=1 :bob QUIT :a b", "BATCH -1", "BATCH -nobody") == []
    assert not batches.takes(message("@batch=1 :bob QUIT :a b"))


def test_two_at_a_time() -> None:
    pieces = fed(
        Batches(),
        *("BATCH +1 chathistory #a", "BATCH +2 chathistory #b", "@batch=2 PRIVMSG #b :b", "@batch=1 PRIVMSG #a :a"),
        *("BATCH -1", "BATCH -2"),
    )
    assert [(piece.target, texts(piece)) for piece in pieces] == [("#a", ["a"]), ("#b", ["b"])]


def test_a_long_one_comes_in_pieces() -> None:
    lines = [f"@batch=1 PRIVMSG #c :{number}" for number in range(LINES_LIMIT + 1)]
    first, second = fed(Batches(), "BATCH +1 chathistory #c", *lines, "BATCH -1")
    assert (len(first.lines), first.last) == (LINES_LIMIT, False)
    assert (texts(second), second.last) == ([str(LINES_LIMIT)], True)


def test_one_that_takes_too_long() -> None:
    batches = Batches()
    fed(batches, "BATCH +1 chathistory #c", "@batch=1 PRIVMSG #c :a")
    assert batches.due_at == PATIENCE
    assert list(batches.overdue(PATIENCE - 1)) == []
    assert [texts(piece) for piece in batches.overdue(PATIENCE)] == [["a"]]
    assert list(batches.overdue(2 * PATIENCE)) == []
    assert [texts(piece) for piece in fed(batches, "@batch=1 PRIVMSG #c :b", "BATCH -1")] == [["b"]]


def test_the_end_of_the_connection() -> None:
    batches = Batches()
    fed(batches, "BATCH +1 chathistory #c", "@batch=1 BATCH +2 x", "@batch=2 PRIVMSG #c :a")
    assert [(texts(piece), piece.last) for piece in batches.ended()] == [(["a"], False)]
    assert not batches.open


def test_there_are_not_too_many() -> None:
    batches = Batches()
    fed(batches, *(f"BATCH +{number} chathistory #c" for number in range(BATCHES_LIMIT + 9)))
    fed(batches, *(f"@batch=1 BATCH +i{number} chathistory #c" for number in range(9)))
    assert len(batches.open) == BATCHES_LIMIT


def test_all_together_hold_no_more_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD_BYTES", 10_000)
    batches = Batches()
    fed(batches, *(f"BATCH +{number} chathistory #c" for number in range(10)))
    given = [
        text
        for number in range(1000)
        for piece in fed(batches, f"@batch={number % 10} PRIVMSG #c :{number}")
        for text in texts(piece)
    ]
    assert len(given) > 1000 - 10_000 / module.LINE_OVERHEAD
    ends = [text for number in range(10) for piece in fed(batches, f"BATCH -{number}") for text in texts(piece)]
    assert sorted(map(int, given + ends)) == list(range(1000))
    fed(batches, "BATCH +1 chathistory #c")
    assert fed(batches, "@batch=1 PRIVMSG #c :held") == []  # all room is free again
