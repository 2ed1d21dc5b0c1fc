"""``soju.im/bouncer-networks`` and ``-notify``: one connection lists, makes, changes and forgets all networks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bouncer.core.status import Phase
from bouncer.downstream.networks import ATTRIBUTES_BUDGET, NETWORKS, NOTIFY
from bouncer.model.records import Endpoint, Limits, Network, User
from tests.play.stage import START, Device, Stage

SHOWS = f"batch {NETWORKS}"
WATCHES = f"{SHOWS} {NOTIFY}"
FAIL = ":bnc.example FAIL BOUNCER"
EXAMPLE = "host=irc.example;port=6697;tls=1;nickname=alice;username=alice;realname=alice"


async def unbound(stage: Stage, caps: str = SHOWS) -> Device:
    """A client that is attached to no network, its greeting out of the way."""
    device = await stage.device("alice@lobby", caps)
    assert any(" 001 " in line for line in await device.gets_soon())
    return device


async def asks(device: Device, *lines: str) -> list[str]:
    device.says(*lines)
    return await device.gets_soon()


def networks_of(stage: Stage, name: str = "alice") -> tuple[Network, ...]:
    account = stage.house.account(name)
    assert account is not None
    return account.user.networks


async def test_all_networks_are_listed(stage: Stage) -> None:
    stage.user("alice", "libera", "oftc")
    stage.upstream("alice", "libera").welcomes()
    app = await unbound(stage)
    assert await asks(app, "BOUNCER LISTNETWORKS") == [
        ":bnc.example BATCH +networks soju.im/bouncer-networks",
        f"@batch=networks :bnc.example BOUNCER NETWORK 1 name=libera;state=connected;{EXAMPLE}",
        f"@batch=networks :bnc.example BOUNCER NETWORK 2 name=oftc;state=disconnected;{EXAMPLE}",
        ":bnc.example BATCH -networks",
    ]


async def test_subcommands_have_no_case_and_a_client_without_batches_gets_none(stage: Stage) -> None:
    stage.user("alice", "libera", "oftc")
    app = await unbound(stage, NETWORKS)
    lines = await asks(app, "bouncer listnetworks")
    assert [line.split()[:4] for line in lines] == [
        [":bnc.example", "BOUNCER", "NETWORK", "1"],
        [":bnc.example", "BOUNCER", "NETWORK", "2"],
    ]


async def test_who_watches_gets_all_networks_with_the_welcome(stage: Stage) -> None:
    stage.user("alice", "libera", "oftc")
    app = await stage.device("alice@lobby", WATCHES)
    lines = await app.gets_soon()
    begin = lines.index(":bnc.example BATCH +networks soju.im/bouncer-networks")
    assert any(" 422 " in line for line in lines[:begin])
    assert [line.split()[4] for line in lines[begin + 1 : begin + 3]] == ["1", "2"]
    assert lines[begin + 3 :] == [":bnc.example BATCH -networks"]


async def test_a_bound_client_that_watches_gets_them_too(stage: Stage) -> None:
    stage.connected()
    phone = await stage.device("alice/example@phone", WATCHES)
    lines = await phone.gets_soon()
    assert [line for line in lines if "BOUNCER NETWORK" in line] == [
        f"@batch=networks :irc.example BOUNCER NETWORK 1 name=example;state=connected;{EXAMPLE}"
    ]


async def test_watching_may_begin_later(stage: Stage) -> None:
    stage.user("alice", "libera", "oftc")
    app = await unbound(stage, "batch")
    lines = await asks(app, f"CAP REQ :{NETWORKS} {NOTIFY}")
    assert lines[0].startswith(":bnc.example CAP alice ACK ")
    assert len([line for line in lines if "BOUNCER NETWORK" in line]) == 2
    stage.upstream("alice", "libera").welcomes()
    assert [line.partition(" BOUNCER ")[2] for line in app.lines()][-1] == "NETWORK 1 state=connected"
    app.says(f"CAP REQ :-{NOTIFY}")
    app.lines()
    stage.upstream("alice", "libera").hangs_up()
    app.gets_nothing()


async def test_states_and_errors_are_told_as_they_change(stage: Stage) -> None:
    stage.user("alice", "libera", "oftc")
    app = await unbound(stage, WATCHES)
    other = await unbound(stage, SHOWS)
    libera = stage.upstream("alice", "libera")
    libera.link.phase = Phase("connecting", START)
    app.gets(":bnc.example BOUNCER NETWORK 1 state=connecting")
    libera.welcomes()
    app.gets(":bnc.example BOUNCER NETWORK 1 state=connected")
    libera.hangs_up("reset by peer; really")
    app.gets(r":bnc.example BOUNCER NETWORK 1 state=disconnected;error=reset\sby\speer\:\sreally")
    libera.link.phase = Phase("connecting", START)
    app.gets(":bnc.example BOUNCER NETWORK 1 state=connecting;error")
    other.gets_nothing()


async def test_news_reaches_bound_and_unbound_clients_of_that_user_only(stage: Stage) -> None:
    stage.user("alice", "libera", "oftc")
    stage.user("bob", "libera", "oftc")
    stage.upstream("alice", "libera").welcomes()
    bound = await stage.attached("alice/libera@phone", WATCHES)
    plain = await stage.attached("alice/libera@old")
    app = await unbound(stage, WATCHES)
    stranger = await stage.attached("bob@x", WATCHES)
    stage.upstream("alice", "oftc").welcomes()
    for client, server in ((bound, "irc.example"), (app, "bnc.example")):
        client.gets(*(f":{server} BOUNCER NETWORK 2 state={state}" for state in ("connecting", "connected")))
    plain.gets_nothing()
    stranger.gets_nothing()


async def test_a_network_that_is_added_is_told_of_and_answered(stage: Stage) -> None:
    stage.user()
    app = await unbound(stage, WATCHES)
    lines = await asks(app, r"BOUNCER ADDNETWORK name=OFTC;host=irc.oftc.net;realname=A\sPerson;pass=hush")
    assert lines == [
        ":bnc.example BOUNCER NETWORK 2 name=OFTC;state=disconnected;host=irc.oftc.net;port=6697;tls=1;"
        r"nickname=alice;username=alice;realname=A\sPerson",
        ":bnc.example BOUNCER ADDNETWORK 2",
    ]
    made = networks_of(stage)[1]
    assert made.servers == (Endpoint("irc.oftc.net", 6697),)
    assert made.server_password == "hush"
    assert [each.name for each in stage.store.load().users[0].networks] == ["example", "OFTC"]


@pytest.mark.parametrize(
    ("told", "server"),
    [
        ("host=irc.example.net", Endpoint("irc.example.net", 6697, True)),
        ("host=irc.example.net;tls=1;port=7000", Endpoint("irc.example.net", 7000, True)),
        ("host=irc.example.net;tls=0", Endpoint("irc.example.net", 6667, False)),
        ("host=irc.example.net;tls=0;port=", Endpoint("irc.example.net", 6667, False)),
        ("host=192.0.2.7", Endpoint("192.0.2.7", 6697, True)),
        ("host=2001:db8::0:7", Endpoint("2001:db8::7", 6697, True)),
        ("host=[2001:db8::7];port=7", Endpoint("2001:db8::7", 7, True)),
    ],
)
async def test_where_a_new_network_is(stage: Stage, told: str, server: Endpoint) -> None:
    stage.user()
    app = await unbound(stage)
    assert await asks(app, f"BOUNCER ADDNETWORK {told}") == [":bnc.example BOUNCER ADDNETWORK 2"]
    assert networks_of(stage)[1].servers == (server,)


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("host=irc.libera.chat", "irc.libera.chat"),
        ("host=irc.example;name=", "irc.example"),
        (r"host=irc.example;name=Libera\sChat", "Libera-Chat"),
        ("host=irc.example;name=a/b@c:d", "a-b-c-d"),
        ("host=irc.example;name=Café", "Cafe"),
        ("host=irc.example;name=x\\r\\nQUIT", "x-QUIT"),
        ("host=irc.example;name=" + "n" * 300, "n" * 64),
        ("host=2001:db8::7", "2001-db8-7"),
    ],
)
async def test_a_name_is_made_fit_for_a_login(stage: Stage, told: str, name: str) -> None:
    stage.user("alice", "first")
    app = await unbound(stage)
    assert await asks(app, f"BOUNCER ADDNETWORK {told}") == [":bnc.example BOUNCER ADDNETWORK 2"]
    assert networks_of(stage)[1].name == name


async def test_networks_without_a_name_of_their_own_get_a_number(stage: Stage) -> None:
    stage.user("alice", "first")
    app = await unbound(stage)
    await asks(app, *["BOUNCER ADDNETWORK host=irc.example"] * 3)
    assert [each.name for each in networks_of(stage)] == ["first", "irc.example", "irc.example-2", "irc.example-3"]


async def test_settings_are_changed_and_told_as_far_as_they_changed(stage: Stage) -> None:
    stage.user()
    app = await unbound(stage, WATCHES)
    lines = await asks(app, "BOUNCER CHANGENETWORK 1 realname=Simon;nickname=alice")
    assert lines == [":bnc.example BOUNCER NETWORK 1 realname=Simon", ":bnc.example BOUNCER CHANGENETWORK 1"]
    (network,) = networks_of(stage)
    assert network.realname == "Simon"
    assert network.nick == ""  # what was told back as it was shown is no setting
    lines = await asks(app, "BOUNCER CHANGENETWORK 1 realname=")
    assert lines == [":bnc.example BOUNCER NETWORK 1 realname=alice", ":bnc.example BOUNCER CHANGENETWORK 1"]
    assert await asks(app, "BOUNCER CHANGENETWORK 1 realname=alice") == [":bnc.example BOUNCER CHANGENETWORK 1"]


@pytest.mark.parametrize(
    ("told", "first"),
    [
        ("host=new.example", Endpoint("new.example", 6697, True)),
        ("port=7000", Endpoint("irc.example", 7000, True)),
        ("tls=0", Endpoint("irc.example", 6667, False)),
        ("tls=0;port=7000", Endpoint("irc.example", 7000, False)),
    ],
)
async def test_the_first_server_is_changed_and_the_others_stay(stage: Stage, told: str, first: Endpoint) -> None:
    user = stage.user()
    second = Endpoint("two.example", 9999)
    network = replace(user.networks[0], servers=(*user.networks[0].servers, second))
    stage.house.replace(replace(user, networks=(network,)))
    app = await unbound(stage)
    assert await asks(app, f"BOUNCER CHANGENETWORK 1 {told}") == [":bnc.example BOUNCER CHANGENETWORK 1"]
    assert networks_of(stage)[0].servers == (first, second)


async def test_a_port_of_its_own_stays_with_another_host(stage: Stage) -> None:
    stage.user()
    app = await unbound(stage)
    await asks(app, "BOUNCER CHANGENETWORK 1 port=7000", "BOUNCER CHANGENETWORK 1 host=new.example;tls=0")
    assert networks_of(stage)[0].servers == (Endpoint("new.example", 7000, False),)


async def test_a_new_name_keeps_the_network_and_who_is_on_it(stage: Stage) -> None:
    stage.user("alice", "example", "oftc")
    upstream = stage.upstream()
    upstream.welcomes()
    phone = await stage.attached()
    app = await unbound(stage, WATCHES)
    lines = await asks(app, r"BOUNCER CHANGENETWORK 1 name=My\sNet")
    assert lines == [":bnc.example BOUNCER NETWORK 1 name=My-Net", ":bnc.example BOUNCER CHANGENETWORK 1"]
    assert not phone.closed
    upstream.says(":bob!b@h PRIVMSG alice :still here")
    phone.gets(":bob!b@h PRIVMSG alice :still here")


async def test_a_network_is_deleted_while_clients_are_on_it(stage: Stage) -> None:
    stage.user("alice", "libera", "oftc")
    bound = await stage.attached("alice/libera@phone", WATCHES)
    app = await unbound(stage, WATCHES)
    assert await asks(app, "BOUNCER DELNETWORK 1") == [
        ":bnc.example BOUNCER NETWORK 1 *",
        ":bnc.example BOUNCER DELNETWORK 1",
    ]
    assert bound.closed
    assert bound.lines() == ["ERROR :Closing link: The network libera was removed"]
    assert [each.name for each in networks_of(stage)] == ["oftc"]
    assert await asks(app, "BOUNCER ADDNETWORK host=irc.example;name=libera") == [
        f":bnc.example BOUNCER NETWORK 3 name=libera;state=disconnected;{EXAMPLE}",
        ":bnc.example BOUNCER ADDNETWORK 3",  # an id is never used again
    ]


async def test_what_others_change_is_told_as_well(stage: Stage) -> None:
    user = stage.user("alice", "libera", "oftc")
    app = await unbound(stage, WATCHES)
    libera, oftc = user.networks
    third = Network(stage.house.new_network_id(), "third")
    stage.house.replace(replace(user, networks=(replace(libera, nick="alice2"), third)))
    assert oftc.id == 2
    app.gets(
        ":bnc.example BOUNCER NETWORK 2 *",
        ":bnc.example BOUNCER NETWORK 1 nickname=alice2;realname=alice2",
        ":bnc.example BOUNCER NETWORK 3 name=third;state=disconnected;nickname=alice;username=alice;realname=alice",
    )


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("BOUNCER JUMP", "UNKNOWN_COMMAND JUMP :Unknown subcommand"),
        ("BOUNCER BIND 1", "REGISTRATION_IS_COMPLETED BIND :Cannot bind to a network after registration"),
        ("BOUNCER BIND", "REGISTRATION_IS_COMPLETED BIND :Cannot bind to a network after registration"),
        ("BOUNCER DELNETWORK 99", "INVALID_NETID DELNETWORK 99 :Network not found"),
        ("BOUNCER DELNETWORK libera", "INVALID_NETID DELNETWORK libera :Network not found"),
        ("BOUNCER DELNETWORK 01", "INVALID_NETID DELNETWORK 01 :Network not found"),
        ("BOUNCER DELNETWORK -1", "INVALID_NETID DELNETWORK -1 :Network not found"),
        ("BOUNCER DELNETWORK " + "9" * 30, f"INVALID_NETID DELNETWORK {'9' * 30} :Network not found"),
        ("BOUNCER DELNETWORK ²", "INVALID_NETID DELNETWORK ² :Network not found"),
        ("BOUNCER CHANGENETWORK 99 nickname=x", "INVALID_NETID CHANGENETWORK 99 :Network not found"),
        ("BOUNCER CHANGENETWORK 3 nickname=x", "INVALID_NETID CHANGENETWORK 3 :Network not found"),  # somebody else's
        ("BOUNCER ADDNETWORK name=x", "NEED_ATTRIBUTE ADDNETWORK host :Missing required attribute"),
        ("BOUNCER ADDNETWORK host=", "NEED_ATTRIBUTE ADDNETWORK host :Missing required attribute"),
        ("BOUNCER ADDNETWORK host=x;state=connected", "READ_ONLY_ATTRIBUTE ADDNETWORK * state :Read-only attribute"),
        ("BOUNCER CHANGENETWORK 1 error", "READ_ONLY_ATTRIBUTE CHANGENETWORK 1 error :Read-only attribute"),
        ("BOUNCER ADDNETWORK host=x;soju.im/x=1", "UNKNOWN_ATTRIBUTE ADDNETWORK * soju.im/x :Unknown attribute"),
        ("BOUNCER CHANGENETWORK 1 colour=red", "UNKNOWN_ATTRIBUTE CHANGENETWORK 1 colour :Unknown attribute"),
        ("BOUNCER ADDNETWORK host=x;port=0", "INVALID_ATTRIBUTE ADDNETWORK * port :port: "),
        ("BOUNCER ADDNETWORK host=x;port=ircs", "INVALID_ATTRIBUTE ADDNETWORK * port :port: "),
        ("BOUNCER ADDNETWORK host=x;tls=yes", "INVALID_ATTRIBUTE ADDNETWORK * tls :tls: "),
        ("BOUNCER ADDNETWORK host=x:6697", "INVALID_ATTRIBUTE ADDNETWORK * host :host: "),
        (r"BOUNCER ADDNETWORK host=x\sy", "INVALID_ATTRIBUTE ADDNETWORK * host :host: "),
        ("BOUNCER ADDNETWORK host=ircs://x", "INVALID_ATTRIBUTE ADDNETWORK * host :host: "),
        ("BOUNCER ADDNETWORK host=u@x", "INVALID_ATTRIBUTE ADDNETWORK * host :host: "),
        ("BOUNCER ADDNETWORK host=x/y", "INVALID_ATTRIBUTE ADDNETWORK * host :host: "),
        ("BOUNCER ADDNETWORK host=x;name=LIBERA", "INVALID_ATTRIBUTE ADDNETWORK * name :name: there is a network "),
        ("BOUNCER ADDNETWORK host=x;name=ネット", "INVALID_ATTRIBUTE ADDNETWORK * name :name: "),
        ("BOUNCER CHANGENETWORK 1 name=oftc", "INVALID_ATTRIBUTE CHANGENETWORK 1 name :name: there is a network oftc"),
        ("BOUNCER CHANGENETWORK 1 name=", "INVALID_ATTRIBUTE CHANGENETWORK 1 name :name: "),
        ("BOUNCER CHANGENETWORK 1 host=", "INVALID_ATTRIBUTE CHANGENETWORK 1 host :host: "),
        (r"BOUNCER CHANGENETWORK 1 nickname=a\sb", "INVALID_ATTRIBUTE CHANGENETWORK 1 nickname :nickname: "),
        (r"BOUNCER CHANGENETWORK 1 username=a\nb", "INVALID_ATTRIBUTE CHANGENETWORK 1 username :username: "),
        (r"BOUNCER CHANGENETWORK 1 pass=a\r\nQUIT", "INVALID_ATTRIBUTE CHANGENETWORK 1 pass :pass: "),
        (r"BOUNCER CHANGENETWORK 1 realname=\sx" + "y" * 500, "INVALID_ATTRIBUTE CHANGENETWORK 1 realname :realname: "),
    ],
)
async def test_what_can_not_be_is_refused_in_the_words_of_the_specification(
    stage: Stage, line: str, answer: str
) -> None:
    user = stage.user("alice", "libera", "oftc")
    stage.user("bob", "libera")
    app = await unbound(stage, WATCHES)
    (got,) = await asks(app, line)
    assert got.startswith(f"{FAIL} {answer}")
    assert networks_of(stage) == user.networks


@pytest.mark.parametrize(
    "line",
    ["BOUNCER", "BOUNCER ADDNETWORK", "BOUNCER DELNETWORK", "BOUNCER CHANGENETWORK 1", "BOUNCER CHANGENETWORK 1 :"],
)
async def test_too_few_parameters(stage: Stage, line: str) -> None:
    stage.user("alice", "libera", "oftc")
    app = await unbound(stage)
    (got,) = await asks(app, line)
    assert got.startswith(":bnc.example 461 alice BOUNCER :")


async def test_there_is_a_limit_of_networks(stage: Stage) -> None:
    user = stage.user("alice", "libera", "oftc")
    stage.house.replace(replace(user, limits=Limits(networks=2)))
    app = await unbound(stage)
    assert await asks(app, "BOUNCER ADDNETWORK host=irc.example") == [
        f"{FAIL} UNKNOWN_ERROR ADDNETWORK :alice may have 2 networks and has 2; delete one, or "
        "let an admin raise it: user update alice limits.networks=3"
    ]
    await asks(app, "BOUNCER DELNETWORK 1")
    assert await asks(app, "BOUNCER ADDNETWORK host=irc.example") == [":bnc.example BOUNCER ADDNETWORK 3"]


async def test_two_who_want_one_name_at_once(stage: Stage) -> None:
    stage.user()
    one, two = await unbound(stage), await unbound(stage)
    one.says("BOUNCER ADDNETWORK host=a.example;name=new")
    two.says("BOUNCER ADDNETWORK host=b.example;name=New")
    answers = [*await one.gets_soon(), *await two.gets_soon()]
    assert sorted(answer.split()[1] for answer in answers) == ["BOUNCER", "FAIL"]
    assert [each.name.casefold() for each in networks_of(stage)] == ["example", "new"]


async def test_what_can_not_be_stored_is_taken_back_and_told(stage: Stage) -> None:
    stage.user()
    app = await unbound(stage, WATCHES)
    stage.store.fail("the disk is full")
    (made, gone, answer) = await asks(app, "BOUNCER ADDNETWORK host=irc.example;name=new")
    assert made.startswith(":bnc.example BOUNCER NETWORK 2 name=new;")
    assert gone == ":bnc.example BOUNCER NETWORK 2 *"
    assert answer.startswith(f"{FAIL} UNKNOWN_ERROR ADDNETWORK :nothing was changed, because it can't be stored: ")
    stage.store.fail(None)


async def test_answers_keep_their_order(stage: Stage) -> None:
    stage.user()
    app = await unbound(stage)
    lines = await asks(
        app, "BOUNCER ADDNETWORK host=irc.example;name=new", "PING one", "BOUNCER DELNETWORK 2", "PING 2"
    )
    assert lines == [
        ":bnc.example BOUNCER ADDNETWORK 2",
        ":bnc.example PONG bnc.example one",
        ":bnc.example BOUNCER DELNETWORK 2",
        ":bnc.example PONG bnc.example 2",
    ]


async def test_a_bound_client_knows_its_network(stage: Stage) -> None:
    stage.user("alice", "libera", "oftc")
    stage.upstream("alice", "oftc").welcomes("alice", "BOUNCER_NETID=77")  # a bouncer behind ours
    for login, expected in (("alice/libera", "1"), ("alice/oftc", "2")):
        device = await stage.device(login)
        tokens = " ".join(line for line in await device.gets_soon() if " 005 " in line).split()
        assert [token for token in tokens if token.startswith("BOUNCER_NETID")] == [f"BOUNCER_NETID={expected}"]


async def test_an_unbound_client_has_no_network_in_its_tokens(stage: Stage) -> None:
    stage.user("alice", "libera", "oftc")
    device = await stage.device("alice")
    assert not [line for line in await device.gets_soon() if "BOUNCER_NETID" in line]


async def test_a_line_about_a_network_is_no_longer_than_lines_are(stage: Stage) -> None:
    user = stage.user("alice", "libera", "oftc")
    huge = replace(user.networks[0], realname="é " * 130, ident="i" * 64)
    stage.house.replace(replace(user, networks=(huge, user.networks[1])))
    stage.upstream("alice", "libera").hangs_up("; " * 600)
    stage.upstream("alice", "oftc").hangs_up("; " * 600)
    app = await unbound(stage)
    first, second = (await asks(app, "BOUNCER LISTNETWORKS"))[1:3]
    for line in (first, second):
        assert len(line.partition(" ")[2].encode()) <= 510
    assert "realname=" not in first  # rather none than half of one
    error = second.partition("error=")[2]
    assert error.startswith(r"\:\s\:")
    assert len(second.split(" ", 5)[-1]) <= ATTRIBUTES_BUDGET


async def test_who_does_not_read_is_not_waited_for(stage: Stage) -> None:
    stage.user("alice", "libera", "oftc")
    app = await unbound(stage, WATCHES)
    app.full = True
    libera = stage.upstream("alice", "libera")
    for number in range(1000):
        libera.hangs_up(f"reason {number}")
    app.gets_nothing()
    app.takes_again()
    assert app.lines()[-1] == r":bnc.example BOUNCER NETWORK 1 error=reason\s999"


async def test_a_secret_is_not_shown_in_a_question(stage: Stage) -> None:
    user: User = stage.user()
    app = await unbound(stage, WATCHES)
    await asks(app, "BOUNCER CHANGENETWORK 1 pass=hush")
    assert networks_of(stage)[0].server_password == "hush"
    assert user.networks[0].server_password == ""
    assert not [line for line in await asks(app, "BOUNCER LISTNETWORKS") if "hush" in line or "pass" in line]
