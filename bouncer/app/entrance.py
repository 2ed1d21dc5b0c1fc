"""Lets clients in: checks who they say they are, finds their network, gives them their place there.

Owns the way from a complete registration to a session. Tasks are the desk's: one for each question, none of them on the
path of relayed text.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, tzinfo
from types import MappingProxyType
from typing import Any, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bouncer.app.attempts import NAME_LIMIT, Attempts, Notices
from bouncer.app.desk import Desk
from bouncer.app.passwords import SALT_SIZE, SCRAM_ITERATIONS
from bouncer.app.visit import Visit
from bouncer.core.account import Account
from bouncer.core.house import House
from bouncer.core.link import Link
from bouncer.downstream.commands import COMMANDS
from bouncer.downstream.deliver import Renderer
from bouncer.downstream.login import Arrival, Credentials, Login, Proof
from bouncer.downstream.proofs import Proofs
from bouncer.downstream.replay import Replay
from bouncer.downstream.session import FAULT, Session
from bouncer.downstream.welcome import note
from bouncer.irc import numerics
from bouncer.irc.sasl import ScramKeys, no_keys, read_keys
from bouncer.model.capability import Capability
from bouncer.model.errors import Unavailable
from bouncer.model.ports import Cancellable, History, Records, Timers
from bouncer.model.records import FIRST_HELPING_DAYS, ClientCertificate, Token, User, fold_name
from bouncer.net.limits import site_of

logger = logging.getLogger(__name__)

DAY_MS = 24 * 3600 * 1000
NONCE_SIZE = 18  # bytes of ours in an exchange of SCRAM, RFC 5802 section 7 wants it unpredictable
BOUNCER_NETWORKS = "soju.im/bouncer-networks"  # who has asked for it chooses a network by BIND
# Wrong logins whose answer is held back. Each keeps its connection among those that have not logged in, of which there
# may be 512 in all and 32 of one address: most have to stay free for passwords that are right.
HELD_LIMIT = 128
HELD_PER_CROWD = 8
_TOO_MANY = "Too many wrong passwords at once; try again in a minute"


class Checker(Protocol):
    """Who checks passwords, on threads of its own; those of one line after another."""

    async def verify(self, password_hash: str, password: str, line: str = "") -> bool:
        """Whether it is the password; takes as long for an empty hash. Raises Unavailable."""

    async def scram(self, password: str) -> str:
        """The keys to keep for SCRAM-SHA-256. Raises Unavailable."""


class Entrance:
    """See `app.visit.Reception` for what visits use of it."""

    def __init__(
        self,
        *,
        desk: Desk,
        house: House,
        history: History,
        records: Records,
        passwords: Checker,
        timers: Timers,
        capabilities: Sequence[Capability],
        hostname: str,
        secret: bytes,
    ) -> None:
        """``secret`` is this bouncer's own and stays the same over restarts: what strangers see is derived of it."""
        self.hostname = hostname
        self.offered: Mapping[str, str | None] = MappingProxyType(
            {row.name: row.value for row in capabilities if row.offered}
        )
        self._desk = desk
        self._house = house
        self._history = history
        self._records = records
        self._passwords = passwords
        self._timers = timers
        self._secret = secret
        self._renderer = Renderer(capabilities)
        self._proofs = Proofs()
        self._attempts = Attempts()
        self._notices = Notices(timers, self._tell)
        self._checks: dict[Visit, asyncio.Task[None]] = {}
        self._held: dict[Visit, tuple[str, Cancellable]] = {}

    # --- what is known at once

    def known(self, user: str) -> bool:
        """Whether such a user exists."""
        return self._house.account(user) is not None

    def keys(self, user: str) -> ScramKeys:
        """The user's keys for SCRAM; keys that no password fits where there are none."""
        nobodys = no_keys(fold_name(user), self._secret, SCRAM_ITERATIONS, SALT_SIZE)
        account = self._house.account(user)
        kept = read_keys(account.user.scram if account is not None and account.user.enabled else "")
        return kept or nobodys

    def nonce(self) -> str:
        """A new one."""
        return secrets.token_urlsafe(NONCE_SIZE)

    def owners(self, fingerprint: str) -> Sequence[str]:
        """The users who may log in by this certificate."""
        return [user.name for user in self._house.users() if user.enabled and certificate_of(user, fingerprint)]

    def has_network(self, user: str, netid: int) -> bool:
        """Whether that is the id of a network of this user."""
        account = self._house.account(user)
        return account is not None and netid in account.links

    # --- is it who it says it is?

    def check(self, credentials: Credentials, visit: Visit) -> None:
        """Whether it is who it says it is. It takes as long for a user that does not exist."""
        work = self._or_end(visit, self._check(credentials, visit))
        self._checks[visit] = task = self._desk.spawn(work, f"login {visit.peer.address}")
        task.add_done_callback(lambda done: self._checked(visit, task))

    def _checked(self, visit: Visit, task: asyncio.Task[None]) -> None:
        if self._checks.get(visit) is task:  # with its answer the client's next question may have come
            del self._checks[visit]

    def left(self, visit: Visit) -> None:
        """Its client has gone: it does not keep others waiting."""
        if visit in self._checks:
            self._checks[visit].cancel()
        if visit in self._held:
            self._held.pop(visit)[1].cancel()

    async def _or_end(self, visit: Visit, work: Coroutine[Any, Any, None]) -> None:
        """Whatever goes wrong, a visit ends in a welcome or in a word why not (design 5.4)."""
        try:
            await work
        except Unavailable as failure:
            visit.end(str(failure))
        except Exception:
            logger.exception("an error of ours ends the visit from %s", visit.peer.address)
            visit.end(FAULT)

    async def _check(self, credentials: Credentials, visit: Visit) -> None:
        asked = self._timers.now()
        proof = await self._prove(credentials, visit)
        if visit.over:
            return
        if proof is None:
            self._wrong(credentials, visit, asked)
            return
        self._attempts.right(fold_name(proof.user))
        visit.verdict(proof)

    async def _prove(self, credentials: Credentials, visit: Visit) -> Proof | None:
        """One hash for each password that is wrong, whatever is wrong with it."""
        login, crowd, shown = credentials.login, visit.peer.crowd, visit.peer.fingerprint
        account = self._house.account(login.user)
        user = account.user if account is not None and account.user.enabled else None
        if credentials.proved is not None:
            if user is None or not credentials.proved:
                return None
            by_certificate = credentials.mechanism in ("EXTERNAL", "CERTIFICATE")
            return _proof(user, shown, certificate=shown if by_certificate else "")
        token = token_of(user, credentials.password) if user is not None else None
        if user is not None and token is not None:
            return _proof(user, shown, token)
        kept = account.user.password_hash if account is not None else ""
        # those that come by a proxy or from this machine share an address: there the name tells one from another too
        line = f"{site_of(crowd)} {crowd}" if crowd else f"{visit.peer.address} {fold_name(login.user)[:NAME_LIMIT]}"
        right = await self._passwords.verify(kept, credentials.password, line)
        account = self._house.account(login.user)
        if not right or account is None or not account.user.enabled or account.user.password_hash != kept:
            return None
        if not account.user.scram:
            self._desk.spawn(self._learn(account, credentials.password), f"keys of {account.user.name}")
        return _proof(account.user, shown)

    async def _learn(self, account: Account, password: str) -> None:
        """An account whose password was set as a hash, or by an older version, gets its keys for SCRAM."""
        kept = account.user.password_hash
        try:
            scram = await self._passwords.scram(password)
        except Unavailable:
            return  # the next login will do
        user = account.user
        if self._house.account(user.name) is account and user.password_hash == kept and not user.scram:
            self._house.replace(replace(user, scram=scram))
            self._records.put_users([account.user])

    def _wrong(self, credentials: Credentials, visit: Visit, asked: float) -> None:
        """Tell a visit that it is wrong, later and later. What it has waited since it ``asked`` counts: else many would
        be closed for being slow before they are told."""
        login, peer, now = credentials.login, visit.peer, self._timers.now()
        logger.warning("wrong login from %s", peer.address)
        account = self._house.account(login.user)
        if account is not None and account.sessions:
            self._notices.failed(account.user.id, peer.address)
        wait = self._attempts.wrong(peer.crowd, fold_name(login.user), now, *map(fold_name, credentials.names))
        wait -= now - asked
        if wait <= 0:
            visit.verdict(None)
            return
        others = sum(crowd == peer.crowd for crowd, _ in self._held.values()) if peer.crowd else 0
        if len(self._held) >= HELD_LIMIT or others >= HELD_PER_CROWD:
            visit.end(_TOO_MANY)
            return
        self._held[visit] = peer.crowd, self._timers.at(now + wait, lambda: self._let_go(visit))

    def _let_go(self, visit: Visit) -> None:
        del self._held[visit]
        visit.verdict(None)

    def _tell(self, user_id: int, text: str) -> None:
        """Tell a user's clients what happened at the door."""
        account = self._house.account_of(user_id)
        for session in account.sessions if account is not None else ():
            session.reply(note(session.nick, text))

    # --- where does it belong?

    def admit(self, visit: Visit) -> None:
        """Find the visitor's network and place, and let it in."""
        self._desk.spawn(self._or_end(visit, self._admit(visit)), f"admit {visit.peer.address}")

    async def _admit(self, visit: Visit) -> None:
        login, proof = visit.registration.admitted, visit.registration.proof
        account = self._house.account(login.user) if login else None
        if login is None or proof is None or account is None:
            visit.end("Your account was removed")
            return
        link = self._choose(account, login, unbound=BOUNCER_NETWORKS in visit.offer.enabled)
        if login.network and link is None:
            names = ", ".join(network.name for network in account.user.networks) or "none"
            visit.refuse(numerics.ERR_PASSWDMISMATCH, f"You have no network {login.network}; yours: {names}")
            return
        device = visit.registration.device
        if link is not None:
            await self._place(account, link, device)
            await self._learn_markers(link)
        if visit.over:
            return
        if not self._is_there(account, link, proof):  # it waited for the store, and settings do not wait
            visit.end("Your account or network was changed just now; connect again")
            return
        attached = {session.device for session in account.sessions}
        most = account.user.limits.devices
        if most and device not in attached and len(attached) >= most:
            text = f"You have {len(attached)} devices attached, which is your limit; close one"
            visit.refuse(numerics.ERR_YOUREBANNEDCREEP, f"{text}, or see /msg *bouncer status")
            return
        self._let_in(visit, account, link, self._arrival(visit, login, proof))

    def _arrival(self, visit: Visit, login: Login, proof: Proof) -> Arrival:
        peer, registration = visit.peer, visit.registration
        return Arrival(
            login,
            registration.device,
            peer.address,
            self._timers.now(),
            peer.secure,
            registration.nick,
            proof.token,
            proof.certificate,
            peer.fingerprint,
        )

    def _let_in(self, visit: Visit, account: Account, link: Link | None, arrival: Arrival) -> None:
        session = Session(
            sink=visit.peer,
            place=link or account.lobby,
            offer=visit.offer,
            renderer=self._renderer,
            commands=COMMANDS,
            arrival=arrival,
            ask=self._desk.ask,
            timers=self._timers,
            replay=Replay(self._renderer, zone_of(account.user.timezone)),
            proofs=self._proofs,
        )
        if link is not None:
            link.attach(session, link.positions.get(arrival.device, link.log.seq))
        else:
            account.lobby.attach(session, [network.name for network in account.user.networks])
        account.greet(session)
        if self._house.trouble:
            session.reply(note(session.nick, self._house.trouble))
        visit.let_in(session)
        logger.info("%s attached from %s", account.user.name, arrival.address)

    def _is_there(self, account: Account, link: Link | None, proof: Proof) -> bool:
        """Whether they are in the house still, and open, and what it came in by still opens."""
        user = account.user
        if self._house.account(user.name) is not account or not user.enabled:
            return False
        if proof.token and all(token.id != proof.token for token in user.tokens):
            return False
        if proof.certificate and not certificate_of(user, proof.certificate):
            return False
        return link is None or account.links.get(link.network.id) is link

    def _choose(self, account: Account, login: Login, *, unbound: bool) -> Link | None:
        """The network it goes to. ``unbound``: who names none wants none."""
        if login.netid:
            return account.links.get(login.netid)
        if login.network:
            return account.link(login.network)
        return next(iter(account.links.values())) if len(account.links) == 1 and not unbound else None

    async def _place(self, account: Account, link: Link, device: str) -> None:
        """Give a device that was never here a position, durable before it is welcomed."""
        if device in link.positions:
            return
        since = int(self._timers.now() * 1000) - FIRST_HELPING_DAYS * DAY_MS
        try:
            seq = await self._history.first_helping(link.network.id, account.user.first_helping, since)
            if device not in link.positions:
                link.place_device(device, seq)
            await self._records.settled()
        except Unavailable as failure:
            logger.error("a new device of %s begins at the newest line: %s", account.user.name, failure)

    async def _learn_markers(self, link: Link) -> None:
        """Have the network's read markers in memory: one question for the first client of it, none later."""
        if link.markers.loaded:
            return
        try:
            times = await self._history.markers(link.network.id)
        except Unavailable as failure:
            logger.error("the read markers of a network are not known: %s", failure)
            return
        if not link.markers.loaded:
            link.markers.load(times)


def certificate_of(user: User, fingerprint: str) -> ClientCertificate | None:
    """The user's certificate with this fingerprint, if it is one."""
    found = None
    for certificate in user.certificates if fingerprint else ():
        if hmac.compare_digest(certificate.fingerprint, fingerprint):
            found = certificate
    return found


def token_of(user: User, password: str) -> Token | None:
    """The user's token that is this password, if it is one."""
    digest = hashlib.sha256(password.encode("utf-8", "surrogateescape")).hexdigest()
    found = None
    for token in user.tokens:
        if hmac.compare_digest(token.digest, digest):
            found = token
    return found


def _proof(user: User, shown: str, token: Token | None = None, *, certificate: str = "") -> Proof:
    own = certificate_of(user, shown)
    stand_in = own.name.casefold() if own else ""
    if token is None:
        return Proof(user.name, stand_in=stand_in, certificate=certificate)
    return Proof(user.name, device=token.device, token=token.id)


def zone_of(name: str) -> tzinfo:
    """A time zone by its IANA name; UTC for a name that this machine does not know."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
