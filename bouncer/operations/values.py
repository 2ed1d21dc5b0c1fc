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
from urllib.parse import SplitResult, urlsplit

from bouncer.irc.encoding import usable_encoding
from bouncer.model.errors import Refused
from bouncer.model.records import ClientCertificate, Endpoint, Flood, Token
from bouncer.model.spans import DAY, HOUR, UNITS, WEEK
from bouncer.model.state import CHANNELS_LIMIT
from bouncer.operations.names import CHANNEL_PREFIXES, account_name, channel_name, nick, one_line, quoted

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
PASSWORD_LIMIT = 300  # bytes; a PASS line with the login before it fits 512
BURST_LIMIT = 100  # lines at once; every server's own limit is far below
PACE_LIMIT = 60.0  # seconds per line
FIRST_HELPING_LIMIT = 20_000  # lines; a session that is further behind is closed
DEVICES_LIMIT = 1000  # attached clients of one user
MASKS_LIMIT = 200  # of one ignore list: each is compared with the source of every line of text
WORDS_LIMIT = 100  # of highlights: each is looked for in every line of text
WORD_LIMIT = 60  # characters of one
DURATION_LIMIT = 3650 * 86_400.0  # ten years: a slip of the keyboard, not a wish
CERTIFICATE_LIMIT = 16 * 1024  # characters of PEM: a chain of three with a 4096-bit key has 8 kB
LIFETIME_LIMIT = 100 * 365 * DAY  # of kept history: more is for ever
SIZE_LEAST = 100_000  # bytes of kept history: some hundred lines; less is what do_not_log is for
SIZE_LIMIT = 10**14  # bytes; more than any disk of today
FOREVER = "forever"
PROXIES = ("socks5", "socks4", "http")
SCRAM_COST_LIMIT = 1_000_000  # iterations a client is asked to do
HASH_COST_LIMIT = 1 << 20  # KiB of memory that one hash may ask for

TOKENS_LIMIT = 100  # of one user: each is compared at each login
CERTIFICATES_LIMIT = 50  # likewise

_YES = frozenset({"yes", "true", "on", "1"})
_NO = frozenset({"no", "false", "off", "0"})
_SECONDS = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|m)?", re.ASCII)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}
_HASH = re.compile(
    r"\$argon2id\$v=19\$m=(\d{1,9}),t=(\d{1,3}),p=(\d{1,2})\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{16,171}"
)
_MECHANISMS = ("EXTERNAL", "SCRAM-SHA-256", "PLAIN")
# RFC 5803, as PostgreSQL writes it: iterations and salt, StoredKey and ServerKey
_SCRAM = re.compile(r"SCRAM-SHA-256\$(\d{4,7}):[A-Za-z0-9+/=]{16,88}\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=")
_TOKEN = re.compile(r"([0-9a-f]{8}) ([^ ]{1,64}) (\d{1,11}) ([0-9a-f]{64})", re.ASCII)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d|w)?", re.ASCII)
_LIFETIME = re.compile(r"(\d{1,6})\s*(h|d|w|y)", re.ASCII)
_LIFETIME_UNITS = {"h": HOUR, "d": DAY, "w": WEEK, "y": 365 * DAY}
_SIZE = re.compile(r"(\d{1,9})\s*([kmgt])b?", re.ASCII)
_SIZE_UNITS = {"t": 10**12, "g": 10**9, "m": 10**6, "k": 1000}


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


def _split(rest: str) -> tuple[str, int | None, SplitResult]:
    """Host, port and all parts of what stands behind ``scheme://``; nothing of what is no address."""
    try:
        parts = urlsplit(f"//{rest}")
        return parts.hostname or "", parts.port, parts
    except ValueError:
        return "", None, urlsplit("")


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
    host, port, parts = _split(rest)
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


def raw_line(value: object) -> str:
    """One IRC line to send."""
    plain = one_line(value if isinstance(value, str) else "", COMMAND_LIMIT).strip(" ").removeprefix("/")
    if not plain:
        raise Refused('it is to be an IRC line, as in "MODE alice +x"')
    return plain


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
    if plain and plain not in _MECHANISMS:
        raise Refused(f"{quoted(plain)} is not known; {', '.join(_MECHANISMS)} are")
    return plain


def one_of(*words: str) -> Callable[[object], str]:
    """A parser of one of these words."""

    def parse(value: object) -> str:
        word = text(value).casefold()
        if word not in words:
            raise Refused(f"{quoted(word)} is not known; it is one of {', '.join(words)}")
        return word

    return parse


