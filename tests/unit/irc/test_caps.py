from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.irc.caps import MAX_AVAILABLE, REPLY_BUDGET, CapOffer, CapRequester
from bouncer.irc.framing import BODY_LIMIT
from bouncer.irc.message import Message


class Network:
    """A requester at the far end of a conversation: lines of the network in, lines to the network out."""

    def __init__(self, *wanted: str) -> None:
        self.requester = CapRequester(wanted)

    def says(self, *lines: str) -> list[str]:
        sent = [message for line in lines for message in self.requester.receive(Message.parse(line.encode()))]
        return [message.encode().decode() for message in sent]


class Client:
    """An offer at the near end: lines of the client in, replies out."""

    def __init__(self, **offered: str | None) -> None:
        self.offer = CapOffer({name.replace("_", "-"): value for name, value in offered.items()})

    def says(self, line: str) -> list[list[str]]:
        return self.offer.receive(Message.parse(line.encode()))


def test_requester_asks_for_what_is_wanted_and_there() -> None:
    network = Network("server-time", "batch", "labeled-response", "absent")
    assert [line.encode() for line in network.requester.start()] == [b"CAP LS 302"]
    assert not network.requester.settled
    assert network.says(":irc CAP * LS * :batch sasl=PLAIN,EXTERNAL") == []
    assert network.says(":irc CAP * LS :server-time labeled-response sts=port=6697 other") == [
        "CAP REQ :batch labeled-response server-time"
    ]
    assert network.requester.available == {
        "batch": "",
        "sasl": "PLAIN,EXTERNAL",
        "server-time": "",
        "labeled-response": "",
        "sts": "port=6697",
        "other": "",
    }
    assert not network.requester.settled
    assert network.says(":irc CAP me ACK :batch labeled-response server-time ") == []
    assert network.requester.enabled == {"batch", "labeled-response", "server-time"}
    assert network.requester.settled


def test_requester_is_settled_at_once_where_nothing_is_wanted() -> None:
    network = Network("batch")
    assert network.says("CAP * LS :") == []
    assert network.requester.settled


@pytest.mark.parametrize(
    "line",
    [
        ":irc 421 me CAP :Unknown command",
        ":irc 421 * cap :Unknown command",
        ":irc 451 CAP :You have not registered",
        ":irc 410 * LS :Invalid CAP command",
    ],
)
def test_requester_settles_where_there_is_no_negotiation(line: str) -> None:
    network = Network("batch")
    assert network.says(line) == []
    assert network.requester.settled
    assert network.requester.enabled == set()


def test_requester_is_not_settled_by_other_refusals() -> None:
    network = Network("batch")
    network.says(":irc 421 me FOO :Unknown command", ":irc 451 * :You have not registered", "PING x", "CAP", "CAP *")
    assert not network.requester.settled


def test_one_refusal_costs_only_itself() -> None:
    network = Network("a", "b", "c")
    assert network.says("CAP * LS :a b c") == ["CAP REQ :a b c"]
    assert network.says("CAP * NAK :a b c") == ["CAP REQ a", "CAP REQ b", "CAP REQ c"]
    assert network.says("CAP * ACK a", "CAP * NAK b") == []
    assert not network.requester.settled
    assert network.says("CAP * ACK c") == []
    assert network.requester.enabled == {"a", "c"}
    assert network.requester.settled


def test_a_refusal_that_repeats_only_a_part_counts_for_the_oldest_request() -> None:
    network = Network("first", "second")
    network.says("CAP * LS :first second")
    assert network.says("CAP * NAK fir") == ["CAP REQ first", "CAP REQ second"]
    assert network.says("CAP * NAK", "CAP * NAK :") == []
    assert network.requester.settled


