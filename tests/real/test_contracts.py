"""What the manual promises of the command line, the state file, the settings and the login, held against a process."""

import base64
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from peers.bouncer import PASSWORD, Bouncer, network, user
from peers.ircds import NgIRCd
from peers.process import Program
from peers.talker import Line, Talker
from peers.waiting import eventually, free_port, listening

README = Path(__file__).parents[2] / "README.md"
SECRETS = ("a services password", "the channel's key", "$argon2id$", PASSWORD)

STATE = """
[[user]]
name = "alice"
password = "{password}"
admin = false
nick = "alice"

[[user.network]]
name = "libera"
servers = ["irc+insecure://127.0.0.1:{port}"]
nick = "alice"
channels = ["#python", {{ name = "#secret", key = "the channel's key", detached = true }}]
flood = {{ burst = 5, every = "2s" }}

[[user.network]]
name = "off"
servers = ["ircs://irc.libera.chat:6697", "irc+insecure://127.0.0.1:6667"]
enabled = false
flood = "off"
sasl = {{ mechanism = "SCRAM-SHA-256", user = "alice", password = "a services password" }}

[[user]]
name = "bob"
password_hash = "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAA"
"""


@pytest.fixture
async def ngircd(start_network: Callable[[str], Awaitable[NgIRCd]]) -> NgIRCd:
    return await start_network("ngircd")


@pytest.fixture
async def running(ngircd: NgIRCd, bouncer: Bouncer) -> Bouncer:
    """A bouncer on which alice has one network and bob two, all of them connected."""
    await bouncer.apply(
        user("alice", network("net", ngircd, tls=False, nick="alice", channels=["#t"])),
        user(
            "bob",
            network("one", ngircd, tls=False, nick="bob1", channels=[]),
            network("two", ngircd, tls=False, nick="bob2", channels=[]),
        ),
    )
    await bouncer.start()
    await connected(bouncer, "alice/net", "bob/one", "bob/two")
    return bouncer


async def state_of(bouncer: Bouncer, label: str) -> dict[str, object]:
    """What `status --json` says of a network."""
    name, _, network_name = label.partition("/")
    status = await bouncer.status()
    found = next(each for each in status["users"] if each["name"] == name)
    return next(each for each in found["networks"] if each["name"] == network_name)


async def connected(bouncer: Bouncer, *labels: str) -> None:
    async def are() -> bool:
        return [(await state_of(bouncer, label))["state"] for label in labels] == ["connected"] * len(labels)

    await eventually(are, what=f"{labels} are connected")


async def do(bouncer: Bouncer, *words: str) -> str:
    """A command that is done; what it printed."""
    done = await bouncer.command(*words)
    assert (done.code, done.complaints) == (0, []), done
    return done.out


async def refused(bouncer: Bouncer, *words: str) -> str:
    """A command that is refused, with one line that says why."""
    done = await bouncer.command(*words)
    assert (done.code, done.out, len(done.complaints)) == (1, "", 1), done
    return done.complaints[0]


async def test_a_state_file_goes_in_and_out(ngircd: NgIRCd, bouncer: Bouncer, home: Path) -> None:
    await bouncer.start()
    file = home / "given.toml"
    file.write_text(STATE.format(password=PASSWORD, port=ngircd.port))
    promised = await do(bouncer, "apply", str(file), "--dry-run")
    assert promised.endswith("this was a dry run: nothing was changed\n")
    assert "alice" not in await do(bouncer, "user", "list")
    assert (await do(bouncer, "apply", str(file))).splitlines() == promised.splitlines()[:-1]
    await connected(bouncer, "alice/libera")
    since = (await state_of(bouncer, "alice/libera"))["since"]

    assert await do(bouncer, "apply", str(file)) == "nothing to change\n"
    whole, bare = await do(bouncer, "export", "--secrets"), await do(bouncer, "export")
    assert [secret for secret in SECRETS[:3] if secret not in whole] == []
    for exported in (whole, bare):  # a secret that is absent stays as it is
        file.write_text(exported)
        assert await do(bouncer, "apply", str(file), "--prune") == "nothing to change\n"
    assert await do(bouncer, "export", "--secrets") == whole
    assert (await state_of(bouncer, "alice/libera"))["since"] == since

    for last, problem in (("nik = 1", '"nik" is not a key; did you mean nick?'), ("nick =", "it is not TOML")):
        file.write_text(whole.replace("#python", "#other") + f"\n{last}\n")
        complaint = await refused(bouncer, "apply", str(file))
        assert problem in complaint
        assert f"line {len(file.read_text().splitlines())}" in complaint
    assert await do(bouncer, "export", "--secrets") == whole

    file.write_text(whole)
    other = home / "other"
    assert (await bouncer.command("apply", str(file), home=other)).code == 0
    assert (await bouncer.command("export", "--secrets", home=other)).out == whole

    shown = [bouncer.output()]
    for words in ("status", "user list", "user show alice", "network list", "network show alice/off", "channel list"):
        shown += [await do(bouncer, *words.split()), await do(bouncer, *words.split(), "--json")]
    assert [secret for secret in SECRETS if secret in "".join(shown) + bare] == []


