"""Whoever comes is let in or told why not, whatever goes wrong behind the entrance."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bouncer.model.errors import Unavailable
from bouncer.model.ports import Page, Run, Seen
from bouncer.store.memory import MemoryStore
from tests.play.stage import Device, Stage


class Hasher:
    """Counts, and fails as it is told."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.asked: list[str] = []
        self.failure = failure

    async def hash(self, password: str) -> str:
        return password

    async def scram(self, password: str) -> str:
        return ""

    async def verify(self, password_hash: str, password: str, line: str = "") -> bool:
        self.asked.append(password)
        await asyncio.sleep(0)
        if self.failure:
            raise self.failure
        return bool(password_hash) and password_hash == password


class BrokenHistory(MemoryStore):
    async def page(self, question: Page) -> Run:
        raise RuntimeError("boom")

    async def devices(self, network: int) -> dict[str, Seen]:
        raise RuntimeError("boom")

    async def first_helping(self, network: int, lines: int, since: int) -> int:
        raise RuntimeError("boom")


async def test_one_password_is_checked_once_however_much_is_said_meanwhile(stage: Stage) -> None:
    stage.user()
    hasher = Hasher()
    stage.entrance._passwords = hasher
    device = Device(stage)
    device.says("PASS wrong", "NICK a", "USER alice 0 * :A", *("PING x" for _ in range(30)))
    await stage.settle()
    assert hasher.asked == ["wrong"]
    assert device.closed


async def test_a_login_that_can_not_be_checked_is_not_called_wrong(stage: Stage) -> None:
    stage.user()
    stage.entrance._passwords = Hasher(Unavailable("too many passwords are being checked just now"))
    device = await stage.device()
    assert device.closed
    assert device.lines() == ["ERROR :Closing link: too many passwords are being checked just now"]


async def test_what_the_check_took_counts_as_waiting(stage: Stage) -> None:
    """Else a busy bouncer closes many as too slow, who would have been told that their password is wrong."""

    class Slow(Hasher):
        seconds = 0.0

        async def verify(self, password_hash: str, password: str, line: str = "") -> bool:
            stage.timers.pass_by(self.seconds)
            return await super().verify(password_hash, password, line)

    stage.user()
    hasher = stage.entrance._passwords = Slow()

    async def wrong() -> Device:
        device = Device(stage)
        device.says("PASS wrong", "NICK a", "USER alice 0 * :A")
        await stage.settle()
        return device

    for _ in range(3):
        assert (await wrong()).closed
    assert not (await wrong()).closed
    hasher.seconds = 20.0
    assert (await wrong()).closed


async def test_a_fault_while_checking_ends_the_visit_with_a_word(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.user()
    stage.entrance._passwords = Hasher(RuntimeError("boom"))
    device = await stage.device()
    assert device.lines() == ["ERROR :Closing link: Something went wrong in the bouncer; its log says what"]
    assert "boom" in caplog.text


async def test_a_fault_while_admitting_ends_the_visit_with_a_word(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.user()
    stage.entrance._history = BrokenHistory()
    device = await stage.device()
    assert device.lines()[-1] == "ERROR :Closing link: Something went wrong in the bouncer; its log says what"
    assert "boom" in caplog.text


async def test_a_network_that_goes_while_somebody_comes_is_said(stage: Stage) -> None:
    user = stage.user("alice", "one", "two")
    device = Device(stage)
    device.says("PASS alice/one:secret", "NICK a", "USER a 0 * :A")
    for _ in range(3):  # until it waits for the store
        await asyncio.sleep(0)
    link = stage.upstream("alice", "one").link
    stage.house.replace(replace(user, networks=user.networks[1:]))
    await stage.settle()
    assert device.closed
    assert link.sessions == []
