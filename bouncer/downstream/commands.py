"""The table of what a registered client may say that is not simply passed on to its network.

Owns the verbs of registration (they end here, none leaks), the bouncer's own, and the questions whose answers are in
the picture already. Must not know how the network is reached.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import MappingProxyType

from bouncer.downstream import networks, playback, welcome
from bouncer.downstream.chathistory import chathistory
from bouncer.downstream.dispatch import Command
from bouncer.downstream.markread import markread
from bouncer.downstream.place import Attached
from bouncer.downstream.redact import redact
from bouncer.downstream.search import search
from bouncer.irc import numerics
from bouncer.irc.message import Message
from bouncer.model.questions import ServiceLine

# The service's names, by their folded form: its own, and those that soju's and ZNC's users type.
SERVICE_NICKS = MappingProxyType({name.lower(): name for name in (welcome.SERVICE, "BouncerServ", "*status")})
OUR_NICKS = SERVICE_NICKS.keys() | {playback.NICK}  # what is said to these is not for the network
SERVICE_REALNAME = "say help to see what can be done here"
ALREADY = "You may not reregister"


def _tell(session: Attached, messages: Iterable[Message]) -> None:
    session.reply_lines(b"".join(session.rendered(message) for message in messages))


def _ping(session: Attached, message: Message) -> None:
    session.reply(Message.lenient("PONG", session.place.server, message.param(0), source=session.place.server))


def _pong(session: Attached, message: Message) -> None:
    session.prove(message.params[-1])


def _quit(session: Attached, message: Message) -> None:
    session.close("Quit: " + message.param(0, session.nick))


def _cap(session: Attached, message: Message) -> None:
    watched = networks.is_watching(session)
    for reply in session.offer.receive(message):
        session.say(reply[0], *reply[1:])
    session.recapped()
    if networks.is_watching(session) and not watched:
        networks.list_networks(session)


def _registered(session: Attached, message: Message) -> None:
    session.say(numerics.ERR_ALREADYREGISTERED, ALREADY)


def _authenticate(session: Attached, message: Message) -> None:
    session.say(numerics.ERR_SASLALREADY, "You have already authenticated using SASL")


def _text(session: Attached, message: Message) -> None:
    first = message.params[0]  # there is one, by the row
    if "," not in first and first.lower() not in OUR_NICKS:
        session.place.send(session, message)
        return
    targets = first.split(",")
    ours = [target.lower() for target in targets if target.lower() in OUR_NICKS]
    if ours:
        # what a comma has brought to the front could not stand inside a line
        rest = [target.lstrip(":") for target in targets if target.lower() not in OUR_NICKS]
        rest = [target for target in rest if target]
        if message.command == "PRIVMSG":
            _said_to_us(session, ours[0], message.param(1))
        if not rest:
            return
        message = message.replace(params=[",".join(rest), *message.params[1:]])
    session.place.send(session, message)


def _said_to_us(session: Attached, nick: str, text: str) -> None:
    if text[:1] == "\x01":
        return  # a CTCP has no words for us
    if nick == playback.NICK:
        playback.asked(session, text)
    else:
        _ask_service(session, text, SERVICE_NICKS[nick])


def _znc(session: Attached, message: Message) -> None:
    """What clients of ZNC say in place of a PRIVMSG: ``ZNC *playback PLAY ...``, ``ZNC *status help``, ``ZNC help``."""
    nick, _, text = " ".join(message.params).partition(" ")
    if nick[:1] != "*":
        nick, text = "*status", " ".join(message.params)
    if nick.lower() in OUR_NICKS:
        _said_to_us(session, nick.lower(), text)
    else:
        session.reply(welcome.note(session.nick, f"There is no {nick} here; say help to {welcome.SERVICE}."))


def _playback(session: Attached, message: Message) -> None:
    playback.asked(session, " ".join(message.params))


def _ask_service(session: Attached, text: str, name: str) -> None:
    def render(lines: Sequence[str] | None) -> None:
        for line in lines or ("That can't be answered at the moment; try again later.",):
            session.reply(welcome.note(session.nick, line or " ", name))

    session.ask(ServiceLine(text), render)


def _whois(session: Attached, message: Message) -> None:
    name = SERVICE_NICKS.get(message.params[-1].lower()) if message.params else None
    if name is None:
        session.place.send(session, message)
        return
    session.say(numerics.RPL_WHOISUSER, name, "bouncer", "bouncer", "*", SERVICE_REALNAME)
    session.say(numerics.RPL_WHOISSERVER, name, session.place.server, "the bouncer itself")
    session.say(numerics.RPL_ENDOFWHOIS, name, "End of /WHOIS list.")


def _who(session: Attached, message: Message) -> None:
    name = SERVICE_NICKS.get(message.param(0).lower())
    if name is None or len(message.params) > 1:  # to a WHOX the network says that there is nobody
        session.place.send(session, message)
        return
    server = session.place.server
    session.say(numerics.RPL_WHOREPLY, "*", "bouncer", "bouncer", server, name, "H", f"0 {SERVICE_REALNAME}")
    session.say(numerics.RPL_ENDOFWHO, name, "End of /WHO list.")


def _join(session: Attached, message: Message) -> None:
    """Of channels that we are in already the client gets what a server says after a JOIN; the network gets the rest."""
    place = session.place
    names, keys = message.param(0).split(","), message.param(1).split(",")
    channels = place.channels
    wanted: list[tuple[str, str]] = []
    shown: set[str] = set()  # each once, however often it is named: a list of names may be long
    for position, name in enumerate(each.lstrip(":") for each in names):
        channel = channels.get(name)
        if not channel or place.is_detached(name):
            if name:
                wanted.append((name, keys[position] if position < len(keys) else ""))
        elif channel.name not in shown:
            shown.add(channel.name)
            _tell(session, welcome.joined(place, channel))
    if wanted:
        wanted.sort(key=lambda pair: not pair[1])  # RFC 1459 section 4.2.1 matches keys by place
        params = [",".join(name for name, _ in wanted)]
        if wanted[0][1]:
            params.append(",".join(key for _, key in wanted if key))
        place.send(session, message.replace(params=params))


def _channel_mode(session: Attached, message: Message) -> None:
    channel = session.place.channels.get(message.param(0))
    if len(message.params) == 1 and channel and channel.created:
        _tell(session, welcome.modes(session.place, channel))
    else:
        session.place.send(session, message)


def _topic(session: Attached, message: Message) -> None:
    channel = session.place.channels.get(message.param(0))
    if len(message.params) != 1 or not channel or not channel.synced:
        session.place.send(session, message)
    elif channel.topic:
        _tell(session, welcome.topic(session.place, channel))
    else:
        session.say(numerics.RPL_NOTOPIC, channel.name, "No topic is set.")


def _names(session: Attached, message: Message) -> None:
    channel = session.place.channels.get(message.param(0))
    if len(message.params) == 1 and channel and channel.synced:
        _tell(session, welcome.names(session.place, channel))
    else:
        session.place.send(session, message)


def _motd(session: Attached, message: Message) -> None:
    if message.params:
        session.place.send(session, message)
    else:
        _tell(session, welcome.motd(session.place))


COMMANDS = MappingProxyType(
    {
        "": Command(lambda session, message: None),  # only tags, or only a source: says nothing
        "CAP": Command(_cap, 1),
        "PING": Command(_ping, 1),
        "PONG": Command(_pong, 1),
        "QUIT": Command(_quit),
        "PASS": Command(_registered),
        "USER": Command(_registered),
        "SERVICE": Command(_registered),
        "SERVER": Command(_registered),
        "WEBIRC": Command(_registered),
        "AUTHENTICATE": Command(_authenticate),
        "ERROR": Command(lambda session, message: None),  # a server's word
        "PRIVMSG": Command(_text, 1),
        "NOTICE": Command(_text, 1),
        "TAGMSG": Command(_text, 1),
        "JOIN": Command(_join, 1),
        "MODE": Command(_channel_mode, 1),
        "TOPIC": Command(_topic, 1),
        "NAMES": Command(_names),
        "WHO": Command(_who),
        "WHOIS": Command(_whois),
        "MOTD": Command(_motd),
        "BOUNCER": Command(networks.bouncer, 1),
        "CHATHISTORY": Command(chathistory, 1),
        "MARKREAD": Command(markread),
        "PLAYBACK": Command(_playback),
        "REDACT": Command(redact, 2),
        "SEARCH": Command(search, 1),
        "ZNC": Command(_znc, 1),
    }
)
