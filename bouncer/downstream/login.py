"""Who a client says it is: ``user[/network][@device]`` and a password (design 5.4).

Owns how a login is written. Must not know whether it is right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

DEVICE_LIMIT = 64  # characters of a device's name; it is a key in the database and is shown in lists


@dataclass(frozen=True, slots=True)
class Login:
    """A login taken apart; what was not said is empty. ``device`` is folded to lower case. ``netid`` is the id of a
    network that was chosen by BOUNCER BIND instead of by name, 0 if none was."""

    user: str
    network: str = ""
    device: str = ""
    netid: int = 0


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who a client says it is, and what by. ``mechanism`` is PASS, that of SASL, or CERTIFICATE for a client that said
    nothing. ``proved``: whether the mechanism itself has found it right; None where ``password`` is to be checked.
    ``names`` are the users that what was said could mean, whether or not they exist: a wrong one counts for each."""

    login: Login
    mechanism: str
    password: str = field(default="", repr=False)
    proved: bool | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proof:
    """That a login is right, and by what. ``user`` is the name as the account has it.

    ``token`` is the id of the token whose device this is then, whatever the login says; ``certificate`` the
    fingerprint by which it came in without a password. ``stand_in`` names the device where no login does.
    """

    user: str
    device: str = ""
    stand_in: str = ""
    token: str = ""
    certificate: str = ""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who has come in, and how."""

    login: Login
    device: str  # the key of its position: the name given, or a stand-in
    address: str
    since: float
    secure: bool = False
    nick: str = ""  # what it called itself; the network may call it something else
    token: str = ""  # the id of the token that it came in by
    certificate: str = ""  # the fingerprint of the certificate that it came in by, without a password ...
    fingerprint: str = ""  # ... and of the one that it shows, whatever it came in by


def parse_login(text: str) -> Login:
    """Take ``user[/network][@device]`` apart; the two suffixes may come in either order."""
    user, network, device = text, "", ""
    # the last mark first: what follows it is one suffix whole, whichever it is
    for _ in range(2):
        slash, at = user.rfind("/"), user.rfind("@")
        if slash > at and not network:
            user, network = user[:slash], user[slash + 1 :]
        elif at > slash and not device:
            user, device = user[:at], user[at + 1 :]
    # it is shown in lists, where nothing may move the terminal of whoever looks
    device = "".join(letter if letter.isprintable() else "?" for letter in device.lower()[:DEVICE_LIMIT])
    return Login(user, network, device)


def parse_pass(text: str, username: str, known: Callable[[str], bool]) -> tuple[Login, str]:
    """The login and password of a bare PASS. What stands left of its first colon is a login only if that user is
    known; else all of it is the password, and USER's first parameter is the login."""
    left, colon, right = text.partition(":")
    if colon:
        login = parse_login(left)
        if known(login.user):
            return login, right
    return parse_login(username), text


def names_in_pass(text: str, username: str) -> tuple[str, ...]:
    """The users that a bare PASS could mean; the same whoever is known."""
    left, colon, _ = text.partition(":")
    return tuple(parse_login(each).user for each in ((left, username) if colon else (username,)))


def unnamed_device(username: str, realname: str) -> str:
    """A stand-in for the name of a device that gave none: the same for the same client settings."""
    digest = hashlib.sha256(f"{username}\0{realname}".encode("utf-8", "surrogateescape"))
    return "~" + digest.hexdigest()[:12]
