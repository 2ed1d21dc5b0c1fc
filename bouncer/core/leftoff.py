"""Where devices left off in channels that are detached, or were, until they have got what was said meanwhile.

Owns these places: a device's position goes on without the lines of detached channels, so each such channel has its own.
Must not know how a place is kept, nor when a channel is shown again.

They are kept among the positions, under a name that no device can have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from bouncer.irc.casemap import DEFAULT_FOLD

SEPARATOR = "\t"  # between device and channel; names of devices have printable characters only
# Places of one network, of all devices and channels; of more, those that come late get what comes from then on.
PLACES_LIMIT = 2000


class LeftOff:
    """``positions`` are all that were kept; ``put`` and ``drop`` keep a place, and forget it."""

    def __init__(
        self, positions: Mapping[str, int], put: Callable[[str, int], None], drop: Callable[[str], None]
    ) -> None:
        self._put = put
        self._drop = drop
        self._places = {name: seq for name, seq in positions.items() if SEPARATOR in name}
        self._seen: dict[str, int] = {}  # of those who were there when it was detached: what they will have read

    def detached(self, channel: str, devices: Iterable[str], seq: int) -> None:
        """A channel is shown no more; these devices were shown all of it up to ``seq``."""
        for device in devices:
            self._seen.setdefault(_name(device, channel), seq)

    def moved(self, device: str, before: int, now: int, channels: Iterable[str]) -> None:
        """A device's position has moved, while these channels are detached."""
        for channel in channels:
            name = _name(device, channel)
            if name in self._places or len(self._places) >= PLACES_LIMIT:
                continue
            shown = self._seen.get(name)
            if shown is None or now >= shown:
                self._places[name] = before if shown is None else shown
                self._put(name, self._places[name])

    def gone(self, device: str) -> None:
        """A device has no client here any more: what it has not confirmed, it has not read."""
        for name in [each for each in self._seen if each.startswith(device + SEPARATOR)]:
            del self._seen[name]

    @property
    def kept(self) -> Mapping[str, int]:
        """All places, by the names under which they are kept."""
        return self._places

    def owed(self, device: str, channel: str, position: int) -> int:
        """A channel is shown again: the last kept line up to which the device, now at ``position``, has got it. That
        holds until it is told that it :meth:`caught_up`."""
        name = _name(device, channel)
        if name not in self._places:
            self._places[name] = self._seen.get(name, position)
            self._put(name, self._places[name])
        return self._places[name]

    def places(self, device: str) -> dict[str, int]:
        """By folded name of a channel: the last kept line up to which the device has got it."""
        start = device + SEPARATOR
        return {name[len(start) :]: seq for name, seq in self._places.items() if name.startswith(start)}

    def caught_up(self, device: str, channel: str) -> None:
        """The device has got all that was said."""
        name = _name(device, channel)
        self._seen.pop(name, None)
        if self._places.pop(name, None) is not None:
            self._drop(name)

    def drop(self, device: str) -> None:
        """A device is not known any more."""
        for channel in self.places(device):
            self.caught_up(device, channel)

    def renamed(self, old: str, new: str) -> None:
        """A channel has another name."""
        end = SEPARATOR + DEFAULT_FOLD(old)
        for places in (self._places, self._seen):
            for name in [each for each in places if each.endswith(end)]:
                moved = _name(name.removesuffix(end), new)
                if moved != name:
                    places[moved] = places.pop(name)
                    if places is self._places:
                        self._put(moved, places[moved])
                        self._drop(name)

    def forget(self, channel: str) -> None:
        """The user has left that channel."""
        end = SEPARATOR + DEFAULT_FOLD(channel)
        for name in [each for each in (*self._places, *self._seen) if each.endswith(end)]:
            self._seen.pop(name, None)
            if self._places.pop(name, None) is not None:
                self._drop(name)


def _name(device: str, channel: str) -> str:
    return device + SEPARATOR + DEFAULT_FOLD(channel)
