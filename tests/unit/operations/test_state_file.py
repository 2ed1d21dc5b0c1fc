from __future__ import annotations

import tomllib
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.model.errors import Refused
from bouncer.model.records import Channel, Endpoint, Flood, Network, SaslLogin, User
from bouncer.model.state import CHANNELS_LIMIT
from bouncer.operations import settings
from bouncer.operations.context import MACHINE, Actor
from bouncer.operations.row import Result
from bouncer.operations.state_file import Mistakes, WantedUser, export, parse
from bouncer.operations.table import perform

if TYPE_CHECKING:
    from tests.unit.conftest import Bench

FULL = """\
[[user]]
name = "alice"
password = "correct horse battery"
admin = true
nick = "al"
timezone = "Europe/Berlin"

[[user.network]]
name = "libera"
servers = ["ircs://irc.libera.chat:6697", "irc+insecure://localhost"]
channels = ["#python", { name = "#secret", key = "k", detached = true }]
flood = { burst = 9, every = "500ms" }
sasl = { mechanism = "SCRAM-SHA-256", user = "alice", password = "p" }
connect_commands = ["MODE al +x"]
encoding = "utf-8"

[[user.network]]
name = "oftc"
enabled = false
servers = ["irc.oftc.net"]
flood = "off"

[[user]]
name = "bob"
password = "unguessable-enough"
"""


async def apply(bench: Bench, text: str, *flags: str) -> Result:
    return await perform(bench.context(), ["apply", f"file={text}", *flags])


async def exported(bench: Bench, secrets: bool = True) -> str:
    words = ["export", "secrets=yes"] if secrets else ["export"]
    return str((await perform(bench.context(), words)).data["toml"])


async def test_a_file_makes_what_it_says_and_the_second_time_nothing(bench: Bench) -> None:
    first = await apply(bench, FULL)
    assert first.lines == (
        "create user alice",
        "create network alice/libera",
        "create channel alice/libera/#python",
        "create channel alice/libera/#secret",
        "create network alice/oftc",
        "create user bob",
    )
    network = bench.network("alice", "libera")
    assert network.servers == (Endpoint("irc.libera.chat", 6697, True), Endpoint("localhost", 6667, False))
    assert network.channels == (Channel("#python"), Channel("#secret", "k", True))
    assert network.flood == Flood(9, 0.5)
    assert network.sasl == SaslLogin("alice", "p", "SCRAM-SHA-256")
    assert bench.network("alice", "oftc").flood.burst == 0
    before = bench.house.users()
    assert (await apply(bench, FULL, "prune=yes")).lines == ("nothing to change",)
    assert bench.house.users() == before


async def test_a_dry_run_says_the_same_and_does_nothing(bench: Bench) -> None:
    dry = await apply(bench, FULL, "dry_run=yes")
    assert dry.lines[:-1] == (await apply(bench, FULL)).lines
    assert bench.store.load().users == tuple(bench.house.users())
    await apply(bench, "[[user]]\nname='bob'\n", "prune=yes", "dry_run=yes")
    assert len(bench.house.users()) == 2


async def test_export_wipe_apply_gives_back_the_same(bench: Bench) -> None:
    await apply(bench, FULL)
    text = await exported(bench)
    before = bench.house.users()
    for name in ("alice", "bob"):
        await bench.do(f"user delete {name}")
    await apply(bench, text)
    assert await exported(bench) == text
    assert [_without_ids(user) for user in bench.house.users()] == [_without_ids(user) for user in before]


async def test_an_export_without_secrets_has_none_and_changes_nothing(bench: Bench) -> None:
    await apply(bench, FULL)
    text = await exported(bench, secrets=False)
    assert not any(secret in text for secret in ("argon2", '"p"', '"k"', "MODE"))
    assert (await apply(bench, text, "prune=yes")).lines == ("nothing to change",)


async def test_a_key_left_out_has_its_default_but_a_secret_stays(bench: Bench) -> None:
    await apply(bench, FULL)
    old = bench.user("alice").password_hash
    text = """
[[user]]
name = "alice"
[[user.network]]
name = "libera"
servers = ["ircs://irc.libera.chat"]
sasl = { user = "alicia" }
channels = ["#secret"]
"""
    result = await apply(bench, text)
    assert result.lines == (
        "update user alice: admin, nick, timezone",
        "update network alice/libera: servers, sasl.user, sasl.mechanism, flood.burst, flood.every",
        "update channel alice/libera/#secret: detached",
    )
    assert bench.user("alice").password_hash == old
    network = bench.network("alice", "libera")
    assert network.sasl == SaslLogin("alicia", "p")
    assert network.connect_commands == ("MODE al +x",)
    assert network.channels == (Channel("#python"), Channel("#secret", "k"))
    assert bench.network("alice", "oftc").servers


