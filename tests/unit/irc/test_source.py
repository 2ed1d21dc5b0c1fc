from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bouncer.irc.casemap import FOLDS
from bouncer.irc.message import Message
from bouncer.irc.source import Source, format_source, match_mask, parse_source, valid_hostname

VECTORS = Path(__file__).parents[2] / "vectors"
SOURCES = yaml.safe_load((VECTORS / "userhost-split.yaml").read_text())["tests"]
MASKS = yaml.safe_load((VECTORS / "mask-match.yaml").read_text())["tests"]
HOSTS = yaml.safe_load((VECTORS / "validate-hostname.yaml").read_text())["tests"]

Feed = Callable[..., list[bytes]]


def same(text: str) -> str:
    return text


def through_the_wire(text: str, feed_every_way: Feed) -> str:
    """``text`` after a trip as the last parameter of a line."""
    (line,) = feed_every_way(b"X :" + text.encode() + b"\r\n")
    return Message.parse(line).params[0]


@pytest.mark.parametrize("vector", SOURCES, ids=lambda vector: vector["source"])
def test_splits_every_vector(vector: dict[str, Any], feed_every_way: Feed) -> None:
    (line,) = feed_every_way(b":" + vector["source"].encode() + b" PING\r\n")
    source = parse_source(Message.parse(line).source)
    assert source._asdict() == {"nick": "", "user": "", "host": ""} | vector["atoms"]
    assert format_source(*source) == vector["source"]


@pytest.mark.parametrize("vector", MASKS, ids=lambda vector: vector["mask"])
def test_matches_every_vector(vector: dict[str, Any], feed_every_way: Feed) -> None:
    mask = through_the_wire(vector["mask"], feed_every_way)
    for text in vector["matches"]:
        assert match_mask(mask, through_the_wire(text, feed_every_way)), text
    for text in vector["fails"]:
        assert not match_mask(mask, through_the_wire(text, feed_every_way)), text


@pytest.mark.parametrize("vector", HOSTS, ids=lambda vector: repr(vector["host"]))
def test_judges_every_host_vector(vector: dict[str, Any], feed_every_way: Feed) -> None:
    assert valid_hostname(through_the_wire(vector["host"], feed_every_way)) is vector["valid"]


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("a" * 63 + ".org", True),
        ("a" * 64 + ".org", False),
        (".".join(["a" * 49] * 5) + ".org", True),
        (".".join(["a" * 49] * 5) + ".orga", False),
        ("a..b", False),
        ("a.b\n", False),
        (".", False),
        ("é.org", False),
    ],
)
def test_host_names(text: str, valid: bool) -> None:
    assert valid_hostname(text) is valid


@given(st.text())
def test_any_source_splits(text: str) -> None:
    source = parse_source(text)
    assert isinstance(source, Source)
    assert all(part in text for part in source)
    assert not set("!@") & set(source.nick)
    assert "@" not in source.user


@pytest.mark.parametrize(
    ("mask", "text", "matches"),
    [
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("**", "a\nb", True),
        ("?", "é", True),
        ("a*a", "a", False),
        ("a*b*c", "aXbXbc", True),
        ("a*bc", "abcbc", True),
        ("*ab*ba*", "aba", False),
        (r"\*", "*", True),
        (r"\*", "a", False),
        (r"a\?", "a?", True),
        (r"a\?", r"a\b", False),
        (r"a\b!*", r"A\B!u@h", True),
        ("NICK[a]!*", "nick{A}!u@h", True),
        ("(a+)*", "(a+)b", True),
    ],
)
def test_masks(mask: str, text: str, matches: bool) -> None:
    assert match_mask(mask, text) is matches


def test_a_mask_is_compared_as_the_network_folds() -> None:
    assert match_mask("nick[*", "NICK{x", FOLDS["rfc1459"])
    assert not match_mask("nick[*", "NICK{x", FOLDS["ascii"])


def by_the_book(mask: str, text: str) -> bool:
    if not mask:
        return not text
    if mask[0] == "*":
        return any(by_the_book(mask[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and mask[0] in ("?", text[0]) and by_the_book(mask[1:], text[1:])


@given(st.text("ab*?", max_size=7), st.text("abc", max_size=8))
def test_masks_match_by_the_book(mask: str, text: str) -> None:
    assert match_mask(mask, text, same) is by_the_book(mask, text)


@given(st.text(), st.text())
def test_any_mask_may_be_tried(mask: str, text: str) -> None:
    assert match_mask(mask, text) <= match_mask("*" + mask, text)
    assert match_mask("*", text)


def test_a_hostile_mask_ends() -> None:
    assert not match_mask("*a" * 200 + "b", "a" * 500)
    assert match_mask("*a" * 200 + "*", "a" * 500)
