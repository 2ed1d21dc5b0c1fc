"""One away state of many devices."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from bouncer.core.away import ALONE_DELAY, TEXT_LIMIT, Away


def told(away: Away, now: float = 0.0) -> str | None:
    line = away.line(now)
    return None if line is None else line.encode().decode()


def test_one_present_device_makes_the_user_present() -> None:
    away = Away("", "", 0.0)
    away.attached("phone")
    away.attached("desk")
    away.said("phone", "on the train")
    assert told(away) is None
    away.said("desk", "at lunch")
    assert told(away) == "AWAY :at lunch"
    away.said("phone", "")
    assert told(away) == "AWAY"
    assert told(away) is None


def test_a_present_device_that_leaves_lets_the_others_text_stand() -> None:
    away = Away("", "", 0.0)
    away.attached("phone")
    away.said("phone", "on the train")
    assert told(away) == "AWAY :on the train"
    away.attached("desk")
    assert told(away) == "AWAY"
    away.detached("desk", 0.0)
    assert told(away) == "AWAY :on the train"


def test_the_users_own_words_stay_when_the_last_device_leaves() -> None:
    away = Away("", "asleep", 0.0)
    away.attached("phone")
    away.said("phone", "gone fishing")
    assert told(away) == "AWAY :gone fishing"
    away.detached("phone", 5.0)
    assert told(away, 1000.0) is None
    assert away.due_at == inf
    assert away.text == "gone fishing"


def test_the_setting_speaks_for_who_left_without_a_word_but_not_at_once() -> None:
    away = Away("", "asleep", 0.0)
    away.attached("phone")
    assert away.due_at == inf
    away.detached("phone", 100.0)
    assert told(away, 100.0) is None
    assert away.due_at == 100.0 + ALONE_DELAY
    away.attached("phone")
    assert told(away, 105.0) is None
    away.detached("phone", 110.0)
    assert told(away, 110.0 + ALONE_DELAY) == "AWAY asleep"
    assert away.due_at == inf
    away.attached("phone")
    assert told(away, 200.0) == "AWAY"


def test_a_new_connection_is_told_again() -> None:
    away = Away("kept over a restart", "asleep", 0.0)
    assert told(away) == "AWAY :kept over a restart"
    away.opened()
    assert told(away) == "AWAY :kept over a restart"


def test_a_setting_taken_away_brings_the_user_back() -> None:
    away = Away("", "asleep", 0.0)
    assert told(away, ALONE_DELAY) == "AWAY asleep"
    away.alone = ""
    assert told(away, ALONE_DELAY) == "AWAY"


def test_a_text_fits_its_line() -> None:
    away = Away("", "", 0.0)
    away.attached("phone")
    away.said("phone", "\u00e4" * 600)
    line = away.line(0.0)
    assert line is not None
    assert len(line.encode()) <= 510
    assert line.encode().decode() == "AWAY " + "\u00e4" * (TEXT_LIMIT // 2)


DEVICES = ("phone", "desk", "watch")
steps = st.one_of(
    st.tuples(st.just("attach"), st.sampled_from(DEVICES), st.just("")),
    st.tuples(st.just("detach"), st.sampled_from(DEVICES), st.just("")),
    st.tuples(st.just("away"), st.sampled_from(DEVICES), st.sampled_from(("", "lunch", "gone fishing", "a"))),
    st.tuples(st.just("wait"), st.just(""), st.just("")),
    st.tuples(st.just("reconnect"), st.just(""), st.just("")),
)


@given(st.lists(steps, max_size=40), st.sampled_from(("", "asleep")))
def test_the_network_knows_what_is_true(life: list[tuple[str, str, str]], alone: str) -> None:
    """The model: words that stand, by when they were said; the newest counts, unless somebody is present."""
    away, now = Away("", alone, 0.0), 0.0
    here: dict[str, tuple[int, str] | None] = {}  # None of one who is present
    left = (0, "")  # the words of who left last, if nobody was present
    left_at = 0.0
    network = ""
    for number, (step, device, text) in enumerate(life, 1):
        if step == "attach" and device not in here:
            here[device] = None
            away.attached(device)
        elif step == "detach" and device in here:
            words = here.pop(device)
            left_at = now
            if words is not None and None not in here.values():
                left = max(left, words)
            away.detached(device, now)
        elif step == "away" and device in here:
            here[device] = (number, text) if text else None
            away.said(device, text)
        elif step == "wait":
            now += ALONE_DELAY / 2
        elif step == "reconnect":
            network = ""
            away.opened()
        if None in here.values():
            left = (0, "")
        present = None in here.values()
        spoken = max([left, *(words for words in here.values() if words is not None)])[1]
        line = away.line(now)
        if line is not None:
            assert line.param(0) != network, "told what it knows"
            network = line.param(0)
        assert away.line(now) is None, "told twice"
        if present or spoken:
            assert network == ("" if present else spoken)
        elif now - left_at >= ALONE_DELAY:
            assert network == alone
        assert away.text == ("" if present else spoken)
        assert away.due_at == inf or away.due_at > now
