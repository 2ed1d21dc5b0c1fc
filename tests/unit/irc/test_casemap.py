from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.irc.casemap import DEFAULT_FOLD, FOLDS, CaseMap, afresh

ascii_fold, rfc1459, strict = FOLDS["ascii"], FOLDS["rfc1459"], FOLDS["rfc1459-strict"]


def test_what_each_mapping_folds() -> None:
    assert ascii_fold(string.ascii_uppercase + "[]\\~{}|^") == string.ascii_lowercase + "[]\\~{}|^"
    assert rfc1459(string.ascii_uppercase + "[]\\~{}|^") == string.ascii_lowercase + "{}|^{}|^"
    assert strict(string.ascii_uppercase + "[]\\~{}|^") == string.ascii_lowercase + "{}|~{}|^"
    assert DEFAULT_FOLD is rfc1459


@given(st.text())
def test_folding_is_idempotent_and_touches_ascii_only(name: str) -> None:
    for fold in FOLDS.values():
        folded = fold(name)
        assert fold(folded) == folded
        assert len(folded) == len(name)
        assert all(a == b for a, b in zip(name, folded, strict=True) if not a.isascii())


def test_keys_compare_folded_and_keep_the_last_spelling() -> None:
    names: CaseMap[int] = CaseMap()
    names["#Python"] = 1
    names["Nick[a]"] = 2
    names["#PYTHON"] = 3
    assert list(names) == ["#PYTHON", "Nick[a]"]
    assert names["#python"] == 3
    assert names.get("nick{A}") == 2
    assert names.get("other") is None
    assert names.get("other", 5) == 5
    assert names.spelling("#python") == "#PYTHON"
    assert names.key("#PyThOn") == "#python"
    assert "#pythoN" in names
    no_name: object = 5
    assert no_name not in names
    assert len(names) == 2
    assert names.pop("NICK{A}") == 2
    del names["#python"]
    assert not names
    with pytest.raises(KeyError):
        names["#python"]
    with pytest.raises(KeyError):
        names.spelling("#python")


def test_refolding_reports_what_collides() -> None:
    names: CaseMap[int] = CaseMap(ascii_fold)
    names["a["] = 1
    names["A{"] = 2
    names["b"] = 3
    assert names.refold(rfc1459) == ["A{"]
    assert dict(names) == {"a[": 1, "b": 3}
    assert names.fold is rfc1459
    assert names["A{"] == 1
    assert names.refold(ascii_fold) == []
    assert "a{" not in names


@given(st.lists(st.tuples(st.text("aA[{~^é", max_size=3), st.integers())), st.sampled_from(list(FOLDS)))
def test_a_map_is_a_dict_of_folded_names(items: list[tuple[str, int]], name: str) -> None:
    names: CaseMap[int] = CaseMap()
    plain: dict[str, int] = {}
    for key, value in items:
        names[key] = value
        plain[rfc1459(key)] = value
    assert {rfc1459(key): value for key, value in names.items()} == plain
    spellings = list(names)
    lost = names.refold(FOLDS[name])
    assert sorted([*names, *lost]) == sorted(spellings)
    assert len({FOLDS[name](key) for key in spellings}) == len(names)


def test_repr_does_not_list_the_names() -> None:
    names: CaseMap[int] = CaseMap()
    names["#secret"] = 1
    assert repr(names) == "<CaseMap of 1>"


@given(st.text(st.characters(max_codepoint=255)))
def test_names_fold_alike_whether_they_are_ascii_or_not(name: str) -> None:
    for fold in FOLDS.values():
        assert fold(name + "é") == fold(name) + "é"
        assert afresh(fold, name) == fold(name)
