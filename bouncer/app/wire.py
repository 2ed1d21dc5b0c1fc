"""The composition root: the only place that knows every class, and assembles the tables.

Owns who is given what. What happens with the whole, and when, is the supervisor's business.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bouncer import __version__
from bouncer.app.certificates import ListenerCertificate
from bouncer.app.clock import LoopTimers
from bouncer.app.config import DRIVER_MISSING, SQLITE, Config, load_config
from bouncer.app.desk import Desk
from bouncer.app.entrance import Entrance
from bouncer.app.home import Home, HomeLock
from bouncer.app.keeping import Keeping
from bouncer.app.passwords import PasswordHasher
from bouncer.app.upstreams import Upstreams
from bouncer.app.visit import Visit
from bouncer.caps.table import CAPABILITIES
from bouncer.client import HostPacing
from bouncer.client.wheel import Wheel
from bouncer.core.house import House
from bouncer.core.link import Link
from bouncer.irc import message
from bouncer.model.errors import Refused
from bouncer.model.records import Network
from bouncer.net.ident import IdentServer, OidentdFile
from bouncer.net.listen import Listeners
from bouncer.net.proxies import Proxies
from bouncer.net.tls import ServerTls
from bouncer.operations.context import MACHINE, Actor, Context, Facts
from bouncer.operations.tap import Traffic
from bouncer.service.answer import answer
from bouncer.store.secrets import open_box
from bouncer.store.sqlite import Store
from bouncer.store.threaded import ThreadedStore
from bouncer.upstream.tracked import TRACKED

COMPILED = not message.__file__.endswith(".py")  # the modules that pyproject.toml names, when the package was built
WANTED_CAPS = frozenset(row.name for row in CAPABILITIES if row.wanted)


@dataclass(frozen=True, slots=True)
class Bouncer:
    """The parts of a running bouncer."""

    house: House
    store: ThreadedStore
    passwords: PasswordHasher
    upstreams: Upstreams
    desk: Desk
    listeners: Listeners
    tls: ServerTls
    pacing: HostPacing
    ident: IdentServer | OidentdFile | None
    keeping: Keeping
    context: Callable[[Actor], Context]


def open_store(home: Home, config: Config | None = None) -> ThreadedStore:
    """The home's database, or the one that its settings name; they are read if they are
    not given. Raises Refused with one clear sentence."""
    box = open_box(home.secret_key, home.database)
    store = (config or load_config(home.config)).store
    if store == SQLITE:
        return Store.open(home.database, box)
    try:
        from bouncer.store.postgresql.store import ServerStore  # its driver is there only where it is asked for
    except ImportError as error:
        raise Refused(DRIVER_MISSING) from error
    return ServerStore.open(store, box)


def assemble(home: Home, config: Config, store: ThreadedStore) -> Bouncer:
    """Make a bouncer of its parts; nothing is connected or listened to yet. Raises Refused."""
    loop = asyncio.get_running_loop()
    timers = LoopTimers(loop)
    started = time.time()
    tls = ServerTls(config.tls.certificate, config.hostname, ask=config.tls.client_certificates)
    pacing = HostPacing(config.upstream.pace or None)
    ident = _ident(config)
    upstreams = Upstreams(
        WANTED_CAPS,
        pacing,
        timers,
        store,
        ident=ident,
        source=config.upstream.source,
        hostname=config.hostname,
        wheel=Wheel(loop),
    )
    snapshot = store.load()
    store.attach(loop)
    house = House(
        snapshot,
        records=store,
        archive=store,
        tracked=TRACKED,
        timers=timers,
        hostname=config.hostname,
        version=__version__,
        connector=upstreams,
        recall=lambda question, answer: desk.recall(question, answer),
    )
    for user in snapshot.users:
        house.replace(user)
    passwords = PasswordHasher()
    certs = ListenerCertificate(config.tls.certificate, config.hostname, tls)

    class Process:
        """What the process knows of itself."""

        def facts(self) -> Facts:
            waiting = store.undurable, store.unindexed
            said = listeners.addresses, *waiting, store.problem, store.dropped
            return Facts(__version__, True, started, *said, compiled=COMPILED)

    def context(actor: Actor) -> Context:
        return Context(house, store, passwords, certs, upstreams, Process(), actor, time.time(), store, store)

    async def service(actor: Actor, text: str) -> list[str]:
        return await answer(context(actor), text)

    desk = Desk(history=store, service=service, context=context)
    entrance = Entrance(
        desk=desk,
        house=house,
        history=store,
        records=store,
        passwords=passwords,
        timers=timers,
        capabilities=CAPABILITIES,
        hostname=config.hostname,
        secret=home.secret_key.read_bytes(),
    )
    proxies = Proxies(config.trusted_proxies)
    listeners = Listeners(lambda peer: Visit(peer, entrance), tls, proxies=proxies, origins=config.origins)
    keeping = Keeping(house, store, store, now=time.time, pause=asyncio.sleep)
    return Bouncer(house, store, passwords, upstreams, desk, listeners, tls, pacing, ident, keeping, context)


def _ident(config: Config) -> IdentServer | OidentdFile | None:
    if config.upstream.ident is not None:
        return IdentServer(*config.upstream.ident)
    return OidentdFile(config.upstream.oidentd) if config.upstream.oidentd is not None else None


class Unconnected:
    """Connector and Dialer of a house that nobody runs: settings are changed, nothing is dialled."""

    def added(self, link: Link) -> None: ...

    def changed(self, link: Link, before: Network) -> None: ...

    def removed(self, link: Link) -> None: ...

    def connect(self, network_id: int) -> None: ...

    def disconnect(self, network_id: int) -> None: ...

    def reconnect(self, network_id: int) -> None: ...

    def watch(self, network_id: int, traffic: Traffic | None) -> None: ...

    def watched(self, network_id: int) -> Traffic | None: ...


@asynccontextmanager
async def offline_context(home: Home) -> AsyncIterator[Context]:
    """For commands while no bouncer runs on that home: they work on the database. Raises Refused."""
    config = load_config(home.config)
    home.make()
    with HomeLock(home):
        store = open_store(home, config)
        passwords = PasswordHasher()
        try:
            snapshot = store.load()
            loop = asyncio.get_running_loop()
            store.attach(loop)
            nobody = Unconnected()
            house = House(
                snapshot,
                records=store,
                archive=store,
                tracked=TRACKED,
                timers=LoopTimers(loop),
                hostname=config.hostname,
                version=__version__,
                connector=nobody,
            )
            for user in snapshot.users:
                house.replace(user)

            class Process:
                """A process that runs nothing."""

                def facts(self) -> Facts:
                    return Facts(__version__, compiled=COMPILED)

            certs = ListenerCertificate(config.tls.certificate, config.hostname, None)
            yield Context(house, store, passwords, certs, nobody, Process(), MACHINE, time.time(), store, store)
            await store.settled()
        finally:
            passwords.close()
            store.close()