def test_requests_fit_a_line() -> None:
    wanted = [f"vendor.example/capability-number-{number}" for number in range(40)]
    network = Network(*wanted)
    lists = [f"CAP * LS * :{' '.join(wanted[:20])}", f"CAP * LS :{' '.join(wanted[20:])}"]
    requests = network.says(*lists)
    assert len(requests) > 2
    assert all(len(line) <= 420 for line in requests)
    assert sorted(name for line in requests for name in line.removeprefix("CAP REQ :").split()) == sorted(wanted)
    refused, *others = requests
    retried = network.says(refused.replace("REQ", "* NAK"))
    assert len(retried) == len(refused.split()) - 2
    assert network.says(*(line.replace("REQ", "* ACK") for line in others + retried)) == []
    assert network.requester.enabled == set(wanted)
    assert network.requester.settled


def test_an_answer_in_two_lines_is_awaited() -> None:
    network = Network("a", "b")
    network.says("CAP * LS :a b", "CAP * ACK :a ")
    assert not network.requester.settled
    network.says("CAP * ACK :b")
    assert network.requester.settled


def test_capabilities_come_and_go() -> None:
    network = Network("sasl", "batch")
    network.says("CAP * LS :batch", "CAP * ACK batch")
    assert network.says("CAP me NEW :sasl=PLAIN other") == ["CAP REQ sasl"]
    assert not network.requester.settled
    assert network.says("CAP me NEW :sasl=PLAIN") == []
    assert network.says("CAP me ACK sasl", "CAP me NEW :sasl=EXTERNAL") == []
    assert network.requester.available["sasl"] == "EXTERNAL"
    assert network.says("CAP me DEL :sasl batch nothing") == []
    assert network.requester.enabled == set()
    assert network.requester.available == {"other": ""}
    assert network.says("CAP me NEW batch") == ["CAP REQ batch"]


def test_a_refused_capability_that_has_gone_is_not_asked_for_again() -> None:
    network = Network("a", "b")
    network.says("CAP * LS :a b", "CAP * DEL b")
    assert network.says("CAP * NAK :a b") == ["CAP REQ a"]


def test_what_was_not_asked_for_is_enabled_only_if_wanted() -> None:
    network = Network("batch", "sasl")
    network.says("CAP * LS :", "CAP * ACK :batch surprise ~=sasl")
    assert network.requester.enabled == {"batch", "sasl"}
    network.says("CAP * ACK :-batch")
    assert network.requester.enabled == {"sasl"}


def test_a_second_list_replaces_the_first() -> None:
    network = Network("a", "b")
    network.says("CAP * LS :a", "CAP * ACK a")
    assert network.says("CAP me LS :b") == ["CAP REQ b"]
    assert network.requester.available == {"b": ""}


def test_a_network_can_not_fill_the_memory_with_capabilities() -> None:
    network = Network("wanted")
    for start in range(0, MAX_AVAILABLE * 2, 16):
        network.says("CAP * LS * :" + " ".join(f"c{number}" for number in range(start, start + 16)))
    assert len(network.requester.available) == MAX_AVAILABLE


def test_offer_lists_values_only_to_those_who_know_them() -> None:
    client = Client(sasl="PLAIN", batch=None, multi="")
    assert client.says("CAP LS") == [["CAP", "LS", "sasl batch multi"]]
    assert client.offer.version == 0
    assert client.offer.enabled == set()
    assert client.offer.negotiating
    assert client.says("CAP LS 302") == [["CAP", "LS", "sasl=PLAIN batch multi"]]
    assert client.offer.version == 302
    assert client.offer.enabled == {"cap-notify"}
    assert client.says("CAP LS 301") == [["CAP", "LS", "sasl=PLAIN batch multi"]]
    assert client.says("CAP LS 400") == [["CAP", "LS", "sasl=PLAIN batch multi"]]
    assert client.offer.version == 400


def test_offer_of_nothing() -> None:
    client = Client()
    assert client.says("CAP LS 302") == [["CAP", "LS", ""]]
    assert Client().says("CAP LIST") == [["CAP", "LIST", ""]]


