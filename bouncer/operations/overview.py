"""What runs, connected to what, since when: the operation ``status`` and the state of one network in words.

Owns how a network's state is said. Must not know how it comes about.
"""

from __future__ import annotations

from typing import Any

from bouncer.downstream.login import Login
from bouncer.model.records import Network, User, fold_name
from bouncer.model.spans import span
from bouncer.operations.change import find_user
from bouncer.operations.context import Context, Facts
from bouncer.operations.row import Call, LeftOut, Operation, Result, Takes

EACH_LIMIT = 40  # networks of which status says how each is; of more, those that are connected hide the others


async def status(context: Context, call: Call) -> Result:
    facts = context.process.facts()
    if call.target.user:
        users = [find_user(context, call.target.user)]
    else:
        users = sorted(context.house.users(), key=lambda user: fold_name(user.name))
    data: dict[str, Any] = {
        "version": facts.version,
        "compiled": facts.compiled,
        "running": facts.running,
        "since": facts.since,
        "listeners": list(facts.listeners),
        "undurable": facts.undurable,
        "unindexed": facts.unindexed,
        "store_problem": facts.problem,
        "lost": facts.lost,
        "users": [user_state(context, user) for user in users],
    }
    lines = [_process_line(facts, context.now), *_store_lines(facts)]
    all_of_them = bool(call.target.user) or sum(len(user.networks) for user in users) <= EACH_LIMIT
    for state in data["users"]:
        lines += _user_lines(state, context.now, all_of_them)
    if not all_of_them:
        lines.append("connected networks are counted only; status USER shows them, and network list all of them")
    return Result(tuple(lines), data)


def _user_lines(state: dict[str, Any], now: float, all_of_them: bool) -> list[str]:
    networks = state["networks"]
    connected = [network for network in networks if network["state"] == "connected"]
    shown = networks if all_of_them else [network for network in networks if network not in connected]
    count = "" if all_of_them else f"; {len(connected)} of {number(len(networks), 'network')} connected"
    first = f"{state['name']}: {_devices_text(state['devices'])}{count}"
    return [first, *(f"  {network['name']}: {state_text(network, now)}" for network in shown)]


def user_state(context: Context, user: User) -> dict[str, Any]:
    """A user's attached devices and networks, as data."""
    account = context.house.account(user.name)
    sessions = account.sessions if account is not None else ()
    devices = [
        {"device": come.device, "login": _login_text(come.login), "address": come.address, "since": come.since}
        for come in (session.arrival for session in sessions)
    ]
    networks = [network_state(context, user, network) for network in user.networks]
    return {"name": user.name, "enabled": user.enabled, "devices": devices, "networks": networks}


def network_state(context: Context, user: User, network: Network) -> dict[str, Any]:
    """How a network is connected, as data. Times are seconds since 1970 UTC, 0 if there is none."""
    account = context.house.account(user.name)
    link = account.links.get(network.id) if account is not None else None
    if link is None or not context.process.facts().running:
        return {
            "name": network.name,
            "state": "stopped",
            "server": "",
            "nick": "",
            "since": 0.0,
            "reason": _why_stopped(context, user, network),
            "next_try": 0.0,
            "devices": [],
            "channels": [],
        }
    now = link.status()
    detached = {channel.name for channel in network.channels if channel.detached}
    return {
        "name": network.name,
        "state": now.state,
        "server": now.server,
        "nick": now.nick,
        "since": now.since,
        "reason": now.reason,
        "next_try": now.next_try,
        "devices": list(now.devices),
        "channels": [
            {
                "name": channel.name,
                "joined": channel.joined,
                "detached": channel.name in detached,
                "members": channel.members,
                "reason": channel.reason,
            }
            for channel in now.channels
        ],
    }


def state_text(state: dict[str, Any], now: float) -> str:
    """One line of a network's state."""
    kind, reason = state["state"], state["reason"]
    if kind == "connected":
        joined = [channel for channel in state["channels"] if channel["joined"]]
        missing = [f"{c['name']}: {c['reason']}" for c in state["channels"] if not c["joined"] and c["reason"]]
        text = f"connected to {state['server']} as {state['nick']} for {span(now - state['since'])}"
        text += f", {number(len(joined), 'channel')}, {number(len(state['devices']), 'device')}"
        text += f"; {reason}" if reason else ""
        return text + (f"; not in {'; '.join(missing)}" if missing else "")
    text = f"{kind}, {reason}" if reason else kind
    next_try = state.get("next_try", 0)
    return f"{text}; next try in {span(next_try - now)}" if next_try else text


def _login_text(login: Login) -> str:
    network = f"/{login.network}" if login.network else ""
    return f"{login.user}{network}{f'@{login.device}' if login.device else ''}"


def _why_stopped(context: Context, user: User, network: Network) -> str:
    if not context.process.facts().running:
        return "the bouncer is not running"
    if not user.enabled:
        return "the account is closed (user update enabled=yes opens it)"
    return "" if network.enabled else "it is off (network connect turns it on)"


def _process_line(facts: Facts, now: float) -> str:
    if not facts.running:
        return f"bouncer {facts.version} is not running on this home; bouncer run starts it"
    version = f"{facts.version} (compiled)" if facts.compiled else facts.version
    text = f"bouncer {version}, up {span(now - facts.since)}, listening on {', '.join(facts.listeners) or 'nothing'}"
    waiting = [f"{number(facts.undurable, 'line')} to be stored"] if facts.undurable else []
    waiting += [f"{number(facts.unindexed, 'line')} to be indexed"] if facts.unindexed else []
    return f"{text}; {', '.join(waiting)}" if waiting else text


def _store_lines(facts: Facts) -> list[str]:
    lines = [f"history can't be stored: {facts.problem}"] if facts.problem else []
    if facts.lost:
        lines.append(f"{number(facts.lost, 'line')} of history lost since the start, for want of a store that works")
    return lines


def _devices_text(devices: list[dict[str, Any]]) -> str:
    if not devices:
        return "no device attached"
    return "attached: " + ", ".join(f"{each['device'] or each['login']} from {each['address']}" for each in devices)


def number(amount: int, noun: str) -> str:
    """``1 line``, ``2 lines``."""
    return f"{amount} {noun}" if amount == 1 else f"{amount} {noun}s"


OPERATIONS = (
    Operation(
        "status",
        "what runs, connected to what, since when",
        f"Of each network how it is and, where it is not connected, why and when the next try comes. Where there are "
        f"more than {EACH_LIMIT}, those that are connected are only counted, unless USER is named.",
        ("status", "status {user}"),
        status,
        takes=Takes.USER,
        left_out=LeftOut.ALL,
        reads=True,
    ),
)
