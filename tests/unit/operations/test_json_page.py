"""docs/json.md names exactly what programs are given."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bouncer.operations.table import OPERATIONS
from bouncer.operations.words import filled

if TYPE_CHECKING:
    from tests.unit.conftest import Bench

PAGE = (Path(__file__).parents[3] / "docs" / "json.md").read_text()
READING = {row.words: row for row in OPERATIONS if row.reads}
CELLS = {
    words: match["cell"]
    for match in re.finditer(r"^\| (?P<words>`.*?) \| (?P<cell>.*) \|$", PAGE, re.MULTILINE)
    for words in re.findall("`([^`]+)`", match["words"])
}


def kinds(value: Any) -> Any:
    """The shape: keys and the types behind them; of a list that of its first item."""
    if isinstance(value, dict):
        return {key: kinds(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [kinds(item) for item in value[:1]]
    return type(value).__name__


async def test_status_is_as_the_page_shows_it(stocked: Bench) -> None:
    """But for the lists that are empty in the example at hand."""
    shown = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])
    given = (await stocked.do("status")).data
    (alice,), (shown_alice,) = [each for each in given["users"] if each["name"] == "alice"], shown["users"]
    shown_alice["devices"] = []
    shown_alice["networks"][0]["devices"] = []
    assert kinds(alice) == kinds(shown_alice)
    assert list(given) == list(shown)


@pytest.mark.parametrize("words", [words for words in READING if words != "status"])
async def test_each_reading_command_has_its_keys_on_the_page(stocked: Bench, words: str) -> None:
    await stocked.do("cert generate alice/libera")
    await stocked.do("token create alice device=phone")
    await stocked.do(f"certificate add alice name=laptop fingerprint={'ab' * 32}")
    await stocked.do("network traffic alice/libera watch=on")
    cell = CELLS[words]
    named = set(re.findall("`([^`]+)`", cell))
    data = (await stocked.do(filled(READING[words].examples[-1], True))).data
    if cell == "a list of these":
        named = set(re.findall("`([^`]+)`", CELLS[words.replace("list", "show")]))
    assert isinstance(data, list) == ("list" in words)
    items = data if isinstance(data, list) else [data]
    for item in items:
        assert set(item) <= named, set(item) - named
