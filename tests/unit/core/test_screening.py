"""What a user does not want to see, and what not to keep."""

from __future__ import annotations

import pytest

from bouncer.core.screening import IGNORABLE, VERDICTS_LIMIT, Screening
from bouncer.irc.casemap import FOLDS, fold_rfc1459
from bouncer.irc.message import Message


def line(text: str) -> Message:
    return Message.parse(text.encode())


@pytest.mark.parametrize(
    ("mask", "source", "ignored"),
    [
        ("troll!*@*", "troll!x@h", True),
        ("troll!*@*", "TROLL!x@h", True),
        ("troll!*@*", "troll2!x@h", False),
        ("troll[!*@*", "Troll{!x@h", True),
        ("*!*@spam.example", "any!x@spam.example", True),
        ("*!*@spam.example", "any!x@spam.example.org", False),
        ("*!?id*@*", "any!uid1@h", True),
        ("*!*@*", "irc.example", False),
        ("irc.example!*@*", "irc.example", False),
        ("*!*@*", "NickServ", False),
        ("NickServ!*@*", "nickserv", True),
        ("NickServ!*@services", "nickserv", False),
        ("*!*@*", "", False),
    ],
)
def test_masks_are_held_against_the_source(mask: str, source: str, ignored: bool) -> None:
    screening = Screening([mask], (), fold_rfc1459)
    assert screening.ignores(line(f":{source} PRIVMSG #c :x")) is ignored
    assert screening.ignores(line(f":{source} PRIVMSG #c :again")) is ignored


@pytest.mark.parametrize("command", sorted(IGNORABLE))
def test_text_is_ignored(command: str) -> None:
    assert Screening(["troll!*@*"], (), fold_rfc1459).ignores(line(f":troll!x@h {command} #c :x"))


@pytest.mark.parametrize("command", ["JOIN", "PART", "QUIT", "NICK", "MODE", "KICK", "TOPIC", "CHGHOST"])
def test_who_is_where_stays_true(command: str) -> None:
    assert not Screening(["troll!*@*"], (), fold_rfc1459).ignores(line(f":troll!x@h {command} #c :x"))


def test_no_rules_are_false() -> None:
    assert not Screening((), (), fold_rfc1459)
    assert Screening(["a!*@*"], (), fold_rfc1459)
    assert Screening((), ["#c"], fold_rfc1459)
    assert not Screening((), ["#c"], fold_rfc1459).ignores(line(":a!x@h PRIVMSG #c :x"))


def test_what_is_not_kept_is_compared_as_the_network_compares() -> None:
    screening = Screening((), ["#Secret[", "Bob"], FOLDS["rfc1459"])
    assert not screening.keeps("#secret{")
    assert not screening.keeps("bob")
    assert screening.keeps("#other")
    assert Screening((), ["#Secret["], FOLDS["ascii"]).keeps("#secret{")
    assert Screening((), (), FOLDS["ascii"]).keeps("bob")


def test_verdicts_on_many_sources_do_not_pile_up() -> None:
    screening = Screening(["troll*!*@*"], (), fold_rfc1459)
    for number in range(VERDICTS_LIMIT + 10):
        assert screening.ignores(line(f":troll{number}!x@h PRIVMSG #c :x"))
        assert len(screening._verdicts) <= VERDICTS_LIMIT
