"""The listeners' certificate, as the operations see it: shown, and made anew."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from bouncer.model.errors import Refused
from bouncer.net.tls import ServerTls, fingerprint_of, load, make_certificate, write_private
from bouncer.operations.context import Certificate


class ListenerCertificate:
    """The Certs port of a home. ``tls`` is what the running listeners use, None if nothing runs."""

    def __init__(self, path: Path, hostname: str, tls: ServerTls | None) -> None:
        self._path = path
        self._hostname = hostname
        self._tls = tls

    async def show(self) -> Certificate:
        """The certificate in the file. Raises Refused if it can't be read."""
        return self._read()

    async def renew(self) -> Certificate:
        """Make a new self-signed one. Raises Refused for one that an authority has signed."""
        if self._is_from_an_authority():
            raise Refused(
                f"The certificate {self._path} is signed by an authority; renew it there and put the new one here"
            )
        try:
            write_private(self._path, make_certificate(self._hostname, datetime.now(UTC)))
        except OSError as error:
            raise Refused(f"Can't write {self._path}: {error.strerror}; make that folder writable") from error
        if self._tls is not None:
            self._tls.reload()
        return self._read()

    def _is_from_an_authority(self) -> bool:
        try:
            return not self._read().self_signed
        except Refused:
            return False  # what can't be read is of no use to anybody

    def _read(self) -> Certificate:
        try:
            _, certificate = load(self._path)
        except (OSError, ValueError) as error:
            raise Refused(
                f"No certificate can be read in {self._path}; `cert renew` makes a new self-signed one in its place"
            ) from error
        return Certificate(
            fingerprint_of(certificate.public_bytes(serialization.Encoding.DER)),
            _names(certificate),
            certificate.not_valid_before_utc.timestamp(),
            certificate.not_valid_after_utc.timestamp(),
            certificate.issuer == certificate.subject,
            str(self._path),
        )


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return (*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress)))
