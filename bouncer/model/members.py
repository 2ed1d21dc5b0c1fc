"""Who is in a channel, in little memory: 15 bytes a member, and next to nothing where other users are there as well.

Owns the form of the table. Must not know what a status means, nor how it was learned.

A table is some short texts of some two dozen members each, one line for each member: nick, space, status. Which text a
nick is in follows from a hash of its folded form, so that users who are in the same channel have equal texts, which are
one object. It grows by one text at a time (linear hashing), which never takes long.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping

from bouncer.irc.casemap import Fold, afresh
from bouncer.irc.shared import shared

TEXT_MEMBERS = 24  # of one text, on average: longer ones take longer to look through, shorter ones have more overhead

_END = "\n"


class Members(Mapping[str, str]):
    """A mapping from nicks, compared by a fold, to status symbols, highest first ("@+").

    The fold must map each character to one. Iteration yields each nick as it was last put; in the order of putting
    while they are few. A name with a space is nobody's: it is never there.
    """

    __slots__ = ("_count", "_fold", "_texts")

    def __init__(self, fold: Fold) -> None:
        self._fold = fold
        self._count = 0
        self._texts = [_END]  # each line ends with a line end, and so does an empty one before them

    def _place(self, folded: str) -> int:
        """Which text a nick is in."""
        texts = len(self._texts)
        if texts == 1:
            return 0
        full = 1 << texts.bit_length()
        place = hash(folded) & (full - 1)
        return place if place < texts else place - (full >> 1)

    def _seek(self, nick: str) -> tuple[int, int, int]:
        """Its text, and in that the places where its line and its status begin; both are -1 if it is not there."""
        folded = self._fold(nick)
        place = self._place(folded)
        text = self._texts[place]
        begin = text.find(f"\n{nick} ")  # mostly spelled as it was, which needs no folding of the others
        if begin < 0:
            begin = afresh(self._fold, text).find(f"\n{folded} ")
        if begin < 0 or " " in nick:
            return place, -1, -1
        return place, begin + 1, begin + len(nick) + 2

    def put(self, nick: str, status: str = "") -> None:
        """Somebody is here, under this name, with this status."""
        place = self.read(nick, status)
        self._texts[place] = shared(self._texts[place])

    def read(self, nick: str, status: str = "") -> int:
        """Like :meth:`put`, for one of many; when all are read, :meth:`settle`. Which text they are in."""
        place, begin, rest = self._seek(nick)
        text = self._texts[place]
        if begin >= 0:
            self._texts[place] = f"{text[:begin]}{nick} {status}{text[text.index(_END, rest) :]}"
        elif " " not in nick:
            self._texts[place] = f"{text}{nick} {status}\n"
            self._count += 1
            if self._count > TEXT_MEMBERS * len(self._texts):
                self._split()
        return place

    def settle(self) -> None:
        """All are read."""
        self._texts = list(map(shared, self._texts))

    def _split(self) -> None:
        """One more text, with those of an older one that belong there."""
        texts = self._texts
        new = len(texts)
        older = new - (1 << (new.bit_length() - 1))
        lines = texts[older][1:-1].split(_END) if len(texts[older]) > 1 else []
        texts.append(_END)
        stay, go = [_END], [_END]
        for line in lines:
            (go if self._place(self._fold(line.partition(" ")[0])) == new else stay).append(f"{line}\n")
        texts[older], texts[new] = "".join(stay), "".join(go)

    def pop(self, nick: str) -> str | None:
        """Somebody is here no more: the status they had, None if they were not here."""
        place, begin, rest = self._seek(nick)
        if begin < 0:
            return None
        text = self._texts[place]
        end = text.index(_END, rest)
        self._texts[place] = shared(text[:begin] + text[end + 1 :])
        self._count -= 1
        return text[rest:end]

    def refold(self, fold: Fold) -> None:
        """Compare by ``fold`` from now on. Of those who have become equal, the first stays."""
        before = tuple(self.items())
        self._fold, self._count, self._texts = fold, 0, [_END]
        for nick, status in before:
            if nick not in self:
                self.read(nick, status)
        self.settle()

    def __getitem__(self, nick: str) -> str:
        place, begin, rest = self._seek(nick)
        if begin < 0:
            raise KeyError(nick)
        text = self._texts[place]
        return text[rest : text.index(_END, rest)]

    def __contains__(self, nick: object) -> bool:
        return isinstance(nick, str) and self._seek(nick)[1] >= 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[str]:
        return (nick for nick, _ in _Items(self))

    def items(self) -> ItemsView[str, str]:
        """Nicks and their status."""
        return _Items(self)

    def words(self) -> list[str]:
        """Each nick with its status before it, as NAMES lists them."""
        lines = "".join(self._texts).replace(" \n", "\n").split(_END)
        return [line if " " not in line else "".join(line.split(" ")[::-1]) for line in lines if line]

    def __repr__(self) -> str:
        return f"<Members: {self._count}>"


class _Items(ItemsView[str, str]):
    """Read off the lines; the inherited one would look each nick up again."""

    _mapping: Members

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for text in tuple(self._mapping._texts):
            for line in text[1:-1].split(_END) if len(text) > 1 else ():
                nick, _, status = line.partition(" ")
                yield nick, status
