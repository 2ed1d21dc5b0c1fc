"""Both ends of ``admin.sock``, through which the command line reaches a bouncer that runs.

One line of JSON each way: ``{"words": [...]}``, and ``{"lines": [...], "data": ...}`` or ``{"refused": "..."}``; or
``{"import": [user, network], "past": [...]}`` with lines as `operations/past.py` writes them.
Whoever may open the socket (its mode is 0600) is the machine's admin. Owns this wire. Must not know any operation.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bouncer.model.errors import Refused, Unavailable
from bouncer.net.address import LONGEST_UNIX_PATH
from bouncer.operations.context import Context
from bouncer.operations.past import import_lines
from bouncer.operations.row import Result
from bouncer.operations.table import perform

REQUEST_LIMIT = 4 * 1024 * 1024  # bytes of a line: a state file of ten thousand networks fits
ANSWER_LIMIT = 64 * 1024 * 1024  # bytes; an export is no longer than what was applied, status has a line per channel
CLIENTS_LIMIT = 32  # at once; each is a person or a script on this machine
ANSWER_PATIENCE = 300.0  # seconds that an answer may take; hashing the passwords of a large file is the longest work
PATIENCE = 30.0  # seconds that a client may take to send a request, or to take its answer

_USAGE = 'a request is a line of JSON like {"words": ["status"]}'

log = logging.getLogger(__name__)


class NotRunning(Exception):
    """Nobody listens on that socket."""


class AdminSocket:
    """The bouncer's end. ``context`` gives a fresh context, of the machine's admin, for each request."""

    def __init__(self, path: Path, context: Callable[[], Context]) -> None:
        self._path = path
        self._context = context
        self._server: asyncio.Server | None = None
        self._visits: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen. Replaces a socket that was left behind: the lock on the home says that no bouncer has it.

        Raises Refused if that can't be.
        """
        try:
            listener = _bound(self._path)
        except OSError as error:
            raise Refused(
                f"Can't make the admin socket {self._path}: {(error.strerror or str(error)).lower()}."
            ) from error
        self._server = await asyncio.start_unix_server(self._visit, sock=listener, limit=REQUEST_LIMIT)

    async def close(self) -> None:
        """Stop listening, end all visits and remove the socket."""
        if self._server is None:
            return
        self._server.close()
        for visit in self._visits:
            visit.cancel()
        await asyncio.gather(*self._visits, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None
        self._path.unlink(missing_ok=True)

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # a coroutine runs in one
        task.set_name("admin socket")
        self._visits.add(task)
        try:
            await self._serve(reader, writer)
        except (TimeoutError, OSError, asyncio.CancelledError) as error:
            log.debug("an admin client was left: %r", error)
        finally:
            self._visits.discard(task)
            if writer.transport.get_write_buffer_size():
                writer.transport.abort()  # it does not read
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._visits) > CLIENTS_LIMIT:
            await _send(writer, {"refused": f"more than {CLIENTS_LIMIT} commands are at work; try again"})
            return
        try:
            while request := await _request(reader):
                await _send(writer, await self._answer(request))
        except ValueError:
            await _send(writer, {"refused": f"the request is longer than {REQUEST_LIMIT} bytes"})

    async def _answer(self, request: bytes) -> dict[str, Any]:
        try:
            result = await self._perform(request)
        except (Refused, Unavailable) as problem:
            return {"refused": str(problem)}
        except Exception:
            log.exception("a command on the admin socket failed")  # not its words: they may hold a password
            return {"refused": "that went wrong inside the bouncer; its log has more"}
        return {"lines": result.lines, "data": result.data}

    async def _perform(self, request: bytes) -> Result:
        asked = _asked(request)
        if "import" in asked:
            match asked["import"]:
                case [str(user), str(network)]:
                    return Result((), await import_lines(self._context(), user, network, asked.get("past")))
            raise Refused(_USAGE)
        return await perform(self._context(), _words(asked))


async def ask(path: Path, words: Sequence[str]) -> Result:
    """Have the bouncer that listens on ``path`` do what the words say.

    Raises Refused with its sentence, and NotRunning if there is none.
    """
    return await request(path, {"words": list(words)})


async def request(path: Path, asked: Mapping[str, Any]) -> Result:
    """Like :meth:`ask`, for any request."""
    request = json.dumps(asked).encode()
    if len(request) >= REQUEST_LIMIT:
        raise Refused(f"the request is longer than {REQUEST_LIMIT} bytes; give the file in parts")
    try:
        reader, writer = await asyncio.open_unix_connection(_short(path), limit=ANSWER_LIMIT)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
        raise NotRunning(str(path)) from error
    except OSError as error:
        raise Refused(f"Can't reach the bouncer at {path}: {(error.strerror or str(error)).lower()}.") from error
    try:
        async with asyncio.timeout(ANSWER_PATIENCE):
            writer.write(request + b"\n")
            await writer.drain()
            line = await reader.readline()
    except TimeoutError as error:
        raise Refused(f"the bouncer did not answer within {ANSWER_PATIENCE:.0f} s; its log may tell why") from error
    except (OSError, ValueError) as error:
        raise Refused("the bouncer ended while it was asked; bouncer status tells whether it did it") from error
    finally:
        writer.close()
    return _result(line)


def _bound(path: Path) -> socket.socket:
    if path.is_symlink() or path.exists():
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise Refused(f"Can't make the admin socket {path}: there is a file of that name; move it away.")
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)  # between bind and a chmod others could connect
    try:
        listener.bind(_short(path))
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(before)
    listener.setblocking(False)
    return listener


def _short(path: Path) -> str:
    """The path as the system takes it: a long one is refused with a sentence of its own."""
    if len(os.fsencode(path)) >= LONGEST_UNIX_PATH:
        relative = os.path.relpath(path)
        if len(os.fsencode(relative)) >= LONGEST_UNIX_PATH:
            raise Refused(f"The path of the admin socket {path} is too long for a socket; use a shorter --home.")
        return relative
    return str(path)


async def _request(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(PATIENCE):
        line = await reader.readline()
    return line if line.endswith(b"\n") else b""  # a client that left amid a line asked for nothing


async def _send(writer: asyncio.StreamWriter, answer: dict[str, Any]) -> None:
    writer.write(json.dumps(answer).encode() + b"\n")
    async with asyncio.timeout(PATIENCE):
        await writer.drain()


def _asked(request: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(request)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise Refused(_USAGE)
    return asked


def _words(asked: Mapping[str, Any]) -> list[str]:
    words = asked.get("words")
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise Refused(_USAGE)
    return words


def _result(line: bytes) -> Result:
    try:
        answer = json.loads(line)
        if "refused" in answer:
            raise Refused(str(answer["refused"]))
        return Result(tuple(map(str, answer["lines"])), answer["data"])
    except (ValueError, KeyError, TypeError):
        raise Refused("the bouncer ended while it was asked; bouncer status tells whether it did it") from None
