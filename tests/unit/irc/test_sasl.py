from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.irc.sasl import (
    LEAST_ITERATIONS,
    LONGEST_EXCHANGE,
    MOST_ITERATIONS,
    SCRAM_HASHES,
    Claim,
    ExternalServer,
    PlainServer,
    Reassembler,
    SaslError,
    SaslServer,
    SaslTooLong,
    ScramClient,
    ScramKeys,
    ScramServer,
    WrongProof,
    chunk,
    external,
    format_keys,
    no_keys,
    plain,
    read_keys,
    scram_keys,
)

# RFC 5802 section 5 and RFC 7677 section 3: the password is "pencil"
RFC_EXCHANGES = [
    (
        "SCRAM-SHA-1",
        "fyko+d2lbbFgONRv9qkxdawL",
        "3rfcNHYJY1ZVvWVs7j",
        "QSXCR+Q6sek8bf92",
        b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ),
    (
        "SCRAM-SHA-256",
        "rOprNGfwEbeRWgbNEkqO",
        "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        "W22ZaJ0SNY7soEsUEjb6gQ==",
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ),
]
NONCE = "rOprNGfwEbeRWgbNEkqO"
KEYS = scram_keys("pencil", b"salt", LEAST_ITERATIONS)


def lookup(name: str) -> ScramKeys | None:
    return KEYS if name in ("alice", "a,l=ice") else None


def claim_of(step: bytes | Claim) -> Claim:
    assert isinstance(step, Claim)
    return step


def challenge_of(step: bytes | Claim) -> bytes:
    assert isinstance(step, bytes)
    return step


@pytest.mark.parametrize(("mechanism", "cnonce", "snonce", "salt", "final", "verifier"), RFC_EXCHANGES)
def test_scram_speaks_the_exchanges_of_the_rfcs(
    mechanism: str, cnonce: str, snonce: str, salt: str, final: bytes, verifier: bytes
) -> None:
    client = ScramClient("user", "pencil", cnonce, mechanism=mechanism)
    keys = scram_keys("pencil", base64.b64decode(salt), 4096, mechanism)
    server = ScramServer(lambda name: keys if name == "user" else None, snonce, mechanism)
    assert client.mechanism == server.mechanism == mechanism
    first = client.step(b"")
    assert first == f"n,,n=user,r={cnonce}".encode()
    challenge = challenge_of(server.step(first))
    assert challenge == f"r={cnonce}{snonce},s={salt},i=4096".encode()
    assert client.step(challenge) == final
    assert server.step(final) == verifier
    done = client.done
    assert client.step(verifier) == b""
    assert (done, client.done) == (False, True)
    assert server.step(b"") == Claim(mechanism, "user", "", proved=True)


@pytest.mark.parametrize("mechanism", SCRAM_HASHES)
@pytest.mark.parametrize(
    ("name", "password", "authzid"),
    [("alice", "p=,e", "bob"), ("a,l=ice", "pa\u00adss", ""), ("\u2168", "\u00aa\U0001f600", "x=y"), ("é", "\x7f", "")],
)
def test_scram_agrees_with_itself(mechanism: str, name: str, password: str, authzid: str) -> None:
    keys = scram_keys(password, b"salt", LEAST_ITERATIONS, mechanism)
    client = ScramClient(name, password, "abc", authzid, mechanism)
    server = ScramServer(lambda _: keys, "def", mechanism)
    verifier = challenge_of(server.step(client.step(challenge_of(server.step(client.step(b""))))))
    assert client.step(verifier) == b""
    claim = claim_of(server.step(b""))
    assert (claim.authzid, claim.proved, claim.password) == (authzid, True, "")
    assert claim.authcid == ("IX" if name == "\u2168" else name)  # SASLprep, RFC 4013 section 3


