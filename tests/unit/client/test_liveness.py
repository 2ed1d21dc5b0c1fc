"""A dead peer is noticed within two minutes, a living one never."""

from __future__ import annotations

from bouncer.client.liveness import PATIENCE, SILENCE, Liveness, Verdict


def test_silence_is_asked_about_once_and_then_is_death() -> None:
    pulse = Liveness(0.0)
    assert pulse.deadline == SILENCE
    assert pulse.check(SILENCE - 1) is Verdict.WAIT
    assert pulse.check(pulse.deadline) is Verdict.PING
    assert pulse.check(SILENCE + 1) is Verdict.WAIT
    assert pulse.deadline == SILENCE + PATIENCE <= 120
    assert pulse.check(pulse.deadline) is Verdict.DEAD


def test_any_byte_is_life() -> None:
    pulse = Liveness(0.0, silence=10, patience=5)
    assert pulse.check(10.0) is Verdict.PING
    pulse.heard(9.0)  # older than the question: no answer
    assert pulse.check(12.0) is Verdict.WAIT
    pulse.heard(14.0)
    assert pulse.deadline == 24.0
    assert pulse.check(15.0) is Verdict.WAIT
    assert pulse.check(24.0) is Verdict.PING


def test_traffic_puts_the_question_off() -> None:
    pulse = Liveness(0.0, silence=10, patience=5)
    for now in range(5, 100, 5):
        pulse.heard(float(now))
        assert pulse.check(float(now)) is Verdict.WAIT
    assert pulse.deadline == 105.0
