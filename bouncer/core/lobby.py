"""Where clients are that named no network: those that show all networks from here, and those that have to choose one.

Owns the answers such a client gets: it can talk to ``*bouncer`` and to itself, what it asks of a server is answered,
and it is told why there are no channels. Must not know any network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

from bouncer.downstream.commands import SERVICE_NICKS
from bouncer.downstream.markers import Markers
from bouncer.downstream.networks import NETWORKS
from bouncer.downstream.place import Attached
from bouncer.downstream.welcome import SERVICE, note, supports, welcome
from bouncer.irc import numerics
from bouncer.irc.casemap import CaseMap
from bouncer.irc.message import Message
from bouncer.model.log import Log
from bouncer.model.ports import Timers
from bouncer.model.records import User
from bouncer.model.state import ChannelState, NetworkState

NOT_BOUND = "no network is chosen; log in as user/network, or see /msg *bouncer help network"
NICK_LIMIT = 64  # characters; as of a nick in the settings
RPL_ENDOFSTATS = "219"
ERR_NOADMININFO = "423"
NOT_IN_NICKS = frozenset(" ,!@*?:#&$+~%")


class Lobby:
    """The Place of one user's clients that are attached to no network."""

    def __init__(self, user: User, hostname: str, version: str, timers: Timers) -> None:
        self.user = user
        self.log = Log()
        self.state = NetworkState(user.nick or user.name)
        self.channels: CaseMap[ChannelState] = CaseMap()
        self.sessions: list[Attached] = []
        self.markers = Markers(lambda target, time: None)  # there is nothing to read
        self.server = hostname
        self.title = "bouncer"
        self.down = NOT_BOUND
        self.version = version
        self.timers = timers
        self.state.user, self.state.host = user.name, hostname
        # there are no channels, and clients that know it do not offer any
        self.state.isupport.update([f"NETWORK={self.title}", "CASEMAPPING=ascii", "CHANTYPES=", "PREFIX="])

    def attach(self, session: Attached, networks: list[str]) -> None:
        """Let a client in, and tell it what it can choose from, unless it is one that shows networks by itself."""
        self.sessions.append(session)
        session.start(
            b"".join(session.rendered(message) for message in welcome(self, self.version, session.arrival.nick)), 0
        )
        if NETWORKS not in session.offer.enabled:
            session.reply(note(self.state.nick, self._choice(networks)))

    def _choice(self, networks: Sequence[str]) -> str:
        if not networks:
            return "You have no network yet. /msg *bouncer help network create tells how to make one."
        login = f"{self.user.name}/{networks[0]}"
        return (
            f"You are not attached to a network. Log in as {login}, in place of {self.user.name}, to be on "
            f"{networks[0]}; your networks: {', '.join(networks)}"
        )

    def detach(self, session: Attached) -> None:
        """A session has ended."""
        if session in self.sessions:
            self.sessions.remove(session)
        self.log.trim()

    def publish(self, messages: Iterable[Message]) -> None:
        """Show lines of our own to all clients here; they are not kept."""
        stamp = self._stamp()
        for message in messages:
            self.log.append(message, stamp)
        self.log.wake()

    def _stamp(self) -> int:
        self.log.last_time = max(int(self.timers.now() * 1000), self.log.last_time)
        return self.log.last_time

    def reconfigure(self, user: User) -> None:
        """The user's settings are these now."""
        before, self.user, self.state.user = self.user, user, user.name
        nick = user.nick or user.name
        if nick != (before.nick or before.name):
            self.rename(nick)

    def rename(self, nick: str) -> None:
        """Everybody here is called so from now on. It is the name in the lobby only."""
        if nick != self.state.nick:
            change = Message.lenient("NICK", nick, source=self.state.source)
            self.state.nick = nick
            self.publish([change])

    def send(self, session: Attached, message: Message) -> None:
        """There is no network to pass it on to: answer it here."""
        _ANSWERS.get(message.command, _unknown)(self, session, message)

    def say_to_self(self, session: Attached, message: Message) -> None:
        """What the user says to themselves, all devices here get."""
        said = Message.lenient(message.command, self.state.nick, *message.params[1:], source=self.state.source)
        self.log.append(said, self._stamp(), device=session.device)
        self.log.wake()

    def confirm(self, session: Attached) -> None:
        """Nothing is kept here."""

    def caught_up(self, session: Attached, channel: str) -> None:
        """There are no channels."""

    def is_detached(self, channel: str) -> bool:
        """There are no channels."""
        return False

    def known(self, nick: str) -> tuple[str, str, str] | None:
        """Nick, user and real name of those who are here: the user, and the service. None for anybody else."""
        if self.state.is_me(nick):
            return self.state.nick, self.state.user, self.user.realname or self.user.name
        if nick.lower() in SERVICE_NICKS:
            return SERVICE, "bouncer", "the bouncer itself: say help to it"
        return None