@pytest.mark.parametrize("subcommand", ["LS", "LIST"])
def test_long_lists_take_several_lines_from_302_on(subcommand: str) -> None:
    names = [f"vendor.example/capability-{number}" for number in range(30)]
    offer = CapOffer(dict.fromkeys(names))
    offer.receive(Message.parse(b"CAP LS 302"))
    offer.enabled.update(names)
    replies = offer.receive(Message.parse(f"CAP {subcommand}".encode()))
    assert len(replies) > 1
    assert all(reply[:3] == ["CAP", subcommand, "*"] for reply in replies[:-1])
    assert replies[-1][:2] == ["CAP", subcommand]
    assert len(replies[-1]) == 3
    listed = {name for reply in replies for name in reply[-1].split()}
    assert listed - {"cap-notify"} == set(names)
    for reply in replies:
        line = Message.build(reply[0], "n" * 64, *reply[1:], source="s" * 63)
        assert len(line.encode()) + 2 <= BODY_LIMIT


def test_an_old_client_gets_one_line() -> None:
    names = [f"vendor.example/capability-{number}" for number in range(30)]
    ((command, subcommand, listed),) = CapOffer(dict.fromkeys(names)).receive(Message.parse(b"CAP LS"))
    assert (command, subcommand) == ("CAP", "LS")
    assert listed.split() == names[: len(listed.split())]
    assert REPLY_BUDGET - 40 < len(listed) <= REPLY_BUDGET


def test_a_request_is_granted_whole_or_not_at_all() -> None:
    client = Client(batch=None, sasl="PLAIN")
    assert client.says("CAP REQ :batch nothing") == [["CAP", "NAK", "batch nothing"]]
    assert client.offer.enabled == set()
    assert client.says("CAP REQ :batch sasl") == [["CAP", "ACK", "batch sasl"]]
    assert client.says("CAP REQ :-batch nothing") == [["CAP", "NAK", "-batch nothing"]]
    assert client.offer.enabled == {"batch", "sasl"}
    assert client.says("CAP REQ :-batch sasl") == [["CAP", "ACK", "-batch sasl"]]
    assert client.offer.enabled == {"sasl"}
    assert client.says("CAP REQ sasl=PLAIN") == [["CAP", "NAK", "sasl=PLAIN"]]
    assert client.says("CAP REQ") == [["CAP", "ACK", ""]]
    assert client.says("CAP LIST") == [["CAP", "LIST", "sasl"]]


def test_a_request_begins_the_negotiation_and_end_ends_it() -> None:
    client = Client(batch=None)
    seen = [client.offer.negotiating]
    for line in ("CAP LIST", "CAP REQ batch", "cap end", "CAP LS", "CAP END"):
        client.says(line)
        seen.append(client.offer.negotiating)
    assert seen == [False, False, True, False, True, False]
    assert client.says("CAP END") == []


def test_cap_notify_can_be_given_up_only_where_it_was_asked_for() -> None:
    client = Client(cap_notify=None)
    assert client.says("CAP REQ cap-notify") == [["CAP", "ACK", "cap-notify"]]
    assert client.says("CAP REQ -cap-notify") == [["CAP", "ACK", "-cap-notify"]]
    client.says("CAP LS 302")
    assert client.says("CAP REQ -cap-notify") == [["CAP", "NAK", "-cap-notify"]]
    assert "cap-notify" in client.offer.enabled


@pytest.mark.parametrize(
    ("line", "echoed"),
    [
        ("CAP FOO", "FOO"),
        ("CAP", "*"),
        ("CAP :", "*"),
        ("CAP :two words", "*"),
        ("CAP ::x", "*"),
        ("CAP clear", "clear"),
        ("CAP " + "é" * 200, "é" * 32),
    ],
)
def test_an_unknown_subcommand_gets_its_numeric(line: str, echoed: str) -> None:
    (reply,) = Client().says(line)
    assert reply == ["410", echoed, "Invalid CAP subcommand"]
    assert Message.build(reply[0], "nick", *reply[1:])


def test_an_old_clients_confirmation_needs_no_answer() -> None:
    assert Client(batch=None).says("CAP ACK batch") == []


