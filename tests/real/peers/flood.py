"""A flood of logins, in a process of its own so that it never slows the test: python flood.py HOST PORT RATE SECONDS.

Opens RATE connections a second, each of which says a login with a wrong password at once and reads to the end. Prints
what became of them as JSON: how many were made, how many were let in, and how often each last line came.
"""

import json
import selectors
import socket
import sys
import time
from collections import Counter

LOGIN = b"PASS alice/net@flood:wrong\r\nNICK alice\r\nUSER alice 0 * :flood\r\n"
TICK = 0.005  # seconds between two groups of connects
OPEN_LIMIT = 900  # connections at once: under the descriptors that a process has
GRACE = 5.0  # seconds after the last connect in which answers are still read


class Flood:
    def __init__(self, host: str, port: int) -> None:
        self.at = (host, port)
        self.selector = selectors.DefaultSelector()
        self.open = 0
        self.made = 0
        self.held = 0  # not made, since too many were open
        self.endings: Counter[str] = Counter()

    def connect(self) -> None:
        if self.open >= OPEN_LIMIT:
            self.held += 1
            return
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(self.at)
        self.open += 1
        self.made += 1
        self.selector.register(sock, selectors.EVENT_WRITE, b"")

    def turn(self, timeout: float) -> None:
        for key, events in self.selector.select(timeout):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            try:
                if events & selectors.EVENT_WRITE:
                    sock.send(LOGIN)
                    self.selector.modify(sock, selectors.EVENT_READ, b"")
                    continue
                data = sock.recv(4096)
                if data:
                    self.selector.modify(sock, selectors.EVENT_READ, key.data + data)
                    continue
                self.end(sock, key.data)
            except OSError as error:
                self.end(sock, key.data or type(error).__name__.encode())

    def end(self, sock: socket.socket, data: bytes) -> None:
        last = data.strip().split(b"\r\n")[-1].decode(errors="replace")
        self.endings[last] += 1
        self.selector.unregister(sock)
        sock.close()
        self.open -= 1


def main(host: str, port: str, rate: str, seconds: str) -> None:
    flood = Flood(host, int(port))
    start = time.monotonic()
    due = 0.0
    while (now := time.monotonic()) - start < float(seconds):
        due = (now - start) * float(rate)
        while flood.made + flood.held < due:
            flood.connect()
        flood.turn(TICK)
    while flood.open and time.monotonic() - start < float(seconds) + GRACE:
        flood.turn(TICK)
    print(json.dumps({"made": flood.made, "held": flood.held, "open": flood.open, "endings": dict(flood.endings)}))


main(*sys.argv[1:])
