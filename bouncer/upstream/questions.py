"""The table of questions: which numerics answer which command, and how they say what they are about.

Owns what is known of servers' answers. Must not know who asked.

Where a command is several questions by its parameters (MODE, INVITE, MONITOR), each has a row of its own.

https://modern.ircdocs.horse, https://defs.ircdocs.horse; InspIRCd, ngIRCd, UnrealIRCd, Solanum and Ergo as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from bouncer.irc.casemap import Fold
from bouncer.irc.message import Message

CHANNEL_MARKS = "#&!+"  # RFC 2811 section 2.1

Asked = Callable[[Message], list[str]]
Named = Callable[[Message], list[str]]
Test = Callable[[frozenset[str], Message, Fold], bool]


def _numerics(text: str) -> frozenset[str]:
    found: set[str] = set()
    for word in text.split():
        first, _, last = word.partition("-")
        found.update(f"{number:03}" for number in range(int(first), int(last or first) + 1))
    return frozenset(found)


def _words(params: Sequence[str]) -> list[str]:
    return [word for param in params for word in param.split(",") if word]


def _param(place: int) -> Asked:
    """The command is about its parameter ``place`` (from the end, if negative), a list with commas."""
    return lambda message: _words([message.params[place]]) if -1 <= place < len(message.params) != 0 else []


def _params(message: Message) -> list[str]:
    """The command is about any of its parameters."""
    return _words(message.params)


def _nothing(message: Message) -> list[str]:
    return []


def _one(message: Message, names: list[str]) -> int:
    return 1


def _each(message: Message, names: list[str]) -> int:
    """An end for each subject."""
    return max(1, len(names))


def _letters(message: Message, names: list[str]) -> int:
    """An end for each list that is asked for (``MODE #c beI``)."""
    return max(1, len(message.param(1).strip("+-")))


@dataclass(frozen=True, eq=False)
class Question:
    """What answers a command. ``replies`` come before the end, any of ``ends`` is the last; ``errors`` end it too.

    ``after``: may follow the end. ``shared``: news for all, though a command caused it. ``quiet``: perhaps nothing
    answers it. ``ordered``: answers never overtake each other, so that a later one's end shows an earlier one lost.
    ``asked`` says what a command is about, ``count`` how many ends it has; ``each``: an error stands for one of them.
    ``names``: for a numeric, what it says it is about; ``tests``: where that is not so simple. ``loose``: numerics
    whose subject servers may put in words of their own.
    """

    replies: frozenset[str] = frozenset()
    ends: frozenset[str] = frozenset()
    errors: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()
    loose: frozenset[str] = frozenset()
    quiet: bool = False
    ordered: bool = False
    each: bool = False
    asked: Asked = _nothing
    count: Callable[[Message, list[str]], int] = _one
    names: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    tests: Mapping[str, Test] = field(default_factory=lambda: MappingProxyType({}))

    @cached_property
    def taken(self) -> frozenset[str]:
        """The numerics that this row takes."""
        return self.replies | self.ends | self.errors | self.shared

    def due(self, message: Message) -> int:
        """How many ends the answer to this command has."""
        return 1 if self.count is _one else self.count(message, self.asked(message))

    def is_about(self, subjects: frozenset[str], message: Message, fold: Fold) -> bool:
        """Whether this line may be about what was asked."""
        test = self.tests.get(message.command)
        if test is not None:
            return test(subjects, message, fold)
        place = self.names.get(message.command)
        if place is None or not subjects:
            return True
        return all(fold(name) in subjects for name in message.param(place).split(","))

    def ended_by(self, message: Message) -> int:
        """How many of the ends this one is: some servers end each, some all at once."""
        place = self.names.get(message.command)
        return 1 if place is None else message.param(place).count(",") + 1


def _row(
    replies: str = "",
    ends: str = "",
    errors: str = "",
    *,
    after: str = "",
    shared: str = "",
    loose: str = "",
    named: str = "",
    at: Mapping[str, int] = MappingProxyType({}),
    tests: Mapping[str, Test] = MappingProxyType({}),
    quiet: bool = False,
    ordered: bool = False,
    each: bool = False,
    asked: Asked = _nothing,
    count: Callable[[Message, list[str]], int] = _one,
) -> Question:
    """A row; ``named``: numerics that say in the parameter after our nick what they are about, ``at``: elsewhere."""
    return Question(
        _numerics(replies),
        _numerics(ends),
        _numerics(errors),
        after=_numerics(after),
        shared=_numerics(shared),
        loose=_numerics(loose),
        quiet=quiet,
        ordered=ordered,
        each=each,
        asked=asked,
        count=count,
        names=MappingProxyType({**dict.fromkeys(_numerics(named), 1), **at}),
        tests=tests,
    )


def _on_server(replies: str, ends: str, errors: str = "", after: str = "") -> Question:
    """A question to a server, perhaps a named one; 402 says that it is not there."""
    return _row(replies, ends, f"{errors} 402", after=after, named="402", asked=_params)


def _online(subjects: frozenset[str], message: Message, fold: Fold) -> bool:
    """303 has those of the nicks asked about that are there."""
    return not subjects or all(fold(nick) in subjects for nick in message.param(1).split())


def _hosts(subjects: frozenset[str], message: Message, fold: Fold) -> bool:
    """302 and 340 have ``nick*=+user@host`` for each."""
    nicks = [word.partition("=")[0].removesuffix("*") for word in message.param(1).split()]
    return not subjects or all(fold(nick) in subjects for nick in nicks)


TOKEN = "%"  # begins, in the subjects of a WHO, the token of a WHOX, which may be empty


def _who(message: Message) -> list[str]:
    """The mask, and for a WHOX the token that each 354 repeats if its fields have a ``t``."""
    mask = message.param(0)
    _, whox, rest = message.param(1).partition("%")
    fields, _, token = rest.partition(",")
    return [mask] * bool(mask) + [TOKEN + token * ("t" in fields)] * bool(whox)


def _who_line(subjects: frozenset[str], message: Message, fold: Fold) -> bool:
    """A 352 in answer to WHO of a channel names that; what a mask finds can't be told. A WHOX brings 354."""
    channels = [each for each in subjects if each[:1] in CHANNEL_MARKS]
    return fold(message.param(1)) in channels if channels else all(each[:1] != TOKEN for each in subjects)


def _whox_line(subjects: frozenset[str], message: Message, fold: Fold) -> bool:
    tokens = [each[1:] for each in subjects if each[:1] == TOKEN]
    return "" in tokens or fold(message.param(1)) in tokens


def _mode_form(message: Message) -> str:
    params = message.params
    if params and params[0][:1] not in CHANNEL_MARKS:
        return "MODE of a user"
    if len(params) < 2:
        return "MODE"
    return "MODE lists" if len(params) == 2 and _asks_for_lists(params[1]) else "MODE change"


def _asks_for_lists(modes: str) -> bool:
    """Letters of lists only. Others (``+m``) change something; which of a network's lists these are it alone knows."""
    return modes.strip("+-") != "" and modes[0] != "-" and not set(modes) - LIST_MODES


# Lists on public networks: bans, exceptions, invitations, quiets, access, filters and the like, and those of status.
LIST_MODES = frozenset("+beIqaoghXwRZd")


def _invite_form(message: Message) -> str:
    return "INVITE" if len(message.params) > 1 else "INVITE list"


def _watch_names(message: Message) -> list[str]:
    return [word.lstrip("+-") for param in message.params for word in param.split() if word[:1] in "+-"]


_FORMS: Mapping[str, Callable[[Message], str]] = MappingProxyType({"MODE": _mode_form, "INVITE": _invite_form})

_TEXT = _row(
    "301",
    errors="401 403 404 407 408 411-415 477 482 486 489 492 531 716 717 742",
    named="301 401 403 404 407 408 413-415 477 482 486 489 531 716 717",
    asked=_param(0),
    quiet=True,
)
_CHANNEL = "403 442 461 476 479 482"
_AFTER_JOIN = "324 328 329 331 332 333 353 366"
_NO_JOIN = "403 405 407 437 439 448 470 471 473-477 479 480 485 489 495 500 520"
_WHOIS = (
    "223 275 276 301 307-313 316 317 319 320 325-327 330 335 337-339 343-345 350 378 379 569 613 615 616 617 "
    "671 672 689 690 726 760"
)
_LISTS = "346 348 344 367 386 388 728 910 937 940 953 954 960"
_LIST_ENDS = "345 347 349 368 387 389 729 911 936 939 941 961"

QUESTIONS: Mapping[str, Question] = MappingProxyType(
    {
        "PRIVMSG": _TEXT,
        "NOTICE": _TEXT,
        "TAGMSG": _TEXT,
        "JOIN": _row(
            ends="366",
            errors=_NO_JOIN,
            shared=_AFTER_JOIN,
            named=f"{_AFTER_JOIN} {_NO_JOIN}",
            at={"353": 2},
            asked=_param(0),
            count=_each,
            each=True,
            quiet=True,
        ),
        "PART": _row(errors=_CHANNEL, named=_CHANNEL, asked=_param(0), quiet=True),
        "KICK": _row(errors=f"{_CHANNEL} 401 441 484 485 972", named=f"{_CHANNEL} 401 441", asked=_params, quiet=True),
        "NICK": _row(errors="431-433 435-438 447 484 495", named="432 433 436", asked=_param(0), quiet=True),
        "AWAY": _row(shared="305 306", quiet=True),
        "INVITE": _row(
            ends="341", errors=f"{_CHANNEL} 401 443 518", after="301", named=f"341 {_CHANNEL} 401 443", asked=_params
        ),
        "INVITE list": _row("336 346", "337 347"),
        "KNOCK": _row(ends="711", errors="401 403 480 712-714", named="711 401 403 480 712-714", asked=_param(0)),
        "TOPIC": _row(
            ends="331 332", errors=_CHANNEL, after="333", named=f"331-333 {_CHANNEL}", asked=_param(0), quiet=True
        ),
        "MODE": _row(
            ends="324",
            errors=f"{_CHANNEL} 401",
            after="329",
            named=f"324 329 {_CHANNEL} 401",
            asked=_param(0),
            ordered=True,
        ),
        "MODE lists": _row(
            _LISTS,
            _LIST_ENDS,
            f"{_CHANNEL} 401 472 501",
            named=f"{_LISTS} {_LIST_ENDS} {_CHANNEL} 401",
            asked=_param(0),
            count=_letters,
            each=True,
            ordered=True,
        ),
        "MODE change": _row(
            f"{_LISTS} {_LIST_ENDS} {_CHANNEL} 401 415 441 467 468 472 477 478 485 491 494 499 501 502 696 697 698 974",
            named=f"{_LISTS} {_LIST_ENDS} {_CHANNEL}",
            asked=_param(0),
            quiet=True,
        ),
        "MODE of a user": _row("008 501", "221", "401 403 491 502", quiet=True),
        "NAMES": _row(
            "353", "366", "401 403", named="366 401 403", at={"353": 2}, asked=_param(0), count=_each, ordered=True
        ),
        "WHO": _row(
            "352 354",
            "315",
            "401-403 416 522",
            named="315 401-403",
            tests={"352": _who_line, "354": _whox_line},
            loose="315 352 354",
            asked=_who,
            ordered=True,
        ),
        "WHOIS": _row(
            _WHOIS,
            "318",
            "401 402 431",
            named=f"{_WHOIS} 318 401",
            asked=_params,
            count=lambda message, names: len(_param(-1)(message)) or 1,
        ),
        "WHOWAS": _row(
            "312 314 320 330 337 338 378 379 406 652 670 671",
            "369",
            "402 431",
            named="312 314 330 338 369 406",
            asked=_param(0),
            count=_each,
            ordered=True,
        ),
        "LIST": _row("321 322", "323", "402 416"),
        "USERHOST": _row(
            ends="302", asked=lambda message: _words(" ".join(message.params).split()), tests={"302": _hosts}
        ),
        "USERIP": _row(
            ends="340", asked=lambda message: _words(" ".join(message.params).split()), tests={"340": _hosts}
        ),
        "ISON": _row(
            ends="303",
            asked=lambda message: _words(" ".join(message.params).split()),
            tests={"303": _online},
            ordered=True,
        ),
        "TIME": _on_server("", "391"),
        "VERSION": _on_server("", "351"),
        "MOTD": _on_server("372 375", "376 422"),
        "RULES": _on_server("232 308", "309 434"),
        "LUSERS": _on_server("251-254", "255", after="250 265 266"),
        "ADMIN": _on_server("256-258", "259 423"),
        "INFO": _on_server("371 373", "374"),
        "STATS": _on_server("210-218 220 222-250 292 304 344", "219", "481"),
        "LINKS": _on_server("364", "365", "481"),
        "MAP": _on_server("006 015 018 270", "007 017", "481"),
        "TRACE": _on_server("200-209 261", "262"),
        "ETRACE": _on_server("708 709", "759 262", "481"),
        "USERS": _on_server("265 392 393", "394 395", "424 446", after="266"),
        "SERVLIST": _row("234", "235"),
        "SUMMON": _row(ends="342", errors="401 402 411 424 441 444 445"),
        "HELP": _row("290-294 304 704 705", "706", "524"),
        "HELPOP": _row("290-294 304 704 705", "706", "524"),
        "OPER": _row(ends="381", errors="464 481 491"),
        "REHASH": _row(ends="382", errors="481 723", quiet=True),
        "KILL": _row(errors="401 481 483 723", named="401", asked=_param(0), quiet=True),
        "WALLOPS": _row(errors="481 723", quiet=True),
        "DIE": _row(errors="481 723", quiet=True),
        "RESTART": _row(errors="481 723", quiet=True),
        "CONNECT": _row(errors="402 481 723", quiet=True),
        "SQUIT": _row(errors="402 481 723", quiet=True),
        "SILENCE": _row("271", "272", "511", quiet=True),
        "ACCEPT": _row("281", "282", "456-458", quiet=True),
        "WATCH": _row("602-606 608 609", "607", "512", named="602 604 605 609", asked=_watch_names, quiet=True),
        "MONITOR": _row("732", "733", "734", shared="730 731", quiet=True),
        "METADATA": _row("761 766 770-772", "762 774", "764 765 767-769"),
    }
)
ANY = Question(quiet=True)  # a command that is not in the table
# Told without being asked; others are news too, but are in a row as somebody's answer.
_NEWS = _numerics("008 010 020 042 043 221 396 597-601 710 718 730 731 900 901")
KNOWN = frozenset().union(*(row.taken | row.after for row in QUESTIONS.values())) | _NEWS


def question_of(message: Message) -> Question:
    """The row of a command as it was said."""
    form = _FORMS.get(message.command)
    return QUESTIONS.get(message.command if form is None else form(message), ANY)
