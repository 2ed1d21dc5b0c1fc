from __future__ import annotations

import ssl
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from bouncer.model.records import Channel, Endpoint, Flood, SaslLogin
from bouncer.operations.context import Actor, Facts

if TYPE_CHECKING:
    from tests.unit.conftest import Bench

ALICE = Actor("alice")
BOUND = Actor("alice", network="libera")


async def test_a_network_is_made_and_runs(stocked: Bench) -> None:
    result = await stocked.do("network create bob/oftc servers=irc.oftc.net:9999,irc+insecure://[2001:db8::1] nick=b")
    assert result.lines == ("network bob/oftc is made; it connects to ircs://irc.oftc.net:9999 as b",)
    network = stocked.network("bob", "OFTC")
    assert network.servers == (Endpoint("irc.oftc.net", 9999, True), Endpoint("2001:db8::1", 6667, False))
    assert stocked.connections.told == ["added oftc"]
    bob = stocked.opened().account("bob")
    assert bob is not None
    assert bob.user == stocked.user("bob")


async def test_without_a_bouncer_it_is_for_later(stocked: Bench) -> None:
    stocked.known = Facts("1.0")
    result = await stocked.do("network create bob/oftc servers=irc.oftc.net")
    assert result.lines[0].endswith("it connects to ircs://irc.oftc.net:6697 as bob when the bouncer runs")


async def test_who_is_on_no_network_is_told_how_to_get_there(stocked: Bench) -> None:
    told = "to talk there, log in as alice/oftc"
    assert (await stocked.do("network create oftc servers=irc.oftc.net", ALICE)).lines[-1] == told
    await stocked.do("network delete oftc", ALICE)
    assert told not in (await stocked.do("network create oftc servers=irc.oftc.net", BOUND)).lines


async def test_each_key_reaches_its_setting(stocked: Bench) -> None:
    await stocked.do(
        "network update alice/libera name=freenode enabled=no nick=al alternative_nicks=al_,al__ ident=a "
        "realname='A B' server_password=sp sasl.user=alice sasl.password=p sasl.mechanism=plain "
        "bind=192.0.2.1 quit_message=bye "
        f"tls_fingerprint={':'.join(['AB'] * 32)} flood.burst=9 flood.every=500ms "
        'connect_commands="/MODE al +x, a" connect_commands="PRIVMSG q :hi" channels=#a,&b'
    )
    network = stocked.network("alice", "freenode")
    assert network == replace(
        network,
        enabled=False,
        nick="al",
        alternative_nicks=("al_", "al__"),
        ident="a",
        realname="A B",
        server_password="sp",
        sasl=SaslLogin("alice", "p", "PLAIN"),
        bind="192.0.2.1",
        quit_message="bye",
        tls_fingerprint="ab" * 32,
        flood=Flood(9, 0.5),
        connect_commands=("MODE al +x, a", "PRIVMSG q :hi"),
        channels=(Channel("#a"), Channel("&b")),
    )


async def test_sasl_is_changed_in_parts_and_switched_off(stocked: Bench) -> None:
    await stocked.do("network update alice/libera sasl.user=alice sasl.password=p")
    await stocked.do("network update alice/libera sasl.user=alicia")
    assert stocked.network("alice", "libera").sasl == SaslLogin("alicia", "p")
    await stocked.do("network update alice/libera sasl=off")
    assert stocked.network("alice", "libera").sasl is None
    assert "sasl.user is missing" in await stocked.refusal("network update alice/libera sasl.password=p")
    warned = await stocked.do("network update alice/libera sasl.user=alice")
    assert any("without sasl.password" in line for line in warned.lines)


async def test_flood_is_switched_off_and_on(stocked: Bench) -> None:
    await stocked.do("network update alice/libera flood=off")
    assert stocked.network("alice", "libera").flood.burst == 0
    assert "flood is off" in await stocked.refusal("network update alice/libera flood.every=1s")
    await stocked.do("network update alice/libera flood=default")
    assert stocked.network("alice", "libera").flood == Flood()


async def test_the_list_of_channels_keeps_what_is_known_of_them(stocked: Bench) -> None:
    await stocked.do("channel create alice/libera/#secret key=k detached=yes")
    await stocked.do("network update alice/libera channels=#SECRET,#new")
    assert stocked.network("alice", "libera").channels == (Channel("#secret", "k", True), Channel("#new"))


async def test_a_change_that_needs_a_new_connection_says_so(stocked: Bench) -> None:
    now = await stocked.do("network update alice/libera nick=al")
    assert now.lines == ("network alice/libera is changed",)
    anew = await stocked.do("network update alice/libera ident=al realname=A")
    assert anew.lines[1] == "it connects anew, because a network is told only then: ident, realname"
    await stocked.do("network disconnect alice/libera")
    assert len((await stocked.do("network update alice/libera ident=bl")).lines) == 1


