"""The certificate under which we listen: made at first start, shown by its fingerprint, replaced while running.

Owns the PEM file and the contexts made of it. Must not know who listens.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import secrets
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL

from bouncer.model.errors import Refused
from bouncer.net.secure import asking_context

VALID_DAYS = 3653  # ten years: clients pin a self-signed certificate, and each new one asks them all to trust again
CLOCK_SKEW = timedelta(days=1)  # a client's clock may be behind ours; a certificate "not yet valid" helps nobody
MAX_PEM = 1024 * 1024  # bytes; a key with the longest chain has some 20,000, so more is some other file
LONGEST_COMMON_NAME = 64  # characters, X.520; the whole name stands in the alternative names


def fingerprint_of(der: bytes) -> str:
    """The SHA-256 of a certificate, as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(der).hexdigest()


def make_certificate(hostname: str, now: datetime) -> bytes:
    """A new self-signed certificate and its key as PEM: ECDSA P-256, for ``hostname``, localhost and loopback."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname[:LONGEST_COMMON_NAME])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(_names(hostname)), critical=False)
        # not an authority: some clients refuse an authority's certificate on a server
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _names(hostname: str) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ]
    try:
        own: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(hostname))
    except ValueError:
        own = x509.DNSName(hostname)
    return names if own in names else [own, *names]


def write_private(path: Path, data: bytes) -> None:
    """Put a secret file in place, whole or not at all, readable by nobody else. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


class ServerTls:
    """The certificate in use, from a PEM file that holds the chain (our own certificate first) and the key.

    ``context`` is for the next handshake, ``asking`` for one that asks the client for a certificate too (None unless
    ``ask`` is True); connections that stand keep what they were made with. ``fingerprint`` is
    that of our own certificate, ``expires`` when it ends. If ``path`` is absent, a self-signed certificate is made
    there. Raises Refused if the file can't be used.
    """

    def __init__(self, path: Path, hostname: str, *, ask: bool = False) -> None:
        self._path = path
        self._ask = ask
        self.made = not path.exists()
        if self.made:
            try:
                write_private(path, make_certificate(hostname, datetime.now(UTC)))
            except OSError as error:
                raise Refused(
                    f"Can't write a new certificate to {path}: {error.strerror}; "
                    "make that folder writable, or name another file as certificate under [tls]."
                ) from error
        self.context: ssl.SSLContext
        self.asking: SSL.Context | None
        self.fingerprint: str
        self.expires: datetime
        self.reload()

    def changed(self) -> bool:
        """True if the file is not the one that was last looked at. A file that is gone is no change."""
        seen = _looks(self._path)
        return seen is not None and seen != self._seen

    def reload(self) -> None:
        """Use the file as it is now for all handshakes to come. Raises Refused, and all stays as it was, if it is bad.

        A bad file counts as looked at too: :meth:`changed` does not report the same one twice.
        """
        self._seen = _looks(self._path)
        try:
            context, certificate = load(self._path)
            asking = asking_context(self._path.read_bytes()) if self._ask else None
        except OSError as error:
            raise Refused(
                f"Can't use the certificate {self._path}: {_why(error)}; "
                "it must be a PEM file with the certificate and its unencrypted key."
            ) from error
        except (ValueError, TypeError, SSL.Error) as error:
            raise Refused(
                f"Can't use the certificate {self._path}: no certificate can be read in it; "
                "it must be a PEM file with the certificate and its unencrypted key."
            ) from error
        self.context, self.asking = context, asking
        self.fingerprint = fingerprint_of(certificate.public_bytes(serialization.Encoding.DER))
        self.expires = certificate.not_valid_after_utc


def load(path: Path) -> tuple[ssl.SSLContext, x509.Certificate]:
    """A context for our side and the certificate it shows. Raises OSError (SSLError is one) and ValueError."""
    with path.open("rb") as file:
        pem = file.read(MAX_PEM + 1)
    if len(pem) > MAX_PEM:
        raise ValueError("too long for a PEM file")
    certificate = x509.load_pem_x509_certificates(pem)[0]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION  # a client could make us work for nothing with it
    context.set_alpn_protocols(["irc"])  # registered with IANA; clients that name none or others are served as well
    context.load_cert_chain(path, password="")  # without a password OpenSSL would ask for one on the terminal
    return context, certificate


def _looks(path: Path) -> tuple[int, int, int] | None:
    """What changes with a file's content, or None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _why(error: OSError) -> str:
    if not isinstance(error, ssl.SSLError):
        return (error.strerror or str(error)).lower()
    if error.reason == "KEY_VALUES_MISMATCH":
        return "its key belongs to another certificate"
    return "its key is missing or encrypted"
