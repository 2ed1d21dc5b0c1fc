"""Whether the user is there, seen over all devices, and what is said of them while they are not.

Owns the one away state that a network is told. Must not know sessions, the wire or the clock: a device is any value
that tells it from others, and times (seconds) are arguments.

One device that is present makes the user present. Without any, the newest text that the user has said stands, also when
the last device leaves, over reconnects and restarts; who left without a word gets the text that settings hold for that.

RFC 2812 section 4.1
"""

from __future__ import annotations

from math import inf

from bouncer.irc.fit import cut
from bouncer.irc.message import Message

ALONE_DELAY = 10.0  # seconds without a device before we speak for the user: a client that reconnects must not flap
UNSENT_WAIT = 10.0  # seconds until a line is said again that did not go out: a full queue empties at a line in 2 s
TEXT_LIMIT = 504  # bytes: a line of 512 less CRLF and "AWAY :"; what the network finds too long it cuts itself


class Away:
    """The away state of one user on one network.

    ``text`` is what the user has said, "" while one device is present: keep it. ``alone`` is what is said while no
    device is attached and the user has said nothing, "" for nothing.
    """

    __slots__ = ("_alone_since", "_before", "_devices", "_held_until", "_told", "alone", "text")

    def __init__(self, text: str, alone: str, now: float) -> None:
        self.text = text
        self.alone = alone
        self._devices: dict[object, str] = {}  # what each has said, "" of one that is present; the newest last
        self._alone_since = now
        self._told = ""
        self._before = ""  # what the network knew before it was told that
        self._held_until = -inf  # no line before, as the last one did not go out

    @property
    def told(self) -> str:
        """What the network knows of us, "" if we are there."""
        return self._told

    @property
    def due_at(self) -> float:
        """When :meth:`line` is to be asked again though nothing happens; infinite if never."""
        if self._held_until > -inf:
            return self._held_until
        waiting = not self._devices and not self.text and self.alone and self._told != self.alone
        return self._alone_since + ALONE_DELAY if waiting else inf

    def opened(self) -> None:
        """A connection has begun: its network takes us to be there."""
        self._told = ""
        self._held_until = -inf

    def attached(self, device: object) -> None:
        """A device has come; it is present until it says otherwise."""
        self._devices[device] = ""
        self.text = ""

    def detached(self, device: object, now: float) -> None:
        """A device has gone."""
        self._devices.pop(device, None)
        self._alone_since = now
        if self._devices and "" not in self._devices.values() and not self.text:
            self.text = next(reversed(self._devices.values()))

    def said(self, device: object, text: str) -> None:
        """A device has said AWAY, with "" that its user is back."""
        data = text.encode("utf-8", "surrogateescape")
        text = cut(data, TEXT_LIMIT).decode("utf-8", "surrogateescape")
        self._devices.pop(device, None)
        self._devices[device] = text
        self.text = "" if "" in self._devices.values() else text

    def line(self, now: float) -> Message | None:
        """What the network is to be told now, None if it knows. It counts as told, unless :meth:`unsent` follows."""
        if now < self._held_until:
            return None
        self._held_until = -inf
        wanted = self.text
        if not wanted and not self._devices:
            wanted = self.alone if now >= self._alone_since + ALONE_DELAY or not self.alone else self._told
        if wanted == self._told:
            return None
        self._before, self._told = self._told, wanted
        return Message.lenient("AWAY", wanted) if wanted else Message.build("AWAY")

    def unsent(self, now: float) -> None:
        """The last line has not gone out: the network knows what it knew, and is told later."""
        self._told = self._before
        self._held_until = now + UNSENT_WAIT