async def test_connect_and_disconnect_hold(stocked: Bench) -> None:
    network_id = stocked.network("alice", "libera").id
    await stocked.do("network disconnect alice/libera")
    assert not stocked.network("alice", "libera").enabled
    assert "is off" in await stocked.refusal("network reconnect alice/libera")
    await stocked.do("network connect alice/libera")
    assert stocked.network("alice", "libera").enabled
    await stocked.do("network reconnect alice/libera")
    acts = [each for each in stocked.connections.told if each.endswith(f" {network_id}")]
    assert acts == [f"disconnect {network_id}", f"connect {network_id}", f"reconnect {network_id}"]


async def test_a_closed_account_does_not_connect(stocked: Bench) -> None:
    await stocked.do("user update alice enabled=no")
    assert "user update alice enabled=yes" in await stocked.refusal("network connect alice/libera")


async def test_inside_irc_the_own_network_needs_no_user_and_the_bound_one_no_name(stocked: Bench) -> None:
    await stocked.do("network create bob/libera servers=irc.libera.chat")
    await stocked.do("network update libera nick=one", ALICE)
    assert stocked.network("alice", "libera").nick == "one"
    await stocked.do("network update nick=two", BOUND)
    assert stocked.network("alice", "libera").nick == "two"
    assert "needs to know which: network update libera" in await stocked.refusal("network update nick=3", ALICE)
    assert "needs to know which" in await stocked.refusal("network delete", BOUND)
    assert "another user" in await stocked.refusal("network update bob/libera nick=x", ALICE)
    await stocked.do("network update bob/libera nick=three", Actor("alice", admin=True))
    assert stocked.network("bob", "libera").nick == "three"
    assert (await stocked.do("network list", ALICE)).lines[0].startswith("libera: ")
    assert [each["user"] for each in (await stocked.do("network list")).data] == ["alice", "bob"]


async def test_show_tells_settings_but_no_secret(stocked: Bench) -> None:
    await stocked.do("network update alice/libera sasl.user=alice sasl.password=hush server_password=hush")
    result = await stocked.do("network show alice/libera")
    assert "  sasl.user = alice" in result.lines
    assert "  sasl.password = yes" in result.lines
    assert "hush" not in repr(result.data) + "".join(result.lines)


async def test_a_deleted_network_is_gone_and_its_id_with_it(stocked: Bench) -> None:
    first = stocked.network("alice", "libera").id
    result = await stocked.do("network delete alice/libera")
    assert result.lines == (
        "network alice/libera is deleted; its settings and history are kept for 30 days, and network restore "
        "alice/libera brings it back",
    )
    await stocked.do("network create alice/libera servers=irc.libera.chat")
    assert stocked.network("alice", "libera").id > first


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("network update libera nick=x", '"libera" needs its user before it: network update alice/libera'),
        ("network update alice/libra nick=x", 'there is no network "alice/libra"; did you mean alice/libera?'),
        ("network update alcie/libera nick=x", 'there is no user "alcie"; did you mean alice?'),
        ("network update alice/libera nik=x", 'network update has no key "nik"; did you mean nick?'),
        ("network update alice/libera nick", "nick needs a value: nick=VALUE"),
        ("network update alice/libera nick=a nick=b", "nick is given twice; give it once"),
        ("network update alice/libera nick='a b'", 'nick: "a b" can\'t be a nick: " " is not allowed there'),
        ("network update alice/libera proxy=socks5://x", "proxy: a proxy needs a host and a port"),
        ("network update alice/libera proxy=ftp://x:1", "proxy: that is no proxy that is known; write it as socks5"),
        ("network update alice/libera encoding=utf-16", "encoding: 'utf-16' is no encoding that IRC lines can be in"),
        ("network update alice/libera regain=never", 'regain: "never" is not known; it is one of watch, services, off'),
        ("network update alice/libera ignore='a b'", 'ignore: "a b" is no mask; write it as nick'),
        ("network update alice/libera ignore=*", 'ignore: "*" is no mask'),
        ("network update alice/libera do_not_log=#", 'do_not_log: "#" is not a channel'),
        ("network update alice/libera certificate=x", "certificate: a certificate and its unencrypted key"),
        ("network update alice/libera sasl.mechanism=DIGEST-MD5", "EXTERNAL, SCRAM-SHA-256, PLAIN are"),
        ("network update alice/libera servers=", "a network needs a server, as in servers="),
        ("network update alice/libera servers=irc://a", "without TLS"),
        ("network update alice/libera servers=ircs://a:99999", "is not a server; write ircs://host:port"),
        ("network update alice/libera servers=ircs://a/b", "is not a server"),
        ("network update alice/libera flood=5", "flood.burst=5 flood.every=2s set the numbers"),
        ("network update alice/libera flood.every=1h", "write it as 2s or 500ms"),
        ("network update alice/libera flood.burst=0", "is not between 1 and 100"),
        ("network update alice/libera tls_fingerprint=abc", "64 hexadecimal digits"),
        ("network update alice/libera bind=localhost", "is not an IP address"),
        ("network update alice/libera enabled=maybe", '"maybe" is neither yes nor no'),
        ("network update alice/libera channels=python", "its name starts with # (as in #python)"),
        ("network update alice/libera", "needs something to change"),
        ("network create alice/a:b servers=x", "letters, digits, dot, dash and underscore only"),
        ("network create alice/oftc", "a network needs a server"),
        ("network create alice/LIBERA servers=x", "there is a network"),
        ("network create oftc servers=x", "needs its user before it"),
        ("network create alice servers=x", '"alice" is a user, and a network goes behind it: network create alice/'),
    ],
)
async def test_a_refusal_says_what_is_wrong_and_what_to_do(stocked: Bench, text: str, sentence: str) -> None:
    before = stocked.house.users()
    assert sentence in await stocked.refusal(text)
    assert stocked.house.users() == before


