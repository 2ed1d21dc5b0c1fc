"""History as a file of JSON lines: a header, a line for each line of IRC, and an end that tells whether all is there.

Owns that format. Must not know where the lines come from or go to.

    {"format": "bouncer-history", "version": 1, "networks": ["libera"]}
    {"network": "libera", "time": "2026-11-22T20:41:07.123Z", "seq": 5, "kind": "PRIVMSG", "sender": "bob",
     "target": "#python", "raw": ":bob!b@host PRIVMSG #python :hello"}
    {"end": true, "lines": 1, "sha256": "..."}

A line may also have ``also``, the channels that a QUIT or NICK belongs to, ``device`` and ``msgid``. A text that is not
UTF-8 is ``{"base64": "..."}``. ``seq``, ``sender`` and ``msgid`` are for readers: the rest says it all. The checksum is
of all bytes before the end.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from bouncer.irc.message import Message
from bouncer.model.errors import Refused
from bouncer.model.past import LATEST, PastLine, past_line

FORMAT = "bouncer-history"
VERSION = 1
LINE_LIMIT = 4 << 20  # bytes of one line: that of a QUIT seen in a thousand channels with the longest names has 3 MB

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Writer:
    """Writes one such file."""

    def __init__(self, file: IO[bytes], networks: Sequence[str]) -> None:
        self._file = file
        self._sum = hashlib.sha256()
        self.lines = 0
        self._write({"format": FORMAT, "version": VERSION, "networks": list(networks)})

    def line(self, network: str, seq: int, line: PastLine) -> None:
        message = Message.parse(line.raw)
        row: dict[str, Any] = {
            "network": network,
            "time": written_time(line.time),
            "seq": seq,
            "kind": line.kind.name,
            "sender": _written(message.nick),
            "target": _written(line.target),
        }
        if line.also:
            row["also"] = [_written(name) for name in line.also]
        if line.device:
            row["device"] = _written(line.device)
        if msgid := message.tags.get("msgid"):
            row["msgid"] = _written(msgid)
        row["raw"] = _written(line.raw.decode("utf-8", "surrogateescape"))
        self._write(row)
        self.lines += 1

    def end(self) -> None:
        self._write({"end": True, "lines": self.lines, "sha256": self._sum.hexdigest()})

    def _write(self, row: dict[str, Any]) -> None:
        data = json.dumps(row, ensure_ascii=False).encode() + b"\n"
        self._sum.update(data)
        self._file.write(data)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file says that it holds."""

    networks: tuple[str, ...]
    lines: int
    whole: bool  # it has its end, and that fits


def contents(path: Path) -> Contents:
    """Read a file through once. Raises Refused if it is no such file, or has an end that does not fit."""
    checksum, lines, last = hashlib.sha256(), 0, b""
    with path.open("rb") as file:
        networks = _header(path, file.readline(LINE_LIMIT))
        file.seek(0)
        for row in _rows(path, file):
            if last:
                checksum.update(last)
                lines += 1
            last = row
    end = _object(last)
    if end.get("end") is not True:
        return Contents(networks, lines, whole=False)
    if end.get("lines") != lines - 1 or end.get("sha256") != checksum.hexdigest():
        raise Refused(f"{path} is damaged: its lines are not those that its end tells of; export it again")
    return Contents(networks, lines - 1, whole=True)


def lines(path: Path) -> Iterator[tuple[int, str, PastLine | Refused]]:
    """Each line with its number in the file and the name of its network, or with what is wrong with it."""
    with path.open("rb") as file:
        for number, row in enumerate(_rows(path, file), 1):
            found = _object(row)
            if number == 1 or found.get("end") is True:
                continue
            try:
                yield number, *_line(found)
            except Refused as problem:
                yield number, "", problem


def written_time(time: int) -> str:
    """Milliseconds since 1970 as RFC 3339 writes them."""
    seconds, milliseconds = divmod(max(0, min(time, LATEST)), 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"


def _header(path: Path, row: bytes) -> tuple[str, ...]:
    header = _object(row)
    networks = header.get("networks")
    if header.get("format") != FORMAT or not isinstance(networks, list):
        raise Refused(f"{path} is no history in JSON lines: name a file that bouncer history export has made")
    if header.get("version") != VERSION:
        raise Refused(f"{path} is of a newer version than this program reads: use a newer bouncer")
    return tuple(map(str, networks))


def _rows(path: Path, file: IO[bytes]) -> Iterator[bytes]:
    number = 0
    while row := file.readline(LINE_LIMIT + 1):
        number += 1
        if len(row) > LINE_LIMIT:
            raise Refused(f"{path} has a line {number} of more than {LINE_LIMIT} bytes: it is no history")
        yield row


def _object(row: bytes) -> dict[str, Any]:
    """The object of a row, an empty one if it is none."""
    try:
        found = json.loads(row)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _line(row: dict[str, Any]) -> tuple[str, PastLine]:
    if not row:
        raise Refused("it is no JSON object")
    also = row.get("also", [])
    if not isinstance(also, list):
        raise Refused("its also is no list")
    kind, network = row.get("kind", ""), row.get("network", "")
    if not isinstance(kind, str) or not isinstance(network, str):
        raise Refused("its kind or network is no text")
    line = past_line(
        _time(row.get("time")),
        _text(row, "raw").encode("utf-8", "surrogateescape"),
        _text(row, "target"),
        _text(row, "device"),
        tuple(_read(name, "also") for name in also),
        kind,
    )
    return network, line


def _time(value: object) -> int:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Refused("its time is none as in 2026-11-22T20:41:07.123Z")
    return (moment - _EPOCH) // _MILLISECOND


def _text(row: dict[str, Any], name: str) -> str:
    return _read(row.get(name, ""), name)


def _read(value: object, name: str) -> str:
    if isinstance(value, dict):
        encoded = value.get("base64")
        try:
            data = base64.b64decode(encoded, validate=True) if isinstance(encoded, str) else None
        except (binascii.Error, ValueError):
            data = None
        if data is not None:
            return data.decode("utf-8", "surrogateescape")
    elif isinstance(value, str):
        # half of a pair of surrogates, as JSON may have, is no text
        return value.encode("utf-8", "replace").decode()
    raise Refused(f"its {name} is no text")


def _written(text: str) -> object:
    """A text as JSON has it: one with bytes that are no UTF-8 in another form."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return {"base64": base64.b64encode(text.encode("utf-8", "surrogateescape")).decode("ascii")}
    return text
