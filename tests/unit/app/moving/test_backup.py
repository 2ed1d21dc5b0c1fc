from __future__ import annotations

import gzip
import io
import json
import lzma
import os
import shutil
import sqlite3
import tarfile
import threading
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bouncer.app.home import Home, HomeLock, InUse
from bouncer.app.moving.backup import back_up, restore, verify
from bouncer.model.errors import Refused
from bouncer.model.records import Network
from tests.unit.app.moving.conftest import ALICE, Place, said

LINES = [said(1_577_836_800_000 + number, b"%d" % number) for number in range(300)]


@pytest.fixture
def full(place: Place) -> Place:
    """A home with all that a home has."""
    place.put(LINES)
    place.home.config.write_text('hostname = "bnc.example"\n')
    (place.home.certificates / "old").mkdir(parents=True)
    (place.home.certificates / "server.pem").write_text("a certificate\n")
    (place.home.certificates / "old" / "server.pem").write_text("an older one\n")
    return place


@pytest.fixture
def archive(full: Place, tmp_path: Path) -> Path:
    """A backup of it."""
    path = tmp_path / "backup.tar.gz"
    back_up(full.home, path, full.said.append)
    return path


def contents(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as source:
        return {each.name: source.extractfile(each).read() for each in source}  # type: ignore[union-attr]  # files only


def made_of(path: Path, files: dict[str, bytes], change: Callable[[tarfile.TarInfo], None] = lambda info: None) -> Path:
    """A tar file of these files."""
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            change(info)
            archive.addfile(info, io.BytesIO(data))
    return path


def test_a_home_comes_back_from_its_backup(full: Place, archive: Path, tmp_path: Path) -> None:
    assert archive.stat().st_mode & 0o777 == 0o600
    assert full.said[0].startswith(f"{archive}: 300 lines of 2 networks, ")
    assert "key to all passwords" in full.said[1]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["backup.tar.gz", "home"]
    home = Home(tmp_path / "new")
    restore(home, archive, False, full.said.append)
    assert full.said[-1] == f"{home} is as it was: 1 user, 2 networks, 300 lines"
    for name in ("bouncer.toml", "secret.key", "certs/server.pem", "certs/old/server.pem"):
        assert (home.path / name).read_bytes() == (full.home.path / name).read_bytes()
        assert (home.path / name).stat().st_mode & 0o777 == 0o600
    assert Place(home.path, empty=True).kept(tmp_path / "there") == full.kept(tmp_path / "here")


def test_what_is_given_after_a_restore_was_never_given_before(full: Place, archive: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "new")
    restore(home, archive, False, full.said.append)
    boots = []
    for each in (full, Place(home.path, empty=True)):
        store = each.store()
        boots.append(store.load().boot)
        store.close()
    assert boots[1] > boots[0] + 1_000_000


def test_verify_touches_no_home(full: Place, archive: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in full.home.path.rglob("*")}
    with HomeLock(full.home):  # as if a bouncer ran
        verify(archive, full.said.append)
        assert full.said[-1].startswith(f"{archive} is good: made at ")
        assert full.said[-1].endswith("1 user, 2 networks, 300 lines")
        with pytest.raises(InUse):
            restore(full.home, archive, True, full.said.append)
    after = {path: path.stat().st_mtime_ns for path in full.home.path.rglob("*") if path.name != "lock"}
    assert after == {path: when for path, when in before.items() if path.name != "lock"}
    assert sorted(each.name for each in tmp_path.iterdir()) == ["backup.tar.gz", "home"]


def test_what_is_there_is_moved_aside_by_force_alone(full: Place, archive: Path) -> None:
    full.home.config.write_text('hostname = "other.example"\n')
    with pytest.raises(Refused, match=r"already.*--force"):
        restore(full.home, archive, False, full.said.append)
    assert "other" in full.home.config.read_text()
    restore(full.home, archive, True, full.said.append)
    assert "bnc" in full.home.config.read_text()
    (aside,) = full.home.path.glob("before-restore-*")
    assert "other" in (aside / "bouncer.toml").read_text()
    assert {path.name for path in aside.iterdir()} == {"bouncer.db", "bouncer.toml", "secret.key", "certs"}


def test_a_backup_is_one_picture_while_others_write(full: Place, tmp_path: Path) -> None:
    stop = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        connection = sqlite3.connect(full.home.database, timeout=10, isolation_level=None)
        while not stop.is_set():
            written += 1
            connection.execute("BEGIN IMMEDIATE")
            for name in ("one", "other"):
                connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, written))
            connection.execute("COMMIT")
        connection.close()

    with sqlite3.connect(full.home.database) as connection:
        connection.execute("INSERT INTO meta (name, value) VALUES ('ballast', zeroblob(60000000))")
        connection.execute("INSERT INTO meta (name, value) VALUES ('one', 0), ('other', 0)")
    connection.close()
    writer = threading.Thread(target=write)
    writer.start()
    try:
        back_up(full.home, tmp_path / "b.tar", full.said.append)
    finally:
        stop.set()
        writer.join()
    assert written > 1
    home = Home(tmp_path / "new")
    restore(home, tmp_path / "b.tar", False, full.said.append)
    connection = sqlite3.connect(home.database)
    one, other = (
        connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()[0] for name in ("one", "other")
    )
    connection.close()
    assert one == other


