from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.irc.casemap import FOLDS, CaseMap
from bouncer.model.members import FRESH_LIMIT, TEXT_MEMBERS, Members

ascii_fold, rfc1459 = FOLDS["ascii"], FOLDS["rfc1459"]
# Nicks that are alike, and what would break a line of the table if it were let through.
NICKS = st.one_of(
    st.sampled_from(["a", "A", "ab", "aB", "b[", "B{", "b", "~", "^", "", "@", "é", "\udcff", "a\tb", "a b", "a "]),
    st.integers(0, 200).map("nick{}".format),
    st.text(st.characters(exclude_characters="\n")),
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "read", "pop", "settle", "refold"]), NICKS, st.sampled_from(["", "@", "@+", "~"]))
)


@given(STEPS)
def test_is_a_mapping_by_folded_nicks(steps: list[tuple[str, str, str]]) -> None:
    members, model = Members(ascii_fold), CaseMap[str](ascii_fold)
    for verb, nick, status in steps:
        if verb in ("put", "read"):
            (members.put if verb == "put" else members.read)(nick, status)
            if " " not in nick:
                model[nick] = status
        elif verb == "pop":
            assert members.pop(nick) == (None if " " in nick else model.pop(nick, None))
        elif verb == "settle":
            members.settle()
        else:
            model.refold(rfc1459)
            members.refold(rfc1459)
        assert members.get(nick) == model.get(nick)
        assert (nick in members) == (nick in model)
    assert dict(members.items()) == dict(model.items())
    assert sorted(members.words()) == sorted(status + nick for nick, status in model.items() if status + nick)
    assert set(members) == set(model)
    assert len(members) == len(members.items()) == len(model)


def test_many_are_found_however_they_are_spelled() -> None:
    members = Members(rfc1459)
    nicks = [f"Some[{n}]" for n in range(100 * TEXT_MEMBERS)]
    for nick in nicks:
        members.read(nick, "+")
    members.settle()
    assert len(members) == len(nicks)
    assert all(nick in members and nick.upper().replace("[", "{") in members for nick in nicks)
    assert "Some[" not in members
    for nick in nicks[:-1]:
        assert members.pop(nick.lower()) == "+"
    assert list(members.items()) == [(nicks[-1], "+")]


def test_names_that_come_in_one_by_one_are_put_into_their_texts() -> None:
    members = Members(rfc1459)
    for number in range(3 * FRESH_LIMIT):
        members.read(f"Nick{number}", "@")
        if number > FRESH_LIMIT:
            assert f"nick{number}" in members
    members.read("nick1", "+")
    members.read("a b", "+")
    assert members["NICK1"] == "+"
    assert "a b" not in members
    assert len(members) == 3 * FRESH_LIMIT


def test_one_too_many_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bouncer.model.members.MEMBERS_LIMIT", 10)
    members = Members(rfc1459)
    members.put("nick0")
    for number in range(30):
        members.read(f"nick{number}", "")
    assert len(members) == 10
    members.put("late")
    members.put("Nick0", "@")
    assert len(members) == 10
    assert members["nick0"] == "@"


def test_a_few_stay_in_the_order_in_which_they_came() -> None:
    members = Members(rfc1459)
    nicks = [f"nick{n}" for n in range(TEXT_MEMBERS, 0, -1)]
    for nick in nicks:
        members.put(nick)
    members.put("NICK1", "@")
    assert list(members) == [*nicks[:-1], "NICK1"]


def test_users_of_one_channel_share_its_members() -> None:
    one, other = Members(rfc1459), Members(rfc1459)
    for number in range(1000):
        one.read(f"nick{number}", "")
    one.settle()
    for number in range(1000):
        other.read(f"nick{number}", "")
    other.settle()
    one.put("late", "@")
    other.put("late", "@")
    other.put("alone")
    assert sum(each is not mine for each, mine in zip(other._texts, one._texts, strict=True)) == 1
