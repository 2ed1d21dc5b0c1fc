"""A client before it is let in: CAP, PASS, NICK, USER, SASL and BOUNCER BIND, as a machine of values.

Owns what may be said before the welcome, and its answers. Must not know users, networks or hashes: what needs no
password is asked of the :class:`Porter` at once; whether a password is right is a question put to the world outside,
and while it is out the client's later lines wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Protocol

from bouncer.downstream.login import Credentials, Login, Proof, names_in_pass, parse_login, parse_pass, unnamed_device
from bouncer.irc import numerics
from bouncer.irc.caps import CapOffer
from bouncer.irc.message import Message
from bouncer.irc.sasl import (
    Claim,
    ExternalServer,
    PlainServer,
    Reassembler,
    SaslError,
    SaslServer,
    SaslTooLong,
    ScramKeys,
    ScramServer,
    WrongProof,
    chunk,
)

WAITING_LIMIT = 64  # lines held while a password is checked (design 2); a client that sends more is not one
# Lines of one client before its login. The longest way in has some 50: capabilities one by one, a token in pieces, a
# few failures. Our answers may wait in memory for who does not read them, and nobody knows yet who that is.
LINES_LIMIT = 200
FAILURES_LIMIT = 5  # of SASL in one connection: a client goes through its mechanisms, a person types anew; then it ends
NETID_DIGITS = 10  # of a network's id; more are nobody's

TOO_MANY = "Too many lines before the login"
WRONG = "Wrong user or password"
_AS_ANOTHER = "it logs in as one user to act as another; leave the authorization identity empty"
_AMBIGUOUS = "your certificate is registered by several users; name one as authorization identity or in USER"
_NOT_REGISTERED = "your certificate is not registered for that account; certificate add does it, once you are in"
_NO_CERTIFICATE = "EXTERNAL needs a TLS connection on which your client shows its certificate"
_NOT_OFFERED = "that mechanism is not offered"


class Porter(Protocol):
    """What can be said of the house at once. No answer that a stranger gets may tell by it who is in there."""

    def known(self, user: str) -> bool:
        """Whether such a user exists. For taking a PASS apart only."""

    def keys(self, user: str) -> ScramKeys:
        """The user's keys for SCRAM-SHA-256; for others keys that no password fits."""

    def nonce(self) -> str:
        """Printable text without a comma, new and unguessable each time."""

    def owners(self, fingerprint: str) -> Sequence[str]:
        """The users who may log in by this certificate."""

    def has_network(self, user: str, netid: int) -> bool:
        """Whether that is the id of a network of this user."""


