"""The key of a home, and secrets encrypted under it.

Owns ``secret.key`` and the form of an encrypted value. Must not know what the secrets are for.

An encrypted value is bound to its place by a context: the same bytes moved to another row do not open.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from bouncer.model.errors import Refused
from bouncer.store.files import make_directory, write_new

KEY_NAME = "secret.key"
KEY_SIZE = 32  # bytes; ChaCha20-Poly1305, RFC 8439
NONCE_SIZE = 12  # random for each value: a home seals far fewer than the 2^32 values at which that gets unsafe


class Unreadable(Exception):
    """An encrypted value that this key does not open in this place."""


class Box:
    """Seals and opens secrets with one key."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        """Raises ValueError if ``key`` is not KEY_SIZE bytes long."""
        self._cipher = ChaCha20Poly1305(key)

    def seal(self, secret: bytes, context: str) -> bytes:
        """Encrypt ``secret`` for the place that ``context`` names."""
        nonce = os.urandom(NONCE_SIZE)
        return nonce + self._cipher.encrypt(nonce, secret, context.encode("utf-8", "surrogateescape"))

    def open(self, sealed: bytes, context: str) -> bytes:
        """Decrypt what was sealed for ``context``. Raises Unreadable for another key, another place, or damage."""
        nonce, text = sealed[:NONCE_SIZE], sealed[NONCE_SIZE:]
        try:
            return self._cipher.decrypt(nonce, text, context.encode("utf-8", "surrogateescape"))
        except (InvalidTag, ValueError) as error:
            raise Unreadable(context) from error


def open_box(key: Path, database: Path) -> Box:
    """The box of a home. A key is made only while there is no database: one that exists would not open with it.

    Raises Refused if the key is missing beside a database, readable by others, damaged, or can't be read or made.
    """
    try:
        if not key.exists() and not _holds_data(database):
            make_directory(key.parent)
            write_new(key, base64.b64encode(os.urandom(KEY_SIZE)) + b"\n")
        return Box(_read(key, database))
    except OSError as error:
        raise Refused(f"the key {key} can't be used: {error.strerror}; give this user access to it") from error


def _holds_data(database: Path) -> bool:
    return database.is_file() and database.stat().st_size > 0


def _read(key: Path, database: Path) -> bytes:
    if not key.exists():
        raise Refused(
            f"the key {key} is missing, and {database} can't be read without it: "
            "put the key back, or move the database away to start anew"
        )
    mode = stat.S_IMODE(key.stat().st_mode)
    if mode & 0o077:
        raise Refused(f"the key {key} is open to other users (mode {mode:04o}): run chmod 600 {key}")
    try:
        found = base64.b64decode(key.read_bytes().strip(), validate=True)
    except binascii.Error:
        found = b""
    if len(found) != KEY_SIZE:
        raise Refused(f"the key {key} is damaged: put back a good copy of it")
    return found
