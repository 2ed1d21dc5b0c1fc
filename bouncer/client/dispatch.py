"""Who listens to which event, and how each is called.

Owns handlers, waiters and listeners. Must not know connections or lines: an event is a name and keyword arguments,
and a :class:`Load` is told how much of it is still being handled.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from bouncer.client.events import event_key

logger = logging.getLogger(__name__)

Arguments = dict[str, Any]
Where = Callable[..., object]
F = TypeVar("F", bound=Callable[..., Any])

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
    """One registered function, for one event."""

    __slots__ = ("event", "function", "ordered", "queue", "takes")

    def __init__(self, event: str, function: Callable[..., Any], ordered: bool) -> None:
        self.event = event
        self.function = function
        self.takes = call_shape(function)
        self.ordered = ordered
        # bounded by the loads, which stop the reading; a list, since an empty deque has 760 bytes and most stay empty
        self.queue: list[tuple[Arguments, Load | None]] = []

    def drop_queue(self) -> None:
        while self.queue:
            _, load = self.queue.pop()
            if load is not None:
                load.release()

    def __str__(self) -> str:
        return f"{describe(self.function)} of {self.event!r}"


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


class _Slot:
    """All who care about one event. The tuple is replaced, never changed, so that a handler may add or remove."""

    __slots__ = ("handlers", "waiters")

    def __init__(self) -> None:
        self.handlers: tuple[Handler, ...] = ()
        self.waiters: dict[Waiter | Listener, None] = {}  # a dict for its order: many tasks may wait for one event


class Dispatcher:
    """Events to handlers and waiters.

    ``key in slots`` is the one question on the path of every line. Handlers that return an awaitable get a task, which
    is held here until it ends; an exception in a handler is logged and goes no further.
    """

    def __init__(self) -> None:
        self.slots: dict[str, _Slot] = {}  # by event_key(); an event that nobody cares about has none
        self._tasks: dict[asyncio.Task[Any], tuple[Handler, Load | None]] = {}

    def on(self, event: str, function: Callable[..., Any], ordered: bool) -> None:
        slot = self.slots.setdefault(event_key(event), _Slot())
        slot.handlers = (*slot.handlers, Handler(event, function, ordered))

    def off(self, event: str, function: Callable[..., Any]) -> None:
        """Take away every registration of ``function`` for ``event``; nothing happens if there is none."""
        key = event_key(event)
        if slot := self.slots.get(key):
            slot.handlers = tuple(handler for handler in slot.handlers if handler.function != function)
            self._tidy(key, slot)

    def add_waiter(self, event: str, waiter: Waiter | Listener) -> None:
        slot = self.slots.setdefault(event_key(event), _Slot())
        slot.waiters[waiter] = None

    def remove_waiter(self, event: str, waiter: Waiter | Listener) -> None:
        key = event_key(event)
        if slot := self.slots.get(key):
            slot.waiters.pop(waiter, None)
            self._tidy(key, slot)

    def _tidy(self, key: str, slot: _Slot) -> None:
        if not slot.handlers and not slot.waiters:
            del self.slots[key]

    def fire(
        self, key: str, arguments: Arguments, loop: asyncio.AbstractEventLoop | None, load: Load | None = None
    ) -> None:
        """Call all handlers of ``key`` (see :func:`event_key`), then wake its waiters. Never raises.

        ``loop`` is where tasks of async handlers go; None where no loop is known, which only sync handlers survive.
        """
        slot = self.slots.get(key)
        if slot is None:
            return
        for handler in slot.handlers:
            if handler.ordered:
                self._queue(handler, arguments, loop, load)
            else:
                self._call(handler, arguments, loop, load)
        for waiter in tuple(slot.waiters):
            waiter.offer(key, arguments, load)

    def _call(
        self, handler: Handler, arguments: Arguments, loop: asyncio.AbstractEventLoop | None, load: Load | None
    ) -> None:
        try:
            result = call(handler.function, handler.takes, arguments)
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
