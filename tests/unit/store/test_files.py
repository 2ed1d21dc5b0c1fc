from __future__ import annotations

import stat
from pathlib import Path

from bouncer.store.files import make_directory, make_empty, write_new


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_directory_is_private_only_if_we_made_it(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    make_directory(shared)
    make_directory(tmp_path / "own")
    assert (mode(shared), mode(tmp_path / "own")) == (0o755, 0o700)


def test_an_existing_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("content")
    path.chmod(0o640)
    make_empty(path)
    assert (path.read_text(), mode(path)) == ("content", 0o640)


def test_a_new_file_is_private_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    (tmp_path / "file.new").write_text("left over by a crash")
    write_new(path, b"data")
    assert (path.read_bytes(), mode(path)) == (b"data", 0o600)
    assert list(tmp_path.iterdir()) == [path]
