from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bouncer.model.errors import Refused
from bouncer.operations.context import Actor
from bouncer.operations.table import perform

if TYPE_CHECKING:
    from tests.unit.conftest import Bench


async def test_a_lost_password_is_replaced_and_shown_once(stocked: Bench) -> None:
    await stocked.do("user update alice enabled=no")
    before = stocked.user("alice")
    result = await stocked.do("user recover ALICE admin=yes")
    password = result.data["password"]
    after = stocked.user("alice")
    assert await stocked.passwords.verify(after.password_hash, password)
    assert after.password_hash != before.password_hash
    assert (after.enabled, after.admin, after.networks) == (True, True, before.networks)
    assert result.lines[0] == f"the new password of alice is {password}"
    assert result.lines[2:] == ("the account was closed, and is open now", "alice is an admin now")
    assert (await stocked.do("user recover alice")).data["password"] != password
    assert stocked.user("alice").admin
    assert password not in repr(result)


async def test_it_is_for_who_has_the_machine(stocked: Bench) -> None:
    with pytest.raises(Refused, match="on the command line only"):
        await perform(stocked.context(Actor("root", admin=True)), ["user", "recover", "alice"])
    assert await stocked.chat("user recover alice", user="root", admin=True) == [
        "User recover works on the command line only: bouncer help user recover."
    ]
    assert 'there is no user "alcie"; did you mean alice?' in await stocked.refusal("user recover alcie")
