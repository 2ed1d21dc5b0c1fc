"""The operations on everything at once: apply and export.

Owns how they answer. Must not know where the file comes from or goes to.
"""

from __future__ import annotations

from bouncer.model.errors import Refused
from bouncer.model.records import REMOVED_DAYS, fold_name
from bouncer.operations import state_file, values
from bouncer.operations.change import find_user, keep
from bouncer.operations.context import Context
from bouncer.operations.plan import kept_of_passwords, plan
from bouncer.operations.row import NEEDED, Call, Key, LeftOut, Operation, Result, Takes, Who
from bouncer.operations.tokens import put_out


def _whole_text(value: object) -> str:
    if not isinstance(value, str):
        raise Refused("it is to be the text of a state file")
    return value


async def apply(context: Context, call: Call) -> Result:
    if "file" not in call.values:
        raise Refused("the state file is missing; bouncer apply FILE.toml reads one")
    wanted = state_file.parse(call.values["file"])
    prune, dry_run = call.values.get("prune", False), call.values.get("dry_run", False)
    if prune and not wanted:
        raise Refused("the file names no user, so that --prune would delete all of them; that is hardly meant")
    kept = await kept_of_passwords(context, wanted)
    todo = plan(context, wanted, kept, prune)
    if todo.changes and not dry_run:
        await keep(context, todo.saved, todo.removed)
        put_out(context, todo.saved)
    lines = [str(change) for change in todo.changes] or ["nothing to change"]
    if todo.changes and dry_run:
        lines.append("this was a dry run: nothing was changed")
    elif any(change.act == "delete" and change.what != "channel" for change in todo.changes):
        lines.append(
            f"what is deleted is kept for {REMOVED_DAYS} days: user restore NAME and network restore USER/NETWORK "
            "bring it back"
        )
    changes = [
        {"act": change.act, "what": change.what, "name": change.name, "keys": list(change.keys)}
        for change in todo.changes
    ]
    data = {"changes": changes, "warnings": list(todo.warnings), "dry_run": dry_run}
    return Result((*lines, *(f"warning: {warning}" for warning in todo.warnings)), data)


async def export(context: Context, call: Call) -> Result:
    secrets = call.values.get("secrets", False)
    if secrets and not context.actor.is_machine:
        raise Refused("secrets are exported on the command line only: bouncer export --secrets")
    if call.target.user:
        users = [find_user(context, call.target.user)]
    else:
        users = sorted(context.house.users(), key=lambda user: fold_name(user.name))
    text = state_file.export(users, secrets)
    return Result(tuple(text.splitlines()), {"toml": text}, secret=secrets)


_PRUNE = Key(
    "prune", "also remove the users, networks and channels that it does not name", "prune=yes", values.yes_or_no, False
)
_DRY_RUN = Key("dry_run", "only say what would be changed", "dry_run=yes", values.yes_or_no, False)
_FILE = Key("file", "the text of the state file", "file=…", _whole_text, NEEDED, secret=True)
_SECRETS = Key("secrets", "passwords, keys and hashes too", "secrets=yes", values.yes_or_no, False, Who.ADMIN)

OPERATIONS = (
    Operation(
        "apply",
        "make users, networks and channels be as a file says",
        "A file with one mistake changes nothing. Keys that are left out have their default, but a secret that is left "
        "out stays as it is. Applying the same file again changes nothing. What the file does not name stays, "
        f"unless it is pruned; users and networks that are pruned are kept for {REMOVED_DAYS} days, and user restore "
        "and network restore bring them back.",
        ("apply state.toml --dry-run", "apply state.toml --prune"),
        apply,
        Who.ADMIN,
        keys=(_FILE, _PRUNE, _DRY_RUN),
        here=False,
    ),
    Operation(
        "export",
        "print users, networks and channels as such a file",
        "What is printed can be given to apply. With its secrets it gives back the same, also on another machine.",
        ("export", "export {user}"),
        export,
        takes=Takes.USER,
        left_out=LeftOut.ALL,
        keys=(_SECRETS,),
        reads=True,
    ),
)
