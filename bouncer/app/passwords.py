"""Hashing passwords: Argon2id, on two threads of its own, so that a login never holds up the loop.

Owns the parameters and the pool. Must not know whose password it is, and never shows one.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import string
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from bouncer.model.errors import Unavailable

T = TypeVar("T")

# OWASP's password storage cheat sheet asks for 19 MiB and 2 rounds at least; this takes 60 ms on the reference machine
MEMORY = 32 * 1024  # KiB
ROUNDS = 2
LANES = 1
SALT_SIZE = 16  # bytes, RFC 9106 section 3.1
HASH_SIZE = 32  # bytes
THREADS = 2  # they hold MEMORY each
WAITING_LIMIT = 256  # some 8 s of work; more is an attack, and a login that waits longer has been given up

_ALPHABET = string.ascii_letters + string.digits  # nothing that a shell, WeeChat or irssi takes for its own
_GENERATED_LENGTH = 20  # characters; 119 bits

# for users that do not exist: as much work as for one who does, and it fits no password
_NOBODY = f"$argon2id$v=19$m={MEMORY},t={ROUNDS},p={LANES}${'A' * 22}${'A' * 43}"


class PasswordHasher:
    """Answers :class:`bouncer.operations.context.Passwords`. Close it at the end."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="hash")
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """The hash to keep, in PHC string format. Raises Unavailable when too many are waiting."""
        return await self._on_thread(lambda: _hash(password))

    async def verify(self, password_hash: str, password: str) -> bool:
        """Whether it is the password. An empty or broken hash takes as long and fits nothing. Raises Unavailable."""
        return await self._on_thread(lambda: _verify(password_hash, password))

    def close(self) -> None:
        """Drop what waits. Returns at once."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _on_thread(self, work: Callable[[], T]) -> T:
        if self._waiting >= WAITING_LIMIT:
            raise Unavailable("too many passwords are being checked just now; try again in a minute")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1


def generated_password() -> str:
    """A random password, easy to copy."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_GENERATED_LENGTH))


def _hash(password: str) -> str:
    kdf = Argon2id(salt=os.urandom(SALT_SIZE), length=HASH_SIZE, iterations=ROUNDS, lanes=LANES, memory_cost=MEMORY)
    return kdf.derive_phc_encoded(_bytes(password))


def _verify(password_hash: str, password: str) -> bool:
    try:
        Argon2id.verify_phc_encoded(_bytes(password), password_hash or _NOBODY)
    except (InvalidKey, ValueError):
        return False
    return bool(password_hash)


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogateescape")  # a client may send other than UTF-8: its bytes count
