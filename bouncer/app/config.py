"""The settings of the process, ``bouncer.toml`` (design 5.2): read, checked as a whole, and given as frozen values.

Owns the notation and the defaults. Must not know what is done with a setting.

All that is wrong in the file is reported at once, each with its line, and nothing of it is used. A setting is a row
of ``_SETTINGS``: its place in the file, what it is when absent, and how its value is read.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import socket
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bouncer.model.errors import Refused
from bouncer.net.address import ListenAddress, parse_ident, parse_listen
from bouncer.net.proxies import LOOPBACK
from bouncer.net.proxies import Network as AddressRange
from bouncer.operations.toml_lines import line_numbers, line_of
from bouncer.operations.values import seconds

SQLITE = "sqlite"  # the store in the home
DRIVER_MISSING = "the driver for PostgreSQL is missing: run pip install 'bouncer-irc[postgresql]'"
MAX_FILE = 1024 * 1024  # bytes; settings have a few hundred, so more is some other file, named by mistake
LISTEN_LIMIT = 64  # addresses; each costs a descriptor, and no machine has that many worth telling apart
LIST_LIMIT = 256  # origins, proxies, ranges of addresses; each is looked at in turn
LONGEST_HOSTNAME = 63  # characters, RFC 2812 section 1.1: it is our name as a server

Place = tuple[str, ...]  # of a setting: its table, if it is in one, and its key
_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"  # RFC 1123 section 2.1
_HOSTNAME = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.ASCII)
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9.\[\]:-]+/?", re.ASCII | re.IGNORECASE)
# What libpq would take apart in another way than was meant, and so show a part of a password as a host, is not let in.
_POSTGRESQL = re.compile(r"postgres(?:ql)?://(?:[^@/\s]+@)?[^@\s]*")
_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(frozen=True, slots=True)
class Tls:
    """``certificate``: the PEM file with our certificate and key, an absolute path. ``client_certificates``: whether
    clients are asked for one of theirs."""

    certificate: Path
    client_certificates: bool = True


@dataclass(frozen=True, slots=True)
class Upstream:
    """``pace``: seconds between connects to one host, all users together, after the first ten; 0 is "off".
    ``source``: the ranges of addresses from which each user gets one to connect from; none: the system chooses.
    ``ident``: the host and port to answer RFC 1413 on, or None. ``oidentd``: the file to keep for oidentd, or None.
    """

    pace: float
    source: tuple[AddressRange, ...] = ()
    ident: tuple[str, int] | None = None
    oidentd: Path | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """What ``bouncer.toml`` says. ``hostname`` is our name as a server and in our certificate. ``origins`` are the
    pages that may open a WebSocket, none: those of the host that is asked for; ``trusted_proxies`` are believed where
    a WebSocket's client comes from."""

    listen: tuple[ListenAddress, ...]
    hostname: str
    store: str = field(repr=False)  # "sqlite", or a URL of PostgreSQL, which may have a password in it
    tls: Tls
    upstream: Upstream
    origins: tuple[str, ...] = ()
    trusted_proxies: tuple[AddressRange, ...] = LOOPBACK


class ConfigError(Refused):
    """What is wrong with a settings file: ``problems`` has a sentence for each, and ``str()`` a line for each."""

    def __init__(self, path: Path, problems: list[tuple[int, str]]) -> None:
        self.problems = tuple(
            f"{path}, line {line}: {what}" if line else f"{path}: {what}" for line, what in sorted(problems)
        )
        super().__init__("\n".join(self.problems))