class Registration:
    """One client's way in.

    Give it each message; send what :meth:`receive` returns. When ``question`` is set, check those credentials and
    call :meth:`answer`. When ``admitted`` is set the client may be let in as that login, which ``proof`` is of;
    ``rest`` holds what it said too early. When ``ended`` is set, close with that reason. ``fingerprint`` is of the
    certificate that the client shows, "" if none.
    """

    def __init__(self, offer: CapOffer, server: str, porter: Porter, fingerprint: str = "") -> None:
        self.offer = offer
        self.question: Credentials | None = None
        self.proof: Proof | None = None
        self.admitted: Login | None = None
        self.ended = ""
        self.rest: deque[Message] = deque()
        self._server = server
        self._porter = porter
        self._fingerprint = fingerprint
        self._nick = ""
        self._username = ""
        self._realname = ""
        self._password: str | None = None
        self._login: Login | None = None  # the one that was proved
        self._netid = 0
        self._exchange: SaslServer | None = None
        self._pieces = Reassembler()
        self._failures = 0
        self._lines = 0

    @property
    def nick(self) -> str:
        """What the client calls itself."""
        return self._nick

    @property
    def device(self) -> str:
        """The key of this client's position: its token's, else the one it named, else its certificate's, else a
        stand-in for the same settings of a client."""
        proof = self.proof or Proof("")
        named = self.admitted.device if self.admitted else ""
        return proof.device or named or proof.stand_in or unnamed_device(self._username, self._realname)

    def receive(self, message: Message) -> list[Message]:
        """Take one line of the client; the lines to answer. Never raises."""
        if self.question is not None or self.admitted is not None:
            self.rest.append(message)
            if len(self.rest) > WAITING_LIMIT:
                self.ended = TOO_MANY
            return []
        if self._one_too_many():
            return []
        row = _ROWS.get(message.command)
        if row is None:
            return [self._say(numerics.ERR_NOTREGISTERED, "You have not registered")]
        handler, least = row
        if len(message.params) < least:
            return [self._say(numerics.ERR_NEEDMOREPARAMS, message.command, "Not enough parameters")]
        return handler(self, message) + self._complete()

    def refused(self) -> list[Message]:
        """A line was longer than the limits allow."""
        if self._one_too_many():
            return []
        return [self._say(numerics.ERR_INPUTTOOLONG, "Input line was too long")]

    def _one_too_many(self) -> bool:
        """Count a line; True, and it has ended, if that was one too many."""
        self._lines += 1
        if self._lines > LINES_LIMIT:
            self.ended = TOO_MANY
        return self._lines > LINES_LIMIT

    def answer(self, proof: Proof | None) -> list[Message]:
        """The credentials in ``question`` are right, by this proof, or wrong; the lines to send."""
        asked, self.question = self.question, None
        if asked is None:
            return []
        replies = []
        by_sasl = asked.mechanism in MECHANISMS
        if proof is not None:
            self.proof, self._login = proof, replace(asked.login, user=proof.user)
            if by_sasl:
                text = f"You are now logged in as {proof.user}"
                replies.append(self._say(numerics.RPL_LOGGEDIN, self._nick or "*", proof.user, text))
                replies.append(self._say(numerics.RPL_SASLSUCCESS, "SASL authentication successful"))
        elif by_sasl:
            replies += self._failed("wrong user or password")
        else:
            replies.append(self._say(numerics.ERR_PASSWDMISMATCH, WRONG))
            self.ended = WRONG
        replies += self._complete()
        while self.rest and self.question is None and self.admitted is None and not self.ended:
            replies += self.receive(self.rest.popleft())
        return replies

    def _say(self, numeric: str, *params: str) -> Message:
        return Message.lenient(numeric, self._nick or "*", *params, source=self._server)

    def _complete(self) -> list[Message]:
        """See whether all has been said that must be."""
        if not self._nick or not self._username or self.offer.negotiating or self.question or self.ended:
            return []
        proved = self._login
        if proved is not None:
            said = parse_login(self._username)
            same = said.user.casefold() == proved.user.casefold()
            self.admitted = Login(
                proved.user,
                proved.network or (said.network if same else ""),
                proved.device or (said.device if same else ""),
                self._netid,
            )
            return []
        if self._password is not None:
            login, password = parse_pass(self._password, self._username, self._porter.known)
            self.question = Credentials(login, "PASS", password, names=names_in_pass(self._password, self._username))
            return []
        owned = self._owned("") if self._fingerprint else None
        if isinstance(owned, Login):
            self.question = Credentials(owned, "CERTIFICATE", proved=True)
            return []
        self.ended = "Password required"
        how = "give it as user/network:password in your client's server password, or use SASL"
        return [self._say(numerics.ERR_PASSWDMISMATCH, f"Password required: {how}")]

    def _owned(self, authzid: str) -> Login | str:
        """Whom the client's certificate logs in, by the name it gives if it gives one; or why nobody."""
        owners = self._porter.owners(self._fingerprint)
        said = parse_login(authzid or self._username)
        for owner in owners:
            if owner.casefold() == said.user.casefold():
                return said
        if len(owners) == 1 and not authzid:
            return Login(owners[0])
        return _AMBIGUOUS if owners and not authzid else _NOT_REGISTERED

    # --- what a client may say

    def _pass(self, message: Message) -> list[Message]:
        self._password = message.params[-1]
        return []

    def _take_nick(self, message: Message) -> list[Message]:
        nick = message.param(0)
        if not nick or nick[0] == ":" or " " in nick:
            return [self._say(numerics.ERR_NONICKNAMEGIVEN, "No nickname given")]
        self._nick = nick
        return []

    def _user(self, message: Message) -> list[Message]:
        self._username, self._realname = message.param(0), message.param(3)
        if not self._username:
            return [self._say(numerics.ERR_NEEDMOREPARAMS, "USER", "Not enough parameters")]
        return []

    def _cap(self, message: Message) -> list[Message]:
        return [self._say(reply[0], *reply[1:]) for reply in self.offer.receive(message)]

    def _ping(self, message: Message) -> list[Message]:
        return [Message.lenient("PONG", self._server, message.param(0), source=self._server)]

    def _quit(self, message: Message) -> list[Message]:
        self.ended = "Quit"
        return []

    def _nothing(self, message: Message) -> list[Message]:
        return []

    def _bouncer(self, message: Message) -> list[Message]:
        """BIND chooses the network (soju.im/bouncer-networks); its other subcommands are for who is registered."""
        if message.param(0).upper() != "BIND":
            return [self._say(numerics.ERR_NOTREGISTERED, "You have not registered")]
        if self._login is None:
            return [self._fail("ACCOUNT_REQUIRED", "BIND", "Log in by SASL before you choose a network")]
        wanted = message.param(1)
        known = wanted.isascii() and wanted.isdigit() and len(wanted) <= NETID_DIGITS
        if not known or not self._porter.has_network(self._login.user, int(wanted)):
            return [self._fail("INVALID_NETID", "BIND", wanted, "You have no network with that id")]
        self._netid = int(wanted)
        return []

    def _fail(self, code: str, *context: str) -> Message:
        return Message.lenient("FAIL", "BOUNCER", code, *context, source=self._server)

    # --- SASL

    def _authenticate(self, message: Message) -> list[Message]:
        word = message.param(0)
        if self._login is not None:
            return [self._say(numerics.ERR_SASLALREADY, "You have already authenticated using SASL")]
        if word == "*":
            self._exchange = None
            return [self._say(numerics.ERR_SASLABORTED, "SASL authentication aborted")]
        if self._exchange is None:
            return self._begin(word.upper())
        try:
            response = self._pieces.feed(word)
            if response is None:
                return []
            step = self._exchange.step(response)
        except WrongProof:
            return self._judge(Credentials(self._claimed, self._exchange.mechanism, proved=False))
        except SaslTooLong:
            return self._failed("", self._say(numerics.ERR_SASLTOOLONG, "SASL message too long"))
        except SaslError as wrong:
            return self._failed(str(wrong))
        if isinstance(step, Claim):
            return self._take(step)
        return [Message.lenient("AUTHENTICATE", piece) for piece in chunk(step)]

    def _begin(self, mechanism: str) -> list[Message]:
        make = MECHANISMS.get(mechanism)
        if make is not None and (mechanism != "EXTERNAL" or self._fingerprint):
            self._exchange, self._pieces = make(self), Reassembler()
            return [Message.lenient("AUTHENTICATE", "+")]
        names = ",".join(offered(self._fingerprint))
        listed = self._say(numerics.RPL_SASLMECHS, names, "are available SASL mechanisms")
        return [listed, *self._failed(_NOT_OFFERED if make is None else _NO_CERTIFICATE)]

    def _take(self, claim: Claim) -> list[Message]:
        """An exchange has come to its end: who is it?"""
        if claim.mechanism == "EXTERNAL":
            owned = self._owned(claim.authzid)
            if isinstance(owned, Login):
                return self._judge(Credentials(owned, claim.mechanism, proved=True))
            return self._failed(owned)  # at once: nobody guesses at the key of a certificate
        login = parse_login(claim.authcid)
        if claim.authzid and parse_login(claim.authzid).user.casefold() != login.user.casefold():
            return self._failed(_AS_ANOTHER)
        return self._judge(Credentials(login, claim.mechanism, claim.password, True if claim.proved else None))

    def _judge(self, credentials: Credentials) -> list[Message]:
        self._exchange = None
        self.question = credentials
        return []

    def _failed(self, why: str, reply: Message | None = None) -> list[Message]:
        self._exchange = None
        self._failures += 1
        if self._failures >= FAILURES_LIMIT:
            self.ended = "Too many failed logins"
        return [reply or self._say(numerics.ERR_SASLFAIL, f"SASL authentication failed: {why}")]

    def _scram(self) -> SaslServer:
        def keys(name: str) -> ScramKeys:
            self._claimed = parse_login(name)
            return self._porter.keys(self._claimed.user)

        self._claimed = Login("")
        return ScramServer(keys, self._porter.nonce())


# What may stand after AUTHENTICATE. EXTERNAL is first: a client that shows a certificate needs no password.
MECHANISMS = MappingProxyType[str, Callable[[Registration], SaslServer]](
    {
        "EXTERNAL": lambda registration: ExternalServer(),
        "PLAIN": lambda registration: PlainServer(),
        "SCRAM-SHA-256": Registration._scram,
    }
)


def offered(fingerprint: str) -> list[str]:
    """The mechanisms that a client may use which shows this certificate."""
    return [name for name in MECHANISMS if name != "EXTERNAL" or fingerprint]


_Row = tuple[Callable[[Registration, Message], list[Message]], int]

_ROWS = MappingProxyType[str, _Row](
    {
        "": (Registration._nothing, 0),
        "CAP": (Registration._cap, 1),
        "PASS": (Registration._pass, 1),
        "NICK": (Registration._take_nick, 0),
        "USER": (Registration._user, 1),
        "AUTHENTICATE": (Registration._authenticate, 1),
        "BOUNCER": (Registration._bouncer, 1),
        "PING": (Registration._ping, 1),
        "PONG": (Registration._nothing, 0),
        "QUIT": (Registration._quit, 0),
    }
)
