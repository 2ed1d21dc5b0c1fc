"""Whose a connection is: asked over real sockets, on asyncio's loop and on uvloop, and read in the file for oidentd."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bouncer.model.errors import Refused
from bouncer.model.ports import IdentClaims
from bouncer.net.ident import ASKING, IdentServer, OidentdFile
from tests.net.conftest import Run

HERE = "127.0.0.1"


async def turn() -> None:
    """Let the loop go round once: no time, but other callbacks."""
    await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def serving(deadline: float = 10) -> AsyncIterator[IdentServer]:
    ident = IdentServer(HERE, 0, deadline)
    await ident.open()
    try:
        yield ident
    finally:
        await ident.close()


async def ask(ident: IdentServer, question: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(HERE, ident.port)
    writer.write(question)
    answer = await reader.read()
    writer.close()
    return answer


def test_the_machine_at_the_other_end_is_told_and_no_other(play: Run) -> None:
    async def talk() -> None:
        async with serving() as ident:
            claims: IdentClaims = ident
            release = claims.claim((f"::ffff:{HERE}", 50000), (HERE, 6697), "alice")
            claims.claim((HERE, 50001), ("192.0.2.1", 6697), "bob")
            assert await ask(ident, b"50000, 6697\r\n") == b"50000, 6697 : USERID : UNIX : alice\r\n"
            assert await ask(ident, b" 50000 ,6697 \n50001,6697\n") == b"50000, 6697 : USERID : UNIX : alice\r\n"
            assert await ask(ident, b"50000, 6667\r\n") == b"50000, 6667 : ERROR : NO-USER\r\n"
            assert await ask(ident, b"50001, 6697\r\n") == b"50001, 6697 : ERROR : NO-USER\r\n"
            again = claims.claim((HERE, 50000), (HERE, 6697), 'car"ol\r\n')
            release()
            release()
            assert await ask(ident, b"50000, 6697\r\n") == b"50000, 6697 : USERID : UNIX : carol\r\n"
            again()
            assert await ask(ident, b"50000, 6697\r\n") == b"50000, 6697 : ERROR : NO-USER\r\n"

    play(talk())


@pytest.mark.parametrize(
    "question",
    [b"\r\n", b"GET / HTTP/1.0\r\n", b"0, 1\r\n", b"1, 65536\r\n", b"1, -5\r\n", b"1\r\n", b"\xb2, 1\n", b"9" * 5000],
)
def test_what_is_no_question_is_answered_as_such(play: Run, question: bytes) -> None:
    async def talk() -> None:
        async with serving() as ident:
            with contextlib.suppress(ConnectionResetError):
                assert await ask(ident, question) == b"0, 0 : ERROR : INVALID-PORT\r\n"

    play(talk())


def test_who_does_not_ask_is_not_waited_for(play: Run) -> None:
    async def talk() -> None:
        async with serving(deadline=0.05) as ident:
            with contextlib.suppress(ConnectionResetError):
                assert await ask(ident, b"1,") == b""

    play(talk())


def test_who_says_nothing_keeps_nobody_out_and_all_end_with_it(play: Run) -> None:
    async def talk() -> None:
        async with serving() as ident:
            idle = [await asyncio.open_connection(HERE, ident.port) for _ in range(ASKING)]
            while len(ident._asking) < ASKING:
                await turn()
            assert await ask(ident, b"1, 2\r\n") == b"1, 2 : ERROR : NO-USER\r\n"
            reader, writer = idle.pop(0)
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()
            while len(ident._asking) != len(idle):
                await turn()
            await ident.close()
            for reader, writer in idle:
                with contextlib.suppress(ConnectionResetError):
                    assert await reader.read() == b""
                writer.close()

    play(talk())


def test_a_taken_port_is_refused_with_the_fix(play: Run) -> None:
    async def talk() -> None:
        async with serving() as ident:
            with pytest.raises(Refused, match='taken by another program; if that is oidentd, set "oidentd"'):
                await IdentServer(HERE, ident.port).open()

    play(talk())


async def test_the_file_for_oidentd_has_a_line_for_each_connection_and_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "oidentd.conf"
    path.write_text('global { reply "me" }\nto 192.0.2.9 fport 1 from 192.0.2.8 lport 2 { reply "old" } # bouncer\n')
    file = OidentdFile(path)
    await file.open()
    claims: IdentClaims = file
    release = claims.claim(("::ffff:192.0.2.8", 50000), ("192.0.2.1", 6697), "alice")
    assert path.read_text() == (
        'global { reply "me" }\nto 192.0.2.1 fport 6697 from 192.0.2.8 lport 50000 { reply "alice" } # bouncer\n'
    )
    claims.claim(("2001:db8::1", 50001), ("2001:db8::2", 6697), 'b" } global { reply "root')
    release()
    assert path.read_text() == (
        'global { reply "me" }\n'
        'to 2001:db8::2 fport 6697 from 2001:db8::1 lport 50001 { reply "b } global { reply root" } # bouncer\n'
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    await file.close()
    assert path.read_text() == 'global { reply "me" }\n'
    assert os.listdir(tmp_path) == ["oidentd.conf"]


async def test_a_file_that_cannot_be_written_stops_nobody_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = OidentdFile(tmp_path / "no folder" / "oidentd.conf")
    await file.open()
    for number in range(3):
        file.claim(("192.0.2.8", number), ("192.0.2.1", 6697), "alice")()
    assert len(caplog.records) == 1
    assert "can't be written: No such file or directory" in caplog.text


async def test_what_is_no_file_of_oidentd_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff" * 100)
    (tmp_path / "long").write_bytes(b"#" * 2_000_000)
    for name in ("binary", "long", "."):
        with pytest.raises(Refused, match=r"for oidentd: .*; name another file"):
            await OidentdFile(tmp_path / name).open()
