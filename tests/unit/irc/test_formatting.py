"""Codes of formatting inside text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.irc.formatting import strip_formatting


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("plain", "plain"),
        ("", ""),
        ("\x02bold\x02 \x1ditalic\x1d \x1funder\x1f \x1estruck\x1e \x11mono\x11 \x16back\x16\x0f", None),
        ("\x034red\x03", "red"),
        ("\x0304,12red on blue", "red on blue"),
        ("\x03123", "3"),
        ("\x034,x", ",x"),
        ("\x03,4x", ",4x"),
        ("\x03٣", "٣"),
        ("\x04ff0000red", "red"),
        ("\x04FF0000,00ff00red", "red"),
        ("\x04ff00", "ff00"),
        ("a\tb\x7f\x01", "a\tb\x7f\x01"),
        ("\udcff\x02é", "\udcffé"),
    ],
)
def test_codes_are_taken_out_and_nothing_else(text: str, plain: str | None) -> None:
    assert strip_formatting(text) == ("bold italic under struck mono back" if plain is None else plain)


@given(st.text(alphabet="ab1,\x02\x03\x04\x0f\x1d #é"))
def test_no_code_is_left(text: str) -> None:
    assert not set(strip_formatting(text)) & set("\x02\x03\x04\x0f\x1d")
