"""Accounts survive what is done to them: exported, wiped and applied they are the same; renamed they go on."""

import asyncio
import base64
import hashlib
import hmac
import tomllib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import tomli_w
from peers.bouncer import PASSWORD, Bouncer, network, user
from peers.certificates import make_certificate, unverified
from peers.desk import Desk
from peers.ircds import Network
from peers.talker import Talker

from bouncer.operations.settings import CHANNEL_KEYS, NETWORK_KEYS, USER_KEYS

CLIENT_PRINT = "ab" * 32


def unusual(pem: str) -> dict[str, object]:
    """A user with every setting away from its default."""
    channel = {
        "name": "#Ünusual[]",
        "key": "kéy'\"\\",
        "detached": True,
        "relay": "message",
        "reattach": "highlight",
        "detach_after": "3d",
        "detach_on": "none",
        "sticky": True,
        "keep": "2w",
        "keep_size": "800kB",
    }
    net = {
        "name": "Lib.era_-1",
        "servers": ["ircs://irc.example:7000", "irc+insecure://[2001:db8::1]:6667"],
        "enabled": False,
        "nick": "alice[away]",
        "alternative_nicks": ["al", "al\\ice"],
        "ident": "~al",
        "realname": 'Alice "the" \\ Ä 😀',
        "server_password": "päss:word with spaces",
        "tls_fingerprint": CLIENT_PRINT,
        "certificate": pem,
        "connect_commands": ['PRIVMSG Q :auth "x" \\y', "MODE alice +x"],
        "bind": "2001:db8::2",
        "proxy": "socks5://us%20er:p%40ss@127.0.0.1:1080",
        "encoding": "cp1251",
        "regain": "services",
        "away": "gone = away # really",
        "ignore": ["troll!*@*", "*!*@spam.example"],
        "do_not_log": ["#private", "bob"],
        "quit_message": "bye 'bye'",
        "keep": "90d",
        "keep_size": "500MB",
        "sasl": {"user": "ali ce", "password": "s\"e'c\\ret ", "mechanism": "SCRAM-SHA-256", "required": True},
        "flood": {"burst": 7, "every": "1.5s"},
        "channels": [channel, "#plain", "&local"],
    }
    return {
        "name": "Al.ice-1_",
        "password": PASSWORD,
        "admin": True,
        "nick": "ally",
        "realname": "Ally — 日本",
        "timezone": "Asia/Kathmandu",
        "first_helping": 7,
        "highlight": ["coffee", "release*"],
        "ignore": ["*!*@everywhere.example"],
        "keep": "1y",
        "keep_size": "2GB",
        "limits": {"networks": 9, "devices": 8, "keep": "2y", "keep_size": "3GB"},
        "network": [net, {"name": "second", "servers": ["irc.example"], "enabled": False, "flood": "off"}],
    }


async def test_exported_wiped_and_applied_it_is_the_same(
    bouncer: Bouncer, other: Bouncer, home: Path, talkers: list[Talker]
) -> None:
    certificate = make_certificate(home)
    pem = certificate.certificate.read_text() + certificate.key.read_text()
    await bouncer.start()
    await bouncer.apply(unusual(pem), user("closed", enabled=False))
    desk = await Desk.open(bouncer.home)
    token = (await desk.do("token", "create", "al.ice-1_", "device=phone")).data["password"]
    await desk.do("certificate", "add", "al.ice-1_", "name=laptop", f"fingerprint={certificate.fingerprint}")
    whole = await desk.export()
    desk.close()
    missing = not_there(whole)
    assert not missing, missing
    assert token not in whole
    assert PASSWORD not in whole
    assert bouncer.terminate() == 0

    file = home / "whole.toml"
    file.write_text(whole)
    await other.start()
    for expected in ("create", "nothing to change"):
        done = await other.command("apply", "--prune", str(file))
        assert (done.code, expected in done.out) == (0, True), done
    desk = await Desk.open(other.home)
    assert await desk.export() == whole
    desk.close()
    await comes_in(other, talkers, certificate.certificate, certificate.key, token)
    assert other.terminate() == 0
    await other.start()
    assert (await other.command("export", "--secrets")).out.strip() == whole.strip()


@pytest.fixture
def other(home: Path) -> Iterator[Bouncer]:
    """A fresh home on another port."""
    other = Bouncer(home / "other")
    other.configure()
    yield other
    other.kill()


def not_there(text: str) -> list[str]:
    """The settings that the state file lacks of those there can be; a password is there as its hash."""
    owner = next(each for each in tomllib.loads(text)["user"] if each["name"] != "closed" and each.get("network"))
    net = owner["network"][0]
    channel = net["channels"][0]
    wanted = [(owner, key.name) for key in USER_KEYS if key.name not in ("password", "enabled")]
    wanted += [(net, key.name) for key in NETWORK_KEYS]
    wanted += [(channel, key.name) for key in CHANNEL_KEYS]
    return [name for table, name in wanted if not within(table, name)]


def within(table: dict[str, object], name: str) -> bool:
    outer, dot, inner = name.partition(".")
    found = table.get(outer)
    return inner in found if dot and isinstance(found, dict) else found is not None


