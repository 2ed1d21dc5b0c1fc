"""Waiting for what other processes do: poll with a deadline, never a plain sleep. Also the choice of free ports.

Knows nothing of IRC.
"""

import asyncio
import inspect
import random
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar, overload

T = TypeVar("T")

POLL_SECONDS = 0.05  # short beside every deadline here, long enough to cost two cores nothing

# Below the range from which Linux takes the ports of outgoing connections (32768 and up): while a server is down, a
# client that retries its port could otherwise be given that very port as its own, and be connected with itself.
PORTS = range(20_000, 32_000)

_given: set[int] = set()


@overload
async def eventually(probe: Callable[[], Coroutine[Any, Any, T]], timeout: float = ..., what: str = ...) -> T: ...
@overload
async def eventually(probe: Callable[[], T], timeout: float = ..., what: str = ...) -> T: ...
async def eventually(probe: Callable[[], Any], timeout: float = 20.0, what: str = "") -> Any:
    """Call `probe` until it gives something true, and return that.

    A probe may be async, and may use `assert`: a failed assertion means "not yet". Raises AssertionError after
    `timeout` seconds, with `what` and the last thing the probe gave or said.
    """
    deadline = time.monotonic() + timeout
    while True:
        complaint: object
        try:
            given = probe()
            value = await given if inspect.isawaitable(given) else given
            if value:
                return value
            complaint = value
        except AssertionError as error:
            complaint = error
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {timeout:g} s: {what or probe!r}; last: {complaint}")
        await asyncio.sleep(POLL_SECONDS)


async def ticks(every: float, seconds: float) -> AsyncIterator[float]:
    """The time (monotonic) every so often, for so long: the pace of what a test measures."""
    start = due = time.monotonic()
    while due - start < seconds:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        yield time.monotonic()
        due += every


async def until_clock(moment: float) -> None:
    """Wait until the wall clock has passed `moment` (UNIX seconds), so that two times can be told apart."""
    await eventually(
        lambda: time.time() > moment, timeout=max(1.0, moment - time.time() + 5), what="the clock moves on"
    )


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on, never given twice in one run."""
    for _ in range(1000):
        port = random.choice(PORTS)
        if port in _given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise RuntimeError("no free loopback port")


def listening(port: int) -> bool:
    """Whether something accepts connections on that loopback port."""
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0