async def test_what_was_switched_off_stays_off(running: Bouncer, talkers: list[Talker]) -> None:
    desk = await Talker.connect(running.port, "alice", password=f"alice/net@desk:{PASSWORD}")
    talkers.append(desk)
    await do(running, "network", "disconnect", "alice/net")
    await desk.line(lambda line: line.command == "NOTICE" and "Disconnected from net" in line.text)
    assert running.terminate() == 0
    await running.start()
    await connected(running, "bob/one", "bob/two")
    assert (await state_of(running, "alice/net"))["state"] == "disconnected"
    assert "is off" in await refused(running, "network", "reconnect", "alice/net")
    back = await Talker.connect(running.port, "alice", password=f"alice/net@desk:{PASSWORD}")
    talkers.append(back)
    await do(running, "network", "connect", "alice/net")
    await back.line(lambda line: line.command == "JOIN" and line.params[0] == "#t")


def notice_of(nick: str) -> Callable[[Line], bool]:
    return lambda line: line.command == "NOTICE" and line.nick == nick


async def test_settings_change_under_attached_clients(running: Bouncer, ngircd: NgIRCd, talkers: list[Talker]) -> None:
    desk = await Talker.connect(running.port, "alice", password=f"alice@desk/net:{PASSWORD}")
    watcher = await Talker.connect(ngircd.port, "watcher")
    talkers += [desk, watcher]
    await watcher.join("#t")

    await do(running, "network", "update", "alice/net", "nick=alice2")
    assert (await desk.line(lambda line: line.command == "NICK")).params == ["alice2"]
    for service, words in (("*bouncer", "network upd nick=alice3"), ("*status", "status"), ("BouncerServ", "help")):
        start = len(desk.lines)
        desk.send(f"PRIVMSG {service} :{words}")
        await desk.line(notice_of(service), since=start)
    await watcher.line(lambda line: line.command == "NICK" and line.params == ["alice3"])
    assert not [line.raw for line in watcher.lines if line.command == "QUIT"]

    await do(running, "network", "update", "alice/net", f"servers=irc+insecure://localhost:{ngircd.port}")
    await watcher.line(lambda line: line.command == "QUIT" and line.nick == "alice3")
    await desk.line(lambda line: line.command == "NOTICE" and "Connected to net (localhost:" in line.text)

    await do(running, "network", "delete", "alice/net")
    assert "net was removed" in (await desk.line(lambda line: line.command == "ERROR")).text
    await desk.end()
    assert "no network" in await refused(running, "network", "show", "alice/net")

    both = [await Talker.connect(running.port, "bob", password=f"{login}:{PASSWORD}") for login in ("bob", "bob/two")]
    talkers += both
    await do(running, "user", "update", "bob", "enabled=no")
    for each in both:
        assert "switched off" in (await each.line(lambda line: line.command == "ERROR")).text
        await each.end()
    assert "is closed" in await refused(running, "network", "connect", "bob/one")
    await do(running, "user", "update", "bob", "enabled=yes")
    await connected(running, "bob/one", "bob/two")
    lobby = await Talker.connect(running.port, "bob", password=f"bob:{PASSWORD}")
    talkers.append(lobby)
    await do(running, "user", "delete", "bob")
    await lobby.end()


async def come_in(bouncer: Bouncer, talkers: list[Talker], *lines: str, sasl: str = "") -> list[str]:
    """Register with these lines, after SASL PLAIN if it is given: 001 and the nick, or 464 and its text."""
    talker = await Talker.open(bouncer.port)
    talkers.append(talker)
    if sasl:
        talker.send("CAP REQ :sasl", "AUTHENTICATE PLAIN")
        await talker.line(lambda line: line.command == "AUTHENTICATE")
        talker.send(f"AUTHENTICATE {base64.b64encode(sasl.encode()).decode()}")
        await talker.line(lambda line: line.command in ("903", "904"))
    talker.send(*lines, *(["CAP END"] if sasl else []))
    last = await talker.line(lambda line: line.command in ("001", "464"))
    return [last.command, last.params[0] if last.command == "001" else last.text]


