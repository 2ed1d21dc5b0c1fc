from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bouncer.model.errors import Refused
from bouncer.model.records import Channel, Endpoint, SaslLogin
from bouncer.operations.context import Actor
from bouncer.operations.spellings import FLAGS, SPELLINGS, Spelling, page, spelled
from bouncer.operations.table import OPERATIONS
from bouncer.operations.teach import SHELL, help_lines
from bouncer.operations.words import find

if TYPE_CHECKING:
    from tests.unit.conftest import Bench

BOUND = Actor("alice", network="libera")
DOCS = Path(__file__).parents[3] / "docs" / "from-znc-and-soju.md"
WORDS = {row.words for row in OPERATIONS}


@pytest.mark.parametrize("row", SPELLINGS, ids=lambda row: row.theirs)
def test_each_spelling_leads_somewhere(row: Spelling) -> None:
    typed = [word.upper() for word in row.typed]
    values = ["1.2.3.4", "6667", "x", "y"][: row.least]
    if row.instead:
        assert not row.ours
        with pytest.raises(Refused, match=row.name):
            find(OPERATIONS, typed)
        with pytest.raises(Refused, match=row.name):
            help_lines(OPERATIONS, typed, SHELL)
    else:
        assert row.ours in WORDS
        assert find(OPERATIONS, typed + values)[0].words == row.ours
        assert any(each.ours in "".join(help_lines(OPERATIONS, typed, SHELL)[:2]) for each in spelled(typed)[0])


def test_flags_are_of_operations_and_their_keys() -> None:
    for ours, flags in FLAGS.items():
        row, _ = find(OPERATIONS, ours.split())
        assert row.words == ours
        assert all(not key or row.key(key) for key in flags.values())


def test_the_page_is_what_the_tables_say() -> None:
    remake = "remake it: everything after the line '<!-- from the tables -->' is spellings.page()"
    assert DOCS.read_text().partition("<!-- from the tables -->\n")[2] == page(), remake


async def test_a_session_as_in_znc(stocked: Bench) -> None:
    for text in (
        "AddNetwork oftc irc.oftc.net +6697 hush",
        "AddServer irc2.libera.chat +7000",
        "addserver 2001:db8::1 6668",
        "RemServer irc.libera.chat +6697",
        "EnableChan #znc",
        "Detach #znc",
        "DisableChan #python",
        "SetBindHost 192.0.2.9",
        "Disconnect",
    ):
        await stocked.do(text, BOUND)
    oftc, libera = stocked.network("alice", "oftc"), stocked.network("alice", "libera")
    assert (oftc.servers, oftc.server_password) == ((Endpoint("irc.oftc.net", 6697),), "hush")
    assert libera.servers == (Endpoint("irc2.libera.chat", 7000), Endpoint("2001:db8::1", 6668, False))
    assert libera.channels == (Channel("#znc", detached=True),)
    assert (libera.bind, libera.enabled) == ("192.0.2.9", False)
    await stocked.do("ClearBindHost", BOUND)
    assert stocked.network("alice", "libera").bind == ""
    assert (await stocked.do("ListServers libera", BOUND)).lines == (
        "libera: ircs://irc2.libera.chat:7000",
        "libera: irc+insecure://[2001:db8::1]:6668",
    )
    await stocked.do("AddUser carol a-password-of-some-length", Actor("root", admin=True))
    assert stocked.user("carol").password_hash
    await stocked.do("DelUser carol", Actor("root", admin=True))
    assert stocked.house.account("carol") is None


async def test_a_session_as_in_soju(stocked: Bench) -> None:
    alice = Actor("alice")
    for text in (
        "network create -addr ircs://irc.oftc.net:6697 -name oftc -nick al -connect-command 'MODE al +x' -enabled true",
        "channel create #soju/oftc -detached true -relay-detached message -detach-after 24h",
        "channel update #soju/oftc -reattach-on=highlight",
        "sasl set-plain -network oftc al hush",
        "certfp generate -network oftc",
        "network update oftc -realname 'Al A.'",
    ):
        await stocked.do(text, alice)
    network = stocked.network("alice", "oftc")
    assert network.servers == (Endpoint("irc.oftc.net", 6697),)
    assert (network.nick, network.realname, network.connect_commands) == ("al", "Al A.", ("MODE al +x",))
    assert network.channels == (
        Channel("#soju", detached=True, relay="message", reattach="highlight", detach_after=86400.0),
    )
    assert network.sasl == SaslLogin("al", "hush", "PLAIN")
    assert "PRIVATE KEY" in network.certificate
    await stocked.do("sasl reset -network oftc", alice)
    await stocked.do(f"device-certificate create -label laptop -fingerprint {'ab' * 32}", alice)
    assert [each.name for each in stocked.user("alice").certificates] == ["laptop"]
    await stocked.do("device-certificate delete laptop", alice)
    assert stocked.user("alice").certificates == ()
    assert stocked.network("alice", "oftc").sasl is None
    assert [each["name"] for each in (await stocked.do("network status", alice)).data] == ["libera", "oftc"]
    root = Actor("root", admin=True)
    await stocked.do("user create -username dave -password a-long-password -admin true -max-networks 3", root)
    assert (stocked.user("dave").admin, stocked.user("dave").limits.networks) == (True, 3)
    await stocked.do("user delete dave 1a2b3c", root)
    assert stocked.house.account("dave") is None
    assert (await stocked.do("server notice back soon", root)).data == {"clients": 0}


async def test_verbs_of_others_are_ours(stocked: Bench) -> None:
    await stocked.do("network add alice/oftc servers=irc.oftc.net")
    await stocked.do("network set alice/oftc nick=x")
    assert stocked.network("alice", "oftc").nick == "x"
    await stocked.do("network rm alice/oftc")
    assert stocked.user("alice").network("oftc") is None
    assert (await stocked.do("network status alice/libera")).data["name"] == "libera"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("SaveConfig", "SaveConfig is not needed: each change is stored at once"),
        ("JumpNetwork oftc", "JumpNetwork is a matter of the login: log in as user/NAME"),
        ("AddServer", "AddServer HOST [[+]PORT] [PASSWORD] is how that is written; here it is server add"),
        ("AddNetwork x", "a network needs a server, as in servers="),
        ("network create oftc -adr x", 'network create has no "-adr"; settings are written KEY=VALUE'),
        ("network create oftc -addr", "-addr needs a value behind it"),
        ("user create -username x", "admins only"),
        ("LoadMod watch", "help lists what there is"),
    ],
)
async def test_what_is_not_there_is_answered_with_what_is(stocked: Bench, text: str, sentence: str) -> None:
    assert sentence in await stocked.refusal(text, BOUND)


async def test_help_on_a_word_of_theirs_is_help_on_ours(stocked: Bench) -> None:
    lines = await stocked.chat("help addserver")
    assert lines[0] == "AddServer HOST [[+]PORT] [PASSWORD] is server add here, and is understood as it is."
    assert lines[1].startswith("/msg *bouncer server add")
