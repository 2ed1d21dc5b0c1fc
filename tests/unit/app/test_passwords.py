from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Iterator

import pytest

from bouncer.app import passwords
from bouncer.app.attempts import FORGET_AFTER
from bouncer.app.passwords import (
    _NOBODY,
    NICENESS,
    SCRAM_ITERATIONS,
    THREADS,
    PasswordHasher,
    generated_password,
)
from bouncer.app.turns import LINE_LIMIT
from bouncer.irc.sasl import read_keys, scram_keys
from bouncer.model.errors import Unavailable
from bouncer.operations.values import password_hash, scram


@pytest.fixture
def hasher() -> Iterator[PasswordHasher]:
    hasher = PasswordHasher()
    yield hasher
    hasher.close()


async def test_a_hash_fits_its_password_and_no_other(hasher: PasswordHasher) -> None:
    one, other = await asyncio.gather(hasher.hash("grün"), hasher.hash("grün"))
    assert one != other
    assert "grün" not in one
    assert await hasher.verify(one, "grün")
    assert not await hasher.verify(one, "grun")
    assert password_hash(one) == one  # the state file takes it


async def test_the_bytes_of_a_password_count_that_is_no_utf8(hasher: PasswordHasher) -> None:
    latin = b"gr\xfcn".decode("utf-8", "surrogateescape")
    assert await hasher.verify(await hasher.hash(latin), latin)


@pytest.mark.parametrize("broken", ["", "x", "$argon2id$v=19$m=1,t=1,p=1$AAAA$AAAA", "$2b$12$abc", "ü"])
async def test_a_broken_hash_fits_nothing(hasher: PasswordHasher, broken: str) -> None:
    assert not await hasher.verify(broken, "")


async def test_nobody_costs_as_much_as_somebody(hasher: PasswordHasher) -> None:
    known = await hasher.hash("x")
    assert known.split("$")[:4] == _NOBODY.split("$")[:4]
    assert [len(part) for part in known.split("$")] == [len(part) for part in _NOBODY.split("$")]


async def test_a_crowd_is_told_to_come_back(hasher: PasswordHasher) -> None:
    # all of them ask in one turn of the loop, before any answer can come
    room = LINE_LIMIT + THREADS
    crowd = await asyncio.gather(*(hasher.verify("x", "y") for _ in range(room + 1)), return_exceptions=True)
    assert crowd[:-1] == [False] * room
    assert isinstance(crowd[-1], Unavailable)
    assert not await hasher.verify("x", "y")


async def test_one_crowd_does_not_hold_up_another(hasher: PasswordHasher) -> None:
    done: list[str] = []

    async def verify(line: str) -> None:
        await hasher.verify("x", "y", line)
        done.append(line)

    await asyncio.gather(*(verify("crowd") for _ in range(20)), verify("alone"))
    assert done.index("alone") <= 2 * THREADS


async def test_who_was_wrong_lately_comes_behind_all_others(hasher: PasswordHasher) -> None:
    """Else everybody would wait for as many hashes as an attacker has addresses."""
    done: list[str] = []

    async def verify(line: str) -> None:
        await hasher.verify("x", "y", line)
        done.append(line)

    attackers = [f"192.0.2.{number}" for number in range(8)]
    await asyncio.gather(*map(verify, attackers))
    done.clear()
    await asyncio.gather(*map(verify, attackers), verify("203.0.113.1"), hasher.hash("z"))
    assert done.index("203.0.113.1") <= 2 * THREADS
    assert sorted(done) == sorted([*attackers, "203.0.113.1"])  # and they have their turn, too


async def test_who_hangs_up_while_it_is_found_wrong_is_wrong_all_the_same(hasher: PasswordHasher) -> None:
    checking = asyncio.create_task(hasher.verify("x", "y", "192.0.2.1"))
    await asyncio.sleep(0)
    checking.cancel()
    await hasher.verify(await hasher.hash("y"), "y", "203.0.113.1")
    assert list(hasher._wrong) == ["192.0.2.1"]
    hasher._wrong["192.0.2.1"] -= FORGET_AFTER + 1
    await hasher.verify("x", "y", "203.0.113.1")
    assert list(hasher._wrong) == ["203.0.113.1"]


async def test_who_has_hung_up_leaves_the_line(hasher: PasswordHasher) -> None:
    loop = asyncio.get_running_loop()
    crowd = [loop.create_task(hasher.verify("x", "y", "crowd")) for _ in range(LINE_LIMIT + THREADS)]
    await asyncio.sleep(0)
    for each in crowd:
        each.cancel()
    gone = await asyncio.gather(*crowd, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in gone)
    assert len(hasher._turns) == len(hasher._later) == 0
    assert not await hasher.verify("x", "y", "crowd")


async def test_scram_keys_are_those_of_the_password(hasher: PasswordHasher) -> None:
    text = await hasher.scram("grün")
    keys = read_keys(text)
    assert keys is not None
    assert keys == scram_keys("grün", keys.salt, SCRAM_ITERATIONS)
    assert scram(text) == text  # the state file takes it


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own elsewhere")
async def test_relaying_goes_before_hashing(hasher: PasswordHasher) -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    assert await hasher._on_thread("", niceness) == max(NICENESS, niceness())


def test_generated_passwords_need_no_quotes() -> None:
    made = {generated_password() for _ in range(50)}
    assert len(made) == 50
    assert all(len(each) == 22 and each.isalnum() and each.isascii() for each in made)


async def test_a_password_that_was_right_is_known_again(
    hasher: PasswordHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = await hasher.hash("grün")
    hashed: list[str] = []
    real = passwords._verify

    def verify(password_hash: str, password: str) -> bool:
        hashed.append(password)
        return real(password_hash, password)

    monkeypatch.setattr(passwords, "_verify", verify)
    monkeypatch.setattr(passwords, "RIGHT_LIMIT", 1)
    for password in ("grun", "grün", "grün", "grun", "grün"):
        assert await hasher.verify(kept, password) is (password == "grün")
    assert hashed == ["grun", "grün", "grun"]
    other = await hasher.hash("grün")  # a new hash of the same password is another password
    assert await hasher.verify(other, "grün")
    assert await hasher.verify(kept, "grün")  # there is room for one
    assert hashed[3:] == ["grün", "grün"]
    assert not await hasher.verify("", "grün")
    assert "grün".encode() not in b"".join(hasher._right.values())