def test_a_password_is_the_same_in_its_normal_forms() -> None:
    assert scram_keys("I\u00adX", b"salt", 1) == scram_keys("IX", b"salt", 1)
    assert scram_keys("\u00aa", b"salt", 1) == scram_keys("a", b"salt", 1)
    assert scram_keys("a\u00a0b", b"salt", 1) == scram_keys("a b", b"salt", 1)
    # what SASLprep forbids (a control; text of both directions) is taken as it is
    assert scram_keys("\u2168\u0085", b"salt", 1) != scram_keys("IX\u0085", b"salt", 1)
    assert scram_keys("\u0627\u2168", b"salt", 1) != scram_keys("\u0627IX", b"salt", 1)
    assert scram_keys("\u0627\u00ad\u0628", b"salt", 1) == scram_keys("\u0627\u0628", b"salt", 1)


def test_a_wrong_password_is_found_out() -> None:
    client = ScramClient("alice", "pencils", NONCE)
    server = ScramServer(lookup, "def")
    final = client.step(challenge_of(server.step(client.step(b""))))
    with pytest.raises(SaslError, match="proof is wrong"):
        server.step(final)
    with pytest.raises(SaslError, match="over"):
        server.step(b"")


def test_a_false_server_is_found_out() -> None:
    client = ScramClient("alice", "pencil", NONCE)
    client.step(b"")
    client.step(f"r={NONCE}x,s=c2FsdA==,i=4096".encode())
    with pytest.raises(SaslError, match="false"):
        client.step(b"v=" + base64.b64encode(b"x" * 32))
    assert not client.done
    with pytest.raises(SaslError, match="over"):
        client.step(b"")


@pytest.mark.parametrize("last", [b"e=invalid-proof", b"", b"v=", b"v=!", b"v"])
def test_a_server_that_proves_nothing_is_not_believed(last: bytes) -> None:
    client = ScramClient("alice", "pencil", NONCE)
    client.step(b"")
    client.step(f"r={NONCE}x,s=c2FsdA==,i=4096".encode())
    with pytest.raises(SaslError):
        client.step(last)
    assert not client.done


@pytest.mark.parametrize(
    "challenge",
    [
        "",
        "garbage",
        "r=other,s=c2FsdA==,i=4096",
        f"r={NONCE},s=c2FsdA==,i=4096",
        f"r={NONCE}x,s=,i=4096",
        f"r={NONCE}x,s=!,i=4096",
        f"r={NONCE}x,s=c2FsdA==",
        f"r={NONCE}x,s=c2FsdA==,i=x",
        f"r={NONCE}x,s=c2FsdA==,i={LEAST_ITERATIONS - 1}",
        f"r={NONCE}x,s=c2FsdA==,i={MOST_ITERATIONS + 1}",
        f"r={NONCE}x,s=c2FsdA==,i=99999999999",
        f"m=x,r={NONCE}x,s=c2FsdA==,i=4096",
    ],
)
def test_scram_client_refuses_a_wrong_challenge(challenge: str) -> None:
    client = ScramClient("alice", "pencil", NONCE)
    client.step(b"")
    with pytest.raises(SaslError):
        client.step(challenge.encode())
    with pytest.raises(SaslError, match="over"):
        client.step(b"")


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"garbage",
        b"n,,n=alice",
        b"n,,n=alice,r=",
        b"n,,r=abc,n=alice",
        b"n,,n=,r=abc",
        b"n,,n=bob,r=abc",
        b"n,,n=al=ice,r=abc",
        b"n,,n==2C3D,r=abc",
        b"n,,n=\xff,r=abc",
        b"n,,n=alice\r\nQUIT,r=abc",
        b"n,bob,n=alice,r=abc",
        b"n,a=b\0b,n=alice,r=abc",
        b"n,,m=x,n=alice,r=abc",
        b"p=tls-unique,,n=alice,r=abc",
    ],
)
def test_scram_server_refuses_a_wrong_greeting(response: bytes) -> None:
    server = ScramServer(lookup, "def")
    with pytest.raises(SaslError):
        server.step(response)
    with pytest.raises(SaslError, match="over"):
        server.step(b"n,,n=alice,r=abc")