def load_config(path: Path) -> Config:
    """Read the settings; a file that is absent leaves all at its default. Paths in it are taken from its own folder.

    Raises ConfigError with everything that is wrong.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        data = b""
    except OSError as error:
        raise ConfigError(path, [(0, f"it can't be read: {(error.strerror or str(error)).lower()}")]) from error
    if len(data) > MAX_FILE:
        raise ConfigError(path, [(0, f"it has more than {MAX_FILE} bytes, so it is not a file of settings")])
    try:
        text = data.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(path, [(line, "there is a byte that is not UTF-8")]) from error
    return parse_config(text, path)


def parse_config(text: str, path: Path) -> Config:
    """The settings that ``text`` makes. ``path`` is for messages, and its folder for the paths in the text."""
    try:
        found: Mapping[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(path, [_syntax(str(error), text)]) from error
    except RecursionError as error:
        raise ConfigError(path, [(0, "it has too many brackets within brackets")]) from error
    folder = path.absolute().parent
    lines = line_numbers(text)
    problems: list[tuple[int, str]] = []
    given: dict[Place, object] = {}
    for place, value in _leaves(found):
        if place in _SETTINGS:
            given[place] = value
        else:
            problems.append((_line(lines, place), _unknown(place, value)))
    values: dict[Place, Any] = {}
    for place, (default, read) in _SETTINGS.items():
        try:
            values[place] = read(given.get(place, default), folder)
        except Refused as wrong:
            problems.append((_line(lines, place), f"{'.'.join(place)}: {wrong}"))
    if values.get(("upstream", "ident")) and values.get(("upstream", "oidentd")):
        place = ("upstream", "oidentd")
        problems.append((_line(lines, place), "upstream.oidentd: upstream.ident is set too; leave one of them out"))
    if problems:
        raise ConfigError(path, problems)
    return Config(
        listen=values["listen",],
        hostname=values["hostname",],
        store=values["store",],
        tls=Tls(**_table(values, "tls")),
        upstream=Upstream(**_table(values, "upstream")),
        origins=values["origins",],
        trusted_proxies=values["trusted_proxies",],
    )


def _table(values: Mapping[Place, Any], name: str) -> dict[str, Any]:
    return {place[1]: value for place, value in values.items() if place[0] == name and len(place) > 1}


def machine_name() -> str:
    """This machine's host name, if it can be ours as a server, else "localhost"."""
    name = socket.gethostname()[:LONGEST_HOSTNAME]
    return name if _HOSTNAME.fullmatch(name) else "localhost"


def _leaves(found: Mapping[str, Any]) -> Iterator[tuple[Place, object]]:
    """Every value with its place; a table that we have is gone into, anything else is a value."""
    for key, value in found.items():
        if key in _TABLES and isinstance(value, Mapping):
            yield from (((key, inner), below) for inner, below in value.items())
        else:
            yield (key,), value


def _line(lines: Mapping[tuple[str | int, ...], int], place: Place) -> int:
    return line_of(lines, place) or line_of(lines, (*place, 0))  # an array of tables stands there as its items


def _unknown(place: Place, value: object) -> str:
    name = ".".join(key if key.isprintable() else repr(key) for key in place)
    if place[0] in _TABLES and len(place) == 1:
        return f"{name} is a table: write [{name}] on a line of its own, and its settings below"
    known = [".".join(setting) for setting in _SETTINGS]
    # a key that only stands in the wrong table is the likeliest mistake: in TOML, what follows [tls] belongs to it
    elsewhere = [setting for setting in known if setting.rpartition(".")[2] == place[-1]]
    near = elsewhere or difflib.get_close_matches(name, known, n=1)
    kind = "table" if isinstance(value, Mapping) else "setting"
    return f"there is no {kind} {name}; " + (f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}")


def _syntax(message: str, text: str) -> tuple[int, str]:
    """The line and the text of an error of tomllib, which has the line in the text."""
    place = _TOML_PLACE.search(message)
    if place is None:
        return 0, f"it is not TOML: {message}"
    line = int(place[1]) if place[1] else text.rstrip().count("\n") + 1
    return line, f"it is not TOML: {message[: place.start()]}"


