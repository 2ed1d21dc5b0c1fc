"""The home's disk is full, its database locked or damaged, under a real `bouncer run`: text goes on, people are told,
what came meanwhile is stored once it can be, and nothing is there twice.
"""

import asyncio
import os
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from peers.bouncer import PASSWORD, Bouncer, user
from peers.talker import Line, Talker
from peers.waiting import eventually

PAGING = "batch server-time message-tags draft/chathistory"
SMALL_DISK = 12 << 20  # bytes


class Network:
    """An IRC server with one user on it, who hears what `say` says."""

    def __init__(self) -> None:
        self._writer: asyncio.StreamWriter | None = None
        self._server: asyncio.Server
        self._said = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers = {
            "CAP": b":irc.test CAP * LS :\r\n",
            "USER": b":irc.test 001 alice :Welcome alice!a@h\r\n:irc.test 422 alice :No MOTD\r\n",
            "JOIN": b":alice!a@h JOIN #t\r\n:irc.test 353 alice = #t :alice\r\n:irc.test 366 alice #t :End\r\n",
            "PING": b":irc.test PONG irc.test x\r\n",
        }
        try:
            while line := await reader.readline():
                command = line.decode().split()[0]
                if command != "CAP" or b" LS" in line:
                    writer.write(answers.get(command, b""))
                if command == "JOIN":
                    self._writer = writer
        except ConnectionError:
            pass
        finally:
            writer.close()

    @property
    def joined(self) -> bool:
        return self._writer is not None

    def say(self, count: int, size: int = 5) -> list[str]:
        """So many lines to #t, each another one, of that size at least; returns what was said."""
        assert self._writer is not None
        texts = [f"{number:05}{'x' * (size - 5)}" for number in range(self._said, self._said + count)]
        self._writer.write(b"".join(b":bob!b@h PRIVMSG #t :%s\r\n" % text.encode() for text in texts))
        self._said += count
        return texts

    async def close(self) -> None:
        self._server.close()
        if self._writer is not None:
            self._writer.transport.abort()
        await self._server.wait_closed()


@pytest.fixture
async def upstream() -> AsyncIterator[Network]:
    network = Network()
    await network.start()
    yield network
    await network.close()


