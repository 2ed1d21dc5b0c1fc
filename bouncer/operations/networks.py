"""The operations on networks: their settings, and whether they are connected.

Owns what may be done with a network. Must not know how connecting is done.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bouncer.irc.message import Message
from bouncer.model.errors import Refused
from bouncer.model.records import REMOVED_DAYS, Network, User, fold_name, nick_of
from bouncer.operations import values
from bouncer.operations.change import (
    find_network,
    find_user,
    keep,
    network_label,
    put_first,
    with_network,
    without_network,
)
from bouncer.operations.context import Context
from bouncer.operations.names import account_name, meant, quoted
from bouncer.operations.overview import network_state, state_text
from bouncer.operations.row import NEEDED, Call, Key, LeftOut, Operation, Result, Takes
from bouncer.operations.settings import NAME, NETWORK_KEYS, network_values, network_with, without_secrets
from bouncer.operations.tap import cut
from bouncer.operations.users import setting_lines
from bouncer.operations.values import NETWORKS_LIMIT

_CREATE_KEYS = tuple(key for key in NETWORK_KEYS if key.name != NAME.name)
_LINE = Key("line", "an IRC line", 'line="PRIVMSG #python :hello"', values.raw_line, NEEDED, secret=True)
_ORDER = Key(
    "networks",
    "those to come first, in this order; the others follow as they are",
    "networks=oftc,libera",
    values.several(values.name, NETWORKS_LIMIT),
    NEEDED,
    many=True,
)
_AT_CONNECT = tuple(key.name for key in NETWORK_KEYS if key.reconnects)


async def create(context: Context, call: Call) -> Result:
    user = find_user(context, call.target.user)
    name = account_name(call.target.network)
    _free(context, user, name)
    room_for_one_more(user)
    network = network_with(Network(context.house.new_network_id(), name), call.values)
    await keep(context, [with_network(user, network)])
    label = network_label(context, user.name, name)
    if not network.enabled:
        doing = f"network {label} is made; it is off until network connect {label}"
    else:
        connects = f"it connects to {network.servers[0]} as {nick_of(user, network)}"
        doing = f"network {label} is made; {_doing(context, connects)}"
    lines = [doing, *_warnings(label, network)]
    if not context.actor.is_machine and not context.actor.network:
        lines.append(f"to talk there, log in as {user.name}/{name}")
    return Result(tuple(lines), shown(user, network))


async def update(context: Context, call: Call) -> Result:
    user, network = find_network(context, call.target)
    changed = network_with(network, call.values)
    if fold_name(changed.name) != fold_name(network.name):
        _free(context, user, changed.name)
    label = network_label(context, user.name, changed.name)
    if changed == network:
        return Result((f"network {label} is like that already",), shown(user, network))
    await keep(context, [with_network(user, changed)])
    lines = [f"network {label} is changed", *_warnings(label, changed)]
    old, new = network_values(network), network_values(changed)
    told = [key for key in _AT_CONNECT if old.get(key) != new.get(key)]
    if told and changed.enabled and context.process.facts().running:
        lines.append(f"it connects anew, because a network is told only then: {', '.join(told)}")
    return Result(tuple(lines), shown(user, changed))


async def delete(context: Context, call: Call) -> Result:
    user, network = find_network(context, call.target)
    await keep(context, [without_network(user, network)])
    label = network_label(context, user.name, network.name)
    return Result(
        (
            f"network {label} is deleted; its settings and history are kept for {REMOVED_DAYS} days, and network "
            f"restore {label} brings it back",
        ),
        {"name": network.name, "user": user.name},
    )


async def list_all(context: Context, call: Call) -> Result:
    users = [find_user(context, call.target.user)] if call.target.user else context.house.users()
    found = [
        (user, network) for user in sorted(users, key=lambda each: fold_name(each.name)) for network in user.networks
    ]
    lines, data = [], []
    for user, network in found:
        state = network_state(context, user, network)
        lines.append(f"{network_label(context, user.name, network.name)}: {state_text(state, context.now)}")
        data.append(shown(user, network) | {"status": state})
    return Result(tuple(lines) or ("there is no network yet; help network create shows how to make one",), data)


async def show(context: Context, call: Call) -> Result:
    user, network = find_network(context, call.target)
    state = network_state(context, user, network)
    data = shown(user, network) | {"status": state}
    label = network_label(context, user.name, network.name)
    return Result((f"{label}: {state_text(state, context.now)}", *setting_lines(data["settings"])), data)


async def connect(context: Context, call: Call) -> Result:
    user, network = find_network(context, call.target)
    if not user.enabled:
        raise Refused(f"the account {user.name} is closed; user update {user.name} enabled=yes opens it")
    changed = await _switch(context, user, network, True)
    context.dialer.connect(network.id)
    label = network_label(context, user.name, network.name)
    return Result((_doing(context, f"network {label} connects to {network.servers[0]}"),), shown(user, changed))


async def disconnect(context: Context, call: Call) -> Result:
    user, network = find_network(context, call.target)
    changed = await _switch(context, user, network, False)
    context.dialer.disconnect(network.id)
    label = network_label(context, user.name, network.name)
    return Result((f"network {label} is left; it stays so until network connect {label}",), shown(user, changed))


async def reconnect(context: Context, call: Call) -> Result:
    user, network = find_network(context, call.target)
    label = network_label(context, user.name, network.name)
    if not network.enabled:
        raise Refused(f"network {label} is off; network connect {label} turns it on")
    context.dialer.reconnect(network.id)
    return Result((_doing(context, f"network {label} connects anew to {network.servers[0]}"),), shown(user, network))


async def order(context: Context, call: Call) -> Result:
    user = find_user(context, call.target.user)
    known = [network.name for network in user.networks]

    def missing(name: str) -> Refused:
        return Refused(f"there is no network {quoted(name)}{meant(name, known) or '; network list shows them'}")

    networks = put_first(user.networks, call.values["networks"], fold_name, missing)
    await keep(context, [replace(user, networks=networks)])
    names = [network.name for network in networks]
    return Result((f"the networks of {user.name} are in this order: {', '.join(names)}",), names)


async def quote(context: Context, call: Call) -> Result:
    user, network = find_network(context, call.target)
    label = network_label(context, user.name, network.name)
    account = context.house.account(user.name)
    link = account.links.get(network.id) if account is not None else None
    uplink = link.uplink if link is not None else None
    line: str = call.values["line"]
    # the text as it was typed: what it holds is between its writer and the network
    if uplink is None or not uplink.registered or not uplink.send(Message.parse(line.encode())):
        state = state_text(network_state(context, user, network), context.now)
        raise Refused(f"the line was not sent to {label}, which is {state}; try again when it is connected")
    return Result((f"sent to {label}: {cut(Message.parse(line.encode()))}",), {"network": network.name})


def shown(user: User, network: Network) -> dict[str, Any]:
    """A network as data, without secrets."""
    settings = without_secrets(network_values(network), NETWORK_KEYS)
    return {"name": network.name, "user": user.name, "enabled": network.enabled, "settings": settings}


async def _switch(context: Context, user: User, network: Network, enabled: bool) -> Network:
    if network.enabled == enabled:
        return network
    changed = replace(network, enabled=enabled)
    await keep(context, [with_network(user, changed)])
    return changed


def _doing(context: Context, text: str) -> str:
    return text if context.process.facts().running else f"{text} when the bouncer runs"


def room_for_one_more(user: User) -> None:
    """Raises Refused if the user has all the networks that there may be."""
    if len(user.networks) >= NETWORKS_LIMIT:
        raise Refused(f"{user.name} has {NETWORKS_LIMIT} networks, which is the most there can be; delete one first")
    limit = user.limits.networks
    if limit and len(user.networks) >= limit:
        raised = f"user update {user.name} limits.networks={len(user.networks) + 1}"
        raise Refused(
            f"{user.name} may have {limit} networks and has {len(user.networks)}; delete one, or let an admin raise "
            f"it: {raised}"
        )


def _free(context: Context, user: User, name: str) -> None:
    known = user.network(name)
    if known is not None:
        label = network_label(context, user.name, known.name)
        raise Refused(f"there is a network {quoted(label)} already; network update {label} changes it")


def _warnings(label: str, network: Network) -> list[str]:
    if network.sasl is not None and not network.sasl.password:
        return [f"warning: {label} has a sasl.user without sasl.password, so that it can't log in there"]
    return []


OPERATIONS = (
    Operation(
        "network create",
        "add a network, and connect to it",
        "A network is one IRC network of one user. Only servers= is needed.",
        (
            "network create {network} servers=ircs://irc.libera.chat:6697",
            "network create {network} servers=ircs://irc.libera.chat sasl.user=alice sasl.password=… channels=#python",
        ),
        create,
        takes=Takes.NETWORK,
        keys=_CREATE_KEYS,
    ),
    Operation(
        "network update",
        "change a network's settings",
        "What is not named stays as it is. KEY= with nothing after it puts the default back. A nick changes at once; "
        "for what a network is told only while connecting, it connects anew.",
        ('network update {network} nick=alice2 realname="Alice A."', "network update {network} flood=off"),
        update,
        takes=Takes.NETWORK,
        left_out=LeftOut.OWN,
        keys=NETWORK_KEYS,
    ),
    Operation(
        "network delete",
        "leave a network and forget it",
        f"Its settings and history are kept for {REMOVED_DAYS} days: network restore brings it back. network "
        "disconnect leaves it and forgets nothing.",
        ("network delete {network}",),
        delete,
        takes=Takes.NETWORK,
    ),
    Operation(
        "network list",
        "list the networks and how they are connected",
        "One line per network; where one is not connected, why.",
        ("network list",),
        list_all,
        takes=Takes.USER,
        left_out=LeftOut.ALL,
        reads=True,
    ),
    Operation(
        "network show",
        "show a network's settings and state",
        "Settings that are not shown have their default. Of a secret only that there is one.",
        ("network show {network}",),
        show,
        takes=Takes.NETWORK,
        left_out=LeftOut.OWN,
        reads=True,
    ),
    Operation(
        "network connect",
        "connect to a network now",
        "Ends a network disconnect, and a wait for the next try.",
        ("network connect {network}",),
        connect,
        takes=Takes.NETWORK,
        left_out=LeftOut.OWN,
    ),
    Operation(
        "network disconnect",
        "leave a network and stay away",
        "It holds, also over restarts of the bouncer, until network connect. Nothing is forgotten.",
        ("network disconnect {network}",),
        disconnect,
        takes=Takes.NETWORK,
        left_out=LeftOut.OWN,
    ),
    Operation(
        "network reconnect",
        "leave a network and connect to it again at once",
        "Channels are joined again, and clients stay attached.",
        ("network reconnect {network}",),
        reconnect,
        takes=Takes.NETWORK,
        left_out=LeftOut.OWN,
    ),
    Operation(
        "network order",
        "set the order of a user's networks",
        "They are listed and shown to clients in that order.",
        ("network order {scope} oftc,libera",),
        order,
        takes=Takes.USER,
        left_out=LeftOut.OWN,
        keys=(_ORDER,),
        rest="networks",
    ),
    Operation(
        "network quote",
        "send a network a line as it is",
        "For what no client of yours can say. The answer comes to all attached clients. A line with quotes in it, or "
        'with spaces that matter, is written line="…".',
        ("network quote {network} MODE alice +i", 'network quote {network} line="PRIVMSG #python :hello"'),
        quote,
        takes=Takes.NETWORK,
        left_out=LeftOut.OWN,
        keys=(_LINE,),
        rest="line",
    ),
)
