"""The open CTCP questions are bounded, and are nobody else's."""

from __future__ import annotations

import pytest

from bouncer.core.ctcp import OPEN_LIMIT, PATIENCE, Ctcp, ctcp
from bouncer.irc.casemap import fold_rfc1459 as fold
from bouncer.irc.message import Message


def line(text: str) -> Message:
    return Message.parse(text.encode())


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("\x01PING 1 2\x01", ("PING", "1 2")),
        ("\x01version", ("VERSION", "")),
        ("\x01\x01", ("", "")),
        ("VERSION", ("", "")),
        ("", ("", "")),
    ],
)
def test_a_ctcp_is_taken_apart(text: str, parts: tuple[str, str]) -> None:
    assert ctcp(text) == parts


def test_of_too_many_questions_the_oldest_is_forgotten() -> None:
    questions = Ctcp("1.0")
    for number in range(OPEN_LIMIT + 1):
        questions.asked(line(f":n{number}!u@h PRIVMSG me :\x01TIME\x01"), fold, 0.0)
    for late in (False, False):  # forgotten: nothing is known of it
        assert questions.is_late(line("NOTICE n0 :\x01TIME x\x01"), fold, 1.0) is late
    for late in (False, True):
        assert questions.is_late(line("NOTICE N1 :\x01TIME x\x01"), fold, 1.0) is late


def test_a_question_asked_again_later_counts_once() -> None:
    questions = Ctcp("1.0")
    for now in (0.0, PATIENCE + 1):
        questions.asked(line(":bob!u@h PRIVMSG me :\x01TIME\x01"), fold, now)
    answers = [questions.is_late(line("NOTICE bob :\x01TIME x\x01"), fold, PATIENCE + 2) for _ in range(2)]
    assert answers == [False, True]