def test_scram_server_takes_a_client_that_could_bind() -> None:
    assert challenge_of(ScramServer(lookup, "def").step(b"y,,n=a=2Cl=3Dice,r=abc")).startswith(b"r=abcdef,s=")


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"c=biws,r=abcdef",
        b"c=biws,r=abcdef,p=",
        b"c=biws,r=abcdef,p=!",
        b"c=biws,r=abcdef,p=eA==",
        b"c=biws,r=abc,p=" + base64.b64encode(b"x" * 32),
        b"c=eSws,r=abcdef,p=" + base64.b64encode(b"x" * 32),
        b"c=!,r=abcdef,p=" + base64.b64encode(b"x" * 32),
        b"c=biws,r=abcdef,p=" + base64.b64encode(b"x" * 32),
    ],
)
def test_scram_server_refuses_a_wrong_proof(response: bytes) -> None:
    server = ScramServer(lookup, "def")
    server.step(b"n,,n=alice,r=abc")
    with pytest.raises(SaslError):
        server.step(response)


@pytest.mark.parametrize("nonce", ["", "a,b", "a b", "é", "a\n"])
def test_nonces_are_printable_without_commas(nonce: str) -> None:
    with pytest.raises(ValueError, match="nonce"):
        ScramClient("alice", "pencil", nonce)
    with pytest.raises(ValueError, match="nonce"):
        ScramServer(lookup, nonce)


def test_an_unknown_hash_is_refused() -> None:
    with pytest.raises(ValueError, match="SCRAM-MD5"):
        ScramClient("alice", "pencil", NONCE, mechanism="SCRAM-MD5")


def test_plain_both_ways() -> None:
    client = plain("alice/libera@phone", "pä ss", "bob")
    assert client.mechanism == PlainServer.mechanism == "PLAIN"
    done = client.done
    response = client.step(b"")
    assert response == "bob\0alice/libera@phone\0pä ss".encode()
    assert (done, client.done) == (False, True)
    with pytest.raises(SaslError):
        client.step(b"more?")
    assert PlainServer().step(response) == Claim("PLAIN", "alice/libera@phone", "bob", "pä ss")
    with pytest.raises(ValueError):
        plain("alice", "nul\0")


@pytest.mark.parametrize(
    "response",
    [b"", b"alice", b"\0alice", b"\0alice\0", b"\0\0pass", b"\0a\0b\0c", b"\0a\xff\0b", b"\0a\0\xff", b"\0a\r\nb\0c"],
)
def test_plain_server_refuses_what_is_not_plain(response: bytes) -> None:
    with pytest.raises(SaslError):
        PlainServer().step(response)


def test_external_both_ways() -> None:
    assert external().step(b"") == b""
    assert external().mechanism == ExternalServer.mechanism == "EXTERNAL"
    assert external("bob").step(b"") == b"bob"
    assert ExternalServer().step(b"") == Claim("EXTERNAL", "", "")
    assert ExternalServer().step(b"bob") == Claim("EXTERNAL", "", "bob")
    for wrong in (b"\xff", b"a\0b", b"a\nb"):
        with pytest.raises(SaslError):
            ExternalServer().step(wrong)


def test_secrets_are_not_shown() -> None:
    shown = [plain("a", "hunter2"), ScramClient("a", "hunter2", "n"), Claim("PLAIN", "a", "", "hunter2")]
    assert all("hunter2" not in repr(thing) for thing in shown)
    assert repr(KEYS) == "<ScramKeys of 4096 iterations>"


def test_data_travels_in_pieces_of_400() -> None:
    assert chunk(b"") == ["+"]
    assert chunk(b"x" * 3) == ["eHh4"]
    assert [len(piece) for piece in chunk(b"x" * 301)] == [400, 4]
    assert chunk(b"x" * 300)[1:] == ["+"]


@given(st.binary(max_size=2000))
def test_pieces_come_together_again(data: bytes) -> None:
    reassembler = Reassembler()
    for _ in range(2):
        *first, last = chunk(data)
        assert all(len(piece) == 400 for piece in first)
        assert [reassembler.feed(piece) for piece in first] == [None] * len(first)
        assert reassembler.feed(last) == data


