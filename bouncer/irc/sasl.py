"""SASL as steps of values, for the side that logs in and the side that is logged in to.

Owns the mechanisms PLAIN (RFC 4616), EXTERNAL (RFC 4422 appendix A) and SCRAM (RFC 5802, RFC 7677), and how their bytes
travel in AUTHENTICATE (IRCv3 sasl-3.1). Must not know who may log in: a finished exchange gives a :class:`Claim`, to
be judged by the caller. Nonces and salts are arguments. Nothing here shows a secret in its ``repr``.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
import stringprep
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from typing import NamedTuple, Protocol

CHUNK = 400  # base64 characters in one AUTHENTICATE (sasl-3.1); a shorter one is the last
LONGEST_EXCHANGE = 8192  # base64 characters of one response or challenge: tokens may take some KB, nothing takes more
# work that a network may ask of us before we know it: 0.1 s or so. Services use 4,096 to 65,536
MOST_ITERATIONS = 200_000
LEAST_ITERATIONS = 4096  # RFC 7677 section 4; with fewer a false network would learn too much of the password

# SHA-1 is there for services that have nothing better, and still beats sending the password
SCRAM_HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512", "SCRAM-SHA-1": "sha1"}
_NONCE = re.compile(r"[\x21-\x2b\x2d-\x7e]+")  # RFC 5802 section 7: printable, no comma
_ITERATIONS = re.compile(rb"[1-9][0-9]{0,8}")
_BARE_EQUALS = re.compile(rb"=(?!2C|3D)")
_BREAKS = re.compile(r"[\r\n\0]")
_KEPT_KEYS = re.compile(
    r"SCRAM-SHA-256\$([1-9][0-9]{3,6}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/]{43}=):([A-Za-z0-9+/]{43}=)", re.ASCII
)


class SaslError(Exception):
    """The exchange can't go on: the peer broke the mechanism's rules, or its proof is wrong."""


class SaslTooLong(SaslError):
    """The peer sent more than a response or challenge may have (numeric 905)."""


class WrongProof(SaslError):
    """The exchange was as it should be, but the client does not know the password."""


class SaslClient(Protocol):
    """The side that logs in. ``mechanism`` goes into the first AUTHENTICATE."""

    mechanism: str

    @property
    def done(self) -> bool:
        """Whether all has been said, and (SCRAM) the peer has proved that it knows us: only then believe a 903."""

    def step(self, challenge: bytes) -> bytes:
        """The response to a challenge (the first one is empty). Raises SaslError if the peer is wrong.

        SCRAM's second step computes for up to about 0.1 s; it may be run in a worker thread.
        """


class Claim(NamedTuple):
    """How an exchange ended for the side that is logged in to.

    ``proved``: the mechanism itself has checked the password (SCRAM). Else ``password`` is to be checked (PLAIN), or
    the certificate of the connection (EXTERNAL, where ``authcid`` is empty). ``authzid`` is whom the client wants to
    act as, empty for itself.
    """

    mechanism: str
    authcid: str
    authzid: str
    password: str = ""
    proved: bool = False

    def __repr__(self) -> str:
        return f"<Claim {self.mechanism} {self.authcid!r} as {self.authzid!r}>"


class SaslServer(Protocol):
    """The side that is logged in to. The client speaks first: the first challenge is the empty one."""

    mechanism: str

    def step(self, response: bytes) -> bytes | Claim:
        """The next challenge, or how it ended. Raises SaslError (numeric 904) if the client is wrong."""


def chunk(data: bytes) -> list[str]:
    """The parameters of the AUTHENTICATE lines that carry ``data``: base64 in pieces of 400, "+" for an empty one."""
    text = b64encode(data).decode("ascii")
    pieces = [text[start : start + CHUNK] for start in range(0, len(text), CHUNK)]
    if len(text) % CHUNK == 0:
        pieces.append("+")
    return pieces


class Reassembler:
    """The other way: the parameters of AUTHENTICATE lines in, data out. ``limit`` is in base64 characters."""

    def __init__(self, limit: int = LONGEST_EXCHANGE) -> None:
        self._limit = limit
        self._text = ""

    def feed(self, payload: str) -> bytes | None:
        """Take one parameter; the data if that was the last one, else None.

        Raises SaslTooLong, or SaslError for what is not base64; then it is as new.
        """
        text = self._text + ("" if payload == "+" else payload)
        self._text = ""
        if len(payload) > CHUNK or len(text) > self._limit:
            raise SaslTooLong(f"more than {CHUNK} characters in a line, or {self._limit} in all")
        if len(payload) == CHUNK:
            self._text = text
            return None
        return _decode_base64(text.encode("utf-8", "surrogateescape"))


class _OneResponse:
    """A client whose mechanism says all it has to say in one response."""

    def __init__(self, mechanism: str, response: bytes) -> None:
        self.mechanism = mechanism
        self.done = False
        self._response = response

    def step(self, challenge: bytes) -> bytes:
        if self.done:
            raise SaslError(f"the server asks for more than {self.mechanism} has to say")
        self.done = True
        return self._response


def plain(authcid: str, password: str, authzid: str = "") -> SaslClient:
    """Log in with a password (RFC 4616). Raises ValueError for a NUL in any part."""
    if "\0" in authcid + password + authzid:
        raise ValueError("PLAIN can't carry NUL")
    return _OneResponse("PLAIN", "\0".join((authzid, authcid, password)).encode("utf-8", "surrogateescape"))


def external(authzid: str = "") -> SaslClient:
    """Log in with the connection's certificate (RFC 4422 appendix A)."""
    return _OneResponse("EXTERNAL", authzid.encode("utf-8", "surrogateescape"))


