from __future__ import annotations

from bouncer.app.turns import LINE_LIMIT, WAITING_LIMIT, Turns


def test_each_line_has_its_turn_before_any_has_a_second_one() -> None:
    turns: Turns[str] = Turns()
    for work in ("a1", "a2", "a3", "b1", "c1", "b2"):
        assert turns.put(work[0], work)
    assert [turns.take() for _ in range(7)] == ["a1", "b1", "c1", "a2", "b2", "a3", None]
    assert len(turns) == 0


def test_many_lines_of_one_place_keep_only_that_place_waiting() -> None:
    turns: Turns[str] = Turns()
    for work in ("1 a", "1 b", "1 c", "1 a", "2 a", "3", "2 a"):
        assert turns.put(work, work)
    assert [turns.take() for _ in range(8)] == ["1 a", "2 a", "3", "1 b", "2 a", "1 c", "1 a", None]


def test_lines_and_all_of_them_have_an_end() -> None:
    turns: Turns[int] = Turns()
    assert [turns.put("one", number) for number in range(LINE_LIMIT + 1)] == [True] * LINE_LIMIT + [False]
    assert all(turns.put(f"line {number}", number) for number in range(WAITING_LIMIT - LINE_LIMIT))
    assert not turns.put("another", 0)
    turns.take()
    assert turns.put("another", 0)


def test_who_leaves_makes_room() -> None:
    turns: Turns[str] = Turns()
    for work in ("a1", "a2", "b1"):
        turns.put(work[0], work)
    turns.drop("a", "a1")
    turns.drop("a", "a1")
    turns.drop("b", "b1")
    turns.drop("c", "c1")
    assert len(turns) == 1
    assert [turns.take(), turns.take()] == ["a2", None]
    for line in ("a x", "a y"):
        turns.put(line, line)
    turns.drop("a x", "a x")
    assert [turns.take(), turns.take(), len(turns)] == ["a y", None, 0]
