from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bouncer.model.errors import Refused
from bouncer.operations.context import MACHINE, Actor
from bouncer.operations.row import NEEDED, Key, Operation
from bouncer.operations.settings import CHANNEL_KEYS, NETWORK_KEYS, USER_KEYS
from bouncer.operations.table import OPERATIONS, perform
from bouncer.operations.teach import SHELL, Skin, help_lines
from bouncer.operations.words import SAME_VERBS, WORDS_LIMIT, call_of, filled, find
from bouncer.service.answer import split

if TYPE_CHECKING:
    from tests.unit.conftest import Bench


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row.words)
def test_a_row_teaches(row: Operation) -> None:
    assert row.summary[0].islower()
    assert row.teaches.endswith(".")
    assert len(row.words.split()) <= 2
    for example in row.examples:
        for qualified in (True, False):
            typed = [word for word in filled(example, qualified).split() if not word.startswith("--")]
            found, _ = find(OPERATIONS, typed)
            assert found is row
    names = [key.name for key in row.keys]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("key", [*USER_KEYS, *NETWORK_KEYS, *CHANNEL_KEYS], ids=lambda key: key.name)
def test_an_example_of_a_key_is_one(key: Key) -> None:
    name, _, value = key.example.partition("=")
    assert name == key.name
    if "…" not in value:
        assert key.parse(value.strip("\"'")) != key.default or key.default is NEEDED or value in ("off", "5", "2s")


def test_words_are_unique() -> None:
    assert len({row.words for row in OPERATIONS}) == len(OPERATIONS)
    verbs = {row.verb for row in OPERATIONS}
    for typed, ours in SAME_VERBS.items():
        assert typed != ours
        assert ours in verbs


def test_an_unambiguous_beginning_is_enough() -> None:
    assert find(OPERATIONS, ["net", "upd", "libera"]) == (find(OPERATIONS, ["network", "update"])[0], ["libera"])
    assert find(OPERATIONS, ["STAT"])[0].words == "status"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("", "a command is missing"),
        ("c list", '"c" can be channel or certificate or cert; write one more letter'),
        ("network", "network needs a second word: create, update"),
        ("network d x", '"d" can be delete or disconnect'),
        ("netwrok list", 'there is no command "netwrok"; did you mean network?'),
        ("network crate x", "did you mean create?"),
        ("frobnicate", "help lists all commands"),
        ("user list alice", 'user list takes nothing after it; leave "alice" out'),
        ("export nick=x", 'export has no key "nick"; it takes secrets='),
        ("cert show x=y", 'cert show has no key "x"; it takes none'),
        ("network connect alice/libera now", 'network connect takes nothing more; leave "now" out'),
        ("network update alice/libera realname=Alice A.", "a value with spaces needs quotes around it"),
    ],
)
async def test_a_slip_is_answered_with_the_way_out(stocked: Bench, words: str, sentence: str) -> None:
    assert sentence in await stocked.refusal(words)


async def test_too_many_words_are_refused(stocked: Bench) -> None:
    with pytest.raises(Refused, match="use several commands"):
        await perform(stocked.context(), ["user", "update", "alice", *["nick=x"] * WORDS_LIMIT])


async def test_answers_are_fit_for_json(stocked: Bench) -> None:
    await stocked.do("cert generate alice/libera")
    for row in OPERATIONS:
        if row.reads:
            example = filled(row.examples[0], True)
            result = await stocked.do(example)
            assert json.loads(json.dumps(result.data)) == result.data
            assert not any("\n" in line for line in result.lines)


async def test_who_is_no_admin_can_not_reach_what_is_for_admins(stocked: Bench) -> None:
    for row in OPERATIONS:
        if row.who.value == "admin":
            words = filled(row.examples[0], False)
            assert "admins only" in await stocked.refusal(words.split(" --")[0], Actor("alice"))


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row.words)
async def test_each_example_is_understood_in_both_places(stocked: Bench, row: Operation) -> None:
    """Understood, though what it names may not be there: what is called is the row, with its object and its values."""
    for example in row.examples:
        for qualified in (True, False) if row.here else (True,):
            typed = split(filled(example, qualified))
            if "…" in example or "$" in example or any(word.startswith("--") for word in typed) or "FILE" in example:
                continue
            actor = MACHINE if qualified else Actor("alice", admin=True, network="libera")
            found, rest = find(OPERATIONS, typed)
            call = call_of(stocked.context(actor), found, rest)
            assert found is row
            assert set(call.values) <= {key.name for key in row.keys}
            assert not row.rest or call.values[row.rest]


def test_each_row_has_its_help_in_both_places() -> None:
    for row in OPERATIONS:
        for skin in (SHELL, Skin("/msg *bouncer ", qualified=False, everything=False)):
            if row.here or skin is SHELL:
                usage_line, about, *_ = help_lines(OPERATIONS, row.words.split(), skin)
                assert usage_line.startswith(f"{skin.prefix}{row.words}")
                assert row.teaches in about
        assert not row.rest or row.key(row.rest)
        assert not row.reads or row.here
