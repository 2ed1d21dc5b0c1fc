"""What a client may log in with: SCRAM, certificates, tokens; what a wrong one costs; and where it gets to then."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from dataclasses import replace

import pytest

from bouncer.app.attempts import NAME_LIMIT
from bouncer.app.entrance import BOUNCER_NETWORKS, HELD_LIMIT, HELD_PER_CROWD
from bouncer.downstream.registration import FAILURES_LIMIT
from bouncer.irc.sasl import LEAST_ITERATIONS, ScramClient, format_keys, read_keys, scram_keys
from bouncer.model.records import ClientCertificate, Limits, Token
from bouncer.operations.context import Actor
from bouncer.operations.table import perform
from tests.play.stage import Device, PlainPasswords, Stage, sasl_plain

KEYS = format_keys(scram_keys("secret", b"salt", LEAST_ITERATIONS))
SHOWN, OTHER = "ab" * 32, "cd" * 32
LAPTOP = ClientCertificate("laptop", SHOWN)
TOKEN_TEXT = "bnc-0badcafe-abcdefghijklmnopqrstuv"
TOKEN = Token("0badcafe", "phone", hashlib.sha256(TOKEN_TEXT.encode()).hexdigest())


class CountingPasswords(PlainPasswords):
    """Counts what it would take to hash."""

    count = 0

    def __init__(self) -> None:
        self.lines: list[str] = []

    async def verify(self, password_hash: str, password: str, line: str = "") -> bool:
        self.count += 1
        self.lines.append(line)
        return await super().verify(password_hash, password, line)


class SlowPasswords(PlainPasswords):
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[asyncio.Future[bool]] = []

    async def verify(self, password_hash: str, password: str, line: str = "") -> bool:
        self.asked.append(asyncio.get_running_loop().create_future())
        return await self.asked[-1]


async def loop_goes_round() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode() or "+"


def numerics(lines: list[str]) -> list[str]:
    return [line.split()[1] if line.startswith(":") else line.split()[0] for line in lines]


def began(stage: Stage, mechanism: str, username: str = "x", **peer: str) -> Device:
    """A client that has begun a login by SASL."""
    device = Device(stage, **peer)  # type: ignore[arg-type]  # all of these are text
    device.says("CAP LS 302", "NICK x", f"USER {username} 0 * :y", "CAP REQ :sasl", f"AUTHENTICATE {mechanism}")
    return device


async def scram(stage: Stage, login: str, password: str) -> tuple[Device, list[str]]:
    """A login by SCRAM to its end, and what was said after the challenge."""
    device = began(stage, "SCRAM-SHA-256", crowd=login)
    client = ScramClient(login, password, "nonce")
    assert (await device.gets_soon())[-1] == "AUTHENTICATE +"
    device.says("AUTHENTICATE " + encoded(client.step(b"")))
    challenge = (await device.gets_soon())[-1].removeprefix("AUTHENTICATE ")
    device.says("AUTHENTICATE " + encoded(client.step(base64.b64decode(challenge))))
    lines = await device.gets_soon()
    if lines[0].startswith("AUTHENTICATE "):
        client.step(base64.b64decode(lines[0].removeprefix("AUTHENTICATE ")))
        assert client.done
        device.says("AUTHENTICATE +", "CAP END")
        lines = await device.gets_soon()
    return device, lines


async def test_scram_lets_in_without_a_hash(stage: Stage) -> None:
    stage.user(scram=KEYS)
    stage.entrance._passwords = passwords = CountingPasswords()
    _, lines = await scram(stage, "Alice/example@phone", "secret")
    assert numerics(lines)[:3] == ["900", "903", "001"]
    assert lines[0].endswith(" alice :You are now logged in as alice")
    assert stage.upstream().link.sessions[0].device == "phone"
    assert passwords.count == 0


async def test_scram_fails_at_the_proof_for_whoever_it_is(stage: Stage) -> None:
    stage.user(scram=KEYS)
    stage.user("keyless")
    stage.user("closed", scram=KEYS, enabled=False)
    answers = []
    for login, password in (("alice", "wrong"), ("nobody", "secret"), ("keyless", "secret"), ("closed", "secret")):
        _, lines = await scram(stage, login, password)
        answers.append(lines)
    assert answers == [[":bnc.example 904 x :SASL authentication failed: wrong user or password"]] * 4
    assert stage.entrance.keys("nobody") == stage.entrance.keys("NOBODY")


async def test_the_first_right_password_makes_the_keys_for_scram(stage: Stage) -> None:
    stage.user()
    await stage.attached()
    account = stage.house.account("alice")
    assert account is not None
    assert read_keys(account.user.scram)
    _, lines = await scram(stage, "alice", "secret")
    assert "001" in numerics(lines)
    stage.begin()
    account = stage.house.account("alice")
    assert account is not None
    assert read_keys(account.user.scram)


async def test_external_is_offered_where_a_certificate_is_shown(stage: Stage) -> None:
    stage.user(certificates=(LAPTOP,))
    shown, bare = Device(stage, fingerprint=SHOWN), Device(stage)
    for device in (shown, bare):
        device.says("CAP LS 302")
    assert "sasl=EXTERNAL,PLAIN,SCRAM-SHA-256" in " ".join(shown.lines()).split()
    assert "sasl=PLAIN,SCRAM-SHA-256" in " ".join(bare.lines()).split()
    bare.says("NICK x", "AUTHENTICATE EXTERNAL")
    listed, failed = bare.lines()
    assert listed == ":bnc.example 908 x PLAIN,SCRAM-SHA-256 :are available SASL mechanisms"
    assert "on which your client shows its certificate" in failed


@pytest.mark.parametrize(("authzid", "device"), [("", "laptop"), ("ALICE", "laptop"), ("alice/example@phone", "phone")])
async def test_external_lets_in_by_certificate(stage: Stage, authzid: str, device: str) -> None:
    stage.user(certificates=(LAPTOP,))
    client = began(stage, "EXTERNAL", fingerprint=SHOWN)
    client.says("AUTHENTICATE " + encoded(authzid.encode()), "CAP END")
    assert "001" in numerics(await client.gets_soon())
    (session,) = stage.upstream().link.sessions
    assert (session.device, session.arrival.certificate) == (device, SHOWN)


async def test_external_refuses_others_and_says_what_to_do(stage: Stage) -> None:
    stage.user(certificates=(LAPTOP,))
    stage.user("bob")
    for authzid, fingerprint in (("", OTHER), ("bob", SHOWN), ("nobody", SHOWN)):
        client = began(stage, "EXTERNAL", fingerprint=fingerprint)
        client.says("AUTHENTICATE " + encoded(authzid.encode()))
        assert "is not registered for that account" in (await client.gets_soon())[-1]


async def test_a_certificate_of_two_users_asks_which(stage: Stage) -> None:
    stage.user("alice", certificates=(LAPTOP,))
    stage.user("bob", certificates=(LAPTOP,))
    client = began(stage, "EXTERNAL", fingerprint=SHOWN)
    client.says("AUTHENTICATE +")
    assert "registered by several users" in (await client.gets_soon())[-1]
    client = began(stage, "EXTERNAL", username="bob", fingerprint=SHOWN)
    client.says("AUTHENTICATE +", "CAP END")
    await client.gets_soon()
    assert len(stage.upstream("bob").link.sessions) == 1


async def test_a_certificate_and_a_user_line_are_a_login(stage: Stage) -> None:
    stage.user("alice", "one", "two", certificates=(LAPTOP,))
    client = Device(stage, fingerprint=SHOWN)
    client.says("NICK x", "USER alice/two 0 * :y")
    assert "001" in numerics(await client.gets_soon())
    assert len(stage.upstream("alice", "two").link.sessions) == 1
    stranger = Device(stage, fingerprint=OTHER)
    stranger.says("NICK x", "USER alice/two 0 * :y")
    assert "Password required" in (await stranger.gets_soon())[0]


async def test_nobody_acts_as_another(stage: Stage) -> None:
    stage.user(admin=True)
    stage.user("bob")
    client = began(stage, "PLAIN")
    client.says("AUTHENTICATE " + encoded(b"bob\0alice\0secret"))
    assert "to act as another" in (await client.gets_soon())[-1]
    client.says("AUTHENTICATE PLAIN", "AUTHENTICATE " + encoded(b"ALICE\0alice\0secret"), "CAP END")
    assert "001" in numerics(await client.gets_soon())


@pytest.mark.parametrize("login", ["alice", "alice@desk", "alice/example"])
async def test_a_token_is_its_device_wherever_it_is_typed(stage: Stage, login: str) -> None:
    stage.user(tokens=(TOKEN,))
    by_pass = Device(stage)
    by_pass.says(f"PASS {login}:{TOKEN_TEXT}", "NICK x", "USER x 0 * :y")
    by_sasl = began(stage, "PLAIN")
    by_sasl.says("AUTHENTICATE " + sasl_plain(login, TOKEN_TEXT), "CAP END")
    by_user = Device(stage)
    by_user.says(f"PASS {TOKEN_TEXT}", "NICK x", f"USER {login} 0 * :y")
    for device in (by_pass, by_sasl, by_user):
        assert "001" in numerics(await device.gets_soon())
    sessions = stage.upstream().link.sessions
    assert [(each.device, each.arrival.token) for each in sessions] == [("phone", "0badcafe")] * 3


async def test_what_is_taken_back_ends_what_came_in_by_it_and_nothing_else(stage: Stage) -> None:
    stage.user(tokens=(TOKEN,), certificates=(LAPTOP,))
    by_password = await stage.attached("alice@desk")
    by_token = Device(stage)
    by_token.says(f"PASS alice:{TOKEN_TEXT}", "NICK x", "USER x 0 * :y")
    by_certificate = Device(stage, fingerprint=SHOWN)
    by_certificate.says("NICK x", "USER alice 0 * :y")
    for device in (by_token, by_certificate):
        assert "001" in numerics(await device.gets_soon())
    await perform(stage.context(Actor("alice")), ["token", "delete", TOKEN.id])
    assert [each.closed for each in (by_token, by_certificate, by_password)] == [True, False, False]
    await perform(stage.context(Actor("alice")), ["certificate", "delete", "laptop"])
    assert [each.closed for each in (by_token, by_certificate, by_password)] == [True, True, False]


async def test_every_wrong_login_costs_one_hash_and_reads_the_same(stage: Stage) -> None:
    stage.user(tokens=(TOKEN,), scram=KEYS)
    stage.user("closed", tokens=(TOKEN,), enabled=False)
    stage.entrance._passwords = passwords = CountingPasswords()
    answers = []
    tried = ("alice:wrong", f"alice:{TOKEN_TEXT}x", "nobody:secret", f"closed:{TOKEN_TEXT}", "closed:secret", "alice:")
    for number, login in enumerate(tried):
        device = Device(stage, crowd=f"192.0.2.{number}")
        device.says(f"PASS {login}", "NICK x", f"USER x{number} 0 * :y")
        answers.append(await device.gets_soon())
        assert passwords.count == number + 1
    assert answers == [answers[0]] * len(tried)


async def test_wrong_answers_come_later_and_right_ones_at_once(stage: Stage) -> None:
    stage.user(scram=KEYS)
    for _ in range(4):
        device = Device(stage)
        device.says("PASS alice:wrong", "NICK x", "USER x 0 * :y")
        await stage.settle()
    device.gets_nothing()
    stage.timers.pass_by(0.9)
    device.gets_nothing()
    assert "001" in numerics(await (await stage.device()).gets_soon())
    stage.timers.pass_by(0.2)
    assert numerics(await device.gets_soon()) == ["464", "ERROR"]


async def test_who_hangs_up_while_it_waits_leaves_nothing(stage: Stage) -> None:
    stage.user(scram=KEYS)
    for number in range(10):
        device = Device(stage, crowd="")
        device.says("PASS alice:wrong", "NICK x", "USER x 0 * :y")
        await stage.settle()
        device.leaves()
        assert len(stage.entrance._held) == 0, number
    assert stage.entrance._checks == {}


async def test_only_so_many_wait_for_their_answer(stage: Stage) -> None:
    stage.user(scram=KEYS)
    for number in range(3 + HELD_PER_CROWD + 1):
        device = Device(stage)
        device.says(f"PASS {number}", "NICK x", "USER nobody 0 * :y")
        await stage.settle()
    assert device.lines() == ["ERROR :Closing link: Too many wrong passwords at once; try again in a minute"]
    for number in range(HELD_LIMIT + 4):
        device = Device(stage, crowd=f"198.51.100.{number}")
        device.says(f"PASS {number}", "NICK x", "USER nobody 0 * :y")
        await stage.settle()
    assert device.closed
    assert len(stage.entrance._held) == HELD_LIMIT
    assert "001" in numerics(await (await stage.device()).gets_soon())


async def test_a_client_may_fail_so_often_by_sasl(stage: Stage) -> None:
    stage.user()
    client = began(stage, "PLAIN", crowd="")
    for number in range(FAILURES_LIMIT):
        client.says("AUTHENTICATE " + sasl_plain(f"name{number}", "wrong"))
        lines = await client.gets_soon()
        assert "904" in numerics(lines)
        client.says("AUTHENTICATE PLAIN")
    assert lines[-1] == "ERROR :Closing link: Too many failed logins"


async def test_other_devices_hear_of_a_wrong_password(stage: Stage) -> None:
    stage.user(scram=KEYS)
    phone = await stage.attached()
    for _ in range(3):
        device = Device(stage, address="203.0.113.5", crowd="203.0.113.5")
        device.says("PASS alice:wrong", "NICK x", "USER x 0 * :y")
        await stage.settle()
    (told,) = phone.lines()
    assert told.endswith(" :Wrong password for your account from 203.0.113.5")
    stage.timers.pass_by(60)
    assert phone.lines()[-1].endswith("from 203.0.113.5 (2 times in the last minute)")


async def test_one_device_too_many_is_told_so(stage: Stage) -> None:
    stage.user("alice", "one", "two", limits=Limits(devices=2))
    await stage.attached("alice/one@phone")
    await stage.attached("alice/one@desk")
    await stage.attached("alice/two@desk")
    third = await stage.device("alice/one@watch")
    refused, ended = third.lines()
    assert refused.split()[1] == "465"
    assert "You have 2 devices attached, which is your limit" in refused
    assert ended.startswith("ERROR ")


async def test_bind_chooses_the_network(stage: Stage) -> None:
    user = stage.user("alice", "one", "two")
    two = user.networks[1].id
    client = began(stage, "PLAIN")
    client.says(f"BOUNCER BIND {two}")
    assert (await client.gets_soon())[-1].startswith(":bnc.example FAIL BOUNCER ACCOUNT_REQUIRED BIND :")
    client.says("AUTHENTICATE " + sasl_plain("alice", "secret"), "BOUNCER BIND 999", "BOUNCER bind x")
    lines = await client.gets_soon()
    assert [line.rpartition(" :")[0] for line in lines[-2:]] == [
        ":bnc.example FAIL BOUNCER INVALID_NETID BIND 999",
        ":bnc.example FAIL BOUNCER INVALID_NETID BIND x",
    ]
    client.says(f"BOUNCER BIND {two}", "CAP END")
    assert "001" in numerics(await client.gets_soon())
    assert len(stage.upstream("alice", "two").link.sessions) == 1


async def test_who_binds_is_not_bound_unasked(stage: Stage) -> None:
    stage.user()
    bound, unbound = await stage.device("alice@phone"), await stage.device("alice@desk", BOUNCER_NETWORKS)
    named = await stage.device("alice/example@watch", BOUNCER_NETWORKS)
    for device in (bound, unbound, named):
        assert "001" in numerics(await device.gets_soon())
    assert [each.device for each in stage.upstream().link.sessions] == ["phone", "watch"]


async def test_the_network_of_another_user_can_not_be_bound(stage: Stage) -> None:
    stage.user()
    other = stage.user("bob").networks[0].id
    client = began(stage, "PLAIN")
    client.says("AUTHENTICATE " + sasl_plain("alice", "secret"), f"BOUNCER BIND {other}")
    assert f"INVALID_NETID BIND {other}" in (await client.gets_soon())[-1]


async def test_a_probe_that_says_all_at_once_is_answered_in_order(stage: Stage) -> None:
    stage.user()
    for password, last in (("secret", "001"), ("wrong", "ERROR")):
        client = Device(stage)
        client.says(
            "CAP LS 302",
            "NICK x",
            "USER x 0 * :y",
            "CAP REQ :sasl",
            "AUTHENTICATE PLAIN",
            "AUTHENTICATE " + sasl_plain("alice", password),
            "CAP END",
        )
        found = numerics(await client.gets_soon())
        assert last in found
        assert found.index("AUTHENTICATE") < found.index("903" if password == "secret" else "904") < found.index(last)


async def test_a_token_deleted_while_its_device_comes_in_lets_nobody_in(stage: Stage) -> None:
    user = stage.user(tokens=(TOKEN,))
    client = began(stage, "PLAIN")
    client.says("AUTHENTICATE " + sasl_plain("alice", TOKEN_TEXT))
    await client.gets_soon()
    stage.house.replace(replace(user, tokens=()))
    client.says("CAP END")
    assert "changed just now" in (await client.gets_soon())[-1]
    assert client.closed


async def test_how_long_a_wrong_answer_takes_tells_nobody_who_is_there(stage: Stage) -> None:
    """What stands left of the colon of a PASS counts as a name whether or not it is a user's."""
    stage.user()
    waited = {}
    for name in ("alice", "nobody"):
        for number in range(4):
            client = Device(stage, crowd=f"{name} {number}")
            client.says(f"PASS {name}/net@phone:wrong", "NICK x", f"USER {name}{number} 0 * :y")
            await stage.settle()
        waited[name] = not client.lines()
    assert waited == {"alice": True, "nobody": True}


