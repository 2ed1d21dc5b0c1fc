"""The operation that gets a user back in whose password is lost.

Owns what it opens. It is for who has the machine: inside IRC it is not there.
"""

from __future__ import annotations

import secrets
from dataclasses import replace

from bouncer.operations import values
from bouncer.operations.change import find_user, keep
from bouncer.operations.context import Context
from bouncer.operations.row import Call, Key, Operation, Result, Takes, Who

PASSWORD_BYTES = 15  # of randomness: 20 letters


async def recover(context: Context, call: Call) -> Result:
    find_user(context, call.target.user)  # before the work of a hash
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    hashed, scram = await context.passwords.hash(password), await context.passwords.scram(password)
    user = find_user(context, call.target.user)
    admin = user.admin or call.values.get("admin", False)
    await keep(context, [replace(user, password_hash=hashed, scram=scram, enabled=True, admin=admin)])
    lines = [f"the new password of {user.name} is {password}", "it is shown this once; the old one opens nothing more"]
    if not user.enabled:
        lines.append("the account was closed, and is open now")
    if admin and not user.admin:
        lines.append(f"{user.name} is an admin now")
    return Result(tuple(lines), {"name": user.name, "password": password}, secret=True)


OPERATIONS = (
    Operation(
        "user recover",
        "give a user a new random password, and print it",
        "For a password that is lost. The account is opened if it was closed. It works whether the bouncer runs or "
        "not; whoever may read the bouncer's folder may do it.",
        ("user recover {user}", "user recover {user} admin=yes"),
        recover,
        Who.ADMIN,
        Takes.USER,
        keys=(Key("admin", "yes makes the user an admin, too", "admin=yes", values.yes_or_no, False),),
        here=False,
    ),
)
