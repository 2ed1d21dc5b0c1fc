"""What a network has taken back of what was said (IRCv3 draft/message-redaction).

Owns the redactions that are told in a burst, and those in history whose lines may still come. Must not know how a line
is kept, nor who is shown that it was taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bouncer.irc.message import Message
from bouncer.model.entry import Entry
from bouncer.model.log import Log
from bouncer.model.past import PastLine
from bouncer.model.ports import Archive
from bouncer.model.state import NetworkState
from bouncer.upstream.tracked import redacted_in

GONE_LIMIT = 2000  # msgids of redactions in history; as many lines as one batch may have


class Redactions:
    """Only what comes from the network counts: a client's own REDACT is passed on, and may be refused."""

    def __init__(self, log: Log, archive: Archive) -> None:
        self.stirred = False  # there are some to settle
        self._log = log
        self._archive = archive
        self._taken_back: dict[str, str] = {}  # by msgid: the conversation; of this burst, or of a batch's lines
        self._gone: dict[str, None] = {}  # msgids of lines of the past that are not to be kept, should they come

    def told(self, state: NetworkState, message: Message) -> None:
        """A REDACT of now."""
        target, msgid = redacted_in(state, message), message.param(1)
        if target and msgid:
            self._taken_back[msgid] = target
            self.stirred = True

    def told_of_past(self, state: NetworkState, message: Message, conversation: str) -> None:
        """A REDACT in history: of what is kept already, and of what comes with it and is not yet."""
        msgid = message.param(1)
        target = conversation or redacted_in(state, message)
        if target and msgid:
            self._taken_back[msgid] = target
            self.stirred = True
            if len(self._gone) >= GONE_LIMIT:
                self._gone.clear()
            self._gone[msgid] = None

    def settle(self, state: NetworkState, kept: Sequence[Entry]) -> None:
        """Take it back in memory, and in the store, which lacks only what is ``kept`` of this burst."""
        fold = state.isupport.fold
        for msgid, target in self._taken_back.items():
            self._archive.redact(self._log.network, target, msgid)
        self._log.redact({msgid: fold(target) for msgid, target in self._taken_back.items()}, fold, kept)
        self._taken_back.clear()
        self.stirred = False

    def left_of(self, lines: Iterable[PastLine]) -> list[PastLine]:
        """Those lines of the past that were not taken back."""
        if not self._gone:
            return list(lines)
        return [line for line in lines if Message.parse(line.raw).tags.get("msgid", "") not in self._gone]
