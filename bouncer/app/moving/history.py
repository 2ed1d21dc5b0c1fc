"""What `bouncer history export` and `bouncer history import` do.

Owns which networks are meant, and what is told at the end. Must not know how formats look.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bouncer.app.config import DRIVER_MISSING, SQLITE, load_config
from bouncer.app.home import Home
from bouncer.app.moving import json_lines
from bouncer.app.moving.comparing import exactly
from bouncer.app.moving.exporting import STANDARD_OUTPUT, Exported, Period, export_json, export_znc
from bouncer.app.moving.importing import Imported, import_network
from bouncer.app.moving.progress import progress
from bouncer.app.moving.znc_logs import UNIT, Logs, as_written, find_logs
from bouncer.irc.casemap import DEFAULT_FOLD
from bouncer.model.errors import Refused
from bouncer.model.past import PastLine
from bouncer.model.records import fold_name
from bouncer.operations.names import meant, quoted
from bouncer.store.reading import FileReader, Named, Reader

Say = Callable[[str], None]


def export_history(
    home: Home, say: Say, what: str, bounds: Sequence[str], form: str, to: str, timezone: str, as_json: bool
) -> None:
    """Write history to files, and tell what was written. Raises Refused."""
    with _reader(home) as reader:
        done = _export(reader, what, bounds, form, to, timezone)
    _tell_exported(done, to, as_json, say)


def import_history(
    home: Home, say: Say, what: str, path: Path, form: str | None, timezone: str, partial: bool, as_json: bool
) -> None:
    """Bring files into history, and tell what became of their lines. Raises Refused and Unavailable, also if some of
    the lines were refused."""
    done = Imported()
    try:
        with _reader(home) as reader:
            _import(home, reader, what, path, form or _guessed(path), timezone, partial, done)
    except Refused as problem:
        raise _with_counts(problem, done) from problem
    _tell_imported(done, as_json, say)


@contextmanager
def _reader(home: Home) -> Iterator[Reader]:
    store = load_config(home.config).store
    if store == SQLITE:
        with FileReader(home.database) as reader:
            yield reader
        return
    try:
        from bouncer.store.postgresql.reading import ServerReader  # its driver is there only where it is asked for
    except ImportError as error:
        raise Refused(DRIVER_MISSING) from error
    with ServerReader(store) as reader:
        yield reader


# --- which networks


def _wanted(reader: Reader, user: str, network: str) -> list[Named]:
    everybody = reader.networks()
    of_user = [each for each in everybody if fold_name(each.user) == fold_name(user)]
    if not of_user:
        raise Refused(f"there is no user {quoted(user)} with a network{meant(user, {each.user for each in everybody})}")
    found = [each for each in of_user if not network or fold_name(each.network) == fold_name(network)]
    if not found:
        names = [each.network for each in of_user]
        raise Refused(f"there is no network {quoted(f'{user}/{network}')}{meant(network, names)}")
    return found


def _zone(name: str, named: Named) -> tzinfo:
    try:
        return ZoneInfo(name or named.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        if name:
            raise Refused(f"{quoted(name)} is no time zone; write it as in Europe/Berlin") from None
        return UTC


# --- export


def _export(reader: Reader, what: str, bounds: Sequence[str], form: str, to: str, timezone: str) -> Exported:
    user, _, rest = what.partition("/")
    network, _, channel = rest.partition("/")
    networks = _wanted(reader, user, network)
    zone = _zone(timezone, networks[0])
    period = _period(bounds, zone)
    if form == "znc" and to == STANDARD_OUTPUT:
        raise Refused("logs of ZNC are many files: name a folder for them with --to")
    try:
        with progress(sum(reader.count(each.id) for each in networks), "export") as told:
            if form == "znc":
                return export_znc(reader, networks, channel, period, Path(to), zone, told)
            return export_json(reader, networks, channel, period, to, told)
    except BrokenPipeError:
        raise  # the reader has had enough, as `head` has
    except OSError as error:
        raise Refused(f"{to} can't be written: {(error.strerror or str(error)).lower()}") from error


def _period(bounds: Sequence[str], zone: tzinfo) -> Period:
    found: dict[str, int] = {}
    for word in bounds:
        name, equals, value = word.partition("=")
        if name not in ("after", "before") or not equals:
            raise Refused(f"{quoted(word)} is not understood: there are after=DATE and before=DATE")
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise Refused(f"{quoted(value)} is not a date; write it as 2026-11-22 or 2026-11-22T20:41") from None
        aware = moment if moment.tzinfo else moment.replace(tzinfo=zone)
        found[name] = round(aware.timestamp() * 1000)
    return Period(**found)


def _tell_exported(done: Exported, to: str, as_json: bool, say: Say) -> None:
    if to == STANDARD_OUTPUT:
        return  # there are the lines
    if as_json:
        say(json.dumps({"lines": done.lines, "left_out": done.left_out, "files": done.files}, indent=2))
        return
    for network, lines in done.lines.items():
        say(f"{network}: {_lines(lines)}")
    if done.left_out:
        say(f"{_lines(done.left_out)} left out, of a kind that ZNC does not log")
    say(f"{to}: {_lines(done.total)} in {done.files:,} file{'' if done.files == 1 else 's'}")


# --- import


def _guessed(path: Path) -> str:
    return "znc" if path.is_dir() or path.suffix == ".log" else "json"


def _import(
    home: Home, reader: Reader, what: str, path: Path, form: str | None, timezone: str, partial: bool, done: Imported
) -> None:
    user, _, network = what.partition("/")
    networks = _wanted(reader, user, network)
    try:
        if form == "json":
            _import_json(home, reader, networks, network, path, partial, done)
            return
        if len(networks) > 1 and not network:
            raise Refused(f"logs are of one network: name it, as in {networks[0]}")
        _import_znc(home, reader, networks[0], path, timezone, done)
    except OSError as error:
        raise Refused(f"{path} can't be read: {(error.strerror or str(error)).lower()}") from error


def _import_json(
    home: Home, reader: Reader, networks: list[Named], network: str, path: Path, partial: bool, done: Imported
) -> None:
    contents = json_lines.contents(path)
    if not contents.whole and not partial:
        raise Refused(f"{path} is cut off after {_lines(contents.lines)}: export it again, or add --partial")
    mine = {fold_name(each.network): each for each in networks}
    for theirs in contents.networks:
        named = mine.get(fold_name(theirs))
        if named is None and network and len(contents.networks) == 1:
            named = networks[0]  # one network's history may go into another
        if named is None and network:
            continue
        if named is None:
            raise Refused(f"{path} has history of {quoted(theirs)}, and there is no such network: make it first")
        with progress(contents.lines, str(named)) as told:
            source = _of_network(path, theirs, _speller(reader, named), told, done)
            asyncio.run(import_network(home, reader, named, source, exactly, 1, done))


def _of_network(
    path: Path, network: str, spell: Callable[[str], str], told: Callable[[int], None], done: Imported
) -> Iterator[PastLine]:
    for number, of, line in json_lines.lines(path):
        told(1)
        if isinstance(line, Refused):
            done.complain(f"line {number}", str(line))
        elif fold_name(of) == fold_name(network):
            yield line._replace(target=spell(line.target), also=tuple(map(spell, line.also)))


def _import_znc(home: Home, reader: Reader, named: Named, path: Path, timezone: str, done: Imported) -> None:
    logs = find_logs(path, named.network)
    with progress(sum(log.size for log in logs), str(named)) as told:

        def lines() -> Iterator[PastLine]:
            source = Logs(logs, _zone(timezone, named), named.nick, _speller(reader, named), done.complain)
            for line in source:
                told(len(line.raw))
                yield line

        asyncio.run(import_network(home, reader, named, lines(), as_written, UNIT, done))


def _speller(reader: Reader, named: Named) -> Callable[[str], str]:
    """Conversations that are known keep the spelling that they have; a log has it in lower case."""
    known = {DEFAULT_FOLD(name): name for name in reader.targets(named.id)}
    return lambda name: known.get(DEFAULT_FOLD(name), name) if name else name


def _with_counts(problem: Refused, done: Imported) -> Refused:
    if not done.added:
        return problem
    said = str(problem).rstrip(".")
    return Refused(f"{said}; {_lines(done.added)} went in before, and the same command goes on there")


def _tell_imported(done: Imported, as_json: bool, say: Say) -> None:
    if as_json:
        data = {
            "read": done.read,
            "added": done.added,
            "there": done.there,
            "refused": done.refused,
            "stored": done.stored,
            "problems": done.problems,
        }
        say(json.dumps(data, indent=2))
    else:
        say(f"{_lines(done.read)} read: {done.added:,} added, {done.there:,} there already, {done.refused:,} refused")
        for problem in done.problems:
            say(f"refused: {problem}")
    if done.stored != done.added:
        raise Refused(
            f"{_lines(done.added)} went to the store and it has {done.stored:,} more: "
            "some are deleted again by what history keeps, or another import runs; import again when it is done"
        )
    if done.refused:
        raise Refused(f"{_lines(done.refused)} refused; the others are in history")


def _lines(count: int) -> str:
    return f"{count:,} line{'' if count == 1 else 's'}"
