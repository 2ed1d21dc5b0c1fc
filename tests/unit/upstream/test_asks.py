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


def test_several_channels_have_an_end_each(wire: Wire) -> None:
    wire.asked("phone", "NAMES #a,#b")
    assert wire.whose("353 me = #a :bob") == "phone"
    assert wire.whose("366 me #a :End") == "phone"
    assert wire.whose("366 me #b :End") == "phone"
    assert wire.whose("366 me #b :End") is None


def test_several_lists_have_an_end_each(wire: Wire) -> None:
    wire.asked("phone", "MODE #c +beI")
    wire.asked("desk", "MODE #c b")
    assert [wire.whose("368 me #c :End"), wire.whose("482 me #c :No"), wire.whose("347 me #c :End")] == ["phone"] * 3
    assert [wire.whose("367 me #c *!*@h"), wire.whose("368 me #c :End")] == ["desk", "desk"]


@pytest.mark.parametrize("end", ["318 me bob,carl :End", "318 me bob :End"])
def test_an_end_may_stand_for_several_nicks(wire: Wire, end: str) -> None:
    wire.asked("phone", "WHOIS bob,carl")
    wire.asked("desk", "WHOIS dan")
    assert wire.whose("401 me bob :No") == "phone"
    assert wire.whose("311 me carl c h * :C") == "phone"
    assert wire.whose(end) == "phone"
    assert wire.whose("318 me dan :End") == "desk"


def test_lines_that_follow_an_end_go_where_it_went(wire: Wire) -> None:
    wire.asked("phone", "MODE #c")
    wire.asked("desk", "MODE #c")
    assert [wire.whose("324 me #c +n"), wire.whose("329 me #c 1")] == ["phone", "phone"]
    assert [wire.whose("324 me #c +n"), wire.whose("329 me #c 1")] == ["desk", "desk"]
    assert wire.whose("329 me #c 1") is None


def test_an_error_may_come_with_the_end_or_without(wire: Wire) -> None:
    wire.asked("phone", "WHOIS bob")
    wire.asked("desk", "WHOIS bob")
    assert [wire.whose("401 me bob :No"), wire.whose("318 me bob :End")] == ["phone", "phone"]
    assert [wire.whose("401 me bob :No"), wire.whose("318 me bob :End")] == ["desk", "desk"]
    wire.asked("phone", "WHOIS bob")
    wire.asked("desk", "WHOIS bob")
    assert [wire.whose("401 me bob :No"), wire.whose("401 me bob :No")] == ["phone", "desk"]


@pytest.mark.parametrize("refusal", ["263 me LIST :Try again", "416 me LIST :Too much"])
def test_a_refused_list_may_still_end(wire: Wire, refusal: str) -> None:
    wire.asked("phone", "LIST")
    assert [wire.whose(refusal), wire.whose("323 me :End")] == ["phone", "phone"]
    wire.asked("desk", "LIST")
    assert [wire.whose("322 me #c 3 :t"), wire.whose("323 me :End")] == ["desk", "desk"]


def test_one_lost_answer_does_not_shift_the_others(wire: Wire) -> None:
    wire.asked("lost", "WHO #a")
    wire.asked("phone", "WHO #b %tcn,7")
    wire.asked("desk", "WHO #c %tcn,8")
    assert [wire.whose("354 me 8 #c bob"), wire.whose("315 me #c :End")] == ["desk", "desk"]
    wire.asked("lost", "ISON bob")
    wire.asked("desk", "ISON carl dan")
    assert wire.whose("303 me :dan") == "desk"
    wire.asked("phone", "ISON bob")
    assert wire.whose("303 me :") == "phone"


def test_a_servers_own_form_of_a_mask_is_taken(wire: Wire) -> None:
    wire.asked("phone", "WHO 0")
    assert [wire.whose("352 me * b h s bob H :0 B"), wire.whose("315 me * :End")] == ["phone", "phone"]


def test_what_follows_a_join_of_ours_is_for_all_even_if_somebody_asks_for_the_names(wire: Wire) -> None:
    wire.asks.note(Message.parse(b"JOIN #a,#b"), None, fold, wire.now)
    wire.asked("phone", "NAMES #a")
    assert [wire.whose("353 me = #a :me"), wire.whose("366 me #a :End")] == [None, None]
    assert wire.whose("474 me #b :Banned") is None
    assert [wire.whose("353 me = #a :me"), wire.whose("366 me #a :End")] == ["phone", "phone"]


