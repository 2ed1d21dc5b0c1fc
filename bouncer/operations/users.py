"""The operations on users.

Owns what may be done with an account. Must not know how it is asked for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bouncer.model.errors import Refused
from bouncer.model.records import REMOVED_DAYS, User, fold_name
from bouncer.operations.change import find_user, keep
from bouncer.operations.context import Context
from bouncer.operations.names import account_name, quoted
from bouncer.operations.row import Call, LeftOut, Operation, Result, Takes, Who
from bouncer.operations.settings import NAME, USER_KEYS, user_values, user_with, without_secrets
from bouncer.operations.tokens import put_out
from bouncer.operations.values import weakness

_SETTINGS = tuple(key for key in USER_KEYS if key.name != NAME.name)
_PASSWORD = tuple(key for key in USER_KEYS if key.name == "password")


async def create(context: Context, call: Call) -> Result:
    name = account_name(call.target.user)
    settings = await _hashed(context, call)
    _free(context, name)
    user = user_with(User(context.house.new_user_id(), name), settings)
    await keep(context, [user])
    lines = [f"user {name} is made", *_warnings(name, call, user)]
    return Result((*lines, f"next: network create {name}/libera servers=ircs://irc.libera.chat:6697"), shown(user))


async def update(context: Context, call: Call) -> Result:
    find_user(context, call.target.user)  # before the work of a hash
    settings = await _hashed(context, call)
    user = find_user(context, call.target.user)
    changed = user_with(user, settings)
    if fold_name(changed.name) != fold_name(user.name):
        _free(context, changed.name)
    if not (changed.admin and changed.enabled):
        _not_oneself(context, user)
    if changed == user:
        return Result((f"user {user.name} is like that already",), shown(user))
    await keep(context, [changed])
    put_out(context, [changed])
    return Result((f"user {changed.name} is changed", *_warnings(changed.name, call, changed)), shown(changed))


async def password(context: Context, call: Call) -> Result:
    if "password" not in call.values:
        raise Refused('the new password is missing; write it as password="…"')
    done = await update(context, call)
    return replace(done, lines=(f"the password of {done.data['name']} is changed", *done.lines[1:]))


async def delete(context: Context, call: Call) -> Result:
    user = find_user(context, call.target.user)
    _not_oneself(context, user)
    await keep(context, [], [user])
    said = (
        f"user {user.name} is deleted; settings and history are kept for {REMOVED_DAYS} days, and user restore "
        f"{user.name} brings them back"
    )
    return Result((said,), {"name": user.name})


async def list_all(context: Context, call: Call) -> Result:
    users = sorted(context.house.users(), key=lambda user: fold_name(user.name))
    lines = [_line(user) for user in users] or ["there are no users yet; user create NAME makes one"]
    return Result(tuple(lines), [shown(user) for user in users])


async def show(context: Context, call: Call) -> Result:
    user = find_user(context, call.target.user)
    data = shown(user)
    return Result((_line(user), *setting_lines(data["settings"])), data)


def shown(user: User) -> dict[str, Any]:
    """A user as data, without secrets."""
    return {
        "name": user.name,
        "admin": user.admin,
        "enabled": user.enabled,
        "settings": without_secrets(user_values(user), USER_KEYS),
        "networks": [network.name for network in user.networks],
    }


def setting_lines(settings: dict[str, Any]) -> list[str]:
    """One line per setting; a secret is only said to be there."""
    return [f"  {name} = {_setting(value)}" for name, value in settings.items() if name != "name"]


def _setting(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value)


def _line(user: User) -> str:
    marks = [mark for mark, true in (("admin", user.admin), ("closed", not user.enabled)) if true]
    if not user.password_hash:
        marks.append("no password")
    networks = ", ".join(network.name for network in user.networks) or "no network"
    mark = f" ({', '.join(marks)})" if marks else ""
    return f"{user.name}{mark}: {networks}"


async def _hashed(context: Context, call: Call) -> dict[str, Any]:
    """The settings with what is kept of a password in place of it."""
    settings = dict(call.values)
    if "password" in settings and not {"password_hash", "scram"}.isdisjoint(settings):
        raise Refused("give either password or what is kept of it, not both")
    if "scram" in settings and "password_hash" not in settings:
        raise Refused("scram goes with the password_hash of the same password; password= makes both")
    if "password" in settings:
        plain = settings.pop("password")
        settings["password_hash"] = await context.passwords.hash(plain)
        settings["scram"] = await context.passwords.scram(plain)
    elif "password_hash" in settings:
        settings.setdefault("scram", "")  # else the old password would still open this account by SCRAM
    return settings


def _warnings(name: str, call: Call, user: User) -> list[str]:
    plain = call.values.get("password")
    weak = weakness(name, plain) if plain is not None else ""
    if weak:
        return [f"warning: {weak}"]
    if not user.password_hash:
        return [f"warning: nobody can log in as {name} until there is a password; user password {name} sets one"]
    return []


def _free(context: Context, name: str) -> None:
    account = context.house.account(name)
    if account is not None:
        raise Refused(
            f"there is a user {quoted(account.user.name)} already; user update {account.user.name} changes it"
        )


def _not_oneself(context: Context, user: User) -> None:
    """An admin inside IRC would lock the door behind themselves."""
    if user.admin and fold_name(user.name) == fold_name(context.actor.user):
        raise Refused("you can't close, demote or delete your own admin account from IRC; use the command line")


OPERATIONS = (
    Operation(
        "user create",
        "make a user",
        "A user is one person: a name and password to log in with, and networks of their own.",
        ("user create bob", 'user create bob password="correct horse battery" nick=bobby'),
        create,
        Who.ADMIN,
        Takes.USER,
        keys=_SETTINGS,
    ),
    Operation(
        "user update",
        "change a user's settings",
        "What is not named stays as it is. KEY= with nothing after it puts the default back.",
        ("user update {user} timezone=Europe/Berlin", 'user update {user} realname="Alice A." nick=alice'),
        update,
        takes=Takes.USER,
        left_out=LeftOut.OWN,
        keys=USER_KEYS,
    ),
    Operation(
        "user delete",
        "delete a user with all networks",
        f"Clients are disconnected and networks are left at once. All is kept for {REMOVED_DAYS} days: user restore "
        "brings it back.",
        ("user delete bob",),
        delete,
        Who.ADMIN,
        Takes.USER,
    ),
    Operation("user list", "list all users", "One line per user.", ("user list",), list_all, Who.ADMIN, reads=True),
    Operation(
        "user show",
        "show a user's settings",
        "Settings that are not shown have their default. Of a password only that there is one.",
        ("user show {user}",),
        show,
        takes=Takes.USER,
        left_out=LeftOut.OWN,
        reads=True,
    ),
    Operation(
        "user password",
        "set the password to log in with",
        "Clients that are attached stay so; new logins need the new password. On the command line it is asked for, or "
        "read from standard input, when it is not given.",
        ('user password {user} password="correct horse battery"',),
        password,
        takes=Takes.USER,
        left_out=LeftOut.OWN,
        keys=_PASSWORD,
    ),
)
