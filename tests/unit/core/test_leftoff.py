"""Where devices left off in channels that are detached."""

from __future__ import annotations

from bouncer.core.leftoff import PLACES_LIMIT, LeftOff


def made(kept: dict[str, int]) -> LeftOff:
    """One whose store is this mapping."""

    def drop(name: str) -> None:
        del kept[name]

    return LeftOff(kept, kept.__setitem__, drop)


def test_a_device_that_was_not_there_left_off_at_its_position() -> None:
    kept: dict[str, int] = {"phone": 3}
    left = made(kept)
    left.moved("phone", 3, 9, ["#c"])
    left.moved("phone", 9, 12, ["#c"])
    assert kept == {"phone": 3, "phone\t#c": 3}
    assert left.owed("phone", "#C", 12) == 3


def test_one_that_was_there_left_off_where_it_was_detached() -> None:
    kept: dict[str, int] = {}
    left = made(kept)
    left.detached("#c", ["phone"], 7)
    left.moved("phone", 3, 6, ["#c"])
    assert kept == {}
    left.moved("phone", 6, 8, ["#c"])
    assert kept == {"phone\t#c": 7}


def test_one_that_went_without_a_word_has_read_no_more_than_it_said() -> None:
    kept: dict[str, int] = {}
    left = made(kept)
    left.detached("#c", ["phone", "phone2"], 7)
    left.gone("phone")
    left.moved("phone", 3, 8, ["#c"])
    left.moved("phone2", 3, 8, ["#c"])
    assert kept == {"phone\t#c": 3, "phone2\t#c": 7}


def test_a_place_is_forgotten_with_the_device_and_with_the_channel() -> None:
    kept = {"phone\t#c": 1, "phone\t#d": 2, "desk\t#c": 3, "desk": 9}
    left = made(kept)
    assert left.places("phone") == {"#c": 1, "#d": 2}
    left.caught_up("phone", "#C")
    left.forget("#C")
    assert kept == {"phone\t#d": 2, "desk": 9}
    left.drop("phone")
    assert kept == {"desk": 9}
    assert left.kept == {}


def test_there_is_a_limit() -> None:
    kept: dict[str, int] = {}
    left = made(kept)
    left.moved("phone", 1, 2, [f"#{number}" for number in range(PLACES_LIMIT + 5)])
    assert len(kept) == PLACES_LIMIT


def test_a_channel_may_get_another_name() -> None:
    kept = {"phone\t#c": 1, "phone\t#cc": 2}
    left = made(kept)
    left.detached("#c", ["desk"], 7)
    left.renamed("#C", "#New")
    assert kept == {"phone\t#new": 1, "phone\t#cc": 2}
    left.moved("desk", 3, 8, ["#new"])
    assert kept["desk\t#new"] == 7
    left.renamed("#new", "#NEW")
    assert left.places("phone") == {"#new": 1, "#cc": 2}