def test_news_that_a_question_caused_is_for_all(wire: Wire) -> None:
    wire.asked("phone", "AWAY :out")
    assert wire.whose("306 me :You are away") is None
    wire.asked("phone", "JOIN #c")
    assert wire.whose("332 me #c :topic") is None
    wire.asked("desk", "MODE me +s")
    assert wire.whose("396 me host :is your host") is None


def test_a_numeric_nobody_knows_answers_the_only_command_nobody_knows(wire: Wire) -> None:
    wire.asked("phone", "WHO #c")
    wire.asked("desk", "TESTLINE x")
    assert wire.whose("725 me x :line") == "desk"
    wire.asked("phone", "FROB")
    assert wire.whose("725 me x :line") is None
    assert wire.whose("730 me :bob!b@h") is None


def test_an_error_nobody_foresaw_goes_to_who_named_its_subject(wire: Wire) -> None:
    wire.asked("phone", "WHO #c")
    wire.asked("desk", "TOPIC #d :tea")
    assert wire.whose("499 me #d :Not for you") == "desk"
    assert wire.whose("499 me #e :Not for you") is None


def test_the_answers_of_who_has_left_go_to_the_heir(wire: Wire) -> None:
    label = wire.asks.next_label()
    wire.asked("phone", f"@label={label} WHOIS bob")
    wire.asked("phone", "WHO #c")
    wire.asked("phone", "MODE #c")
    assert wire.whose("324 me #c +n") == "phone"
    wire.asks.gone("phone", "nobody")
    assert wire.whose("329 me #c 1") == "nobody"
    assert wire.whose("315 me #c :End") == "nobody"
    assert wire.asks.answer(Message.parse(f"@label={label} :s 401 me bob :No".encode()), fold, wire.now) == "nobody"


def test_a_label_tells_whose_answer_it_is_whatever_it_says(wire: Wire) -> None:
    labels = {who: wire.asks.next_label() for who in ("phone", "desk")}
    for who, label in labels.items():
        wire.asked(who, f"@label={label} WHOIS bob")

    def whose(text: str) -> str | None:
        return wire.asks.answer(Message.parse(text.encode()), fold, wire.now)

    wire.asks.batch(Message.parse(f"@label={labels['desk']} :s BATCH +r labeled-response".encode()), wire.now)
    assert whose("@batch=r :s 999 me what :is this") == "desk"
    assert whose("@batch=r :s NOTICE me :by the way") == "desk"
    assert whose("@batch=r :s FAIL X Y :no") == "desk"
    assert whose("@batch=r :me!u@h MODE me +i") is None
    assert whose(f"@label={labels['phone']} :s 401 me bob :No") == "phone"


def test_an_answer_that_another_server_gives_comes_without_our_label(wire: Wire) -> None:
    whois, text = wire.asks.next_label(), wire.asks.next_label()
    wire.asked("phone", f"@label={whois} WHOIS bob bob")
    wire.asked("desk", f"@label={text} PRIVMSG bob :hi")
    for label in (whois, text):
        wire.asks.acknowledged(Message.parse(f"@label={label} :s ACK".encode()))
    assert [wire.whose("311 me bob b h * :B"), wire.whose("318 me bob :End")] == ["phone", "phone"]
    assert wire.whose("401 me bob :No") is None


def test_an_end_that_names_nothing_is_the_next_ones_after_an_error(wire: Wire) -> None:
    wire.asked("desk", "TIME far.example")
    assert wire.whose("402 me far.example :No such server") == "desk"
    wire.asked("phone", "TIME")
    assert wire.whose("391 me irc.example :noon") == "phone"


def test_a_who_is_not_taken_for_a_whox_of_a_mask(wire: Wire) -> None:
    wire.asked("desk", "WHO bob %tn,7")
    wire.asked("phone", "WHO #c")
    assert wire.whose("352 me #c b h s bob H :0 B") == "phone"
    assert wire.whose("315 me #c :End") == "phone"


def test_a_network_without_whox_answers_it_as_a_who(wire: Wire) -> None:
    wire.asked("desk", "WHO bob %tn,7")
    wire.asked("phone", "WHO #c")
    assert wire.whose("352 me #d b h s bob H :0 B") == "desk"
    assert wire.whose("315 me bob :End") == "desk"
