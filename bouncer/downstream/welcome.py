"""What a client is told when it comes in: the network's greeting, and each channel as it is now.

Owns the words of these numerics, and the burst that follows a JOIN. Must not know who listens.
"""

from __future__ import annotations

from collections.abc import Iterator

from bouncer.downstream import chathistory
from bouncer.downstream.deliver import stamp
from bouncer.downstream.place import Place
from bouncer.irc import numerics
from bouncer.irc.fit import pack
from bouncer.irc.isupport import ISupport
from bouncer.irc.message import Message
from bouncer.irc.source import format_source
from bouncer.model.state import ChannelState

NAMES_BUDGET = 380  # bytes of nicks in one 353: 512 less CRLF, a server's name, our nick and the channel
SERVICE = "*bouncer"
GREETING = (numerics.RPL_WELCOME, numerics.RPL_YOURHOST, numerics.RPL_CREATED, numerics.RPL_MYINFO)
ISUPPORT_END = "are supported by this server"
# What holds between the network and us only: its own history, and ways to negotiate that we have gone already.
NOT_THROUGH_US = frozenset({"CHATHISTORY", "DRAFT/CHATHISTORY", "MSGREFTYPES", "NAMESX", "STARTTLS", "UHNAMES"})
DOWN_TOKENS = {"CASEMAPPING": "rfc1459", "CHANTYPES": "#&", "PREFIX": "(ov)@+"}


def note(nick: str, text: str, speaker: str = SERVICE) -> Message:
    """A NOTICE of the service's to whom it may concern, under the name that it was spoken to by."""
    return Message.lenient("NOTICE", nick or "*", text, source=f"{speaker}!bouncer@bouncer")


def welcome(place: Place, version: str, guess: str = "") -> Iterator[Message]:
    """All that is said between the login and the first text, to a client that calls itself ``guess``."""
    state = place.state
    nick, server = state.nick, place.server
    own_words = {
        numerics.RPL_WELCOME: (f"Welcome to {place.title}, {nick}",),
        numerics.RPL_YOURHOST: (f"Your host is {server}, running bouncer {version}",),
        numerics.RPL_CREATED: ("This server keeps you on IRC",),
        numerics.RPL_MYINFO: (server, f"bouncer-{version}", "iosw", "biklmnopstv"),
    }
    for numeric in GREETING:
        theirs = state.welcome.get(numeric)
        params = Message.parse(theirs).params[1:] if theirs else own_words[numeric]
        yield Message.lenient(numeric, nick, *params, source=server)
    yield from supports(place)
    yield from motd(place)
    if state.umodes:
        yield Message.lenient(numerics.RPL_UMODEIS, nick, "+" + "".join(sorted(state.umodes)), source=server)
    if guess and guess != nick:  # not every client takes its nick from 001
        yield Message.lenient("NICK", nick, source=format_source(guess, state.user, state.host))
    for name, channel in place.channels.items():
        if not place.is_detached(name):
            yield from joined(place, channel)


def supports(place: Place) -> Iterator[Message]:
    """005: what the network says of itself, or what is safe to assume until it does."""
    theirs = place.state.isupport.tokens
    tokens: dict[str, str | None] = {name: value for name, value in theirs.items() if name not in NOT_THROUGH_US}
    tokens = tokens or {**DOWN_TOKENS, "NETWORK": place.title}
    tokens.pop("BOUNCER_NETID", None)  # a network that is a bouncer has ids of its own
    if place.log.network:
        tokens["BOUNCER_NETID"] = str(place.log.network)
        tokens["CHATHISTORY"] = str(chathistory.LIMIT)
        tokens["MSGREFTYPES"] = "msgid,timestamp"
    for words in ISupport.render(tokens):
        yield Message.lenient(numerics.RPL_ISUPPORT, place.state.nick, *words, ISUPPORT_END, source=place.server)


def motd(place: Place) -> Iterator[Message]:
    """The message of the day, or that there is none: many clients wait for either."""
    nick, server = place.state.nick, place.server
    if not place.state.motd:
        yield Message.lenient(numerics.ERR_NOMOTD, nick, "There is no message of the day", source=server)
        return
    yield Message.lenient(numerics.RPL_MOTDSTART, nick, f"- {server} Message of the day -", source=server)
    for line in place.state.motd:
        yield Message.lenient(numerics.RPL_MOTD, nick, line, source=server)
    yield Message.lenient(numerics.RPL_ENDOFMOTD, nick, "End of /MOTD command.", source=server)


def joined(place: Place, channel: ChannelState) -> Iterator[Message]:
    """A JOIN of ours and what a server says after it."""
    state = place.state
    yield Message.lenient("JOIN", channel.name, "*", state.nick, source=state.source)  # extended-join's form
    yield from topic(place, channel)
    if place.markers.loaded:
        yield marker(place, channel.name)
    yield from names(place, channel)


def marker(place: Place, target: str) -> Message:
    """MARKREAD: up to when the user has read a conversation, ``*`` if that is not known (draft/read-marker)."""
    time = place.markers.time(target)
    words = "*" if time is None else f"timestamp={stamp(time)}"
    return Message.lenient("MARKREAD", target, words, source=place.server)


def topic(place: Place, channel: ChannelState) -> Iterator[Message]:
    """332 and 333; nothing if no topic is set."""
    nick, server = place.state.nick, place.server
    if channel.topic:
        yield Message.lenient(numerics.RPL_TOPIC, nick, channel.name, channel.topic, source=server)
        if channel.topic_by and channel.topic_at:
            yield Message.lenient(
                numerics.RPL_TOPICWHOTIME, nick, channel.name, channel.topic_by, channel.topic_at, source=server
            )


def names(place: Place, channel: ChannelState) -> Iterator[Message]:
    """353 as often as it takes, and 366."""
    nick, server = place.state.nick, place.server
    symbol = "@" if "s" in channel.modes else "*" if "p" in channel.modes else "="
    for line in pack(channel.members.words() or [nick], NAMES_BUDGET, " "):
        yield Message.lenient(numerics.RPL_NAMREPLY, nick, symbol, channel.name, line, source=server)
    yield Message.lenient(numerics.RPL_ENDOFNAMES, nick, channel.name, "End of /NAMES list.", source=server)


def modes(place: Place, channel: ChannelState) -> Iterator[Message]:
    """324 and 329."""
    nick, server = place.state.nick, place.server
    letters = "".join(channel.modes)
    arguments = [value for value in channel.modes.values() if value]
    yield Message.lenient(numerics.RPL_CHANNELMODEIS, nick, channel.name, "+" + letters, *arguments, source=server)
    yield Message.lenient(numerics.RPL_CREATIONTIME, nick, channel.name, channel.created, source=server)
