"""`bouncer history export`: what was kept, as JSON lines or as the logs of ZNC's module.

Owns what is written where. Must not know how a line looks in either form.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path
from typing import IO

from bouncer.app.moving.comparing import ALL_KINDS
from bouncer.app.moving.file_names import file_name, is_cut
from bouncer.app.moving.json_lines import Writer
from bouncer.app.moving.znc_lines import text_of
from bouncer.irc.casemap import DEFAULT_FOLD
from bouncer.model.entry import LINKED_KINDS, Kind
from bouncer.model.errors import Refused
from bouncer.model.history import LINES_LIMIT, Mark, Range
from bouncer.model.past import PastLine
from bouncer.store.files import PRIVATE_FILE, make_directory, sync_directory
from bouncer.store.reading import Named, Reader

PORTION = 5000  # lines read from the database at once: some 2 MB, and a picture of it for a few hundredths of a second
NAME_FILE = "name.json"  # in the folder of a window whose name is too long for a folder's
STANDARD_OUTPUT = "-"

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Period:
    """Milliseconds since 1970; ``before`` is excluded. None: no bound."""

    after: int | None = None
    before: int | None = None

    def __contains__(self, time: int) -> bool:
        return (self.after is None or time >= self.after) and (self.before is None or time < self.before)


@dataclass(slots=True)
class Exported:
    """What was written."""

    lines: dict[str, int] = field(default_factory=dict)  # by network
    left_out: int = 0  # lines that the format has no form for
    files: int = 0

    @property
    def total(self) -> int:
        return sum(self.lines.values())


def export_json(
    reader: Reader, networks: Sequence[Named], channel: str, period: Period, to: str, told: Advance
) -> Exported:
    """Write JSON lines to a file, which appears when it is whole, or to standard output."""
    done = Exported(files=1)
    with _output(to) as file:
        writer = Writer(file, [named.network for named in networks])
        for named in networks:
            count = 0
            source = _conversation(reader, named, channel, period) if channel else _network(reader, named)
            for seq, line in source:
                told(1)
                if line.time in period:
                    writer.line(named.network, seq, line)
                    count += 1
            done.lines[str(named)] = count
        writer.end()
    return done


def _network(reader: Reader, named: Named) -> Iterator[tuple[int, PastLine]]:
    """All lines of a network, in order of their numbers."""
    head, after = reader.head(named.id), -1
    while rows := reader.lines(named.id, after, head, PORTION):
        yield from rows
        after = rows[-1][0]


def _conversation(reader: Reader, named: Named, channel: str, period: Period) -> Iterator[tuple[int, PastLine]]:
    """The lines of one conversation, in order of their times."""
    after = None if period.after is None else Mark(period.after, 0)
    before = None if period.before is None else Mark(period.before, 0)
    upto = reader.head(named.id)
    while True:
        rows = reader.conversation(Range(named.id, (channel,), upto, LINES_LIMIT, after, before, kinds=ALL_KINDS))
        for row in rows:
            also = (channel,) if row.kind in LINKED_KINDS and not row.target else ()
            yield row.seq, PastLine(row.time, Kind(row.kind), row.target, row.device, also, row.raw)
        if len(rows) < LINES_LIMIT:
            return
        after = Mark(rows[-1].time, rows[-1].seq)


def export_znc(
    reader: Reader, networks: Sequence[Named], channel: str, period: Period, to: Path, zone: tzinfo, told: Advance
) -> Exported:
    """Write ZNC's tree of logs under a folder: user/network/window/2026-11-22.log, with times of the zone.

    Raises Refused if there is one of these networks already: what is appended twice stands there twice.
    """
    done = Exported()
    for named in networks:
        folder = to / file_name(named.user) / file_name(named.network)
        if folder.exists():
            raise Refused(f"{folder} is there already: name a folder without logs with --to")
    for named in networks:
        folder = to / file_name(named.user) / file_name(named.network)
        count = 0
        for name in [channel] if channel else reader.targets(named.id):
            log = _Log(folder, name, zone)
            try:
                for _, line in _conversation(reader, named, name, period):
                    told(1)
                    text = text_of(line.kind, line.raw)
                    if text is None:
                        done.left_out += 1
                    else:
                        log.write(line.time, text)
                        count += 1
            finally:
                log.close()
            done.files += log.files
        done.lines[str(named)] = count
    return done


class _Log:
    """The files of one window, a day each. Lines come in order of their times."""

    def __init__(self, folder: Path, window: str, zone: tzinfo) -> None:
        name = file_name(window)
        self._folder = folder / name
        self._name = DEFAULT_FOLD(window) if is_cut(name) else ""
        self._zone = zone
        self._day = ""
        self._file: IO[bytes] | None = None
        self.files = 0

    def write(self, time: int, text: str) -> None:
        moment = datetime.fromtimestamp(time // 1000, self._zone)
        day = f"{moment:%Y-%m-%d}"
        if self._file is None or day != self._day:
            self._open(day)
        assert self._file is not None  # it was opened just now
        self._file.write(f"[{moment:%H:%M:%S}] {text}\n".encode("utf-8", "surrogateescape"))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self, day: str) -> None:
        self.close()
        if not self.files:
            make_directory(self._folder)
            if self._name:
                self._write_name()
        self._day = day
        # a day comes again where the clocks of a zone went back over midnight
        self._file = _private(self._folder / f"{day}.log", "ab")
        self.files += 1

    def _write_name(self) -> None:
        with _private(self._folder / NAME_FILE, "wb") as file:
            file.write(json.dumps(self._name).encode())


def _private(path: Path, mode: str) -> IO[bytes]:
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, PRIVATE_FILE))


@contextmanager
def _output(to: str) -> Iterator[IO[bytes]]:
    if to == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(to)
    if path.exists() and not path.is_file():
        raise Refused(f"{to} is there and is no file: name another one, or leave --to out for standard output")
    unfinished = path.with_name(path.name + ".new")
    unfinished.unlink(missing_ok=True)
    try:
        with _private(unfinished, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
        sync_directory(path.parent)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
