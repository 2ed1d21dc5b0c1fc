"""TLS that asks the client for a certificate, and takes any.

Owns the bytes between a socket and a connection on such a listener. Must not know whose a certificate is.

Python's ``ssl`` can ask for a certificate only together with a check by authorities, which refuses all that are
self-signed, as nearly all of IRC's are. OpenSSL itself leaves the check to a callback; pyOpenSSL gives access to
that. The client proves that it holds the key by the handshake itself; who may log in with it is decided elsewhere.

What is written and read is given to OpenSSL without pyOpenSSL's steps around each call, which take longer than the
cipher for a line of text. Where a call does not do what is expected, pyOpenSSL is asked again, and says why.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.bindings.openssl.binding import Binding
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL, crypto

from bouncer.net.layer import Layer

READ_SIZE = 65536  # bytes of a handshake handed over at once: more than any has
# Bytes given to OpenSSL in one piece, the most that a record holds: its memory for what waits never shrinks.
PIECE = 16384
_ROOM = PIECE + 512  # what a record adds to the bytes in it is at most 29 bytes (TLS 1.2; 22 in 1.3)
# As Python's ssl has it: forward secrecy, authenticated encryption first
_CIPHERS = b"ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES:DHE+AES:!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM"
_ALPN = b"irc"


def asking_context(pem: bytes) -> SSL.Context:
    """A context that asks for a certificate; ``pem`` has the chain and the key. Raises SSL.Error and ValueError."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # an idle connection takes 28 KiB with it, and 54 without
    context.set_cipher_list(_CIPHERS)
    # no resumption: it saves a handshake in days, and a resumed session would have to carry the certificate
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(b"bouncer")
    context.set_verify(SSL.VERIFY_PEER, _take_any)
    context.set_alpn_select_callback(_choose)
    own, *chain = x509.load_pem_x509_certificates(pem)
    context.use_certificate(own)
    for certificate in chain:
        context.add_extra_chain_cert(certificate)
    context.use_privatekey(serialization.load_pem_private_key(pem, None))  # type: ignore[arg-type]  # of these kinds are all that a certificate of ours can have
    context.check_privatekey()
    return context


def _take_any(connection: SSL.Connection, certificate: object, error: int, depth: int, ok: int) -> bool:
    return True


def _choose(connection: SSL.Connection, offered: list[bytes]) -> bytes | SSL._NoOverlappingProtocols:
    # clients that name other protocols are served as well
    return _ALPN if _ALPN in offered else SSL.NO_OVERLAPPING_PROTOCOLS


class _Scratch(threading.local):
    """Memory that OpenSSL writes to, shared by all connections of a thread: what is in it is taken out at once."""

    def __init__(self) -> None:
        self.memory = Binding.ffi.new("char[]", _ROOM)
        self.view = Binding.ffi.buffer(self.memory)


_scratch = _Scratch()
_lib = Binding.lib


