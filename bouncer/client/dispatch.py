"""Who listens to which event, and how each is called.

Owns handlers, waiters and listeners. Must not know connections or lines: an event is a name and keyword arguments,
and a :class:`Load` is told how much of it is still being handled.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from types import MethodType
from typing import Any, Protocol, TypeVar

from bouncer.client.events import event_key

logger = logging.getLogger(__name__)

Arguments = dict[str, Any]
Where = Callable[..., object]
F = TypeVar("F", bound=Callable[..., Any])

WAYS_LIMIT = 100  # continuations of one table of handlers that are remembered: a program has a few
NOT_A_METHOD = -1
LISTENER_LIMIT = 10_000  # events a listener holds that no connection's reading can be stopped for


class Load(Protocol):
    """What a source of events is told, so that it can stop reading while too much of it is unhandled."""

    def take(self) -> None: ...

    def release(self) -> None: ...


def describe(function: object) -> str:
    """A handler's name for the log."""
    return getattr(function, "__qualname__", None) or repr(function)


def call_shape(function: Callable[..., Any]) -> tuple[str, ...] | None:
    """The keyword arguments that ``function`` takes; None if it takes any (or hides what it takes)."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return tuple(parameter.name for parameter in parameters if parameter.kind in kinds)


def call(function: Callable[..., Any], takes: tuple[str, ...] | None, arguments: Arguments) -> Any:
    """Call with what it takes of ``arguments``."""
    if takes is None:
        return function(**arguments)
    return function(**{name: arguments[name] for name in takes if name in arguments})


class Handler:
    """One registered function, for one event. Of a method, ``function`` is that of its class, and ``place`` tells whose
    it is: so it is the same for all clients that have it."""

    __slots__ = ("event", "function", "ordered", "place", "queue", "takes")

    def __init__(self, event: str, function: Callable[..., Any], place: int, ordered: bool) -> None:
        self.event = event
        self.takes = call_shape(function)
        self.function = function
        if place != NOT_A_METHOD and isinstance(function, MethodType):
            self.function = function.__func__
        self.place = place
        self.ordered = ordered
        self.queue: list[tuple[Arguments, Load | None]] = []  # bounded by the loads, which stop the reading

    def drop_queue(self) -> None:
        while self.queue:
            _, load = self.queue.pop()
            if load is not None:
                load.release()

    def __str__(self) -> str:
        return f"{describe(self.function)} of {self.event!r}"


class Table:
    """The handlers of each event, by :func:`event_key`. Never changes: clients that were given the same methods in the
    same order share one, which is found by following what ``after`` remembers."""

    __slots__ = ("after", "handlers")

    def __init__(self, handlers: dict[str, tuple[Handler, ...]]) -> None:
        self.handlers = handlers
        self.after: dict[tuple[str, Callable[..., Any], int], Table] = {}

    def plus(self, key: str, handler: Handler) -> Table:
        """One with this handler as the last of its event."""
        return Table({**self.handlers, key: (*self.handlers.get(key, ()), handler)})

    def minus(self, key: str, function: Callable[..., Any], place: int) -> Table:
        """One without that function's handlers of an event."""
        left = tuple(each for each in self.handlers[key] if each.place != place or each.function != function)
        others = {each: handlers for each, handlers in self.handlers.items() if each != key}
        return Table({**others, key: left} if left else others)

    def with_method(self, event: str, key: str, method: MethodType, place: int) -> Table:
        """One with that method as the last of its event, the same as for others who had it added to this one."""
        way = key, method.__func__, place
        table = self.after.get(way)
        if table is None:
            table = self.plus(key, Handler(event, method, place, False))
            if len(self.after) < WAYS_LIMIT:
                self.after[way] = table
        return table

    def knows(self, place: int) -> bool:
        """Whether one of the methods is of the object at that place."""
        return any(each.place == place for handlers in self.handlers.values() for each in handlers)


EMPTY = Table({})


class Waiter:
    """One ``wait()``: a future of its own, so that its end harms nobody else."""

    __slots__ = ("future", "takes", "where")

    def __init__(self, future: asyncio.Future[Arguments], where: Where | None) -> None:
        self.future = future
        self.where = where
        self.takes = call_shape(where) if where is not None else None

    def offer(self, event: str, arguments: Arguments, load: Load | None) -> None:
        if self.future.done():
            return
        try:
            if self.where is None or call(self.where, self.takes, arguments):
                self.future.set_result(dict(arguments))
        except Exception as error:
            self.future.set_exception(error)


