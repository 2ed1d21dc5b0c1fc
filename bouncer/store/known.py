"""Which lines of the past are kept already.

Owns how lines are compared. Must not know where kept ones come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import NamedTuple

from bouncer.irc.casemap import DEFAULT_FOLD
from bouncer.irc.message import Message
from bouncer.model.history import OWN_SLACK_MS, Trace, words_of

SPAN_MS = 10 * OWN_SLACK_MS  # of two times nearer than this, what lies between is looked at too: one question less


class Candidate(NamedTuple):
    """A kept line that may be one of those asked for. ``own``: the user said it. ``target`` is folded."""

    time: int
    target: str
    own: bool
    raw: bytes


def spans(traces: Iterable[Trace]) -> dict[str, list[tuple[int, int]]]:
    """Where candidates are: by folded target, stretches of time (both ends included) that do not touch."""
    times: dict[str, list[int]] = {}
    for trace in traces:
        times.setdefault(DEFAULT_FOLD(trace.target), []).append(trace.time)
    found: dict[str, list[tuple[int, int]]] = {}
    for target, each in times.items():
        stretches = found[target] = []
        for time in sorted(each):
            low, high = time - OWN_SLACK_MS, time + OWN_SLACK_MS
            if stretches and low - stretches[-1][1] <= SPAN_MS:
                stretches[-1] = (stretches[-1][0], high)
            else:
                stretches.append((low, high))
    return found


def by_msgid(traces: Sequence[Trace], kept: Set[str]) -> frozenset[int]:
    """The places of those whose msgid is kept, or stood before."""
    found = set()
    seen = set(kept) - {""}
    for place, trace in enumerate(traces):
        if trace.msgid in seen:
            found.add(place)
        elif trace.msgid:
            seen.add(trace.msgid)
    return frozenset(found)


def by_words(traces: Sequence[Trace], known: Set[int], candidates: Iterable[Candidate]) -> frozenset[int]:
    """The places of those, not known by their msgids, that are the same as a candidate. Each candidate counts once."""
    asked = {trace.msgid for trace in traces} - {""}
    kept: dict[tuple[str, str, str, str], list[tuple[int, bool, bool]]] = {}
    for candidate in candidates:
        message = Message.parse(candidate.raw)
        msgid = message.tags.get("msgid", "") if message.tagtext else ""
        if msgid not in asked:
            key = (candidate.target, DEFAULT_FOLD(message.nick), message.command, words_of(message))
            kept.setdefault(key, []).append((candidate.time, candidate.own, bool(msgid)))
    found = set()
    for place, trace in enumerate(traces):
        if place in known:
            continue
        same = kept.get((DEFAULT_FOLD(trace.target), DEFAULT_FOLD(trace.sender), trace.command, trace.words), [])
        near = [
            (abs(each[0] - trace.time), each)
            for each in same
            if abs(each[0] - trace.time) <= (OWN_SLACK_MS if each[1] else 0) and not (trace.msgid and each[2])
        ]
        if near:
            found.add(place)
            same.remove(min(near)[1])
    return frozenset(found)
