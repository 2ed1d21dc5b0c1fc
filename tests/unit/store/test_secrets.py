from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from bouncer.model.errors import Refused
from bouncer.store.secrets import KEY_SIZE, Box, Unreadable, open_box

KEY = bytes(range(KEY_SIZE))


def test_a_sealed_secret_opens_in_its_place_only() -> None:
    box = Box(KEY)
    sealed = box.seal(b"hunter2", "network 1")
    assert b"hunter2" not in sealed
    assert box.open(sealed, "network 1") == b"hunter2"
    with pytest.raises(Unreadable, match="network 2"):
        box.open(sealed, "network 2")


def test_equal_secrets_do_not_look_equal() -> None:
    box = Box(KEY)
    assert box.seal(b"x", "a") != box.seal(b"x", "a")


@pytest.mark.parametrize("damage", [b"", b"short", b"\0" * 12, b"\0" * 64])
def test_damage_is_noticed(damage: bytes) -> None:
    with pytest.raises(Unreadable):
        Box(KEY).open(damage, "a")


def test_another_key_does_not_open() -> None:
    with pytest.raises(Unreadable):
        Box(bytes(KEY_SIZE)).open(Box(KEY).seal(b"x", "a"), "a")


def test_a_key_of_another_size_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Box(b"short")


def test_the_first_start_makes_a_private_key_and_later_ones_use_it(tmp_path: Path) -> None:
    key, database = tmp_path / "home" / "secret.key", tmp_path / "home" / "bouncer.db"
    sealed = open_box(key, database).seal(b"x", "a")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert [file.name for file in key.parent.iterdir()] == ["secret.key"]
    assert open_box(key, database).open(sealed, "a") == b"x"


def test_a_key_missing_beside_a_database_is_not_made(tmp_path: Path) -> None:
    key, database = tmp_path / "secret.key", tmp_path / "bouncer.db"
    database.write_bytes(b"SQLite format 3")
    with pytest.raises(Refused, match=r"secret\.key is missing.*put the key back"):
        open_box(key, database)
    assert not key.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    key = tmp_path / "secret.key"
    open_box(key, tmp_path / "bouncer.db")
    key.chmod(mode)
    with pytest.raises(Refused, match=f"mode 0{mode:o}.*chmod 600"):
        open_box(key, tmp_path / "bouncer.db")


@pytest.mark.parametrize("text", [b"", b"not base64!", base64.b64encode(b"short"), "schlüssel".encode()])
def test_a_damaged_key_is_refused(tmp_path: Path, text: bytes) -> None:
    key = tmp_path / "secret.key"
    key.write_bytes(text)
    key.chmod(0o600)
    with pytest.raises(Refused, match="damaged"):
        open_box(key, tmp_path / "bouncer.db")


def test_a_key_that_is_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.key").mkdir(mode=0o700)
    with pytest.raises(Refused, match="can't be used: Is a directory"):
        open_box(tmp_path / "secret.key", tmp_path / "bouncer.db")


def test_a_box_shows_nothing() -> None:
    assert repr(KEY)[2:10] not in repr(Box(KEY))
