from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.irc.isupport import ISupport
from bouncer.irc.modes import ModeChange, parse_channel_modes, parse_user_modes, render_modes


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ("", []),
        ("+nt", [(True, "n", None), (True, "t", None)]),
        ("nt", [(True, "n", None), (True, "t", None)]),
        ("+o-v alice bob", [(True, "o", "alice"), (False, "v", "bob")]),
        ("+kl-kl key 5 key", [(True, "k", "key"), (True, "l", "5"), (False, "k", "key"), (False, "l", None)]),
        ("+b", [(True, "b", None)]),
        ("+be a!*@* b!*@*", [(True, "b", "a!*@*"), (True, "e", "b!*@*")]),
        ("-+-n", [(False, "n", None)]),
        ("+Zo x", [(True, "Z", None), (True, "o", "x")]),
        ("+n surplus", [(True, "n", None)]),
    ],
)
def test_channel_modes(line: str, changes: list[tuple[bool, str, str | None]]) -> None:
    assert parse_channel_modes(line.split(), ISupport()) == changes


def test_the_network_says_which_modes_take_a_parameter() -> None:
    isupport = ISupport()
    isupport.update(["PREFIX=(qo)~@", "CHANMODES=b,,H,v"])
    assert parse_channel_modes(["+qvH-H", "alice", "10:5"], isupport) == [
        ModeChange(True, "q", "alice"),
        ModeChange(True, "v", None),
        ModeChange(True, "H", "10:5"),
        ModeChange(False, "H", None),
    ]


def test_user_modes() -> None:
    assert parse_user_modes("+iw-x") == [(True, "i", None), (True, "w", None), (False, "x", None)]
    assert parse_user_modes("") == []


def test_rendering_groups_signs() -> None:
    changes = [ModeChange(True, "o", "a"), ModeChange(True, "n", None), ModeChange(False, "v", "b")]
    assert render_modes(changes) == ["+on-v", "a", "b"]
    assert render_modes([]) == []


@given(st.lists(st.text()))
def test_any_parameters_are_read_and_rendering_reads_the_same(params: list[str]) -> None:
    isupport = ISupport()
    changes = parse_channel_modes(params, isupport)
    assert parse_channel_modes(render_modes(changes), isupport) == changes
    for text in params:
        assert parse_user_modes("".join(render_modes(parse_user_modes(text)))) == parse_user_modes(text)
