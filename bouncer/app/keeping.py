"""Sees to it that no more history is kept than the settings say: each hour, and soon after a setting has changed.

Owns when and how far it is looked, and what is counted. Must not know how lines are stored. Nobody waits for it: lines
are weighed in portions, with pauses between, and are deleted by the store in portions of its own.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from heapq import heapify, heappop, heappush

from bouncer.core.house import House
from bouncer.model.errors import Unavailable
from bouncer.model.history import LAST_SEQ, Expiry, Mark
from bouncer.model.ports import Archive, History
from bouncer.model.retention import Rule, rules_of_network, rules_of_user

EVERY = 3600.0  # seconds between two sweeps of everything; a line may be kept so much longer than was asked
LOOK = 15.0  # seconds between two looks whether settings have changed
PAUSE = 0.01  # seconds between two portions: a reader is free most of the time
PORTION = 5000  # lines that are weighed at once: 1 MB, some milliseconds of a reader
LEAST = 20  # lines: who has thousands of networks is not weighed line by line
TOGETHER = 100  # expiries that wait at once, and networks that are looked at in one go of the loop
LINE = 120  # bytes that a line has, by a rule of thumb
STEPS = 200  # portions of a size: between networks, what is the oldest is right to so small a part of it
SLACK = 50  # when there is too much, a 50th more goes, so that not each new line begins it anew

_NEWEST = Mark(LAST_SEQ, LAST_SEQ)

logger = logging.getLogger(__name__)


class Keeping:
    """``now`` gives seconds since 1970, ``pause`` waits so many."""

    def __init__(
        self,
        house: House,
        archive: Archive,
        history: History,
        *,
        now: Callable[[], float],
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        self._house = house
        self._archive = archive
        self._history = history
        self._now = now
        self._pause = pause
        self._all_at = 0.0
        self._seen = -1  # of the house's changes
        self._known: frozenset[Rule] = frozenset()
        self._counted: dict[Rule, tuple[int, dict[int, int]]] = {}  # bytes, and up to which line of each network

    async def run(self) -> None:
        """Look for ever."""
        failing = False
        while True:
            try:
                await self.look()
                failing = False
            except Unavailable as problem:
                if not failing:
                    logger.warning("what is kept too long can't be deleted now: %s", problem)
                failing = True
            await self._pause(LOOK)

    async def look(self) -> None:
        """Do what is due: everything once an hour, else what settings say since the last look. Raises Unavailable."""
        now = self._now()
        everything = now >= self._all_at
        if not everything and self._seen == self._house.changes:
            return
        seen = self._house.changes
        rules = frozenset([rule async for rule in self._rules()])
        due = rules if everything else rules - self._known
        await self._sweep(due)
        # only now, so that what was refused is asked for again
        self._seen, self._known = seen, rules
        self._counted = {rule: counted for rule, counted in self._counted.items() if rule in rules}
        if everything:
            self._all_at = now + EVERY

    async def _rules(self) -> AsyncIterator[Rule]:
        looked = 0
        for user in self._house.users():
            for rule in rules_of_user(user):
                yield rule
            for network in user.networks:
                for rule in rules_of_network(user, network):
                    yield rule
                looked += 1
                if looked % TOGETHER == 0:
                    await self._pause(0.0)

    async def _sweep(self, rules: frozenset[Rule]) -> None:
        """Ages first: what goes by them need not be weighed."""
        asked = 0
        for rule in rules:
            if rule.age:
                before = int((self._now() - rule.age) * 1000)
                self._archive.expire(Expiry(rule.networks[0], rule.target, before))
                asked += 1
                if asked % TOGETHER == 0:
                    await self._archive.expired()
        if asked:
            await self._archive.expired()
        # the widest last: what the others take is gone by then
        for rule in sorted((rule for rule in rules if rule.size), key=lambda rule: len(rule.networks)):
            cuts = await self._cuts(rule)
            for cut in cuts:
                self._archive.expire(cut)
            if cuts:
                await self._archive.expired()

    async def _cuts(self, rule: Rule) -> list[Expiry]:
        """What has to go, for at most so many bytes to be left; nothing if there are no more."""
        links = {network: self._house.link(network) for network in rule.networks}
        heads = {network: link.log.seq for network, link in links.items() if link is not None}
        if not heads or await self._fits(rule, heads):
            return []
        ends = dict.fromkeys(heads, _NEWEST)
        soft: dict[int, Mark] | None = None  # where the places were before the slack began
        left, step = rule.size, _step(rule)
        newest = [(-mark.time, network) for network, mark in ends.items()]
        heapify(newest)
        while newest:  # the network whose next line is the newest has its next lines weighed
            time, network = heappop(newest)
            run = await self._history.weigh(network, rule.target, ends[network], step)
            await self._pause(PAUSE)
            if soft is None and left - run.size < rule.size // SLACK:
                soft = dict(ends)
            if run.size > left:
                if step == 1:
                    return [_expiry(rule, each, mark, heads[each]) for each, mark in (soft or ends).items()]
                step = max(1, step // 4)
                heappush(newest, (time, network))
            elif run.lines:
                left -= run.size
                ends[network] = run.end
                heappush(newest, (-run.end.time, network))
        if not rule.target:
            self._counted[rule] = rule.size - left, heads
        return []

    async def _fits(self, rule: Rule, heads: dict[int, int]) -> bool:
        """Whether what has come since all was weighed is so little that nothing has to go. May count a few lines
        twice."""
        size, known = self._counted.pop(rule, (0, {}))
        if known.keys() != heads.keys():
            return False
        for network, head in heads.items():
            mark = Mark(0, head + 1)
            while mark.seq > known[network] + 1 and size <= rule.size:
                run = await self._history.weigh(network, "", mark, _step(rule))
                await self._pause(PAUSE)
                if not run.lines:
                    break
                size, mark = size + run.size, run.end
        if size > rule.size:
            return False
        self._counted[rule] = size, heads
        return True


def _step(rule: Rule) -> int:
    return max(LEAST, min(PORTION, rule.size // (LINE * STEPS * len(rule.networks))))


def _expiry(rule: Rule, network: int, end: Mark, head: int) -> Expiry:
    """What is before that place; what comes from now on never is."""
    if rule.target:  # in the order of its times, of which one may be that of several lines
        return Expiry(network, rule.target, before=None if end == _NEWEST else end.time + 1, upto=head)
    return Expiry(network, upto=min(end.seq - 1, head))
