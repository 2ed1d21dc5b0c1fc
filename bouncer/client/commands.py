"""What :meth:`Client.send` can say: one row per command, with the names of its arguments.

Owns the table and turning keyword arguments into one line of text. Must not know connections, pacing or encodings:
the line is text and goes out elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_BREAKS = re.compile(r"[\r\n\0]")


class Argument(NamedTuple):
    """One argument of a command: what it is called and how it stands in the line."""

    name: str
    needed: bool = True
    joined: str | None = None  # of a list: what stands between its items; None if only a single value is taken
    trailing: bool = False  # may hold spaces, so it is the last and written with a colon
    keep_empty: bool = False  # an optional text that means something when it is empty (TOPIC: take it away)
    default: str | None = None
    literal: bool = False  # ``name`` itself is what is written


def _word(name: str, *, needed: bool = True, default: str | None = None) -> Argument:
    return Argument(name, needed, default=default)


def _list(name: str, *, needed: bool = True, joined: str = ",") -> Argument:
    return Argument(name, needed, joined)


def _text(name: str, *, needed: bool = True, keep_empty: bool = False) -> Argument:
    return Argument(name, needed, trailing=True, keep_empty=keep_empty)


def _literal(text: str) -> Argument:
    return Argument(text, literal=True)


_TARGET = (_word("target", needed=False),)

# RFC 2812 unless said otherwise. The keys are what send() takes; a pair gives the verb where the two differ.
COMMANDS: dict[str, tuple[Argument, ...]] = {
    "PASS": (_text("password"),),
    "NICK": (_word("nick"),),
    "USER": (_word("user"), _word("mode", default="0"), _literal("*"), _text("realname")),
    "OPER": (_word("user"), _text("password")),
    "USERMODE": (_word("nick"), _word("modes", needed=False)),
    "CHANNELMODE": (_word("channel"), _word("modes", needed=False), _list("params", needed=False, joined=" ")),
    "MODE": (_word("target"), _word("modes", needed=False), _list("params", needed=False, joined=" ")),
    "SERVICE": (
        _word("nick"),
        _literal("*"),
        _word("distribution"),
        _word("type"),
        _literal("0"),
        _text("info"),
    ),
    "QUIT": (_text("message", needed=False),),
    "SQUIT": (_word("server"), _text("message", needed=False)),
    "JOIN": (_list("channel"), _list("key", needed=False)),
    "PART": (_list("channel"), _text("message", needed=False)),
    "TOPIC": (_word("channel"), _text("message", needed=False, keep_empty=True)),
    "NAMES": (_list("channel", needed=False), _word("target", needed=False)),
    "LIST": (_list("channel", needed=False), _word("target", needed=False)),
    "INVITE": (_word("nick"), _word("channel")),
    "KICK": (_list("channel"), _list("nick"), _text("message", needed=False)),
    "PRIVMSG": (_list("target"), _text("message")),
    "NOTICE": (_list("target"), _text("message")),
    "SQUERY": (_word("target"), _text("message")),
    "MOTD": _TARGET,
    "VERSION": _TARGET,
    "TIME": _TARGET,
    "TRACE": _TARGET,
    "ADMIN": _TARGET,
    "INFO": _TARGET,
    "USERS": _TARGET,
    "LUSERS": (_word("mask", needed=False), _word("target", needed=False)),
    "STATS": (_word("query", needed=False), _word("target", needed=False)),
    "LINKS": (_word("remote", needed=False), _word("mask", needed=False)),
    "CONNECT": (_word("target"), _word("port"), _word("remote", needed=False)),
    "SERVLIST": (_word("mask", needed=False), _word("type", needed=False)),
    "WHO": (_word("mask", needed=False), _word("o", needed=False)),
    "WHOIS": (_word("target", needed=False), _list("mask")),
    "WHOWAS": (_list("nick"), _word("count", needed=False), _word("target", needed=False)),
    "KILL": (_word("nick"), _text("message")),
    "PING": (_text("message"),),
    "PONG": (_text("message", needed=False),),
    "AWAY": (_text("message", needed=False),),
    "REHASH": (),
    "DIE": (),
    "RESTART": (),
    "SUMMON": (_word("nick"), _word("target", needed=False), _word("channel", needed=False)),
    "WALLOPS": (_text("message"),),
    "USERHOST": (_list("nick", joined=" "),),
    "ISON": (_list("nick", joined=" "),),
    "CAP": (_word("subcommand"), _text("message", needed=False)),  # IRCv3 capability-negotiation
    "AUTHENTICATE": (_word("message"),),  # IRCv3 sasl-3.1
    "SETNAME": (_text("realname"),),  # IRCv3 setname
    "MONITOR": (_word("subcommand"), _list("target", needed=False)),  # IRCv3 monitor
}
_VERBS = {"USERMODE": "MODE", "CHANNELMODE": "MODE"}  # names of send() that are not the verb on the wire

# optional words that may stand alone before a later one: WHOIS without a server is the common form
_SKIPPABLE = {("WHOIS", "target")}


def render_command(command: str, arguments: Mapping[str, object]) -> str:
    """The line for ``command`` (any case), without a line end.

    A list argument takes a string or any iterable of strings; numbers are written as such; None is as good as absent.
    Raises ValueError, naming the culprit, for an unknown command, a missing or unknown argument, CR, LF or NUL
    anywhere, and a value that would be read as something else where it stands (spaces, a leading colon, nothing).
    """
    name = command.upper()
    row = COMMANDS.get(name)
    if row is None:
        raise ValueError(f"unknown command {command!r}; send_raw() takes any line")
    unknown = arguments.keys() - {argument.name for argument in row if not argument.literal}
    if unknown:
        raise ValueError(f"{name} takes no argument {sorted(unknown)[0]!r}")
    pieces = [_VERBS.get(name, name)]
    absent = ""
    for argument in row:
        text = argument.name if argument.literal else _value(name, argument, arguments.get(argument.name))
        if text is None:
            if argument.needed:
                raise ValueError(f"{name} needs the argument {argument.name!r}")
            if (name, argument.name) not in _SKIPPABLE and not argument.trailing:
                absent = absent or argument.name
            continue
        if absent and not argument.trailing:
            raise ValueError(f"{name} can't have {argument.name!r} without {absent!r}")
        pieces.append(":" + text if argument.trailing else text)
    return " ".join(pieces)


def _value(command: str, argument: Argument, value: object) -> str | None:
    """The argument as it stands in the line; None if it is absent."""
    if argument.name == "o" and isinstance(value, bool):
        value = "o" if value else None
    if value is None:
        return argument.default
    if argument.joined is not None and not isinstance(value, str) and isinstance(value, Iterable):
        items = [str(item) for item in value]
    else:
        items = [str(value)]
    for item in items:
        if _BREAKS.search(item):
            raise ValueError(f"{command}: {argument.name} can't hold CR, LF or NUL")
    text = (argument.joined or "").join(items)
    if argument.trailing:
        return text if text or argument.needed or argument.keep_empty else None
    if not text and not argument.needed:
        return None
    words = text.split(" ") if argument.joined == " " else [text]
    for word in words:
        if not word or " " in word or word[0] == ":":
            raise ValueError(f"{command}: {argument.name} can't be empty, hold a space or start with ':'")
    return text