def test_too_much_is_refused_and_forgotten() -> None:
    reassembler = Reassembler(1000)
    with pytest.raises(SaslTooLong):
        reassembler.feed("A" * 401)
    assert [reassembler.feed("A" * 400) for _ in range(2)] == [None, None]
    with pytest.raises(SaslTooLong):
        reassembler.feed("A" * 400)
    assert reassembler.feed("eHh4") == b"xxx"
    endless = Reassembler()
    assert [endless.feed("A" * 400) for _ in range(LONGEST_EXCHANGE // 400)] == [None] * (LONGEST_EXCHANGE // 400)
    with pytest.raises(SaslTooLong):
        endless.feed("A" * 400)


@pytest.mark.parametrize(
    "payload", ["!", "abc", "é", "\udcff", "ab=c", "YQ==YQ==", "a b", "0000=", "0000==", "0000===="]
)
def test_what_is_not_base64_is_refused(payload: str) -> None:
    with pytest.raises(SaslError, match="base64"):
        Reassembler().feed(payload)


@given(st.lists(st.text()))
def test_any_payload_gives_data_or_an_error_of_ours(payloads: list[str]) -> None:
    reassembler = Reassembler()
    for payload in payloads:
        try:
            data = reassembler.feed(payload)
        except SaslError:
            continue
        last = chunk(data)[-1] if data is not None else "+"
        # up to four bits of the last letters say nothing, and need not be zero
        assert last == "+" or (len(last), last[:-3]) == (len(payload), payload[:-3])


scram_words = b"n , n=alice r=abc r=abcdef p=eA== c=biws s=eA== i=4096 v= =".split()
scram_bytes = st.lists(st.sampled_from(scram_words)).map(b"".join)


@given(st.lists(st.one_of(st.binary(), scram_bytes), max_size=4), st.sampled_from(["PLAIN", "EXTERNAL", "SCRAM"]))
def test_servers_take_any_bytes(responses: list[bytes], mechanism: str) -> None:
    servers: dict[str, SaslServer] = {
        "PLAIN": PlainServer(),
        "EXTERNAL": ExternalServer(),
        "SCRAM": ScramServer(lookup, "def"),
    }
    for response in responses:
        try:
            step = servers[mechanism].step(response)
        except SaslError:
            break
        if isinstance(step, Claim):
            assert not step.proved
            assert "\n" not in step.authcid + step.authzid


@given(st.lists(st.one_of(st.binary(), scram_bytes), max_size=3))
def test_scram_client_takes_any_bytes_and_believes_none(challenges: list[bytes]) -> None:
    client = ScramClient("alice", "pencil", "abc")
    for challenge in challenges:
        try:
            client.step(challenge)
        except SaslError:
            break
    assert not client.done


def test_kept_keys_are_read_back() -> None:
    # RFC 7677 section 3, in the form of RFC 5803
    text = format_keys(scram_keys("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096))
    assert text == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )
    keys = read_keys(text)
    assert keys is not None
    assert format_keys(keys) == text
    for broken in ("", "x", text[:-1], text.replace("W22Z", "W2Z"), text.replace("4096", "0"), text + "\n"):
        assert read_keys(broken) is None


def test_a_name_without_keys_fails_at_the_proof_with_the_same_salt_each_time() -> None:
    keys = no_keys("nobody", b"secret", 4096, 16)
    assert keys == no_keys("nobody", b"secret", 4096, 16)
    assert keys.salt != no_keys("nobodi", b"secret", 4096, 16).salt != no_keys("nobodi", b"other", 4096, 16).salt
    client, server = ScramClient("nobody", "pencil", NONCE), ScramServer(lambda name: keys, "def")
    challenge = challenge_of(server.step(client.step(b"")))
    assert b",i=4096" in challenge
    with pytest.raises(WrongProof):
        server.step(client.step(challenge))
