"""Find what an operation is about, and keep what it changed: in the house at once, in the records before it is told.

Owns the one path by which settings change. Must not know which setting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from bouncer.model.errors import Refused, Unavailable
from bouncer.model.records import Channel, Network, User, fold_name
from bouncer.operations.context import Context
from bouncer.operations.names import meant, quoted, same_channel
from bouncer.operations.row import Target

T = TypeVar("T", Channel, Network)


def network_label(context: Context, user: str, network: str) -> str:
    """How this asker writes that network: with its user, unless it is their own."""
    own = fold_name(user) == fold_name(context.actor.user)
    return network if own else f"{user}/{network}"


def find_user(context: Context, name: str) -> User:
    """The user of that name. Raises Refused."""
    account = context.house.account(name)
    if account is None:
        known = [user.name for user in context.house.users()]
        raise Refused(f"there is no user {quoted(name)}{meant(name, known)}")
    return account.user


def find_network(context: Context, target: Target) -> tuple[User, Network]:
    """The user and the network meant. Raises Refused."""
    user = find_user(context, target.user)
    network = user.network(target.network)
    if network is None:
        label = network_label(context, user.name, target.network)
        known = [network_label(context, user.name, each.name) for each in user.networks]
        hint = meant(label, known) or (f"; there is {', '.join(known)}" if 0 < len(known) <= 5 else "")
        raise Refused(f"there is no network {quoted(label)}{hint}")
    return user, network


def find_channel(context: Context, target: Target) -> tuple[User, Network, Channel]:
    """The user, network and channel meant. Raises Refused."""
    user, network = find_network(context, target)
    for channel in network.channels:
        if same_channel(channel.name, target.channel):
            return user, network, channel
    label = network_label(context, user.name, network.name)
    hint = meant(target.channel, [channel.name for channel in network.channels])
    raise Refused(
        f"{label} has no channel {quoted(target.channel)}{hint or f'; channel create {label}/{target.channel} adds it'}"
    )


def with_network(user: User, network: Network) -> User:
    """The user with that network in place of the one with its id, or after the others."""
    if all(each.id != network.id for each in user.networks):
        return replace(user, networks=(*user.networks, network))
    return replace(user, networks=tuple(network if each.id == network.id else each for each in user.networks))


def without_network(user: User, network: Network) -> User:
    return replace(user, networks=tuple(each for each in user.networks if each.id != network.id))


def put_first(
    items: Sequence[T], names: Iterable[str], fold: Callable[[str], str], missing: Callable[[str], Refused]
) -> tuple[T, ...]:
    """The items with those of these names first, in that order, and the others behind as they are. Raises what
    ``missing`` makes of a name that none has."""
    by_name: dict[str, T] = {fold(item.name): item for item in items}
    first: list[T] = []
    for name in names:
        if fold(name) not in by_name:
            raise missing(name)
        first.append(by_name.pop(fold(name)))
    first.extend(by_name.values())
    return tuple(first)


async def keep(context: Context, saved: Sequence[User], removed: Sequence[User] = ()) -> None:
    """Put these users into the house and the records, and take others out; return when it is durable.

    If it can't be stored, all is as before. Raises Refused then.
    """
    before = {user.id: user for user in context.house.users()}
    for user in saved:
        context.house.replace(user)
    for user in removed:
        context.house.remove(user.id)
    context.records.put_users(saved, [user.id for user in removed])
    try:
        await context.records.settled()
    except Unavailable as problem:
        _put_back(context, before, saved, removed)
        raise Refused(f"nothing was changed, because it can't be stored: {str(problem).rstrip('.')}") from problem


def _put_back(context: Context, before: dict[int, User], saved: Sequence[User], removed: Sequence[User]) -> None:
    now = {user.id: user for user in context.house.users()}
    # what somebody changed again meanwhile is theirs: undoing it here would undo their change too
    undone = [user for user in saved if now.get(user.id) == user]
    for user in undone:
        if user.id in before:
            context.house.replace(before[user.id])
        else:
            context.house.remove(user.id)
    for user in removed:
        context.house.replace(user)
    # the records may still commit what they could not store in time, so the last word has to be the old one
    old = [before[user.id] for user in undone if user.id in before]
    context.records.put_users([*old, *removed], [user.id for user in undone if user.id not in before])
