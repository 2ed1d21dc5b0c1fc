from __future__ import annotations

import asyncio
import json
import socket
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bouncer.app import admin
from bouncer.app.admin import AdminSocket, NotRunning, ask
from bouncer.model.errors import Refused
from bouncer.model.history import Search

if TYPE_CHECKING:
    from tests.unit.conftest import Bench


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # the paths of pytest are too long for a socket, unless they are relative
    return tmp_path / "admin.sock"


@pytest.fixture
async def served(stocked: Bench, path: Path) -> AsyncIterator[Path]:
    served = AdminSocket(path, stocked.context)
    await served.open()
    yield path
    await served.close()


def mode(path: Path) -> int | None:
    """The permissions of what stands there, None if nothing does."""
    return stat.S_IMODE(path.stat().st_mode) if path.exists() else None


def precious(path: Path) -> Callable[[], bool]:
    """Write a file; the answer is whether it is as it was."""
    path.write_text("precious")
    return lambda: path.read_text() == "precious"


async def spoken(path: Path, data: bytes) -> dict[str, Any]:
    """What is answered to these bytes."""
    reader, writer = await asyncio.open_unix_connection(path.name)
    writer.write(data)
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    answer: dict[str, Any] = json.loads(line)
    return answer


async def test_a_command_is_done_and_answered(served: Path, stocked: Bench) -> None:
    result = await ask(served, ["network", "update", "alice/libera", "realname=Alice Ä."])
    assert result.lines[0] == "network alice/libera is changed"
    assert stocked.network("alice", "libera").realname == "Alice Ä."
    assert (await ask(served, ["user", "list"])).data[0]["name"] == "alice"


async def test_a_refusal_comes_back_as_one(served: Path, stocked: Bench) -> None:
    with pytest.raises(Refused, match="did you mean network"):
        await ask(served, ["netwrok", "list"])
    with pytest.raises(Refused, match="not UTF-8"):
        await ask(served, ["user", "update", "alice", "nick=\udcff"])
    stocked.store.fail("the disk is full")
    with pytest.raises(Refused, match="the disk is full"):
        await ask(served, ["user", "create", "carol"])


async def test_only_the_owner_may_open_it(served: Path) -> None:
    assert mode(served) == 0o600


async def test_without_a_bouncer_nobody_answers(stocked: Bench, path: Path) -> None:
    with pytest.raises(NotRunning):
        await ask(path, ["status"])
    socket.socket(socket.AF_UNIX).close()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path.name)
    with pytest.raises(NotRunning):
        await ask(path, ["status"])
    served = AdminSocket(path, stocked.context)
    await served.open()
    assert (await ask(path, ["status"])).lines
    await served.close()
    assert mode(path) is None
    with pytest.raises(NotRunning):
        await ask(path, ["status"])


async def test_a_file_in_its_place_is_left_alone(stocked: Bench, path: Path) -> None:
    kept = precious(path)
    with pytest.raises(Refused, match="move it away"):
        await AdminSocket(path, stocked.context).open()
    assert kept()


async def test_a_path_too_long_is_refused(stocked: Bench, path: Path) -> None:
    deep = path.parent / ("d" * 60) / ("e" * 60) / "admin.sock"
    deep.parent.mkdir(parents=True)
    with pytest.raises(Refused, match="use a shorter --home"):
        await AdminSocket(deep, stocked.context).open()


NONSENSE = (
    b"\n",
    b"nonsense\n",
    b"[]\n",
    b"{}\n",
    b'{"words": "x"}\n',
    b'{"words": [1]}\n',
    b"\xff\n",
    b"[" * 100_000 + b"\n",
)


@pytest.mark.parametrize("line", NONSENSE)
async def test_nonsense_gets_a_sentence(served: Path, line: bytes) -> None:
    assert "a request is a line of JSON" in (await spoken(served, line))["refused"]


async def test_a_line_too_long_is_refused_at_both_ends(
    served: Path, monkeypatch: pytest.MonkeyPatch, stocked: Bench
) -> None:
    with pytest.raises(Refused, match="longer than"):
        await ask(served, ["apply", "file=" + "x" * admin.REQUEST_LIMIT])
    monkeypatch.setattr(admin, "REQUEST_LIMIT", 100)
    small = AdminSocket(served.parent / "small.sock", stocked.context)
    await small.open()
    assert "longer than 100 bytes" in (await spoken(served.parent / "small.sock", b"x" * 150 + b"\n"))["refused"]
    await small.close()


async def test_one_who_hangs_holds_up_nobody(served: Path) -> None:
    hanging = [await asyncio.open_unix_connection(served.name) for _ in range(5)]
    for _, writer in hanging:
        writer.write(b'{"words": ["sta')
    many = await asyncio.gather(*(ask(served, ["status"]) for _ in range(10)))
    assert len({result.lines for result in many}) == 1
    for _, writer in hanging:
        writer.close()


async def test_one_who_hangs_is_left_in_the_end(served: Path, stocked: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "PATIENCE", 0.0)
    reader, writer = await asyncio.open_unix_connection(served.name)
    assert await reader.read() == b""
    writer.close()


async def test_a_crowd_is_refused_and_a_place_is_given_back(served: Path) -> None:
    crowd = [await asyncio.open_unix_connection(served.name) for _ in range(admin.CLIENTS_LIMIT)]
    with pytest.raises(Refused, match="try again"):
        await ask(served, ["status"])
    crowd[0][1].write(b"\n")
    assert b"refused" in await crowd[0][0].readline()
    for reader, writer in crowd:
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
    assert (await ask(served, ["status"])).lines


async def test_what_breaks_inside_is_told_in_the_log_only(
    served: Path, stocked: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stocked.connections, "connect", None)
    with pytest.raises(Refused, match="went wrong inside"):
        await ask(served, ["network", "connect", "alice/libera"])
    assert "admin socket failed" in caplog.text


async def test_the_end_does_not_wait_for_those_who_hang(stocked: Bench, path: Path) -> None:
    served = AdminSocket(path, stocked.context)
    await served.open()
    reader, writer = await asyncio.open_unix_connection(path.name)
    assert (await ask(path, ["status"])).lines
    await served.close()
    assert await reader.read() == b""
    writer.close()


async def test_lines_of_the_past_come_in_beside_commands(served: Path, stocked: Bench) -> None:
    row = [5000, ":bob!b@h PRIVMSG #c :caf\xe9", "#c", "", [], "PRIVMSG"]
    done = await admin.request(served, {"import": ["alice", "libera"], "past": [row]})
    assert done.data == {"lines": 1, "unindexed": 0}
    found = await stocked.store.search(Search((stocked.network("alice", "libera").id,), "", 9, "#c"))
    assert [hit.line.raw for hit in found] == [b":bob!b@h PRIVMSG #c :caf\xe9"]
    for asked in ({"import": "alice/libera", "past": []}, {"import": [1, 2]}, {"import": ["alice", "libera"]}, {}):
        with pytest.raises(Refused):
            await admin.request(served, asked)