async def test_prune_removes_the_rest(bench: Bench) -> None:
    await apply(bench, FULL)
    text = '[[user]]\nname = "alice"\n[[user.network]]\nname = "libera"\nservers = ["a"]\nchannels = ["#python"]\n'
    result = await apply(bench, text, "prune=yes")
    deleted = [line for line in result.lines if line.startswith("delete")]
    assert deleted == ["delete channel alice/libera/#secret", "delete network alice/oftc", "delete user bob"]
    assert [user.name for user in bench.opened().users()] == ["alice"]
    assert "delete all of them" in await _refusal(bench, "", "prune=yes")


async def test_a_password_that_fits_keeps_its_hash(bench: Bench) -> None:
    await apply(bench, FULL)
    text = FULL.replace("unguessable-enough", "bob")
    result = await apply(bench, text)
    assert result.lines[0] == "update user bob: password_hash, scram"
    assert "anyone can guess it" in result.lines[1]
    again = await apply(bench, text)
    assert again.data["changes"] == []


async def test_every_mistake_is_told_with_its_line_and_nothing_is_done(bench: Bench) -> None:
    text = """\
usr = 1
[[user]]
name = "alice"
admin = "perhaps"
nik = "al"
limits = { networks = -3 }

[[user.network]]
name = "li/bera"
servers = [
    "ircs://irc.libera.chat",
    "irc://plain",
]
proxy = "socks5://localhost"
channels = ["python", "#a", "#A", { name = "#b", stiky = "x" }, 5]

[[user.network]]
name = "oftc"
flood = { burst = 0, often = 1 }
encoding = "utf-16"
sasl = { password = "hush" }

[[user]]
name = "ALICE"
password = "x"
password_hash = "nonsense"

[[user]]
nick = "n"
[[user.network]]
name = "x"
"""
    with pytest.raises(Mistakes) as caught:
        await apply(bench, text)
    assert bench.house.users() == []
    assert "hush" not in str(caught.value)
    starts = [
        'line 1: "usr" is not known here; did you mean user?',
        'line 4: user alice: admin: "perhaps" is neither yes nor no',
        'line 5: user alice: "nik" is not a key; did you mean nick?',
        "line 6: user alice: limits.networks: -3 is not between 0 and 10000",
        'line 9: network: "li/bera" can\'t be a name',
        'line 10: network alice/: servers: "irc://plain" is not understood',
        "line 14: network alice/: proxy: a proxy needs a host and a port",
        'line 15: network alice/: "python" is not a channel',
        'line 15: network alice/: the channel "#A" is there twice',
        'line 15: network alice/, #b: "stiky" is not a key; did you mean sticky?',
        "line 15: network alice/: a channel is written as",
        "line 19: network alice/oftc: flood.burst: 0 is not between",
        'line 19: network alice/oftc: "flood.often" is not a key',
        "line 20: network alice/oftc: encoding: 'utf-16' is no encoding",
        'line 24: the user "ALICE" is there twice',
        "line 26: user ALICE: password_hash: it is not an Argon2id hash",
        "line 28: a user needs a name",
        "line 30: network /x: a network needs a server",
    ]
    lines = caught.value.lines
    assert [line[: len(start)] for line, start in zip(lines, starts, strict=True)] == starts


@pytest.mark.parametrize(
    "text", ["[[user]\n", "x = ", "user = 5\n", "user = [1]\n", "[user]\nname='x'\n", "a = " + "[" * 5000]
)
async def test_what_is_no_state_file_is_refused(bench: Bench, text: str) -> None:
    with pytest.raises(Mistakes):
        await apply(bench, text)


@pytest.mark.parametrize(
    ("last", "sentence"),
    [
        ('[[users]]\nname = "x"\n', '"users" is not known here; did you mean user?; users are [[user]] tables'),
        ('[users]\nname = "x"\n', '"users" is not known here; did you mean user?; users are [[user]] tables'),
        ('channels = "#a,#b"\n', 'network alice/n: channels is to be a list, as in channels = ["#python"]'),
        (
            f"channels = {['#a'] * (CHANNELS_LIMIT + 1)}\n",
            f"network alice/n: there are more than {CHANNELS_LIMIT} channels; leave some out",
        ),
    ],
)
def test_the_line_of_a_mistake_is_told(last: str, sentence: str) -> None:
    text = '[[user]]\nname = "alice"\n[[user.network]]\nname = "n"\nservers = ["ircs://a"]\n'
    with pytest.raises(Mistakes) as caught:
        parse(text + last)
    assert caught.value.lines == (f"line 6: {sentence}",)


def test_a_flood_is_written_in_one_order() -> None:
    network = Network(1, "n", (Endpoint("a", 6697),), flood=Flood(5, 0.5))
    assert 'flood = { burst = 5, every = "0.5s" }' in export([User(1, "alice", networks=(network,))], secrets=False)


