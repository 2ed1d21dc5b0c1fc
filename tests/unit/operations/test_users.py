from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bouncer.irc.sasl import read_keys, scram_keys
from bouncer.model.records import User
from bouncer.operations.context import Actor

if TYPE_CHECKING:
    from tests.unit.conftest import Bench

ALICE = Actor("alice")
ROOT = Actor("root", admin=True)


async def test_a_user_is_made_kept_and_found_in_any_case(bench: Bench) -> None:
    result = await bench.do('user create Alice password="correct horse battery" nick=al timezone=Europe/Berlin')
    assert result.lines[0] == "user Alice is made"
    assert result.data["settings"] == {
        "password_hash": True,
        "scram": True,
        "nick": "al",
        "timezone": "Europe/Berlin",
        "name": "Alice",
    }
    assert bench.user("aLICE").nick == "al"
    bench.house = bench.opened()
    assert await bench.passwords.verify(bench.user("alice").password_hash, "correct horse battery")


async def test_a_name_is_taken_in_any_case(stocked: Bench) -> None:
    assert await stocked.refusal("user create ALICE") == 'there is a user "alice" already; user update alice changes it'
    assert "already" in await stocked.refusal("user update bob name=ALICE")


async def test_ids_are_never_used_again(stocked: Bench) -> None:
    first = stocked.user("bob").id
    await stocked.do("user delete bob")
    await stocked.do("user create bob password=unguessable-enough")
    assert stocked.user("bob").id > first


async def test_weak_and_missing_passwords_are_warned_of(bench: Bench) -> None:
    assert any("anyone can guess it" in line for line in (await bench.do("user create alice password=Alice")).lines)
    assert any("weak" in line for line in (await bench.do("user create carol password=12345")).lines)
    assert any("nobody can log in as bob" in line for line in (await bench.do("user create bob")).lines)
    fine = await bench.do('user password bob password="correct horse battery"')
    assert fine.lines == ("the password of bob is changed",)


async def test_the_same_again_changes_nothing(stocked: Bench) -> None:
    assert (await stocked.do("user update bob nick=")).lines == ("user bob is like that already",)


async def test_nothing_after_the_sign_puts_the_default_back(stocked: Bench) -> None:
    await stocked.do("user update alice nick=al first_helping=5 timezone=Europe/Berlin")
    await stocked.do("user update alice nick= first_helping= timezone=")
    alice = stocked.user("alice")
    assert (alice.nick, alice.first_helping, alice.timezone) == ("", 1000, "UTC")
    assert "can't be empty" in await stocked.refusal("user update alice password=")
    assert "a name is missing" in await stocked.refusal("user update alice name=")


async def test_a_closed_account_stays_and_a_renamed_one_keeps_its_id(stocked: Bench) -> None:
    before = stocked.user("alice")
    await stocked.do("user update alice name=alicia enabled=no")
    assert stocked.user("alicia") == replace(before, name="alicia", enabled=False)
    assert stocked.house.account("alice") is None


async def test_list_and_show_tell_no_secret(stocked: Bench) -> None:
    for text in ("user list", "user show alice"):
        result = await stocked.do(text)
        assert "argon2id" not in repr(result.data) + "".join(result.lines)
    assert (await stocked.do("user list")).lines == ("alice: libera", "bob: no network")


async def test_a_user_may_change_the_own_account_only(stocked: Bench) -> None:
    await stocked.do("user update nick=al", ALICE)
    assert stocked.user("alice").nick == "al"
    assert "another user" in await stocked.refusal("user update bob nick=al", ALICE)
    assert "another user" in await stocked.refusal("user show nobody", ALICE)
    assert await stocked.refusal("user update admin=yes", ALICE) == "admin may be set by admins only"
    assert await stocked.refusal("user create eve", ALICE) == "user create may be used by admins only"
    assert await stocked.refusal("user list", ALICE) == "user list may be used by admins only"


async def test_an_admin_does_not_lock_the_own_door_from_irc(stocked: Bench) -> None:
    await stocked.do("user create root admin=yes password=unguessable-enough")
    for text in ("user delete root", "user update admin=no", "user update enabled=no"):
        assert "your own admin account" in await stocked.refusal(text, ROOT)
    await stocked.do("user update bob nick=bobby", ROOT)
    await stocked.do("user delete root")
    assert stocked.house.account("root") is None


async def test_a_password_of_its_own_needs_a_value(stocked: Bench) -> None:
    assert "the new password is missing" in await stocked.refusal("user password", ALICE)
    assert "not both" in await stocked.refusal(
        "user update bob password=x password_hash='$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA'"
    )


async def test_what_can_not_be_stored_is_not_done(stocked: Bench) -> None:
    stocked.store.fail("the disk is full")
    before = stocked.house.users()
    for text in ("user create carol", "user update bob nick=b", "user delete bob", "network delete alice/libera"):
        sentence = await stocked.refusal(text)
        assert sentence == "nothing was changed, because it can't be stored: the disk is full"
        assert sorted(stocked.house.users(), key=_id) == sorted(before, key=_id)
    stocked.store.fail(None)
    assert sorted(stocked.opened().users(), key=_id) == sorted(before, key=_id)


async def test_what_somebody_else_changed_meanwhile_is_not_undone(stocked: Bench) -> None:
    bob = stocked.user("bob")

    async def settled() -> None:
        stocked.house.replace(replace(stocked.user("bob"), realname="Bob"))
        stocked.store.fail("the disk is full")
        await type(stocked.store).settled(stocked.store)

    stocked.store.settled = settled  # type: ignore[method-assign]  # somebody acts while the change is being stored
    await stocked.refusal("user update bob nick=b")
    assert stocked.user("bob") == replace(bob, nick="b", realname="Bob")


def _id(user: User) -> int:
    return user.id


async def test_scram_never_fits_another_password_than_the_hash(stocked: Bench) -> None:
    old = stocked.user("alice").scram
    await stocked.do('user password alice password="another one, and long"')
    new = stocked.user("alice").scram
    keys = read_keys(new)
    assert keys is not None
    assert keys == scram_keys("another one, and long", keys.salt, keys.iterations)
    assert new != old
    other = stocked.user("bob")
    await stocked.do(f"user update alice password_hash={other.password_hash}")
    assert stocked.user("alice").scram == ""
    await stocked.do(f"user update alice password_hash={other.password_hash} scram={other.scram}")
    assert stocked.user("alice").scram == other.scram
    assert "goes with the password_hash" in await stocked.refusal(f"user update alice scram={old}")
    assert "not both" in await stocked.refusal(f"user update alice password=unguessable scram={old}")