class Listener:
    """Every event of some kinds from now on, in order; nothing is lost between two gets.

    Made by :meth:`Client.listen`. Use it in ``with`` or ``async with``, or call :meth:`close`; ``async for`` works
    too. What it holds counts as unhandled: a listener that is not emptied stops the reading of its connection.
    """

    def __init__(self, names: dict[str, str], dispatcher: Dispatcher) -> None:
        self._names = names  # event key -> the name as it was asked for
        self._dispatcher = dispatcher
        for key in names:
            dispatcher.add_waiter(key, self)
        self._events: deque[tuple[str, Arguments, Load | None]] = deque()
        self._getters: deque[asyncio.Future[None]] = deque()

    def offer(self, event: str, arguments: Arguments, load: Load | None) -> None:
        if load is not None:
            load.take()
        elif len(self._events) >= LISTENER_LIMIT:
            logger.error("a listener for %s holds %d events; one more is dropped", event, LISTENER_LIMIT)
            return
        self._events.append((self._names[event], dict(arguments), load))
        self._wake()

    def _wake(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return

    async def get(self, timeout: float | None = None) -> tuple[str, Arguments]:
        """The next event: its name as given to ``listen``, and its arguments. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while not self._events:
                getter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._getters.append(getter)
                try:
                    with self._dispatcher.idle():
                        await getter
                except asyncio.CancelledError:
                    if getter in self._getters:
                        self._getters.remove(getter)
                    elif self._events:
                        self._wake()  # it was our turn, which we do not take
                    raise
        event, arguments, load = self._events.popleft()
        if load is not None:
            load.release()
        return event, arguments

    def close(self) -> None:
        """Listen no more, and forget what is held."""
        for key in self._names:
            self._dispatcher.remove_waiter(key, self)
        while self._events:
            _, _, load = self._events.popleft()
            if load is not None:
                load.release()

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    async def __aenter__(self) -> Listener:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()

    def __aiter__(self) -> Listener:
        return self

    async def __anext__(self) -> tuple[str, Arguments]:
        return await self.get()


class Dispatcher:
    """Events to handlers and waiters.

    ``key in heard`` is the one question on the path of every line. Handlers that return an awaitable get a task, which
    is held here until it ends; an exception in a handler is logged and goes no further.
    """

    __slots__ = ("_owners", "_table", "_tasks", "_waiters", "heard")

    def __init__(self) -> None:
        self._table = EMPTY
        self._owners: tuple[object, ...] = ()  # those whose methods are in the table, None where one has gone
        # by event_key(); a dict of those who wait for one for its order: they may be many
        self._waiters: dict[str, dict[Waiter | Listener, None]] = {}
        self.heard: Mapping[str, object] = EMPTY.handlers  # by event_key(): the events that somebody cares about
        self._tasks: dict[asyncio.Task[Any], tuple[Handler, Load | None]] = {}

    def on(self, event: str, function: Callable[..., Any], ordered: bool) -> None:
        key = event_key(event)
        if isinstance(function, MethodType) and not ordered:
            place = self._place(function.__self__)
            self._owners = (*self._owners[:place], function.__self__, *self._owners[place + 1 :])
            self._table = self._table.with_method(event, key, function, place)
        else:
            self._table = self._table.plus(key, Handler(event, function, NOT_A_METHOD, ordered))
        self._hear()

    def off(self, event: str, function: Callable[..., Any]) -> None:
        """Take away every registration of ``function`` for ``event``; nothing happens if there is none."""
        key = event_key(event)
        if key in self._table.handlers:
            self._table = self._table.minus(key, function, NOT_A_METHOD)
        if key in self._table.handlers and isinstance(function, MethodType):
            place = self._place(function.__self__)
            self._table = self._table.minus(key, function.__func__, place)
            if not self._table.knows(place):
                self._owners = (*self._owners[:place], None, *self._owners[place + 1 :])
        self._hear()

    def _place(self, owner: object) -> int:
        """Of an object among the owners of methods, or where it would be."""
        owners = self._owners
        for wanted in (owner, None):
            for place, each in enumerate(owners):
                if each is wanted:
                    return place
        return len(owners)

    def add_waiter(self, event: str, waiter: Waiter | Listener) -> None:
        self._waiters.setdefault(event_key(event), {})[waiter] = None
        self._hear()

    def remove_waiter(self, event: str, waiter: Waiter | Listener) -> None:
        key = event_key(event)
        waiters = self._waiters.get(key, {})
        waiters.pop(waiter, None)
        if not waiters:
            self._waiters.pop(key, None)
        self._hear()

    def _hear(self) -> None:
        handlers = self._table.handlers
        self.heard = {**handlers, **self._waiters} if self._waiters else handlers

    def fire(
        self, key: str, arguments: Arguments, loop: asyncio.AbstractEventLoop | None, load: Load | None = None
    ) -> None:
        """Call all handlers of ``key`` (see :func:`event_key`), then wake its waiters. Never raises.

        ``loop`` is where tasks of async handlers go; None where no loop is known, which only sync handlers survive.
        """
        owners = self._owners
        for handler in self._table.handlers.get(key, ()):
            if handler.ordered:
                self._queue(handler, arguments, loop, load)
            elif handler.place == NOT_A_METHOD:
                self._call(handler, handler.function, arguments, loop, load)
            else:
                self._call(handler, MethodType(handler.function, owners[handler.place]), arguments, loop, load)
        for waiter in tuple(self._waiters.get(key, ())):
            waiter.offer(key, arguments, load)

    def _call(
        self,
        handler: Handler,
        function: Callable[..., Any],
        arguments: Arguments,
        loop: asyncio.AbstractEventLoop | None,
        load: Load | None,
    ) -> None:
        try:
            result = call(function, handler.takes, arguments)
            if result is not None and inspect.isawaitable(result):
                self._spawn(handler, _run(handler, result), loop, load)
        except (Exception, asyncio.CancelledError):
            logger.exception("the handler %s failed", handler)

    def _queue(
        self, handler: Handler, arguments: Arguments, loop: asyncio.AbstractEventLoop | None, load: Load | None
    ) -> None:
        idle = not handler.queue
        handler.queue.append((arguments, load))
        if load is not None:
            load.take()
        if idle:
            self._spawn(handler, _work(handler), loop, load)

    def _spawn(
        self,
        handler: Handler,
        work: Coroutine[Any, Any, None],
        loop: asyncio.AbstractEventLoop | None,
        load: Load | None,
    ) -> None:
        if loop is None:
            work.close()
            handler.drop_queue()
            logger.error("the handler %s is async, and there is no event loop to run it on", handler)
            return
        if load is not None:
            load.take()
        task: asyncio.Task[None] = loop.create_task(work, name=f"handler {handler}")
        self._tasks[task] = (handler, load)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        handler, load = self._tasks.pop(task)
        if load is not None:
            load.release()
        if handler.ordered and task.cancelled():  # nobody will look at what is left
            handler.drop_queue()

    @contextmanager
    def idle(self) -> Iterator[None]:
        """While inside, the handler that is asking (if one is) does not count as unhandled.

        A handler that waits for an event needs more lines to come to its end: counting it could stop them.
        """
        task = asyncio.current_task()
        held = self._tasks.get(task) if task is not None else None
        load = None if held is None else held[1]
        if load is None:
            yield
            return
        load.release()
        try:
            yield
        finally:
            load.take()

    def cancel(self) -> list[asyncio.Task[Any]]:
        """Cancel all handler tasks but the asking one; returns them, to be waited for."""
        try:
            current: object = asyncio.current_task()
        except RuntimeError:
            current = None
        tasks = [task for task in self._tasks if task is not current]
        for task in tasks:
            task.cancel()
        return tasks


async def _run(handler: Handler, awaitable: Awaitable[object]) -> None:
    """A handler's task; also for awaitables that are no coroutines, which create_task would not take."""
    try:
        await awaitable
    except Exception:
        logger.exception("the handler %s failed", handler)


async def _work(handler: Handler) -> None:
    """An ordered handler's task: one event after the other, until none is left."""
    queue = handler.queue
    while queue:
        arguments, load = queue[0]
        try:
            result = call(handler.function, handler.takes, arguments)
            if inspect.isawaitable(result):
                await result
        except Exception:
            logger.exception("the handler %s failed", handler)
        queue.pop(0)
        if load is not None:
            load.release()