async def comes_in(bouncer: Bouncer, talkers: list[Talker], certificate: Path, key: Path, token: str) -> None:
    """By password, by SCRAM, by the token and by the certificate."""
    plain = await Talker.connect(bouncer.port, "n", password=f"al.ice-1_/second:{PASSWORD}")
    phone = await Talker.connect(bouncer.port, "n", password=f"AL.ICE-1_/lib.era_-1@x:{token}")
    scram = await Talker.open(bouncer.port)
    talkers += [plain, phone, scram]
    await log_in_by_scram(scram, "al.ice-1_/second", PASSWORD)
    context = unverified()
    context.load_cert_chain(certificate, key)
    reader, writer = await asyncio.open_connection("127.0.0.1", bouncer.tls_port, ssl=context)
    external = Talker(reader, writer, "n")
    talkers.append(external)
    external.send("CAP REQ :sasl", "NICK n", "USER x 0 * :x", "AUTHENTICATE EXTERNAL")
    await external.line(lambda line: line.command == "AUTHENTICATE")
    external.send("AUTHENTICATE +")
    await external.line(lambda line: line.command == "903")
    external.send("CAP END")
    await external.line(lambda line: line.command == "001")


async def log_in_by_scram(talker: Talker, login: str, password: str) -> None:
    """RFC 5802 and 7677, by hand; the server's own proof is checked too."""
    talker.send("CAP REQ :sasl", "NICK n", "USER x 0 * :x", "AUTHENTICATE SCRAM-SHA-256")
    await talker.line(lambda line: line.command == "AUTHENTICATE")
    first = f"n={login},r=fyko+d2lbbFgONRv9qkxdawL"
    server_first = await exchange(talker, f"n,,{first}")
    told = dict(part.split("=", 1) for part in server_first.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(told["s"]), int(told["i"]))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    last = f"c=biws,r={told['r']}"
    signed = f"{first},{server_first},{last}".encode()
    signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    verdict = await exchange(talker, f"{last},p={base64.b64encode(proof).decode()}")
    expected = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), signed, "sha256")
    assert verdict == f"v={base64.b64encode(expected).decode()}"
    talker.send("AUTHENTICATE +")
    await talker.line(lambda line: line.command == "903")
    talker.send("CAP END")
    await talker.line(lambda line: line.command == "001")


async def exchange(talker: Talker, text: str) -> str:
    since = len(talker.lines)
    talker.send(f"AUTHENTICATE {base64.b64encode(text.encode()).decode()}")
    answer = await talker.line(lambda line: line.command in ("AUTHENTICATE", "904"), since=since)
    assert answer.command == "AUTHENTICATE", answer.raw
    return base64.b64decode(answer.text).decode()


async def test_renames_keep_everything(
    start_network: Callable[[str], Awaitable[Network]], bouncer: Bouncer, talkers: list[Talker]
) -> None:
    """History, places of devices, tokens and those attached; also over a restart. The old names are nobody's."""
    server = await start_network("ngircd")
    await bouncer.apply(user("alice", network("net", server, tls=False, nick="alice", channels=["#t"])))
    await bouncer.start()
    desk = await Desk.open(bouncer.home)
    token = (await desk.do("token", "create", "alice", "device=tablet")).data["password"]
    bob = await Talker.connect(server.port, "bob")
    talkers.append(bob)
    await bob.join("#t")
    await bob.sees("alice", "#t")

    async def attach(login: str, password: str = PASSWORD) -> Talker:
        talker = await Talker.connect(bouncer.port, "n", password=f"{login}:{password}", caps="batch server-time")
        talkers.append(talker)
        await talker.flushed()
        return talker

    live, phone, tablet = (
        await attach("alice/net@live"),
        await attach("alice/net@phone"),
        await attach("alice/net", token),
    )
    await bob.say("#t", ["before"])
    for each in (live, phone, tablet):
        await each.heard("#t", "before")
        await each.flushed()
    for each in (phone, tablet):
        await each.close()
    await bob.say("#t", ["missed one"])
    await live.heard("#t", "missed one")
    await desk.do("user", "update", "alice", "name=Alicia")
    await desk.do("network", "update", "alicia/net", "name=Home")
    await bob.say("#t", ["missed two"])
    await live.heard("#t", "missed two")
    assert not live.closed
    assert not [line for line in bob.lines if line.command == "QUIT"]
    for login in ("alice/net@live", "alicia/net@live", "alice/home"):
        stranger = await Talker.open(bouncer.port)
        talkers.append(stranger)
        stranger.send(f"PASS {login}:{PASSWORD}", "NICK n", "USER x 0 * :x")
        await stranger.line(lambda line: line.command == "464")
    got = await attach("alicia/home@phone")
    await got.heard("#t", "missed two")
    assert texts(got) in (["missed one", "missed two"], ["before", "missed one", "missed two"])  # if its PONG was late

    desk.close()
    await bouncer.durable()
    assert bouncer.terminate() == 0
    await bouncer.start()
    await bob.sees("alice", "#t")
    back = await attach("ALICIA/HOME", token)
    await back.heard("#t", "missed two")
    assert texts(back) in (["missed one", "missed two"], ["before", "missed one", "missed two"])
    names = [each["name"] for each in (await bouncer.status())["users"]]
    assert sorted(names) == ["Alicia"] or sorted(names) == ["Alicia", "admin"]


def texts(talker: Talker) -> list[str]:
    return [line.text for line in talker.messages("#t")]


async def test_a_state_file_is_the_same_whoever_writes_it(bouncer: Bouncer, home: Path) -> None:
    """What another program reads from an export and writes again changes nothing."""
    certificate = make_certificate(home)
    await bouncer.start()
    await bouncer.apply(unusual(certificate.certificate.read_text() + certificate.key.read_text()))
    whole = (await bouncer.command("export", "--secrets")).out
    file = home / "again.toml"
    file.write_text(tomli_w.dumps(tomllib.loads(whole)))
    done = await bouncer.command("apply", "--prune", str(file))
    assert (done.code, done.out) == (0, "nothing to change\n"), done
