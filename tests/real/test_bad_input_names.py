"""Names that can't be: refused with one clear line wherever they come in, and nothing is changed."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from peers.bouncer import PASSWORD, Bouncer, network, user
from peers.desk import Desk
from peers.ircds import Network
from peers.talker import Line, Talker
from peers.waiting import eventually

LONG = "x" * 300
BAD = ("a\rb", "a\nb", "a\r\nPRIVMSG bob :b", "a\0b", "a b", " a", "a@b", "a:b", "a,b", "ä", "*", "\x1b[2Ja", LONG)
BAD_CHANNELS = ("#a\rb", "#a\nb", "#a\0b", "#a b", "#a,b", "#a\a", "#", "x", f"#{LONG}")
BAD_NICKS = ("a\rb", "a\nb", "a\0b", "a b", "a@b", "a!b", ":a", "#a", LONG)


@pytest.fixture
async def running(start_network: Callable[[str], Awaitable[Network]], bouncer: Bouncer) -> Bouncer:
    server = await start_network("ngircd")
    await bouncer.apply(user("alice", network("net", server, tls=False, nick="alice", channels=["#t"]), admin=True))
    await bouncer.start()
    return bouncer


@pytest.fixture
async def desk(running: Bouncer) -> AsyncIterator[Desk]:
    desk = await Desk.open(running.home)
    yield desk
    desk.close()


async def test_on_the_command_line(running: Bouncer, desk: Desk) -> None:
    """Most go through the admin socket, which is what the command line speaks and can carry a NUL."""
    before = await desk.export()
    server = "servers=irc+insecure://127.0.0.1:1"
    for name in (*BAD, "a/b", "a/b/c"):
        await desk.refused("user", "create", name)
        await desk.refused("user", "update", "alice", f"name={name}")
        await desk.refused("network", "create", f"alice/{name}", server)
        await desk.refused("network", "update", "alice/net", f"name={name}")
        await desk.refused("token", "create", "alice", f"device={name}")
        await desk.refused("user", "show", name)
        await desk.refused("network", "delete", f"alice/{name}")
    for name in BAD_CHANNELS:
        await desk.refused("channel", "create", f"alice/net/{name}")
    for name in BAD_NICKS:
        await desk.refused("network", "update", "alice/net", f"nick={name}")
        await desk.refused("user", "update", "alice", f"nick={name}")
    for key in ("realname", "ident", "quit_message", "away", "connect_commands", "server_password"):
        for value in ("a\rQUIT", "a\nQUIT", "a\0b", "x" * 600):
            await desk.refused("network", "update", "alice/net", f"{key}={value}")
    assert await desk.export() == before
    for words in (("user", "create", "a\nb"), ("network", "create", "alice/a b", server), ("user", "create", LONG)):
        done = await running.command(*words)
        assert (done.code, done.out, len(done.complaints)) == (1, "", 1), done
    assert await desk.export() == before
    assert "Traceback" not in running.output()


async def test_in_a_state_file(running: Bouncer, desk: Desk, home: Path) -> None:
    """Each of them is told with its line, and what the same file has right is not applied either."""
    before = await desk.export()
    for name in (*BAD, "a/b", ""):
        for place, last in enumerate(
            (
                f"[[user]]\nname = {json.dumps(name)}",
                f'[[user]]\nname = "carol"\n[[user.network]]\nservers = ["irc.test"]\nname = {json.dumps(name)}',
            )
        ):
            text = f'[[user]]\nname = "dave"\npassword = "{PASSWORD}"\n{last}\n'
            answer = await desk.ask("apply", f"file={text}")
            assert f"line {text.rstrip().count(chr(10)) + 1}" in answer.refused, (name, place, answer)
            assert answer.refused.isprintable(), answer.refused
    assert await desk.export() == before

    file = home / "last.toml"
    changed = before.replace('"#t"', '"#other"')
    for last in ("limits = { networks = -1 }", 'timezone = "Moon/Sea"', "admin = maybe", '[[user]]\nname = "ALICE"'):
        text = f'{changed}\n[[user]]\nname = "new"\npassword = "{PASSWORD}"\n{last}\n'
        file.write_text(text)
        done = await running.command("apply", str(file))
        assert (done.code, done.out, len(done.complaints)) == (1, "", 1), done
        assert f"line {len(text.splitlines())}" in done.complaints[0]
    assert await desk.export() == before


async def test_in_irc(running: Bouncer, desk: Desk, talkers: list[Talker]) -> None:
    caps = "soju.im/bouncer-networks batch"
    alice = await Talker.connect(running.port, "alice", password=f"alice:{PASSWORD}", caps=caps)
    talkers.append(alice)
    before = await desk.export()
    for name in ("a b", "a@b", "a/b/c", "ä", "*", LONG):  # a line end or a NUL can't come: it would be another line
        for command in ("user create {}", "network create {} servers=irc.test", "network update net name={}"):
            since = len(alice.lines)
            alice.send(f"PRIVMSG *bouncer :{command.format(name)}")
            await alice.flushed()
            notices = [line.text for line in alice.lines[since:] if line.command == "NOTICE"]
            assert len(notices) == 1, (command, name, notices)
    assert await desk.export() == before

    for attributes in (
        "host=",
        "name=x",
        r"host=irc\r\nQUIT",
        r"host=a\sb",
        "host=a;port=0",
        "host=a;port=x",
        "host=a;tls=2",
        r"host=a;nickname=a\sb",
        r"host=a;nickname=a\nb",
        r"host=a;realname=a\nb",
        r"host=a;pass=a\nb",
        "host=a;nickname=" + "n" * 100,
        "host=a;state=connected",
        "host=a;color=red",
    ):
        since = len(alice.lines)
        alice.send(f"BOUNCER ADDNETWORK {attributes}")
        await alice.flushed()
        got = [line for line in alice.lines[since:] if line.command not in ("PONG", "PING")]
        assert [line.command for line in got] == ["FAIL"], (attributes, [line.raw for line in got])
    assert await desk.export() == before
    # what people call their networks is made a name of, as no client asks for one
    for attributes in (r"host=127.0.0.1;port=1;tls=0;name=a\sb/c@d", f"host=127.0.0.1;port=1;tls=0;name={LONG}"):
        since = len(alice.lines)
        alice.send(f"BOUNCER ADDNETWORK {attributes}")
        made = await alice.line(lambda line: line.command in ("BOUNCER", "FAIL"), since=since)
        assert made.params[0] == "ADDNETWORK", made.raw
    names = [each["name"] for each in (await desk.do("network", "list", "alice")).data]
    assert names == ["net", "a-b-c-d", "x" * 64]


async def test_in_a_login(running: Bouncer, desk: Desk, talkers: list[Talker]) -> None:
    """By PASS, by USER and by SASL: one refusal that is one line, whatever is in the name."""
    before = await desk.export()
    names = ("a b", "a/b/c", "a@b@c", "ä", LONG, "alice/a b", "alice/" + LONG, "alice/net/net", "\x1b[2Jalice")

    async def comes(words: list[str], sasl: bytes = b"") -> None:
        talker = await Talker.open(running.port)
        talkers.append(talker)
        if sasl:
            talker.send("CAP REQ :sasl", "AUTHENTICATE PLAIN", f"AUTHENTICATE {base64.b64encode(sasl).decode()}")
        talker.send(*words, *(["CAP END"] if sasl else []))
        await talker.end(30)
        refusals = [line for line in talker.lines if line.command in ("464", "904")]
        assert refusals, (words, [line.raw for line in talker.lines])
        assert "001" not in [line.command for line in talker.lines]
        assert talker.lines[-1].command == "ERROR"
        assert all(is_clean(line) for line in talker.lines), [line.raw for line in talker.lines]

    who = ["NICK n", "USER x 0 * :x"]
    logins = [comes([f"PASS :{name}:{PASSWORD}", *who]) for name in names]
    logins += [comes([f"PASS {PASSWORD}", "NICK n", f"USER {name.replace(' ', '_')} 0 * :x"]) for name in names]
    for name in (*names, "ali\rce", "ali\nce", "alice/n\r\net", "alice\0x"):
        if len(name) < 290:
            logins.append(comes(who, b"\0%s\0%s" % (name.encode(), PASSWORD.encode())))
    await asyncio.gather(*logins)
    assert await desk.export() == before
    # the name of a device is the client's own affair, but it is shown in lists
    odd = await Talker.open(running.port)
    talkers.append(odd)
    sasl = base64.b64encode(f"\0alice/net@a\x1b[2J{LONG[:100]}\0{PASSWORD}".encode()).decode()
    odd.send("CAP REQ :sasl", "AUTHENTICATE PLAIN", f"AUTHENTICATE {sasl}", *who, "CAP END")
    await odd.line(lambda line: line.command == "001")
    status = await running.command("status")
    assert status.code == 0
    assert all(line.isprintable() for line in status.out.splitlines())
    assert "a?[2jx" in status.out
    assert "Traceback" not in running.output()


def is_clean(line: Line) -> bool:
    return "\r" not in line.raw and "\0" not in line.raw


# --- two at one time -----------------------------------------------------------------------------------------------


async def test_a_race_for_one_name(running: Bouncer, desk: Desk, talkers: list[Talker]) -> None:
    """Three admins at once, two on the machine and one in IRC: one wins, the others are told; a restart agrees."""
    alice = await Talker.connect(running.port, "alice", password=f"alice:{PASSWORD}")
    talkers.append(alice)
    await desk.do("user", "create", "left")
    await desk.do("user", "create", "right")
    other = await Desk.open(running.home)
    server = "servers=irc+insecure://127.0.0.1:1"
    races = (
        (["user create racer password=one-long-secret"] * 3),
        ([f"network create alice/raced {server}"] * 3),
        (["user update left name=Winner", "user update right name=winner", "user create WINNER"]),
        (["user delete left", "user delete left", "user delete left"]),
    )
    for number, commands in enumerate(races):
        since = len(alice.lines)
        desk.put(*commands[0].split())
        other.put(*commands[1].split())
        alice.send(f"PRIVMSG *bouncer :{commands[2]}")
        told = [(await each.answer()).refused for each in (desk, other)]
        notice = await alice.line(lambda line: line.command == "NOTICE", since=since)
        if number < 3:
            done = ["there is a" not in text.lower() for text in (*told, notice.text)]
            assert done.count(True) == 1, (commands, told, notice.text)
        if number == 2:
            owner = (await desk.do("user", "show", "winner")).data["name"]
            assert owner.casefold() == "winner"
            if owner == "WINNER":
                await desk.do("user", "delete", "winner")
                await desk.do("user", "update", "left", "name=winner")
            if owner == "winner":
                await desk.do("user", "update", "winner", "name=right")
                await desk.do("user", "update", "left", "name=winner")
            await desk.do("user", "update", "winner", "name=left")
    names = [each["name"] for each in (await desk.do("user", "list")).data]
    assert sorted(names) == ["alice", "racer", "right"]
    assert [each["name"] for each in (await desk.do("network", "list", "alice")).data] == ["net", "raced"]
    before = await desk.export()
    desk.close()
    other.close()
    assert running.terminate() == 0
    await running.start()
    again = await Desk.open(running.home)
    assert await again.export() == before
    again.close()


# --- deleted, and made again ---------------------------------------------------------------------------------------


async def test_a_delete_under_attached_clients(
    start_network: Callable[[str], Awaitable[Network]], bouncer: Bouncer, talkers: list[Talker]
) -> None:
    """Who was there is told and closed, others notice nothing; the same name begins anew, with an id of its own."""
    server = await start_network("ngircd")

    def net(name: str, nick: str) -> dict[str, object]:
        return network(name, server, tls=False, nick=nick, channels=["#t"])

    await bouncer.apply(
        user("alice", net("one", "alice1"), net("two", "alice2")), user("bob", net("one", "bob1")), user("carol")
    )
    await bouncer.start()
    desk = await Desk.open(bouncer.home)
    speaker = await Talker.connect(server.port, "speaker")
    talkers.append(speaker)
    await speaker.join("#t")
    for nick in ("alice1", "alice2", "bob1"):
        await speaker.sees(nick, "#t")

    async def attach(login: str, caps: str = "") -> Talker:
        talker = await Talker.connect(bouncer.port, "n", password=f"{login}:{PASSWORD}", caps=caps)
        talkers.append(talker)
        await talker.flushed()
        return talker

    first, phone, second = [await attach(f"alice/{device}") for device in ("one@desk", "one@phone", "two@desk")]
    lobby = await attach("alice", "soju.im/bouncer-networks soju.im/bouncer-networks-notify batch")
    bob = await attach("bob/one@desk")
    await speaker.say("#t", ["for all of you"])
    for each in (first, phone, second, bob):
        await each.heard("#t", "for all of you")
    old = netid(first)

    await desk.do("network", "delete", "alice/one")
    for each in (first, phone):
        assert "was removed" in (await each.line(lambda line: line.command == "ERROR")).text
        await each.end()
    await lobby.line(lambda line: line.command == "BOUNCER" and line.params == ["NETWORK", old, "*"])
    assert "no network" in await desk.refused("network", "show", "alice/one")
    await speaker.line(lambda line: line.command in ("QUIT", "PART") and line.nick == "alice1")
    await desk.do(
        "network", "create", "alice/one", f"servers={server.url(tls=False)}", "nick=alice1", "channels=#t", "flood=off"
    )
    await speaker.sees("alice1", "#t")
    anew = await attach("alice/one@desk")
    new = netid(anew)
    assert int(new) > int(old)
    await speaker.say("#t", ["to the new one"])
    for each in (anew, second, bob):
        await each.heard("#t", "to the new one")
    assert [line.text for line in anew.messages("#t")] == ["to the new one"]  # nothing of the old one

    await desk.do("user", "delete", "alice")
    for each in (anew, second, lobby):
        assert "was removed" in (await each.line(lambda line: line.command == "ERROR")).text
        await each.end()
    await speaker.say("#t", ["to bob"])
    await bob.heard("#t", "to bob")
    assert not bob.closed

    desk.close()
    bouncer.kill()  # also then the ids stay used
    await bouncer.start()
    desk = await Desk.open(bouncer.home)
    await desk.do("user", "create", "alice", f"password={PASSWORD}")
    await desk.do(
        "network", "create", "alice/one", f"servers={server.url(tls=False)}", "nick=alice1", "channels=#t", "flood=off"
    )
    await speaker.sees("alice1", "#t")
    reborn = await attach("alice/one@desk")
    assert int(netid(reborn)) > int(new)
    await speaker.say("#t", ["to the newest"])
    await reborn.heard("#t", "to the newest")
    assert [line.text for line in reborn.messages("#t")] == ["to the newest"]
    desk.close()


def netid(talker: Talker) -> str:
    """The id of the network it is attached to."""
    tokens = [word for line in talker.lines if line.command == "005" for word in line.params]
    return next(word.partition("=")[2] for word in tokens if word.startswith("BOUNCER_NETID="))


# --- no more than one may have -------------------------------------------------------------------------------------


async def test_limits_refuse_with_a_clear_line(running: Bouncer, desk: Desk, talkers: list[Talker]) -> None:
    await desk.do("user", "update", "alice", "limits.networks=2", "limits.devices=2")
    first, second = [
        await Talker.connect(running.port, "n", password=f"{login}:{PASSWORD}") for login in ("alice@a", "alice/net@b")
    ]
    talkers += [first, second]
    first.send("PRIVMSG *bouncer :network create two servers=irc+insecure://127.0.0.1:1")
    await first.line(lambda line: line.command == "NOTICE" and "two is made" in line.text)
    before = await desk.export()
    assert "may have 2 networks" in await desk.refused("network", "create", "alice/three", "servers=irc.test")
    first.send("PRIVMSG *bouncer :network create three servers=irc.test")
    await first.line(lambda line: line.command == "NOTICE" and "may have 2 networks" in line.text)

    third = await Talker.open(running.port)
    talkers.append(third)
    third.send(f"PASS alice/net@c:{PASSWORD}", "NICK n", "USER x 0 * :x")
    assert "2 devices attached, which is your limit" in (await third.line(lambda line: line.command == "465")).text
    await third.end()
    again = await Talker.connect(running.port, "n", password=f"alice/net@b:{PASSWORD}")  # of a device that is there
    talkers.append(again)
    lobby = await Talker.open(running.port)
    talkers.append(lobby)
    lobby.send("CAP REQ :soju.im/bouncer-networks batch sasl", "AUTHENTICATE PLAIN")
    lobby.send(f"AUTHENTICATE {base64.b64encode(f'{chr(0)}alice@a{chr(0)}{PASSWORD}'.encode()).decode()}")
    lobby.send("NICK n", "USER x 0 * :x", "CAP END")
    await lobby.line(lambda line: line.command == "001")
    lobby.send("BOUNCER ADDNETWORK host=irc.test")
    assert "may have 2 networks" in (await lobby.line(lambda line: line.command == "FAIL")).text
    assert await desk.export() == before
    await first.flushed()
    assert not any(each.closed for each in (first, second, again, lobby))
    await second.close()
    await again.close()

    async def gone() -> bool:
        status = (await desk.do("status")).data
        devices = {each["device"] for owner in status["users"] for each in owner["devices"]}
        assert devices == {"a"}, devices
        return True

    await eventually(gone, what="the bouncer knows that they are gone")
    instead = await Talker.connect(running.port, "n", password=f"alice/net@c:{PASSWORD}")
    talkers.append(instead)
