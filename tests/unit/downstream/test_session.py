"""One attached client, and what it may cost the others."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bouncer.downstream import deliver
from bouncer.downstream import session as session_module
from bouncer.irc.message import Message
from bouncer.model.capability import Capability
from tests.play.stage import Stage


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.desk.close()
    stage.store.close()


def broken(message: Message) -> Message:
    raise RuntimeError("boom")


async def test_a_fault_in_one_session_ends_that_one_only(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    upstream = stage.connected()
    row = Capability("message-tags", downgrades={"PRIVMSG": broken})
    stage.entrance._renderer = deliver.Renderer((row,))
    old = await stage.attached("alice@old")
    new = await stage.attached("alice@new", "message-tags")
    upstream.says(":bob!b@h PRIVMSG alice :one", ":bob!b@h NOTICE alice :two")
    assert old.closed
    assert old.lines() == ["ERROR :Closing link: Something went wrong in the bouncer; its log says what"]
    assert [line.rpartition(":")[2] for line in new.lines()] == ["one", "two"]
    assert "boom" in caplog.text
    await stage.settle()
    assert stage.store.undurable == 0


async def test_answers_that_a_client_does_not_take_stop_its_questions(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "ANSWERS_BYTES", 2000)
    upstream = stage.connected()
    upstream.joins("#c", *(f"somebody{number}" for number in range(50)))
    phone = await stage.attached()
    phone.full = True
    held = []
    phone.says("NAMES #c")
    held.append(phone.held)
    phone.says("NAMES #c", "NAMES #c", "NAMES #c")
    held.append(phone.held)
    phone.takes_again()
    held.append(phone.held)
    assert held == [False, True, False]
    assert len([line for line in phone.lines() if " 366 " in line]) == 4


async def test_renderings_are_not_kept_for_those_who_are_behind(stage: Stage) -> None:
    upstream = stage.connected()
    slow = await stage.attached()
    slow.full = True
    for number in range(80):
        upstream.says(*(f":bob!b@h PRIVMSG alice :{number}" for _ in range(100)))
    slow.takes_again()
    assert len(slow.lines()) == 8000
    assert len(upstream.link.log.forms) <= deliver.FORMS_LIMIT
