"""The words of CHATHISTORY."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.downstream.chathistory import LIMIT, parse_limit, parse_timestamp
from bouncer.downstream.deliver import stamp

LATEST = 253_402_300_799_999  # the end of the year 9999


@given(st.integers(0, LATEST))
def test_a_time_that_we_write_is_read_as_the_same(milliseconds: int) -> None:
    assert parse_timestamp(stamp(milliseconds)) == milliseconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:01Z", 1000),
        ("1970-01-01T00:00:01.5Z", 1500),
        ("1970-01-01T00:00:01.123999999Z", 1123),
        ("0001-01-01T00:00:00.000Z", -62_135_596_800_000),
        ("0000-01-01T00:00:00.000Z", None),
        ("2023-02-30T00:00:00.000Z", None),
        ("2023-01-01T00:00:60.000Z", None),
        ("2023-01-01T00:00:00.000", None),
        ("2023-01-01T00:00:00.000+00:00", None),
        ("2023-01-01 00:00:00.000Z", None),
        ("2023-W01-1T00:00:00.000Z", None),
        ("٢٠٢٣-01-01T00:00:00.000Z", None),
        ("1700000000", None),
        ("", None),
    ],
)
def test_times(text: str, expected: int | None) -> None:
    assert parse_timestamp(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1),
        ("007", 7),
        ("1000", 1000),
        ("1001", LIMIT),
        ("9" * 5000, LIMIT),
        ("0", 0),
        ("000", 0),
        ("-1", None),
        ("+1", None),
        ("1.5", None),
        ("1_0", None),
        ("", None),
        ("²", None),
    ],
)
def test_limits(text: str, expected: int | None) -> None:
    assert parse_limit(text) == expected


@given(st.text())
def test_nothing_that_a_client_may_write_raises(text: str) -> None:
    for answer in (parse_limit(text), parse_timestamp(text)):
        assert answer is None or isinstance(answer, int)
