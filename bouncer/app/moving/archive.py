"""The form of a backup: a tar file of a home's files, of which the first tells what the others are.

Owns which files those are, and the manifest. Must not know how a database is copied or looked at.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import lzma
import os
import re
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from bouncer.app.home import Home
from bouncer.app.moving.progress import progress
from bouncer.model.errors import Refused
from bouncer.store.files import PRIVATE_FILE, make_directory

FORMAT = "bouncer-backup"
VERSION = 1
MANIFEST = "manifest.json"
DATABASE, SETTINGS, KEY, CERTIFICATES = "bouncer.db", "bouncer.toml", "secret.key", "certs"
MANIFEST_LIMIT = 16 << 20  # bytes: hundreds of thousands of networks and files
FILES_LIMIT = 10_000  # certificates, mostly; a home has a handful
SMALL_FILE = 16 << 20  # bytes of any file but the database; read at once
BLOCK = 1 << 20  # bytes copied at once
HEADER_LIMIT = 1 << 20  # bytes: what a tar file says of one file before it; of ours, hundreds
COMPRESSION = 1  # of gzip: three times as fast as the usual 9 for a tenth more bytes

_CERTIFICATE = re.compile(rf"{CERTIFICATES}(/[^/\\\0-\x1f\x7f]{{1,255}}){{1,8}}")

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Member:
    """A file of a backup. ``sha256`` is hexadecimal."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself. ``lines``: how many each network has, by its id."""

    made: str
    program: str
    schema: int
    lines: Mapping[str, int]
    files: tuple[Member, ...]


def home_files(home: Home) -> dict[str, Path]:
    """The files of a home, but for its database, by their names in a backup. Links are followed."""
    found = {SETTINGS: home.config, KEY: home.secret_key}
    for path in sorted(home.certificates.rglob("*")):
        found[f"{CERTIFICATES}/{path.relative_to(home.certificates).as_posix()}"] = path
    return {name: path for name, path in found.items() if path.is_file() and is_ours(name)}


def is_ours(name: str) -> bool:
    """Whether a backup may have a file of that name. It is where the file goes in a home, so no other way is open."""
    if name in (DATABASE, SETTINGS, KEY):
        return True
    return _CERTIFICATE.fullmatch(name) is not None and not {".", ".."} & set(name.split("/"))


def member(name: str, path: Path) -> Member:
    """A file as the manifest has it."""
    checksum = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            checksum.update(block)
        return Member(name, file.tell(), checksum.hexdigest())


def write_archive(to: Path, manifest: Manifest, files: Mapping[str, Path], told: Advance) -> None:
    """Write a backup as a new file, durably. One whose name does not end in ``.tar`` is compressed."""
    descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as file:
        with (
            _compressed(file, not to.name.removesuffix(".new").endswith(".tar")) as stream,
            tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            head = {"format": FORMAT, "version": VERSION, **asdict(manifest)}
            data = json.dumps(head, indent=1).encode()
            archive.addfile(_info(MANIFEST, len(data)), io.BytesIO(data))
            for each in manifest.files:
                with files[each.name].open("rb") as source:
                    archive.addfile(_info(each.name, each.size), _Told(source, told))
        file.flush()
        os.fsync(file.fileno())


def unpack(archive: Path, folder: Path, room: int) -> Manifest:
    """Write a backup's files into an empty folder, each held against the manifest. Raises Refused if it is none, or is
    damaged, or has anything in it that no backup has, or if it has more bytes than there is ``room`` for."""
    try:
        with tarfile.open(archive, "r:*", tarinfo=_Info) as source:
            members = iter(source)
            manifest = _manifest(source, next(members, None), archive)
            expected = {each.name: each for each in manifest.files}
            size = sum(each.size for each in manifest.files)
            if size > room:
                raise Refused(f"{archive} needs {size:,} bytes on the disk of {folder.parent}: make room there")
            with progress(size, "unpack") as told:
                for info in members:
                    wanted = expected.pop(info.name, None)
                    if wanted is None or not info.isreg():
                        raise Refused(f"{archive} is no backup of a bouncer: it has {info.name!r} in it")
                    content = source.extractfile(info)
                    assert content is not None  # as of every regular file
                    _write(folder / info.name, content, wanted, archive, told)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, RecursionError) as error:
        raise Refused(f"{archive} is damaged or cut off, or no backup of a bouncer: take another one") from error
    if expected:
        raise Refused(f"{archive} is cut off: it lacks {min(expected)}; take another one")
    return manifest


def _manifest(source: tarfile.TarFile, info: tarfile.TarInfo | None, archive: Path) -> Manifest:
    content = source.extractfile(info) if info is not None and info.isreg() and info.name == MANIFEST else None
    try:
        head = json.loads(content.read(MANIFEST_LIMIT)) if content is not None else None
    except (ValueError, RecursionError):
        head = None
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise Refused(f"{archive} is no backup of a bouncer: name a file that bouncer backup has made")
    if head.get("version") != VERSION:
        raise Refused(f"{archive} is of a newer version than this program reads: use a newer bouncer")
    try:
        return _read(head)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise Refused(f"{archive} has a damaged manifest: take another one") from error


def _read(head: dict[str, Any]) -> Manifest:
    files = tuple(Member(str(each["name"]), int(each["size"]), str(each["sha256"])) for each in head["files"])
    names = [each.name for each in files]
    if not all(map(is_ours, names)) or len(set(names)) < len(names) or len(names) > FILES_LIMIT:
        raise ValueError("files that no home has")
    if not {DATABASE, KEY} <= set(names):
        raise ValueError("no database or no key")
    if any(each.size < 0 or (each.size > SMALL_FILE and each.name != DATABASE) for each in files):
        raise ValueError("sizes that no file has")
    lines = {str(network): int(count) for network, count in head["lines"].items()}
    return Manifest(str(head["made"]), str(head["program"]), int(head["schema"]), lines, files)


def _write(path: Path, content: IO[bytes], wanted: Member, archive: Path, told: Advance) -> None:
    make_directory(path.parent)
    checksum, left = hashlib.sha256(), wanted.size
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "wb") as file:
        while block := content.read(min(BLOCK, left + 1)):
            left -= len(block)
            if left < 0:
                break
            checksum.update(block)
            file.write(block)
            told(len(block))
        file.flush()
        os.fsync(file.fileno())
    if left or checksum.hexdigest() != wanted.sha256:
        raise Refused(f"{archive} is damaged: {wanted.name} in it is not what was put there; take another one")


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, PRIVATE_FILE, int(time.time())
    return info


class _Info(tarfile.TarInfo):
    """What a tar file says of one in it. tarfile reads the headers that go before one whole, as long as they may be."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Info:
        info = super().frombuf(buf, encoding, errors)
        if not info.isreg() and info.size > HEADER_LIMIT:
            raise tarfile.HeaderError("a header that none of ours has")
        return info


@contextmanager
def _compressed(file: IO[bytes], wanted: bool) -> Iterator[IO[bytes]]:
    if not wanted:
        yield file
        return
    with gzip.GzipFile("", "wb", COMPRESSION, file, mtime=0) as stream:
        yield stream  # type: ignore[misc]  # a GzipFile is all that tarfile needs of a file


class _Told(io.RawIOBase):
    """A file that says how much of it was read."""

    def __init__(self, file: IO[bytes], told: Advance) -> None:
        self._file = file
        self._told = told

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._told(len(data))
        return data
