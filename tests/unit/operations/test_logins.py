from __future__ import annotations

from typing import TYPE_CHECKING

from bouncer.model.records import ClientCertificate
from bouncer.operations.context import Actor
from bouncer.operations.values import CERTIFICATES_LIMIT

if TYPE_CHECKING:
    from tests.unit.conftest import Bench

SHOWN, OTHER = "ab" * 32, "cd" * 32
ALICE = Actor("alice", fingerprint=SHOWN)


async def test_the_certificate_that_is_shown_is_added_without_its_number(stocked: Bench) -> None:
    await stocked.do("certificate add name=Laptop", ALICE)
    assert stocked.user("alice").certificates == (ClientCertificate("laptop", SHOWN),)
    assert (await stocked.do("certificate list", ALICE)).lines == (f"laptop: SHA-256 {SHOWN}",)
    assert "already" in await stocked.refusal("certificate add", ALICE)
    assert "already" in await stocked.refusal(f"certificate add name=laptop fingerprint={OTHER}", ALICE)


async def test_nobody_adds_their_own_certificate_to_another_by_mistake(stocked: Bench) -> None:
    admin = Actor("alice", admin=True, fingerprint=SHOWN)
    assert "fingerprint is missing" in await stocked.refusal("certificate add bob", admin)
    assert "fingerprint is missing" in await stocked.refusal("certificate add", Actor("alice"))
    assert "another user" in await stocked.refusal("certificate add bob", ALICE)


async def test_a_certificate_is_deleted_by_name_or_fingerprint(stocked: Bench) -> None:
    colons = ":".join(OTHER[at : at + 2] for at in range(0, 64, 2)).upper()
    await stocked.do(f"certificate add alice fingerprint={colons}")
    await stocked.do(f"certificate add alice fingerprint={SHOWN}")
    assert [each.name for each in stocked.user("alice").certificates] == ["certificate", "certificate-2"]
    await stocked.do(f"certificate delete alice/{colons}")
    await stocked.do("certificate delete certificate-2", ALICE)
    assert stocked.user("alice").certificates == ()
    assert "certificate list shows them" in await stocked.refusal("certificate delete x", ALICE)


async def test_certificates_have_a_limit(stocked: Bench) -> None:
    for number in range(CERTIFICATES_LIMIT):
        await stocked.do(f"certificate add alice fingerprint={number:064x}")
    assert "all there may be" in await stocked.refusal(f"certificate add alice fingerprint={SHOWN}")