async def test_every_form_of_login(running: Bouncer, talkers: list[Talker]) -> None:
    who = "USER x 0 * :x"
    for login in ("alice", "alice/net", "alice/net@phone", "alice@phone/net", "ALICE/Net@Phone"):
        ways = (
            await come_in(running, talkers, f"PASS {login}:{PASSWORD}", "NICK n", who),
            await come_in(running, talkers, f"PASS {PASSWORD}", "NICK n", f"USER {login} 0 * :x"),
            await come_in(running, talkers, "NICK n", who, sasl=f"\0{login}\0{PASSWORD}"),
        )
        assert ways == (["001", "alice"],) * 3, login
    assert (await come_in(running, talkers, f"PASS bob/two:{PASSWORD}", "NICK n", who)) == ["001", "bob2"]
    assert (await come_in(running, talkers, f"PASS bob:{PASSWORD}", "NICK n", who))[0] == "001"
    assert "yours: one, two" in (await come_in(running, talkers, f"PASS bob/x:{PASSWORD}", "NICK n", who))[1]
    wrong = [
        await come_in(running, talkers, f"PASS {words}", "NICK n", who) for words in ("alice:no", "mallory:no", "no")
    ]
    assert wrong == [["464", "Wrong user or password"]] * 3
    assert (await come_in(running, talkers, "NICK n", "USER alice 0 * :x"))[1].startswith("Password required")
    assert "wrong login" in running.output()
    assert PASSWORD not in running.output()


async def test_a_reload_takes_the_good_and_refuses_the_bad(running: Bouncer, talkers: list[Talker]) -> None:
    desk = await Talker.connect(running.port, "alice", password=f"alice:{PASSWORD}")
    talkers.append(desk)
    settings = running.home / "bouncer.toml"
    process = int((running.home / "lock").read_text())
    good, more = settings.read_text(), free_port()

    addresses = [
        f"ircs://127.0.0.1:{running.tls_port}",
        *(f"irc+insecure://127.0.0.1:{at}" for at in (running.port, more)),
    ]
    settings.write_text(f"listen = {addresses}\n")
    os.kill(process, signal.SIGHUP)
    await eventually(lambda: listening(more), what="it listens on the new port as well")
    settings.write_text('listen = ["irc://x"]\nhostnam = "x"\n')
    os.kill(process, signal.SIGHUP)
    await eventually(lambda: "hostnam; did you mean hostname?" in running.output(), what="it tells what is wrong")
    assert "line 1: listen:" in running.output()
    assert listening(more)
    settings.write_text(good)
    os.kill(process, signal.SIGHUP)
    await eventually(lambda: not listening(more), what="it listens there no more")
    await desk.flushed()
    assert not desk.closed


async def test_the_bot_of_the_readme(ngircd: NgIRCd, home: Path, talkers: list[Talker]) -> None:
    found = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert found
    there = 'Client("irc.libera.chat", 6697)'
    assert there in found[1]
    (home / "bot.py").write_text(found[1].replace(there, f'Client("127.0.0.1", {ngircd.port}, ssl=False)'))
    bot = Program([sys.executable, str(home / "bot.py")], home, {"PYTHONWARNINGS": "error"})
    bot.start()
    try:
        eve = await Talker.connect(ngircd.port, "eve")
        talkers.append(eve)

        async def is_there() -> bool:
            assert bot.running, bot.output()
            eve.send("PRIVMSG parrot :hello")
            await eve.flushed()
            return any(line.nick == "parrot" and line.text == "hello" for line in eve.lines)

        await eventually(is_there, what="the bot says it again")
    finally:
        bot.kill()
        assert "Traceback" not in bot.output(), bot.output()


@pytest.mark.parametrize("scheme", ["wss", "ws+insecure", "unix"])
async def test_the_first_start_names_what_can_connect(scheme: str, bouncer: Bouncer) -> None:
    """Where no client of plain IRC can come in, none is told to."""
    port = free_port()
    listener = "unix:irc.sock" if scheme == "unix" else f"{scheme}://127.0.0.1:{port}"
    (bouncer.home / "bouncer.toml").write_text(f'listen = ["{listener}"]\n')
    bouncer.run_only()
    await eventually(lambda: "and log in as admin/libera" in bouncer.output(), what="it says how to connect")
    shown = {
        "wss": f"server wss://127.0.0.1:{port}",
        "ws+insecure": f"server ws://127.0.0.1:{port}",
        "unix": "irc.sock",
    }
    assert f"{shown[scheme]}, " in bouncer.output()
    assert "/server add" not in bouncer.output()
    assert ("fingerprint: " in bouncer.output()) == (scheme == "wss")
    assert bouncer.terminate() == 0