def test_where_a_backup_goes(full: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    back_up(full.home, folder, full.said.append)
    monkeypatch.chdir(folder)
    (folder / "fixed.tar").write_text("the one of yesterday")
    back_up(full.home, Path("fixed.tar"), full.said.append)
    with tarfile.open(folder / "fixed.tar", "r:") as plain:
        assert plain.getnames()[0] == "manifest.json"
    assert len(list(folder.iterdir())) == 2
    with pytest.raises(Refused, match="can't be written"):
        back_up(full.home, tmp_path / "nowhere" / "b.tar", full.said.append)


def test_a_full_disk_is_not_taken_for_a_damaged_home(
    full: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(Refused, match=r"b\.tar needs [0-9,]+ bytes for a copy beside it: make room there"):
        back_up(full.home, tmp_path / "b.tar", full.said.append)
    assert not list(tmp_path.glob("*bouncer-backup*"))


def test_a_device_is_not_replaced(full: Place, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Refused, match="is no file"):
        back_up(full.home, tmp_path / "pipe", full.said.append)
    assert (tmp_path / "pipe").is_fifo()


def test_a_home_without_its_key_is_not_backed_up(full: Place, tmp_path: Path) -> None:
    full.home.secret_key.rename(tmp_path / "key")
    with pytest.raises(Refused, match=r"secret\.key is missing"):
        back_up(full.home, tmp_path / "b.tar", full.said.append)
    assert not (tmp_path / "b.tar").exists()


def test_a_backup_that_is_cut_off_is_refused(full: Place, archive: Path) -> None:
    whole = archive.read_bytes()
    for length in (0, 1, 100, len(whole) // 2, len(whole) * 9 // 10):
        archive.write_bytes(whole[:length])
        with pytest.raises(Refused, match=r"damaged|cut off|no backup"):
            verify(archive, full.said.append)


def test_each_damaged_byte_is_found(full: Place, archive: Path, tmp_path: Path) -> None:
    plain = bytearray(gzip.decompress(archive.read_bytes()))
    bad = tmp_path / "bad.tar"
    ends = [at + 512 + len(data) for at, data in _placed(plain)]
    for place in range(700, ends[-1], len(plain) // 40):
        changed = bytes([*plain[:place], plain[place] ^ 0x40, *plain[place + 1 :]])
        bad.write_bytes(changed)
        if contents_or_none(bad) == contents(archive):
            continue  # it is in the padding between two files
        with pytest.raises(Refused):
            verify(bad, full.said.append)


def _placed(plain: bytearray) -> list[tuple[int, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(plain)) as source:
        return [(each.offset, source.extractfile(each).read()) for each in source]  # type: ignore[union-attr]


def contents_or_none(path: Path) -> dict[str, bytes] | None:
    try:
        return contents(path)
    except (tarfile.TarError, AttributeError):
        return None


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "certs/../evil", "evil", "certs", "certs/a\\b", "lock", "certs//a"]
)
def test_files_that_no_home_has_are_refused(full: Place, archive: Path, tmp_path: Path, name: str) -> None:
    files = contents(archive)
    for listed in (False, True):
        evil = dict(files) | {name: b"evil"}
        if listed:
            head = json.loads(files["manifest.json"])
            head["files"].append({"name": name, "size": 4, "sha256": "0" * 64})
            evil["manifest.json"] = json.dumps(head).encode()
        with pytest.raises(Refused):
            restore(Home(tmp_path / "new"), made_of(tmp_path / "evil.tar", evil), False, full.said.append)
    assert not list(tmp_path.rglob("evil"))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["lock"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_only_files_are_taken(full: Place, archive: Path, tmp_path: Path, kind: bytes) -> None:
    def change(info: tarfile.TarInfo) -> None:
        if info.name == "bouncer.toml":
            info.type, info.linkname, info.size = kind, "/etc/passwd", 0

    with pytest.raises(Refused, match="no backup of a bouncer"):
        verify(made_of(tmp_path / "evil.tar", contents(archive), change), full.said.append)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_what_goes_before_a_file_is_not_read_as_long_as_it_says(full: Place, tmp_path: Path, kind: bytes) -> None:
    """A gigabyte of it is some megabytes when it is compressed."""
    info = tarfile.TarInfo("a")
    info.type, info.size = kind, 256 << 20
    path = tmp_path / "bomb.tar"
    with path.open("wb") as file:
        file.write(info.tobuf(tarfile.USTAR_FORMAT))
        file.truncate(info.size + 2048)
    tracemalloc.start()
    try:
        with pytest.raises(Refused, match="no backup of a bouncer"):
            verify(path, full.said.append)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_thousands_of_headers_before_a_file_are_refused(full: Place, tmp_path: Path) -> None:
    info = tarfile.TarInfo("a")
    info.type, info.size = tarfile.XGLTYPE, 14
    header = info.tobuf(tarfile.USTAR_FORMAT) + b"14 comment=ab\n".ljust(512, b"\0")
    (tmp_path / "long.tar").write_bytes(header * 3000)
    with pytest.raises(Refused, match="no backup of a bouncer"):
        verify(tmp_path / "long.tar", full.said.append)


def test_damage_is_found_whoever_compressed_it(full: Place, archive: Path, tmp_path: Path) -> None:
    again = bytearray(lzma.compress(gzip.decompress(archive.read_bytes())))
    again[len(again) // 2] ^= 255
    (tmp_path / "b.tar.xz").write_bytes(again)
    with pytest.raises(Refused, match="damaged or cut off"):
        verify(tmp_path / "b.tar.xz", full.said.append)


def _changed(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda head: head | changes


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (_changed(format="tar"), "no backup of a bouncer"),
        (_changed(version=2), "a newer version"),
        (_changed(files=[]), "damaged manifest"),
        (_changed(files=[{"name": 1}]), "damaged manifest"),
        (_changed(lines=[]), "damaged manifest"),
        (_changed(lines={"1": 299, "2": 0}), "not as many lines"),
        (lambda head: head | {"files": [each | {"size": 1 << 60} for each in head["files"]]}, "damaged manifest"),
        (
            lambda head: (
                head
                | {
                    "files": [
                        each | {"size": 1 << 60} if each["name"] == "bouncer.db" else each for each in head["files"]
                    ]
                }
            ),
            "make room",
        ),
        (lambda head: head | {"files": [each | {"size": float("inf")} for each in head["files"]]}, "damaged manifest"),
        (lambda head: [head], "no backup of a bouncer"),
    ],
)
def test_manifests_that_lie(full: Place, archive: Path, tmp_path: Path, change: Any, problem: str) -> None:
    files = contents(archive)
    files["manifest.json"] = json.dumps(change(json.loads(files["manifest.json"]))).encode()
    with pytest.raises(Refused, match=problem):
        verify(made_of(tmp_path / "evil.tar", files), full.said.append)


def test_the_key_of_another_home_and_a_damaged_database_are_found(full: Place, tmp_path: Path) -> None:
    other = Place(tmp_path / "other")
    path = tmp_path / "b.tar"
    key = full.home.secret_key.read_bytes()
    full.home.secret_key.write_bytes(other.home.secret_key.read_bytes())
    back_up(full.home, path, full.said.append)
    with pytest.raises(Refused, match="the key does not open"):
        verify(path, full.said.append)
    full.home.secret_key.write_bytes(key)
    connection = sqlite3.connect(full.home.database)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("CREATE INDEX extra ON messages (time)")
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_schema SET sql = 'CREATE INDEX extra ON messages (kind)' WHERE name = 'extra'")
    connection.commit()
    connection.close()
    back_up(full.home, path, full.said.append)
    with pytest.raises(Refused, match="is damaged"):
        verify(path, full.said.append)


def test_a_certificate_outside_of_the_home_is_told_of(full: Place, tmp_path: Path) -> None:
    full.home.config.write_text('[tls]\ncertificate = "/etc/ssl/bnc.pem"\n')
    back_up(full.home, tmp_path / "b.tar", full.said.append)
    assert "the certificate /etc/ssl/bnc.pem is outside of the home, and not in it" in full.said


def test_history_of_removed_networks_is_in_a_backup(full: Place, tmp_path: Path) -> None:
    store = full.store()
    store.load()
    store.put_users([replace(ALICE, networks=(Network(2, "oftc"),))])
    store.close()
    back_up(full.home, tmp_path / "b.tar", full.said.append)
    assert full.said[-3].startswith(f"{tmp_path / 'b.tar'}: 300 lines of 2 networks")
    verify(tmp_path / "b.tar", full.said.append)
