"""The lines around what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bouncer.model.errors import Refused
from bouncer.operations.context import Actor
from tests.unit.operations.test_search import ALICE, say

if TYPE_CHECKING:
    from tests.unit.conftest import Bench


@pytest.fixture
async def told(stocked: Bench) -> Bench:
    for number in range(1, 10):
        say(stocked, number, f"line {number}")
    say(stocked, 10, "elsewhere", target="#rust")
    await stocked.store.settled()
    return stocked


@pytest.mark.parametrize(
    ("typed", "lines"),
    [
        ("", "123456789"),
        ("limit=3", "789"),
        ("around=2023-11-14T22:18 limit=4", "3456"),  # line 5 was said in that minute, behind its beginning
        ("around=2023-11-14T22:18 limit=1", "5"),
        ("around=2023-11-14T22:22 limit=4", "6789"),
        ("around=2000-01-01 limit=2", "12"),
        ("around=2030-01-01 limit=2", "89"),
    ],
)
async def test_an_excerpt(told: Bench, typed: str, lines: str) -> None:
    result = await told.do(f"history show libera in=#Python {typed}", ALICE)
    assert "".join(line[-1] for line in result.lines) == lines
    assert all(" libera/#python <bob> line " in line for line in result.lines)


async def test_what_can_not_be_shown(told: Bench) -> None:
    assert (await told.do("history show libera in=#nobody", ALICE)).lines == ("nothing was said",)
    with pytest.raises(Refused, match="needs to know of what"):
        await told.do("history show libera", ALICE)
    with pytest.raises(Refused, match="is not searched from here"):
        await told.do("history show alice/libera in=#python", Actor("root", admin=True))
