"""How long and how much history is kept, as it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bouncer.model.errors import Refused
from bouncer.operations import values
from bouncer.operations.context import Actor

if TYPE_CHECKING:
    from tests.unit.conftest import Bench


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("12h", 43_200), ("90d", 7_776_000), (" 6 W", 3_628_800), ("2y", 63_072_000), ("Forever", 0), ("", 0), (0, 0)],
)
def test_ages(text: object, seconds: int) -> None:
    assert values.lifetime(text) == seconds


@pytest.mark.parametrize("text", ["90", 90, "1m", "5s", "0h", "101y", "-1d", "1.5d", "soon", True, ["90d"]])
def test_a_slip_of_the_keyboard_deletes_nothing(text: object) -> None:
    with pytest.raises(Refused):
        values.lifetime(text)


@pytest.mark.parametrize(
    ("text", "number"), [("100kB", 100_000), ("500 mb", 500_000_000), ("2G", 2 * 10**9), ("forever", 0), ("", 0)]
)
def test_sizes(text: str, number: int) -> None:
    assert values.size(text) == number
    assert not number or values.size(values.size_text(number)) == number


@pytest.mark.parametrize("text", ["99kB", "101TB", "500", 500_000, "5MiB"])
def test_sizes_that_are_none(text: object) -> None:
    with pytest.raises(Refused):
        values.size(text)


async def test_they_are_set_shown_and_taken_back(stocked: Bench) -> None:
    await stocked.do("network update alice/libera keep=90d keep_size=1500kB")
    settings = (await stocked.do("network show alice/libera")).data["settings"]
    assert (settings["keep"], settings["keep_size"]) == ("90d", "1500kB")
    await stocked.do("network update alice/libera keep=forever keep_size=")
    settings = (await stocked.do("network show alice/libera")).data["settings"]
    assert "keep" not in settings
    assert "keep_size" not in settings


async def test_only_an_admin_sets_a_users_limit(stocked: Bench) -> None:
    assert "admins only" in await stocked.refusal("user update limits.keep=90d", Actor("alice"))
    await stocked.do("user update alice limits.keep=90d limits.keep_size=1GB")
    assert (stocked.user("alice").limits.keep, stocked.user("alice").limits.keep_size) == (7_776_000, 10**9)
