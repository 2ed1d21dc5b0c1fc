"""Every way to log in that docs/clients tells, typed as it stands there into real clients.

That a client is in, on the network that was meant, is read from its own buffers; which device it is, from `status`.
"""

import re
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from peers.bouncer import PASSWORD, Bouncer, network, user
from peers.chat_client import ChatClient, Login
from peers.ircds import NgIRCd
from peers.pages import PAGES, lines_to_type
from peers.talker import Talker
from peers.waiting import eventually

StartClient = Callable[[str], Awaitable[ChatClient]]

# What each way of a page begins with, in the order of the page, and the block of it that is for the shell.
WAYS = {"weechat": {"scram": 2, "token": 3, "pass": 4, "certificate": 6, "external": 7}}
WAYS["irssi"] = {"plain": 1, "certificate": 3, "external": 4}
SHELL = {"weechat": 5, "irssi": 2}


@pytest.fixture
async def bob(start_network: Callable[[str], Awaitable[NgIRCd]], bouncer: Bouncer, talkers: list[Talker]) -> Talker:
    """Somebody in a channel with alice, whose bouncer is on two networks: nothing is meant by itself."""
    server = await start_network("ngircd")
    bob = await Talker.connect(server.port, "bob")
    talkers.append(bob)
    await bob.join("#t")
    one = network("one", server, tls=False, nick="alice", channels=["#t"])
    other = network("other", server, tls=False, nick="alicia", channels=[])
    await bouncer.apply(user("alice", one, other))
    await bouncer.start()
    await bob.line(lambda line: line.command == "JOIN" and line.nick == "alice")
    return bob


async def devices(bouncer: Bouncer) -> list[str]:
    (alice,) = (await bouncer.status())["users"]
    return sorted(device["device"] for device in alice["devices"])


async def is_in(client: ChatClient, bob: Talker, bouncer: Bouncer, way: str, device: str = "desk") -> None:
    """The client shows what bob says, and is that device and no other."""
    await bob.say("#t", [f"hello by {way}"])
    await client.shows("#t", f"hello by {way}")
    assert await devices(bouncer) == [device]


def make_certificate(page: str, folder: Path) -> None:
    """What the page tells to type in a shell, with that folder in place of the client's own."""
    fenced = (PAGES / f"{page}.md").read_text().split("```")[1::2][SHELL[page]]
    script = fenced.removeprefix("sh").replace("mv bouncer.pem ~/.irssi/", f"mv bouncer.pem {folder}/")
    subprocess.run(["sh", "-ec", script], cwd=folder.parent if page == "irssi" else folder, check=True, timeout=30)


class Typist:
    """Types blocks of a client's page into it."""

    def __init__(self, page: str, client: ChatClient, login: Login) -> None:
        self._page = page
        self._client = client
        self._login = login

    async def types(self, way: str, **filled: str) -> None:
        """The block; a line that makes the client connect anew is waited for."""
        pinned = self._login.fingerprint
        if self._page == "irssi":
            pinned = ":".join(re.findall("..", pinned)).upper()
        for line in lines_to_type(self._page, WAYS[self._page][way], self._login, pinned):
            text = line
            for word, value in filled.items():
                text = text.replace(word, value)
            if text.startswith("/reconnect"):
                await self.again()
            else:
                await self._client.type(text)

    async def again(self) -> None:
        await self._client.detach()
        await self._client.attach()

    async def reads(self, text: str) -> str:
        """All that the client shows, when this is in it."""

        async def there() -> str:
            shown = await self._client.everything()
            assert text in shown, shown[-1000:]
            return shown

        return await eventually(there, what=f"the client shows {text!r}")


async def test_weechat_logs_in_in_every_way(bob: Talker, bouncer: Bouncer, start_client: StartClient) -> None:
    desk = await start_client("weechat")
    login = bouncer.login("alice/one@desk", "alice")
    await desk.add(login)
    typist = Typist("weechat", desk, login)

    await typist.types("scram")
    await desk.attach()
    await is_in(desk, bob, bouncer, "SCRAM")

    done = await bouncer.command("token", "create", "alice", "device=desk")
    await typist.types("token", TOKEN=done.out.split("password for alice@desk: ")[1].split()[0])
    await typist.again()
    await is_in(desk, bob, bouncer, "token")

    await typist.types("pass")
    await typist.again()
    await is_in(desk, bob, bouncer, "PASS")

    make_certificate("weechat", desk.home / "home")
    await typist.types("certificate")
    await typist.reads("certificate desk logs alice in")
    await desk.type("/reset irc.server.bnc.password")
    await typist.types("external")
    await is_in(desk, bob, bouncer, "EXTERNAL")


async def test_irssi_logs_in_in_every_way(bob: Talker, bouncer: Bouncer, start_client: StartClient) -> None:
    phone = await start_client("irssi")
    login = bouncer.login("alice/one@phone", "alice")
    await phone.add(login)
    typist = Typist("irssi", phone, login)

    await phone.attach()
    await is_in(phone, bob, bouncer, "PASS", "phone")

    await typist.types("plain")
    await typist.again()
    await is_in(phone, bob, bouncer, "PLAIN", "phone")

    folder = phone.home / "irssi"
    make_certificate("irssi", folder)
    await typist.types("certificate", **{"~/.irssi": str(folder)})
    await typist.reads("logs alice in")
    await typist.types("external")
    await is_in(phone, bob, bouncer, "EXTERNAL", "phone")


async def test_a_token_taken_back_ends_the_client_that_came_in_by_it(
    bob: Talker, bouncer: Bouncer, start_client: StartClient
) -> None:
    done = await bouncer.command("token", "create", "alice", "device=phone")
    token = done.out.split("password for alice@phone: ")[1].split()[0]
    phone = await start_client("weechat")
    await phone.add(bouncer.login("alice/one@phone", "alice")._replace(password=token))
    await phone.attach()
    await is_in(phone, bob, bouncer, "token", "phone")

    token_id = token.split("-")[1]
    done = await bouncer.command("token", "delete", f"alice/{token_id}")
    assert done.code == 0, done
    await Typist("weechat", phone, bouncer.login("", "")).reads("What this device logged in with was taken back")
    assert await devices(bouncer) == []


async def test_a_wrong_password_is_told_to_who_is_attached(
    bob: Talker, bouncer: Bouncer, start_client: StartClient
) -> None:
    desk = await start_client("weechat")
    login = bouncer.login("alice/one@desk", "alice")
    await desk.add(login)
    await desk.attach()
    await is_in(desk, bob, bouncer, "PLAIN")

    thief = await Talker.open(bouncer.port, nick="thief")
    try:
        thief.send(f"PASS :alice/one@theft:{PASSWORD}r", "NICK alice", "USER alice 0 * :alice")
        await thief.end()
    finally:
        await thief.close()
    await Typist("weechat", desk, login).reads("Wrong password for your account from 127.0.0.1")
    assert await devices(bouncer) == ["desk"]
