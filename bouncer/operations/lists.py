"""The settings that are lists, changed one item at a time: ignore, highlight, nolog and server.

Owns how an item is put in and taken out. What an item may be is said by the keys; must not know what a list is for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from bouncer.model.errors import Refused
from bouncer.model.records import Network, User, fold_name
from bouncer.operations.change import find_network, find_user, keep, network_label, with_network
from bouncer.operations.context import Context
from bouncer.operations.names import meant, quoted
from bouncer.operations.row import Call, Key, LeftOut, Operation, Result, Takes, Target
from bouncer.operations.settings import NETWORK_KEYS, USER_KEYS, network_with, user_with

Run = Callable[[Context, Call], Awaitable[Result]]

_SERVER_PASSWORD = "server_password"


@dataclass(frozen=True, slots=True)
class _Items:
    """One of these lists: the key that sets the whole of it, and the record's field of that."""

    group: str
    key: str
    field: str
    takes: Takes
    what: str  # an item of it, as sentences call it
    none: str  # what is said of an empty one


def _key_of(items: _Items) -> Key:
    keys = USER_KEYS if items.takes in (Takes.USER, Takes.SCOPE) else NETWORK_KEYS
    return next(key for key in keys if key.name == items.key)


def _owner(context: Context, target: Target) -> tuple[User, Network | None, str]:
    """Whose list it is, and how this asker writes them."""
    if target.network:
        user, network = find_network(context, target)
        return user, network, network_label(context, user.name, network.name)
    user = find_user(context, target.user)
    return user, None, user.name


async def _put(context: Context, items: _Items, user: User, network: Network | None, values: dict[str, Any]) -> None:
    if network is None:
        await keep(context, [user_with(user, values)])
    else:
        await keep(context, [with_network(user, network_with(network, values))])


def _shown(items: _Items, user: User, network: Network | None) -> dict[str, Any]:
    found = getattr(network if network is not None else user, items.field)
    return {
        "user": user.name,
        "network": network.name if network is not None else None,
        items.key: [str(item) for item in found],
    }


def _adder(items: _Items) -> Run:
    key = _key_of(items)

    async def add(context: Context, call: Call) -> Result:
        user, network, label = _owner(context, call.target)
        there = getattr(network if network is not None else user, items.field)
        known = {str(item).casefold() for item in there}
        new = [item for item in call.values[items.key] if str(item).casefold() not in known]
        values = {items.key: _checked(key, [*there, *new])}
        if _SERVER_PASSWORD in call.values:
            values[_SERVER_PASSWORD] = call.values[_SERVER_PASSWORD]
        await _put(context, items, user, network, values)
        text = ", ".join(map(str, new))
        said = f"{label} has {text} in its {items.group} list now" if new else f"{label} has that already"
        return Result((said,), _shown(items, *_owner(context, call.target)[:2]))

    return add


def _remover(items: _Items) -> Run:
    key = _key_of(items)

    async def remove(context: Context, call: Call) -> Result:
        user, network, label = _owner(context, call.target)
        there = list(getattr(network if network is not None else user, items.field))
        gone = [_found(items, there, label, item) for item in call.values[items.key]]
        left = [item for item in there if item not in gone]
        await _put(context, items, user, network, {items.key: _checked(key, left)})
        said = f"{label} no longer has {', '.join(map(str, gone))} in its {items.group} list"
        return Result((said,), _shown(items, *_owner(context, call.target)[:2]))

    return remove


def _lister(items: _Items) -> Run:
    async def list_all(context: Context, call: Call) -> Result:
        owners = _owners(context, items, call.target)
        data = [_shown(items, user, network) for user, network in owners]
        lines = []
        for user, network in owners:
            found = [str(item) for item in getattr(network if network is not None else user, items.field)]
            label = network_label(context, user.name, network.name) if network is not None else user.name
            lines += [f"{label}: {item}" for item in found]
        return Result(tuple(lines) or (items.none,), data)

    return list_all


def _owners(context: Context, items: _Items, target: Target) -> list[tuple[User, Network | None]]:
    """All that have such a list of what is named."""
    if target.network:
        return [find_network(context, target)]
    users = [find_user(context, target.user)] if target.user else context.house.users()
    found: list[tuple[User, Network | None]] = []
    for user in sorted(users, key=lambda each: fold_name(each.name)):
        if items.takes is not Takes.NETWORK:
            found.append((user, None))
        if items.takes is not Takes.USER:
            found += [(user, network) for network in user.networks]
    return found


def _checked(key: Key, items: list[Any]) -> Any:
    """The list as the key takes it: no longer than it may be."""
    try:
        return key.parse([str(item) for item in items])
    except Refused as problem:
        raise Refused(f"{key.name}: {problem}") from None


def _found(items: _Items, there: list[Any], label: str, wanted: Any) -> Any:
    folded = str(wanted).casefold()
    for item in there:
        if str(item).casefold() == folded:
            return item
    hint = meant(str(wanted), [str(item) for item in there]) or f"; {items.group} list shows what there is"
    raise Refused(f"{label} has no {items.what} {quoted(str(wanted))}{hint}")


def _rows(items: _Items, teaches: str, add: str, more: tuple[Key, ...] = ()) -> tuple[Operation, ...]:
    """``add`` is what the examples put in, in the words of one who types."""
    key = _key_of(items)
    place = "{network}" if items.takes is Takes.NETWORK else "{scope}"
    one_network = (f"{items.group} add {{network}} {add}",) if items.takes is Takes.SCOPE else ()
    return (
        Operation(
            f"{items.group} add",
            f"add {_a(items.what)}",
            f"{teaches} {items.key}= of {'user' if place == '{scope}' else 'network'} update sets the whole list.",
            (f"{items.group} add {place} {add}", *one_network),
            _adder(items),
            takes=items.takes,
            left_out=LeftOut.OWN,
            keys=(key, *more),
            rest=key.name,
        ),
        Operation(
            f"{items.group} remove",
            f"take {_a(items.what)} away again",
            "Written as it is listed; case does not count.",
            (f"{items.group} remove {place} {add}",),
            _remover(items),
            takes=items.takes,
            left_out=LeftOut.OWN,
            keys=(key,),
            rest=key.name,
        ),
        Operation(
            f"{items.group} list",
            f"list every {items.what}",
            "Of what is named, or of all.",
            (f"{items.group} list {place}", f"{items.group} list"),
            _lister(items),
            takes=items.takes,
            left_out=LeftOut.ALL,
            reads=True,
        ),
    )


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


OPERATIONS = (
    *_rows(
        _Items("ignore", "ignore", "ignore", Takes.SCOPE, "ignored nick or mask", "nobody is ignored"),
        "What they say is neither shown nor kept: on all networks, or on the one that is named. A nick is whoever has "
        "it; a mask is nick!user@host with * and ?.",
        "*!*@spam.example",
    ),
    *_rows(
        _Items("highlight", "highlight", "highlights", Takes.USER, "highlight", "your nicks are the only highlights"),
        "A word, or a pattern with * and ?, that calls for attention as your nick does.",
        "coffee",
    ),
    *_rows(
        _Items(
            "nolog",
            "do_not_log",
            "unlogged",
            Takes.NETWORK,
            "unlogged channel or nick",
            "everything is kept in history",
        ),
        "What is said there is shown, but not kept in history.",
        "#private",
    ),
    *_rows(
        _Items("server", "servers", "servers", Takes.NETWORK, "server", "there is no network yet"),
        "The servers of a network are tried in order.",
        "ircs://irc.example.org:6697",
        tuple(key for key in NETWORK_KEYS if key.name == _SERVER_PASSWORD),
    ),
)
