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
    text = "\n".join(first_start("admin", "s3cret", ["unix:/run/b"], PRINT))
    assert "/run/b, without TLS, user name admin" in text
    assert "s3cret" in text
    assert "/server add" not in text
    assert PRINT not in text
    assert text.endswith("and log in as admin/libera from then on.")


def test_a_websocket_alone_is_not_shown_to_clients_that_speak_none() -> None:
    text = "\n".join(first_start("admin", "s3cret", ["unix:/run/b", "wss://[::]:443"], PRINT))
    assert "server wss://127.0.0.1:443, user name admin" in text
    assert PRINT in text
    assert "another machine" in text
    plain = "\n".join(first_start("admin", "s3cret", ["ws+insecure://[2001:db8::1]:8067"], PRINT))
    assert "server ws://[2001:db8::1]:8067, user name admin" in plain
    assert "reverse proxy" in plain
    assert PRINT not in plain
    for each in (text, plain):
        assert "/server add" not in each
        assert each.endswith("and log in as admin/libera from then on.")


def test_irc_comes_before_websockets_whatever_their_order_and_security() -> None:
    text = "\n".join(first_start("admin", "s3cret", ["wss://[::]:443", "ws+insecure://[::1]:80", PLAIN], PRINT))
    assert "/server add bouncer 127.0.0.1/6667 -notls" in text
    assert "443" not in text


def test_later_starts_say_less() -> None:
    assert started([PLAIN, "ircs://[::]:6697"], PRINT)[0] == f"Listening on {PLAIN}, ircs://[::]:6697."
    assert PRINT in started([PLAIN, "ircs://[::]:6697"], PRINT)[1]
    assert started([PLAIN], PRINT) == [f"Listening on {PLAIN}."]