async def test_who_hangs_up_is_not_checked_also_where_it_had_asked_before(stage: Stage) -> None:
    stage.user()
    stage.entrance._passwords = passwords = SlowPasswords()
    client = began(stage, "PLAIN", crowd="")
    client.says("AUTHENTICATE " + sasl_plain("one", "wrong"))
    client.says("AUTHENTICATE PLAIN", "AUTHENTICATE " + sasl_plain("two", "wrong"))
    await loop_goes_round()
    first = passwords.asked.pop()
    first.set_result(False)
    await loop_goes_round()
    client.leaves()
    await loop_goes_round()
    assert [asked.cancelled() for asked in passwords.asked] == [True]


async def test_who_waits_for_whom(stage: Stage) -> None:
    """A line's place is its first word (see `app.turns`): a whole IPv6 site is one."""
    stage.entrance._passwords = passwords = CountingPasswords()
    for crowd, address in (("2001:db8:1:2::/64", "2001:db8:1:2::3"), ("192.0.2.1", "192.0.2.1"), ("", "127.0.0.1")):
        client = Device(stage, crowd=crowd, address=address)
        client.says("PASS wrong", "NICK x", f"USER {'A' * 300} 0 * :y")
        await stage.settle()
    assert passwords.lines == [
        "2001:db8:1::/48 2001:db8:1:2::/64",
        "192.0.2.1 192.0.2.1",
        f"127.0.0.1 {'a' * NAME_LIMIT}",
    ]