def _unknown(lobby: Lobby, session: Attached, message: Message) -> None:
    session.say(numerics.ERR_UNKNOWNCOMMAND, message.command, f"Not known here: {NOT_BOUND}")


def _nothing(lobby: Lobby, session: Attached, message: Message) -> None:
    """It needs no answer."""


def _text(lobby: Lobby, session: Attached, message: Message) -> None:
    for target in filter(None, message.param(0).split(",")):
        if lobby.state.is_me(target):
            lobby.say_to_self(session, message)
        else:
            session.say(numerics.ERR_NOSUCHNICK, target, f"Not sent: {NOT_BOUND}")


def _no_channel(lobby: Lobby, session: Attached, message: Message) -> None:
    """Of every channel named that there is none: clients that wait for an answer by its name go on."""
    for name in filter(None, message.param(_CHANNEL_AT.get(message.command, 0)).split(",")):
        if name != "0":  # JOIN 0 leaves all channels
            session.say(numerics.ERR_NOSUCHCHANNEL, name, f"No channel here: {NOT_BOUND}")


def _nick(lobby: Lobby, session: Attached, message: Message) -> None:
    nick = message.param(0)
    if not nick:
        session.say(numerics.ERR_NONICKNAMEGIVEN, "No nickname given")
    elif len(nick) > NICK_LIMIT or not nick.isprintable() or not NOT_IN_NICKS.isdisjoint(nick):
        session.say(numerics.ERR_ERRONEUSNICKNAME, nick, "Erroneous nickname")
    elif nick != lobby.state.nick:
        lobby.rename(nick)
        text = f"That is your name here only. /msg {SERVICE} user update nick={nick} sets the one on your networks."
        session.reply(note(lobby.state.nick, text))


def _mode(lobby: Lobby, session: Attached, message: Message) -> None:
    target = message.param(0)
    if lobby.state.is_me(target):
        session.say(numerics.RPL_UMODEIS, "+")
    elif target[:1] in tuple("#&+!"):
        _no_channel(lobby, session, message)
    else:
        session.say(numerics.ERR_USERSDONTMATCH, "Can't change mode for other users")


def _who(lobby: Lobby, session: Attached, message: Message) -> None:
    mask = message.param(0, "*")
    known = lobby.known(mask)
    if known:
        nick, user, realname = known
        session.say(numerics.RPL_WHOREPLY, "*", user, lobby.server, lobby.server, nick, "H", f"0 {realname}")
    session.say(numerics.RPL_ENDOFWHO, mask, "End of /WHO list.")


def _whois(lobby: Lobby, session: Attached, message: Message) -> None:
    asked = message.params[-1] if message.params else ""
    if not asked:
        session.say(numerics.ERR_NONICKNAMEGIVEN, "No nickname given")
        return
    known = lobby.known(asked)
    if known:
        nick, user, realname = known
        session.say(numerics.RPL_WHOISUSER, nick, user, lobby.server, "*", realname)
        session.say(numerics.RPL_WHOISSERVER, nick, lobby.server, "the bouncer")
    else:
        session.say(numerics.ERR_NOSUCHNICK, asked, f"Nobody of that name: {NOT_BOUND}")
    session.say(numerics.RPL_ENDOFWHOIS, known[0] if known else asked, "End of /WHOIS list.")


def _whowas(lobby: Lobby, session: Attached, message: Message) -> None:
    asked = message.param(0, "*")
    session.say(numerics.ERR_WASNOSUCHNICK, asked, "There was no such nickname")
    session.say(numerics.RPL_ENDOFWHOWAS, asked, "End of WHOWAS")


def _userhost(lobby: Lobby, session: Attached, message: Message) -> None:
    found = filter(None, map(lobby.known, message.params))
    text = " ".join(f"{nick}=+{user}@{lobby.server}" for nick, user, _ in found)
    session.say(numerics.RPL_USERHOST, text)