def duration(value: object) -> float:
    """A long time: ``90m``, ``12h``, ``3d``, or a number of seconds."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        number = float(value)
    else:
        match = _DURATION.fullmatch(value.casefold().strip()) if isinstance(value, str) else None
        if match is None:
            raise Refused(f"{quoted(str(value))} is not a time; write it as 30m, 12h or 3d")
        number = float(match[1]) * UNITS[match[2] or "s"]
    if not math.isfinite(number) or not 0 <= number <= DURATION_LIMIT:
        raise Refused(f"{quoted(str(value))} is not between 0 and ten years")
    return float(round(number))


def lifetime(value: object) -> float:
    """How long history is kept, in seconds: ``12h``, ``90d``, ``2y``, or ``forever`` (0). A number alone is refused,
    and minutes too: what a slip of the keyboard deletes is gone."""
    match = _LIFETIME.fullmatch(value.casefold().strip()) if isinstance(value, str) else None
    if value in ("", 0) or (isinstance(value, str) and value.casefold() == FOREVER):
        return 0.0
    if match is None:
        raise Refused(f"{quoted(str(value))} is not how long to keep it; write 12h, 90d, 6w, 2y or forever")
    number = int(match[1]) * _LIFETIME_UNITS[match[2]]
    if not 3600 <= number <= LIFETIME_LIMIT:
        raise Refused(f"{quoted(str(value))} is not between 1h and 100y; forever is the word for more")
    return float(number)


def size(value: object) -> int:
    """How much history is kept, in bytes: ``500MB``, ``2GB``, or ``forever`` (0)."""
    match = _SIZE.fullmatch(value.casefold().strip()) if isinstance(value, str) else None
    if value in ("", 0) or (isinstance(value, str) and value.casefold() == FOREVER):
        return 0
    if match is None:
        raise Refused(f"{quoted(str(value))} is not how much to keep; write 800kB, 500MB, 2GB or forever")
    number = int(match[1]) * _SIZE_UNITS[match[2]]
    if not SIZE_LEAST <= number <= SIZE_LIMIT:
        raise Refused(f"{quoted(str(value))} is not between {size_text(SIZE_LEAST)} and {size_text(SIZE_LIMIT)}")
    return number


def size_text(number: int) -> str:
    """The form that :func:`size` reads back as the same number: in the largest unit that fits."""
    unit, length = next((unit, length) for unit, length in _SIZE_UNITS.items() if number % length == 0 or unit == "k")
    return f"{number // length}{unit if unit == 'k' else unit.upper()}B"


def mask(value: object) -> str:
    """Whom to ignore: ``nick!user@host`` with ``*`` and ``?``; a nick alone is whoever has it."""
    plain = one_line(text(value), WORD_LIMIT * 2)
    if any(letter in plain for letter in " ,:") or not plain.strip("*?!@"):
        raise Refused(f"{quoted(plain)} is no mask; write it as nick, *!*@host or nick!user@host")
    if "!" not in plain:
        plain = f"*!{plain}" if "@" in plain else f"{plain}!*"
    return plain if "@" in plain else f"{plain}@*"


def highlight(value: object) -> str:
    """A word, or several in a row, to look for."""
    plain = " ".join(text(value).split())
    if not plain.strip("*? "):
        raise Refused(f"{quoted(plain)} would be found everywhere; it needs a letter")
    if len(plain) > WORD_LIMIT:
        raise Refused(f"{quoted(plain)} is longer than {WORD_LIMIT} characters; shorten it")
    return plain


def target(value: object) -> str:
    """A channel or a nick."""
    plain = text(value)
    return channel_name(plain) if plain[:1] in tuple(CHANNEL_PREFIXES) else nick(plain)


masks = several(mask, MASKS_LIMIT)
highlights = several(highlight, WORDS_LIMIT)
targets = several(target, MASKS_LIMIT)


def proxy(value: object) -> str:
    """The URL of a proxy."""
    plain = secret(value)
    forms = "write it as socks5://host:port or http://user:password@host:port"
    scheme, found, rest = plain.partition("://")
    host, port, parts = _split(rest)
    if not found or scheme.lower() not in PROXIES:
        raise Refused(f"that is no proxy that is known; {forms}")
    if not host or not port or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise Refused(f"a proxy needs a host and a port, and nothing else; {forms}")
    return f"{scheme.lower()}://{parts.netloc}"


def without_login(url: str) -> str:
    """The URL without the user and password in it."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def certificate(value: object) -> str:
    """A certificate and its key, in PEM."""
    if not isinstance(value, str) or len(value) > CERTIFICATE_LIMIT:
        raise Refused("it is to be the text of a PEM file with a certificate and its key")
    if "-----BEGIN CERTIFICATE-----" not in value or "PRIVATE KEY-----" not in value:
        raise Refused("a certificate and its unencrypted key are to be in it, in PEM; cert generate makes both")
    return value.replace("\r\n", "\n")


def scram(value: object) -> str:
    """Keys for SCRAM as export prints them."""
    match = _SCRAM.fullmatch(value) if isinstance(value, str) else None
    if match is None or not 4096 <= int(match[1]) <= SCRAM_COST_LIMIT:
        raise Refused("they are not keys for SCRAM-SHA-256; password= takes the password itself")
    return match[0]


def device(value: object) -> str:
    """The name of a device, as it may stand in a login."""
    return name(value).lower()


def _token(value: object) -> Token:
    """A token as export prints it: its id, device, seconds since 1970 and SHA-256."""
    found = _TOKEN.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise Refused("it is not a token as export prints it; token create makes one")
    return Token(found[1], device(found[2]), found[4], int(found[3]))


def _certificate_of_user(value: object) -> ClientCertificate:
    called, space, rest = text(value).strip().partition(" ")
    if not space or not rest.strip():
        raise Refused('a certificate is written as its name and its fingerprint, as in "laptop AB:CD:…"')
    return ClientCertificate(device(called), fingerprint(rest))


def tokens(value: object) -> tuple[Token, ...]:
    """A user's tokens."""
    found = several(_token, TOKENS_LIMIT)(value)
    _once([token.id for token in found])
    return found


def certificates(value: object) -> tuple[ClientCertificate, ...]:
    """The certificates that log a user in."""
    found = several(_certificate_of_user, CERTIFICATES_LIMIT)(value)
    _once([each.name for each in found])
    _once([each.fingerprint for each in found])
    return found


def _once(keys: list[str]) -> None:
    twice = next((key for key in keys if keys.count(key) > 1), "")
    if twice:
        raise Refused(f"{quoted(twice)} is there twice")


def encoding(value: object) -> str:
    """The encoding of a network's text."""
    try:
        return usable_encoding(text(value) or "utf-8")
    except ValueError as problem:
        raise Refused(str(problem)) from None


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
