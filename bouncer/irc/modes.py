"""Read and write mode changes.

Owns which modes of a channel take a parameter, as a network's ISUPPORT tells. Must not know what a mode does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bouncer.irc.isupport import ISupport


class ModeChange(NamedTuple):
    """One letter given (``add``) or taken; ``arg`` is None where the letter stands alone."""

    add: bool
    mode: str
    arg: str | None


def parse_channel_modes(params: Sequence[str], isupport: ISupport) -> list[ModeChange]:
    """Split the parameters of MODE (or 324) that follow the channel's name: the letters, then what they take.

    Modes of members, lists (type A) and keys (B) take a parameter, limits (C) only when given, all others none.
    A parameter that is missing is None: for a list that asks for its entries. Never raises.
    """
    if not params:
        return []
    list_modes, key_modes, limit_modes, _ = isupport.chanmodes
    always = isupport.prefix_modes + list_modes + key_modes
    when_added = always + limit_modes
    args = iter(params[1:])
    changes = []
    add = True
    for letter in params[0]:
        if letter in "+-":
            add = letter == "+"
        else:
            takes_one = letter in (when_added if add else always)
            changes.append(ModeChange(add, letter, next(args, None) if takes_one else None))
    return changes


def parse_user_modes(modestring: str) -> list[ModeChange]:
    """Split the letters of a user's own MODE (or 221); none takes a parameter. Never raises."""
    changes = []
    add = True
    for letter in modestring:
        if letter in "+-":
            add = letter == "+"
        else:
            changes.append(ModeChange(add, letter, None))
    return changes


def render_modes(changes: Iterable[ModeChange]) -> list[str]:
    """The parameters of a MODE that makes ``changes``: the letters, then what they take; empty for no change.

    How many changes and bytes one line may have is for the caller to see to.
    """
    letters = ""
    args = []
    sign: bool | None = None
    for change in changes:
        if change.add is not sign:
            sign = change.add
            letters += "+" if sign else "-"
        letters += change.mode
        if change.arg is not None:
            args.append(change.arg)
    return [letters, *args] if letters else []