def _ison(lobby: Lobby, session: Attached, message: Message) -> None:
    asked = [nick for param in message.params for nick in param.split()]
    session.say(numerics.RPL_ISON, " ".join(known[0] for known in map(lobby.known, asked) if known))


def _monitor(lobby: Lobby, session: Attached, message: Message) -> None:
    """Nobody comes and goes here: who is asked for is told of once, and not watched."""
    sign = message.param(0).upper()
    if sign == "+":
        for nick in filter(None, message.param(1).split(",")):
            numeric = numerics.RPL_MONONLINE if lobby.known(nick) else numerics.RPL_MONOFFLINE
            session.say(numeric, nick)
    elif sign == "L":
        session.say(numerics.RPL_ENDOFMONLIST, "End of MONITOR list")


def _away(lobby: Lobby, session: Attached, message: Message) -> None:
    if message.param(0):
        session.say(numerics.RPL_NOWAWAY, "You have been marked as being away")
    else:
        session.say(numerics.RPL_UNAWAY, "You are no longer marked as being away")


def _setname(lobby: Lobby, session: Attached, message: Message) -> None:
    text = f"/msg {SERVICE} user update realname=... sets it on your networks"
    session.reply(Message.lenient("FAIL", "SETNAME", "CANNOT_CHANGE_REALNAME", text, source=lobby.server))


def _version(lobby: Lobby, session: Attached, message: Message) -> None:
    session.say(numerics.RPL_VERSION, f"bouncer-{lobby.version}", lobby.server, "An IRC bouncer")
    session.reply(*supports(lobby))


def _lusers(lobby: Lobby, session: Attached, message: Message) -> None:
    count = len(lobby.sessions)
    session.say(numerics.RPL_LUSERCLIENT, f"There are {count} users and 0 invisible on 1 servers")
    session.say(numerics.RPL_LUSERME, f"I have {count} clients and 0 servers")


def _time(lobby: Lobby, session: Attached, message: Message) -> None:
    now = datetime.fromtimestamp(int(lobby.timers.now()), UTC)
    session.say(numerics.RPL_TIME, lobby.server, f"{now:%Y-%m-%d %H:%M:%S} UTC")


def _info(lobby: Lobby, session: Attached, message: Message) -> None:
    session.say(numerics.RPL_INFO, f"bouncer {lobby.version}")
    session.say(numerics.RPL_ENDOFINFO, "End of /INFO list.")


def _says(numeric: str, *params: str) -> Callable[[Lobby, Attached, Message], None]:
    """A command that has one answer, whatever is asked."""
    return lambda lobby, session, message: session.say(numeric, *params)


def _ends(numeric: str, text: str) -> Callable[[Lobby, Attached, Message], None]:
    """A list that is empty: only its end, with what was asked for."""
    return lambda lobby, session, message: session.say(numeric, message.param(0, "*"), text)


# Where the channel stands, if not first.
_CHANNEL_AT: Mapping[str, int] = MappingProxyType({"INVITE": 1})
_ANSWERS: Mapping[str, Callable[[Lobby, Attached, Message], None]] = MappingProxyType(
    {
        "PRIVMSG": _text,
        "NOTICE": _text,
        "TAGMSG": _nothing,
        "NICK": _nick,
        "MODE": _mode,
        "WHO": _who,
        "WHOIS": _whois,
        "WHOWAS": _whowas,
        "USERHOST": _userhost,
        "ISON": _ison,
        "MONITOR": _monitor,
        "AWAY": _away,
        "SETNAME": _setname,
        "VERSION": _version,
        "LUSERS": _lusers,
        "TIME": _time,
        "INFO": _info,
        "ADMIN": _says(ERR_NOADMININFO, "*", "No administrative info is given here"),
        "MOTD": _says(numerics.ERR_NOMOTD, "There is no message of the day"),
        "LIST": _says(numerics.RPL_LISTEND, "End of /LIST"),
        "NAMES": _ends(numerics.RPL_ENDOFNAMES, "End of /NAMES list."),
        "LINKS": _ends(numerics.RPL_ENDOFLINKS, "End of /LINKS list."),
        "STATS": _ends(RPL_ENDOFSTATS, "End of /STATS report"),
    }
    | dict.fromkeys(("JOIN", "PART", "TOPIC", "KICK", "INVITE", "KNOCK"), _no_channel)
)
