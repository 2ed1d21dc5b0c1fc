"""Getting into the channels that a user wants, and staying there: which JOIN goes out when.

Owns why we are not in a channel, and when it is tried again. Must not know the clock or the sockets: times (seconds)
and what makes one link's waits differ from another's are arguments.

A refusal is answered by waiting, longer each time; by what the network's word says will help, where it says so (a
login, a free place, an invitation); or not at all on this connection. All that is due at one time is one line.

RFC 1459 section 4.2.1; https://defs.ircdocs.horse
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from math import ceil, inf
from types import MappingProxyType
from zlib import crc32

from bouncer.core.status import ChannelStatus, printable
from bouncer.core.wishes import Wishes, is_key
from bouncer.irc import numerics
from bouncer.irc.casemap import CaseMap, Fold
from bouncer.irc.message import Message
from bouncer.model.records import Channel
from bouncer.model.state import ChannelState

LINE_BUDGET = 480  # bytes of channels and keys in one JOIN: 512 less the command, two spaces, a colon and CRLF
FIRST_WAIT = 30.0  # seconds after a refusal that time may heal; doubled each time ...
SLOW_WAIT = 600.0  # ... or after one that somebody has to heal; to ask more often is a nuisance ...
LONGEST_WAIT = 1800.0  # ... up to this
JITTER = 0.2  # of a wait, so that many users of one network do not come back together
ROUND = 10.0  # waits end on a grid of so many seconds, so that channels share a line
ANSWER_WAIT = 60.0  # seconds after which a JOIN without an answer was lost
LOGIN_WAIT = 5.0  # seconds that the first JOIN waits for services, when connect commands log in there
INVITE_PAUSE = 10.0  # seconds between two JOINs by invitation: who invites must not make us flood
KICK_WAIT = 2.0  # seconds until a sticky channel is joined again; doubled with each kick
KICKS_LIMIT = 5  # kicks in KICKS_SPAN seconds after which a sticky channel is let be
KICKS_SPAN = 600.0
REASON_LIMIT = 300  # characters of a network's words that are kept

SERVICES = frozenset({"nickserv", "authserv", "userserv", "q", "x"})  # where one logs in, by PRIVMSG ...
SERVICE_COMMANDS = frozenset({"NICKSERV", "NS", "AUTHSERV", "USERSERV", "IDENTIFY", "LOGIN", "AUTH"})  # ... or by these


class Heals(Enum):
    """What makes it worth trying again at once."""

    NOTHING = "nothing"
    LOGIN = "login"
    LEAVING = "leaving another channel"


@dataclass(frozen=True, slots=True)
class _Rule:
    """How a refusal is answered: by waiting (``first`` seconds, then longer), by what ``heals``, or both."""

    first: float = FIRST_WAIT
    heals: Heals = Heals.NOTHING


_PATIENT = _Rule(SLOW_WAIT)
_NEVER = _Rule(inf)
_RULES: Mapping[str, _Rule] = MappingProxyType(
    {
        "403": _NEVER,  # no such channel
        "405": _Rule(inf, Heals.LEAVING),  # too many channels
        "407": _Rule(),  # too many at once
        "437": _Rule(),  # split
        "439": _Rule(),  # too fast
        "470": _NEVER,  # forwarded
        "471": _Rule(),  # full
        "473": _PATIENT,  # +i
        "474": _PATIENT,  # +b
        "475": _PATIENT,  # +k
        "476": _NEVER,  # bad name
        "477": _Rule(SLOW_WAIT, Heals.LOGIN),  # +r
        "479": _NEVER,  # illegal name
        "480": _Rule(),  # +j
        "489": _PATIENT,  # TLS only
        "495": _Rule(),  # too soon after a kick
        "500": _Rule(),  # too many joins
        "520": _PATIENT,  # operators only
    }
)
CANNOT_JOIN = frozenset(_RULES)


def logs_in(message: Message) -> bool:
    """Whether this line of ours may log us in to services."""
    if message.command in SERVICE_COMMANDS:
        return True
    return message.command in {"PRIVMSG", "SQUERY"} and message.param(0).partition("@")[0].lower() in SERVICES


@dataclass(slots=True)
class _Trouble:
    """A wished channel that we are not in. ``due``: when it is tried next, infinite if nobody knows."""

    reason: str = ""
    due: float = -inf
    heals: Heals = Heals.NOTHING
    tries: int = 0
    tried: float = -inf
    refused: bool = False
    settings: tuple[str, bool] = field(default=("", False), repr=False)  # key and sticky, with which it was tried


class Joins:
    """The way into the channels of ``wishes``. ``seed`` makes this link's waits its own."""

    __slots__ = ("_begun", "_held_until", "_kicks", "_seed", "_troubles", "wishes")

    def __init__(self, wishes: Wishes, seed: int) -> None:
        self.wishes = wishes
        self._seed = seed
        self._troubles: CaseMap[_Trouble] = CaseMap(wishes.fold)  # of wishes only, so no more than those
        self._kicks: CaseMap[list[float]] = CaseMap(wishes.fold)  # when, of sticky wishes
        self._begun = False
        self._held_until = -inf

    @property
    def due_at(self) -> float:
        """When :meth:`lines` is to be asked though nothing happens; infinite if never."""
        if not self._begun:
            return inf
        if self._held_until > -inf:
            return self._held_until
        return min((trouble.due for trouble in self._troubles.values()), default=inf)

    def refold(self, fold: Fold) -> None:
        """The network compares names otherwise than we took it to."""
        self.wishes.refold(fold)
        self._troubles.refold(fold)
        self._kicks.refold(fold)

    # --- the connection

    def begin(self, now: float, hold: bool) -> None:
        """The network has let us in; ``hold``: lines that log us in to services are on their way, and may help."""
        self._begun = True
        self._troubles.clear()
        self._kicks.clear()
        self._held_until = now + LOGIN_WAIT if hold else -inf
        self.wishes.opened()

    def ended(self) -> None:
        """The connection has ended; why we were not in channels can still be shown."""
        self._begun = False

    def reconfigure(self, channels: tuple[Channel, ...]) -> None:
        """These are the wishes now; what has changed in a way that may help is tried anew."""
        wishes = self.wishes
        wishes.reconfigure(channels)
        for name, trouble in list(self._troubles.items()):
            known = wishes.find(name)
            if known is None or trouble.settings != (known.key, known.sticky):
                del self._troubles[name]
        for name in [each for each in self._kicks if wishes.find(each) is None]:
            del self._kicks[name]

    # --- what the network says

    def joined(self, name: str) -> None:
        """We are in."""
        known = self.wishes.find(name)
        self._troubles.pop(known.name if known else name, None)
        self.wishes.joined(name)

    def refused(self, message: Message, now: float) -> None:
        """One of the numerics of CANNOT_JOIN has come, for a channel that we are not in."""
        name, words = message.param(1), message.params[-1]
        self.wishes.refused(name)
        known = self.wishes.find(name)
        if known is None:
            return  # a client's idea, and it has been told
        rule = _RULES[message.command]
        trouble = self._trouble(known)
        if message.command == numerics.ERR_LINKCHANNEL and len(message.params) > 2:
            self.wishes.forwarded(known.name, message.param(2))
            words = f"forwarded to {message.param(2)}"
        trouble.reason = words[:REASON_LIMIT]
        trouble.heals = rule.heals
        trouble.refused = True
        trouble.due = now + self._wait(rule.first, trouble.tries)
        if trouble.due < inf:
            grid = self._spread(0) * ROUND
            trouble.due = ceil((trouble.due - grid) / ROUND) * ROUND + grid

    def kicked(self, name: str, words: str, now: float) -> None:
        """We are out, by somebody's will. A sticky channel is joined again; others when an invitation comes."""
        known = self.wishes.find(name)
        if known is None:
            return
        trouble = self._trouble(known)
        trouble.reason, trouble.heals, trouble.due = words[:REASON_LIMIT], Heals.NOTHING, inf
        if known.sticky:
            kicks = [each for each in self._kicks.get(known.name, []) if now - each < KICKS_SPAN]
            self._kicks[known.name] = kicks = [*kicks, now][-KICKS_LIMIT:]
            if len(kicks) < KICKS_LIMIT:
                trouble.due = now + KICK_WAIT * 2 ** (len(kicks) - 1)
            else:
                trouble.reason += f"; not joined again by itself, as that was the {KICKS_LIMIT}th time in 10 minutes"

    def left(self, now: float) -> None:
        """There is room for another channel."""
        self._healed(Heals.LEAVING, now)

    def logged_in(self, now: float) -> None:
        """Services know who we are."""
        self._held_until = -inf
        self._healed(Heals.LOGIN, now)

    def invited(self, name: str, now: float) -> None:
        """Somebody wants us in that channel."""
        known = self.wishes.find(name)
        trouble = self._troubles.get(known.name) if known else None
        if trouble is not None and now - trouble.tried >= INVITE_PAUSE:
            trouble.due = now

    def renamed(self, old: str, new: str) -> None:
        """A channel that we are in has another name."""
        kicks = self._kicks.pop(old, None)
        if kicks is not None:
            self._kicks[new] = kicks
        self.wishes.renamed(old, new)

    # --- what we say

    def lines(self, now: float, joined: CaseMap[ChannelState], most: int | None) -> list[Message]:
        """The JOINs for what is due, with at most ``most`` channels each; they count as sent."""
        if not self._begun or now < self._held_until:
            return []
        self._held_until = -inf
        due = []
        for channel in self.wishes.missing(joined):
            trouble = self._trouble(channel)
            if trouble.due > now:
                continue
            trouble.tries += 1
            trouble.tried = now
            trouble.due = now + max(ANSWER_WAIT, self._wait(FIRST_WAIT, trouble.tries))
            trouble.settings = (channel.key, channel.sticky)
            if channel.key and not is_key(channel.key):
                trouble.reason = "its key has a space or a comma, which no key can have; `channel update` sets another"
                trouble.due = inf
            else:
                due.append(channel)
        for name in [name for name, trouble in self._troubles.items() if trouble.due <= now]:
            del self._troubles[name]  # over: we are in, by another way
        return list(_packed(due, most or len(due)))

    def are_retries(self, names: Iterable[str]) -> bool:
        """Whether all these have been refused before, and people know."""
        troubles = [self._troubles.get(name) for name in names]
        return all(trouble is not None and trouble.refused for trouble in troubles)

    def status(self, joined: CaseMap[ChannelState]) -> Iterator[ChannelStatus]:
        """How it goes with each wish."""
        for wanted in self.wishes.channels:
            name = wanted.name
            to = self.wishes.forward_of(name)
            channel = joined.get(name) or joined.get(to)
            trouble = self._troubles.get(name)
            reason = f"forwarded to {to}" if to and name not in joined else trouble.reason if trouble else ""
            yield ChannelStatus(name, channel is not None, len(channel.members) if channel else 0, printable(reason))

    def _trouble(self, channel: Channel) -> _Trouble:
        trouble = self._troubles.get(channel.name)
        if trouble is None:
            trouble = self._troubles[channel.name] = _Trouble(settings=(channel.key, channel.sticky))
        return trouble

    def _healed(self, by: Heals, now: float) -> None:
        for trouble in self._troubles.values():
            if trouble.heals is by:
                trouble.due = now

    def _wait(self, first: float, tries: int) -> float:
        wait = min(first * 2.0 ** min(max(tries - 1, 0), 16), LONGEST_WAIT) if first < inf else inf
        return wait * (1 - JITTER * self._spread(tries))

    def _spread(self, salt: int) -> float:
        """From 0 to 1, the same for the same link and salt."""
        return crc32(b"%d %d" % (self._seed, salt)) / (1 << 32)


def _packed(channels: list[Channel], most: int) -> Iterator[Message]:
    """As few JOINs as take them; those with keys first, since keys are matched by place."""
    names: list[str] = []
    keys: list[str] = []
    used = 0
    for channel in sorted(channels, key=lambda each: not each.key):
        size = len(f"{channel.name}{channel.key},,".encode("utf-8", "surrogateescape"))
        if names and (used + size > LINE_BUDGET or len(names) == most):
            yield _join(names, keys)
            names, keys, used = [], [], 0
        names.append(channel.name)
        keys += [channel.key] if channel.key else []
        used += size
    if names:
        yield _join(names, keys)


def _join(names: list[str], keys: list[str]) -> Message:
    return Message.lenient("JOIN", ",".join(names), *([",".join(keys)] if keys else []))
