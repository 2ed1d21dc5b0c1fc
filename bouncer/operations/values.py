"""Parsers of values: what stands after KEY=, or a value as TOML gave it, becomes a typed one.

Each takes text or the TOML type of the value and raises Refused with what is wrong and how to write it. Must not know
which key a value is for.
"""

from __future__ import annotations

import ipaddress
import math
import re
import zoneinfo
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from bouncer.model.errors import Refused
from bouncer.model.records import Endpoint, Flood
from bouncer.operations.names import account_name, channel_name, nick, one_line, quoted

T = TypeVar("T")

TLS_PORT = 6697  # RFC 7194
PLAIN_PORT = 6667
SERVERS_LIMIT = 20  # of one network; each is tried before the first comes again
NICKS_LIMIT = 10  # alternatives
COMMANDS_LIMIT = 20  # sent at each connect, at the network's pace
COMMAND_LIMIT = 510  # bytes; a line without its end
NETWORKS_LIMIT = (
    10_000  # of one user; what one machine has been seen to hold. Less for some is a matter of their limits
)
CHANNELS_LIMIT = 5_000  # of one network; public ones allow up to 250, private ones what they like
PASSWORD_LIMIT = 300  # bytes; a PASS line with the login before it fits 512
BURST_LIMIT = 100  # lines at once; every server's own limit is far below
PACE_LIMIT = 60.0  # seconds per line
FIRST_HELPING_LIMIT = 20_000  # lines; a session that is further behind is closed
HASH_COST_LIMIT = 1 << 20  # KiB of memory that one hash may ask for

_YES = frozenset({"yes", "true", "on", "1"})
_NO = frozenset({"no", "false", "off", "0"})
_SECONDS = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|m)?", re.ASCII)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}
_HASH = re.compile(
    r"\$argon2id\$v=19\$m=(\d{1,9}),t=(\d{1,3}),p=(\d{1,2})\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{16,171}"
)
_MECHANISMS = ("SCRAM-SHA-256", "PLAIN")


def text(value: object) -> str:
    """One line of text."""
    if not isinstance(value, str):
        raise Refused("it is to be text, in quotes")
    return one_line(value)


def name(value: object) -> str:
    """The name of a user or network."""
    return account_name(text(value))


def checked(check: Callable[[str], str]) -> Callable[[object], str]:
    """A parser of text that ``check`` has to accept; empty text is accepted as it is."""

    def parse(value: object) -> str:
        plain = text(value)
        return check(plain) if plain else ""

    return parse


