"""Why a line can't be sent.

Apart from what raises them, since mypyc makes no classes out of Python's own.
"""

from __future__ import annotations


class NotConnected(ConnectionError, RuntimeError):
    """There is no connection to send on."""


class SendQueueFull(BufferError):
    """More is waiting to be sent than a connection may hold: the peer, or the pace, takes less than is being said."""
