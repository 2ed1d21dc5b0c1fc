"""Bad input to a real `bouncer run`: each gives one clear line or reply, and an attached client does not notice.

The attached client is `watch`: in every test it sees exactly what bob says on the network, in order, and nothing more.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from peers.bouncer import PASSWORD, Bouncer, network, user
from peers.ircds import NgIRCd
from peers.talker import Line, Talker
from peers.waiting import eventually, free_port

NOISE = frozenset({"PING", "PONG"})  # the only lines an attached client may get besides those of the network


class Watched(NamedTuple):
    """A running bouncer with one user attached, and bob on the network to show that all goes on."""

    bouncer: Bouncer
    bob: Talker
    watch: Talker
    since: int  # of watch's lines, when all was quiet

    async def goes_on(self, *, warned: bool = False) -> None:
        """The attached client is still attached, and has got what bob says and nothing else; if it is to be ``warned``,
        also that somebody tried a wrong password."""
        text = f"still here {len(self.watch.lines)}"
        await self.bob.say("#t", [text])
        await self.watch.heard("#t", text)
        assert self.bouncer.running
        assert not self.watch.closed
        lines = [line for line in self.watch.lines[self.since :] if line.command not in NOISE]
        warnings = [line for line in lines if line.text.startswith("Wrong password for your account from 127.0.0.1")]
        assert bool(warnings) == warned, lines
        rest = [line for line in lines if line not in warnings]
        assert {(line.nick, line.command) for line in rest} == {("bob", "PRIVMSG")}, rest
        assert "Traceback" not in self.bouncer.output()


@pytest.fixture
async def watched(
    start_network: Callable[[str], Awaitable[NgIRCd]], bouncer: Bouncer, talkers: list[Talker]
) -> Watched:
    server = await start_network("ngircd")
    bob = await Talker.connect(server.port, "bob")
    talkers.append(bob)
    await bob.join("#t")
    await bouncer.apply(user("alice", network("net", server, tls=False, nick="alice", channels=["#t"])))
    await bouncer.start()
    await bob.line(lambda line: line.command == "JOIN" and line.nick == "alice")
    watch = await Talker.connect(bouncer.port, "alice", password=f"alice/net@watch:{PASSWORD}")
    talkers.append(watch)
    await bob.say("#t", ["all is quiet"])
    await watch.heard("#t", "all is quiet")
    return Watched(bouncer, bob, watch, len(watch.lines))


async def attached(watched: Watched, talkers: list[Talker]) -> Talker:
    """A second device of alice's, from which the bad input comes."""
    talker = await Talker.connect(watched.bouncer.port, "alice", password=f"alice/net@odd:{PASSWORD}")
    talkers.append(talker)
    await talker.flushed()
    return talker


def is_reply(line: Line) -> bool:
    """Something that tells the client what was wrong."""
    return line.command in ("ERROR", "FAIL", "NOTICE") or (line.command.isdigit() and "400" <= line.command < "600")


# --- what comes before registration ------------------------------------------------------------------------------

HARMLESS = {
    "empty lines": b"\r\n\n\r\n\r\n\n",
    "only tags": b"@a=b;c\r\n@\r\n@x \r\n@time=now :source\r\n",
    "only a source": b":\r\n:nobody\r\n: \r\n",
    "NULs": b"\0\0\0\r\nPI\0NG\0 x\r\n\0",
    "lone CRs": b"\r\r\r\r\n",
    "spaces": b"   \r\n     \n",
}


@pytest.mark.parametrize("data", HARMLESS.values(), ids=HARMLESS.keys())
async def test_what_is_no_command_is_passed_over(data: bytes, watched: Watched, talkers: list[Talker]) -> None:
    """Before registration and after: the same connection can then log in, and work."""
    talker = await Talker.open(watched.bouncer.port, nick="odd")
    talkers.append(talker)
    talker.send_bytes(data)
    talker.send(f"PASS alice/net@odd:{PASSWORD}", "NICK alice", "USER a 0 * :a")
    await talker.line(lambda line: line.command == "001")
    await talker.flushed()
    talker.send_bytes(data)
    await talker.flushed()
    await watched.goes_on()


