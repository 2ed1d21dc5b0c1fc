"""From a client's line to the row of the table that answers it. The gates are here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bouncer.downstream.place import Attached
from bouncer.irc import numerics
from bouncer.irc.message import Message

Handler = Callable[[Attached, Message], None]


@dataclass(frozen=True, slots=True)
class Command:
    """How one command is answered. ``least``: with fewer parameters it is refused (461)."""

    handler: Handler
    least: int = 0


def dispatch(table: Mapping[str, Command], session: Attached, message: Message) -> None:
    """Do what a registered client says. A command without a row goes to the network as it is."""
    row = table.get(message.command)
    if row is None:
        if message.command.isalnum():
            session.place.send(session, message)
        else:  # such as the source that stood behind a source: what is behind it could be a verb of registration
            session.say(numerics.ERR_UNKNOWNCOMMAND, message.command, "Unknown command")
    elif len(message.params) < row.least:
        session.say(numerics.ERR_NEEDMOREPARAMS, message.command, "Not enough parameters")
    else:
        row.handler(session, message)
