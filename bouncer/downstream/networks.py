"""One connection that knows all networks: the ``BOUNCER`` command, and what is told of networks that change.

Owns the wire's side of ``soju.im/bouncer-networks`` and ``soju.im/bouncer-networks-notify``: verbs, attributes, errors.
Must not know how a network is made or changed: it asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from bouncer.downstream.place import Attached
from bouncer.irc import numerics
from bouncer.irc.message import Message, escape_tag_value, parse_tags
from bouncer.model.questions import AddNetwork, ChangeNetwork, DeleteNetwork, ListNetworks, NotDone
from bouncer.model.records import Network, User, nick_of, realname_of

NETWORKS = "soju.im/bouncer-networks"
NOTIFY = "soju.im/bouncer-networks-notify"
SETTABLE = frozenset({"name", "host", "port", "tls", "nickname", "username", "realname", "pass"})
READ_ONLY = frozenset({"state", "error"})
# Bytes of attributes in one line of 512, less CRLF, our name, the verb, and an id; what does not fit is left out, the
# last first, so that only absurd settings lose more than the end of an error.
ATTRIBUTES_BUDGET = 400
SHOWN_ATTRIBUTE = 64  # characters of an unknown attribute's name that are told back
NETID_DIGITS = 18  # as many as fit the key of a database
BATCH = "networks"
LATER = "That can't be done at the moment; try again later"

Attributes = Mapping[str, str]


def attributes(user: User, network: Network, state: str, error: str) -> dict[str, str]:
    """What is told of a network. ``state`` is that of a link (`core.status`); nothing in it is secret."""
    told = {"name": network.name, "state": state if state in ("connected", "connecting") else "disconnected"}
    if network.servers:
        first = network.servers[0]
        told |= {"host": first.host, "port": str(first.port), "tls": "1" if first.tls else "0"}
    told |= {
        "nickname": nick_of(user, network),
        "username": network.ident or user.name,
        "realname": realname_of(user, network),
    }
    return told | {"error": error} if error else told


def difference(before: Attributes, now: Attributes) -> dict[str, str]:
    """What has to be told to those who know ``before``: an attribute that is gone has no value."""
    gone = dict.fromkeys((name for name in before if name not in now), "")
    return {name: value for name, value in now.items() if before.get(name) != value} | gone


def network_line(server: str, netid: int, told: Attributes | None, batch: str = "") -> Message:
    """``BOUNCER NETWORK`` with these attributes, or with ``*`` for a network that is gone."""
    text = "*" if told is None else _fitted(told)
    message = Message.lenient("BOUNCER", "NETWORK", str(netid), text, source=server)
    return message.replace(tags={"batch": batch}) if batch else message


def _fitted(told: Attributes) -> str:
    pieces: list[str] = []
    room = ATTRIBUTES_BUDGET
    for name, value in told.items():
        piece = f"{name}={escape_tag_value(value)}" if value else name
        while name == "error" and value and len(piece.encode("utf-8", "surrogateescape")) > room:
            value = value[:-1]
            piece = f"{name}={escape_tag_value(value)}"
        room -= len(piece.encode("utf-8", "surrogateescape")) + 1
        if room < -1:
            break
        pieces.append(piece)
    return ";".join(pieces)


def is_watching(session: Attached) -> bool:
    """Whether the client wants to be told of networks that change."""
    return NOTIFY in session.offer.enabled


def listing(session: Attached, roster: Mapping[int, Attributes]) -> Iterator[Message]:
    """All networks, in a batch where the client takes batches."""
    server = session.place.server
    batch = BATCH if "batch" in session.offer.enabled else ""
    if batch:
        yield Message.build("BATCH", "+" + batch, NETWORKS, source=server)
    for netid, told in roster.items():
        yield network_line(server, netid, told, batch)
    if batch:
        yield Message.build("BATCH", "-" + batch, source=server)


def bouncer(session: Attached, message: Message) -> None:
    """``BOUNCER <subcommand> ...``"""
    verb = message.param(0).upper()
    row = _VERBS.get(verb)
    if row is None:
        _fail(session, "UNKNOWN_COMMAND", [message.param(0)[:SHOWN_ATTRIBUTE]], "Unknown subcommand")
        return
    handler, least = row
    if len(message.params) <= least:
        session.say(numerics.ERR_NEEDMOREPARAMS, "BOUNCER", f"{verb} needs more parameters")
    else:
        handler(session, message)


def list_networks(session: Attached) -> None:
    """Tell the client all of its user's networks."""

    def render(roster: Mapping[int, Attributes] | None) -> None:
        if roster is None:
            _fail(session, "UNKNOWN_ERROR", ["LISTNETWORKS"], LATER)
        else:
            session.reply(*listing(session, roster))

    session.ask(ListNetworks(), render)


