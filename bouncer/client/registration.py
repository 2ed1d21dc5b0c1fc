"""From a fresh connection to a registered one: CAP, PASS, NICK, USER, SASL.

Owns the order of what is said, which nick and which mechanism is tried next, and when to give up. Must not know
sockets, clocks or randomness: it is given the time and a nonce, and answers with lines. Times are seconds on any
clock that does not run backwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import chain

from bouncer.irc.caps import CapRequester
from bouncer.irc.message import Message
from bouncer.irc.sasl import Reassembler, SaslClient, SaslError, ScramClient, chunk, external, plain

REGISTRATION_TIMEOUT = 60.0  # seconds from the connection to 001: servers look up host and ident for up to 30
SASL_TIMEOUT = 20.0  # seconds for one answer: services behind the server may be gone
NICK_TRIES = 30  # names tried before the connection is given up
_SAFE_NICKLEN = 9  # RFC 1459 section 1.2: what every server takes; the real limit is told only after registration

MECHANISMS = ("EXTERNAL", "SCRAM-SHA-256", "PLAIN")  # the strongest first


@dataclass(frozen=True, slots=True)
class Sasl:
    """How to log in to the network's services.

    ``mechanism`` None tries EXTERNAL (with ``certificate``, or if there is no password), SCRAM-SHA-256 and PLAIN, as
    far as the network has them; a named one is the only one tried (SCRAM-SHA-512 and SCRAM-SHA-1 are known too).
    Credentials that the network refuses end it for good. ``required``: rather no connection than one that is not
    logged in, also where the network has no way to log in at the moment. ``optional``: also credentials that are
    refused cost no more than the login, for a certificate that services may not know yet.
    """

    mechanism: str | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    required: bool = False
    certificate: bool = False  # the connection has a client certificate
    optional: bool = False

    def mechanisms(self) -> tuple[str, ...]:
        """Those to try, in order."""
        if self.mechanism:
            return (self.mechanism.upper(),)
        if not self.password:
            return ("EXTERNAL",)
        return MECHANISMS if self.certificate else MECHANISMS[1:]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are on a network. ``ident`` and ``realname`` default to the nick."""

    nick: str
    alternative_nicks: tuple[str, ...] = ()
    ident: str = ""
    realname: str = ""
    password: str = field(default="", repr=False)  # the server's (PASS)
    sasl: Sasl | None = None
    wanted_caps: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Raises ValueError for what could not be said to a server."""
        Message.build("USER", self.nick, self.ident or self.nick, "*", self.realname)
        Message.build("PASS", self.password)
        for cap in self.wanted_caps:
            Message.build("CAP", cap, "")


class Stage(Enum):
    """How far a registration is."""

    UNDER_WAY = "under way"
    REGISTERED = "registered"
    FAILED = "failed"


def nick_candidates(nick: str, alternatives: tuple[str, ...], nicklen: int | None) -> Iterator[str]:
    """Nicks to try in turn, none twice: the wanted one, the alternatives, then the wanted one with something appended.

    What is appended keeps within ``nicklen``; not knowing it (None), within a limit that every server has, after a
    single try beyond.
    """
    seen: set[str] = set()
    for candidate in chain((nick, *alternatives), _made_nicks(nick, nicklen)):
        if candidate and candidate not in seen:
            seen.add(candidate)
            yield candidate
        if len(seen) == NICK_TRIES:
            return


def _made_nicks(nick: str, nicklen: int | None) -> Iterator[str]:
    limit = nicklen or max(len(nick), _SAFE_NICKLEN)
    if nicklen is None:
        yield nick + "_"
        if len(nick) > _SAFE_NICKLEN:
            yield nick[:_SAFE_NICKLEN]
            yield nick[: _SAFE_NICKLEN - 1] + "_"
    for ending in chain(("_", "__", "`"), map(str, range(1, 100))):
        yield nick[: limit - len(ending)] + ending


class Registration:
    """One connection's way in. Send what :meth:`start`, :meth:`receive` and :meth:`handle_timer` return.

    ``yielding``: leave the wanted nick to others and begin with the next one.

    ``stage`` tells how it stands, ``nick`` the name we ask for, then have. When it has failed, ``reason`` is a
    sentence, and ``permanent`` says that trying again with the same credentials is of no use. After 001 go on giving
    it what is in ``EVENTS``: new capabilities are asked for as they come, and when services come that were away, it
    logs in. ``account`` is as whom, as far as the network tells (900), "" if not; ``logged_in`` whether at all.
    """

    def __init__(
        self,
        identity: Identity,
        now: float,
        nonce: Callable[[], str],
        *,
        nicklen: int | None = None,
        yielding: bool = False,
    ) -> None:
        self.identity = identity
        self.stage = Stage.UNDER_WAY
        self.reason = ""
        self.permanent = False
        self.logged_in = False
        self.account = ""
        self.wanted_in_use = False  # the wanted nick is somebody's: it may become free
        self.deadline: float | None = now + REGISTRATION_TIMEOUT
        wanted = identity.wanted_caps
        self.caps = CapRequester(wanted | {"sasl"} if identity.sasl and "sasl" not in wanted else wanted)
        self._nonce = nonce
        self._end_by = now + REGISTRATION_TIMEOUT
        self._nicks = nick_candidates(identity.nick, identity.alternative_nicks, nicklen)
        self.nick = next(self._nicks, identity.nick)
        if yielding:
            self.nick = next(self._nicks, self.nick)
        self._negotiating = True
        self._mechanisms = list(identity.sasl.mechanisms()) if identity.sasl else []
        self._exchange: SaslClient | None = None
        self._reassembler: Reassembler | None = None  # of the exchange that is going on
        self._sasl_reason = ""
        self._answered = False  # the network has had an answer of this exchange
        self._sasl_refused = False  # the network judged our credentials, as opposed to never having seen them
        self._now = now

    def start(self) -> list[Message]:
        """The opening lines."""
        identity = self.identity
        lines = self.caps.start()
        if identity.password:
            lines.append(Message.build("PASS", identity.password))
        lines.append(Message.build("NICK", self.nick))
        realname = identity.realname or identity.nick
        lines.append(Message.build("USER", identity.ident or identity.nick, "0", "*", realname))
        return lines

    def receive(self, message: Message, now: float) -> list[Message]:
        """Take a line of the server; those of no interest are left alone. Never raises."""
        self._now = now
        if message.command in ("CAP", "410", "421", "451"):
            lines = self.caps.receive(message)
            return lines + (self._after_caps() if self.stage is Stage.UNDER_WAY else self._after_news(message))
        if self.stage is Stage.UNDER_WAY:
            handle = _ROWS.get(message.command)
        else:
            handle = _LATER_ROWS.get(message.command) if self.stage is Stage.REGISTERED else None
        return handle(self, message) if handle else []

    @property
    def login_failure(self) -> str:
        """Why we are registered without being logged in to services, though it was asked for; "" if not so."""
        if self.stage is not Stage.REGISTERED or self.identity.sasl is None or self.logged_in:
            return ""
        return self._sasl_reason or "the network offers no way to log in that we know"

    def handle_timer(self, now: float) -> list[Message]:
        """To be called at ``deadline``."""
        self._now = now
        if self.deadline is None or now < self.deadline:
            return []
        if now >= self._end_by and self.stage is Stage.UNDER_WAY:
            return self._fail(f"the server did not let us register within {REGISTRATION_TIMEOUT:.0f} seconds")
        self.deadline = self._end_by if self.stage is Stage.UNDER_WAY else None
        if self._exchange is None:
            return []
        return [Message.build("AUTHENTICATE", "*"), *self._next_mechanism("the services did not answer")]

    # --- capabilities ---------------------------------------------------------------------------------------------

    def _after_caps(self) -> list[Message]:
        """When all is asked and answered: log in, or end the negotiation."""
        if not self._negotiating or not self.caps.settled or self.stage is not Stage.UNDER_WAY:
            return []
        if self._exchange is not None:
            return []
        if self.identity.sasl is None:
            return self._end_caps()
        if "sasl" not in self.caps.enabled:
            return self._next_mechanism("the network offers no SASL", stop=True)
        return self._log_in()

    def _after_news(self, message: Message) -> list[Message]:
        """After 001: log in when services come (back), if they have us not logged in."""
        told = {word.lstrip("-~=").partition("=")[0] for param in message.params[2:] for word in param.split()}
        if (
            self.stage is not Stage.REGISTERED
            or message.param(1).upper() not in ("NEW", "ACK")
            or not self.caps.enabled & told & {"sasl"}
            or self.logged_in
            or self._exchange is not None
            or self._sasl_refused
        ):
            return []
        assert self.identity.sasl is not None  # else sasl would not have been asked for
        self._mechanisms = list(self.identity.sasl.mechanisms())
        self._sasl_reason = ""
        return self._log_in()

    def _log_in(self) -> list[Message]:
        offered = [name.upper() for name in self.caps.available.get("sasl", "").split(",") if name]
        if offered:  # without a list (CAP before 302) we can only try
            self._mechanisms = [name for name in self._mechanisms if name in offered]
        return self._next_mechanism("" if self._mechanisms else "the network has none of our SASL mechanisms")

    def _end_caps(self) -> list[Message]:
        """All is said that comes before 001; of a later login, simply all."""
        self._exchange = None
        if self.stage is Stage.REGISTERED:
            self.deadline = None
            return []
        self._negotiating = False
        self.deadline = self._end_by
        return [Message.build("CAP", "END")]

    # --- SASL -----------------------------------------------------------------------------------------------------

    def _next_mechanism(self, reason: str, *, stop: bool = False) -> list[Message]:
        """Begin with the next mechanism; ``reason`` is why the one before did not do."""
        sasl = self.identity.sasl
        assert sasl is not None
        self._sasl_reason = self._sasl_reason or reason
        self._exchange = None
        self._answered = False
        self._reassembler = Reassembler()
        while self._mechanisms and not stop:
            mechanism = self._mechanisms.pop(0)
            try:
                self._exchange = _sasl_client(mechanism, sasl, self._nonce())
            except (ValueError, SaslError) as error:
                self._sasl_reason = str(error)
                continue
            self.deadline = self._patience()
            return [Message.build("AUTHENTICATE", self._exchange.mechanism)]
        if self.stage is Stage.REGISTERED:
            return self._end_caps()
        if not sasl.required and (sasl.optional or not self._sasl_refused):
            return self._end_caps()
        return self._fail(f"login failed: {self._sasl_reason}", permanent=self._sasl_refused)

    def _patience(self) -> float:
        patience = self._now + SASL_TIMEOUT
        return min(patience, self._end_by) if self.stage is Stage.UNDER_WAY else patience

    def _authenticate(self, message: Message) -> list[Message]:
        if self._exchange is None or self._reassembler is None:
            return []
        try:
            challenge = self._reassembler.feed(message.param(0))
            if challenge is None:
                return []
            response = self._exchange.step(challenge)
        except SaslError as error:
            # whoever fails the proof must not be offered the password in the clear next
            self._mechanisms.clear()
            return [Message.build("AUTHENTICATE", "*"), *self._next_mechanism(str(error))]
        self.deadline = self._patience()
        self._answered = True
        return [Message.build("AUTHENTICATE", payload) for payload in chunk(response)]

    def _logged_in(self, message: Message) -> list[Message]:
        if self._exchange is None:
            return []
        if not self._exchange.done:
            self._mechanisms.clear()
            return self._next_mechanism("the server claims success without having proved that it knows the password")
        self.logged_in = True
        return self._end_caps()

    def _account(self, message: Message) -> list[Message]:
        """900: as whom we are logged in, by SASL (then 903 is the last word) or by other ways."""
        self.account = message.param(2)
        if self._exchange is None:
            self.logged_in = True
        return []

    def _logged_out(self, message: Message) -> list[Message]:
        self.account = ""
        self.logged_in = False
        return []

    def _already(self, message: Message) -> list[Message]:
        if self._exchange is None:
            return []
        self.logged_in = True
        return self._end_caps()

    def _login_failed(self, message: Message) -> list[Message]:
        if self._exchange is None:
            return []
        if message.command in ("902", "904") and self._answered:  # else it was the mechanism that was refused
            self._sasl_refused = True
            self._sasl_reason = message.param(len(message.params) - 1) or "the network refused the credentials"
        return self._next_mechanism("the exchange failed")

    def _mechanisms_listed(self, message: Message) -> list[Message]:
        """908: what the network has. A 904 follows, which moves us on."""
        offered = {name.upper() for name in message.param(1).split(",")}
        self._mechanisms = [name for name in self._mechanisms if name in offered]
        return []

    # --- nicks ----------------------------------------------------------------------------------------------------

    def _nick_refused(self, message: Message) -> list[Message]:
        if message.command == "437" and message.param(1)[:1] in ("#", "&", "!", "+"):
            return []  # the same numeric for channels
        if self.nick == self.identity.nick and message.command != "432":
            self.wanted_in_use = True
        following = next(self._nicks, None)
        if following is None:
            return self._fail(f"no nick could be had, the last tried was {self.nick}")
        self.nick = following
        try:
            return [Message.build("NICK", following)]
        except ValueError:  # an alternative that is no word
            return self._nick_refused(message)

    # --- ends -----------------------------------------------------------------------------------------------------

    def _welcome(self, message: Message) -> list[Message]:
        sasl = self.identity.sasl
        if sasl is not None and sasl.required and not self.logged_in:
            return self._fail(f"login failed: {self._sasl_reason or 'the network offers no SASL'}")
        self.nick = message.param(0) or self.nick
        self.stage = Stage.REGISTERED
        self.deadline = None
        self._nicks = iter(())  # not needed for the rest of a long life
        self._negotiating = False
        self._exchange = None
        return []

    def _fail(self, reason: str, *, permanent: bool = False) -> list[Message]:
        self.stage = Stage.FAILED
        self.reason = reason
        self.permanent = permanent
        self.deadline = None
        return []

    def _password_refused(self, message: Message) -> list[Message]:
        return self._fail(f"the server refused the password: {_text(message)}", permanent=True)

    def _banned(self, message: Message) -> list[Message]:
        return self._fail(f"the server bans us: {_text(message)}")

    def _standard_reply(self, message: Message) -> list[Message]:
        """FAIL (IRCv3 standard-replies): only what says that we can't come in like this ends the registration."""
        if message.param(1).upper().startswith("ACCOUNT_REQUIRED"):
            return self._fail(f"the network wants a login: {_text(message)}", permanent=True)
        return []


