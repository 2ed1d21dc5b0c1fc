from __future__ import annotations

from bouncer.irc.shared import Shared


def fresh(text: str) -> str:
    """An object of its own."""
    return "".join(list(text))


def test_equal_texts_become_one() -> None:
    shared = Shared()
    text = fresh("one text")
    assert shared(text) is text
    assert shared(fresh("one text")) is text


def test_what_is_not_asked_for_is_forgotten() -> None:
    shared = Shared(10)
    kept, left = fresh("kept text"), fresh("left text")
    shared(kept)
    shared(left)
    for number in range(100):
        shared(fresh(f"text {number}"))
        assert shared(fresh("kept text")) is kept
        assert len(shared) <= 20
    assert shared(fresh("left text")) is not left
