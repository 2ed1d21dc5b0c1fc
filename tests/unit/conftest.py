"""A workbench for operations and their skins: a real house over the store in memory, and fakes at the other ports."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from bouncer.core.house import House
from bouncer.core.link import Link
from bouncer.irc.sasl import format_keys, scram_keys
from bouncer.model.errors import Refused
from bouncer.model.records import Network, User
from bouncer.operations.context import MACHINE, Actor, Certificate, Context, Facts
from bouncer.operations.row import Result
from bouncer.operations.table import perform
from bouncer.operations.tap import Traffic
from bouncer.service.answer import answer, split
from bouncer.store.memory import MemoryStore

NOW = 1_700_000_000.0


class StillTimers:
    """A clock that stands, and deadlines that never come."""

    def now(self) -> float:
        return NOW

    def at(self, when: float, act: Callable[[], None]) -> StillTimers:
        return self

    def cancel(self) -> None:
        pass


@dataclass
class Connections:
    """Connector of the house and Dialer of the operations: writes down what it is told."""

    told: list[str] = field(default_factory=list)
    watching: dict[int, Traffic] = field(default_factory=dict)

    def added(self, link: Link) -> None:
        self.told.append(f"added {link.network.name}")

    def changed(self, link: Link, before: Network) -> None:
        self.told.append(f"changed {before.name}")

    def removed(self, link: Link) -> None:
        self.told.append(f"removed {link.network.name}")

    def connect(self, network_id: int) -> None:
        self.told.append(f"connect {network_id}")

    def disconnect(self, network_id: int) -> None:
        self.told.append(f"disconnect {network_id}")

    def reconnect(self, network_id: int) -> None:
        self.told.append(f"reconnect {network_id}")

    def watch(self, network_id: int, traffic: Traffic | None) -> None:
        self.watching.pop(network_id, None)
        if traffic is not None:
            self.watching[network_id] = traffic

    def watched(self, network_id: int) -> Traffic | None:
        return self.watching.get(network_id)


class PlainPasswords:
    """Hashes that look like Argon2id and are none, so that tests are fast."""

    made = 0

    async def hash(self, password: str) -> str:
        text = base64.b64encode(password.encode()).decode().rstrip("=")
        return f"$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ${text:A<22}"

    async def verify(self, password_hash: str, password: str) -> bool:
        return password_hash == await self.hash(password)

    async def scram(self, password: str) -> str:
        self.made += 1
        return format_keys(scram_keys(password, b"salt of %07d" % self.made, 4096))

    def generate(self) -> str:
        self.made += 1
        return f"generated{self.made:013}"


class OneCert:
    def __init__(self) -> None:
        self.certificate = Certificate("ab" * 32, ("bnc.example",), NOW, NOW + 86400 * 365, True, "certs/server.pem")

    async def show(self) -> Certificate:
        return self.certificate

    async def renew(self) -> Certificate:
        if not self.certificate.self_signed:
            raise Refused("the certificate was not made here; replace its file")
        self.certificate = replace(self.certificate, fingerprint="cd" * 32)
        return self.certificate


class Bench:
    """``facts`` and ``certs`` may be set; what was done is in ``house``, ``connections`` and ``store``."""

    def __init__(self) -> None:
        self.store = MemoryStore(lambda: NOW)
        self.connections = Connections()
        self.passwords = PlainPasswords()
        self.certs = OneCert()
        self.known = Facts("1.0", running=True, since=NOW - 3700, listeners=("ircs://[::]:6697",))
        self.house = self.opened()

    def opened(self) -> House:
        """A house of what the store has committed, as after a restart."""
        snapshot = self.store.load()
        house = House(
            snapshot,
            records=self.store,
            archive=self.store,
            tracked={},
            timers=StillTimers(),
            hostname="bnc.example",
            version="1.0",
            connector=self.connections,
        )
        for user in snapshot.users:
            house.replace(user)
        return house

    def facts(self) -> Facts:
        return self.known

    def context(self, actor: Actor = MACHINE) -> Context:
        return Context(
            house=self.house,
            records=self.store,
            passwords=self.passwords,
            certs=self.certs,
            dialer=self.connections,
            process=self,
            actor=actor,
            now=NOW,
            archive=self.store,
            history=self.store,
        )

    async def do(self, text: str, actor: Actor = MACHINE) -> Result:
        """Run a command as typed."""
        return await perform(self.context(actor), split(text))

    async def refusal(self, text: str, actor: Actor = MACHINE) -> str:
        """The sentence with which a command is refused."""
        with pytest.raises(Refused) as caught:
            await self.do(text, actor)
        return str(caught.value)

    async def chat(self, text: str, user: str = "alice", admin: bool = False, network: str = "") -> list[str]:
        """What ``*bouncer`` answers."""
        return await answer(self.context(Actor(user, admin, network)), text)

    def user(self, name: str) -> User:
        account = self.house.account(name)
        assert account is not None
        return account.user

    def network(self, user: str, name: str) -> Network:
        network = self.user(user).network(name)
        assert network is not None
        return network


@pytest.fixture
def bench() -> Bench:
    """An empty bench."""
    return Bench()


@pytest.fixture
async def stocked() -> Bench:
    """A bench with alice, who is on libera in #python, and bob, who has nothing."""
    bench = Bench()
    await bench.do('user create alice password="correct horse battery"')
    await bench.do("user create bob password=unguessable-enough")
    await bench.do("network create alice/libera servers=ircs://irc.libera.chat channels=#python")
    bench.connections.told.clear()
    return bench
