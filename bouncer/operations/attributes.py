"""Networks as clients write them that speak ``soju.im/bouncer-networks``: attributes become keys of the operations.

Owns what the attributes mean here: which key each sets, how a name is made of what a client calls a network, how host,
port and tls become the first server. Must not know the wire.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from bouncer.model.errors import Refused
from bouncer.model.records import Endpoint, Network, User, nick_of, realname_of
from bouncer.operations import networks, values
from bouncer.operations.change import find_user
from bouncer.operations.context import Context
from bouncer.operations.names import NAME_LIMIT
from bouncer.operations.row import Call, Target
from bouncer.operations.settings import NETWORK_KEYS

# The attributes that are a key of a network each.
_KEYS = {
    attribute: next(key for key in NETWORK_KEYS if key.name == name)
    for attribute, name in (
        ("nickname", "nick"),
        ("username", "ident"),
        ("realname", "realname"),
        ("pass", "server_password"),
    )
}
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_PORT = values.count(1, 65535)
NAMELESS = "network"


class WrongAttribute(Refused):
    """An attribute's value can't be taken."""

    def __init__(self, attribute: str, problem: str) -> None:
        super().__init__(f"{attribute}: {problem}")
        self.attribute = attribute


class NoSuchNetwork(Refused):
    """The user has no network of that id."""


async def add(context: Context, owner: str, told: Mapping[str, str]) -> int:
    """Make a network of that user's; its id. Raises Refused."""
    user = find_user(context, owner)
    new = _values(told)
    server = _server(None, told)
    if told.get("name"):
        name = _name(user, told["name"])
    else:
        name = _free_name(user, told.get("host", ""))
    await networks.create(context, Call(Target(user.name, name), {**new, "servers": (server,)}))
    made = find_user(context, owner).network(name)
    if made is None:
        raise Refused(f"the network {name} was made, and changed by somebody else just now")
    return made.id


async def change(context: Context, owner: str, netid: int, told: Mapping[str, str]) -> int:
    """Change a network of that user's; its id. Raises Refused."""
    user = find_user(context, owner)
    network = _network(user, netid)
    # clients send back what they were shown: a default that is told again stays one
    shown = {
        "nickname": nick_of(user, network),
        "username": network.ident or user.name,
        "realname": realname_of(user, network),
    }
    news = {name: value for name, value in told.items() if shown.get(name) != value}
    new = _values(news)
    if not {"host", "port", "tls"}.isdisjoint(news):
        server = _server(network.servers[0] if network.servers else None, news)
        new["servers"] = tuple(dict.fromkeys((server, *network.servers[1:])))
    if "name" in news:
        new["name"] = _name(user, news["name"], netid)
    await networks.update(context, Call(Target(user.name, network.name), new))
    return netid


async def delete(context: Context, owner: str, netid: int) -> int:
    """Forget a network of that user's; its id. Raises Refused."""
    user = find_user(context, owner)
    await networks.delete(context, Call(Target(user.name, _network(user, netid).name)))
    return netid


def _network(user: User, netid: int) -> Network:
    found = next((network for network in user.networks if network.id == netid), None)
    if found is None:
        raise NoSuchNetwork("Network not found")
    return found


def _values(told: Mapping[str, str]) -> dict[str, Any]:
    """The values of keys; a value left empty is the default. Raises WrongAttribute."""
    found = {}
    for attribute, key in _KEYS.items():
        if attribute in told:
            try:
                found[key.name] = key.parse(told[attribute]) if told[attribute] else key.default
            except Refused as problem:
                raise WrongAttribute(attribute, str(problem)) from None
    return found


def _server(old: Endpoint | None, told: Mapping[str, str]) -> Endpoint:
    """The server, as it is with what was told of it. Raises WrongAttribute.

    A port that was not told stays, but for the usual one of TLS or of plain text, which goes with ``tls``.
    """
    tls = old.tls if old else True
    if "tls" in told:
        if told["tls"] not in ("0", "1"):
            raise WrongAttribute("tls", "it is 1, or 0 for plain text")
        tls = told["tls"] == "1"
    port = _usual_port(tls)
    if told.get("port"):
        try:
            port = _PORT(told["port"])
        except Refused as problem:
            raise WrongAttribute("port", str(problem)) from None
    elif "port" not in told and old and old.port != _usual_port(old.tls):
        port = old.port
    host = told.get("host", old.host if old else "").removeprefix("[").removesuffix("]")
    return Endpoint(_host(host), port, tls)


def _usual_port(tls: bool) -> int:
    return values.TLS_PORT if tls else values.PLAIN_PORT


def _host(host: str) -> str:
    """A host's name or address. Raises WrongAttribute."""
    try:
        if ":" in host:
            return str(ipaddress.IPv6Address(host))
        found = values.endpoint(f"ircs://{host}:1")
    except ValueError:
        raise WrongAttribute("host", "it is neither a name nor an address; a port goes into port") from None
    except Refused as problem:
        raise WrongAttribute("host", str(problem)) from None
    return found.host


def _name(user: User, wanted: str, netid: int = 0) -> str:
    """The name for a network that a client calls so. Raises WrongAttribute if another network has it."""
    name = name_from(wanted)
    if not name:
        raise WrongAttribute("name", "there is no letter or digit of ASCII in it, and it is to be typed in a login")
    known = user.network(name)
    if known is not None and known.id != netid:
        raise WrongAttribute("name", f"there is a network {known.name} already")
    return name


def _free_name(user: User, host: str) -> str:
    """A name for a network that was given none."""
    base = name_from(host) or NAMELESS
    name, number = base, 1
    while user.network(name) is not None:
        number += 1
        name = f"{base[: NAME_LIMIT - 6]}-{number}"
    return name


def name_from(text: str) -> str:
    """A name that can stand in a login, made of what people call a network: ``Libera Chat`` is ``Libera-Chat``."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode() if text.isprintable() else text
    return _NOT_IN_NAMES.sub("-", plain).strip("-")[:NAME_LIMIT].strip("-")
