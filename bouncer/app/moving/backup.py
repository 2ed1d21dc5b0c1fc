"""`bouncer backup` and `bouncer restore`: a whole home in one file, and back.

Owns what is done in which order, so that no file is half of what it says. Must not know the form of the file.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bouncer import __version__
from bouncer.app.config import SQLITE, load_config
from bouncer.app.home import Home, HomeLock
from bouncer.app.moving.archive import (
    CERTIFICATES,
    DATABASE,
    KEY,
    SETTINGS,
    SMALL_FILE,
    Manifest,
    home_files,
    member,
    unpack,
    write_archive,
)
from bouncer.app.moving.progress import progress
from bouncer.model.errors import Refused
from bouncer.store.checking import Checked, begin_anew, check, look
from bouncer.store.files import PRIVATE_DIRECTORY, sync_directory
from bouncer.store.reading import FileReader
from bouncer.store.secrets import open_box

SPARE = 64 << 20  # bytes to be left on the disk after a backup is unpacked

Say = Callable[[str], None]


def back_up(home: Home, to: Path | None, say: Say) -> None:
    """Write the home to a file, which appears when it is whole. A bouncer may run on it. Raises Refused."""
    config = load_config(home.config)
    if config.store != SQLITE:
        raise Refused(
            "the store is on a PostgreSQL server: use pg_dump there, and keep bouncer.toml, secret.key and certs/ of "
            f"{home} beside it"
        )
    now = datetime.now(UTC)
    name = f"bouncer-{now:%Y-%m-%dT%H%M%SZ}.tar.gz"
    path = Path(name) if to is None else to / name if to.is_dir() else to
    if path.exists() and not path.is_file():
        raise Refused(f"{path} is there and is no file: name another one")
    try:
        with tempfile.TemporaryDirectory(prefix=".bouncer-backup-", dir=path.absolute().parent) as folder:
            manifest = _write(home, path, Path(folder), now)
    except OSError as error:
        raise Refused(f"{path} can't be written: {(error.strerror or str(error)).lower()}") from error
    lines = sum(manifest.lines.values())
    say(f"{path}: {lines:,} lines of {_count(len(manifest.lines), 'network')}, {path.stat().st_size:,} bytes")
    say("it has the key to all passwords in it: keep it where nobody else can read it")
    certificate = config.tls.certificate
    if home.certificates not in certificate.parents:
        say(f"the certificate {certificate} is outside of the home, and not in it")
    say(f"bouncer restore --verify {path} looks whether it is good")


def _write(home: Home, path: Path, folder: Path, now: datetime) -> Manifest:
    """Copy the database, then write it and the other files into one."""
    open_box(home.secret_key, home.database)  # refuses a home whose key is missing: such a backup opens no secret
    size = home.database.stat().st_size
    if size > shutil.disk_usage(folder).free:  # SQLite would tell of an error of the database
        raise Refused(f"{path} needs {size:,} bytes for a copy beside it: make room there, or name another disk")
    copy = folder / DATABASE
    with FileReader(home.database) as reader, progress(size, "copy the database") as told:
        reader.copy(copy, told)
    found = look(copy)
    files = {**home_files(home), DATABASE: copy}
    members = tuple(member(name, each) for name, each in sorted(files.items()))
    for each in members:
        if each.size > SMALL_FILE and each.name != DATABASE:
            raise Refused(f"{files[each.name]} is larger than {SMALL_FILE:,} bytes: take it out of the home")
    manifest = Manifest(now.isoformat(timespec="seconds"), __version__, found.schema, found.lines, members)
    unfinished = folder / f"{path.name}.new"
    with progress(sum(each.size for each in members), "write") as told:
        write_archive(unfinished, manifest, files, told)
    unfinished.rename(path)
    sync_directory(path.absolute().parent)
    return manifest


def verify(archive: Path, say: Say) -> None:
    """Look whether a backup is whole and good; no home is touched. Raises Refused with what is wrong."""
    beside = archive.absolute().parent
    try:
        with tempfile.TemporaryDirectory(
            prefix=".bouncer-restore-", dir=beside if os.access(beside, os.W_OK) else None
        ) as folder:
            manifest, found = _unpacked(archive, Path(folder))
    except OSError as error:
        raise Refused(f"{archive} can't be read: {(error.strerror or str(error)).lower()}") from error
    say(f"{archive} is good: made at {manifest.made} by bouncer {manifest.program}, {_contents(found)}")


def restore(home: Home, archive: Path, force: bool, say: Say) -> None:
    """Make a home of a backup, after looking whether it is good. Raises Refused if a bouncer runs there, or if there is
    something already and ``force`` does not say that it is to be moved aside."""
    home.make()
    with HomeLock(home):
        there = _there(home)
        if there and not force:
            raise Refused(
                f"the home folder {home} has {there[0].name} already: name an empty one with --home, "
                "or move what is there aside with --force"
            )
        try:
            with tempfile.TemporaryDirectory(prefix=".restore-", dir=home.path) as folder:
                _, found = _unpacked(archive, Path(folder))
                begin_anew(Path(folder) / DATABASE, int(time.time()))
                if there:
                    aside = home.path / f"before-restore-{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}"
                    aside.mkdir(PRIVATE_DIRECTORY)
                    for path in there:
                        path.rename(aside / path.name)
                    say(f"what was there is in {aside}")
                for name in (KEY, SETTINGS, CERTIFICATES, DATABASE):
                    if (Path(folder) / name).exists():
                        (Path(folder) / name).rename(home.path / name)
                sync_directory(home.path)
        except OSError as error:
            raise Refused(f"{archive} can't be restored: {(error.strerror or str(error)).lower()}") from error
    say(f"{home} is as it was: {_contents(found)}")


def _unpacked(archive: Path, folder: Path) -> tuple[Manifest, Checked]:
    manifest = unpack(archive, folder, shutil.disk_usage(folder).free - SPARE)
    found = check(folder / DATABASE, open_box(folder / KEY, folder / DATABASE))
    if dict(found.lines) != dict(manifest.lines):
        raise Refused(f"{archive} is damaged: its database has not as many lines as it says; take another one")
    return manifest, found


def _there(home: Home) -> list[Path]:
    """What of a home would be in the way."""
    database = home.database
    logs = [database.with_name(database.name + ending) for ending in ("-wal", "-shm", "-journal")]
    return [path for path in (database, *logs, home.config, home.secret_key, home.certificates) if path.exists()]


def _contents(found: Checked) -> str:
    lines = sum(found.lines.values())
    return f"{_count(found.users, 'user')}, {_count(len(found.lines), 'network')}, {lines:,} lines"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
