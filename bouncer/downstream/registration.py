"""A client before it is let in: CAP, PASS, NICK, USER and SASL, as a machine of values.

Owns what may be said before the welcome, and its answers. Must not know users, networks or hashes: whether a password
is right is a question put to the world outside, and while it is out the client's later lines wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import MappingProxyType

from bouncer.downstream.login import Credentials, Login, parse_login, parse_pass, unnamed_device
from bouncer.irc import numerics
from bouncer.irc.caps import CapOffer
from bouncer.irc.message import Message
from bouncer.irc.sasl import Claim, PlainServer, Reassembler, SaslError, SaslTooLong

WAITING_LIMIT = 64  # lines held while a password is checked (design 2); a client that sends more is not one
MECHANISMS = "PLAIN"


class Registration:
    """One client's way in.

    Give it each message; send what :meth:`receive` returns. When ``question`` is set, check those credentials and
    call :meth:`answer`. When ``admitted`` is set the client may be let in as that login; ``rest`` holds what it said
    too early. When ``ended`` is set, close with that reason.
    """

    def __init__(self, offer: CapOffer, server: str, known: Callable[[str], bool]) -> None:
        self.offer = offer
        self.question: Credentials | None = None
        self.admitted: Login | None = None
        self.ended = ""
        self.rest: deque[Message] = deque()
        self._server = server
        self._known = known
        self._nick = ""
        self._username = ""
        self._realname = ""
        self._password: str | None = None
        self._proved: Login | None = None
        self._by_sasl = False
        self._sasl: Reassembler | None = None

    @property
    def nick(self) -> str:
        """What the client calls itself."""
        return self._nick

    @property
    def device(self) -> str:
        """The key of this client's position."""
        named = self.admitted.device if self.admitted else ""
        return named or unnamed_device(self._username, self._realname)

    def receive(self, message: Message) -> list[Message]:
        """Take one line of the client; the lines to answer. Never raises."""
        if self.question is not None or self.admitted is not None:
            self.rest.append(message)
            if len(self.rest) > WAITING_LIMIT:
                self.ended = "Too many lines before the login"
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
        return [self._say(numerics.ERR_INPUTTOOLONG, "Input line was too long")]

    def answer(self, right: bool) -> list[Message]:
        """The credentials in ``question`` are right or wrong; the lines to send."""
        asked, self.question = self.question, None
        if asked is None:
            return []
        replies = []
        if right:
            self._proved = asked.login
            if self._by_sasl:
                text = f"You are now logged in as {asked.login.user}"
                replies.append(self._say(numerics.RPL_LOGGEDIN, self._nick or "*", asked.login.user, text))
                replies.append(self._say(numerics.RPL_SASLSUCCESS, "SASL authentication successful"))
        elif self._by_sasl:
            replies.append(self._say(numerics.ERR_SASLFAIL, "SASL authentication failed: wrong user or password"))
        else:
            replies.append(self._say(numerics.ERR_PASSWDMISMATCH, "Wrong user or password"))
            self.ended = "Wrong user or password"
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
        if self._proved is not None:
            said = parse_login(self._username)
            same = said.user.casefold() == self._proved.user.casefold()
            self.admitted = Login(
                self._proved.user,
                self._proved.network or (said.network if same else ""),
                self._proved.device or (said.device if same else ""),
            )
            return []
        if self._password is None:
            self.ended = "Password required"
            return [
                self._say(
                    numerics.ERR_PASSWDMISMATCH,
                    "Password required: give it as user/network:password in your client's server password, or use SASL",
                )
            ]
        login, password = parse_pass(self._password, self._username, self._known)
        self._by_sasl = False
        self._ask(login, password)
        return []

    def _ask(self, login: Login, password: str) -> None:
        self.question = Credentials(login, password, self._nick, self._username, self._realname)

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

    def _authenticate(self, message: Message) -> list[Message]:
        word = message.param(0)
        if self._proved is not None:
            return [self._say(numerics.ERR_SASLALREADY, "You have already authenticated using SASL")]
        if word == "*":
            self._sasl = None
            return [self._say(numerics.ERR_SASLABORTED, "SASL authentication aborted")]
        if self._sasl is None:
            if word.upper() not in MECHANISMS.split(","):
                return [
                    self._say(numerics.RPL_SASLMECHS, MECHANISMS, "are available SASL mechanisms"),
                    self._say(numerics.ERR_SASLFAIL, "SASL authentication failed: that mechanism is not offered"),
                ]
            self._sasl = Reassembler()
            return [Message.lenient("AUTHENTICATE", "+")]
        try:
            response = self._sasl.feed(word)
            if response is None:
                return []
            claim = PlainServer().step(response)
        except SaslTooLong:
            self._sasl = None
            return [self._say(numerics.ERR_SASLTOOLONG, "SASL message too long")]
        except SaslError as wrong:
            self._sasl = None
            return [self._say(numerics.ERR_SASLFAIL, f"SASL authentication failed: {wrong}")]
        self._sasl = None
        if isinstance(claim, Claim):
            self._by_sasl = True
            self._ask(parse_login(claim.authcid), claim.password or "")
        return []


_Row = tuple[Callable[[Registration, Message], list[Message]], int]

_ROWS = MappingProxyType[str, _Row](
    {
        "": (Registration._nothing, 0),
        "CAP": (Registration._cap, 1),
        "PASS": (Registration._pass, 1),
        "NICK": (Registration._take_nick, 0),
        "USER": (Registration._user, 1),
        "AUTHENTICATE": (Registration._authenticate, 1),
        "PING": (Registration._ping, 1),
        "PONG": (Registration._nothing, 0),
        "QUIT": (Registration._quit, 0),
    }
)
