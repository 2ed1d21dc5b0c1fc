"""Client certificates: shown from memory, loaded once, and refused in words."""

from __future__ import annotations

import datetime
import os
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bouncer.client import Client
from bouncer.client.dialing import certificate_context
from tests.net.fake_server import FakeServer

Play = Callable[[Coroutine[Any, Any, Any]], Any]


class Certificate(Protocol):
    path: str
    fingerprint: str

    def server_context(self) -> ssl.SSLContext: ...


def test_a_certificate_is_shown_to_the_network(play: Play, certificate: Certificate) -> None:
    pem = Path(certificate.path).read_text()
    context = certificate.server_context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(certificate.path)

    async def test() -> None:
        async with FakeServer(context) as server:
            client = Client("localhost", server.port, certificate=pem, tls_fingerprint=certificate.fingerprint)
            await client.connect()
            visitor = await server.visitor()
            client.send_raw("PING x")
            assert await visitor.line() == "PING x"
            shown = visitor.certificate()
            assert (
                x509.load_der_x509_certificate(shown).fingerprint(hashes.SHA256()).hex(":") == certificate.fingerprint
            )
            await client.disconnect()

    play(test())


def test_it_is_loaded_once_for_all_networks(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = Path(certificate.path).read_text()
    assert certificate_context(pem, False) is certificate_context(pem, False)
    assert certificate_context(pem, True) is not certificate_context(pem, False)
    certificate_context.cache_clear()
    monkeypatch.delattr(os, "memfd_create")
    assert certificate_context(pem, True).verify_mode is ssl.CERT_REQUIRED


def locked() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    name = x509.Name([])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    lock = serialization.BestAvailableEncryption(b"secret")
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
    return (pem + made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)).decode()


@pytest.mark.parametrize(
    "pem", ["nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", locked()]
)
def test_one_that_can_not_be_used_says_so(play: Play, certificate: Certificate, pem: str) -> None:
    async def test() -> None:
        async with FakeServer(certificate.server_context()) as server:
            client = Client("localhost", server.port, certificate=pem)
            reasons: list[str] = []
            client.on("client_connect_failed", lambda reason: reasons.append(reason))
            with pytest.raises(OSError):
                await client.connect()
            assert reasons[0].startswith("the client certificate can't be used: ")

    play(test())
