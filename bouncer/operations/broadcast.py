"""The operation that tells all who are attached something.

Owns its words. Must not know how they reach a client.
"""

from __future__ import annotations

from bouncer.downstream.welcome import note
from bouncer.operations import values
from bouncer.operations.context import Context
from bouncer.operations.overview import number
from bouncer.operations.row import NEEDED, Call, Key, Operation, Result, Who


async def broadcast(context: Context, call: Call) -> Result:
    text = f"To all users: {call.values['text']}"
    told = 0
    for account in list(context.house.accounts.values()):
        for session in account.sessions:
            session.reply(note(session.nick, text))
            told += 1
    return Result((f"told to {number(told, 'attached client')}",), {"clients": told})


OPERATIONS = (
    Operation(
        "broadcast",
        "tell all attached clients of all users something",
        "It comes as a notice from *bouncer to whoever is attached now, and is not kept for others.",
        ('broadcast "restart at 18:00, back in a minute"',),
        broadcast,
        Who.ADMIN,
        keys=(Key("text", "what to say", 'text="back in a minute"', values.text, NEEDED),),
        rest="text",
    ),
)