def _list(session: Attached, message: Message) -> None:
    list_networks(session)


def _bind(session: Attached, message: Message) -> None:
    _fail(session, "REGISTRATION_IS_COMPLETED", ["BIND"], "Cannot bind to a network after registration")


def _add(session: Attached, message: Message) -> None:
    verb = "ADDNETWORK"
    told = parse_tags(message.param(1))
    if _acceptable(session, verb, "*", told):
        if told.get("host"):
            session.ask(AddNetwork(told), _answer(session, verb, "*"))
        else:
            _fail(session, "NEED_ATTRIBUTE", [verb, "host"], "Missing required attribute")


def _change(session: Attached, message: Message) -> None:
    verb, written = "CHANGENETWORK", message.param(1)
    netid = _netid(session, verb, written)
    told = parse_tags(message.param(2))
    if netid is None or not _acceptable(session, verb, written, told):
        return
    if told:
        session.ask(ChangeNetwork(netid, told), _answer(session, verb, written))
    else:
        session.say(numerics.ERR_NEEDMOREPARAMS, "BOUNCER", f"{verb} needs an attribute to change")


def _delete(session: Attached, message: Message) -> None:
    verb, written = "DELNETWORK", message.param(1)
    netid = _netid(session, verb, written)
    if netid is not None:
        session.ask(DeleteNetwork(netid), _answer(session, verb, written))


def _netid(session: Attached, verb: str, written: str) -> int | None:
    """The id as a number; what can be none is answered like one that is not there."""
    if written.isascii() and written.isdigit() and len(written) <= NETID_DIGITS and str(int(written)) == written:
        return int(written)
    _fail(session, "INVALID_NETID", [verb, written[:SHOWN_ATTRIBUTE]], "Network not found")
    return None


def _acceptable(session: Attached, verb: str, netid: str, told: Attributes) -> bool:
    """Whether these attributes may be set; if not, the client has been told."""
    for name in told:
        if name in READ_ONLY:
            _fail(session, "READ_ONLY_ATTRIBUTE", [verb, netid, name], "Read-only attribute")
            return False
        if name not in SETTABLE:
            _fail(session, "UNKNOWN_ATTRIBUTE", [verb, netid, name[:SHOWN_ATTRIBUTE]], "Unknown attribute")
            return False
    return True


def _answer(session: Attached, verb: str, netid: str) -> Callable[[Any], None]:
    """How the outcome of a verb is told."""

    def render(answer: int | NotDone | None) -> None:
        if answer is None:
            _fail(session, "UNKNOWN_ERROR", [verb], LATER)
        elif isinstance(answer, NotDone):
            context = [verb]
            if answer.attribute or answer.code == "INVALID_NETID":
                context.append(netid)
            if answer.attribute:
                context.append(answer.attribute)
            _fail(session, answer.code, context, answer.text)
        else:
            session.reply(Message.build("BOUNCER", verb, str(answer), source=session.place.server))

    return render


def _fail(session: Attached, code: str, context: list[str], text: str) -> None:
    """IRCv3 standard replies."""
    session.reply(Message.lenient("FAIL", "BOUNCER", code, *context, text, source=session.place.server))


# By subcommand: how it is answered, and how many parameters it needs.
_VERBS: Mapping[str, tuple[Callable[[Attached, Message], None], int]] = MappingProxyType(
    {
        "BIND": (_bind, 0),
        "LISTNETWORKS": (_list, 0),
        "ADDNETWORK": (_add, 1),
        "CHANGENETWORK": (_change, 2),
        "DELNETWORK": (_delete, 1),
    }
)
