"""The operations on channels: which ones a user wants to be in.

Owns what may be done with a channel. Must not know how joining is done.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bouncer.model.errors import Refused
from bouncer.model.records import Channel, Network, User, fold_name
from bouncer.model.state import CHANNELS_LIMIT
from bouncer.operations.change import (
    find_channel,
    find_network,
    find_user,
    keep,
    network_label,
    put_first,
    with_network,
)
from bouncer.operations.context import Context
from bouncer.operations.names import channel_key, channel_name, meant, quoted, same_channel
from bouncer.operations.overview import network_state, number
from bouncer.operations.row import Call, LeftOut, Operation, Result, Takes
from bouncer.operations.settings import CHANNEL_KEYS, NETWORK_KEYS, channel_values, channel_with, without_secrets


async def create(context: Context, call: Call) -> Result:
    user, network = find_network(context, call.target)
    name = channel_name(call.target.channel)
    label = f"{network_label(context, user.name, network.name)}/{name}"
    if any(same_channel(each.name, name) for each in network.channels):
        raise Refused(f"there is a channel {quoted(label)} already; channel update {label} changes it")
    if len(network.channels) >= CHANNELS_LIMIT:
        raise Refused(f"{network.name} has {CHANNELS_LIMIT} channels, which is the most there can be; delete one first")
    channel = channel_with(Channel(name), call.values)
    await _keep(context, user, network, (*network.channels, channel))
    return Result(
        (f"channel {label} is added; it is joined whenever the network is connected",), shown(user, network, channel)
    )


async def update(context: Context, call: Call) -> Result:
    user, network, channel = find_channel(context, call.target)
    changed = channel_with(channel, call.values)
    label = f"{network_label(context, user.name, network.name)}/{channel.name}"
    if changed == channel:
        return Result((f"channel {label} is like that already",), shown(user, network, channel))
    await _keep(context, user, network, tuple(changed if each is channel else each for each in network.channels))
    return Result((f"channel {label} is changed",), shown(user, network, changed))


async def delete(context: Context, call: Call) -> Result:
    user, network, channel = find_channel(context, call.target)
    await _keep(context, user, network, tuple(each for each in network.channels if each is not channel))
    label = f"{network_label(context, user.name, network.name)}/{channel.name}"
    return Result((f"channel {label} is left and no longer joined; its history is kept",), {"name": channel.name})


async def attach(context: Context, call: Call) -> Result:
    return await _detach(context, call, False)


async def detach(context: Context, call: Call) -> Result:
    return await _detach(context, call, True)


async def _detach(context: Context, call: Call, detached: bool) -> Result:
    user, network, channel = find_channel(context, call.target)
    changed = replace(channel, detached=detached)
    await _keep(context, user, network, tuple(changed if each is channel else each for each in network.channels))
    label = f"{network_label(context, user.name, network.name)}/{channel.name}"
    text = (
        f"channel {label} is detached: still joined, but no longer shown" if detached else f"channel {label} is shown"
    )
    return Result((text,), shown(user, network, changed))


async def order(context: Context, call: Call) -> Result:
    user, network = find_network(context, call.target)
    label = network_label(context, user.name, network.name)
    known = [channel.name for channel in network.channels]

    def missing(name: str) -> Refused:
        return Refused(f"{label} has no channel {quoted(name)}{meant(name, known) or '; channel list shows them'}")

    channels = put_first(network.channels, call.values["channels"], channel_key, missing)
    await _keep(context, user, network, channels)
    names = [channel.name for channel in channels]
    return Result((f"the channels of {label} are joined in this order: {', '.join(names)}",), names)


async def list_all(context: Context, call: Call) -> Result:
    lines, data = [], []
    for user, network in _networks(context, call):
        states = {channel_key(each["name"]): each for each in network_state(context, user, network)["channels"]}
        for channel in network.channels:
            state = states.get(channel_key(channel.name))
            label = f"{network_label(context, user.name, network.name)}/{channel.name}"
            lines.append(f"{label}: {_state_text(channel, state)}")
            data.append(shown(user, network, channel) | {"joined": bool(state and state["joined"])})
    return Result(tuple(lines) or ("there is no channel yet; channel create NETWORK/#CHANNEL adds one",), data)


def shown(user: User, network: Network, channel: Channel) -> dict[str, Any]:
    """A channel as data, without secrets."""
    return {
        "name": channel.name,
        "network": network.name,
        "user": user.name,
        "detached": channel.detached,
        "settings": without_secrets(channel_values(channel), CHANNEL_KEYS),
    }


def _networks(context: Context, call: Call) -> list[tuple[User, Network]]:
    if call.target.network:
        return [find_network(context, call.target)]
    users = [find_user(context, call.target.user)] if call.target.user else context.house.users()
    return [
        (user, network) for user in sorted(users, key=lambda each: fold_name(each.name)) for network in user.networks
    ]


def _state_text(channel: Channel, state: dict[str, Any] | None) -> str:
    if state is None:
        words = ["not joined"]
    elif state["joined"]:
        words = [f"joined, {number(state['members'], 'member')}"]
    else:
        words = [f"not joined: {state['reason']}" if state["reason"] else "not joined"]
    return ", ".join([*words, *(["detached"] if channel.detached else []), *(["with a key"] if channel.key else [])])


async def _keep(context: Context, user: User, network: Network, channels: tuple[Channel, ...]) -> None:
    await keep(context, [with_network(user, replace(network, channels=channels))])


_ORDER = tuple(
    replace(
        key, help="those to come first, in this order; the others follow as they are", example="channels=#irc,#python"
    )
    for key in NETWORK_KEYS
    if key.name == "channels"
)

OPERATIONS = (
    Operation(
        "channel create",
        "add a channel, and join it",
        "It is joined at once and after every connect. A JOIN in an IRC client does the same.",
        ("channel create {channel}", "channel create {channel} key=…"),
        create,
        takes=Takes.CHANNEL,
        keys=CHANNEL_KEYS,
    ),
    Operation(
        "channel update",
        "change a channel's settings",
        "A detached channel stays joined and its history is kept, but clients do not see it.",
        ("channel update {channel} detached=yes", "channel update {channel} key="),
        update,
        takes=Takes.CHANNEL,
        keys=CHANNEL_KEYS,
    ),
    Operation(
        "channel delete",
        "leave a channel and do not join it again",
        "Its history is kept.",
        ("channel delete {channel}",),
        delete,
        takes=Takes.CHANNEL,
    ),
    Operation(
        "channel attach",
        "show a detached channel again",
        "The same as channel update with detached=no. What was said meanwhile is in the history, but not shown again.",
        ("channel attach {channel}",),
        attach,
        takes=Takes.CHANNEL,
    ),
    Operation(
        "channel detach",
        "stay in a channel, but do not show it",
        "The same as channel update with detached=yes. relay=, reattach= and detach_after= say what comes of it then.",
        ("channel detach {channel}",),
        detach,
        takes=Takes.CHANNEL,
    ),
    Operation(
        "channel order",
        "set the order of a network's channels",
        "They are joined, listed and shown to new clients in that order, after the next connect.",
        ("channel order {network} #python,#irc",),
        order,
        takes=Takes.NETWORK,
        left_out=LeftOut.OWN,
        keys=_ORDER,
        rest="channels",
    ),
    Operation(
        "channel list",
        "list the channels and whether they are joined",
        "Of one network, or of all.",
        ("channel list {network}", "channel list"),
        list_all,
        takes=Takes.NETWORK,
        left_out=LeftOut.ALL,
        reads=True,
    ),
)
