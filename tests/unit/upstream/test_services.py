"""What may hold a password."""

from __future__ import annotations

import pytest

from bouncer.upstream.services import is_secret, may_repeat, service_of


@pytest.mark.parametrize("target", ["NickServ", "nickserv@services.x", "NickServ!s@h", "NICKSERV"])
def test_services_are_known_by_any_address(target: str) -> None:
    assert service_of(target) == "nickserv"
    assert is_secret(target, "help")


@pytest.mark.parametrize(
    ("target", "text", "secret"),
    [
        ("Q@CServe.quakenet.org", "whatever", True),
        ("X@channels.undernet.org", "LOGIN a b", True),
        ("x", "login a b", True),
        ("x", "login", True),
        ("q", "hello there", False),
        ("q", "", False),
        ("bob", "IDENTIFY hush", False),
        ("ChanServ", "OP #c", True),
        ("nickserver", "hello", False),
        ("", "", False),
    ],
)
def test_what_we_say(target: str, text: str, secret: bool) -> None:
    assert is_secret(target, text) is secret


def test_what_they_say() -> None:
    assert may_repeat("NickServ", "hello")
    assert may_repeat("chanserv", "The Password for #c is hush")
    assert not may_repeat("ChanServ", "welcome to #c")
    assert not may_repeat("bob", "the password is hush")
