"""Getting the wanted nick back."""

from __future__ import annotations

from bouncer.client.regain import POLL, Regain
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
