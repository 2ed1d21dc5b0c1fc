"""Answers what sessions ask of the world: pages of history, the service, changes to the user's networks.

Owns the tasks that wait for answers, one for each question, and cancels them at the end. None of them is on the path of
relayed text.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Set
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any
from weakref import WeakValueDictionary

from bouncer.app import excerpts
from bouncer.core.link import Link
from bouncer.core.lobby import Lobby
from bouncer.downstream.session import FAULT, Session
from bouncer.model.errors import Refused, Unavailable
from bouncer.model.history import LINES_LIMIT, Search
from bouncer.model.ports import History, Page
from bouncer.model.questions import (
    AddNetwork,
    ChangeNetwork,
    DeleteNetwork,
    Known,
    Lines,
    ListNetworks,
    NotDone,
    ServiceLine,
    Talks,
    Unread,
)
from bouncer.operations import attributes
from bouncer.operations.attributes import NoSuchNetwork, WrongAttribute
from bouncer.operations.context import Actor, Context

logger = logging.getLogger(__name__)

Service = Callable[[Actor, str], Awaitable[list[str]]]


class Desk:
    """Where sessions ask (see `Ask` in `downstream.session`), and where tasks of the process are begun."""

    def __init__(self, *, history: History, service: Service, context: Callable[[Actor], Context]) -> None:
        self._history = history
        self._service = service
        self._context = context
        self.tasks: set[asyncio.Task[None]] = set()
        # Of a user's questions to the history one is put at a time, and one page of what a client missed: the store's
        # readers are few, and who asks much is to wait behind oneself.
        self._turns: WeakValueDictionary[tuple[str, bool], asyncio.Lock] = WeakValueDictionary()
        self._answers: Mapping[type, Callable[[Session, Any], Awaitable[object]]] = {
            Page: self._page,
            Lines: self._lines,
            Talks: self._talks,
            Unread: self._unread,
            Search: self._search,
            ServiceLine: self._service_line,
            ListNetworks: self._networks,
            AddNetwork: self._add_network,
            ChangeNetwork: self._change_network,
            DeleteNetwork: self._delete_network,
        }

    def ask(self, session: Session, question: object, render: Callable[[Any], None]) -> None:
        """Answer a session's question when the answer is there; None if it can't be had."""
        self.spawn(self._answer(session, question, render), f"{type(question).__name__} {session.arrival.login.user}")

    async def _answer(self, session: Session, question: object, render: Callable[[Any], None]) -> None:
        try:
            async with self._turn(session, question):
                answer: object = await self._answers[type(question)](session, question)
        except Unavailable as failure:
            logger.error("no answer for %s: %s", session.arrival.login.user, failure)
            answer = None
        except Exception:  # without an answer the session would park all that its client says, for ever
            logger.exception("no answer for %s", session.arrival.login.user)
            answer = None
        try:
            render(answer)
        except Exception:
            logger.exception("an error of ours ends the session of %s", session.arrival.login.user)
            session.close(FAULT)

    def _turn(self, session: Session, question: object) -> AbstractAsyncContextManager[None]:
        """The turn of a question: at once, unless others of its user's are before it."""
        if not isinstance(question, Page | Unread | Lines | Talks | Search):
            return nullcontext()
        key = session.arrival.login.user, isinstance(question, Page | Unread)
        lock = self._turns.get(key)
        if lock is None:
            lock = self._turns[key] = asyncio.Lock()
        return lock

    async def _page(self, session: Session, page: Page) -> object:
        return await self._history.page(page)

    async def _lines(self, session: Session, question: Lines) -> object:
        return await excerpts.read(self._history, question)

    async def _unread(self, session: Session, question: Unread) -> object:
        return await excerpts.unread(self._history, question)

    async def _talks(self, session: Session, question: Talks) -> object:
        return await self._history.targets(question.network, question.after, question.before, LINES_LIMIT)

    async def _search(self, session: Session, question: Search) -> object:
        return [hit.line for hit in reversed(await self._history.search(question))]

    async def _service_line(self, session: Session, line: ServiceLine) -> object:
        actor = _actor(session)
        return await self._service(actor, line.text) if actor else None

    async def _networks(self, session: Session, question: ListNetworks) -> object:
        actor = _actor(session)
        account = self._context(actor).house.account(actor.user) if actor else None
        return account.roster() if account else None

    async def _add_network(self, session: Session, question: AddNetwork) -> object:
        return await self._outcome(session, lambda context, user: attributes.add(context, user, question.attributes))

    async def _change_network(self, session: Session, question: ChangeNetwork) -> object:
        return await self._outcome(
            session, lambda context, user: attributes.change(context, user, question.netid, question.attributes)
        )

    async def _delete_network(self, session: Session, question: DeleteNetwork) -> object:
        return await self._outcome(session, lambda context, user: attributes.delete(context, user, question.netid))

    async def _outcome(self, session: Session, act: Callable[[Context, str], Awaitable[int]]) -> int | NotDone | None:
        """What came of an operation on a network, with the specification's code where it was refused."""
        actor = _actor(session)
        if actor is None:
            return None
        try:
            return await act(self._context(actor), actor.user)
        except NoSuchNetwork as refusal:
            return NotDone("INVALID_NETID", str(refusal))
        except WrongAttribute as refusal:
            return NotDone("INVALID_ATTRIBUTE", str(refusal), refusal.attribute)
        except Refused as refusal:
            return NotDone("UNKNOWN_ERROR", str(refusal))

    def recall(self, question: Known, answer: Callable[[Set[int] | None], None]) -> None:
        """Answer a link's question when the answer is there; None if it can't be had."""
        self.spawn(self._recall(question, answer), f"Known {question.network}")

    async def _recall(self, question: Known, answer: Callable[[Set[int] | None], None]) -> None:
        try:
            known: Set[int] | None = await self._history.known(question.network, question.traces)
        except Unavailable as failure:
            logger.error("what the network %d said before can't be compared now: %s", question.network, failure)
            known = None
        answer(known)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run something that is nobody's question, but has to end when we do."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            logger.error("the question %r failed", task.get_name(), exc_info=failure)

    async def close(self) -> None:
        """Cancel what is still being asked."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def _actor(session: Session) -> Actor | None:
    """In whose name a session asks. Not the login's: the user may have another name now, and somebody else that one."""
    place = session.place
    if isinstance(place, Link):
        return Actor(place.user.name, place.user.admin, place.network.name, fingerprint=session.arrival.fingerprint)
    if isinstance(place, Lobby):
        return Actor(place.user.name, place.user.admin, fingerprint=session.arrival.fingerprint)
    return None
