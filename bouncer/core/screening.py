"""What one user does not want to see, and what not to keep, of one network.

Owns the rules in the form in which lines are held against them. Must not know what becomes of a line. Never changes:
other settings, or another case mapping, make a new one; ``False`` if there are no rules at all.
"""

from __future__ import annotations

from collections.abc import Iterable

from bouncer.irc.casemap import Fold
from bouncer.irc.message import Message
from bouncer.irc.source import match_mask

IGNORABLE = frozenset({"PRIVMSG", "NOTICE", "TAGMSG", "INVITE"})  # the rest is needed to know who is where
VERDICTS_LIMIT = 4096  # sources remembered, under 1 MB; as many speak in a day on the busiest networks

NONE = frozenset[str]()  # of all networks without such rules


class Screening:
    """Masks of sources to ignore (``nick!user@host``), and conversations not to keep."""

    __slots__ = ("_fold", "_masks", "_named", "_unlogged", "_verdicts")

    def __init__(self, masks: Iterable[str], unlogged: Iterable[str], fold: Fold) -> None:
        self._fold = fold
        self._masks = tuple(dict.fromkeys(masks))
        # services have neither user nor host: only a mask for whoever has that nick means them
        self._named = (
            frozenset(fold(mask.removesuffix("!*@*")) for mask in self._masks if mask.endswith("!*@*")) or NONE
        )
        self._unlogged = frozenset(map(fold, unlogged)) or NONE
        self._verdicts: dict[str, bool] = {}

    def __bool__(self) -> bool:
        return bool(self._masks or self._unlogged)

    def ignores(self, message: Message) -> bool:
        """Whether the user is not to see this line, unless it is their own. Servers are never ignored."""
        if not self._masks or message.command not in IGNORABLE:
            return False
        verdict = self._verdicts.get(message.source)
        if verdict is None:
            if len(self._verdicts) >= VERDICTS_LIMIT:
                self._verdicts.clear()
            verdict = self._verdicts[message.source] = self._judge(message.source)
        return verdict

    def _judge(self, source: str) -> bool:
        if "!" not in source:
            return "." not in source and self._fold(source) in self._named
        return any(match_mask(mask, source, self._fold) for mask in self._masks)

    def keeps(self, conversation: str) -> bool:
        """Whether history keeps what is said in a channel, or with a nick."""
        return not self._unlogged or self._fold(conversation) not in self._unlogged
