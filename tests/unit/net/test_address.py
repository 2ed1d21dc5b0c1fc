from __future__ import annotations

import pytest

from bouncer.model.errors import Refused
from bouncer.net.address import ListenAddress, parse_listen


@pytest.mark.parametrize(
    ("text", "expected", "shown"),
    [
        ("ircs://[::]:6697", ListenAddress("::", 6697, True), "ircs://[::]:6697"),
        ("ircs://[::]", ListenAddress("::", 6697, True), "ircs://[::]:6697"),
        ("IRCS://BNC.example.org:0/", ListenAddress("bnc.example.org", 0, True), "ircs://bnc.example.org:0"),
        ("irc+insecure://127.0.0.1", ListenAddress("127.0.0.1", 6667, False), "irc+insecure://127.0.0.1:6667"),
        ("wss://[::]", ListenAddress("::", 443, True, websocket=True), "wss://[::]:443"),
        ("ws+insecure://[::1]:8", ListenAddress("::1", 8, websocket=True), "ws+insecure://[::1]:8"),
        ("unix:/run/b.sock", ListenAddress(path="/run/b.sock"), "unix:/run/b.sock"),
        ("unix:///run/b.sock", ListenAddress(path="/run/b.sock"), "unix:/run/b.sock"),
        ("unix:b.sock", ListenAddress(path="b.sock"), "unix:b.sock"),
    ],
)
def test_addresses_are_read_and_shown(text: str, expected: ListenAddress, shown: str) -> None:
    assert parse_listen(text) == expected
    assert str(expected) == shown
    assert parse_listen(shown) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not an address that is known"),
        ("6697", "not an address that is known"),
        ("[::]:6697", "not an address that is known"),
        ("ircs:6697", "not an address that is known"),
        ("http://[::]:80", "not an address that is known"),
        ("irc://[::]:6667", "say ircs:// for TLS"),
        ("ircs://[::]:66970", "out of range"),
        ("ircs://[::]:port", "Port could not be cast"),
        ("ircs://[::", "Invalid IPv6 URL"),
        ("ircs://:6697", "names no host"),
        ("ircs://a@[::]:6697", "only a host and a port"),
        ("ircs://[::]:6697/irc", "only a host and a port"),
        ("unix:", "names no file"),
        ("unix:a\0b", "characters in it that can't be"),
        ("ircs://a\nb:6697", "characters in it that can't be"),
        (f"ircs://{'a' * 64}:6697", "no host name"),
        ("ircs://a..b:6697", "no host name"),
        ("ws://[::]:80", "say wss:// for TLS"),
        ("https://[::]:443", "web listeners are not built yet"),
    ],
)
def test_what_is_no_address_is_refused_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(Refused, match="Can't listen on ") as refused:
        parse_listen(text)
    assert words in str(refused.value)
    assert str(refused.value).endswith(".")
    assert str(refused.value).isprintable()
