from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from bouncer.operations.context import Actor
from bouncer.operations.table import perform
from bouncer.operations.values import TOKENS_LIMIT

if TYPE_CHECKING:
    from tests.unit.conftest import Bench

ALICE = Actor("alice")


async def test_a_token_is_shown_once_and_kept_as_a_digest(stocked: Bench) -> None:
    made = await stocked.do("token create device=Phone", ALICE)
    password = made.data["password"]
    assert made.secret
    assert password in made.lines[0]
    assert password.replace("-", "").isalnum()
    (token,) = stocked.user("alice").tokens
    assert (token.device, token.digest) == ("phone", hashlib.sha256(password.encode()).hexdigest())
    assert password.split("-")[:2] == ["bnc", token.id]
    assert token.digest not in repr(token)
    (line,) = (await stocked.do("token list", ALICE)).lines
    assert line == f"{token.id}: phone, made 2023-11-14"
    assert (await stocked.do("token list")).lines == (f"alice/{line}",)
    stocked.house = stocked.opened()
    assert stocked.user("alice").tokens == (token,)


async def test_a_token_is_taken_back_by_its_id_or_by_its_device(stocked: Bench) -> None:
    await stocked.do("token create alice device=phone")
    await stocked.do("token delete phone", ALICE)
    assert stocked.user("alice").tokens == ()
    token_id = (await stocked.do("token create alice device=phone")).data["id"]
    await stocked.do("token create alice device=phone")
    assert token_id in await stocked.refusal("token delete phone", ALICE)
    assert len(stocked.user("alice").tokens) == 2
    assert "token list shows them" in await stocked.refusal("token delete zzzz", ALICE)
    assert "another user" in await stocked.refusal(f"token delete alice/{token_id}", Actor("bob"))
    await stocked.do(f"token delete alice/{token_id}")
    (left,) = stocked.user("alice").tokens
    assert left.id != token_id


async def test_a_token_without_a_device_is_a_device_of_its_own(stocked: Bench) -> None:
    ids = [(await stocked.do("token create alice")).data["id"] for _ in range(2)]
    assert [token.device for token in stocked.user("alice").tokens] == [f"token-{each}" for each in ids]


async def test_tokens_have_a_limit(stocked: Bench) -> None:
    for _ in range(TOKENS_LIMIT):
        await stocked.do("token create alice")
    assert "all there may be" in await stocked.refusal("token create alice")


@pytest.mark.parametrize("name", ["a/b", "a@b", '"a b"', "ü", "x" * 300])
async def test_a_device_has_a_name_that_fits_a_login(stocked: Bench, name: str) -> None:
    assert "name" in await stocked.refusal(f"token create alice device={name}")
    assert "name" in await stocked.refusal(f"certificate add alice name={name} fingerprint={'ab' * 32}")


async def test_tokens_and_certificates_survive_export_and_apply(stocked: Bench) -> None:
    await stocked.do("token create alice device=phone")
    await stocked.do(f"certificate add alice name=laptop fingerprint={'ab' * 32}")
    before = stocked.user("alice")
    text = (await stocked.do("export secrets=yes")).data["toml"]
    assert before.tokens[0].digest not in (await stocked.do("export")).data["toml"]
    await stocked.do("user delete alice")
    await perform(stocked.context(), ["apply", f"file={text}"])
    again = stocked.user("alice")
    assert (again.tokens, again.certificates) == (before.tokens, before.certificates)
    await stocked.do("apply 'file=[[user]]\nname = \"alice\"'")
    assert stocked.user("alice").tokens == before.tokens
    assert stocked.user("alice").certificates == before.certificates


@pytest.mark.parametrize(
    "setting",
    [
        "tokens=x",
        "tokens='a1b2c3d4 phone 17 00'",
        f"tokens='a1b2c3d4 a/b 17 {'ab' * 32}'",
        f"tokens='a1b2c3d4 phone 17 {'ab' * 32},a1b2c3d4 desk 17 {'ab' * 32}'",
        "certificates=laptop",
        "certificates='laptop abc'",
        f"certificates='laptop {'ab' * 32},laptop {'cd' * 32}'",
        f"certificates='laptop {'ab' * 32},desk {'ab' * 32}'",
    ],
)
async def test_what_is_not_as_exported_is_refused(stocked: Bench, setting: str) -> None:
    before = stocked.user("alice")
    assert await stocked.refusal(f"user update alice {setting}")
    assert stocked.user("alice") == before
