"""Each answer goes to the one that asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.irc.casemap import fold_rfc1459 as fold
from bouncer.irc.message import Message
from bouncer.upstream.asks import PATIENCE, PENDING_LIMIT, Asks
from bouncer.upstream.questions import QUESTIONS


class Wire:
    def __init__(self) -> None:
        self.asks: Asks[str] = Asks()
        self.now = 1000.0

    def asked(self, asker: str, line: str) -> None:
        self.asks.note(Message.parse(line.encode()), asker, fold, self.now)

    def whose(self, line: str) -> str | None:
        return self.asks.answer(Message.parse(f":irc.example {line}".encode()), fold, self.now)


@pytest.fixture
def wire() -> Wire:
    return Wire()


def test_two_ask_about_two_nicks(wire: Wire) -> None:
    wire.asked("phone", "WHOIS bob")
    wire.asked("desk", "WHOIS irc.example Carl")
    assert wire.whose("311 me carl c h * :C") == "desk"
    assert wire.whose("311 me bob b h * :B") == "phone"
    assert wire.whose("318 me bob :End") == "phone"
    assert wire.whose("318 me carl :End") == "desk"
    assert wire.whose("318 me carl :End") is None


def test_answers_without_a_subject_come_in_order(wire: Wire) -> None:
    wire.asked("phone", "WHO #c")
    wire.asked("desk", "WHO #d")
    assert [wire.whose("352 me #c b h s bob H :0 B"), wire.whose("315 me #c :End")] == ["phone", "phone"]
    assert [wire.whose("352 me #d b h s bob H :0 B"), wire.whose("315 me #d :End")] == ["desk", "desk"]
    assert len(wire.asks) == 0


def test_an_error_belongs_to_the_text_it_is_about(wire: Wire) -> None:
    wire.asked("phone", "PRIVMSG #c :hi")
    wire.asked("desk", "PRIVMSG #d :hi")
    assert wire.whose("404 me #D :No") == "desk"
    assert wire.whose("404 me #d :No") is None


def test_text_that_did_not_fail_is_done_when_a_later_answer_comes(wire: Wire) -> None:
    wire.asked("phone", "PRIVMSG #c :hi")
    wire.asked("desk", "TIME")
    assert wire.whose("391 me irc.example :now") == "desk"
    assert wire.whose("404 me #c :No") is None


def test_the_names_after_a_join_are_for_all_but_those_of_a_question_are_not(wire: Wire) -> None:
    wire.asked("phone", "NAMES #old")
    assert wire.whose("353 me = #new :me") is None
    assert wire.whose("366 me #new :End") is None
    assert wire.whose("353 me = #old :bob") == "phone"
    assert wire.whose("366 me #old :End") == "phone"


@pytest.mark.parametrize("line", ["421 me FROB :Unknown command", "461 me FROB :More", "263 me FROB :Try again"])
def test_an_unknown_command_is_refused_to_the_one_that_gave_it(wire: Wire, line: str) -> None:
    wire.asked("desk", "WHO #c")
    wire.asked("phone", "FROB a b")
    assert wire.whose(line) == "phone"
    assert wire.whose("315 me #c :End") == "desk"


def test_standard_replies_name_their_command(wire: Wire) -> None:
    wire.asked("phone", "REDACT #c x")
    assert wire.whose("NOTE REDACT SOON :wait") == "phone"
    assert wire.whose("FAIL REDACT NOPE :no") == "phone"
    assert wire.whose("FAIL REDACT NOPE :no") is None
    assert wire.whose("FAIL * NOPE :no") is None


def test_an_answer_that_never_came_is_not_waited_for(wire: Wire) -> None:
    wire.asked("phone", "LIST")
    wire.now += PATIENCE + 1
    wire.asked("desk", "LIST")
    assert wire.whose("322 me #c 3 :topic") == "desk"


def test_what_is_remembered_is_bounded(wire: Wire) -> None:
    for number in range(PENDING_LIMIT + 10):
        wire.asked("phone", f"WHOIS n{number}")
    assert len(wire.asks) == PENDING_LIMIT


def test_what_nobody_asked_is_for_all(wire: Wire) -> None:
    assert wire.whose("311 me bob b h * :B") is None
    wire.asked("phone", "WHO #c")
    assert wire.whose("332 me #c :topic") is None
    assert wire.whose("AWAY :x") is None


def test_no_numeric_of_a_row_is_both_a_reply_and_an_end() -> None:
    for command, question in QUESTIONS.items():
        assert not question.replies & (question.ends | question.errors), command


@given(st.lists(st.tuples(st.sampled_from(sorted(QUESTIONS)), st.sampled_from(["", " bob", " #c,#d x", " :a b"]))))
def test_any_answer_to_any_commands_ends(commands: list[tuple[str, str]]) -> None:
    wire = Wire()
    for place, (command, rest) in enumerate(commands):
        wire.asked(str(place), command + rest)
    for number in range(1000):
        asker = wire.whose(f"{number:03} me bob :x")
        assert asker is None or asker.isdecimal()
