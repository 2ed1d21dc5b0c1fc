"""What is asked of the desk is answered, whatever goes wrong behind it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bouncer.model.history import Range
from bouncer.model.ports import Kept
from bouncer.model.records import User
from bouncer.operations.context import Actor
from bouncer.store.memory import MemoryStore
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


class Gate:
    """A history that answers when it is told to, and knows what it was asked."""

    def __init__(self, history: MemoryStore) -> None:
        self.waiting: list[tuple[Range, asyncio.Future[None]]] = []
        self._history = history

    def __getattr__(self, name: str) -> object:
        return getattr(self._history, name)

    async def lines(self, question: Range) -> list[Kept]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append((question, future))
        await future
        return await self._history.lines(question)


async def asked_on() -> None:
    """Let all tasks go on until each waits for something."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_asks_much_waits_behind_oneself(stage: Stage) -> None:
    """With two readers, a hundred questions of one user's devices are not before the first one of another's."""
    networks = [stage.user(name).networks[0].id for name in ("alice", "bob")]
    for network in networks:
        stage.upstreams[network].welcomes()
    stage.desk._history = gate = Gate(stage.store)  # type: ignore[assignment]  # it is one by __getattr__
    paging = "draft/chathistory batch server-time message-tags"
    devices = [await stage.attached(f"alice@{number}", paging) for number in range(5)]
    other = await stage.attached("bob@phone", paging)
    for device in [*devices, other]:
        device.says(*["CHATHISTORY LATEST #t * 10"] * 20)
    answered = [0, 0]
    await asked_on()
    while gate.waiting:
        asked = [question.network for question, _ in gate.waiting]
        assert sorted(asked) == sorted(set(asked))  # one of each user's
        if sum(answered) < 40:
            assert set(asked) == set(networks)
        question, future = gate.waiting.pop(0)
        answered[networks.index(question.network)] += 1
        future.set_result(None)
        await asked_on()
    assert answered == [100, 20]


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
