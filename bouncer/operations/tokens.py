"""The operations on tokens: passwords for one device each, which can be taken back one by one.

Owns what a token looks like. Must not know how one is checked at login.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bouncer.model.errors import Refused
from bouncer.model.records import Token, User, fold_name
from bouncer.operations import values
from bouncer.operations.change import find_user, keep
from bouncer.operations.context import Context
from bouncer.operations.names import meant, quoted
from bouncer.operations.row import Call, Key, LeftOut, Operation, Result, Takes

ID_SIZE = 8  # letters of an id: enough that a hundred of one user are never alike
_GONE = "What this device logged in with was taken back"


async def create(context: Context, call: Call) -> Result:
    user = find_user(context, call.target.user)
    if len(user.tokens) >= values.TOKENS_LIMIT:
        raise Refused(
            f"{user.name} has {values.TOKENS_LIMIT} tokens, which is all there may be; token delete drops one"
        )
    secret = context.passwords.generate()
    token_id = hashlib.sha256(secret.encode()).hexdigest()[:ID_SIZE]
    password = f"bnc-{token_id}-{secret}"
    device = call.values.get("device") or f"token-{token_id}"
    digest = hashlib.sha256(password.encode()).hexdigest()
    token = Token(token_id, device, digest, int(context.now))
    await keep(context, [replace(user, tokens=(*user.tokens, token))])
    named = label(context, user, token_id)
    lines = (
        f"password for {user.name}@{device}: {password}",
        f"it is shown this once, and is typed instead of the password; token delete {named} takes it back",
    )
    return Result(lines, {**_shown(user, token), "password": password}, secret=True)


async def delete(context: Context, call: Call) -> Result:
    user = find_user(context, call.target.user)
    named = call.target.device
    fitting = [token for token in user.tokens if named in (token.id, token.device)]
    if len(fitting) != 1:
        ids = [token.id for token in fitting]
        problem = f"there is no token {quoted(named)}" if not ids else f"{quoted(named)} has several tokens"
        hint = f"; name one by its id: {', '.join(ids)}" if ids else meant(named, [each.id for each in user.tokens])
        raise Refused(f"{problem}{hint or '; token list shows them'}")
    (token,) = fitting
    left = replace(user, tokens=tuple(each for each in user.tokens if each.id != token.id))
    await keep(context, [left])
    put_out(context, [left])
    return Result((f"token {token.id} of {token.device} is deleted; its clients are put out",), _shown(user, token))


async def list_all(context: Context, call: Call) -> Result:
    users = [find_user(context, call.target.user)] if call.target.user else context.house.users()
    found = [(user, token) for user in sorted(users, key=lambda each: fold_name(each.name)) for token in user.tokens]
    lines = [
        f"{label(context, user, token.id)}: {token.device}, made {datetime.fromtimestamp(token.created, UTC):%Y-%m-%d}"
        for user, token in found
    ]
    return Result(
        tuple(lines) or ("there are no tokens; token create device=phone makes one",),
        [_shown(user, token) for user, token in found],
    )


def put_out(context: Context, users: Iterable[User]) -> None:
    """End the sessions of those who came in by a token or certificate that their user has no more."""
    for user in users:
        account = context.house.account(user.name)
        tokens = {token.id for token in user.tokens}
        certificates = {certificate.fingerprint for certificate in user.certificates}
        for session in account.sessions if account is not None else ():
            token, certificate = session.arrival.token, session.arrival.certificate
            if (token and token not in tokens) or (certificate and certificate not in certificates):
                session.close(_GONE)


def label(context: Context, user: User, name: str) -> str:
    """How this asker writes something of that user."""
    return name if fold_name(user.name) == fold_name(context.actor.user) else f"{user.name}/{name}"


def _shown(user: User, token: Token) -> dict[str, Any]:
    return {"user": user.name, "id": token.id, "device": token.device, "created": token.created}


_DEVICE = Key(
    "device", "the device that logs in by it; left out it is named for the token", "device=phone", values.device
)

OPERATIONS = (
    Operation(
        "token create",
        "make a password for one device",
        "Give each device its own: it is that device then, whatever @device its login names, and can be taken back "
        "without a change on the others. It goes where the password goes, in SASL PLAIN or as server password.",
        ("token create {scope} device=phone",),
        create,
        takes=Takes.USER,
        left_out=LeftOut.OWN,
        keys=(_DEVICE,),
    ),
    Operation(
        "token list",
        "list the passwords of devices",
        "They themselves are not kept, and so not shown.",
        ("token list", "token list {user}"),
        list_all,
        takes=Takes.USER,
        left_out=LeftOut.ALL,
        reads=True,
    ),
    Operation(
        "token delete",
        "take the password of a device back",
        "Clients that came in by it are put out at once. Its device names it, or the id that token list shows.",
        ("token delete {device}",),
        delete,
        takes=Takes.DEVICE,
    ),
)
