"""Conversations of a registration: what a server says, and what we answer."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.client.registration import (
    REGISTRATION_TIMEOUT,
    SASL_TIMEOUT,
    Identity,
    Registration,
    Sasl,
    Stage,
    nick_candidates,
)
from bouncer.irc.message import Message
from bouncer.irc.sasl import Claim, ScramServer, scram_keys


class Talk:
    """A registration and the clock it is told."""

    def __init__(self, identity: Identity, nicklen: int | None = None) -> None:
        self.now = 1000.0
        self.machine = Registration(identity, self.now, lambda: "nonce", nicklen=nicklen)
        self.opening = texts(self.machine.start())

    def hear(self, *lines: str) -> list[str]:
        said = []
        for line in lines:
            said += texts(self.machine.receive(Message.parse(line.encode()), self.now))
        return said

    def stage(self) -> Stage:
        return self.machine.stage

    def pass_time(self, seconds: float) -> list[str]:
        self.now += seconds
        return texts(self.machine.handle_timer(self.now))


def texts(messages: list[Message]) -> list[str]:
    return [message.raw.decode() for message in messages]


def with_sasl(caps: str = "sasl=EXTERNAL,PLAIN,SCRAM-SHA-256", **settings: object) -> Talk:
    sasl = Sasl(**{"user": "alice", "password": "secret", **settings})  # type: ignore[arg-type]  # any of its fields
    talk = Talk(Identity("alice", sasl=sasl))
    assert talk.hear(f":s CAP * LS :{caps}") == ["CAP REQ sasl"]
    return talk


def test_the_opening_is_said_at_once() -> None:
    talk = Talk(Identity("bob", ident="b", realname="Bob B.", password="server secret"))
    assert talk.opening == ["CAP LS 302", "PASS :server secret", "NICK bob", "USER b 0 * :Bob B."]


def test_capabilities_then_welcome() -> None:
    talk = Talk(Identity("bob", wanted_caps=frozenset({"batch", "echo-message", "absent"})))
    assert talk.hear(":s CAP * LS * :batch away-notify", ":s CAP * LS :echo-message") == ["CAP REQ :batch echo-message"]
    assert talk.hear(":s CAP * ACK :batch echo-message") == ["CAP END"]
    assert talk.stage() is Stage.UNDER_WAY
    assert talk.hear(":s 001 bob :Welcome") == []
    assert talk.stage() is Stage.REGISTERED
    assert talk.machine.deadline is None
    assert talk.machine.caps.enabled == {"batch", "echo-message"}


def test_a_capability_that_comes_later_is_asked_for() -> None:
    talk = Talk(Identity("bob", wanted_caps=frozenset({"batch"})))
    assert talk.hear(":s CAP * LS :", ":s 001 bob :Welcome") == ["CAP END"]
    assert talk.hear(":s CAP bob NEW :batch") == ["CAP REQ batch"]
    assert talk.hear(":s CAP bob ACK :batch") == []
    assert talk.machine.caps.enabled == {"batch"}


@pytest.mark.parametrize("refusal", [":s 421 bob CAP :Unknown command", ":s 451 CAP :Not registered"])
def test_a_server_without_capabilities(refusal: str) -> None:
    talk = Talk(Identity("bob"))
    talk.hear(refusal, ":s 001 bob :Welcome")
    assert talk.stage() is Stage.REGISTERED


def test_the_server_has_the_last_word_on_the_nick() -> None:
    talk = Talk(Identity("bobbobbobbob"))
    talk.hear(":s 001 bobbobbob :Welcome")
    assert talk.machine.nick == "bobbobbob"
    assert not talk.machine.wanted_in_use


# --- SASL


def test_plain() -> None:
    talk = with_sasl(mechanism="plain")
    assert talk.hear(":s CAP * ACK :sasl") == ["AUTHENTICATE PLAIN"]
    (line,) = talk.hear("AUTHENTICATE +")
    assert b64decode(line.split()[1]) == b"\0alice\0secret"
    assert talk.hear(":s 900 alice alice!a@h alice :in", ":s 903 alice :ok") == ["CAP END"]
    assert talk.machine.logged_in


def test_scram_proves_both_sides() -> None:
    talk = with_sasl()
    assert talk.hear(":s CAP * ACK :sasl") == ["AUTHENTICATE SCRAM-SHA-256"]
    keys = scram_keys("secret", b"salt", 4096)
    server = ScramServer(lambda name: keys if name == "alice" else None, "servernonce")
    challenge: bytes | Claim = b""
    for _ in range(2):
        assert isinstance(challenge, bytes)
        (line,) = talk.hear("AUTHENTICATE " + (b64encode(challenge).decode() or "+"))
        challenge = server.step(b64decode(line.split()[1]))
    assert isinstance(challenge, bytes)
    assert talk.hear("AUTHENTICATE " + b64encode(challenge).decode()) == ["AUTHENTICATE +"]
    assert talk.hear(":s 903 alice :ok") == ["CAP END"]
    assert talk.machine.logged_in


def test_the_next_mechanism_follows_a_refused_one() -> None:
    talk = with_sasl(certificate=True)
    assert talk.hear(":s CAP * ACK :sasl") == ["AUTHENTICATE EXTERNAL"]
    assert talk.hear(":s 904 * :no") == ["AUTHENTICATE SCRAM-SHA-256"]
    assert talk.hear(":s 904 * :no") == ["AUTHENTICATE PLAIN"]
    assert talk.hear(":s 904 * :wrong password") == ["CAP END"]
    talk.hear(":s 001 alice :Welcome")
    assert talk.stage() is Stage.REGISTERED
    assert not talk.machine.logged_in


def test_only_mechanisms_of_the_network_are_tried() -> None:
    talk = with_sasl("sasl=PLAIN", certificate=True)
    assert talk.hear(":s CAP * ACK :sasl") == ["AUTHENTICATE PLAIN"]
    talk = with_sasl("sasl")
    assert talk.hear(":s CAP * ACK :sasl") == ["AUTHENTICATE SCRAM-SHA-256"]
    assert talk.hear(":s 908 * PLAIN,ECDSA :are available", ":s 904 * :no") == ["AUTHENTICATE PLAIN"]


def test_without_a_password_the_certificate_logs_in() -> None:
    talk = with_sasl(user="", password="")
    assert talk.hear(":s CAP * ACK :sasl") == ["AUTHENTICATE EXTERNAL"]
    assert talk.hear("AUTHENTICATE +") == ["AUTHENTICATE +"]


def test_a_named_mechanism_is_the_only_one() -> None:
    talk = with_sasl(mechanism="EXTERNAL")
    assert talk.hear(":s CAP * ACK :sasl", ":s 904 * :no") == ["AUTHENTICATE EXTERNAL", "CAP END"]
    talk = with_sasl(mechanism="GSSAPI")
    assert talk.hear(":s CAP * ACK :sasl") == ["CAP END"]


def test_required_and_refused_is_for_good() -> None:
    talk = with_sasl(mechanism="PLAIN", required=True)
    assert talk.hear(":s CAP * ACK :sasl", "AUTHENTICATE +", ":s 904 * :Invalid password")[-1] != "CAP END"
    assert talk.stage() is Stage.FAILED
    assert talk.machine.permanent
    assert "Invalid password" in talk.machine.reason


@pytest.mark.parametrize(
    "lines",
    [
        [":s CAP * LS :batch"],
        [":s CAP * LS :sasl", ":s CAP * NAK :sasl"],
        [":s CAP * LS :sasl=GSSAPI", ":s CAP * ACK :sasl"],
        [":s 421 * CAP :Unknown command", ":s 001 alice :Welcome"],
        [":s 001 alice :Welcome"],
    ],
)
def test_required_and_not_to_be_had_may_get_better(lines: list[str]) -> None:
    talk = Talk(Identity("alice", sasl=Sasl(user="alice", password="secret", required=True)))
    talk.hear(*lines)
    assert talk.stage() is Stage.FAILED
    assert not talk.machine.permanent
    assert talk.machine.reason


def test_a_server_that_fails_its_proof_gets_no_plain_password() -> None:
    talk = with_sasl()
    talk.hear(":s CAP * ACK :sasl", "AUTHENTICATE +")
    challenge = b64encode(b"r=othernonce,s=c2FsdA==,i=4096").decode()
    assert talk.hear(f"AUTHENTICATE {challenge}") == ["AUTHENTICATE *", "CAP END"]


def test_success_without_proof_is_no_success() -> None:
    talk = with_sasl(required=True)
    talk.hear(":s CAP * ACK :sasl", "AUTHENTICATE +", ":s 903 * :trust me")
    assert talk.stage() is Stage.FAILED
    assert not talk.machine.logged_in


def test_services_that_do_not_answer_cost_twenty_seconds() -> None:
    talk = with_sasl("sasl=PLAIN")
    talk.hear(":s CAP * ACK :sasl")
    assert talk.machine.deadline == talk.now + SASL_TIMEOUT
    assert talk.pass_time(SASL_TIMEOUT) == ["AUTHENTICATE *", "CAP END"]
    assert talk.stage() is Stage.UNDER_WAY
    assert talk.hear(":s 906 * :aborted") == []


# --- nicks


def test_nicks_are_tried_in_turn() -> None:
    talk = Talk(Identity("bob", alternative_nicks=("robert", "bobby")))
    asked = [talk.hear(f":s {numeric} * x :no")[0] for numeric in ("433", "436", "437", "432")]
    assert asked == ["NICK robert", "NICK bobby", "NICK bob_", "NICK bob__"]
    assert talk.machine.wanted_in_use
    talk.hear(":s 001 bob__ :Welcome")
    assert talk.machine.nick == "bob__"


def test_an_impossible_nick_is_not_one_to_wait_for() -> None:
    talk = Talk(Identity("bob"))
    assert talk.hear(":s 432 * bob :Erroneous") == ["NICK bob_"]
    assert not talk.machine.wanted_in_use


def test_437_for_a_channel_is_no_matter() -> None:
    assert Talk(Identity("bob")).hear(":s 437 bob #c :unavailable") == []


def test_nicks_come_to_an_end() -> None:
    talk = Talk(Identity("bob"))
    asked = [talk.hear(":s 433 * x :in use") for _ in range(40)]
    assert talk.stage() is Stage.FAILED
    assert not talk.machine.permanent
    assert asked[-1] == []


@given(st.text("abcdefgh", min_size=1, max_size=12), st.none() | st.integers(3, 20))
def test_candidates_are_distinct_and_fit(nick: str, nicklen: int | None) -> None:
    candidates = list(nick_candidates(nick, ("other",), nicklen))
    assert candidates[:2] == [nick, "other"]
    assert len(set(candidates)) == len(candidates)
    if nicklen is not None:
        assert all(len(candidate) <= nicklen for candidate in candidates[2:])


# --- ends


def test_a_refused_password_is_for_good() -> None:
    talk = Talk(Identity("bob", password="x"))
    talk.hear(":s 464 bob :Password incorrect")
    assert talk.stage() is Stage.FAILED
    assert talk.machine.permanent
    assert "Password incorrect" in talk.machine.reason


def test_account_required_is_for_good() -> None:
    talk = Talk(Identity("bob"))
    talk.hear("FAIL NICK NICKNAME_RESERVED :no")
    assert talk.stage() is Stage.UNDER_WAY
    talk.hear("FAIL * ACCOUNT_REQUIRED_TO_CONNECT :You must log in")
    assert talk.stage() is Stage.FAILED
    assert talk.machine.permanent


def test_a_ban_is_not() -> None:
    talk = Talk(Identity("bob"))
    talk.hear(":s 465 bob :You are banned")
    assert talk.stage() is Stage.FAILED
    assert not talk.machine.permanent


def test_a_server_that_says_nothing_is_given_a_minute() -> None:
    talk = Talk(Identity("bob"))
    assert talk.machine.deadline == talk.now + REGISTRATION_TIMEOUT
    assert talk.pass_time(REGISTRATION_TIMEOUT - 1) == []
    assert talk.stage() is Stage.UNDER_WAY
    talk.pass_time(1)
    assert talk.stage() is Stage.FAILED


def test_secrets_do_not_show() -> None:
    identity = Identity("bob", password="hunter2", sasl=Sasl(user="bob", password="hunter3"))
    assert "hunter" not in repr(identity)
    assert "hunter" not in repr(identity.sasl)


@pytest.mark.parametrize(
    "fields",
    [
        {"nick": "two words"},
        {"nick": ""},
        {"nick": "bob", "ident": "a b"},
        {"nick": "bob", "realname": "x\nQUIT"},
        {"nick": "bob", "password": "x\rQUIT"},
        {"nick": "bob", "wanted_caps": frozenset({"a\nb"})},
    ],
)
def test_what_no_line_can_hold_is_refused_early(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Identity(**fields)  # type: ignore[arg-type]  # any of its fields


@given(st.lists(st.sampled_from(["CAP * LS", "CAP * ACK", "AUTHENTICATE", "433", "903", "904", "908 *", "FAIL", "001"])
    .flatmap(lambda head: st.text(max_size=30).map(lambda tail: f":s {head} :{tail}")), max_size=12))  # fmt: skip
def test_no_server_makes_it_raise(lines: list[str]) -> None:
    talk = Talk(Identity("bob", sasl=Sasl(user="bob", password="x"), wanted_caps=frozenset({"batch"})))
    for line in lines:
        talk.machine.receive(Message.parse(line.encode("utf-8", "surrogateescape")), talk.now)
    assert talk.stage() in Stage


def test_it_says_why_it_came_in_without_a_login() -> None:
    talk = with_sasl("sasl=PLAIN")
    talk.hear(":s CAP * ACK :sasl")
    assert talk.machine.login_failure == ""  # not yet in
    talk.hear(":s 904 bob :not now", ":s 001 bob :Welcome")
    assert talk.stage() is Stage.REGISTERED
    assert talk.machine.login_failure


def test_refused_credentials_are_for_good() -> None:
    talk = with_sasl("sasl=PLAIN", password="wrong")
    said = talk.hear(":s CAP * ACK :sasl", "AUTHENTICATE +", ":s 904 bob :SASL authentication failed")
    assert "CAP END" not in said
    assert talk.stage() is Stage.FAILED
    assert talk.machine.permanent
    assert talk.machine.reason == "login failed: SASL authentication failed"


def test_a_network_without_logins_is_a_reason_too() -> None:
    talk = Talk(Identity("alice", sasl=Sasl(user="alice", password="secret")))
    talk.hear(":s CAP * LS :multi-prefix", ":s 001 bob :Welcome")
    assert talk.stage() is Stage.REGISTERED
    assert talk.machine.login_failure


# --- services that come and go


def registered_without_login() -> Talk:
    talk = Talk(Identity("alice", sasl=Sasl(user="alice", password="secret")))
    talk.hear(":s CAP * LS :", ":s 001 alice :Welcome")
    assert talk.stage() is Stage.REGISTERED
    assert talk.machine.login_failure == "the network offers no SASL"
    return talk


def test_it_logs_in_when_services_come() -> None:
    talk = registered_without_login()
    assert talk.hear(":s CAP alice NEW :sasl=PLAIN,EXTERNAL") == ["CAP REQ sasl"]
    assert talk.hear(":s CAP alice ACK :sasl") == ["AUTHENTICATE PLAIN"]
    (line,) = talk.hear("AUTHENTICATE +")
    assert b64decode(line.split()[1]) == b"\0alice\0secret"
    assert talk.hear(":s 900 alice alice!a@h Alice :You are now logged in", ":s 903 alice :ok") == []
    assert talk.machine.logged_in
    assert talk.machine.account == "Alice"
    assert not talk.machine.login_failure
    assert talk.machine.deadline is None
    assert talk.hear(":s CAP alice DEL :sasl", ":s CAP alice NEW :sasl=PLAIN") == ["CAP REQ sasl"]
    assert talk.hear(":s CAP alice ACK :sasl") == []  # services know us still
    assert talk.hear(":s 901 alice alice!a@h :You are now logged out") == []
    assert talk.hear(":s CAP alice NEW :sasl=PLAIN") == ["AUTHENTICATE PLAIN"]  # it was never taken back


def test_a_late_login_that_fails_leaves_the_connection_alone() -> None:
    talk = registered_without_login()
    talk.hear(":s CAP alice NEW :sasl=PLAIN", ":s CAP alice ACK :sasl", "AUTHENTICATE +")
    assert talk.hear(":s 904 alice :SASL authentication failed") == []
    assert talk.stage() is Stage.REGISTERED
    assert talk.machine.login_failure == "SASL authentication failed"
    assert talk.hear(":s CAP alice NEW :sasl=PLAIN") == []  # refused credentials are not tried again


def test_services_that_do_not_answer_a_late_login_are_let_be() -> None:
    talk = registered_without_login()
    talk.hear(":s CAP alice NEW :sasl=PLAIN", ":s CAP alice ACK :sasl")
    assert talk.pass_time(SASL_TIMEOUT) == ["AUTHENTICATE *"]
    assert talk.machine.login_failure == "the services did not answer"
    assert talk.machine.deadline is None
    talk.pass_time(REGISTRATION_TIMEOUT)
    assert talk.stage() is Stage.REGISTERED


def test_a_login_by_other_ways_counts() -> None:
    talk = registered_without_login()
    talk.hear(":s 900 alice alice!a@h alice :You are now logged in as alice")
    assert talk.machine.logged_in


# --- a certificate that services may not know


def test_an_unknown_certificate_costs_no_more_than_the_login() -> None:
    talk = Talk(Identity("alice", sasl=Sasl("EXTERNAL", certificate=True, optional=True)))
    assert talk.hear(":s CAP * LS :sasl=EXTERNAL,PLAIN", ":s CAP * ACK :sasl")[-1] == "AUTHENTICATE EXTERNAL"
    assert talk.hear("AUTHENTICATE +") == ["AUTHENTICATE +"]
    assert talk.hear(":s 904 alice :SASL authentication failed") == ["CAP END"]
    talk.hear(":s 001 alice :Welcome")
    assert talk.machine.login_failure == "SASL authentication failed"


def test_a_refused_certificate_is_followed_by_the_password() -> None:
    talk = with_sasl(certificate=True)
    assert talk.hear(":s CAP * ACK :sasl") == ["AUTHENTICATE EXTERNAL"]
    talk.hear("AUTHENTICATE +")
    assert talk.hear(":s 904 alice :SASL authentication failed") == ["AUTHENTICATE SCRAM-SHA-256"]
