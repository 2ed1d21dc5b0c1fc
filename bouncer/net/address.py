"""Where to listen, as the settings say it: ``ircs://[::]:6697``, ``wss://[::]:443``, ``unix:PATH`` and others.

Owns this notation. Must not open anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from bouncer.model.errors import Refused

# scheme -> TLS?, WebSocket?, the port that clients take for it
_SCHEMES = {
    "ircs": (True, False, 6697),
    "irc+insecure": (False, False, 6667),
    "wss": (True, True, 443),
    "ws+insecure": (False, True, 80),
}
_NAMES = {(secure, websocket): name for name, (secure, websocket, _) in _SCHEMES.items()}
_NOT_BUILT = {"https": "web listeners are not built yet"}
_FORMS = "use ircs://HOST:PORT, irc+insecure://HOST:PORT, wss://HOST:PORT, ws+insecure://HOST:PORT or unix:PATH"
_BARE = {
    "irc": "say ircs:// for TLS, or irc+insecure:// for plain text",
    "ws": "say wss:// for TLS, or ws+insecure:// for plain text behind a proxy that has TLS",
}
IDENT_PORT = 113  # RFC 1413
# bytes with the final NUL; of sockaddr_un, which has 108 on Linux, but 104 on the BSDs and macOS
LONGEST_UNIX_PATH = 104


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """One place to listen: a host and a port, or (``path`` is not empty) a unix socket."""

    host: str = ""
    port: int = 0  # 0: any free one
    secure: bool = False
    path: str = ""
    websocket: bool = False

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{_NAMES[self.secure, self.websocket]}://{host}:{self.port}"


def parse_listen(text: str) -> ListenAddress:
    """Read one address. Raises Refused with a sentence that says what is wrong with it."""
    if not text.isprintable():  # urlsplit would drop line ends, and a message with them would be two
        raise Refused(f"Can't listen on {text!r}: there are characters in it that can't be; {_FORMS}.")
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower()
    if scheme in _NOT_BUILT:
        raise Refused(f"Can't listen on {text}: {_NOT_BUILT[scheme]}; {_FORMS}.")
    if scheme == "unix" and colon:
        return _unix(text, rest)
    if scheme in _BARE:
        raise Refused(f"Can't listen on {text}: {_BARE[scheme]}.")
    if scheme not in _SCHEMES or not rest.startswith("//"):
        raise Refused(f"Can't listen on {text!r}: not an address that is known; {_FORMS}.")
    secure, websocket, usual_port = _SCHEMES[scheme]
    try:
        parts = urlsplit(text)
        port = usual_port if parts.port is None else parts.port
        (parts.hostname or "").encode("idna")  # as the resolver will
    except UnicodeError as error:
        raise Refused(
            f"Can't listen on {text}: that is no host name; [::] is for all addresses of this machine."
        ) from error
    except ValueError as error:
        raise Refused(f"Can't listen on {text}: {error}; {_FORMS}.") from error
    if parts.username is not None or parts.query or parts.fragment or parts.path not in ("", "/"):
        raise Refused(f"Can't listen on {text}: only a host and a port can stand there; {_FORMS}.")
    if not parts.hostname:
        raise Refused(f"Can't listen on {text}: it names no host; [::] is for all addresses of this machine.")
    return ListenAddress(parts.hostname, port, secure, websocket=websocket)


def _unix(text: str, rest: str) -> ListenAddress:
    path = rest.removeprefix("//")
    if not path:
        raise Refused(f"Can't listen on {text!r}: it names no file; {_FORMS}.")
    return ListenAddress(path=path)


def parse_ident(text: str) -> tuple[str, int]:
    """Read where to answer ident questions, ``ident://HOST:PORT`` (port 113 if there is none), as host and port.
    Raises Refused with a sentence that says what is wrong with it."""
    form = "use ident://HOST:PORT, as in ident://[::]:113"
    try:
        parts = urlsplit(text)
        port = IDENT_PORT if parts.port is None else parts.port
    except ValueError as error:
        raise Refused(f"can't answer ident on {text!r}: {error}; {form}") from error
    rest = parts.username or parts.query or parts.fragment or parts.path.strip("/")
    if not text.isprintable() or parts.scheme != "ident" or not parts.hostname or rest:
        raise Refused(f"can't answer ident on {text!r}: {form}")
    return parts.hostname, port
