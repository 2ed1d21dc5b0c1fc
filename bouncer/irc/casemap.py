"""Compare names as a network does.

Owns the three case mappings of ISUPPORT's CASEMAPPING and a mapping whose keys are compared by one of them. Must not
know which network uses which: the fold is an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase
from typing import Any, TypeVar, overload

Fold = Callable[[str], str]
V = TypeVar("V")
D = TypeVar("D")

_FOLDED_NAMES = 4096  # folding is on the path of every line and names repeat: a hit costs a fifth; at most a few MB

_ASCII = str.maketrans(ascii_uppercase, ascii_lowercase)
# RFC 1459 section 2.2: {}| are the lower case of []\, because of IRC's Scandinavian origin; servers add ^ for ~
_RFC1459 = str.maketrans(ascii_uppercase + "[]\\~", ascii_lowercase + "{}|^")
_RFC1459_STRICT = str.maketrans(ascii_uppercase + "[]\\", ascii_lowercase + "{}|")


# Most names are ASCII throughout, and for those str has what is four times as fast as a table.


@lru_cache(_FOLDED_NAMES)
def fold_ascii(name: str) -> str:
    """CASEMAPPING=ascii: A-Z only."""
    return name.lower() if name.isascii() else name.translate(_ASCII)


@lru_cache(_FOLDED_NAMES)
def fold_rfc1459(name: str) -> str:
    r"""CASEMAPPING=rfc1459: A-Z, and ``[]\~`` become ``{}|^``."""
    if not name.isascii():
        return name.translate(_RFC1459)
    return name.lower().replace("[", "{").replace("]", "}").replace("\\", "|").replace("~", "^")


@lru_cache(_FOLDED_NAMES)
def fold_rfc1459_strict(name: str) -> str:
    r"""CASEMAPPING=rfc1459-strict: A-Z, and ``[]\`` become ``{}|``."""
    if not name.isascii():
        return name.translate(_RFC1459_STRICT)
    return name.lower().replace("[", "{").replace("]", "}").replace("\\", "|")


FOLDS: dict[str, Fold] = {
    "ascii": fold_ascii,
    "rfc1459": fold_rfc1459,
    "rfc1459-strict": fold_rfc1459_strict,
}
DEFAULT_FOLD: Fold = fold_rfc1459  # what holds until a server says otherwise (RFC 1459 section 2.2)


def afresh(fold: Fold, text: str) -> str:
    """Fold a text that will hardly come again, such as many names in one: it is not remembered."""
    plain: Fold = getattr(fold, "__wrapped__", fold)
    return plain(text)


_NOTHING: dict[str, tuple[str, Any]] = {}  # of all maps that nothing was put into yet: thousands stay so; never changed


class CaseMap(MutableMapping[str, V]):
    """A mapping from names whose keys are equal when they fold alike.

    Iteration yields each key as it was last set, in the order of first setting. A lookup raises KeyError as a dict's.
    """

    __slots__ = ("_fold", "_items")

    def __init__(self, fold: Fold = DEFAULT_FOLD) -> None:
        self._fold = fold
        self._items: dict[str, tuple[str, V]] = _NOTHING

    @property
    def fold(self) -> Fold:
        """The fold in use; :meth:`refold` changes it."""
        return self._fold

    def key(self, name: str) -> str:
        """The folded form of ``name``, whether it is in the map or not."""
        return self._fold(name)

    def spelling(self, name: str) -> str:
        """How the key equal to ``name`` was last spelled. Raises KeyError if there is none."""
        return self._items[self._fold(name)][0]

    def refold(self, fold: Fold) -> list[str]:
        """Compare by ``fold`` from now on.

        Keys that have become equal collide: the one set first stays. Returns the spellings of the others, whose
        values are gone from the map.
        """
        items: dict[str, tuple[str, V]] = {}
        lost = []
        for spelling, value in self._items.values():
            if items.setdefault(fold(spelling), (spelling, value))[0] != spelling:
                lost.append(spelling)
        self._fold = fold
        self._items = items or _NOTHING
        return lost

    def __getitem__(self, name: str) -> V:
        return self._items[self._fold(name)][1]

    def __setitem__(self, name: str, value: V) -> None:
        if not self._items:
            self._items = {}
        self._items[self._fold(name)] = (name, value)

    def __delitem__(self, name: str) -> None:
        del self._items[self._fold(name)]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._fold(name) in self._items

    def __iter__(self) -> Iterator[str]:
        for spelling, _ in self._items.values():
            yield spelling

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def get(self, name: str, /) -> V | None: ...
    @overload
    def get(self, name: str, /, default: V | D) -> V | D: ...
    def get(self, name: str, /, default: V | D | None = None) -> V | D | None:
        """As a dict's; written out because the inherited one raises and catches, which the hot path would pay."""
        item = self._items.get(self._fold(name))
        return default if item is None else item[1]

    def __repr__(self) -> str:
        return f"<CaseMap of {len(self._items)}>"
