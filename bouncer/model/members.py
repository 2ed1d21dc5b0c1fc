"""Who is in a channel, in little memory: 15 bytes a member, and next to nothing where other users are there as well.

Owns the form of the table. Must not know what a status means, nor how it was learned.

A table is some short texts of some 30 members each, one line for each member: nick, space, status. Which text a
nick is in follows from a hash of its folded form, so that users who are in the same channel have equal texts, which are
one object. It grows by one text at a time (linear hashing), which never takes long.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, Mapping

from bouncer.irc.casemap import Fold, afresh
from bouncer.irc.shared import shared

TEXT_MEMBERS = 32  # of one text, on average: longer ones take longer to look through, shorter ones have more overhead

MEMBERS_LIMIT = 50_000  # of one channel, some 1 MB; the largest of public networks have a tenth of that
FRESH_LIMIT = 1000  # names read that are in no text yet: more would hold the loop up for more than a few ms
REBUILT = 4  # members, to one that was read, whose texts are made anew with it; beside more, it is put into its own

_END = "\n"
_NOTHING: dict[str, str] = {}  # of all tables that are read: an empty dict each is not for free; it stays empty


class Members(Mapping[str, str]):
    """A mapping from nicks, compared by a fold, to status symbols, highest first ("@+").

    The fold must map each character to one. Iteration yields each nick as it was last put; in the order of putting
    while they are few. A name with a space is nobody's: it is never there; nor is one too many.
    """

    __slots__ = ("_count", "_fold", "_fresh", "_texts")

    def __init__(self, fold: Fold) -> None:
        self._fold = fold
        self._count = 0
        self._texts = [_END]  # each line ends with a line end, and so does an empty one before them
        self._fresh: dict[str, str] = _NOTHING  # lines that were read, by folded nick, and are in no text yet

    def put(self, nick: str, status: str = "") -> None:
        """Somebody is here, under this name, with this status."""
        self.settle()
        self._put(nick, status)

    def _put(self, nick: str, status: str) -> None:
        place, begin, rest = self._seek(nick)
        text = self._texts[place]
        if begin >= 0:
            text = f"{text[:begin]}{nick} {status}{text[text.index(_END, rest) :]}"
        elif " " not in nick and self._count < MEMBERS_LIMIT:
            text = f"{text}{nick} {status}\n"
            self._count += 1
        self._texts[place] = shared(text)
        if self._count > TEXT_MEMBERS * len(self._texts):
            self._split()

    def read(self, nick: str, status: str) -> None:
        """Like :meth:`put`, for one of many; call :meth:`settle` behind the last."""
        fresh = self._fresh
        if not fresh:
            fresh = self._fresh = {}
        fresh[self._fold(nick)] = f"{nick} {status}\n"
        if len(fresh) >= FRESH_LIMIT:
            self.settle()

    def settle(self) -> None:
        """All are read that were to be."""
        if not self._fresh:
            return
        fresh, self._fresh = self._fresh, _NOTHING
        if len(fresh) * REBUILT < self._count or self._count + len(fresh) > MEMBERS_LIMIT:
            for folded, line in fresh.items():
                self._put(line[: len(folded)], line[len(folded) + 1 : -1])
            return
        lines = {self._fold(nick): f"{nick} {status}\n" for nick, status in _lines(self._texts)}
        lines.update(fresh)
        self._fill(lines)

    def _fill(self, lines: dict[str, str]) -> None:
        """Have these lines, by folded nick, and no others."""
        for nick in [each for each in lines if " " in each]:
            del lines[nick]
        self._count = len(lines)
        count = max(1, -(-len(lines) // TEXT_MEMBERS))
        self._texts = [_END] * count
        if count == 1:
            self._texts[0] = shared(_END + "".join(lines.values()))
            return
        parts: list[list[str]] = [[_END] for _ in range(count)]
        full = (1 << count.bit_length()) - 1
        half = full >> 1
        for nick, line in lines.items():
            place = hash(nick) & full
            parts[place if place < count else place & half].append(line)
        self._texts = [shared("".join(part)) for part in parts]

    def _split(self) -> None:
        """One more text, with those of an older one that belong there."""
        texts = self._texts
        new = len(texts)
        older = new - (1 << (new.bit_length() - 1))
        lines = tuple(_lines(texts[older : older + 1]))
        texts.append(_END)
        stay, go = [_END], [_END]
        for nick, status in lines:
            (go if self._place(self._fold(nick)) == new else stay).append(f"{nick} {status}\n")
        texts[older], texts[new] = shared("".join(stay)), shared("".join(go))

    def _place(self, folded: str) -> int:
        """Which text a nick is in."""
        texts = len(self._texts)
        if texts == 1:
            return 0
        full = (1 << texts.bit_length()) - 1
        place = hash(folded) & full
        return place if place < texts else place & (full >> 1)

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

    def pop(self, nick: str) -> str | None:
        """Somebody is here no more: the status they had, None if they were not here."""
        self.settle()
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
        lines: dict[str, str] = {}
        for nick, status in self.items():
            lines.setdefault(fold(nick), f"{nick} {status}\n")
        self._fold = fold
        self._fill(lines)

    def __getitem__(self, nick: str) -> str:
        self.settle()
        place, begin, rest = self._seek(nick)
        if begin < 0:
            raise KeyError(nick)
        text = self._texts[place]
        return text[rest : text.index(_END, rest)]

    def __contains__(self, nick: object) -> bool:
        self.settle()
        return isinstance(nick, str) and self._seek(nick)[1] >= 0

    def __len__(self) -> int:
        self.settle()
        return self._count

    def __iter__(self) -> Iterator[str]:
        return (nick for nick, _ in self.items())

    def items(self) -> ItemsView[str, str]:
        """Nicks and their status."""
        self.settle()
        return _Items(self)

    def words(self) -> list[str]:
        """Each nick with its status before it, as NAMES lists them."""
        lines = "".join(self._texts).replace(" \n", "\n").split(_END)
        return [line if " " not in line else "".join(line.split(" ")[::-1]) for line in lines if line]

    def __repr__(self) -> str:
        return f"<Members: {len(self)}>"


def _lines(texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        for line in text[1:-1].split(_END) if len(text) > 1 else ():
            nick, _, status = line.partition(" ")
            yield nick, status


class _Items(ItemsView[str, str]):
    """Read off the lines; the inherited one would look each nick up again."""

    _mapping: Members

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return _lines(tuple(self._mapping._texts))
