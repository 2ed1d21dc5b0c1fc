r"""What a network says of itself in numeric 005 (RPL_ISUPPORT).

Owns the tokens, their ``\xHH`` escapes, the defaults that hold without them, and how a burst of 005 is laid out.
Must not know which network it is, nor which tokens a client is to see.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from bouncer.irc.casemap import FOLDS, Fold
from bouncer.irc.framing import BODY_LIMIT
from bouncer.irc.shared import shared_values

MAX_TOKENS = 512  # networks send 40 to 80; what a hostile one sends beyond that is ignored
MAX_LINELEN = 16384  # a LINELEN beyond that (Ergo allows 2048 or so) would let a peer make us hold long lines
VIEWS_LIMIT = 64  # readings that are remembered and shared; servers of a kind say the same
TOKENS_PER_LINE = 13  # 15 parameters (RFC 1459 section 2.3) less the nick and the closing text
# bytes of tokens in one line of 512, less CRLF, a server name of 63, a nick of 64, "005", and the closing text
TOKEN_BUDGET = 340

# CR, LF and NUL stay escaped: decoded they could break out of a line that a value is put into
_ESCAPED = re.compile(r"(?:\\x(?!00|0[adAD])[0-9A-Fa-f]{2})+")
_ESCAPES = str.maketrans({" ": "\\x20", "\\": "\\x5C", "=": "\\x3D"})
_PREFIX = re.compile(r"\(([^)]*)\)(.*)")
_NUMBER = re.compile(r"[0-9]{1,9}")


def _decode_value(value: str) -> str:
    if "\\" not in value:
        return value
    return _ESCAPED.sub(
        lambda found: bytes.fromhex(found[0].replace("\\x", "")).decode("utf-8", "surrogateescape"), value
    )


def _render_token(name: str, value: str | None) -> str:
    vendor, slash, rest = name.rpartition("/")
    name = vendor.lower() + slash + rest  # kept in upper case here, but vendors are written as host names
    if value is None:
        return "-" + name
    return f"{name}={value.translate(_ESCAPES)}" if value else name


class _Views(NamedTuple):
    casemapping: str
    fold: Fold
    chantypes: str
    statusmsg: str
    prefix_modes: str
    prefix_symbols: str
    chanmodes: tuple[str, str, str, str]


_VIEWED = ("CASEMAPPING", "CHANTYPES", "STATUSMSG", "PREFIX", "CHANMODES")


@lru_cache(VIEWS_LIMIT)
def _views(
    casemapping: str | None, chantypes: str | None, statusmsg: str | None, prefix: str | None, chanmodes: str | None
) -> _Views:
    """What the tokens of that name say; None if there is none."""
    casemapping = (casemapping or "").lower() or "rfc1459"
    pairs: list[tuple[str, str]] = []
    if found := _PREFIX.fullmatch("(ov)@+" if prefix is None else prefix):
        pairs.extend(zip(found[1], found[2], strict=False))
    groups = ("beI,k,l,imnpst" if chanmodes is None else chanmodes).split(",")  # default: RFC 2811 section 4
    groups.extend(("", "", ""))
    return _Views(
        casemapping,
        # of a mapping we do not know, only A-Z is sure; merging less is the smaller harm
        FOLDS.get(casemapping, FOLDS["ascii"]),
        "#&" if chantypes is None else chantypes,
        statusmsg or "",
        "".join(mode for mode, _ in pairs),
        "".join(symbol for _, symbol in pairs),
        (groups[0], groups[1], groups[2], groups[3]),
    )


_DEFAULTS = _views(None, None, None, None, None)


class ISupport:
    """The tokens of one network, with typed views of those that have a meaning for us.

    ``tokens`` maps names in upper case to decoded values, "" for a token without one; it is shared with other networks
    and never changes: :meth:`update` makes another. Views that many lines ask for are plain attributes, kept up to
    date: ``casemapping`` (as said by the network, in lower case) and its ``fold``, ``chantypes``, ``prefix_modes`` and
    ``prefix_symbols`` (of equal length, highest rank first), ``statusmsg``, ``chanmodes`` (types A, B, C and D).
    Lengths are in the unit the network counts in, commonly bytes.
    """

    __slots__ = (
        "casemapping",
        "chanmodes",
        "chantypes",
        "fold",
        "prefix_modes",
        "prefix_symbols",
        "statusmsg",
        "tokens",
    )

    tokens: dict[str, str]
    casemapping: str
    fold: Fold
    chantypes: str
    prefix_modes: str
    prefix_symbols: str
    statusmsg: str
    chanmodes: tuple[str, str, str, str]

    def __init__(self) -> None:
        self.tokens = {}
        self._show(_DEFAULTS)

    def update(self, params: Sequence[str]) -> None:
        """Take one 005's parameters, without its nick and its closing text. Never raises.

        ``TOKEN`` and ``TOKEN=value`` set, ``-TOKEN`` takes back.
        """
        tokens = dict(self.tokens)
        for param in params:
            name, _, value = param.partition("=")
            name = name.upper()
            if name[:1] == "-":
                tokens.pop(name[1:], None)
            elif name and (name in tokens or len(tokens) < MAX_TOKENS):
                tokens[name] = _decode_value(value)
        self.tokens = shared_values(tokens)
        self._show(_views(*map(self.tokens.get, _VIEWED)))

    def _show(self, views: _Views) -> None:
        self.casemapping, self.fold, self.chantypes, self.statusmsg = views[:4]
        self.prefix_modes, self.prefix_symbols, self.chanmodes = views[4:]

    def _number(self, name: str, default: int | None) -> int | None:
        value = self.tokens.get(name, "")
        return int(value) if _NUMBER.fullmatch(value) else default

    @property
    def network(self) -> str:
        """The network's name, "" if it does not say."""
        return self.tokens.get("NETWORK", "")

    @property
    def nicklen(self) -> int:
        """The longest nick; 9 if not said (RFC 1459 section 1.2)."""
        return self._number("NICKLEN", None) or 9

    @property
    def channellen(self) -> int:
        """The longest channel name; 200 if not said (RFC 1459 section 1.3)."""
        return self._number("CHANNELLEN", None) or 200

    @property
    def topiclen(self) -> int | None:
        """The longest topic, None if not said."""
        return self._number("TOPICLEN", None)

    @property
    def kicklen(self) -> int | None:
        """The longest reason of a KICK, None if not said."""
        return self._number("KICKLEN", None)

    @property
    def awaylen(self) -> int | None:
        """The longest away text, None if not said."""
        return self._number("AWAYLEN", None)

    @property
    def linelen(self) -> int:
        """The longest line in bytes, CRLF counted, tags not: 512 if not said, never less, at most MAX_LINELEN."""
        return min(max(self._number("LINELEN", None) or BODY_LIMIT, BODY_LIMIT), MAX_LINELEN)

    @property
    def modes(self) -> int | None:
        """How many modes with a parameter one MODE may change; 3 if not said (RFC 1459 section 4.2.3), None: any."""
        return self._number("MODES", None) if "MODES" in self.tokens else 3

    @property
    def maxtargets(self) -> int | None:
        """How many targets one PRIVMSG or NOTICE may have, None if not said; see :meth:`targmax`."""
        return self._number("MAXTARGETS", None)

    def targmax(self, command: str) -> int | None:
        """How many targets one such command may have: TARGMAX's word, None if it says "any number" or nothing."""
        for item in self.tokens.get("TARGMAX", "").split(","):
            name, _, number = item.partition(":")
            if name.upper() == command.upper():
                return int(number) if _NUMBER.fullmatch(number) else None
        return None

    @property
    def monitor(self) -> int | None:
        """How many nicks MONITOR takes: None if there is no MONITOR, 0 if there is no limit."""
        return (self._number("MONITOR", None) or 0) if "MONITOR" in self.tokens else None

    @property
    def whox(self) -> bool:
        """Whether WHO takes fields to report."""
        return "WHOX" in self.tokens

    def is_channel(self, name: str) -> bool:
        """Whether ``name`` is a channel's, by its first character."""
        return name != "" and name[0] in self.chantypes

    def strip_status(self, target: str) -> str:
        """The channel of a target such as ``@#channel`` (STATUSMSG); any other target is returned as it is."""
        bare = target.lstrip(self.statusmsg) if self.statusmsg else target
        return bare if self.is_channel(bare) else target

    @staticmethod
    def render(tokens: Mapping[str, str | None], budget: int = TOKEN_BUDGET) -> list[list[str]]:
        """Lay tokens out as the middle parameters of as few 005 as they need (nick and closing text not included).

        A value of None writes ``-TOKEN``. Each list has at most 13 tokens and ``budget`` bytes with the spaces
        between; a token that is longer than the budget stands alone.
        """
        lines: list[list[str]] = []
        used = 0
        for name, value in tokens.items():
            token = _render_token(name, value)
            size = len(token.encode("utf-8", "surrogateescape")) + 1
            if not lines or len(lines[-1]) == TOKENS_PER_LINE or used + size > budget + 1:
                lines.append([])
                used = 0
            lines[-1].append(token)
            used += size
        return lines