@pytest.mark.parametrize("text", ["x\ry", "x\ny", "x\0y", "x\udcffy"])
@pytest.mark.parametrize("key", ["nick", "realname", "server_password", "quit_message", "connect_commands", "channels"])
async def test_no_line_end_passes_into_a_setting(stocked: Bench, key: str, text: str) -> None:
    value = f"#{text}" if key == "channels" else text
    assert await stocked.refusal(f"network update alice/libera {key}='{value}'")
    assert await stocked.refusal(f"channel create alice/libera/'#{text}'")


async def test_a_proxy_is_shown_without_the_login_in_it(stocked: Bench) -> None:
    await stocked.do("network update libera proxy=socks5://al:hu@sh@proxy.example:1080", ALICE)
    shown = await stocked.do("network show libera", ALICE)
    assert "  proxy = socks5://proxy.example:1080" in shown.lines
    assert shown.data["settings"]["proxy"] == "socks5://proxy.example:1080"
    for words in ("network show libera", "network list", "status"):
        assert "hu@sh" not in repr((await stocked.do(words, ALICE)).data)


async def test_order_is_what_was_said(stocked: Bench) -> None:
    await stocked.do("network create oftc servers=irc.oftc.net channels=#a,#b,#c", ALICE)
    await stocked.do("channel order oftc #C,#a", ALICE)
    assert [channel.name for channel in stocked.network("alice", "oftc").channels] == ["#c", "#a", "#b"]
    await stocked.do("network order oftc", ALICE)
    assert [network.name for network in stocked.user("alice").networks] == ["oftc", "libera"]
    await stocked.do("network order alice libera oftc")
    stocked.house = stocked.opened()
    assert [network.name for network in stocked.user("alice").networks] == ["libera", "oftc"]
    assert "did you mean #a?" in await stocked.refusal("channel order oftc #aa", ALICE)
    assert "did you mean libera?" in await stocked.refusal("network order libra", ALICE)


async def test_a_certificate_is_made_for_a_network(stocked: Bench) -> None:
    assert "cert generate libera makes one" in await stocked.refusal("cert fingerprint libera", ALICE)
    made = await stocked.do("cert generate", BOUND)
    pem = stocked.network("alice", "libera").certificate
    certificate = x509.load_pem_x509_certificate(pem.encode())
    context = ssl.create_default_context()
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(pem)
        file.flush()
        context.load_cert_chain(file.name)  # the key is that of the certificate
    assert certificate.subject.rfc4514_string() == "CN=alice"
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days > 10 * 365
    sha512 = certificate.fingerprint(hashes.SHA512()).hex()
    assert made.data["fingerprints"]["SHA-512"] == sha512
    assert any(line.startswith(f"/msg NickServ CERT ADD {sha512}") for line in made.lines)
    assert (await stocked.do("cert fingerprint alice/libera")).data == made.data
    assert "PRIVATE" not in repr((await stocked.do("network show libera", ALICE)).data)
    again = await stocked.do("cert generate alice/libera")
    assert again.data != made.data
    assert again.lines[0].startswith("the certificate that was there is gone")
    await stocked.do("cert fingerprint alice/libera")
    stocked.house = stocked.opened()
    assert (await stocked.do("cert fingerprint libera", ALICE)).data == again.data


async def test_channels_are_shown_and_hidden_by_short_words(stocked: Bench) -> None:
    await stocked.do("channel detach libera/#python", ALICE)
    assert stocked.network("alice", "libera").channels[0].detached
    await stocked.do("channel attach #PYTHON", BOUND)
    assert not stocked.network("alice", "libera").channels[0].detached
