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
    """A login taken apart; what was not said is empty. ``device`` is folded to lower case."""

    user: str
    network: str = ""
    device: str = ""


@dataclass(frozen=True, slots=True)
class Credentials:
    """All that a client said of itself before it may come in."""

    login: Login
    password: str = field(repr=False)
    nick: str = ""
    username: str = ""
    realname: str = ""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who has come in, and how."""

    login: Login
    device: str  # the key of its position: the name given, or a stand-in
    address: str
    since: float
    secure: bool = False
    nick: str = ""  # what it called itself; the network may call it something else


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


def unnamed_device(username: str, realname: str) -> str:
    """A stand-in for the name of a device that gave none: the same for the same client settings."""
    digest = hashlib.sha256(f"{username}\0{realname}".encode("utf-8", "surrogateescape"))
    return "~" + digest.hexdigest()[:12]
