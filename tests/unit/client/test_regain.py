"""Getting the wanted nick back."""

from __future__ import annotations

import pytest

from bouncer.client.regain import MONITOR_POLL, POLL, Regain
from bouncer.irc.casemap import FOLDS
from bouncer.irc.message import Message


def hear(machine: Regain, line: str) -> list[str]:
    return [message.raw.decode() for message in machine.receive(Message.parse(line.encode()))]


def poll(machine: Regain) -> list[str]:
    return [message.raw.decode() for message in machine.handle_timer(machine.deadline)]


def test_when_the_holder_leaves_the_nick_is_taken() -> None:
    for line in (":BOB!b@h QUIT :gone", ":bob!b@h NICK rob"):
        machine = Regain("bob", "bob_", 0.0)
        assert hear(machine, ":eve!e@h QUIT :gone") == []
        assert hear(machine, line) == ["NICK bob"]
        assert hear(machine, ":bob_!b@h NICK bob") == []
        assert machine.done


def test_what_a_network_replays_happens_to_nobody() -> None:
    machine = Regain("bob", "bob_", 0.0)
    assert hear(machine, "@batch=1 :bob_!b@h NICK rob") == []
    assert hear(machine, "@batch=1 :bob!b@h QUIT :gone") == []
    assert not machine.done
    assert hear(machine, ":bob!b@h QUIT :gone") == ["NICK bob"]


def test_it_asks_now_and_then() -> None:
    machine = Regain("bob", "bob_", 0.0)
    assert machine.handle_timer(POLL - 1) == []
    assert poll(machine) == ["ISON bob"]
    assert hear(machine, ":s 303 bob_ :Bob ") == []
    assert poll(machine) == ["ISON bob"]
    assert hear(machine, ":s 303 bob_ :") == ["NICK bob"]
    assert machine.deadline == 3 * POLL


def test_the_answer_to_another_question_is_not_its_own() -> None:
    assert hear(Regain("bob", "bob_", 0.0), ":s 303 bob_ :eve") == []


def test_where_there_is_no_ison_it_tries() -> None:
    machine = Regain("bob", "bob_", 0.0)
    assert poll(machine) == ["ISON bob"]
    assert hear(machine, ":s 421 bob_ ISON :Unknown command") == []
    assert poll(machine) == ["NICK bob"]


def test_who_is_renamed_otherwise_wants_it_no_more() -> None:
    machine = Regain("bob", "bob_", 0.0)
    assert hear(machine, ":bob_!b@h NICK Guest42") == []
    assert machine.done
    assert hear(machine, ":bob!b@h QUIT :gone") == []
    assert poll(machine) == []


def test_names_are_compared_as_the_network_does() -> None:
    machine = Regain("bob[]", "bob_", 0.0, FOLDS["ascii"])
    assert hear(machine, ":bob{}!b@h QUIT :gone") == []
    machine.fold = FOLDS["rfc1459"]
    assert hear(machine, ":bob{}!b@h QUIT :gone") == ["NICK bob[]"]


# --- by MONITOR


def said(messages: list[Message]) -> list[str]:
    return [message.raw.decode() for message in messages]


def test_where_the_server_tells_it_is_not_asked() -> None:
    machine = Regain("bob", "bob_", 0.0)
    assert said(machine.monitor()) == ["MONITOR + bob"]
    assert machine.monitor() == []
    assert hear(machine, ":s 730 bob_ :bob!b@h") == []
    assert poll(machine) == ["MONITOR + bob"]  # a client may have cleared the list
    assert machine.deadline == POLL + MONITOR_POLL
    assert hear(machine, ":s 731 bob_ :eve,BOB") == ["NICK bob"]
    hear(machine, ":bob_!b@h NICK bob")
    assert machine.done
    assert said(machine.finish()) == ["MONITOR - bob"]


def test_a_full_list_is_no_help() -> None:
    machine = Regain("bob", "bob_", 0.0)
    machine.monitor()
    assert hear(machine, ":s 734 bob_ 100 bob :Monitor list is full") == []
    assert poll(machine) == ["ISON bob"]
    assert machine.finish() == []


# --- by services


@pytest.mark.parametrize(
    "refusal",
    [
        "Invalid command. Use /msg NickServ help for a command listing.",  # Atheme
        'Unknown command REGAIN. "/msg NickServ HELP" for help.',  # Anope
        "Unknown command. To see available commands, run: /NS HELP",  # Ergo
        "You can't regain that nick",
    ],
)
def test_services_are_asked_the_kindest_first(refusal: str) -> None:
    machine = Regain("bob", "bob_", 0.0)
    assert said(machine.ask_services()) == ["PRIVMSG NickServ :REGAIN bob"]
    assert machine.ask_services() == []
    assert hear(machine, f":eve!e@h NOTICE bob_ :{refusal}") == []
    assert hear(machine, f":NickServ!s@services NOTICE bob_ :{refusal}") == ["PRIVMSG NickServ :RECOVER bob"]
    assert hear(machine, f":NickServ!s@services NOTICE bob_ :{refusal}") == ["PRIVMSG NickServ :GHOST bob"]
    assert hear(machine, f":NickServ!s@services NOTICE bob_ :{refusal}") == []
    assert hear(machine, f":NickServ!s@services NOTICE bob_ :{refusal}") == []
    assert poll(machine) == ["ISON bob"]  # the watch goes on


@pytest.mark.parametrize(
    "words",
    [
        "\x02bob\x02 has been ghosted.",  # Atheme
        "Ghost with your nick has been killed.",  # Anope 1
        "Ghost killed.",  # Ergo says so in one form or another
        "\x02bob\x02 has been released.",
        "Nick bob isn't currently in use.",  # Anope
    ],
)
def test_what_services_have_freed_is_taken(words: str) -> None:
    machine = Regain("bob", "bob_", 0.0)
    machine.ask_services()
    assert hear(machine, f":NickServ!s@services NOTICE bob_ :{words}") == ["NICK bob"]


def test_what_services_say_later_is_about_something_else() -> None:
    machine = Regain("bob", "bob_", 0.0)
    machine.ask_services()
    poll(machine)
    assert hear(machine, ":NickServ!s@services NOTICE bob_ :Unknown command.") == []
