"""The operation that shows what was said around a moment: the context of what a search found.

Owns how an excerpt is chosen. Must not know how lines are found.
"""

from __future__ import annotations

from dataclasses import replace

from bouncer.model.errors import Refused
from bouncer.model.history import LAST_SEQ, Mark, Range
from bouncer.model.ports import Found
from bouncer.operations import values
from bouncer.operations.change import find_network
from bouncer.operations.context import Context
from bouncer.operations.row import Call, Key, LeftOut, Operation, Result, Takes
from bouncer.operations.search import (
    DEFAULT_LINES,
    LINES_LIMIT,
    as_data,
    milliseconds,
    moment,
    of_their_own,
    shown,
    zone_of,
)

LAST_TIME = 1 << 62  # milliseconds: beyond every line


async def show(context: Context, call: Call) -> Result:
    user = of_their_own(context, call)
    network = find_network(context, call.target)[1]
    wanted = call.values
    if not wanted.get("in"):
        raise Refused("history show needs to know of what: in=#python, or in=bob for what was said in private")
    zone, limit = zone_of(user.timezone), wanted.get("limit", DEFAULT_LINES)
    around = milliseconds(wanted.get("around"), zone)
    middle = Mark(LAST_TIME if around is None else around, 0)
    asked = Range(network.id, (wanted["in"],), LAST_SEQ, limit, before=middle, newest=True)
    early = await context.history.lines(asked)
    late = await context.history.lines(replace(asked, after=middle, before=None, newest=False))
    first = max(0, len(early) - max(limit // 2, limit - len(late)))
    lines = early[first:] + late
    data = [as_data(Found(network.id, line), network.name) for line in lines[:limit]]
    return Result(tuple(shown(each, zone) for each in data) or ("nothing was said",), {"lines": data})


OPERATIONS = (
    Operation(
        "history show",
        "show what was said around a moment",
        "Of one conversation: the newest lines, or those around a date or time, for instance around what search has "
        "found, whose lines begin with their time. Only the asker's own. Times are of the user's time zone.",
        (
            "history show {network} in=#python around=2026-11-22T20:41",
            "history show {network} in=bob limit=50",
        ),
        show,
        takes=Takes.NETWORK,
        left_out=LeftOut.OWN,
        keys=(
            Key("in", "that channel, or in private with that nick", "in=#python", values.target),
            Key("around", "the date or time that is to be in the middle", "around=2026-11-22T20:41", moment, None),
            Key("limit", "how many lines to show", "limit=50", values.count(1, LINES_LIMIT), DEFAULT_LINES),
        ),
        reads=True,
    ),
)
