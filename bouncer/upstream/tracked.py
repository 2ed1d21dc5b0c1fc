"""The table of an upstream's lines: what each does to the picture, and what it is in the log.

A row takes (state, message) and returns ``(kind, target)``: how history keeps the line and which conversation it
belongs to; or None if no attached client is to see it, because the bouncer answers for it. Must not know who
listens. A command without a row is for all attached clients and is not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from bouncer.irc import numerics
from bouncer.irc.message import Message
from bouncer.irc.modes import parse_channel_modes, parse_user_modes
from bouncer.irc.shared import shared, shared_lines, shared_names, shared_values
from bouncer.irc.source import parse_source
from bouncer.model.entry import Kind
from bouncer.model.state import (
    CAPS_LIMIT,
    MODE_LISTS_LIMIT,
    MOTD_LIMIT,
    NO_MODES,
    UMODES_LIMIT,
    ChannelState,
    NetworkState,
)
from bouncer.upstream.services import is_secret, may_repeat

Effect = tuple[Kind, str] | None
Row = Callable[[NetworkState, Message], Effect]

SHOWN: Effect = (Kind.NONE, "")
_PRIVMSG: Final = Kind.PRIVMSG
OURS_TO_ANSWER = frozenset({"BOUNCER", "CHATHISTORY"})
REACTION_TAGS = frozenset({"+draft/react", "+draft/unreact", "+react", "+unreact"})
REPLY_TAGS = ("+draft/reply", "+reply")


def _conversation(state: NetworkState, message: Message, kind: Kind) -> Effect:
    target = message.param(0)
    if target[:1] and state.isupport.is_channel(target):
        return kind, target
    if "!" not in message.source:
        return SHOWN  # a server talks: shown to those who look, not a conversation to keep
    bare = state.isupport.strip_status(target)
    if state.isupport.is_channel(bare):
        return kind, bare
    text = message.param(1)
    if state.is_me(message.nick):
        return (Kind.NONE if is_secret(target, text) else kind), target
    return (Kind.NONE if may_repeat(message.nick, text) else kind), message.nick


def _privmsg(state: NetworkState, message: Message) -> Effect:
    params = message.params
    if len(params) == 2 and params[0] and params[0][0] in state.isupport.chantypes and params[1][:1] != "\x01":
        return _PRIVMSG, params[0]  # what most lines are, on the way of each
    effect = _conversation(state, message, _PRIVMSG)
    text = message.param(1)
    if effect and text[:1] == "\x01" and not text.startswith("\x01ACTION"):
        return Kind.NONE, effect[1]  # a CTCP request is for those who are there
    return effect


def _notice(state: NetworkState, message: Message) -> Effect:
    effect = _conversation(state, message, Kind.NOTICE)
    if effect and message.param(1)[:1] == "\x01":
        return Kind.NONE, effect[1]
    return effect


def is_reaction(message: Message) -> bool:
    """Whether a TAGMSG reacts to a message, or takes that back: of all, only these are worth keeping (IRCv3 react)."""
    if not message.tagtext or "react" not in message.tagtext:
        return False
    tags = message.tags
    return not REACTION_TAGS.isdisjoint(tags) and any(tags.get(tag) for tag in REPLY_TAGS)


def _tagmsg(state: NetworkState, message: Message) -> Effect:
    return _conversation(state, message, Kind.TAGMSG if is_reaction(message) else Kind.NONE)


def redacted_in(state: NetworkState, message: Message) -> str:
    """The conversation in which a REDACT takes back a message; "" if it does not say so."""
    target = message.param(0)
    bare = state.isupport.strip_status(target)
    if state.isupport.is_channel(bare):
        return bare
    if not state.is_me(target):
        return target
    return message.nick if "!" in message.source else ""


def _redact(state: NetworkState, message: Message) -> Effect:
    target = redacted_in(state, message)
    return (Kind.REDACT, target) if target else SHOWN


def _join(state: NetworkState, message: Message) -> Effect:
    name = message.param(0)
    if state.is_me(message.nick):
        _learn_source(state, message)
        state.join(name).members.put(message.nick)
    elif channel := state.channels.get(name):
        channel.members.put(message.nick)
    return Kind.JOIN, name


def _leave(state: NetworkState, name: str, nick: str) -> None:
    if state.is_me(nick):
        state.channels.pop(name, None)
    elif channel := state.channels.get(name):
        channel.members.pop(nick)


def _part(state: NetworkState, message: Message) -> Effect:
    _leave(state, message.param(0), message.nick)
    return Kind.PART, message.param(0)


def _kick(state: NetworkState, message: Message) -> Effect:
    _leave(state, message.param(0), message.param(1))
    return Kind.KICK, message.param(0)


def _channels_of(state: NetworkState, nick: str) -> tuple[str, ...]:
    return tuple(channel.name for channel in state.channels.values() if nick in channel.members)


def _quit(state: NetworkState, message: Message) -> Effect:
    state.seen_in = _channels_of(state, message.nick)
    if not state.is_me(message.nick):
        for channel in state.channels.values():
            channel.members.pop(message.nick)
    return Kind.QUIT, ""


def _nick(state: NetworkState, message: Message) -> Effect:
    old, new = message.nick, message.param(0)
    if not new or " " in new:
        return None
    # private conversations, too, are told by it: they go on under the new nick
    state.seen_in = (*_channels_of(state, old), *(() if state.is_me(old) else (old, new)))
    if state.is_me(old):
        _learn_source(state, message)
        state.nick = new
    for channel in state.channels.values():
        status = channel.members.pop(old)
        if status is not None:
            channel.members.put(new, status)
    return Kind.NICK, ""


def _mode(state: NetworkState, message: Message) -> Effect:
    target = message.param(0)
    if not state.isupport.is_channel(target):
        for change in parse_user_modes(message.param(1)):
            if not change.add:
                state.umodes -= {change.mode}
            elif len(state.umodes) < UMODES_LIMIT:
                state.umodes |= {change.mode}
        state.umodes = shared_names(state.umodes)
        return SHOWN
    channel = state.channels.get(target)
    if channel:
        _change_modes(state, channel, message.params[1:])
    return Kind.MODE, target


def _change_modes(state: NetworkState, channel: ChannelState, params: list[str]) -> None:
    isupport = state.isupport
    lists, _, _, _ = isupport.chanmodes
    modes = dict(channel.modes)
    for change in parse_channel_modes(params, isupport):
        rank = isupport.prefix_modes.find(change.mode)
        if rank >= 0:
            nick = change.arg or ""
            held = channel.members.get(nick)
            if held is not None:
                status = _with_status(isupport.prefix_symbols, held, isupport.prefix_symbols[rank], change.add)
                channel.members.put(nick, status)
        elif change.mode not in lists:
            if not change.add:
                modes.pop(change.mode, None)
            elif len(modes) < MODE_LISTS_LIMIT:
                modes[change.mode] = change.arg or ""
    if not any(modes.values()):  # keys are nobody else's business
        modes = shared_values(modes)
    channel.modes = modes


def _with_status(order: str, held: str, symbol: str, add: bool) -> str:
    kept = set(held) | {symbol} if add else set(held) - {symbol}
    return "".join(each for each in order if each in kept)


def _topic(state: NetworkState, message: Message) -> Effect:
    if channel := state.channels.get(message.param(0)):
        channel.topic = shared(message.param(1))
        channel.topic_by, channel.topic_at = shared(message.source), ""
    return Kind.TOPIC, message.param(0)


def _invite(state: NetworkState, message: Message) -> Effect:
    # our own are news that must keep; others' (invite-notify) belong to the channel
    return Kind.INVITE, message.nick if state.is_me(message.param(0)) else message.param(1)


def _rename(state: NetworkState, message: Message) -> Effect:
    old, new = message.param(0), message.param(1)
    if not state.isupport.is_channel(new) or " " in new or "," in new or old not in state.channels:
        return None
    state.rename(old, new)
    state.seen_in = (old,)
    return Kind.RENAME, new


def _learn_source(state: NetworkState, message: Message) -> None:
    source = parse_source(message.source)
    state.user, state.host = source.user or state.user, source.host or state.host


def _chghost(state: NetworkState, message: Message) -> Effect:
    if state.is_me(message.nick):
        state.user, state.host = message.param(0), message.param(1)
    return SHOWN


def _hosthidden(state: NetworkState, message: Message) -> Effect:
    shown = message.param(1)
    user, at, host = shown.rpartition("@")
    state.host = host
    if at:
        state.user = user
    return SHOWN


def _welcome(state: NetworkState, message: Message) -> Effect:
    if message.command == numerics.RPL_WELCOME:
        nick = message.param(0)
        state.nick = nick if nick and " " not in nick else state.nick
        state.registered = True
        source = parse_source(message.params[-1].rpartition(" ")[2]) if message.params else None
        if source and state.is_me(source.nick):
            state.user, state.host = source.user, source.host
        state.server = message.source.lstrip(":")
    state.welcome[message.command] = message.raw
    return None


def _isupport(state: NetworkState, message: Message) -> Effect:
    state.isupport.update(message.params[1:-1])
    state.refold()
    return None


def _motd(state: NetworkState, message: Message) -> Effect:
    if message.command == numerics.RPL_MOTDSTART:
        state.motd = ()
    elif len(state.motd) < MOTD_LIMIT:
        state.motd += (shared(message.params[-1] if message.params else ""),)
    return _greeting(state, message)


def _motd_end(state: NetworkState, message: Message) -> Effect:
    effect = _greeting(state, message)
    state.motd = shared_lines(state.motd)
    state.greeted = True
    return effect


def _greeting(state: NetworkState, message: Message) -> Effect:
    # part of the welcome, which each client gets when it attaches; shown only if somebody asked for it later
    return SHOWN if state.greeted else None


def _umode_is(state: NetworkState, message: Message) -> Effect:
    modes = frozenset(change.mode for change in parse_user_modes(message.param(1)) if change.add)
    state.umodes = shared_names(modes)
    return SHOWN


def _names(state: NetworkState, message: Message) -> Effect:
    channel = state.channels.get(message.param(2))
    if channel and not channel.synced:
        symbols, read = state.isupport.prefix_symbols, channel.members.read
        for word in message.param(3).split():
            nick = word.lstrip(symbols)
            # userhost-in-names adds !user@host
            read(nick.partition("!")[0], word[: len(word) - len(nick)])
    return SHOWN


def _names_end(state: NetworkState, message: Message) -> Effect:
    if channel := state.channels.get(message.param(1)):
        channel.synced = True
        channel.members.settle()
    return SHOWN


def _topic_is(state: NetworkState, message: Message) -> Effect:
    if channel := state.channels.get(message.param(1)):
        channel.topic = shared(message.param(2))
    return SHOWN


def _topic_by(state: NetworkState, message: Message) -> Effect:
    if channel := state.channels.get(message.param(1)):
        channel.topic_by, channel.topic_at = shared(message.param(2)), shared(message.param(3))
    return SHOWN


def _modes_are(state: NetworkState, message: Message) -> Effect:
    if channel := state.channels.get(message.param(1)):
        channel.modes = NO_MODES
        _change_modes(state, channel, message.params[2:])
    return SHOWN


def _created(state: NetworkState, message: Message) -> Effect:
    if channel := state.channels.get(message.param(1)):
        channel.created = shared(message.param(2))
    return SHOWN


def _cap(state: NetworkState, message: Message) -> Effect:
    verb, words = message.param(1).upper(), message.params[-1].split() if len(message.params) > 2 else []
    if verb == "ACK":
        for word in words:
            if word[:1] == "-":
                state.caps -= {word[1:]}
            elif len(state.caps) < CAPS_LIMIT:
                state.caps |= {word}
    elif verb == "DEL":
        state.caps -= set(words)
    state.caps = shared_names(state.caps)
    return None


def _here_again(state: NetworkState, message: Message) -> Effect:
    state.away = False
    return SHOWN


def _marked_away(state: NetworkState, message: Message) -> Effect:
    state.away = True
    return SHOWN


def _logged_in(state: NetworkState, message: Message) -> Effect:
    state.account = message.param(2)
    return None


def _logged_out(state: NetworkState, message: Message) -> Effect:
    state.account = ""
    return None


def _while_registering(state: NetworkState, message: Message) -> Effect:
    # what is wrong with our nick or password while we register is the client library's to deal with
    return SHOWN if state.registered else None


def _standard_reply(state: NetworkState, message: Message) -> Effect:
    # what clients ask with these they ask us: a network's reply would be taken for ours
    return None if message.param(0).upper() in OURS_TO_ANSWER else SHOWN


def _consumed(state: NetworkState, message: Message) -> Effect:
    return None


TRACKED: Mapping[str, Row] = MappingProxyType(
    {
        "PRIVMSG": _privmsg,
        "NOTICE": _notice,
        "TAGMSG": _tagmsg,
        "JOIN": _join,
        "PART": _part,
        "KICK": _kick,
        "QUIT": _quit,
        "NICK": _nick,
        "MODE": _mode,
        "TOPIC": _topic,
        "INVITE": _invite,
        "REDACT": _redact,
        "RENAME": _rename,
        "CHGHOST": _chghost,
        "CAP": _cap,
        # the session with the network is ours: its clients have one of their own with us
        "": _consumed,
        "PING": _consumed,
        "PONG": _consumed,
        "ERROR": _consumed,  # the link says it in words of its own, with the next try
        "AUTHENTICATE": _consumed,
        "BATCH": _consumed,
        # who has asked for them is known to the link only
        numerics.RPL_MONONLINE: _consumed,
        numerics.RPL_MONOFFLINE: _consumed,
        "ACK": _consumed,
        # ours alone to say: which networks there are, and what was said in them
        "BOUNCER": _consumed,
        "CHATHISTORY": _consumed,
        **dict.fromkeys(("FAIL", "WARN", "NOTE"), _standard_reply),
        numerics.RPL_WELCOME: _welcome,
        numerics.RPL_YOURHOST: _welcome,
        numerics.RPL_CREATED: _welcome,
        numerics.RPL_MYINFO: _welcome,
        numerics.RPL_ISUPPORT: _isupport,
        numerics.RPL_MOTDSTART: _motd,
        numerics.RPL_MOTD: _motd,
        numerics.RPL_ENDOFMOTD: _motd_end,
        numerics.ERR_NOMOTD: _motd_end,
        numerics.RPL_LUSERCLIENT: _greeting,
        numerics.RPL_LUSEROP: _greeting,
        numerics.RPL_LUSERUNKNOWN: _greeting,
        numerics.RPL_LUSERCHANNELS: _greeting,
        numerics.RPL_LUSERME: _greeting,
        numerics.RPL_LOCALUSERS: _greeting,
        numerics.RPL_GLOBALUSERS: _greeting,
        numerics.RPL_UMODEIS: _umode_is,
        numerics.RPL_VISIBLEHOST: _hosthidden,
        numerics.RPL_NAMREPLY: _names,
        numerics.RPL_ENDOFNAMES: _names_end,
        numerics.RPL_TOPIC: _topic_is,
        numerics.RPL_TOPICWHOTIME: _topic_by,
        numerics.RPL_CHANNELMODEIS: _modes_are,
        numerics.RPL_CREATIONTIME: _created,
        **dict.fromkeys(("421", "432", "433", "436", "437", "451", "461", "462", "464", "465"), _while_registering),
        numerics.RPL_UNAWAY: _here_again,
        numerics.RPL_NOWAWAY: _marked_away,
        numerics.RPL_LOGGEDIN: _logged_in,
        numerics.RPL_LOGGEDOUT: _logged_out,
        numerics.RPL_SASLSUCCESS: _consumed,
        numerics.ERR_NICKLOCKED: _consumed,
        numerics.ERR_SASLFAIL: _consumed,
        numerics.ERR_SASLTOOLONG: _consumed,
        numerics.ERR_SASLABORTED: _consumed,
        numerics.ERR_SASLALREADY: _consumed,
        numerics.RPL_SASLMECHS: _consumed,
    }
)
