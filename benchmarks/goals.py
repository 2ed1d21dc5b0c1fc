"""What must come out, and what is aimed at: rows that say what is compared with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.run import Measured

OURS = "bouncer"


@dataclass(frozen=True, slots=True)
class Goal:
    """``figure`` of a scenario, divided by the same of ``peer`` (none: taken as it is), is at most ``must``, and is
    meant to come down to ``aim``. ``unit`` is for people."""

    scenario: str
    figure: str
    peer: str
    must: float
    aim: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """``value`` is the ratio, or our own figure where nothing is compared."""

    goal: Goal
    ours: float
    theirs: float | None
    value: float

    @property
    def verdict(self) -> str:
        if self.goal.aim is not None and self.value <= self.goal.aim:
            return "aim met"
        return "met" if self.value <= self.goal.must else "MISSED"


GOALS = (
    Goal("relay-1", "us", "znc", 1.5, 1.0),
    Goal("relay-1", "us", "znc-log", 0.35),
    Goal("relay-1", "us", "soju", 0.06),
    Goal("relay-20", "us", "znc", 0.2, 0.1),
    Goal("relay-20", "us", "soju", 0.05),
    Goal("tags", "us", "znc", 1.0, 0.7),
    Goal("targets", "us", "znc", 2.0, 1.3),
    Goal("upstream", "us", "znc", 1.5, 1.0),
    Goal("upstream", "us", "soju", 0.06),
    Goal("single", "us", "znc", 1.5, 1.0),
    Goal("single", "us", "soju", 0.1),
    Goal("latency", "p50 us", "znc", 1.5, 1.0),
    Goal("latency", "p50 us", "soju", 0.5),
    Goal("attach", "ms", "znc", 1.0, 0.5),
    Goal("attach", "ms", "soju", 0.25),
    Goal("memory", "KiB", "znc", 0.5, 0.25),
    Goal("memory", "KiB", "soju", 0.5, 0.25),
    Goal("crowd", "start s", "", 10.0, 5.0, "s"),
    Goal("crowd", "idle %", "", 1.0, None, "%"),
    Goal("tls", "us", "znc", 1.5, 1.0),
)


def outcomes(results: Mapping[str, Mapping[str, Measured]]) -> list[Outcome]:
    """Of all goals for which there are figures. ``results``: by scenario and subject."""
    found = []
    for goal in GOALS:
        measured = results.get(goal.scenario, {})
        ours = measured[OURS].median(goal.figure) if OURS in measured else None
        theirs = measured[goal.peer].median(goal.figure) if goal.peer in measured else None
        if ours is None or (goal.peer and not theirs):
            continue
        found.append(Outcome(goal, ours, theirs, ours / theirs if theirs else ours))
    return found
