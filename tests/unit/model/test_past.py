from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.model.entry import Kind
from bouncer.model.errors import Refused
from bouncer.model.past import ALSO_LIMIT, LATEST, LINE_LIMIT, NAME_LIMIT, past_line

RAW = b"@msgid=a :bob!b@h PRIVMSG #a :\xff text"


def test_a_line_is_what_its_command_says() -> None:
    assert past_line(5, RAW, "#a", "phone", kind="PRIVMSG") == (5, Kind.PRIVMSG, "#a", "phone", (), RAW)
    quit_line = past_line(LATEST, b":a!b@c quit", "", also=("#a", "#b"))
    assert (quit_line.kind, quit_line.also) == (Kind.QUIT, ("#a", "#b"))


@pytest.mark.parametrize("time", [0, LATEST])
@pytest.mark.parametrize("hours", [-23, 23])
def test_each_time_is_a_date_in_every_zone(time: int, hours: int) -> None:
    zone = timezone(timedelta(hours=hours))
    assert datetime.fromtimestamp(past_line(time, RAW, "#a").time // 1000, zone).year in (1969, 1970, 9999)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"time": -1}, "its time is not between"),
        ({"time": LATEST + 1}, "its time is not between"),
        ({"raw": RAW + b"\r\nQUIT"}, "line end"),
        ({"raw": RAW + b"\0"}, "line end"),
        ({"raw": RAW + b"x" * LINE_LIMIT}, "longer than"),
        ({"raw": b"ERROR :closing link"}, "none that history keeps"),
        ({"raw": b"PING :bnc-12"}, "none that history keeps"),
        ({"raw": b""}, "none that history keeps"),
        ({"kind": "NOTICE"}, "it says that it is NOTICE"),
        ({"target": "#a b"}, "a name in it"),
        ({"target": "#" * (NAME_LIMIT + 1)}, "a name in it"),
        ({"device": "a\nb"}, "a name in it"),
        ({"also": ("#b",)}, "several conversations"),
        ({"raw": b"QUIT", "also": ("#a", "\0")}, "a name in it"),
        ({"raw": b"QUIT", "also": ("#a",) * (ALSO_LIMIT + 1)}, "more than"),
    ],
)
def test_what_is_no_line_of_history_is_refused(changes: dict[str, object], problem: str) -> None:
    good: dict[str, object] = {"time": 5, "raw": RAW, "target": "#a"}
    with pytest.raises(Refused, match=problem):
        past_line(**(good | changes))  # type: ignore[arg-type]  # as the case says


@given(st.integers(), st.binary(), st.text())
def test_any_input_is_a_line_or_refused(time: int, raw: bytes, target: str) -> None:
    try:
        line = past_line(time, raw, target)
    except Refused:
        return
    assert line.raw == raw
    assert not set(b"\r\n\0") & set(raw)
