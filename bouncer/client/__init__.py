"""An asynchronous IRC client: ``from bouncer.client import Client``.

Sync and async functions handle events; ``connect`` and ``disconnect`` are complete when they return. A bare
:class:`Client` says nothing on its own: what a session needs is installed on it, see :func:`install_usual`.

The machines of values (registration, regain, backoff, pacing, liveness, events, commands) know no asyncio; the shell
around them (dialing, connection, dispatch, client, handlers, reconnect) decides nothing that they can decide.
"""

from bouncer.client.backoff import HostPacing, Server
from bouncer.client.client import Client, ConnectCancelled
from bouncer.client.connection import Connection, Sent
from bouncer.client.dialing import tls_context
from bouncer.client.dispatch import Listener
from bouncer.client.errors import NotConnected, SendQueueFull
from bouncer.client.handlers import KeepAlive, Register, Usual, install_usual
from bouncer.client.pacing import Pace
from bouncer.client.reconnect import Phase, Reconnect, ReconnectState
from bouncer.client.registration import Identity, Sasl

__all__ = [
    "Client",
    "ConnectCancelled",
    "Connection",
    "HostPacing",
    "Identity",
    "KeepAlive",
    "Listener",
    "NotConnected",
    "Pace",
    "Phase",
    "Reconnect",
    "ReconnectState",
    "Register",
    "Sasl",
    "SendQueueFull",
    "Sent",
    "Server",
    "Usual",
    "install_usual",
    "tls_context",
]
