"""What can't be written because its place in the file is damaged: kept aside, so that it is in nobody's way.

Owns which parts of the work these are, and their order. Must not know why they can't be written, nor how anything is.

Lines of a network go aside together from the first that can't be written on, so that what is stored of a network never
has a gap that might be filled later. Of settings, positions and markers, an older one joins the newer that is to be
written over it.
"""

from __future__ import annotations

from collections import deque

from bouncer.store.batch import Batch

_KINDS = ("users", "positions", "markers")  # attributes of a Batch, each a mapping


class Aside:
    """Parts of batches, each of one kind; used by the writing thread alone, but for :attr:`problem`."""

    def __init__(self, most: int) -> None:
        """``most`` lines are merged into one batch."""
        self._most = most
        self._lines: dict[int, deque[Batch]] = {}  # by network
        self._rest: dict[str, Batch] = {}  # settings, positions and markers: one batch of each
        self._redactions = Batch().redactions
        self.problem = ""  # why, in a sentence; "" if nothing is, or was when all was last tried

    def __contains__(self, network: int) -> bool:
        return network in self._lines

    @property
    def empty(self) -> bool:
        """True if nothing is here."""
        return not self._lines and not self._rest and not self._redactions

    @property
    def batches(self) -> list[Batch]:
        """All that has lines."""
        return [batch for batches in self._lines.values() for batch in batches]

    def put(self, part: Batch, problem: str) -> None:
        """Keep a part that can't be written, for this reason."""
        self.problem = problem
        for network, entries in part.lines.items():
            batches = self._lines.setdefault(network, deque())
            if not batches or batches[-1].rows + len(entries) > self._most:
                batches.append(Batch())
            batches[-1].add_lines(network, entries)
        part.drop_lines()
        self._redactions.extend(part.redactions)
        part.redactions.clear()
        for kind in _KINDS:
            if getattr(part, kind):
                if kind in self._rest:
                    part.follow(self._rest[kind])
                self._rest[kind] = part

    def join(self, batch: Batch) -> None:
        """Make a batch that is to be written now one that can be: what would overtake its like goes aside as well, and
        what is here and would be overtaken by its like goes with it."""
        for network in [each for each in batch.lines if each in self._lines]:
            self.put(batch.part(network), self.problem)
        waiting = [each for each in batch.redactions if each[0] in self._lines]
        self._redactions.extend(waiting)
        for each in waiting:
            batch.redactions.remove(each)
        for kind, older in list(self._rest.items()):
            if getattr(batch, kind).keys() & getattr(older, kind).keys():
                batch.follow(self._rest.pop(kind))

    def release(self) -> list[Batch]:
        """All that is here, the oldest first, to be tried again. It is for the caller to see what comes of it, and to
        clear the problem."""
        found = [*self.batches, *self._rest.values()]
        if self._redactions:
            taken_back = Batch()
            taken_back.redactions.extend(self._redactions)
            found.append(taken_back)
            self._redactions.clear()
        self._lines, self._rest = {}, {}
        return found

    def give_up_oldest(self) -> Batch | None:
        """The oldest lines of the network that has most, which are aside no more; None if there are none."""
        if not self._lines:
            return None
        network = max(self._lines, key=lambda each: len(self._lines[each]))
        oldest = self._lines[network].popleft()
        if not self._lines[network]:
            del self._lines[network]
        return oldest
