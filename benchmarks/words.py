"""The lines that are sent: made before the clock starts, so that sending them costs next to nothing.

Each has MARK once, and nothing else that is sent has it: who receives counts lines by counting that byte, wherever a
read ends. Texts are made of words by Zipf's law, as people's are, since an index of words is part of what is measured.
"""

from __future__ import annotations

import random
import time
from functools import cache
from itertools import islice

MARK = b"|"
CHUNK = 50  # lines of a write: some 6 KB
_POOL = 5_000  # different texts
_VOCABULARY = 3_000
_SPEAKERS = 200
_LETTERS = "etaoinshrdlucmfwypvbgkjqxz"


@cache
def texts() -> list[bytes]:
    """Texts with a mark, some 50 bytes each; always the same."""
    chance = random.Random(1)
    words = [
        "".join(chance.choices(_LETTERS, range(26, 0, -1), k=2 + rank.bit_length() // 2 + rank % 3))
        for rank in range(_VOCABULARY)
    ]
    weights = [1 / (rank + 2) for rank in range(_VOCABULARY)]
    return [" ".join(chance.choices(words, weights, k=chance.randrange(3, 14))).encode() + b" |" for _ in range(_POOL)]


@cache
def _said(channels: int) -> list[bytes]:
    """What comes before and after the tags of lines of the network, over all channels in turn."""
    said = texts()
    count = -(-max(_POOL, channels) // channels) * channels  # every channel as often as the others
    return [
        b":%s!~%s@host%d.example.org PRIVMSG %s :%s\r\n"
        % (speaker(number % _SPEAKERS), b"ident", number % _SPEAKERS, channel(number % channels), said[number % _POOL])
        for number in range(count)
    ]


def channel(number: int) -> bytes:
    return b"#channel%d" % number


def speaker(number: int) -> bytes:
    return b"speaker%d" % number


def downstream(lines: int, channels: int, *, tagged: bool = False, chunk: int = CHUNK) -> list[bytes]:
    """Chunks of lines from a network. With ``tagged`` each has the time, an id of its own and an account."""
    said = _said(channels)
    if not tagged:
        return _chunks([said[number % len(said)] for number in range(lines)], chunk)
    at = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)).encode()
    own = b"%012x" % int(at * 1e3)
    return _chunks(
        [
            b"@time=%s.%03dZ;msgid=%s-%d;account=%s %s"
            % (stamp, number % 1000, own, number, speaker(number % _SPEAKERS), said[number % len(said)])
            for number in range(lines)
        ],
        chunk,
    )


def upstream(lines: int, channels: int, chunk: int = CHUNK) -> list[bytes]:
    """Chunks of lines from a client."""
    said = texts()
    return _chunks(
        [b"PRIVMSG %s :%s\r\n" % (channel(number % channels), said[number % _POOL]) for number in range(lines)], chunk
    )


def _chunks(lines: list[bytes], size: int) -> list[bytes]:
    rest = iter(lines)
    return [b"".join(chunk) for chunk in iter(lambda: list(islice(rest, size)), [])]