def _listen(value: object, folder: Path) -> tuple[ListenAddress, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise Refused('it is to be a list of addresses, as in ["ircs://[::]:6697"]')
    if len(value) > LISTEN_LIMIT:
        raise Refused(f"there are more than {LISTEN_LIMIT} addresses; [::] stands for all of this machine")
    addresses, wrong = [], []
    for item in value:
        try:
            addresses.append(parse_listen(item))
        except Refused as problem:
            wrong.append(str(problem))
    if wrong:
        raise Refused(" ".join(wrong))
    resolved = [ListenAddress(path=str(folder / at.path)) if at.path else at for at in addresses]
    if len(set(resolved)) < len(resolved):
        raise Refused("an address is there twice; leave one out")
    return tuple(resolved)


def _hostname(value: object, folder: Path) -> str:
    if value is None:
        return machine_name()
    if not isinstance(value, str) or len(value) > LONGEST_HOSTNAME or not _HOSTNAME.fullmatch(value):
        raise Refused(f'it is to be a host name of at most {LONGEST_HOSTNAME} characters, as in "bnc.example.org"')
    return value


def _store(value: object, folder: Path) -> str:
    return checked_store(value)


def checked_store(value: object) -> str:
    """Which store is meant: "sqlite", or a URL of PostgreSQL. Raises Refused."""
    if value == SQLITE:
        return SQLITE
    # the value may hold a password, so it is not repeated
    if not isinstance(value, str) or not value.startswith(("postgresql:", "postgres:")):
        raise Refused('it is to be "sqlite", or the URL of a database as in "postgresql://user@host/database"')
    if not _POSTGRESQL.fullmatch(value):
        raise Refused(
            "write the URL as postgresql://user@host/database; in a password, write @ as %40, / as %2F, a space as %20"
        )
    return value


def _file(value: object, folder: Path) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise Refused('it is to be the path of a file, as in "certs/server.pem"')
    return folder / value


def _yes_or_no(value: object, folder: Path) -> bool:
    if not isinstance(value, bool):
        raise Refused("it is to be true or false")
    return value


def _strings(value: object, example: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Refused(f"it is to be a list, as in {example}")
    if len(value) > LIST_LIMIT:
        raise Refused(f"it has more than {LIST_LIMIT} items")
    return value


def _origins(value: object, folder: Path) -> tuple[str, ...]:
    """As browsers send them (RFC 6454): scheme, host and port, in lower case, without a slash at the end."""
    found = _strings(value, '["https://chat.example.org"]')
    for item in found:
        if not _ORIGIN.fullmatch(item):
            raise Refused(f"{item!r} is no origin; write it as https://chat.example.org, without a path")
    return tuple(item.rstrip("/").lower() for item in found)


def _ranges(value: object, folder: Path) -> tuple[AddressRange, ...]:
    ranges, wrong = [], []
    for item in _strings(value, '["192.0.2.16/28", "2001:db8:1::/64"]'):
        try:
            ranges.append(ipaddress.ip_network(item))
        except ValueError as error:
            wrong.append(f"{error}" if str(error).isprintable() else f"{item!r} is no range of addresses")
    if wrong:
        raise Refused("; ".join(wrong))
    return tuple(ranges)


def _ident(value: object, folder: Path) -> tuple[str, int] | None:
    if value is None or value == "off":
        return None
    if not isinstance(value, str):
        raise Refused('it is to be an address, as in "ident://[::]:113", or "off"')
    return parse_ident(value)


def _oidentd(value: object, folder: Path) -> Path | None:
    if value is None or value == "off":
        return None
    if not isinstance(value, str) or not value or "\0" in value:
        raise Refused('it is to be the path of a file, as in "~/.oidentd.conf", or "off"')
    try:
        return folder / Path(value).expanduser()
    except RuntimeError as error:  # the home of a user that is not there
        raise Refused("there is no such home folder") from error


def _pace(value: object, folder: Path) -> float:
    return 0.0 if value == "off" else seconds(value)


_SETTINGS: Mapping[Place, tuple[object, Callable[[object, Path], object]]] = {
    ("listen",): (["ircs://[::]:6697", "irc+insecure://127.0.0.1:6667"], _listen),
    ("hostname",): (None, _hostname),
    ("store",): (SQLITE, _store),
    ("origins",): ([], _origins),
    ("trusted_proxies",): ([str(network) for network in LOOPBACK], _ranges),
    ("tls", "certificate"): ("certs/server.pem", _file),
    ("tls", "client_certificates"): (True, _yes_or_no),
    ("upstream", "pace"): ("2s", _pace),
    ("upstream", "source"): ([], _ranges),
    ("upstream", "ident"): (None, _ident),
    ("upstream", "oidentd"): (None, _oidentd),
}
_TABLES = {place[0] for place in _SETTINGS if len(place) > 1}
