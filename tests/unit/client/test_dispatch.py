from __future__ import annotations

import gc
import weakref

from bouncer.client.dispatch import Dispatcher


class Ear:
    """What hears events."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def first(self, word: str) -> None:
        self.heard.append(f"first {word}")

    def second(*these: object, word: str) -> None:
        ear = these[0]
        assert isinstance(ear, Ear)
        ear.heard.append(f"second {word}")


def listening(ear: Ear) -> Dispatcher:
    dispatcher = Dispatcher()
    for event in ("one", "two"):
        dispatcher.on(event, ear.first, False)
    dispatcher.on("one", ear.second, False)
    return dispatcher


def test_clients_with_equal_methods_share_their_table() -> None:
    ears = [Ear(), Ear()]
    one, other = map(listening, ears)
    assert one.heard is other.heard
    one.fire("ONE", {"word": "here", "unasked": 1}, None)
    assert [ear.heard for ear in ears] == [["first here", "second here"], []]
    other.on("three", print, False)
    assert set(other.heard) == {"ONE", "TWO", "THREE"}
    assert set(one.heard) == {"ONE", "TWO"}


def test_methods_of_several_objects_are_told_apart() -> None:
    ears = [Ear(), Ear()]
    dispatcher = Dispatcher()
    for ear in ears:
        dispatcher.on("one", ear.first, False)
    dispatcher.off("one", ears[0].first)
    dispatcher.fire("ONE", {"word": "here"}, None)
    assert [ear.heard for ear in ears] == [[], ["first here"]]
    dispatcher.on("one", ears[0].second, False)
    dispatcher.fire("ONE", {"word": "again"}, None)
    assert [ear.heard for ear in ears] == [["second again"], ["first here", "first again"]]


def test_who_is_taken_away_is_held_no_longer() -> None:
    dispatcher, ear = Dispatcher(), Ear()
    gone = weakref.ref(ear)
    for _ in range(3):
        dispatcher.on("one", ear.first, False)
        dispatcher.off("one", ear.first)
    assert not dispatcher.heard
    del ear
    gc.collect()
    assert gone() is None


def test_a_handler_may_take_away_one_that_is_still_to_come() -> None:
    dispatcher, ear = Dispatcher(), Ear()
    dispatcher.on("one", lambda: dispatcher.off("one", ear.first), False)
    dispatcher.on("one", ear.first, False)
    dispatcher.fire("ONE", {"word": "last"}, None)
    dispatcher.fire("ONE", {"word": "no more"}, None)
    assert ear.heard == ["first last"]
