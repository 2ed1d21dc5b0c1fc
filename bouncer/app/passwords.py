"""Hashing passwords: Argon2id and the keys of SCRAM, on two threads of its own: no login holds up the loop.

Owns the parameters, the threads, whose turn it is, and which passwords were right. Must not know whose a password is,
and never shows one.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import string
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from bouncer.app.attempts import FORGET_AFTER, ROWS_LIMIT
from bouncer.app.turns import Turns
from bouncer.irc.sasl import format_keys, scram_keys
from bouncer.model.errors import Unavailable

T = TypeVar("T")

# OWASP's password storage cheat sheet asks for 19 MiB and 2 rounds at least; this takes 60 ms on the reference machine
MEMORY = 32 * 1024  # KiB
ROUNDS = 2
LANES = 1
SALT_SIZE = 16  # bytes, RFC 9106 section 3.1
HASH_SIZE = 32  # bytes
THREADS = 2  # they hold MEMORY each
NICENESS = 10  # of their threads, as nice(1) gives it: text is relayed first, a login may take a moment longer
# Of SCRAM, and its client has to do them at each login: 40 ms of a computer, half a second of a script on an old
# phone; 200,000 is where clients (ours among them) begin to refuse. Who steals the database and its key tries that
# many for each guess, which is a tenth of what OWASP asks of a hash that nothing else protects.
SCRAM_ITERATIONS = 100_000

# Passwords that were right and are known again without a hash: one for each user who logs in by one, a few MB.
RIGHT_LIMIT = 10_000
KEY_SIZE = 32  # bytes, as long as what is made with it

_ALPHABET = string.ascii_letters + string.digits  # nothing that a shell, WeeChat or irssi takes for its own
_GENERATED_LENGTH = 22  # characters; 130 bits, which nobody guesses, whatever hash they are kept as

# for users that do not exist: as much work as for one who does, and it fits no password
_NOBODY = f"$argon2id$v=19$m={MEMORY},t={ROUNDS},p={LANES}${'A' * 22}${'A' * 43}"


class PasswordHasher:
    """Answers :class:`bouncer.operations.context.Passwords`. Close it at the end."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="hash", initializer=_yield_to_others)
        self._turns: Turns[_Job] = Turns()
        self._later: Turns[_Job] = Turns()  # of lines that were wrong lately: whoever else waits goes first
        self._wrong: dict[str, float] = {}  # line -> when it was wrong last, by the loop's clock; the oldest first
        self._running = 0
        self._key = os.urandom(KEY_SIZE)  # of this process: what is remembered with it is of no use to the next
        self._right: dict[str, bytes] = {}  # hash -> what a password leaves that was right for it; the oldest first

    async def hash(self, password: str) -> str:
        """The hash to keep, in PHC string format. Raises Unavailable when too many are waiting."""
        return await self._on_thread("", lambda: _hash(password))

    async def verify(self, password_hash: str, password: str, line: str = "") -> bool:
        """Whether it is the password. An empty or broken hash takes as long and fits nothing. Those who wait in other
        lines are not waited for longer than one hash each, and not at all if they were wrong lately and this one was
        not. Raises Unavailable when too many wait in this one.

        A password that was right is right again without a hash as long as the process lives: all of a thousand clients
        that a broken line has cut off come back at once. What is remembered of it stays in memory, and is made with a
        key that does, too."""
        trace = hmac.digest(self._key, _bytes(password), "sha256")
        known = self._right.get(password_hash)
        if known is not None and hmac.compare_digest(known, trace):
            return True
        right = await self._on_thread(line, lambda: _verify(password_hash, password))
        if right:
            self._was_right(password_hash, trace)
        return right

    async def scram(self, password: str) -> str:
        """The keys to keep for SCRAM-SHA-256, as RFC 5803 writes them. Raises Unavailable when too many are waiting."""
        return await self._on_thread("", lambda: _scram(password))

    def generate(self) -> str:
        """A random password."""
        return generated_password()

    def close(self) -> None:
        """Drop what waits. Returns at once."""
        while (job := self._next()) is not None:
            job.answer.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _on_thread(self, line: str, work: Callable[[], T]) -> T:
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        job = _Job(line, work, answer)
        turns = self._later if line in self._wrong else self._turns
        if not turns.put(line, job):
            raise Unavailable("too many passwords are being checked just now; try again in a minute")
        self._fill()
        try:
            return await answer
        finally:
            turns.drop(line, job)  # who has hung up does not keep others waiting

    def _fill(self) -> None:
        """Give the threads as much as they can do at once; the rest waits here, where the order is ours."""
        loop = asyncio.get_running_loop()
        while self._running < THREADS and (job := self._next()) is not None:
            self._running += 1
            doing = loop.run_in_executor(self._pool, job.work)
            doing.add_done_callback(job.answered)
            doing.add_done_callback(partial(self._one_done, job))

    def _next(self) -> _Job | None:
        return self._turns.take() or self._later.take()

    def _one_done(self, job: _Job, done: asyncio.Future[Any]) -> None:
        self._running -= 1
        if done.cancelled():  # we are closing
            return
        if done.exception() is None and done.result() is False:
            self._was_wrong(job.line)
        self._fill()

    def _was_right(self, password_hash: str, trace: bytes) -> None:
        self._right.pop(password_hash, None)
        self._right[password_hash] = trace
        if len(self._right) > RIGHT_LIMIT:
            del self._right[next(iter(self._right))]

    def _was_wrong(self, line: str) -> None:
        """Remember it, whether or not it has waited for the answer."""
        now = asyncio.get_running_loop().time()
        self._wrong.pop(line, None)
        self._wrong[line] = now
        while len(self._wrong) > ROWS_LIMIT or now - self._wrong[next(iter(self._wrong))] > FORGET_AFTER:
            del self._wrong[next(iter(self._wrong))]


class _Job:
    """One piece of work, and who waits for it."""

    __slots__ = ("answer", "line", "work")

    def __init__(self, line: str, work: Callable[[], Any], answer: asyncio.Future[Any]) -> None:
        self.line = line
        self.work = work
        self.answer = answer

    def answered(self, done: asyncio.Future[Any]) -> None:
        if self.answer.done():
            return
        if done.cancelled():
            self.answer.cancel()
        elif (failure := done.exception()) is not None:
            self.answer.set_exception(failure)
        else:
            self.answer.set_result(done.result())


def _yield_to_others() -> None:
    if sys.platform == "linux":  # where a thread has a priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


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


def _scram(password: str) -> str:
    return format_keys(scram_keys(password, os.urandom(SALT_SIZE), SCRAM_ITERATIONS))


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogateescape")  # a client may send other than UTF-8: its bytes count