def test_changes_are_told_to_those_who_asked() -> None:
    client = Client(batch=None, sasl="PLAIN", echo="")
    client.says("CAP LS 302")
    client.says("CAP REQ :batch sasl")
    assert client.offer.change({"sasl": "PLAIN,EXTERNAL", "echo": None, "away": "x"}) == [
        ["CAP", "DEL", "batch"],
        ["CAP", "NEW", "sasl=PLAIN,EXTERNAL away=x"],
    ]
    assert client.offer.enabled == {"cap-notify", "sasl"}
    assert client.says("CAP REQ away") == [["CAP", "ACK", "away"]]
    assert client.offer.change({"sasl": "PLAIN,EXTERNAL", "echo": None, "away": "x"}) == []


def test_changes_to_an_older_client_carry_no_values() -> None:
    client = Client(cap_notify=None, sasl="PLAIN")
    client.says("CAP REQ cap-notify")
    assert client.offer.change({"sasl": "EXTERNAL", "away": "x"}) == [["CAP", "NEW", "away"]]


def test_changes_hold_silently_for_those_who_did_not_ask() -> None:
    client = Client(batch=None)
    client.says("CAP REQ batch")
    assert client.offer.change({"sasl": None}) == []
    assert client.offer.enabled == set()
    assert client.says("CAP REQ sasl") == [["CAP", "ACK", "sasl"]]


def test_long_changes_take_several_lines() -> None:
    client = Client()
    client.says("CAP LS 302")
    lines = client.offer.change({f"vendor.example/capability-{number}": None for number in range(30)})
    assert len(lines) > 1
    assert all(len(line[-1]) <= REPLY_BUDGET for line in lines)


cap_words = st.sampled_from(["a", "b", "c", "-a", "~b", "=c", "a=1", "-", "=", "*", "cap-notify", "-cap-notify", "x"])
cap_lines = st.builds(
    lambda target, sub, star, caps: f":irc CAP {target} {sub} {star}:{' '.join(caps)}".encode(),
    st.sampled_from(["*", "me"]),
    st.sampled_from(["LS", "LIST", "REQ", "ACK", "NAK", "NEW", "DEL", "END", "FOO"]),
    st.sampled_from(["", "* ", "302 "]),
    st.lists(cap_words),
)
any_lines = st.lists(st.one_of(cap_lines, st.binary(), st.sampled_from([b"421 me CAP :x", b"410 me LS :x"])))


@given(any_lines)
def test_requester_takes_anything_and_asks_only_for_what_it_wants(lines: list[bytes]) -> None:
    requester = CapRequester({"a", "b", "c"})
    for line in lines:
        for sent in requester.receive(Message.parse(line)):
            assert sent.command == "CAP"
            assert sent.params[0] == "REQ"
            assert set(sent.params[1].split()) <= {"a", "b", "c"} & set(requester.available)
    assert requester.enabled <= {"a", "b", "c"}


@given(any_lines)
def test_offer_takes_anything_and_enables_only_what_it_has(lines: list[bytes]) -> None:
    offer = CapOffer({"a": "1", "b": None})
    for line in lines:
        message = Message.parse(line)
        # the client's form of the same lines has no nick before the subcommand
        for reply in offer.receive(message) + offer.receive(Message.parse(line.replace(b"CAP * ", b"CAP "))):
            assert len(Message.lenient(reply[0], "n" * 64, *reply[1:], source="s" * 63).encode()) + 2 <= BODY_LIMIT
    assert offer.enabled <= {"a", "b", "cap-notify"}
    assert (offer.version >= 302) <= ("cap-notify" in offer.enabled)


@given(st.sets(st.sampled_from("abcdefgh")), st.sets(st.sampled_from("abcdefgh")))
def test_both_sides_understand_each_other(wanted: set[str], offered: set[str]) -> None:
    requester = CapRequester(wanted)
    offer = CapOffer(dict.fromkeys(sorted(offered)))
    lines = requester.start()
    while lines:
        replies = [reply for line in lines for reply in offer.receive(line)]
        answers = [Message.build(reply[0], "me", *reply[1:], source="irc") for reply in replies]
        lines = [line for answer in answers for line in requester.receive(answer)]
    assert requester.settled
    assert requester.enabled == wanted & offered
    assert offer.enabled - {"cap-notify"} == wanted & offered
