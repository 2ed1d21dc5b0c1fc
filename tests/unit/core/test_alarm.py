"""One deadline that moves."""

from __future__ import annotations

from math import inf

from bouncer.core.alarm import Alarm
from tests.play.stage import START, StageTimers


def pending(timers: StageTimers) -> list[float]:
    return [each.when for each in timers.deadlines if not each.cancelled]


def test_only_what_was_set_last_rings_and_once() -> None:
    timers, rung = StageTimers(), list[float]()
    alarm = Alarm(timers, lambda: rung.append(timers.time))
    alarm.set(START + 5)
    alarm.set(START + 9)
    alarm.set(START + 9)
    assert pending(timers) == [START + 9]
    timers.pass_by(100)
    assert rung == [START + 9]
    alarm.set(START + 9)  # gone by, and so due at once
    timers.pass_by(0)
    assert rung == [START + 9, START + 100]


def test_there_is_no_timer_while_nothing_is_due() -> None:
    timers, rung = StageTimers(), list[float]()
    alarm = Alarm(timers, lambda: rung.append(timers.time))
    alarm.set(inf)
    assert timers.deadlines == []
    alarm.set(START + 5)
    alarm.set(inf)
    assert pending(timers) == []
    timers.pass_by(100)
    assert rung == []


def test_it_may_be_set_again_while_it_rings() -> None:
    timers, rung = StageTimers(), list[float]()

    def ring() -> None:
        rung.append(timers.time)
        alarm.set(timers.time + 10)

    alarm = Alarm(timers, ring)
    alarm.set(START + 10)
    timers.pass_by(35)
    assert rung == [START + 10, START + 20, START + 30]
    assert pending(timers) == [START + 40]
