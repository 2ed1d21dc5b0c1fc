"""A fake network: welcomes whoever comes, lets them into every channel, and sends prepared bytes."""

from __future__ import annotations

import asyncio
import ssl
from functools import cache

from benchmarks.wire import Wire
from benchmarks.words import channel

# Several at once where a bouncer connects all its networks at the start.
_BACKLOG = 4096
_CAPS = b"message-tags server-time account-tag"
_NAMES = 20  # nicks in a line of 353
_SUPPORT = (
    b"CASEMAPPING=rfc1459 CHANTYPES=# PREFIX=(ov)@+ CHANMODES=b,k,l,imnpst NICKLEN=30 CHANNELLEN=50 TOPICLEN=300 "
    # soju sends without pacing to networks that say so
    b"soju.im/SAFERATE"
)


@cache
def _names(number: int, channels: int, members: int) -> list[list[bytes]]:
    """The members of each channel of a network. Someone in one of its channels is in a second one, too; nobody is on
    two networks, so that nothing can be saved by keeping what all networks have in common once."""
    people = max(1, channels * members // 2)
    return [
        [b"%s%x_%x" % (b"person", number, (which * members + place) % people) for place in range(members)]
        for which in range(channels)
    ]


class Upstream(Wire):
    """The network's end of one connection of a bouncer. ``number`` is which network this is, by the nick."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self._network = network
        self.number = -1
        self._nick = b""
        self._user = self._negotiates = self._registered = False
        self.joined = 0

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._network.left(self)

    def lines(self, lines: list[bytes]) -> None:
        for line in lines:
            command, _, rest = line.rstrip().partition(b" ")
            if handle := _HANDLERS.get(command.upper()):
                handle(self, rest)
        if self._nick and self._user and not self._negotiates and not self._registered:
            self._welcome()

    def nick(self, rest: bytes) -> None:
        if not self._registered:
            self._nick = rest.lstrip(b":")
            self.number = int(self._nick[1:])

    def user(self, rest: bytes) -> None:
        self._user = True

    def cap(self, rest: bytes) -> None:
        verb, _, wanted = rest.partition(b" ")
        if verb == b"LS":
            self._negotiates = not self._registered
            self.transport.write(b":irc.bench CAP * LS :%s\r\n" % (_CAPS if self._network.tagged else b""))
        elif verb == b"REQ":
            self.transport.write(b":irc.bench CAP * ACK %s\r\n" % wanted)
        elif verb == b"END":
            self._negotiates = False

    def _welcome(self) -> None:
        self._registered = True
        me = self._nick
        self.transport.write(
            b":irc.bench 001 %s :Welcome to the network %s!u@h\r\n:irc.bench 002 %s :Your host\r\n"
            b":irc.bench 003 %s :This server\r\n:irc.bench 004 %s irc.bench bench-1 iosw bklov bklov\r\n"
            b":irc.bench 005 %s NETWORK=bench%d %s :are supported by this server\r\n:irc.bench 422 %s :No MOTD\r\n"
            % (me, me, me, me, me, me, self.number, _SUPPORT, me)
        )
        self._network.came(self)

    def join(self, rest: bytes) -> None:
        me = self._nick
        for name in rest.partition(b" ")[0].lstrip(b":").split(b","):
            members = self._network.members_of(self.number, name)
            said = [b":%s!u@h JOIN %s\r\n" % (me, name)]
            said += [
                b":irc.bench 353 %s = %s :%s\r\n" % (me, name, b" ".join(members[start : start + _NAMES]))
                for start in range(0, len(members), _NAMES)
            ]
            said.append(b":irc.bench 353 %s = %s :%s\r\n:irc.bench 366 %s %s :End\r\n" % (me, name, me, me, name))
            self.transport.write(b"".join(said))
            self.joined += 1
        self._network.check()

    def mode(self, rest: bytes) -> None:
        if rest.startswith(b"#") and b" " not in rest:
            self.transport.write(b":irc.bench 324 %s %s +nt\r\n" % (self._nick, rest))

    def who(self, rest: bytes) -> None:
        self.transport.write(b":irc.bench 315 %s %s :End\r\n" % (self._nick, rest.partition(b" ")[0]))

    def pong(self, rest: bytes) -> None:
        self.pongs += 1

    def answer(self, rest: bytes) -> None:
        self.transport.write(b":irc.bench PONG irc.bench %s\r\n" % rest)


_HANDLERS = {
    b"NICK": Upstream.nick,
    b"USER": Upstream.user,
    b"CAP": Upstream.cap,
    b"JOIN": Upstream.join,
    b"MODE": Upstream.mode,
    b"WHO": Upstream.who,
    b"PING": Upstream.answer,
    b"PONG": Upstream.pong,
}


class Network:
    """All networks of one subject, behind one port: who comes as ``n7`` is on network 7."""

    def __init__(self, channels: int, members: int, *, tagged: bool = False) -> None:
        self.tagged = tagged
        self.connections: dict[int, Upstream] = {}
        self.port = 0
        self._channels, self._members = channels, members
        self._places = {channel(number): number for number in range(channels)}
        self._server: asyncio.Server
        self._wanted = 0
        self._joined: asyncio.Future[None] | None = None

    async def open(self, tls: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Upstream(self), "127.0.0.1", 0, backlog=_BACKLOG, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    def came(self, upstream: Upstream) -> None:
        self.connections[upstream.number] = upstream
        self.check()

    def left(self, upstream: Upstream) -> None:
        if self.connections.get(upstream.number) is upstream:
            del self.connections[upstream.number]

    def members_of(self, number: int, name: bytes) -> list[bytes]:
        return _names(number, self._channels, self._members)[self._places[name]]

    def check(self) -> None:
        if self._joined is None or self._joined.done():
            return
        if sum(each.joined >= self._channels for each in self.connections.values()) >= self._wanted:
            self._joined.set_result(None)

    def joined(self, networks: int) -> asyncio.Future[None]:
        """Done when so many networks are in all their channels."""
        self._wanted = networks
        self._joined = asyncio.get_running_loop().create_future()
        self.check()
        return self._joined

    def close(self) -> None:
        self._server.close()
        for upstream in list(self.connections.values()):
            upstream.transport.abort()
