"""A tree of logs of ZNC's module, read in order of time over all its windows.

Owns which files are logs and what their names say, and the times of their lines. Must not know what becomes of them.
"""

from __future__ import annotations

import heapq
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from itertools import groupby, islice
from pathlib import Path
from typing import IO

from bouncer.app.moving.exporting import NAME_FILE
from bouncer.app.moving.file_names import file_name, is_cut, name_of
from bouncer.app.moving.znc_lines import line_of, text_of
from bouncer.irc.casemap import DEFAULT_FOLD
from bouncer.irc.formatting import strip_formatting
from bouncer.model.entry import Kind
from bouncer.model.errors import Refused
from bouncer.model.past import LINE_LIMIT, PastLine, past_line

MERGED_FILES = 200  # read side by side, for windows of one day; processes may have 1,024 files open
UNIT = 1000  # milliseconds: how exact the times are
STATUS = "status"  # ZNC's window for what it has to say itself

_FILE = re.compile(r"\d{4}-\d\d-\d\d\.log", re.ASCII)
_LINE = re.compile(r"\[(\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?\] ?(.*)", re.DOTALL | re.ASCII)

_LINKED = frozenset({Kind.QUIT.name, Kind.NICK.name})

Complain = Callable[[str, str], None]  # where (file:line), and what is wrong there


@dataclass(frozen=True, slots=True)
class LogFile:
    """The log of one window on one day."""

    path: Path
    window: str
    day: date

    @property
    def size(self) -> int:
        return self.path.stat().st_size


def find_logs(path: Path, network: str) -> list[LogFile]:
    """The logs of one network in a file, a window's folder, a network's or one that has several, in order of days.

    Raises Refused if there are none, or if it can't be told which of them are this network's.
    """
    files = [path] if path.is_file() else sorted(each for each in path.rglob("*.log") if each.is_file())
    files = [each.absolute() for each in files if _FILE.fullmatch(each.name)]
    if not files:
        raise Refused(f"{path} has no logs in it: they are named as in {network}/#channel/2026-11-22.log")
    networks = {each.parent.parent.name for each in files}
    if len(networks) > 1:
        wanted = {file_name(network), DEFAULT_FOLD(network)}
        files = [each for each in files if DEFAULT_FOLD(each.parent.parent.name) in wanted]
        if not files:
            names = ", ".join(sorted(networks)[:10])
            raise Refused(f"{path} has logs of several networks ({names}): name the folder of one of them")
    logs = (LogFile(each, _window(each.parent), _day(each)) for each in files)
    return sorted((log for log in logs if log.window != STATUS), key=lambda log: (log.day, log.window))


def _day(path: Path) -> date:
    try:
        return date.fromisoformat(path.stem)
    except ValueError:
        raise Refused(f"{path} is named after a day that there is not") from None


def _window(folder: Path) -> str:
    if is_cut(folder.name):
        try:
            name = json.loads((folder / NAME_FILE).read_bytes())
        except (OSError, ValueError):
            name = None
        if not isinstance(name, str):
            raise Refused(f"{folder} has no file {NAME_FILE} that says whose window it is")
        return name
    return name_of(folder.name)


class Logs:
    """The lines of these files. ``nick`` is ours, which their private windows don't tell; ``spell`` gives a window's
    name as it is known."""

    def __init__(
        self, files: list[LogFile], zone: tzinfo, nick: str, spell: Callable[[str], str], complain: Complain
    ) -> None:
        self._files = files
        self._zone = zone
        self._nick = nick
        self._spell = spell
        self._complain = complain

    def __iter__(self) -> Iterator[PastLine]:
        for _, of_day in groupby(self._files, key=lambda log: log.day):
            while some := list(islice(of_day, MERGED_FILES)):
                merged = heapq.merge(*map(self._lines, some), key=lambda line: line.time)
                for _, same in groupby(merged, key=lambda line: line.time):
                    yield from _united(same)

    def _lines(self, log: LogFile) -> Iterator[PastLine]:
        window, before = self._spell(log.window), None
        with log.path.open("rb") as file:
            for number, data in enumerate(_rows(file), 1):
                try:
                    moment, said = self._moment(log.day, data, before)
                    yield self._line(moment, said, window)
                    before = moment
                except Refused as problem:
                    self._complain(f"{log.path}:{number}", str(problem))

    def _line(self, moment: datetime, text: str, window: str) -> PastLine:
        message = line_of(text, window, self._nick)
        if message is None:
            raise Refused("it is in none of the forms that ZNC writes")
        time = int(moment.timestamp() * 1000)
        if message.command in _LINKED:
            return past_line(time, message.raw, "", also=(window,))
        return past_line(time, message.raw, window)

    def _moment(self, day: date, data: bytes, before: datetime | None) -> tuple[datetime, str]:
        if len(data) > LINE_LIMIT:
            raise Refused(f"it is longer than {LINE_LIMIT} bytes")
        found = _LINE.fullmatch(data.rstrip(b"\r\n").decode("utf-8", "surrogateescape"))
        if found is None:
            raise Refused("it does not begin with a time as in [20:41:07]")
        hour, minute, second, said = found.groups()
        try:
            moment = datetime(
                day.year, day.month, day.day, int(hour), int(minute), min(int(second or 0), 59), tzinfo=self._zone
            )
        except ValueError:
            raise Refused("it has a time that there is not") from None
        if before is not None and moment.timestamp() < before.timestamp():
            later = moment.replace(fold=1)  # the hour that comes twice when the clocks go back
            if later.timestamp() >= before.timestamp():
                moment = later
        return moment, said


def _rows(file: IO[bytes]) -> Iterator[bytes]:
    """The lines of a file; of one that is too long, a beginning that is too long as well."""
    while data := file.readline(LINE_LIMIT + 1):
        yield data
        while len(data) > LINE_LIMIT and not data.endswith(b"\n"):
            data = file.readline(LINE_LIMIT + 1) or b"\n"


def _united(lines: Iterator[PastLine]) -> Iterator[PastLine]:
    """The lines of one second, in which a QUIT that stands in several windows is one line that belongs to all."""
    found: list[PastLine] = []
    linked: dict[bytes, list[int]] = {}
    for line in lines:
        places = linked.setdefault(line.raw, []) if line.also else []
        place = next((each for each in places if not set(line.also) & set(found[each].also)), None)
        if place is None:
            places.append(len(found))
            found.append(line)
        else:
            found[place] = found[place]._replace(also=(*found[place].also, *line.also))
    yield from found


def as_written(time: int, kind: int, raw: bytes) -> tuple[int, str | None]:
    """What such a log tells of a line: two of which it tells the same are the same. ZNC may have been told to leave
    formatting out."""
    text = text_of(kind, raw)
    return time // UNIT, None if text is None else strip_formatting(text).rstrip()
