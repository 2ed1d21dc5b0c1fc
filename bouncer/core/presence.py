"""Telling one network whether its user is there, and each device what has become of its AWAY.

Owns the moment at which the network is told, and the user's own words as settings keep them. Must not know how a line
gets to the network: what is true of the user is `away`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from bouncer.core.alarm import Alarm
from bouncer.core.away import Away
from bouncer.downstream.place import Attached
from bouncer.irc import numerics
from bouncer.irc.message import Message
from bouncer.model.ports import Timers
from bouncer.model.records import Network


class Presence:
    """``say`` passes a line on to the network, and returns False if it did not go out; ``keep`` has settings keep the
    user's own words, "" for none."""

    __slots__ = ("_alarm", "_away", "_begun", "_keep", "_kept", "_say", "_timers")

    def __init__(
        self, network: Network, timers: Timers, *, say: Callable[[Message], bool], keep: Callable[[str], None]
    ) -> None:
        self._away = Away(network.away_text, network.away, timers.now())
        self._kept = network.away_text
        self._begun = False
        self._timers = timers
        self._alarm = Alarm(timers, self._act)
        self._say = say
        self._keep = keep

    def reconfigure(self, network: Network) -> None:
        """The network's settings are these now."""
        self._away.alone = network.away
        self._kept = network.away_text

    # --- the connection

    def opened(self) -> None:
        """A connection has begun."""
        self._away.opened()

    def begin(self) -> None:
        """The network has let us in."""
        self._begun = True
        self._act()

    def ended(self) -> None:
        """The connection has ended."""
        self._begun = False
        self._alarm.set(inf)

    # --- the devices

    def attached(self, session: Attached) -> None:
        """A device has come."""
        self._away.attached(session)
        self._changed()

    def detached(self, session: Attached) -> None:
        """A device has gone."""
        self._away.detached(session, self._timers.now())
        self._changed()

    def said(self, session: Attached, message: Message) -> None:
        """A device is away or back. Where that changes what is true of the user the network answers, and to all."""
        text, told = message.param(0), self._away.told
        self._away.said(session, text)
        self._changed()
        if self._away.told != told:
            return
        if text:
            session.say(numerics.RPL_NOWAWAY, "You have been marked as being away")
        else:
            session.say(numerics.RPL_UNAWAY, "You are no longer marked as being away")

    def _changed(self) -> None:
        if self._away.text != self._kept:
            self._keep(self._away.text)
        self._act()

    def _act(self) -> None:
        """Tell the network what it does not know, or at what time there may be something to tell."""
        if self._begun:
            now = self._timers.now()
            line = self._away.line(now)
            if line is not None and not self._say(line):
                self._away.unsent(now)
            self._alarm.set(self._away.due_at)