def test_mistakes_beyond_a_page_are_counted() -> None:
    text = "".join(f"[[user]]\nname = 'u{number}'\nnik = ''\n" for number in range(60))
    with pytest.raises(Mistakes) as caught:
        parse(text)
    assert len(caught.value.lines) == 51
    assert caught.value.lines[-1] == "and 10 more"


async def test_apply_is_for_the_machine_and_secrets_too(stocked: Bench) -> None:
    assert "secrets may be set by admins only" in await stocked.refusal("export secrets=yes", Actor("alice"))
    assert "on the command line only" in await stocked.refusal("export secrets=yes", Actor("bob", admin=True))
    own = await stocked.do("export", Actor("alice"))
    assert [user["name"] for user in tomllib.loads(own.data["toml"])["user"]] == ["alice"]
    assert "state file is missing" in await stocked.refusal("apply", MACHINE)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=20)
NAMES = st.from_regex(r"[A-Za-z0-9._-]{1,12}", fullmatch=True)
CHANNEL = st.builds(Channel, st.from_regex(r"#[a-z'\"\\.{}\[\]]{1,8}", fullmatch=True), TEXT, st.booleans())
NETWORK = st.builds(
    Network,
    id=st.just(0),
    name=NAMES,
    servers=st.lists(
        st.builds(Endpoint, st.sampled_from(["a.example", "::1", "10.0.0.1"]), st.integers(1, 65535), st.booleans()),
        min_size=1,
        max_size=3,
        unique=True,
    ).map(tuple),
    enabled=st.booleans(),
    nick=st.from_regex(r"[a-z\[\]\\^]{0,9}", fullmatch=True),
    realname=TEXT,
    server_password=TEXT,
    sasl=st.none() | st.builds(SaslLogin, TEXT.filter(bool), TEXT, st.sampled_from(["", "PLAIN", "SCRAM-SHA-256"])),
    connect_commands=st.lists(TEXT.filter(lambda text: text and text[0] != "/"), max_size=3).map(tuple),
    quit_message=TEXT,
    flood=st.builds(Flood, st.integers(1, 100), st.integers(0, 60_000).map(lambda ms: ms / 1000)) | st.just(Flood(0)),
    channels=st.lists(
        CHANNEL, max_size=3, unique_by=lambda channel: channel.name.translate(str.maketrans("[]\\", "{}|"))
    ).map(tuple),
)
USER = st.builds(
    User,
    id=st.just(0),
    name=NAMES,
    admin=st.booleans(),
    enabled=st.booleans(),
    realname=TEXT,
    first_helping=st.integers(0, 20000),
    networks=st.lists(NETWORK, max_size=3, unique_by=lambda network: network.name.casefold()).map(tuple),
)


@given(st.lists(USER, max_size=3, unique_by=lambda user: user.name.casefold()))
def test_what_is_exported_is_read_back(users: list[User]) -> None:
    text = export(users, secrets=True)
    wanted = parse(text)
    assert export([_made(wish) for wish in wanted], secrets=True) == text
    assert [_made(wish) for wish in wanted] == users


@given(st.text(max_size=200) | st.text("[]user={}.\"'\n# network12", max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(Mistakes):
        parse(text)


def _made(wish: WantedUser) -> User:
    networks = []
    for inner in wish.networks:
        network = settings.network_with(Network(0, inner.name), inner.values)
        channels = tuple(settings.channel_with(Channel(each.name), each.values) for each in inner.channels)
        networks.append(replace(network, channels=channels))
    user = settings.user_with(User(0, wish.name), wish.values)
    return replace(user, networks=tuple(networks))


def _without_ids(user: User) -> User:
    return replace(user, id=0, networks=tuple(replace(network, id=0) for network in user.networks))


async def _refusal(bench: Bench, text: str, *flags: str) -> str:
    with pytest.raises(Refused) as caught:
        await apply(bench, text, *flags)
    return str(caught.value)


async def test_another_hash_without_its_scram_keys_leaves_none(bench: Bench) -> None:
    await apply(bench, FULL)
    alice, bob = bench.user("alice"), bench.user("bob")
    assert alice.scram
    assert bob.scram
    text = f"[[user]]\nname = 'alice'\npassword_hash = '{bob.password_hash}'\n"
    await apply(bench, text)
    assert bench.user("alice").scram == ""
    await apply(bench, f"{text}scram = '{bob.scram}'\n")
    assert bench.user("alice").scram == bob.scram
    with pytest.raises(Mistakes, match="line 3: user alice: scram needs the password_hash"):
        await apply(bench, f"[[user]]\nname = 'alice'\nscram = '{bob.scram}'\n")


async def test_an_account_without_scram_keys_gets_them_with_its_plain_password(bench: Bench) -> None:
    await apply(bench, FULL)
    alice = bench.user("alice")
    bench.house.replace(replace(alice, scram=""))
    assert (await apply(bench, FULL)).lines == ("update user alice: scram",)
    assert bench.user("alice").password_hash == alice.password_hash
    assert (await apply(bench, FULL)).lines == ("nothing to change",)