GARBAGE = {
    "every byte": bytes(range(256)) * 40,
    "a TLS hello to the plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xa5" * 500,
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "high bytes in lines": b"\xff\xfe\xfd\r\n" * 100,
    "a command of control bytes": b"\x01\x02\x03 \x7f\r\n" * 20,
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE.keys())
async def test_garbage_ends_nothing_but_itself(data: bytes, watched: Watched, talkers: list[Talker]) -> None:
    talker = await Talker.open(watched.bouncer.port)
    talkers.append(talker)
    talker.send_bytes(data + b"\r\nPING :after\r\n")
    await eventually(lambda: talker.closed or any(map(is_reply, talker.lines)), what="a reply or the end")
    await watched.goes_on()


async def test_plain_text_on_the_tls_port_is_turned_away(watched: Watched, talkers: list[Talker]) -> None:
    talker = await Talker.open(watched.bouncer.tls_port)
    talkers.append(talker)
    talker.send("NICK alice", "USER a 0 * :a")
    await talker.end()
    await watched.goes_on()


async def test_half_a_line_at_close_is_not_carried_out(watched: Watched, talkers: list[Talker]) -> None:
    talker = await attached(watched, talkers)
    talker.send_bytes(b"PRIVMSG #t :half a li")
    await talker.close()
    await watched.goes_on()
    assert not [line for line in watched.bob.lines if "half a li" in line.raw]


@pytest.mark.parametrize("registered", [False, True], ids=["before registration", "attached"])
async def test_a_megabyte_without_a_line_end(registered: bool, watched: Watched, talkers: list[Talker]) -> None:
    """Refused with 417, once; the connection goes on."""
    if registered:
        talker = await attached(watched, talkers)
    else:
        talker = await Talker.open(watched.bouncer.port)
        talkers.append(talker)
    since = len(talker.lines)
    talker.send_bytes(b"x" * (1 << 20))
    talker.send("", "PING :after")
    if registered:
        await talker.line(lambda line: line.command == "417", since=since)
        await talker.flushed()
        assert [line.command for line in talker.lines[since:]].count("417") == 1
        talker.send("PRIVMSG #t :after the megabyte")
        assert (await watched.bob.heard("#t", "after the megabyte")).nick == "alice"
        await watched.watch.heard("#t", "after the megabyte")  # as for every device: what another one said
        assert not watched.watch.closed
        return
    await eventually(lambda: talker.closed or any(map(is_reply, talker.lines[since:])), what="a reply or the end")
    await watched.goes_on()


async def test_commands_before_registration_are_answered(watched: Watched, talkers: list[Talker]) -> None:
    talker = await Talker.open(watched.bouncer.port)
    talkers.append(talker)
    for command in ("PRIVMSG #t :early", "JOIN #t", "WHOIS bob", "NONSENSE 1 2"):
        since = len(talker.lines)
        talker.send(command)
        reply = await talker.line(is_reply, since=since)
        assert reply.command in ("451", "421")
    talker.send(f"PASS alice/net@odd:{PASSWORD}", "NICK alice", "USER a 0 * :a")
    await talker.line(lambda line: line.command == "001")
    await watched.goes_on()
    assert not watched.bob.messages("early")


async def test_an_unknown_command_is_answered(watched: Watched, talkers: list[Talker]) -> None:
    """The network itself answers: the bouncer passes on what it does not know."""
    talker = await attached(watched, talkers)
    since = len(talker.lines)
    talker.send("NONSENSE one two :three four")
    assert (await talker.line(is_reply, since=since)).command == "421"
    await watched.goes_on()


WRONG = {
    "password": f"alice/net:not{PASSWORD}",
    "empty password": "alice/net:",
    "user": f"nobody/net:{PASSWORD}",
    "network": f"alice/nowhere:{PASSWORD}",
    "no login at all": "",
}


@pytest.mark.parametrize("kind", WRONG)
async def test_a_wrong_login_is_refused_with_one_reply(kind: str, watched: Watched, talkers: list[Talker]) -> None:
    password = WRONG[kind]
    talker = await Talker.open(watched.bouncer.port)
    talkers.append(talker)
    talker.send(*([f"PASS {password}"] if password else []), "NICK alice", "USER stranger 0 * :a")
    await talker.end()
    assert "001" not in [line.command for line in talker.lines]
    replies = [line for line in talker.lines if is_reply(line) and line.command not in ("NOTICE", "ERROR")]
    assert len(replies) == 1, talker.lines
    await watched.goes_on(warned="password" in kind)


