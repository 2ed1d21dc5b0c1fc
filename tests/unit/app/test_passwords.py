from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from bouncer.app.passwords import _NOBODY, WAITING_LIMIT, PasswordHasher, generated_password
from bouncer.model.errors import Unavailable
from bouncer.operations.values import password_hash


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
    crowd = await asyncio.gather(*(hasher.verify("x", "y") for _ in range(WAITING_LIMIT + 1)), return_exceptions=True)
    assert crowd[:-1] == [False] * WAITING_LIMIT
    assert isinstance(crowd[-1], Unavailable)
    assert not await hasher.verify("x", "y")


def test_generated_passwords_need_no_quotes() -> None:
    made = {generated_password() for _ in range(50)}
    assert len(made) == 50
    assert all(len(each) == 20 and each.isalnum() and each.isascii() for each in made)
