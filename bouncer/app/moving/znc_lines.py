"""The lines of ZNC's log module, ``[20:41:07] <bob> hello``, from lines of IRC and back.

Owns their forms. Must not know files.

What ZNC writes has no msgid and of most people no user@host; of what is no line of a conversation, and of TAGMSG and
INVITE, it writes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from bouncer.irc.casemap import DEFAULT_FOLD
from bouncer.irc.message import Message
from bouncer.irc.source import Source, format_source, parse_source
from bouncer.model.entry import Kind
from bouncer.operations.names import CHANNEL_PREFIXES

_ACTION = "\x01ACTION"


def text_of(kind: int, raw: bytes) -> str | None:
    """A line of IRC as ZNC writes it, without the time; None if it does not."""
    form = _TEXTS.get(kind)
    return None if form is None else form(Message.parse(raw))


def line_of(text: str, window: str, nick: str) -> Message | None:
    """The line of IRC that was written as ``text`` in a window (a channel, or the other's nick) of somebody who is
    called ``nick``. None if it is none."""
    for pattern, make in _FORMS:
        if found := pattern.fullmatch(text):
            return make(window, nick, *found.groups(""))
    return None


def _said(message: Message) -> str:
    text = message.param(1)
    if text.startswith(_ACTION):
        return f"* {message.nick} {text[len(_ACTION) + 1 :].removesuffix(chr(1))}"
    return f"<{message.nick}> {text}"


def _host(message: Message) -> str:
    source = parse_source(message.source)
    return f"{source.nick} ({source.user}@{source.host})"


def _joined(message: Message) -> str:
    account = message.tags.get("account", "") or message.param(1)
    return f"*** Joins: {_host(message)}" + (f" {account}" if account not in ("", "*") else "")


def _mode(message: Message) -> str:
    return f"*** {message.nick} sets mode: {message.param(1)} {' '.join(message.params[2:])}"


_TEXTS: Mapping[int, Callable[[Message], str]] = MappingProxyType(
    {
        Kind.PRIVMSG: _said,
        Kind.NOTICE: lambda message: f"-{message.nick}- {message.param(1)}",
        Kind.JOIN: _joined,
        Kind.PART: lambda message: f"*** Parts: {_host(message)} ({message.param(1)})",
        Kind.QUIT: lambda message: f"*** Quits: {_host(message)} ({message.param(0)})",
        Kind.NICK: lambda message: f"*** {message.nick} is now known as {message.param(0)}",
        Kind.KICK: lambda message: f"*** {message.param(1)} was kicked by {message.nick} ({message.param(2)})",
        Kind.MODE: _mode,
        Kind.TOPIC: lambda message: f"*** {message.nick} changes topic to '{message.param(1)}'",
    }
)


def _text(command: str, window: str, nick: str, speaker: str, text: str) -> Message:
    """What somebody said in a window: in one of two people, the other to us, or we to the other."""
    is_channel = window[:1] in tuple(CHANNEL_PREFIXES)
    to_us = not is_channel and DEFAULT_FOLD(speaker) == DEFAULT_FOLD(window)
    return Message.lenient(command, nick if to_us else window, text, source=speaker)


def _from(nick: str, host: str) -> str:
    user, _, host = host.partition("@")
    return format_source(*Source(nick, user, host))


def _with_reason(command: str, *params: str, reason: str, source: str) -> Message:
    return Message.lenient(command, *params, *([reason] if reason else []), source=source)


_Make = Callable[..., Message]
_FORMS: tuple[tuple[re.Pattern[str], _Make], ...] = (
    (re.compile(r"<([^>\s]+)> ?(.*)", re.DOTALL), lambda w, me, nick, text: _text("PRIVMSG", w, me, nick, text)),
    (
        re.compile(r"\*\*\* Joins: (\S+) \((\S*)\)(?: (\S+))?"),
        lambda w, me, nick, host, account: Message.lenient(
            "JOIN", w, *([account, ""] if account else []), source=_from(nick, host)
        ),
    ),
    (
        re.compile(r"\*\*\* Parts: (\S+) \((\S*)\) \((.*)\)", re.DOTALL),
        lambda w, me, nick, host, reason: _with_reason("PART", w, reason=reason, source=_from(nick, host)),
    ),
    (
        re.compile(r"\*\*\* Quits: (\S+) \((\S*)\) \((.*)\)", re.DOTALL),
        lambda w, me, nick, host, reason: _with_reason("QUIT", reason=reason, source=_from(nick, host)),
    ),
    (
        re.compile(r"\*\*\* (\S+) was kicked by (\S+) \((.*)\)", re.DOTALL),
        lambda w, me, nick, by, reason: _with_reason("KICK", w, nick, reason=reason, source=by),
    ),
    (
        re.compile(r"\*\*\* (\S+) is now known as (\S+)"),
        lambda w, me, old, new: Message.lenient("NICK", new, source=old),
    ),
    (
        re.compile(r"\*\*\* (\S+) sets mode: (\S+) ?(.*)", re.DOTALL),
        lambda w, me, nick, modes, rest: Message.lenient("MODE", w, modes, *rest.split(), source=nick),
    ),
    (
        re.compile(r"\*\*\* (\S+) changes topic to '(.*)'", re.DOTALL),
        lambda w, me, nick, topic: Message.lenient("TOPIC", w, topic, source=nick),
    ),
    (
        re.compile(r"\* (\S+) ?(.*)", re.DOTALL),
        lambda w, me, nick, text: _text("PRIVMSG", w, me, nick, f"{_ACTION} {text}\x01"),
    ),
    (re.compile(r"-(\S+?)-(?: (.*))?", re.DOTALL), lambda w, me, nick, text: _text("NOTICE", w, me, nick, text)),
)