async def test_wrong_passwords_do_not_hold_up_a_right_one(watched: Watched, talkers: list[Talker]) -> None:
    for _ in range(10):
        talker = await Talker.open(watched.bouncer.port)
        talkers.append(talker)
        talker.send("PASS alice/net:wrong", "NICK alice", "USER a 0 * :a")
    right = await Talker.connect(watched.bouncer.port, "alice", password=f"alice/net@right:{PASSWORD}")
    talkers.append(right)
    await watched.watch.line(lambda line: line.text.startswith("Wrong password"))  # it may take longer than a right one
    await watched.goes_on(warned=True)


# --- networks that misbehave -------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def serving(
    session: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """A network of one's own on a free port; its sessions end with the block."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await session(reader, writer)
        writer.close()

    port = free_port()
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield port
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


async def never_answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def closes_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    return


async def speaks_garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(bytes(range(256)) * 1000 + b"\r\n@\r\n:\r\n@a=b\r\n\r\n:x 005 a\r\n:x 353\r\n" + b"x" * (1 << 20))
    await reader.read()


COMMANDS = "001 002 003 004 005 221 301 305 306 311 315 324 329 332 333 352 353 354 366 367 375 376 396 401 433 437 900"
COMMANDS += " ACCOUNT AUTHENTICATE AWAY BATCH CAP CHGHOST FAIL INVITE JOIN KICK MODE NICK NOTICE PART PING PONG PRIVMSG"
COMMANDS += " QUIT SETNAME TAGMSG TOPIC WALLOPS"


async def speaks_in_fragments(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Welcomes properly, then says every command with no parameters, with an empty one, with odd ones."""
    while line := await reader.readline():
        words = line.decode().split()
        if words[0] == "CAP" and words[1] == "LS":
            writer.write(b":odd.test CAP * LS :batch server-time message-tags\r\n")
        elif words[0] == "CAP" and words[1] == "REQ":
            writer.write(f":odd.test CAP * ACK {line.decode().partition(' REQ ')[2].strip()}\r\n".encode())
        elif words[0] == "USER":
            writer.write(b":odd.test 001 alice :Welcome\r\n:odd.test 422 alice :No MOTD\r\n")
            for command in COMMANDS.split():
                for source in ("", ":alice!a@b ", ":odd.test ", ": ", "@time=never;batch=none;label :x "):
                    for params in ("", " :", " alice", " alice #nowhere", " #nowhere alice :", " * = : ", " +x :-y"):
                        writer.write(f"{source}{command}{params}\r\n".encode())
        elif words[0] == "PING":
            writer.write(b":odd.test PONG odd.test :" + words[-1].lstrip(":").encode() + b"\r\n")
        elif words[0] == "PRIVMSG":
            writer.write(b":friend!f@odd.test PRIVMSG alice :I hear you\r\n")


