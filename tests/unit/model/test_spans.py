from __future__ import annotations

import pytest

from bouncer.model.spans import short, span


def test_in_words_by_the_two_largest_units() -> None:
    spans = [span(seconds) for seconds in (-3, 0.4, 59, 90, 3600, 5400, 90061, 259_200)]
    assert spans == ["0 s", "0 s", "59 s", "1 min 30 s", "1 h", "1 h 30 min", "1 d 1 h", "3 d"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1_209_600.0, "2w"), (259_200.0, "3d"), (5400.0, "90m"), (7200.0, "2h"), (90.0, "90s"), (86_401.0, "86401s")],
)
def test_exactly_as_settings_have_them(seconds: float, text: str) -> None:
    assert short(seconds) == text
