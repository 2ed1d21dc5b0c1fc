"""The operations on client certificates: what logs a user in without a password.

Owns what may be done with them; the listener's own certificate is the business of `certs`. Must not know how a client
shows one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bouncer.model.errors import Refused
from bouncer.model.records import ClientCertificate, User, fold_name
from bouncer.operations import values
from bouncer.operations.change import find_user, keep
from bouncer.operations.context import Context
from bouncer.operations.names import meant, quoted
from bouncer.operations.row import NEEDED, Call, Key, LeftOut, Operation, Result, Takes
from bouncer.operations.tokens import label, put_out

_NO_NAME = "certificate"  # of one that is given no name; others are numbered


async def add(context: Context, call: Call) -> Result:
    user = find_user(context, call.target.user)
    own = fold_name(user.name) == fold_name(context.actor.user)
    fingerprint = call.values.get("fingerprint") or (context.actor.fingerprint if own else "")
    if not fingerprint:
        raise Refused("fingerprint is missing; your client shows it, or connect with the certificate and add it then")
    if any(each.fingerprint == fingerprint for each in user.certificates):
        raise Refused(f"{user.name} has that certificate already")
    if len(user.certificates) >= values.CERTIFICATES_LIMIT:
        raise Refused(f"{user.name} has {values.CERTIFICATES_LIMIT} certificates, which is all there may be")
    taken = {each.name for each in user.certificates}
    name = call.values.get("name") or _free_name(taken)
    if name in taken:
        raise Refused(f"{user.name} has a certificate {quoted(name)} already; give this one another name")
    certificate = ClientCertificate(name, fingerprint)
    await keep(context, [replace(user, certificates=(*user.certificates, certificate))])
    return Result((f"certificate {name} logs {user.name} in from now on, by SASL EXTERNAL",), _shown(user, certificate))


async def delete(context: Context, call: Call) -> Result:
    user = find_user(context, call.target.user)
    named = call.target.device
    plain = named.replace(":", "")
    found = next((each for each in user.certificates if each.name == named or each.fingerprint == plain), None)
    if found is None:
        known = meant(named, [each.name for each in user.certificates])
        raise Refused(f"there is no certificate {quoted(named)}{known or '; certificate list shows them'}")
    left = replace(user, certificates=tuple(each for each in user.certificates if each != found))
    await keep(context, [left])
    put_out(context, [left])
    return Result((f"certificate {found.name} is deleted; who came in by it is put out",), _shown(user, found))


async def list_all(context: Context, call: Call) -> Result:
    users = [find_user(context, call.target.user)] if call.target.user else context.house.users()
    ordered = sorted(users, key=lambda each: fold_name(each.name))
    found = [(user, certificate) for user in ordered for certificate in user.certificates]
    return Result(
        tuple(f"{label(context, user, each.name)}: SHA-256 {each.fingerprint}" for user, each in found)
        or ("there are no certificates; certificate add name=laptop registers the one that your client shows",),
        [_shown(user, each) for user, each in found],
    )


def _free_name(taken: set[str]) -> str:
    number = 1
    while (name := _NO_NAME if number == 1 else f"{_NO_NAME}-{number}") in taken:
        number += 1
    return name


def _shown(user: User, certificate: ClientCertificate) -> dict[str, Any]:
    return {"user": user.name, "name": certificate.name, "fingerprint": certificate.fingerprint}


_KEYS = (
    Key("name", "what to call it; a client that logs in by it is this device", "name=laptop", values.device),
    Key(
        "fingerprint",
        "its SHA-256 fingerprint; left out inside IRC it is the one that your client shows",
        "fingerprint=AB:CD:…",
        values.fingerprint,
        NEEDED,
    ),
)

OPERATIONS = (
    Operation(
        "certificate add",
        "let a client's TLS certificate log in",
        "The client then needs no password: by SASL EXTERNAL, or by connecting with nothing but the login in USER. "
        "Inside IRC, where fingerprint= is left out, it is the certificate that your client shows.",
        ("certificate add {scope} name=laptop fingerprint=AB:CD:…",),
        add,
        takes=Takes.USER,
        left_out=LeftOut.OWN,
        keys=_KEYS,
    ),
    Operation(
        "certificate list",
        "list the certificates that log in",
        "These are the clients' own; the listener's is shown by cert show.",
        ("certificate list", "certificate list {user}"),
        list_all,
        takes=Takes.USER,
        left_out=LeftOut.ALL,
        reads=True,
    ),
    Operation(
        "certificate delete",
        "log a certificate in no more",
        "By its name or its fingerprint. Clients that came in by it are put out at once.",
        ("certificate delete {device}",),
        delete,
        takes=Takes.DEVICE,
    ),
)