def yes_or_no(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = value.casefold() if isinstance(value, str) else ""
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise Refused(f"{quoted(str(value))} is neither yes nor no")


def count(least: int, most: int) -> Callable[[object], int]:
    """A parser of whole numbers within bounds."""

    def parse(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value, re.ASCII):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise Refused(f"{quoted(str(value))} is not a whole number")
        if not least <= value <= most:
            raise Refused(f"{value} is not between {least} and {most}")
        return value

    return parse


def seconds(value: object) -> float:
    """A short time: ``2s``, ``500ms``, ``1m``, or a number of seconds."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        number = float(value)
    else:
        match = _SECONDS.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise Refused(f"{quoted(str(value))} is not a time; write it as 2s or 500ms")
        number = float(match[1]) * _UNITS[match[2]]
    if not math.isfinite(number) or not 0 <= number <= PACE_LIMIT:
        raise Refused(f"{quoted(str(value))} is not between 0s and {PACE_LIMIT:.0f}s")
    return round(number, 3)  # finer than a timer is; and it can be written without an exponent


def seconds_text(number: float) -> str:
    """The form that :func:`seconds` reads back as the same number."""
    return f"{number:.3f}".rstrip("0").rstrip(".") + "s"


def endpoint(value: object) -> Endpoint:
    """One server: ``ircs://host[:port]`` (TLS) or ``irc+insecure://host[:port]``; a bare host means TLS."""
    plain = text(value)
    scheme, found, rest = plain.partition("://")
    if not found:
        scheme, rest = "ircs", plain
    if scheme not in ("ircs", "irc+insecure"):
        raise Refused(
            f"{quoted(plain)} is not understood; write ircs://host:6697, or irc+insecure://host:6667 without TLS"
        )
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if (
        not host
        or parts.path not in ("", "/")
        or parts.username is not None
        or parts.query
        or parts.fragment
        or port == 0
    ):
        raise Refused(f"{quoted(plain)} is not a server; write {scheme}://host:port")
    if not re.fullmatch(r"[^\s\"'<>\\^`{}|,;*?]+", host):
        raise Refused(f"{quoted(host)} can't be a host name")
    tls = scheme == "ircs"
    return Endpoint(host, port or (TLS_PORT if tls else PLAIN_PORT), tls)


def several(parse: Callable[[object], T], most: int) -> Callable[[object], tuple[T, ...]]:
    """A parser of a TOML list, or of text with commas between the items."""

    def parse_all(value: object) -> tuple[T, ...]:
        items = [item.strip() for item in value.split(",")] if isinstance(value, str) else value
        if not isinstance(items, list):
            raise Refused("it is to be a list")
        found = tuple(dict.fromkeys(parse(item) for item in items if item != ""))
        if len(found) > most:
            raise Refused(f"there are more than {most}; leave some out")
        return found

    return parse_all


servers = several(endpoint, SERVERS_LIMIT)
nicks = several(checked(nick), NICKS_LIMIT)


def channels(value: object) -> tuple[str, ...]:
    """Names of channels."""
    return several(lambda item: channel_name(text(item)), CHANNELS_LIMIT)(value)


def raw_lines(value: object) -> tuple[str, ...]:
    """IRC lines to send: a TOML list, or one line (which may have commas in it)."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise Refused('it is to be a list of IRC lines, as in ["MODE alice +x"]')
    if len(items) > COMMANDS_LIMIT:
        raise Refused(f"there are more than {COMMANDS_LIMIT}; leave some out")
    return tuple(one_line(item, COMMAND_LIMIT).removeprefix("/") for item in items if item)


def fingerprint(value: object) -> str:
    """A SHA-256 fingerprint; colons and case do not count."""
    plain = text(value).replace(":", "").replace(" ", "").lower()
    if plain and not re.fullmatch("[0-9a-f]{64}", plain):
        raise Refused("it is not a SHA-256 fingerprint, which has 64 hexadecimal digits")
    return plain


def address(value: object) -> str:
    """An IP address of this machine."""
    plain = text(value)
    if not plain:
        return ""
    try:
        return str(ipaddress.ip_address(plain.strip("[]")))
    except ValueError:
        raise Refused(f"{quoted(plain)} is not an IP address; write it as 192.0.2.1 or 2001:db8::1") from None


def zone(value: object) -> str:
    """A time zone of the zone database."""
    plain = text(value)
    if plain == "UTC":
        return plain  # also where no zone database is installed
    try:
        zoneinfo.ZoneInfo(plain)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise Refused(f"{quoted(plain)} is no time zone; write it as Europe/Berlin or UTC") from None
    return plain


def secret(value: object) -> str:
    """A password for elsewhere, or a channel's key."""
    if not isinstance(value, str):
        raise Refused("it is to be text, in quotes")
    return one_line(value, PASSWORD_LIMIT)


def login_password(value: object) -> str:
    """A password for this bouncer."""
    plain = secret(value)
    if not plain:
        raise Refused("a password can't be empty; enabled=no closes an account")
    return plain


def password_hash(value: object) -> str:
    """A hash as export prints it."""
    match = _HASH.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Refused(
            "it is not an Argon2id hash, which starts with $argon2id$v=19$; password= takes the password itself"
        )
    memory, rounds, lanes = (int(number) for number in match.groups())
    if not 8 * lanes <= memory <= HASH_COST_LIMIT or not 1 <= rounds <= 64 or not 1 <= lanes <= 16:
        raise Refused("the hash asks for more memory or rounds than is sane; make a new one with user password")
    return match[0]


def mechanism(value: object) -> str:
    """A SASL mechanism, "" for the strongest that the network offers."""
    plain = text(value).upper()
    if plain == "EXTERNAL":
        raise Refused("EXTERNAL needs a certificate of one's own, which is not kept yet; SCRAM-SHA-256 and PLAIN work")
    if plain and plain not in _MECHANISMS:
        raise Refused(f"{quoted(plain)} is not known; {' and '.join(_MECHANISMS)} are")
    return plain


def flood(value: object) -> Flood:
    """``off``, or ``default``; the numbers are keys of their own."""
    word = text(value).casefold()
    if word == "off":
        return Flood(burst=0)
    if word in ("", "default", "on"):
        return Flood()
    raise Refused(f"{quoted(word)} is neither off nor default; flood.burst=5 flood.every=2s set the numbers")


def off(value: object) -> None:
    """``off`` only."""
    if text(value).casefold() not in ("off", "none", ""):
        raise Refused("it can only be off; sasl.user= and sasl.password= set it")


def weakness(name: str, password: str) -> str:
    """A sentence about a password that is easily guessed, "" for others."""
    if password.casefold() in (name.casefold(), name.casefold()[::-1]):
        return f"the password of {name} is its name: anyone can guess it; user password sets another one"
    if len(password) < 8 or len(set(password)) < 4:
        return (
            f"the password of {name} is weak: 12 characters or more are hard to guess; user password sets another one"
        )
    return ""
