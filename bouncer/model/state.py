"""What is true on one network during one connection: our nick, the channels we are in, who is there.

Owns the picture; `upstream` draws it, everybody may look. Must not know how it was learned. A new connection starts a
new picture: nothing here is ever reset.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bouncer.irc.casemap import CaseMap, Fold
from bouncer.irc.isupport import ISupport
from bouncer.irc.shared import shared
from bouncer.irc.source import format_source
from bouncer.model.members import Members

MOTD_LIMIT = 500  # lines of a message of the day kept for those who attach later; real ones have under 100
# Channels we are in or want to be in: public networks allow up to 250, private ones what they like. Settings allow no
# more, as one that we join and do not see ourselves in would be joined again and again.
CHANNELS_LIMIT = 5_000
UMODES_LIMIT = 64  # there are not more letters
MODE_LISTS_LIMIT = 64  # parameter modes remembered of a channel; networks define about 30
CAPS_LIMIT = 256  # capabilities in force; we ask for a tenth of that
NONE = frozenset[str]()
NO_MODES: Mapping[str, str] = MappingProxyType({})


class ChannelState:
    """A channel that we are in, where names are compared by ``fold``."""

    __slots__ = ("created", "members", "modes", "name", "synced", "topic", "topic_at", "topic_by")

    def __init__(self, name: str, fold: Fold) -> None:
        self.name = name
        self.members = Members(fold)
        self.modes = NO_MODES  # mode letter -> its parameter, "" for a flag
        self.topic = ""
        self.topic_by = ""
        self.topic_at = ""  # seconds since 1970 as the network wrote them
        self.created = ""  # likewise
        self.synced = False  # the list of names has been read to its end


class NetworkState:
    """The picture of one network on one connection."""

    __slots__ = (
        "account",
        "away",
        "caps",
        "channels",
        "greeted",
        "host",
        "isupport",
        "motd",
        "nick",
        "registered",
        "seen_in",
        "server",
        "umodes",
        "user",
        "welcome",
    )

    def __init__(self, nick: str) -> None:
        self.nick = nick
        self.user = ""
        self.host = ""
        self.registered = False
        self.greeted = False  # the greeting has been read to its end; those who attach get ours of it
        self.account = ""  # of services, that we are logged in to
        self.away = False  # what the network says of us to others
        self.seen_in: tuple[str, ...] = ()  # the conversations that the last QUIT or NICK belongs to, a RENAME too
        self.umodes = NONE
        self.isupport = ISupport()
        self.channels: CaseMap[ChannelState] = CaseMap(self.isupport.fold)
        self.caps = NONE
        self.welcome: dict[str, bytes] = {}  # 001 to 004, as the network worded them
        self.server = ""  # what the network calls its own server
        self.motd: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """Our own ``nick!user@host``, as far as the network has shown it."""
        return format_source(self.nick, self.user, self.host)

    def is_me(self, nick: str) -> bool:
        """True if ``nick`` is ours, by the network's case mapping."""
        fold = self.isupport.fold
        return nick == self.nick or fold(nick) == fold(self.nick)

    def join(self, name: str) -> ChannelState:
        """We are in this channel now; one too many is not remembered."""
        channel = ChannelState(shared(name), self.isupport.fold)
        if name in self.channels or len(self.channels) < CHANNELS_LIMIT:
            self.channels[channel.name] = channel
        return channel

    def rename(self, old: str, new: str) -> None:
        """A channel that we are in has another name."""
        channel = self.channels.pop(old, None)
        if channel is not None:
            channel.name = new
            self.channels[new] = channel

    def refold(self) -> None:
        """Follow a case mapping that the network has just announced."""
        fold = self.isupport.fold
        if fold is not self.channels.fold:
            self.channels.refold(fold)
            for channel in self.channels.values():
                channel.members.refold(fold)