class ScramKeys(NamedTuple):
    """What the side that is logged in to keeps of a password (RFC 5802 section 3)."""

    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes

    def __repr__(self) -> str:
        return f"<ScramKeys of {self.iterations} iterations>"


def scram_keys(password: str, salt: bytes, iterations: int, mechanism: str = "SCRAM-SHA-256") -> ScramKeys:
    """Derive the keys to keep of ``password``; slow on purpose."""
    digest = SCRAM_HASHES[mechanism]
    salted = hashlib.pbkdf2_hmac(digest, _prepared(password), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", digest)
    return ScramKeys(
        salt, iterations, hashlib.new(digest, client_key).digest(), hmac.digest(salted, b"Server Key", digest)
    )


def format_keys(keys: ScramKeys) -> str:
    """Keys of SCRAM-SHA-256 as text (RFC 5803): ``SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey``."""
    salt, stored, server = (b64encode(part).decode("ascii") for part in (keys.salt, keys.stored_key, keys.server_key))
    return f"SCRAM-SHA-256${keys.iterations}:{salt}${stored}:{server}"


def read_keys(text: str) -> ScramKeys | None:
    """The keys of SCRAM-SHA-256 that :func:`format_keys` wrote, None if they are not understood."""
    match = _KEPT_KEYS.fullmatch(text)
    if match is None:
        return None
    try:
        salt, stored, server = (_decode_base64(part.encode("ascii")) for part in match.groups()[1:])
    except SaslError:
        return None
    return ScramKeys(salt, int(match[1]), stored, server)


def no_keys(name: str, secret: bytes, iterations: int, salt_size: int) -> ScramKeys:
    """Keys that no password fits, for a name that has none: the same each time, so that nobody can tell (RFC 5802
    section 9 has the salt known to all who ask). ``secret`` is known to us alone."""
    part = [hmac.digest(secret, f"{use}\0{name}".encode("utf-8", "surrogateescape"), "sha256") for use in "123"]
    return ScramKeys(part[0][:salt_size], iterations, part[1], part[2])


class ScramClient:
    """Log in with a password that is not sent, to a server that has to know it too (RFC 5802, without binding).

    ``nonce`` is printable text without a comma, new and unguessable each time: else ValueError, as for a mechanism
    that is not in SCRAM_HASHES.
    """

    def __init__(
        self, authcid: str, password: str, nonce: str, authzid: str = "", mechanism: str = "SCRAM-SHA-256"
    ) -> None:
        self.mechanism = mechanism
        self.done = False
        self._digest = _digest_of(mechanism)
        self._password = _prepared(password)
        self._nonce = _checked_nonce(nonce)
        self._header = b"n," + (b"a=" + _escape_name(authzid) if authzid else b"") + b","
        self._first = b"n=" + _escape_name(authcid) + b",r=" + self._nonce
        self._expected = b""
        self._next: Callable[[bytes], bytes] = self._begin

    def step(self, challenge: bytes) -> bytes:
        """See :class:`SaslClient`."""
        return self._next(challenge)

    def _begin(self, challenge: bytes) -> bytes:
        self._next = self._prove
        return self._header + self._first

    def _prove(self, challenge: bytes) -> bytes:
        self._next = self._refuse
        fields = _fields(challenge)
        nonce = fields.get(b"r", b"")
        salt = _decode_base64(fields.get(b"s", b""))
        count = fields.get(b"i", b"")
        if b"m" in fields or not salt or not nonce.startswith(self._nonce) or len(nonce) == len(self._nonce):
            raise SaslError("the server's first message of SCRAM is wrong")
        if not _ITERATIONS.fullmatch(count) or not LEAST_ITERATIONS <= int(count) <= MOST_ITERATIONS:
            raise SaslError(
                f"the server asks for a number of iterations not from {LEAST_ITERATIONS} to {MOST_ITERATIONS}"
            )
        digest = self._digest
        final = b"c=" + b64encode(self._header) + b",r=" + nonce
        signed = b",".join((self._first, challenge, final))
        salted = hashlib.pbkdf2_hmac(digest, self._password, salt, int(count))
        client_key = hmac.digest(salted, b"Client Key", digest)
        signature = hmac.digest(hashlib.new(digest, client_key).digest(), signed, digest)
        self._expected = hmac.digest(hmac.digest(salted, b"Server Key", digest), signed, digest)
        self._next = self._verify
        return final + b",p=" + b64encode(_xor(client_key, signature))

    def _verify(self, challenge: bytes) -> bytes:
        self._next = self._refuse
        fields = _fields(challenge)
        if b"e" in fields:
            raise SaslError(f"the server refuses: {fields[b'e'][:100]!r}")
        if not hmac.compare_digest(_decode_base64(fields.get(b"v", b"")), self._expected):
            raise SaslError("the server does not know the password either: it may be false")
        self.done = True
        return b""

    def _refuse(self, challenge: bytes) -> bytes:
        raise SaslError("the exchange of SCRAM is over")


class PlainServer:
    """Take a password (RFC 4616); the claim has it, for the caller to check."""

    mechanism = "PLAIN"

    def step(self, response: bytes) -> bytes | Claim:
        """See :class:`SaslServer`."""
        parts = response.split(b"\0")
        if len(parts) != 3 or not parts[1] or not parts[2]:
            raise SaslError("not a response of PLAIN")
        return Claim(self.mechanism, _name(parts[1]), _name(parts[0]), password=_text(parts[2]))


class ExternalServer:
    """Take the word of the connection's certificate (RFC 4422 appendix A), which the caller has to look at."""

    mechanism = "EXTERNAL"

    def step(self, response: bytes) -> bytes | Claim:
        """See :class:`SaslServer`."""
        return Claim(self.mechanism, "", _name(response))


class ScramServer:
    """Check a password that is not sent (RFC 5802).

    ``lookup`` gives the keys kept for a name. For an unknown one it may give None, which ends the exchange, or keys
    that no password fits, so that nobody learns which names there are. ``nonce`` is as for :class:`ScramClient`.
    """

    def __init__(self, lookup: Callable[[str], ScramKeys | None], nonce: str, mechanism: str = "SCRAM-SHA-256") -> None:
        self.mechanism = mechanism
        self._digest = _digest_of(mechanism)
        self._lookup = lookup
        self._nonce = _checked_nonce(nonce)
        self._header = b""
        self._signed = b""
        self._keys = ScramKeys(b"", 0, b"", b"")
        self._claim = Claim(mechanism, "", "")
        self._next: Callable[[bytes], bytes | Claim] = self._greet

    def step(self, response: bytes) -> bytes | Claim:
        """See :class:`SaslServer`."""
        following = self._next
        self._next = self._refuse
        return following(response)

    def _greet(self, response: bytes) -> bytes:
        binding, _, rest = response.partition(b",")
        authzid, _, first = rest.partition(b",")
        fields = _fields(first)
        nonce = fields.get(b"r", b"")
        if binding not in (b"n", b"y") or b"m" in fields or not first.startswith(b"n=") or not nonce:
            raise SaslError("the client's first message of SCRAM is wrong, or asks for a channel binding")
        if authzid and not authzid.startswith(b"a="):
            raise SaslError("the client's first message of SCRAM is wrong")
        authcid = _unescape_name(fields[b"n"])
        keys = self._lookup(authcid) if authcid else None
        if keys is None:
            raise SaslError("no such login")
        self._header = response[: len(response) - len(first)]
        self._keys = keys
        self._claim = Claim(self.mechanism, authcid, _unescape_name(authzid[2:]), proved=True)
        self._nonce = nonce + self._nonce
        challenge = b"r=%b,s=%b,i=%d" % (self._nonce, b64encode(keys.salt), keys.iterations)
        self._signed = first + b"," + challenge
        self._next = self._check
        return challenge

    def _check(self, response: bytes) -> bytes:
        fields = _fields(response)
        final, found, _ = response.rpartition(b",p=")
        if not found or fields.get(b"r") != self._nonce or _decode_base64(fields.get(b"c", b"")) != self._header:
            raise SaslError("the client's final message of SCRAM is wrong")
        digest = self._digest
        signed = self._signed + b"," + final
        signature = hmac.digest(self._keys.stored_key, signed, digest)
        proof = _decode_base64(fields.get(b"p", b""))
        if len(proof) != len(signature):
            raise SaslError("the client's proof has the wrong length")
        client_key = _xor(proof, signature)
        if not hmac.compare_digest(hashlib.new(digest, client_key).digest(), self._keys.stored_key):
            raise WrongProof("the client's proof is wrong")
        self._next = self._finish
        return b"v=" + b64encode(hmac.digest(self._keys.server_key, signed, digest))

    def _finish(self, response: bytes) -> Claim:
        return self._claim

    def _refuse(self, response: bytes) -> bytes:
        raise SaslError("the exchange of SCRAM is over")


def _digest_of(mechanism: str) -> str:
    if mechanism not in SCRAM_HASHES:
        raise ValueError(f"{mechanism!r} is not one of {', '.join(SCRAM_HASHES)}")
    return SCRAM_HASHES[mechanism]


def _checked_nonce(nonce: str) -> bytes:
    if not _NONCE.fullmatch(nonce):
        raise ValueError("a nonce of SCRAM is printable ASCII without a comma")
    return nonce.encode("ascii")


def _decode_base64(data: bytes) -> bytes:
    if len(data) % 4 or data[-3:] == b"===":  # Python lets padding stand behind whole groups
        raise SaslError("not base64")
    try:
        return binascii.a2b_base64(data, strict_mode=True)
    except ValueError:
        raise SaslError("not base64") from None  # the cause would show what was sent, perhaps a password


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise SaslError("not UTF-8") from None


def _name(data: bytes) -> str:
    """A name that may be put into a line: base64 can carry what a line can't."""
    name = _text(data)
    if _BREAKS.search(name):
        raise SaslError("a name with CR, LF or NUL")
    return name


def _fields(message: bytes) -> dict[bytes, bytes]:
    """The attributes of a message of SCRAM by their letters (RFC 5802 section 5.1)."""
    fields = {}
    for item in message.split(b","):
        letter, _, value = item.partition(b"=")
        fields[letter] = value
    return fields


def _escape_name(name: str) -> bytes:
    return _prepared(name).replace(b"=", b"=3D").replace(b",", b"=2C")


def _unescape_name(name: bytes) -> str:
    if _BARE_EQUALS.search(name):
        raise SaslError("a name of SCRAM with a bare '='")
    return _name(name.replace(b"=2C", b",").replace(b"=3D", b"="))


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _prepared(text: str) -> bytes:
    """The text as SCRAM hashes it: after SASLprep (RFC 4013), or as it is where SASLprep forbids it."""
    prepared = text if text.isascii() else _saslprep(text)
    return prepared.encode("utf-8", "surrogateescape")


_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def _saslprep(text: str) -> str:
    mapped = "".join(
        " " if stringprep.in_table_c12(letter) else letter for letter in text if not stringprep.in_table_b1(letter)
    )
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if any(forbids(letter) for letter in prepared for forbids in _PROHIBITED):
        return text
    if any(map(stringprep.in_table_d1, prepared)) and (
        any(map(stringprep.in_table_d2, prepared))
        or not (stringprep.in_table_d1(prepared[0]) and stringprep.in_table_d1(prepared[-1]))
    ):
        return text
    return prepared