class Secured(Layer):
    """One connection's TLS. ``shown`` is called with the client's certificate (DER), if it shows one, before
    ``above`` hears of the connection."""

    __slots__ = ("_coming", "_going", "_memory", "_shown", "_ssl", "_tls", "_view")

    def __init__(
        self, above: asyncio.Protocol, deadline: float, context: SSL.Context, shown: Callable[[bytes], None]
    ) -> None:
        super().__init__(above, deadline)
        self._shown = shown
        self._tls = SSL.Connection(context, None)
        self._tls.set_accept_state()
        self._ssl, self._coming, self._going = self._tls._ssl, self._tls._into_ssl, self._tls._from_ssl
        self._memory, self._view = _scratch.memory, _scratch.view

    # For what is above

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and hand over."""
        if self._closing or not data:
            return
        whole = bytes(data)  # as it is, of bytes
        try:
            if len(whole) <= PIECE:
                self._send(self._encrypted(whole))
            else:
                pieces = range(0, len(whole), PIECE)
                self._send(b"".join([self._encrypted(whole[start : start + PIECE]) for start in pieces]))
        except SSL.Error as error:
            self._fail(_reason(error))

    def close(self) -> None:
        """Say that this is the end, and wait for the client to say so: the owner's deadline aborts."""
        if self._closing:
            return
        self._closing = True
        try:
            self._tls.shutdown()
        except SSL.Error:
            pass  # it has failed already
        self._flush()
        self._end_below()

    # For what is below

    def data_received(self, data: bytes) -> None:
        if self._error is not None:
            return
        try:
            if self._ready:
                for start in range(0, len(data), PIECE):
                    self._take(data[start : start + PIECE])
                    self._read()
                return
            self._tls.bio_write(data)
            if self._shake():
                self._read()
        except SSL.Error as error:
            self._flush()  # the alert
            self._fail(_reason(error))

    def eof_received(self) -> bool:
        if self._closing:
            self._below.close()
        elif self._ready:
            self._end()
        else:
            self._fail("it hung up")
            self._below.close()
        return True

    # Inside

    def _shake(self) -> bool:
        """Go on with the handshake; True when it is over."""
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            self._flush()
            return False
        self._flush()
        certificate = self._tls.get_peer_certificate()
        if isinstance(certificate, crypto.X509):  # its bytes: a strict parser would raise at what OpenSSL takes
            self._shown(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate))
        self._open()
        return True

    def _encrypted(self, piece: bytes) -> bytes:
        """A piece as records. Raises SSL.Error."""
        sent = _lib.SSL_write(self._ssl, piece, len(piece))
        while sent != len(piece):  # the client wants small records, or something is wrong
            piece = piece[max(sent, 0) :]
            sent = self._tls.send(piece)
        size = _lib.BIO_read(self._going, self._memory, _ROOM)
        records: bytes = self._view[: max(size, 0)]
        while size == _ROOM:
            size = _lib.BIO_read(self._going, self._memory, _ROOM)
            records += self._view[: max(size, 0)]
        return records

    def _take(self, piece: bytes) -> None:
        """Give OpenSSL what has come. Raises SSL.Error."""
        if _lib.BIO_write(self._coming, piece, len(piece)) != len(piece):
            raise SSL.Error("no memory is left")

    def _read(self) -> None:
        """Pass up all that can be decrypted, then the end, if it has come."""
        parts: list[bytes] = []
        size = _lib.SSL_read(self._ssl, self._memory, _ROOM)
        while size > 0:
            parts.append(self._view[:size])
            size = _lib.SSL_read(self._ssl, self._memory, _ROOM)
        if _lib.SSL_get_error(self._ssl, size) == _lib.SSL_ERROR_WANT_READ:
            self._pass(parts)
            return
        try:
            parts.append(self._tls.recv(PIECE))
        except SSL.WantReadError:
            self._pass(parts)
        except SSL.ZeroReturnError:
            self._pass(parts)
            self._end()
        except SSL.Error:
            self._pass(parts)
            raise
        else:
            self._pass(parts)

    def _pass(self, parts: list[bytes]) -> None:
        if parts and not self._closing:
            self._above.data_received(parts[0] if len(parts) == 1 else b"".join(parts))

    def _end(self) -> None:
        """The client has said that this is the end."""
        if not self._closing:
            self._above.eof_received()
            self.close()
        self._below.close()

    def _flush(self, size: int = READ_SIZE) -> None:
        """Hand over what is encrypted."""
        try:
            while True:
                data = self._tls.bio_read(size)
                self._send(data)
                if len(data) < size:
                    return
        except SSL.Error:
            pass  # there is no more


def _reason(error: SSL.Error) -> str:
    """The last of OpenSSL's reasons, as Python's ssl names them."""
    queue = error.args[0] if error.args else None
    if isinstance(queue, list) and queue:
        return str(queue[-1][-1]).upper().replace(" ", "_")
    return "it hung up"
