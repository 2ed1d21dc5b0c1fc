"""Files that only their owner may read.

Owns how the store's files come into being. Must not know what is in them.
"""

from __future__ import annotations

import os
from pathlib import Path

PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700


def make_directory(path: Path) -> None:
    """Make ``path`` if it is not there, open to its owner alone. Raises OSError."""
    path.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)


def make_empty(path: Path) -> None:
    """Make an empty private file if there is none, so that who opens it by name later does not choose its mode."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE))
    except FileExistsError:
        pass


def write_new(path: Path, data: bytes) -> None:
    """Write a private file; it appears whole and durable, or not at all. Raises OSError."""
    unfinished = path.with_name(path.name + ".new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
