"""Counts what the interpreter does for us: bytecodes and calls into C, by thread, in the code of `bouncer` alone.

Unlike time these are the same on every machine with the same Python, so that a test can hold them against a number.
What happens inside C (SQLite, the system) is not seen, nor are rooms that were compiled.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

import bouncer

_OURS = bouncer.__path__[0]  # the folder of its code


# What one takes of time, in bytecodes, about. One sum, so that what moves from here to there is not taken for more.
CALL = 10


@dataclass
class Counts:
    """Of one thread, or of some."""

    bytecodes: int = 0
    calls: int = 0

    @property
    def steps(self) -> int:
        """Bytecodes, and calls into C as what they are worth."""
        return self.bytecodes + CALL * self.calls

    def since(self, before: Counts) -> Counts:
        """What came after another reading of the same."""
        return Counts(self.bytecodes - before.bytecodes, self.calls - before.calls)


class Counter:
    """Counts while :meth:`counting`; threads must be started inside :meth:`watching` to be seen."""

    def __init__(self) -> None:
        self.loop = Counts()
        self.others = Counts()
        self._main = threading.get_ident()
        self._on = False
        self._ours: dict[CodeType, bool] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Have threads that are started now be counted as well."""
        threading.settrace(self._trace)
        threading.setprofile(self._profile)
        try:
            yield
        finally:
            threading.settrace(None)
            threading.setprofile(None)

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count from nothing."""
        self.loop, self.others = Counts(), Counts()
        self._on = True
        sys.settrace(self._trace)
        sys.setprofile(self._profile)
        try:
            yield
        finally:
            sys.setprofile(None)
            sys.settrace(None)
            self._on = False

    def _counts(self) -> Counts:
        return self.loop if threading.get_ident() == self._main else self.others

    def _is_ours(self, code: CodeType) -> bool:
        ours = self._ours.get(code)
        if ours is None:
            ours = self._ours[code] = code.co_filename.startswith(_OURS)
        return ours

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "call":
            if not self._is_ours(frame.f_code):
                return None
            frame.f_trace_lines = False
            frame.f_trace_opcodes = True
        elif event == "opcode" and self._on:
            self._counts().bytecodes += 1
        return self._trace

    def _profile(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "c_call" and self._on and self._is_ours(frame.f_code):
            self._counts().calls += 1
