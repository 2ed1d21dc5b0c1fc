"""The operations that bring back what was deleted: networks and users, as they were, with their history.

Owns which of the deleted is meant, and what is in its way. Must not know how it is kept meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from bouncer.model.errors import Refused
from bouncer.model.ports import RemovedNetwork, RemovedUser
from bouncer.model.records import REMOVED_DAYS, Network, User, fold_name
from bouncer.model.spans import span
from bouncer.operations import values
from bouncer.operations.change import find_user, keep, network_label, with_network
from bouncer.operations.context import Context
from bouncer.operations.names import meant, quoted
from bouncer.operations.networks import room_for_one_more
from bouncer.operations.overview import number
from bouncer.operations.row import Call, Key, LeftOut, Operation, Result, Takes, Who

T = TypeVar("T", RemovedUser, RemovedNetwork)

ID_LIMIT = 1_000_000_000  # above every id that is ever given


async def deleted_users(context: Context, call: Call) -> Result:
    lines, data = [], []
    for user, at in await removed_users(context):
        lines.append(f"{user.name}, {number(len(user.networks), 'network')}: {_since(context, at, user.id)}")
        data.append(_shown(user, at) | {"networks": [network.name for network in user.networks]})
    if lines:
        lines.append(f"user restore {data[0]['name']} brings the one back that was deleted last")
    return Result(tuple(lines) or (f"no user was deleted in the last {REMOVED_DAYS} days",), {"users": data})


async def deleted_networks(context: Context, call: Call) -> Result:
    removed = await removed_networks(context)
    users = [find_user(context, call.target.user)] if call.target.user else context.house.users()
    by_id = {user.id: user for user in users}
    lines, data = [], []
    for owner, network, at in removed:
        if owner in by_id:
            label = network_label(context, by_id[owner].name, network.name)
            lines.append(f"{label}, {number(len(network.channels), 'channel')}: {_since(context, at, network.id)}")
            data.append(_shown(network, at) | {"user": by_id[owner].name})
    if lines:
        lines.append(f"network restore {lines[0].partition(',')[0]} brings the one back that was deleted last")
    return Result(tuple(lines) or (f"no network was deleted in the last {REMOVED_DAYS} days",), {"networks": data})


async def restore_user(context: Context, call: Call) -> Result:
    # who is brought back at this moment is not removed any more
    removed = [each for each in await removed_users(context) if context.house.account_of(each.user.id) is None]
    known = [each.user.name for each in removed]
    found = [each for each in removed if fold_name(each.user.name) == fold_name(call.target.user)]
    user, _ = _chosen(call, found, "user", call.target.user, known, [each.user.id for each in found])
    name = call.values.get("as") or user.name
    if context.house.account(name) is not None:
        raise Refused(
            f"there is a user {quoted(name)} now; user restore {call.target.user} as={name}2 brings the deleted one "
            "back beside it"
        )
    user = replace(user, name=name)
    await keep(context, [user])
    said = f"user {name} is back, with {number(len(user.networks), 'network')} and their history"
    return Result((said,), {"name": name, "networks": [network.name for network in user.networks]})


async def restore_network(context: Context, call: Call) -> Result:
    removed = await removed_networks(context)
    await _not_with_its_user(context, call)
    user = find_user(context, call.target.user)
    label = network_label(context, user.name, call.target.network)
    # what somebody brings back at this moment is not removed any more
    there = {network.id for network in user.networks}
    theirs = [each for each in removed if each.owner == user.id and each.network.id not in there]
    known = [network_label(context, user.name, each.network.name) for each in theirs]
    found = [each for each in theirs if fold_name(each.network.name) == fold_name(call.target.network)]
    _, network, _ = _chosen(call, found, "network", label, known, [each.network.id for each in found])
    name = call.values.get("as") or network.name
    if user.network(name) is not None:
        taken = network_label(context, user.name, name)
        raise Refused(
            f"there is a network {quoted(taken)} now; network restore {label} as={name}2 brings the deleted one back "
            "beside it"
        )
    room_for_one_more(user)
    network = replace(network, name=name)
    await keep(context, [with_network(user, network)])
    back = network_label(context, user.name, name)
    off = "" if network.enabled else f"; it is off until network connect {back}"
    said = f"network {back} is back, with {number(len(network.channels), 'channel')} and its history{off}"
    return Result((said,), {"name": name, "user": user.name, "id": network.id})


async def removed_users(context: Context) -> Sequence[RemovedUser]:
    """The deleted users that can be brought back, the last one first."""
    removed = await context.records.removed()
    return [each for each in removed.users if _until(each.at) > context.now]


async def removed_networks(context: Context) -> Sequence[RemovedNetwork]:
    """The deleted networks that can be brought back, the last one first."""
    removed = await context.records.removed()
    return [each for each in removed.networks if _until(each.at) > context.now]


async def _not_with_its_user(context: Context, call: Call) -> None:
    name = call.target.user
    if context.house.account(name) is None:
        gone = [each.user.name for each in await removed_users(context) if fold_name(each.user.name) == fold_name(name)]
        if gone:
            raise Refused(
                f"user {gone[0]} is deleted too; user restore {gone[0]} brings back the networks that went with it"
            )


def _chosen(call: Call, found: Sequence[T], what: str, label: str, known: list[str], ids: list[int]) -> T:
    """The newest of those of that name, or the one whose id was given. Raises Refused."""
    if not found:
        hint = meant(label, known) or f"; {what} deleted shows which can be brought back"
        raise Refused(f"no {what} {quoted(label)} was deleted in the last {REMOVED_DAYS} days{hint}")
    wanted = call.values.get("id")
    if wanted is None:
        return found[0]
    if wanted not in ids:
        raise Refused(f"no deleted {what} {quoted(label)} has the id {wanted}, but {', '.join(map(str, ids))}")
    return found[ids.index(wanted)]


def _until(at: int) -> int:
    return at + REMOVED_DAYS * 86_400


def _since(context: Context, at: int, row: int) -> str:
    left = span(_until(at) - context.now)
    return f"deleted {span(context.now - at)} ago, kept for {left} more (id={row})"


def _shown(noun: User | Network, at: int) -> dict[str, Any]:
    return {"name": noun.name, "id": noun.id, "deleted": at, "kept_until": _until(at)}


def _keys(what: str, names: str) -> tuple[Key, ...]:
    return (
        Key("as", f"the name to give it, where a {what} has its name now", f"as={names}2", values.name),
        Key("id", f"which, where several were deleted; {what} deleted shows it", "id=12", values.count(1, ID_LIMIT)),
    )


USER_OPERATIONS = (
    Operation(
        "user deleted",
        "list the deleted users that can be brought back",
        f"A deleted user is kept for {REMOVED_DAYS} days with all settings, networks and history; the last one comes "
        "first.",
        ("user deleted",),
        deleted_users,
        Who.ADMIN,
        reads=True,
    ),
    Operation(
        "user restore",
        "bring a deleted user back",
        "As it was: password, devices, networks, history and what was read. Of several of that name the one that was "
        "deleted last.",
        ("user restore bob", "user restore bob as=bob2"),
        restore_user,
        Who.ADMIN,
        Takes.USER,
        keys=_keys("user", "bob"),
    ),
)

NETWORK_OPERATIONS = (
    Operation(
        "network deleted",
        "list the deleted networks that can be brought back",
        f"A deleted network is kept for {REMOVED_DAYS} days with all settings and history; the last one comes first.",
        ("network deleted", "network deleted {user}"),
        deleted_networks,
        takes=Takes.USER,
        left_out=LeftOut.ALL,
        reads=True,
    ),
    Operation(
        "network restore",
        "bring a deleted network back",
        "As it was: channels, passwords, history, and what each device has read. It connects, unless it was off. Of "
        "several of that name the one that was deleted last.",
        ("network restore {network}", "network restore {network} as=libera2"),
        restore_network,
        takes=Takes.NETWORK,
        keys=_keys("network", "libera"),
    ),
)
