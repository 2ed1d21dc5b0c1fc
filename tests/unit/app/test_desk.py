"""What is asked of the desk is answered, whatever goes wrong behind it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bouncer.model.records import User
from bouncer.operations.context import Actor
from tests.play.stage import Stage


async def test_a_fault_in_an_answer_lets_later_commands_through(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.user()

    async def broken(actor: Actor, text: str) -> list[str]:
        raise RuntimeError("boom")

    stage.desk._service = broken
    stage.upstream().welcomes()
    phone = await stage.attached()
    phone.says("PRIVMSG *bouncer :help", "PING after")
    await stage.settle()
    note, pong = phone.lines()
    assert note.endswith(":That can't be answered at the moment; try again later.")
    assert pong.endswith("PONG irc.example after")


async def test_the_service_answers_who_one_is_and_not_who_one_was(stage: Stage) -> None:
    user = stage.user("alice", admin=False)
    stage.upstream().welcomes()
    phone = await stage.attached()
    stage.house.replace(replace(user, name="alicia"))
    stage.house.replace(User(stage.house.new_user_id(), "alice", "secret", admin=True))
    phone.says("PRIVMSG *bouncer :status")
    await stage.settle()
    (asked,) = stage.service
    assert asked[0].user == "alicia"
    assert not asked[0].admin
