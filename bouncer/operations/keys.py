"""Certificates that are shown to networks (CertFP): made, and told apart by their fingerprints.

Owns their form. Must not know whose they are.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bouncer.model.errors import Refused

DAYS = 20 * 365  # a network knows it by its fingerprint; one that ends only locks its owner out
BACK_DAYS = 1  # a network's clock may be behind ours

HASHES = (("SHA-1", hashes.SHA1), ("SHA-256", hashes.SHA256), ("SHA-512", hashes.SHA512))


def make(name: str, now: float) -> str:
    """A new self-signed certificate and its key in PEM. P-256, which the TLS of every network takes."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = datetime.fromtimestamp(now, UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=BACK_DAYS))
        .not_valid_after(today + timedelta(days=DAYS))
        .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (certificate.public_bytes(serialization.Encoding.PEM) + private).decode()


def fingerprints(pem: str) -> dict[str, str]:
    """Those of the first certificate in it, by the hash's name, in lower-case hexadecimal. Raises Refused."""
    try:
        certificate = x509.load_pem_x509_certificates(pem.encode())[0]
    except ValueError as error:
        raise Refused("the certificate can't be read; cert generate makes a new one") from error
    return {name: certificate.fingerprint(kind()).hex() for name, kind in HASHES}
