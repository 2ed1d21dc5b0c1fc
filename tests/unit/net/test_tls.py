from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bouncer.model.errors import Refused
from bouncer.net.tls import ServerTls, make_certificate, write_private
from bouncer.operations.certs import with_colons

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize("hostname", ["bnc.example.org", "a" * 63 + ".example.org", "localhost", "192.0.2.9"])
def test_a_certificate_names_the_host_and_loopback(hostname: str) -> None:
    certificate = x509.load_pem_x509_certificate(make_certificate(hostname, NOW))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    dns = names.get_values_for_type(x509.DNSName)
    addresses = names.get_values_for_type(x509.IPAddress)
    assert hostname in dns or ip_address(hostname) in addresses
    assert dns.count("localhost") == 1
    assert {ip_address("127.0.0.1"), ip_address("::1")} <= set(addresses)
    common_name = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    assert common_name == hostname[:64]
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)


def test_a_certificate_holds_ten_years_from_the_day_before() -> None:
    certificate = x509.load_pem_x509_certificate(make_certificate("a", NOW))
    assert certificate.not_valid_before_utc == NOW - timedelta(days=1)
    assert certificate.not_valid_after_utc.date().isoformat() == "2036-11-20"


def test_two_certificates_differ() -> None:
    assert make_certificate("a", NOW) != make_certificate("a", NOW)


def test_the_file_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "certs" / "server.pem"
    first = ServerTls(path, "bnc.example.org")
    assert first.made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [found.name for found in path.parent.iterdir()] == ["server.pem"]
    second = ServerTls(path, "other.example.org")
    assert not second.made
    assert second.fingerprint == first.fingerprint
    assert second.expires == first.expires


def test_a_certificate_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="Can't write a new certificate to "):
        ServerTls(tmp_path / "file" / "server.pem", "a")


def test_a_private_file_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError):
        write_private(tmp_path / "taken", b"secret")
    assert [found.name for found in tmp_path.iterdir()] == ["taken"]


def test_the_form_with_colons() -> None:
    assert with_colons("00abff") == "00:AB:FF"
