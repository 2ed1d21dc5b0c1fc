"""One downstream connection from its first byte to its last: the way in, then a session.

Owns the order of these two. What needs an answer from outside (a password, a place) is asked at the entrance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from bouncer.downstream.deliver import CRLF
from bouncer.downstream.login import Credentials, Proof
from bouncer.downstream.registration import Porter, Registration, offered
from bouncer.downstream.session import Session
from bouncer.irc.caps import CapOffer
from bouncer.irc.message import Message
from bouncer.net.peer import Peer

if TYPE_CHECKING:
    from collections.abc import Mapping


class Reception(Porter, Protocol):
    """Where a visit asks."""

    @property
    def offered(self) -> Mapping[str, str | None]:
        """The capabilities that clients may ask for, with their values."""

    @property
    def hostname(self) -> str: ...

    def check(self, credentials: Credentials, visit: Visit) -> None:
        """Find out whether they are right and tell the visit, or end it with the reason why nobody can say."""

    def admit(self, visit: Visit) -> None:
        """Make a session for a visit whose registration is complete, or end it with the reason."""

    def left(self, visit: Visit) -> None:
        """Its client has gone before it was let in: whatever it waited for is not wanted any more."""


class Visit:
    """The conversation of one connection; `net` calls it."""

    def __init__(self, peer: Peer, reception: Reception) -> None:
        self.peer = peer
        self.over = False
        self._reception = reception
        self.offer = CapOffer(_with_mechanisms(reception.offered, peer.fingerprint))
        self.registration = Registration(self.offer, reception.hostname, reception, peer.fingerprint)
        self._session: Session | None = None
        self._admitting = False
        self._asked: Credentials | None = None  # the question that is out: each is put once

    def receive(self, messages: list[Message]) -> None:
        """Lines of the client, in order."""
        if self._session is not None:
            self._session.receive(messages)
            return
        for message in messages:
            self._write(self.registration.receive(message))
            self._step()
            if self.over:
                return

    def refused(self, count: int) -> None:
        """Lines were over the limit."""
        if self._session is not None:
            self._session.refused(count)
            return
        for _ in range(count):
            if self.over:
                return
            self._write(self.registration.refused())
            self._step()

    def writable(self) -> None:
        """The socket takes bytes again."""
        if self._session is not None:
            self._session.writable()

    def closed(self, reason: str) -> None:
        """The connection has ended."""
        self.over = True
        if self._session is not None:
            self._session.gone(reason)
        else:
            self._reception.left(self)

    def _step(self) -> None:
        registration = self.registration
        if registration.ended:
            self.end(registration.ended)
        elif registration.question is not None:
            if registration.question is not self._asked:
                self._asked = registration.question
                self._reception.check(self._asked, self)
        elif registration.admitted is not None and not self._admitting:
            self._admitting = True
            self._reception.admit(self)

    def verdict(self, proof: Proof | None) -> None:
        """What was asked last is right, by this proof, or wrong."""
        self._asked = None
        if not self.over:
            self._write(self.registration.answer(proof))
            self._step()

    def let_in(self, session: Session) -> None:
        """Go on as this session, with what the client said too early."""
        self._session = session
        self.peer.registered()
        rest = list(self.registration.rest)
        self.registration.rest.clear()
        session.receive(rest)

    def end(self, reason: str) -> None:
        """Close, with a word why."""
        if self._session is not None:
            self._session.close(reason)
            return
        self.over = True
        self.peer.close(Message.lenient("ERROR", f"Closing link: {reason}").raw + CRLF)

    def refuse(self, numeric: str, text: str) -> None:
        """Close after a numeric that says why."""
        self._write([Message.lenient(numeric, "*", text, source=self._reception.hostname)])
        self.end(text)

    def _write(self, replies: list[Message]) -> None:
        if replies:
            self.peer.write(b"".join(reply.raw + CRLF for reply in replies))


def _with_mechanisms(capabilities: Mapping[str, str | None], fingerprint: str) -> Mapping[str, str | None]:
    """What is offered, with the mechanisms of SASL that this client can use."""
    if "sasl" not in capabilities:
        return capabilities
    return {**capabilities, "sasl": ",".join(offered(fingerprint))}
