"""The order of what was missed."""

from __future__ import annotations

import pytest

from bouncer.downstream.missed import JITTER_MS
from bouncer.downstream.replay import in_order
from bouncer.irc.message import Message
from bouncer.model.entry import Entry, Kind


@pytest.mark.parametrize(
    ("times", "order"),
    [
        ([10_000, 9_990, 10_005], [1, 2, 3]),  # words that passed each other on the way
        ([10_000, 20_000, 15_000, 30_000], [1, 3, 2, 4]),  # one of the past
        ([10_000, 20_000, 14_000, 13_999, 21_000], [1, 4, 3, 2, 5]),
        ([10_000, 10_000 - JITTER_MS], [1, 2]),
        ([10_000, 9_999 - JITTER_MS], [2, 1]),
    ],
)
def test_lines_stay_as_they_came_but_for_those_of_the_past(times: list[int], order: list[int]) -> None:
    line = Message.parse(b":bob!b@h PRIVMSG #c :word")
    entries = [Entry(seq, time, line, Kind.PRIVMSG, "#c") for seq, time in enumerate(times, 1)]
    assert [entry.seq for entry, _ in in_order((entry, "") for entry in reversed(entries))] == order
