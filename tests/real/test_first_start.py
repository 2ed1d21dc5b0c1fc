"""`bouncer run` on an empty home prints how to connect, and exactly what it prints is enough to connect."""

import re
from collections.abc import Awaitable, Callable

import pytest
from peers.bouncer import Bouncer
from peers.certificates import fingerprint_of
from peers.chat_client import ChatClient
from peers.waiting import eventually

StartClient = Callable[[str], Awaitable[ChatClient]]

HEX = re.compile(r"\b[0-9A-Fa-f]{2}(?::?[0-9A-Fa-f]{2}){31}\b")  # a SHA-256, with or without colons
PROGRAMS = ("weechat", "irssi")


@pytest.fixture
async def printed(bouncer: Bouncer) -> str:
    """What the first start prints. The ports are free ones; all else is as it comes on an empty home."""
    await bouncer.start()
    await eventually(lambda: bool(HEX.search(bouncer.output())), what="it prints the fingerprint")
    await eventually(lambda: all(lines_to_type(bouncer.output())[name] for name in PROGRAMS), what="and what to type")
    return bouncer.output()


def lines_to_type(text: str) -> dict[str, list[str]]:
    """The lines that begin with a slash, by the client that was named last above them."""
    found: dict[str, list[str]] = {name: [] for name in PROGRAMS}
    current = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("/"):
            found.setdefault(current, []).append(line)
        else:
            current = next((name for name in PROGRAMS if name in line.lower()), current)
    return found


async def test_it_prints_the_fingerprint_of_what_it_presents(printed: str, bouncer: Bouncer) -> None:
    found = {match.replace(":", "").lower() for match in HEX.findall(printed)}
    assert found == {fingerprint_of(bouncer.tls_port)}


@pytest.mark.parametrize("kind", PROGRAMS)
async def test_typing_the_printed_lines_attaches(kind: str, printed: str, start_client: StartClient) -> None:
    client = await start_client(kind)
    lines = lines_to_type(printed)[kind]
    for line in lines:
        await client.type(line)

    async def welcomed() -> bool:
        text = await client.everything()
        assert re.search(r"Welcome|Your host is", text), text[-1500:]
        return True

    await eventually(welcomed, what=f"{kind} is welcomed after {lines}")
    await client.type("/quote PRIVMSG *bouncer :help")

    async def answered() -> bool:
        text = await client.everything()
        assert "status" in text, text[-1500:]
        assert "network" in text, text[-1500:]
        return True

    await eventually(answered, what="the service answers")


async def test_the_password_is_printed_once_and_kept_nowhere(printed: str, bouncer: Bouncer) -> None:
    lines = lines_to_type(printed)
    words = [set(re.split(r"[\s=:]+", " ".join(lines[name]))) for name in PROGRAMS]
    # What both clients are told to type and no file has is the password: nothing else printed is a secret.
    assert bouncer.terminate() == 0
    kept = b"".join(path.read_bytes() for path in bouncer.home.rglob("*") if path.is_file() and path.suffix != ".out")
    secrets = {word for word in words[0] & words[1] if len(word) >= 12 and word.encode() not in kept} - shown_anyway(
        printed
    )
    assert len(secrets) == 1, secrets
    await bouncer.start()
    again = bouncer.output()[len(printed) :]
    assert not [secret for secret in secrets if secret in again]


def shown_anyway(printed: str) -> set[str]:
    """Addresses and fingerprints: long words that are no secret."""
    return {word for word in re.split(r"[\s=:]+", printed) if "/" in word or "." in word or word.startswith("-")} | set(
        HEX.findall(printed)
    )
