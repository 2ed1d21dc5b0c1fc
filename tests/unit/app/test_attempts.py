from __future__ import annotations

from bouncer.app.attempts import FORGET_AFTER, LONGEST_WAIT, NOTICE_EVERY, ROWS_LIMIT, Attempts, Notices
from tests.play.stage import StageTimers


def test_waits_grow_after_three_in_a_row_and_have_an_end() -> None:
    attempts = Attempts()
    waits = [attempts.wrong("192.0.2.1", "alice", number) for number in range(10)]
    assert waits == [0, 0, 0, 1, 2, 4, 8, 16, LONGEST_WAIT, LONGEST_WAIT]


def test_a_row_is_of_a_crowd_and_of_a_name() -> None:
    attempts = Attempts()
    for number in range(6):
        attempts.wrong("192.0.2.1", f"name {number}", 0)
        attempts.wrong(f"198.51.100.{number}", "alice", 0)
    assert attempts.wrong("192.0.2.1", "bob", 0) == 8
    assert attempts.wrong("203.0.113.1", "alice", 0) == 8
    assert attempts.wrong("203.0.113.2", "bob", 0) == 0


def test_of_no_crowd_only_the_name_counts() -> None:
    attempts = Attempts()
    assert [attempts.wrong("", f"name {number}", 0) for number in range(20)] == [0] * 20


def test_a_row_ends_by_the_right_password_or_by_time() -> None:
    attempts = Attempts()
    for _ in range(8):
        attempts.wrong("", "alice", 0)
    attempts.right("alice")
    assert attempts.wrong("", "alice", 1) == 0
    for _ in range(8):
        attempts.wrong("192.0.2.1", "bob", 2)
    attempts.right("bob")
    assert attempts.wrong("192.0.2.1", "carol", 3) > 0  # an account of one's own does not make guessing at others free
    assert attempts.wrong("192.0.2.1", "carol", 4 + FORGET_AFTER) == 0


def test_ten_thousand_and_more_leave_no_more_than_the_limit() -> None:
    attempts = Attempts()
    for number in range(3 * ROWS_LIMIT):
        attempts.wrong(f"2001:db8:{number:x}::/64", f"{'x' * 300}{number}", number / 1000)
    assert len(attempts) == ROWS_LIMIT + 1  # the names are cut, and all the same then
    attempts.wrong("192.0.2.1", "alice", 1000.0 + 2 * FORGET_AFTER)
    assert len(attempts) == 2


def test_a_user_is_told_at_once_and_then_once_a_minute() -> None:
    timers = StageTimers()
    told: list[tuple[int, str]] = []
    notices = Notices(timers, lambda user_id, text: told.append((user_id, text)))
    for _ in range(4):
        notices.failed(1, "192.0.2.1")
    notices.failed(2, "192.0.2.2")
    assert told == [
        (1, "Wrong password for your account from 192.0.2.1"),
        (2, "Wrong password for your account from 192.0.2.2"),
    ]
    told.clear()
    timers.pass_by(NOTICE_EVERY)
    assert told == [(1, "Wrong password for your account from 192.0.2.1 (3 times in the last minute)")]
    timers.pass_by(NOTICE_EVERY)
    assert len(told) == 1
    assert timers.deadlines == []  # nothing is kept of what is over
    notices.failed(1, "192.0.2.1")
    assert len(told) == 2
