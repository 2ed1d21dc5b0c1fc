"""The operations on devices: where each is in what it has read, who is attached, and how to end that.

Owns what may be done with a device. Must not know how a client is attached.
"""

from __future__ import annotations

from typing import Any

from bouncer.downstream.place import Attached
from bouncer.model.errors import Refused
from bouncer.model.ports import BEHIND_LIMIT, Seen
from bouncer.model.records import User, fold_name
from bouncer.model.spans import span
from bouncer.operations.change import find_user
from bouncer.operations.context import Context
from bouncer.operations.names import meant, quoted
from bouncer.operations.overview import number
from bouncer.operations.row import Call, LeftOut, Operation, Result, Takes

KICKED = "This device was put out with `device kick`"
FORGOTTEN = "This device was put out with `device forget`"


async def list_all(context: Context, call: Call) -> Result:
    users = [find_user(context, call.target.user)] if call.target.user else context.house.users()
    lines, data = [], []
    for user in sorted(users, key=lambda each: fold_name(each.name)):
        for device in await _devices(context, user):
            data.append(device)
            lines.append(f"{_label(context, user, device['device'])}: {_text(device, context.now)}")
    return Result(tuple(lines) or ("no device has been here yet",), data)


async def kick(context: Context, call: Call) -> Result:
    user, name = await _found(context, call)
    there = _sessions(context, user, name)
    label = _label(context, user, name)
    if not there:
        raise Refused(f"{label} is not attached; device forget {label} drops what is known of it")
    for session in there:
        session.close(KICKED)
    said = f"{label} is put out: {number(len(there), 'connection')}; it can log in again, and misses nothing"
    return Result((said,), {"user": user.name, "device": name, "connections": len(there)})


async def forget(context: Context, call: Call) -> Result:
    user, name = await _found(context, call)
    for session in _sessions(context, user, name):
        session.close(FORGOTTEN)
    account = context.house.account(user.name)
    for link in account.links.values() if account is not None else ():
        link.positions.drop(name)
    await context.records.settled()
    said = f"{_label(context, user, name)} is forgotten; when it comes again, it gets what a new device gets"
    return Result((said,), {"user": user.name, "device": name})


async def _devices(context: Context, user: User) -> list[dict[str, Any]]:
    """A user's devices by name, as data."""
    account = context.house.account(user.name)
    networks = {network.name: await context.history.devices(network.id) for network in user.networks}
    # what is not printable is no device, but a device's place in a detached channel
    names = {name for seen in networks.values() for name in seen if name.isprintable()}
    sessions = account.sessions if account is not None else []
    names.update(session.device for session in sessions)
    return [_device(user, name, networks, sessions) for name in sorted(names)]


def _device(user: User, name: str, networks: dict[str, Any], sessions: list[Attached]) -> dict[str, Any]:
    attached = [
        {"network": session.place.title, "address": session.arrival.address, "since": session.arrival.since}
        for session in sessions
        if session.device == name
    ]
    found: dict[str, Seen] = {network: seen[name] for network, seen in networks.items() if name in seen}
    return {
        "user": user.name,
        "device": name,
        "attached": attached,
        "networks": [{"name": network, "behind": seen.behind, "seen": seen.at} for network, seen in found.items()],
    }


def _text(device: dict[str, Any], now: float) -> str:
    parts = []
    if device["attached"]:
        since = min(each["since"] for each in device["attached"])
        addresses = ", ".join(dict.fromkeys(each["address"] for each in device["attached"]))
        parts.append(f"attached for {span(now - since)} from {addresses}")
    else:
        seen = max((each["seen"] for each in device["networks"]), default=0)
        parts.append(f"last read {span(now - seen)} ago" if seen else "not attached")
    parts += [f"{each['name']} {_behind(each['behind'])}" for each in device["networks"]]
    return "; ".join(parts)


def _behind(lines: int) -> str:
    if not lines:
        return "read to the end"
    return f"{number(lines, 'line')}{' or more' if lines >= BEHIND_LIMIT else ''} behind"


def _sessions(context: Context, user: User, name: str) -> list[Attached]:
    account = context.house.account(user.name)
    return [session for session in account.sessions if session.device == name] if account is not None else []


async def _found(context: Context, call: Call) -> tuple[User, str]:
    user = find_user(context, call.target.user)
    known = [device["device"] for device in await _devices(context, user)]
    name = call.target.device
    if name not in known:
        shown = [_label(context, user, each) for each in known]
        label = _label(context, user, name)
        raise Refused(f"there is no device {quoted(label)}{meant(label, shown) or '; device list shows them'}")
    return user, name


def _label(context: Context, user: User, device: str) -> str:
    return device if fold_name(user.name) == fold_name(context.actor.user) else f"{user.name}/{device}"


OPERATIONS = (
    Operation(
        "device list",
        "list the devices, who is attached and how much each has still to read",
        "A device is what logs in as user@device; one that gives no name has a made-up one that begins with ~.",
        ("device list", "device list {user}"),
        list_all,
        takes=Takes.USER,
        left_out=LeftOut.ALL,
        reads=True,
    ),
    Operation(
        "device kick",
        "end a device's connections",
        "It can log in again at once: to keep it out, take its token or the password away.",
        ("device kick {device}",),
        kick,
        takes=Takes.DEVICE,
    ),
    Operation(
        "device forget",
        "forget a device and what it has read",
        "For one that is gone for good. It is put out if it is attached; if it comes again, it is as new.",
        ("device forget {device}",),
        forget,
        takes=Takes.DEVICE,
    ),
)