@contextmanager
def small_disk(path: Path) -> Iterator[None]:
    """A file system of SMALL_DISK bytes at that place. Skips the test where none may be mounted."""
    path.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    done = subprocess.run([mount, "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "bouncer-test", path], check=False)
    if done.returncode != 0:
        pytest.skip("a small disk can't be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


Attach = Callable[..., Awaitable[Talker]]


@pytest.fixture
def attach(talkers: list[Talker]) -> Attach:
    async def attach(bouncer: Bouncer, device: str, caps: str = "") -> Talker:
        talker = await Talker.connect(bouncer.port, "alice", password=f"alice/net@{device}:{PASSWORD}", caps=caps)
        talkers.append(talker)
        return talker

    return attach


async def begun(bouncer: Bouncer, upstream: Network) -> None:
    """alice on that network."""
    server = {"servers": [f"irc+insecure://127.0.0.1:{upstream.port}"], "nick": "alice", "channels": ["#t"]}
    await bouncer.apply(user("alice", {"name": "net", "flood": "off", **server}, admin=True))
    await bouncer.start()
    await eventually(lambda: upstream.joined, what="alice is in #t")


def telling(words: str) -> Callable[[Line], bool]:
    return lambda line: line.command == "NOTICE" and words in line.text


async def heard(talker: Talker, texts: list[str]) -> None:
    await talker.heard("#t", texts[-1])
    assert [line.text for line in talker.messages("#t")][-len(texts) :] == texts


async def page(talker: Talker, words: str) -> list[str] | str:
    """The texts that a CHATHISTORY gives, or its FAIL."""
    since = len(talker.lines)
    talker.send(f"CHATHISTORY {words}")
    ends = ("FAIL", "BATCH")
    end = await talker.line(lambda line: line.command in ends and not line.params[0].startswith("+"), since=since)
    if end.command == "FAIL":
        return end.raw
    return [line.text for line in talker.lines[since:] if line.command == "PRIVMSG"]


async def everything(talker: Talker) -> list[str]:
    """All that is stored of #t, page by page."""
    found: list[str] = []
    words = "LATEST #t * 1000"
    while True:
        since = len(talker.lines)
        rows = await page(talker, words)
        assert isinstance(rows, list), rows
        if not rows:
            return found
        found = rows + found
        first = next(line for line in talker.lines[since:] if line.command == "PRIVMSG")
        words = f"BEFORE #t msgid={first.tags['msgid']} 1000"


async def troubled(
    bouncer: Bouncer, upstream: Network, watch: Talker, attach: Attach, reason: str, before: str
) -> None:
    """What holds while nothing can be stored."""
    told = await watch.line(telling("History can't be stored"))
    assert reason in told.text
    assert told.text.endswith("Text goes on.")
    status = await bouncer.status()
    assert status["undurable"] > 0
    assert reason in status["store_problem"]
    assert reason in (await bouncer.command("status")).out
    await heard(watch, upstream.say(1))
    refused = await bouncer.command("user", "update", "alice", "realname=Another")
    assert refused.code == 1
    assert "Nothing was changed" in refused.err
    assert reason in refused.err
    assert len(refused.complaints) == 1
    late = await attach(bouncer, "late", PAGING)
    await late.line(telling("History can't be stored"))
    for _ in range(20):  # each at once: a client's PING stands behind its questions
        failed = await page(late, "LATEST #t * 10")
        assert str(failed).split()[1:4] == ["FAIL", "CHATHISTORY", "MESSAGE_ERROR"], failed
    assert await page(late, f"BEFORE #t msgid={before} 1")  # what is stored can be read
    assert "Traceback" not in bouncer.output()


async def stored_again(bouncer: Bouncer, watch: Talker, attach: Attach) -> list[str]:
    """What is stored once it works again."""
    again = await watch.line(telling("History is stored again"))
    assert again.text == "History is stored again."
    await bouncer.durable()
    status = await bouncer.status()
    assert (status["store_problem"], status["lost"]) == ("", 0)
    changed = await bouncer.command("user", "update", "alice", "realname=Another")
    assert changed.code == 0, changed
    return await everything(await attach(bouncer, "after", PAGING))


async def newest(talker: Talker) -> str:
    """The msgid of the newest line."""
    since = len(talker.lines)
    await page(talker, "LATEST #t * 1")
    return next(line.tags["msgid"] for line in talker.lines[since:] if line.command == "PRIVMSG")


async def test_a_full_disk(home: Path, upstream: Network, attach: Attach) -> None:
    with small_disk(home / "small"):
        bouncer = Bouncer(home / "small")
        bouncer._process.log = home / "bouncer.out"  # it is not to fill the disk itself, nor to miss what is printed
        bouncer.configure()
        try:
            await begun(bouncer, upstream)
            watch = await attach(bouncer, "watch", PAGING)
            said = upstream.say(100)
            await heard(watch, said)
            await bouncer.durable()
            before = await newest(watch)
            ballast = home / "small" / "ballast"
            with ballast.open("wb") as file, pytest.raises(OSError, match="No space"):
                os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(bouncer.home).free + 4096)
            with ballast.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(bouncer.home).free)
            said += upstream.say(5000, 300)
            await watch.heard("#t", said[-1])
            await troubled(bouncer, upstream, watch, attach, "its disk is full: make room there", before)
            ballast.unlink()
            said.append(f"{len(said):05}")
            assert await stored_again(bouncer, watch, attach) == said
        finally:
            bouncer.kill()


async def test_a_database_that_another_program_holds(bouncer: Bouncer, upstream: Network, attach: Attach) -> None:
    await begun(bouncer, upstream)
    watch = await attach(bouncer, "watch", PAGING)
    said = upstream.say(100)
    await heard(watch, said)
    await bouncer.durable()
    before = await newest(watch)
    with closing(sqlite3.connect(bouncer.home / "bouncer.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        said += upstream.say(1000)
        await watch.heard("#t", said[-1])
        await troubled(bouncer, upstream, watch, attach, "another program holds it locked: end that program", before)
        other.execute("ROLLBACK")
    said.append(f"{len(said):05}")
    assert await stored_again(bouncer, watch, attach) == said


async def test_damaged_history_stops_neither_text_nor_settings(
    bouncer: Bouncer, upstream: Network, attach: Attach
) -> None:
    await begun(bouncer, upstream)
    watch = await attach(bouncer, "watch")
    said = upstream.say(3000)
    await heard(watch, said)
    await bouncer.durable()
    assert bouncer.terminate() == 0
    database = bouncer.home / "bouncer.db"
    with closing(sqlite3.connect(database)) as connection:
        pages = connection.execute(
            "SELECT pageno FROM dbstat WHERE name = 'messages' AND pagetype = 'leaf' ORDER BY path"
        )
        leaves = [row[0] for row in pages]
    with database.open("r+b") as file:
        for leaf in leaves[10:20]:
            file.seek((leaf - 1) * 4096)
            file.write(os.urandom(4096))
    await bouncer.start()
    await eventually(lambda: upstream.joined, what="alice is in #t")
    watch = await attach(bouncer, "watch", PAGING)
    await heard(watch, upstream.say(10))
    assert (await bouncer.command("user", "update", "alice", "realname=Another")).code == 0
    assert isinstance(await page(watch, "LATEST #t * 100"), list)  # what is whole
    assert "FAIL CHATHISTORY MESSAGE_ERROR" in await page(watch, "AFTER #t timestamp=2020-01-01T00:00:00.000Z 1000")
    await heard(watch, upstream.say(10))
    await bouncer.durable()
    assert "Traceback" not in bouncer.output()


@pytest.mark.parametrize("kind", ["no key", "another key", "half a key", "cut short", "an empty database"])
async def test_what_does_not_fit_is_refused_in_a_sentence(kind: str, bouncer: Bouncer) -> None:
    await bouncer.apply(user("alice"))
    key, database = bouncer.home / "secret.key", bouncer.home / "bouncer.db"
    whole = key.read_bytes()
    if kind == "no key":
        key.unlink()
    elif kind == "another key":
        key.write_bytes(whole[::-1].strip()[-4:] + whole[4:])
    elif kind == "half a key":
        key.write_bytes(whole[:20])
    elif kind == "cut short":
        os.truncate(database, database.stat().st_size // 2)
    else:
        os.truncate(database, 100)
    done = await bouncer.command("run")
    assert done.code == 1, done
    assert len(done.complaints) == 1, done
    assert "Traceback" not in done.err
    assert str(key if "half" in kind or kind == "no key" else database) in done.err
