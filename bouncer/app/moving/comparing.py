"""What of some lines a store has already.

Owns when two lines are the same, and how little of the store is looked at to find out. Must not know files, nor who
stores what is missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

from bouncer.irc.casemap import DEFAULT_FOLD
from bouncer.irc.message import Message
from bouncer.model.entry import Kind
from bouncer.model.history import LAST_SEQ, LINES_LIMIT, Mark, Range
from bouncer.model.past import PastLine
from bouncer.model.ports import Kept
from bouncer.store.reading import Reader

APART = 600_000  # milliseconds: lines that are further apart are looked for separately
ALL_KINDS = frozenset(int(kind) for kind in Kind if kind)

# What is the same of two lines that are the same: of (time, kind, raw).
Identity = Callable[[int, int, bytes], Hashable]


def exactly(time: int, kind: int, raw: bytes) -> Hashable:
    """The same msgid, or where there is none the same bytes, at the same millisecond."""
    msgid = Message.parse(raw).tags.get("msgid")
    return (time, msgid) if msgid else (time, kind, raw)  # what was taken back is of another kind now, and is there


class Comparison:
    """Holds lines against what a network had when this was made.

    ``unit``: how exact the times of the lines are, in milliseconds. A line that is in the store as often as it was
    asked for is missing. Lines of one unit of time are to be asked for together.
    """

    def __init__(self, reader: Reader, network: int, identity: Identity, unit: int = 1) -> None:
        self._reader = reader
        self._network = network
        self._identity = identity
        self._unit = unit
        self._upto = reader.head(network)
        self._bounds: dict[str, tuple[int, int] | None] = {}  # by folded name: the times of the first and last line
        self._loose: Counter[Hashable] | None = None

    def missing(self, lines: Sequence[PastLine]) -> list[PastLine]:
        """The lines that the network does not have. Of one that belongs to several conversations and is missing in
        some, what these need."""
        times: dict[str, list[int]] = {}
        for line in lines:
            for name in conversations(line):
                times.setdefault(name, []).append(line.time)
        known = {name: self._known(name, when) for name, when in times.items()}
        return [each for line in lines if (each := self._rest(line, known)) is not None]

    def _rest(self, line: PastLine, known: dict[str, Counter[Hashable]]) -> PastLine | None:
        identity = self._identity(line.time, line.kind, line.raw)
        names = conversations(line)
        if not names:
            return None if _take(self._loose_lines(), identity) else line
        absent = [name for name in names if not _take(known[name], identity)]
        if len(absent) == len(names):
            return line
        return line._replace(also=tuple(names[name] for name in absent)) if absent else None

    def _known(self, name: str, times: list[int]) -> Counter[Hashable]:
        found: Counter[Hashable] = Counter()
        if name not in self._bounds:
            self._bounds[name] = self._first_and_last(name)
        bounds = self._bounds[name]
        for first, last in _stretches(times, self._unit) if bounds else ():
            if bounds and first <= bounds[1] and last >= bounds[0]:
                for kept in self._stored(name, first, last):
                    found[self._identity(kept.time, kept.kind, kept.raw)] += 1
        return found

    def _first_and_last(self, name: str) -> tuple[int, int] | None:
        ends = [
            self._reader.conversation(Range(self._network, (name,), self._upto, 1, newest=newest, kinds=ALL_KINDS))
            for newest in (False, True)
        ]
        return (ends[0][0].time, ends[1][0].time) if ends[0] and ends[1] else None

    def _stored(self, name: str, first: int, last: int) -> Iterator[Kept]:
        after = Mark(first, 0)
        while True:
            question = Range(
                self._network, (name,), self._upto, LINES_LIMIT, after, Mark(last, LAST_SEQ), kinds=ALL_KINDS
            )
            rows = self._reader.conversation(question)
            yield from rows
            if len(rows) < LINES_LIMIT:
                return
            after = Mark(rows[-1].time, rows[-1].seq)

    def _loose_lines(self) -> Counter[Hashable]:
        if self._loose is None:
            self._loose = Counter(self._identity(*line) for line in self._reader.loose(self._network))
        return self._loose


def conversations(line: PastLine) -> dict[str, str]:
    """Those that a line belongs to, by folded name."""
    return {DEFAULT_FOLD(name): name for name in (line.target, *line.also) if name}


def _take(known: Counter[Hashable], identity: Hashable) -> bool:
    if known[identity] <= 0:
        return False
    known[identity] -= 1
    return True


def _stretches(times: Iterable[int], unit: int) -> Iterator[tuple[int, int]]:
    """Whole units of time that hold all of these, those near to each other as one."""
    first = last = None
    for time in sorted(set(times)):
        if first is None or last is None:
            first = last = time
        elif time - last > APART:
            yield first - first % unit, last - last % unit + unit - 1
            first = last = time
        else:
            last = time
    if first is not None and last is not None:
        yield first - first % unit, last - last % unit + unit - 1
