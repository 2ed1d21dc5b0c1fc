from __future__ import annotations

from bouncer.app.greeting import first_start, started

PRINT = "ab" * 32
PLAIN = "irc+insecure://127.0.0.1:6667"


def test_the_first_start_says_what_to_type() -> None:
    text = "\n".join(first_start("admin", "s3cret", [PLAIN, "ircs://[::]:6697"], PRINT))
    assert f"/server add bouncer 127.0.0.1/6697 -tls -tls_fingerprint={PRINT}" in text
    assert "/set irc.server.bouncer.sasl_password s3cret" in text
    assert f"-tls_pinned_cert {'AB:' * 31}AB 127.0.0.1 6697 admin@irssi:s3cret" in text
    assert "server 127.0.0.1, port 6697, with TLS, user name admin" in text
    assert f"SHA-256 fingerprint: {PRINT}" in text
    assert "another machine" in text
    assert "`bouncer user password admin`" in text
    assert text.endswith("and log in as admin/libera from then on.")
    assert "another machine" not in "\n".join(first_start("admin", "s3cret", [PLAIN], PRINT))


def test_without_tls_no_certificate_is_spoken_of() -> None:
    text = "\n".join(first_start("admin", "s3cret", ["irc+insecure://192.0.2.7:6667"], PRINT))
    assert "/server add bouncer 192.0.2.7/6667 -notls -nossl" in text
    assert "admin@irssi:s3cret" in text
    assert PRINT not in text
    assert "another machine" not in text


def test_a_unix_socket_alone() -> None:
    assert any("unix:/run/b" in line for line in first_start("admin", "s3cret", ["unix:/run/b"], PRINT))


def test_later_starts_say_less() -> None:
    assert started([PLAIN, "ircs://[::]:6697"], PRINT)[0] == f"Listening on {PLAIN}, ircs://[::]:6697."
    assert PRINT in started([PLAIN, "ircs://[::]:6697"], PRINT)[1]
    assert started([PLAIN], PRINT) == [f"Listening on {PLAIN}."]
