from __future__ import annotations

from bouncer.irc.shared import NAMES_SIZE, Shared, shared_names, shared_values


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


def test_equal_sets_and_mappings_become_one() -> None:
    names, values = frozenset({fresh("away-notify"), "batch"}), {"CHANTYPES": fresh("#&")}
    assert shared_names(names) is shared_names(frozenset({"batch", fresh("away-notify")}))
    assert shared_values(values) is shared_values({"CHANTYPES": fresh("#&")})
    assert shared_values({"CHANTYPES": "#"}) == {"CHANTYPES": "#"}
    assert list(shared_values({"B": "", "A": ""})) == list(reversed(shared_values({"A": "", "B": ""})))
    large = frozenset(map(str, range(NAMES_SIZE + 1)))
    assert shared_names(large) is large
