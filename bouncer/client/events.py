"""A line as the keyword arguments of a handler.

Owns the names of events and of their arguments. Must not know who listens. Every line of every command makes an
event; the table only adds names. What a line does not have is empty: nothing here raises, whatever a peer sends.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from bouncer.irc import numerics
from bouncer.irc.message import Message
from bouncer.irc.source import parse_source

NUMERICS_BY_NAME: dict[str, str] = {
    name: value
    for name, value in vars(numerics).items()
    if name.startswith(("RPL_", "ERR_")) and isinstance(value, str)
}


def event_key(event: str) -> str:
    """The one spelling of an event's name: any case, a numeric by its number or its name (``RPL_WELCOME``, ``001``)."""
    name = event.strip().upper()
    return NUMERICS_BY_NAME.get(name, name)


class Shape(NamedTuple):
    """Names for a line's parameters, by position; ``rest`` takes what is left as a list."""

    names: tuple[str, ...] = ()
    last: str = ""  # takes the last parameter, wherever it stands
    rest: str = ""
    counts: tuple[str, ...] = ()  # names whose values are numbers (0 if the peer sent none)
    words: tuple[str, ...] = ()  # names whose values are lists, separated by spaces


# Servers' numerics begin with our nick, which is ``target``; ``message`` is their text.
NUMERIC = Shape(("target",), last="message")
OTHER = Shape(last="message")

SHAPES: dict[str, Shape] = {
    "PRIVMSG": Shape(("target", "message")),
    "NOTICE": Shape(("target", "message")),
    "TAGMSG": Shape(("target",)),
    "JOIN": Shape(("channel", "account", "realname")),  # the last two with IRCv3 extended-join
    "PART": Shape(("channel", "message")),
    "QUIT": Shape(("message",)),
    "KICK": Shape(("channel", "target", "message")),
    "INVITE": Shape(("target", "channel")),
    "TOPIC": Shape(("channel", "message")),
    "NICK": Shape(("new_nick",)),
    "MODE": Shape(("target", "modes"), rest="arguments"),
    "KILL": Shape(("target", "message")),
    "AWAY": Shape(("message",)),
    "ACCOUNT": Shape(("account",)),
    "CHGHOST": Shape(("new_user", "new_host")),
    "SETNAME": Shape(("realname",)),
    "CAP": Shape(("target", "subcommand"), last="message"),
    "BATCH": Shape(("reference", "type"), rest="arguments"),
    "FAIL": Shape(("verb", "code"), last="message", rest="context"),
    "WARN": Shape(("verb", "code"), last="message", rest="context"),
    "NOTE": Shape(("verb", "code"), last="message", rest="context"),
    numerics.RPL_MYINFO: Shape(("target",), last="message", rest="info"),
    numerics.RPL_ISUPPORT: Shape(("target",), last="message", rest="info"),
    numerics.RPL_LUSEROP: Shape(("target", "count"), last="message", counts=("count",)),
    numerics.RPL_LUSERUNKNOWN: Shape(("target", "count"), last="message", counts=("count",)),
    numerics.RPL_LUSERCHANNELS: Shape(("target", "count"), last="message", counts=("count",)),
    numerics.RPL_NOTOPIC: Shape(("target", "channel"), last="message"),
    numerics.RPL_TOPIC: Shape(("target", "channel"), last="message"),
    numerics.RPL_NAMREPLY: Shape(("target", "channel_type", "channel", "users"), last="message", words=("users",)),
    numerics.RPL_ENDOFNAMES: Shape(("target", "channel"), last="message"),
    numerics.RPL_ENDOFWHO: Shape(("target", "name"), last="message"),
    numerics.RPL_ISON: Shape(("target", "users"), last="message", words=("users",)),
    numerics.ERR_ERRONEUSNICKNAME: Shape(("target", "name"), last="message"),
    numerics.ERR_NICKNAMEINUSE: Shape(("target", "name"), last="message"),
}


def event_arguments(message: Message) -> dict[str, Any]:
    """The keyword arguments for one line.

    Always there: ``line`` (the Message), ``command`` (upper case), ``params`` (list of str), ``tags`` (dict), and
    ``nick``, ``user``, ``host`` of its source (a server's name is ``host`` alone). The table adds the rest.
    """
    command = message.command
    params = message.params
    nick, user, host = parse_source(message.source)
    if "." in nick and not user and not host:  # no nick has a dot: this is a server
        nick, host = "", nick
    shape = SHAPES.get(command)
    if shape is None:
        shape = NUMERIC if command.isdecimal() else OTHER
    arguments: dict[str, Any] = {
        "line": message,
        "command": command,
        "params": params,
        "tags": message.tags,
        "nick": nick,
        "user": user,
        "host": host,
    }
    for index, name in enumerate(shape.names):
        arguments[name] = params[index] if index < len(params) else ""
    if shape.rest:
        arguments[shape.rest] = params[len(shape.names) : -1 if shape.last else None]
    if shape.last:
        arguments[shape.last] = params[-1] if params else ""
    for name in shape.counts:
        text = arguments[name]
        arguments[name] = int(text) if text.isdecimal() and len(text) < 10 else 0
    for name in shape.words:
        arguments[name] = arguments[name].split()
    return arguments
