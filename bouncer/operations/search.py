"""The operation that finds what was said.

Owns how a search is written, how its lines are shown, and how the next page is named. Must not know how words
are found.
"""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bouncer.irc.formatting import strip_formatting
from bouncer.irc.message import Message
from bouncer.model.entry import Kind
from bouncer.model.errors import Refused
from bouncer.model.history import Search, Spot
from bouncer.model.ports import Found
from bouncer.model.records import User, fold_name
from bouncer.operations import values
from bouncer.operations.change import find_network, find_user
from bouncer.operations.context import Context
from bouncer.operations.names import CHANNEL_LIMIT, nick, one_line, quoted
from bouncer.operations.row import Call, Key, LeftOut, Operation, Result, Takes

DEFAULT_LINES = 20  # a screen of a chat window
LINES_LIMIT = 100  # of one answer: at a chat window's pace more is not read

_SPOT = re.compile(r"(\d{1,18})\.(\d{1,18})\.(\d{1,18})", re.ASCII)
_ACTION = "\x01ACTION "
_NEEDS_QUOTES = re.compile(r"[\s'\"]")
# What moves a terminal's cursor, ends a line or turns the direction of writing, and bytes that are no text.
_HARMFUL = re.compile("[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


async def search(context: Context, call: Call) -> Result:
    user = of_their_own(context, call)
    networks = [find_network(context, call.target)[1]] if call.target.network else user.networks
    wanted = call.values
    if not (wanted.get("text") or wanted.get("in") or wanted.get("from")):
        raise Refused("search needs something to look for: words, in= or from=")
    zone = zone_of(user.timezone)
    before = wanted.get("before")
    limit = wanted.get("limit", DEFAULT_LINES)
    after = milliseconds(wanted.get("after"), zone)
    found = await context.history.search(
        Search(
            tuple(network.id for network in networks),
            wanted.get("text", ""),
            limit + 1,
            wanted.get("in", ""),
            wanted.get("from", ""),
            None if after is None else after - 1,  # what was said at that very moment is not before it
            None if isinstance(before, Spot) else milliseconds(before, zone),
            before if isinstance(before, Spot) else None,
        )
    )
    names = {network.id: network.name for network in networks}
    data = [as_data(hit, names[hit.network]) for hit in reversed(found[:limit])]
    lines = [shown(each, zone) for each in data]
    older = ""
    if len(found) > limit:
        older = ".".join(map(str, found[limit - 1].spot))
        lines.append(f"there is more: {_command(context, call, zone, older)}")
    return Result(tuple(lines) or ("nothing found",), {"lines": data, "before": older})


def of_their_own(context: Context, call: Call) -> User:
    """Whose history is asked for. Raises Refused if it is somebody else's."""
    user = find_user(context, call.target.user)
    if not context.actor.is_machine and fold_name(user.name) != fold_name(context.actor.user):
        raise Refused("what others said and were told is not searched from here, also not by admins")
    return user


def as_data(hit: Found, network: str) -> dict[str, Any]:
    """A line of text as data."""
    message = Message.parse(hit.line.raw)
    text = message.param(1)
    kind = "notice" if hit.line.kind == Kind.NOTICE else "message"
    if text.startswith(_ACTION):
        kind, text = "action", text.removeprefix(_ACTION).removesuffix("\x01")
    return {
        "time": hit.line.time / 1000,
        "network": network,
        "target": _harmless(hit.line.target),
        "nick": _harmless(message.nick),
        "kind": kind,
        "text": _harmless(strip_formatting(text)),
    }


def shown(line: dict[str, Any], zone: tzinfo) -> str:
    """A line of text as people read it."""
    time = datetime.fromtimestamp(line["time"], zone).strftime("%Y-%m-%d %H:%M")
    form = {"message": "<{}>", "notice": "-{}-", "action": "* {}"}[line["kind"]]
    return f"{time} {line['network']}/{line['target']} {form.format(line['nick'])} {line['text']}"


def _harmless(text: str) -> str:
    return _HARMFUL.sub("\ufffd", text)


def _command(context: Context, call: Call, zone: tzinfo, older: str) -> str:
    """What is to be typed for the next page, as this asker writes it."""
    target, wanted = call.target, call.values
    is_machine = context.actor.is_machine
    scope = [target.user, target.network] if is_machine else [target.network]
    words = ["/".join(part for part in scope if part)]
    words += [f"{name}={wanted[name]}" for name in ("text", "in", "from") if wanted.get(name)]
    if wanted.get("after"):
        words.append(f"after={_aware(wanted['after'], zone).isoformat()}")
    words.append(f"before={older}")
    if "limit" in wanted:
        words.append(f"limit={wanted['limit']}")
    written = [shlex.quote(word) if is_machine or _NEEDS_QUOTES.search(word) else word for word in words if word]
    return " ".join(["bouncer search" if is_machine else "search", *written])


def zone_of(name: str) -> tzinfo:
    """A user's time zone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a zone that this machine's database has lost
        return UTC


def _aware(moment: datetime, zone: tzinfo) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def milliseconds(moment: datetime | None, zone: tzinfo) -> int | None:
    """A moment as history has it; without an offset it is of that zone."""
    return None if moment is None else round(_aware(moment, zone).timestamp() * 1000)


def moment(value: object) -> datetime:
    """A date or a time as ISO 8601 writes it; without an offset it is of the user's time zone."""
    plain = values.text(value)
    try:
        return datetime.fromisoformat(plain)
    except ValueError:
        raise Refused(f"{quoted(plain)} is not a date; write it as 2026-11-22 or 2026-11-22T20:41") from None


def _bound(value: object) -> datetime | Spot:
    """A date, or the place that the last line of an answer names."""
    place = _SPOT.fullmatch(values.text(value))
    return Spot(*map(int, place.groups())) if place else moment(value)


OPERATIONS = (
    Operation(
        "search",
        "find what was said",
        "In all networks or in one; only lines of text, and only the asker's own. All words have to be in a line: "
        '"in quotes" they follow each other, and wor* is what begins so. Case and accents make no difference. The '
        "newest are found first; the last line of an answer is the command for those before them. Times are of the "
        "user's time zone; history show with one of them shows what was said around it.",
        (
            "search {scope} release notes in=#python after=2026-01-31",
            "search {scope} deploy* from=bob limit=50",
        ),
        search,
        takes=Takes.SCOPE,
        left_out=LeftOut.OWN,
        keys=(
            Key("text", "the words, which may also stand without text=", 'text="release notes"', values.text),
            Key(
                "in", "only in that channel, or in private with that nick", "in=#python",
                lambda value: one_line(values.text(value), CHANNEL_LIMIT),
            ),
            Key("from", "only what that nick said", "from=bob", values.checked(nick)),
            Key("after", "only from that date or time on", "after=2026-11-22T20:41", moment, None),
            Key("before", "only before that date or time", "before=2026-11-22", _bound, None),
            Key(
                "limit", "how many lines to show", "limit=50",
                values.count(1, LINES_LIMIT), DEFAULT_LINES,
            ),
        ),
        rest="text",
        mixes=True,
        reads=True,
    ),
)  # fmt: skip
