"""Starts the bouncer, keeps it, and ends it: the life of the process.

Owns signals, the first start, reloading, and the order in which things stop. What the parts are is in `wire`.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from contextlib import AsyncExitStack, suppress

from bouncer.app.admin import AdminSocket
from bouncer.app.config import Config, load_config
from bouncer.app.greeting import first_start, started
from bouncer.app.home import Home, HomeLock
from bouncer.app.passwords import generated_password
from bouncer.app.storenews import StoreNews
from bouncer.app.wire import Bouncer, assemble, open_store
from bouncer.model.errors import Refused, Unavailable
from bouncer.model.records import User
from bouncer.net.proxies import Proxies
from bouncer.operations.context import MACHINE

logger = logging.getLogger(__name__)

# A busy loop holds the interpreter; at the default of 5 ms the store's thread would get to write 200 times a second.
SWITCH_INTERVAL = 0.001
# Lines on their way die by reference count. Looking them through for cycles every 700 allocations, as is the default,
# costs a quarter of what a relayed line costs; 20,000 objects are some 3 MB.
GC_THRESHOLDS = (20_000, 50, 100)
CERTIFICATE_CHECK = 30.0  # seconds between two looks whether the certificate's file has changed
FAREWELL = b"ERROR :Closing link: the bouncer is going down; your networks come back when it does\r\n"
FIRST_USER = "admin"


def run(home: Home) -> int:
    """Run the bouncer of a home until it is told to stop; the exit status. What is wrong is one line on stderr."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO, stream=sys.stderr)
    sys.setswitchinterval(SWITCH_INTERVAL)
    if os.geteuid() == 0:
        logger.warning("running as root; a user of its own is safer")
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_live(home))
    except (Refused, Unavailable) as refusal:
        print(refusal, file=sys.stderr)
        return 1
    return 0


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # not on this platform; the standard loop does the same, slower
        return None
    return uvloop.Loop


async def _live(home: Home) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    home.make()
    async with AsyncExitStack() as ending:
        ending.enter_context(HomeLock(home))
        config = load_config(home.config)
        store = open_store(home, config)
        ending.callback(store.close)
        bouncer = assemble(home, config, store)
        ending.callback(bouncer.passwords.close)
        store.watch(StoreNews(bouncer.house, lambda: store.dropped))
        ending.push_async_callback(bouncer.desk.close)
        ending.push_async_callback(bouncer.listeners.close, FAREWELL)
        if bouncer.ident is not None:
            await bouncer.ident.open()
            ending.push_async_callback(bouncer.ident.close)
        # networks end before clients do, so that each client is told which of its lines did not go out any more
        ending.push_async_callback(bouncer.upstreams.close, "bouncer is going down")
        # before the listeners: who sees that clients can come in may give commands, too
        admin = AdminSocket(home.admin_socket, lambda: bouncer.context(MACHINE))
        await admin.open()
        ending.push_async_callback(admin.close)
        await bouncer.listeners.open(map(str, config.listen))
        await _greet(bouncer)
        gc.collect()
        gc.freeze()  # what is here stays: a full collection over it would hold the loop up for 0.1 s
        gc.set_threshold(*GC_THRESHOLDS)
        bouncer.upstreams.start()
        bouncer.desk.spawn(bouncer.keeping.run(), "keeping")
        loop.add_signal_handler(signal.SIGHUP, lambda: _reload(home, config, bouncer, stop))
        await _watch_certificate(bouncer, stop)
        logger.info("going down")


async def _greet(bouncer: Bouncer) -> None:
    """Say on standard output how to connect. Where there is nobody yet, make an admin, whose password is said once."""
    addresses, fingerprint = bouncer.listeners.addresses, bouncer.tls.fingerprint
    house = bouncer.house
    if house.users():
        with suppress(OSError):  # nobody listens there; `status` tells the same
            print("\n".join(started(addresses, fingerprint)), flush=True)
        return
    password = generated_password()
    password_hash, scram = await bouncer.passwords.hash(password), await bouncer.passwords.scram(password)
    user = User(house.new_user_id(), FIRST_USER, password_hash, scram, admin=True)
    try:
        print("\n".join(first_start(FIRST_USER, password, addresses, fingerprint)), flush=True)
    except OSError as error:
        raise Refused(f"Can't print the admin's password: {error.strerror}; no account was made.") from error
    house.replace(user)
    bouncer.store.put_users([user])
    await bouncer.store.settled()


async def _watch_certificate(bouncer: Bouncer, stop: asyncio.Event) -> None:
    """Until the end, take a certificate that was replaced in its file into use."""
    while True:
        try:
            async with asyncio.timeout(CERTIFICATE_CHECK):
                await stop.wait()
            return
        except TimeoutError:
            if bouncer.tls.changed():
                _reload_certificate(bouncer)


def _reload_certificate(bouncer: Bouncer) -> None:
    try:
        bouncer.tls.reload()
        logger.info("new certificate, SHA-256 fingerprint %s", bouncer.tls.fingerprint)
    except Refused as refusal:
        logger.error("the certificate stays as it was: %s", refusal)


def _reload(home: Home, before: Config, bouncer: Bouncer, stop: asyncio.Event) -> None:
    """SIGHUP: take the settings file and the certificate as they are now; nobody is dropped."""
    if stop.is_set():
        return  # it would open again what is being closed
    try:
        config = load_config(home.config)
    except Refused as refusal:
        logger.error("the settings stay as they were: %s", refusal)
        return
    if _lasting(config) != _lasting(before):
        logger.warning("hostname, store, [tls], source, ident and oidentd change at the next start")
    if bouncer.tls.changed():
        _reload_certificate(bouncer)
    bouncer.desk.spawn(_relisten(bouncer, config), "reload")


def _lasting(config: Config) -> tuple[object, ...]:
    upstream = config.upstream
    return config.hostname, config.store, config.tls, upstream.source, upstream.ident, upstream.oidentd


async def _relisten(bouncer: Bouncer, config: Config) -> None:
    try:
        await bouncer.listeners.open(map(str, config.listen))
    except Refused as refusal:
        logger.error("the listeners stay as they were: %s", refusal)
        return
    bouncer.listeners.proxies, bouncer.listeners.origins = Proxies(config.trusted_proxies), config.origins
    bouncer.pacing.pace = config.upstream.pace or None
    logger.info("settings read again; listening on %s", ", ".join(bouncer.listeners.addresses))