async def names_another(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """001 to somebody else than who asked."""
    while line := await reader.readline():
        words = line.decode().split()
        if words[:2] == ["CAP", "LS"]:
            writer.write(b":odd.test CAP * LS :\r\n")
        elif words[0] == "USER":
            writer.write(b":odd.test 001 mallory :Welcome, mallory\r\n:odd.test 422 mallory :No MOTD\r\n")
        elif words[0] == "PING":
            writer.write(b":odd.test PONG odd.test :" + words[-1].lstrip(":").encode() + b"\r\n")


async def odd_network(watched: Watched, port: int) -> None:
    """Give the running bouncer a second network of alice's at that port."""
    done = await watched.bouncer.command("network", "create", "alice/odd", f"servers=irc+insecure://127.0.0.1:{port}")
    assert done.code == 0, done


@pytest.mark.parametrize("session", [never_answers, closes_at_once, speaks_garbage])
async def test_a_network_that_does_not_come_up(
    session: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    watched: Watched,
    talkers: list[Talker],
) -> None:
    """Who attaches to it is registered all the same, and told; status says how it stands; the other network goes on."""
    async with serving(session) as port:
        await odd_network(watched, port)

        async def stands() -> bool:
            status = await watched.bouncer.status()
            networks = {each["name"]: each for each in status["users"][0]["networks"]}
            assert networks["net"]["state"] == "connected", networks
            assert networks["odd"]["state"] != "connected", networks
            return session is not closes_at_once or bool(networks["odd"]["reason"])

        await eventually(stands, what="status tells why")
        odd = await Talker.connect(watched.bouncer.port, "alice", password=f"alice/odd@odd:{PASSWORD}")
        talkers.append(odd)
        await odd.line(lambda line: line.command == "NOTICE")
        await watched.goes_on()
        done = await watched.bouncer.command("network", "delete", "alice/odd")
        assert done.code == 0, done
    await watched.goes_on()


async def test_a_network_of_malformed_lines(watched: Watched, talkers: list[Talker]) -> None:
    """It stays usable, and what it says stays its own."""
    async with serving(speaks_in_fragments) as port:
        await odd_network(watched, port)
        odd = await Talker.connect(watched.bouncer.port, "alice", password=f"alice/odd@odd:{PASSWORD}")
        talkers.append(odd)

        async def answered() -> bool:
            odd.send("PRIVMSG friend :do you hear me")
            return any(line.text == "I hear you" for line in odd.lines)

        await eventually(answered, what="the network hears us and we hear it")
        await watched.goes_on()


async def test_a_network_that_names_another_in_001(watched: Watched, talkers: list[Talker]) -> None:
    """What the server calls us is who we are there; the other network's nick stays."""
    async with serving(names_another) as port:
        await odd_network(watched, port)

        async def connected() -> bool:
            status = await watched.bouncer.status()
            networks = {each["name"]: each for each in status["users"][0]["networks"]}
            assert networks["odd"]["state"] == "connected", networks
            assert networks["odd"]["nick"] == "mallory", networks
            assert networks["net"]["nick"] == "alice", networks
            return True

        await eventually(connected, what="the bouncer takes the nick it is given")
        odd = await Talker.connect(watched.bouncer.port, "alice", password=f"alice/odd@odd:{PASSWORD}")
        talkers.append(odd)
        renamed = [line for line in odd.lines if line.command == "NICK" and line.text == "mallory"]
        assert odd.nick == "mallory" or renamed, odd.lines
        await watched.goes_on()


# --- what stands in the way at the start ---------------------------------------------------------------------------


def is_one_clear_line(complaints: list[str], *words: str) -> bool:
    return len(complaints) == 1 and all(word in complaints[0] for word in words) and "Traceback" not in complaints[0]


async def test_a_second_run_on_the_same_home(watched: Watched) -> None:
    done = await watched.bouncer.command("run")
    assert done.code == 1, done
    assert is_one_clear_line(done.complaints), done
    await watched.goes_on()


async def test_a_database_that_is_none(bouncer: Bouncer) -> None:
    database = bouncer.home / "bouncer.db"
    database.write_bytes(b"this is a letter to my aunt, not a database\n" * 100)
    before = database.read_bytes()
    done = await bouncer.command("run")
    assert done.code == 1, done
    assert is_one_clear_line(done.complaints, "bouncer.db"), done
    assert database.read_bytes() == before


async def test_a_port_that_is_taken(bouncer: Bouncer) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", bouncer.port))
        other.listen()
        done = await bouncer.command("run")
    assert done.code == 1, done
    assert is_one_clear_line(done.complaints, str(bouncer.port)), done


async def test_a_home_that_cannot_be_made(bouncer: Bouncer, home: Path) -> None:
    (home / "file").write_text("not a folder")
    done = await bouncer.command("run", home=home / "file" / "home")
    assert done.code == 1, done
    assert is_one_clear_line(done.complaints), done


async def test_a_settings_file_with_mistakes_names_them_all(bouncer: Bouncer) -> None:
    (bouncer.home / "bouncer.toml").write_text('listen = "everywhere"\nlissten = []\n[upstream]\npace = "fast"\n')
    done = await bouncer.command("run")
    assert done.code == 1, done
    text = "\n".join(done.complaints)
    for word in ("listen", "lissten", "pace"):
        assert word in text, done
    assert "Traceback" not in text
