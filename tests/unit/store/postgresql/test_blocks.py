"""Blocks of lines: where they end, and what is in them."""

from bouncer.store.postgresql.blocks import (
    BLOCK_SPAN,
    BLOCK_WORDS,
    LONGEST_WORD,
    Line,
    blocks,
    checksum,
    query,
    wanted,
)
from bouncer.store.words import Term


def line(seq: int, text: str = "x", time: int = 0, msgid: bytes = b"", kind: int = 1) -> Line:
    return Line(seq, time, kind, 7, msgid, f":bob PRIVMSG #a :{text}".encode())


def test_a_block_is_full_or_the_last() -> None:
    made = list(blocks(1, [line(seq) for seq in range(1, 11)], 4))
    assert [(block.first, block.last, block.lines) for block in made] == [(1, 4, 4), (5, 8, 4), (9, 10, 2)]
    assert list(blocks(1, [], 4)) == []


def test_a_block_ends_where_numbers_have_a_gap() -> None:
    made = list(blocks(1, [line(1), line(BLOCK_SPAN), line(BLOCK_SPAN + 1), line(10**9)], 64))
    assert [(block.first, block.last) for block in made] == [
        (1, BLOCK_SPAN),
        (BLOCK_SPAN + 1, BLOCK_SPAN + 1),
        (10**9, 10**9),
    ]


def test_a_block_ends_before_it_has_too_many_words() -> None:
    long = "w" * (BLOCK_WORDS // 2)
    assert [block.lines for block in blocks(1, [line(seq, long) for seq in range(1, 6)], 64)] == [2, 2, 1]


def test_times_are_those_of_the_lines_whatever_their_order() -> None:
    (block,) = blocks(1, [line(1, time=50), line(2, time=-4), line(3, time=20)], 64)
    assert (block.oldest, block.newest) == (-4, 50)


def test_words_stand_with_the_places_of_their_lines() -> None:
    (block,) = blocks(0x1F, [line(10, "b a b"), line(11, "joined", kind=4), line(13, "a")], 64)
    assert sorted(block.document.split(" ")) == [
        "'1f.a':1,4",
        "'1f.b':1",
        "'1f.\ue0017':1,4",
        "'1f.\ue002bob':1,4",
    ]


def test_a_long_word_is_cut_where_it_is_kept_and_where_it_is_asked_for() -> None:
    long = "w" * (LONGEST_WORD + 1)
    (block,) = blocks(1, [line(1, long)], 64)
    assert f"'1.{long[:-1]}':1" in block.document.split(" ")
    for prefix in (False, True):
        assert query(wanted(1, [Term((long,), prefix)], [])) == f"'1.{long[:-1]}'"


def test_a_question_for_words_phrases_beginnings_and_marks() -> None:
    asked = wanted(2, [Term(("a",)), Term(("a", "b"), True)], ["\ue0017"])
    assert query(asked) == "'2.\ue0017' & '2.a' & '2.b':*"


def test_checksums_fit_their_column_and_differ_between_networks() -> None:
    found = [checksum(network, b"%d" % number) for network in (1, 2) for number in range(100)]
    assert all(-(1 << 31) <= each < 1 << 31 for each in found)
    assert len(set(found)) == 200
    (block,) = blocks(1, [line(1, msgid=b"5"), line(2), line(3, msgid=b"6", kind=4)], 64)
    assert block.msgids == [checksum(1, b"5"), checksum(1, b"6")]
