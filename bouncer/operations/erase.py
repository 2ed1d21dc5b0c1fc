"""The operation that deletes history at once and for good.

Owns what is meant, and that it is meant. Must not know how lines are deleted.
"""

from __future__ import annotations

from datetime import UTC, datetime

from bouncer.model.errors import Refused
from bouncer.model.history import LAST_SEQ, Expiry
from bouncer.model.records import fold_name
from bouncer.operations import values
from bouncer.operations.change import find_network, network_label
from bouncer.operations.context import Context
from bouncer.operations.row import Call, Key, Operation, Result, Takes, Target
from bouncer.operations.search import milliseconds, moment, zone_of
from bouncer.operations.undo import removed_networks, removed_users


async def delete(context: Context, call: Call) -> Result:
    target, wanted = call.target, call.values
    ids = await _meant(context, target)
    account = context.house.account(target.user)
    before = wanted.get("before")
    moment_before = milliseconds(before, zone_of(account.user.timezone if account is not None else "UTC"))
    conversation = wanted.get("in", "")
    label = network_label(context, target.user, target.network)
    what = f"all that was said in {label}/{conversation}" if conversation else f"the history of {label}"
    if before is not None:
        what += f" before {before.isoformat(' ', 'minutes')}"
    if not wanted.get("confirm"):
        raise Refused(f"this would delete {what}, and nothing brings it back; with confirm=yes it does")
    if context.archive.failing:
        raise Refused("nothing can be deleted while history can't be stored; say it again when it can")
    links = account.links if account is not None else {}
    for network in ids:
        # what comes from now on is not meant
        upto = links[network].log.seq if network in links else LAST_SEQ
        context.archive.expire(Expiry(network, conversation, moment_before, upto))
    if context.process.facts().running:
        said = f"{what} is being deleted: thousands of lines a second, without holding anybody up"
    else:
        await context.archive.expired()  # nobody is there to go on
        said = f"{what} is deleted"
    return Result((said,), {"network": target.network, "user": target.user, "in": conversation})


async def _meant(context: Context, target: Target) -> list[int]:
    """The ids of that network, or of the deleted ones of that name. Raises Refused."""
    name = fold_name(target.network)
    account = context.house.account(target.user)
    found = account.user.network(target.network) if account is not None else None
    if found is not None:
        return [found.id]
    if account is not None:  # a deleted user who had that name before is somebody else
        ids = [
            network.id
            for owner, network, _ in await removed_networks(context)
            if owner == account.user.id and fold_name(network.name) == name
        ]
    else:
        ids = [
            network.id
            for user, _ in await removed_users(context)
            if fold_name(user.name) == fold_name(target.user)
            for network in user.networks
            if fold_name(network.name) == name
        ]
    return ids or [find_network(context, target)[1].id]


def _moment(value: object) -> datetime:
    found = moment(value)
    if (found.replace(tzinfo=UTC) if found.tzinfo is None else found).timestamp() <= 0:
        raise Refused("it is before 1970, when nothing was said")
    return found


OPERATIONS = (
    Operation(
        "history delete",
        "delete history at once, and for good",
        "Of a network, or of one conversation in it; all, or what was said before a time. No undo brings it back, and "
        "it is not kept for 30 days. Of a deleted network too, which stays to be restored without its history. If the "
        "bouncer ends while much is being deleted, say it again. keep= of network update deletes by and by.",
        (
            "history delete {network} in=#python before=2026-01-31 confirm=yes",
            "history delete {network} confirm=yes",
        ),
        delete,
        takes=Takes.NETWORK,
        keys=(
            Key("in", "only in that channel, or in private with that nick", "in=#python", values.target),
            Key("before", "only before that date or time", "before=2026-01-31", _moment, None),
            Key("confirm", "yes says that it is meant", "confirm=yes", values.yes_or_no, False),
        ),
    ),
)