def _text(message: Message) -> str:
    return message.params[-1] if message.params else ""


def _sasl_client(mechanism: str, sasl: Sasl, nonce: str) -> SaslClient:
    """Raises ValueError for a mechanism that is not known or can't carry these credentials."""
    if mechanism == "EXTERNAL":
        return external(sasl.user)
    if mechanism == "PLAIN":
        return plain(sasl.user, sasl.password)
    return ScramClient(sasl.user, sasl.password, nonce, mechanism=mechanism)


_ROWS: dict[str, Callable[[Registration, Message], list[Message]]] = {
    "001": Registration._welcome,
    "AUTHENTICATE": Registration._authenticate,
    "432": Registration._nick_refused,
    "433": Registration._nick_refused,
    "436": Registration._nick_refused,
    "437": Registration._nick_refused,
    "464": Registration._password_refused,
    "465": Registration._banned,
    "900": Registration._account,
    "901": Registration._logged_out,
    "902": Registration._login_failed,
    "903": Registration._logged_in,
    "904": Registration._login_failed,
    "905": Registration._login_failed,
    "906": Registration._login_failed,
    "907": Registration._already,
    "908": Registration._mechanisms_listed,
    "FAIL": Registration._standard_reply,
}
_LATER_ROWS = {
    command: _ROWS[command]
    for command in ("AUTHENTICATE", "900", "901", "902", "903", "904", "905", "906", "907", "908")
}
EVENTS = ("CAP", "410", "421", "451", *_ROWS)
