from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bouncer.core.status import Phase
from bouncer.operations.context import Actor, Facts
from bouncer.operations.overview import EACH_LIMIT, state_text

if TYPE_CHECKING:
    from tests.unit.conftest import Bench


async def test_status_tells_of_the_process_and_every_network(stocked: Bench) -> None:
    stocked.known = replace(stocked.known, undurable=3, unindexed=4)
    link = stocked.house.links()[0]
    link.phase = Phase("waiting", 0.0, "connection refused", 1_700_000_030.0)
    result = await stocked.do("status")
    assert result.lines == (
        "bouncer 1.0, up 1 h 1 min, listening on ircs://[::]:6697; 3 lines to be stored, 4 lines to be indexed",
        "alice: no device attached",
        "  libera: waiting, connection refused; next try in 30 s",
        "bob: no device attached",
    )
    assert (result.data["undurable"], result.data["unindexed"], result.data["running"]) == (3, 4, True)
    assert result.data["users"][0]["networks"][0]["next_try"] == 1_700_000_030.0


async def test_status_tells_whether_it_is_compiled(stocked: Bench) -> None:
    assert (await stocked.do("status")).data["compiled"] is False
    stocked.known = replace(stocked.known, compiled=True)
    result = await stocked.do("status")
    assert result.lines[0].startswith("bouncer 1.0 (compiled), up ")
    assert result.data["compiled"] is True


async def test_status_tells_why_lines_are_not_stored_and_how_many_are_lost(stocked: Bench) -> None:
    stocked.known = replace(stocked.known, undurable=3, problem="the disk is full: make room there", lost=1)
    result = await stocked.do("status")
    assert result.lines[1:3] == (
        "history can't be stored: the disk is full: make room there",
        "1 line of history lost since the start, for want of a store that works",
    )
    assert (result.data["store_problem"], result.data["lost"]) == ("the disk is full: make room there", 1)


async def test_of_many_networks_those_that_are_connected_are_counted(stocked: Bench) -> None:
    for number in range(EACH_LIMIT):
        await stocked.do(f"network create bob/net{number} servers=ircs://irc.example.org")
    for link in stocked.house.links():
        link.phase = Phase("connected", 0.0)
    stocked.house.links()[1].phase = Phase("waiting", 0.0, "connection refused", 1_700_000_030.0)
    _, *lines, last = (await stocked.do("status")).lines
    assert lines == [
        "alice: no device attached; 1 of 1 network connected",
        f"bob: no device attached; {EACH_LIMIT - 1} of {EACH_LIMIT} networks connected",
        "  net0: waiting, connection refused; next try in 30 s",
    ]
    assert "counted only" in last
    assert len((await stocked.do("status bob")).lines) == 2 + EACH_LIMIT
    assert len((await stocked.do("status")).data["users"][1]["networks"]) == EACH_LIMIT


async def test_a_network_has_the_same_keys_whether_it_runs_or_not(stocked: Bench) -> None:
    (running,) = (await stocked.do("status alice")).data["users"][0]["networks"]
    stocked.known = Facts("1.0")
    (stopped,) = (await stocked.do("status alice")).data["users"][0]["networks"]
    assert {key: type(value) for key, value in running.items()} == {key: type(value) for key, value in stopped.items()}


async def test_a_user_sees_the_own_and_an_admin_all(stocked: Bench) -> None:
    mine = await stocked.do("status", Actor("bob"))
    assert [user["name"] for user in mine.data["users"]] == ["bob"]
    assert len((await stocked.do("status", Actor("bob", admin=True))).data["users"]) == 2
    assert len((await stocked.do("status alice", Actor("bob", admin=True))).data["users"]) == 1
    assert "another user" in await stocked.refusal("status alice", Actor("bob"))


async def test_without_a_running_bouncer_it_says_so(stocked: Bench) -> None:
    stocked.known = Facts("1.0")
    result = await stocked.do("status")
    assert "is not running" in result.lines[0]
    assert result.data["users"][0]["networks"][0]["state"] == "stopped"


def test_a_connected_network_in_words() -> None:
    state = {
        "state": "connected",
        "server": "irc.example",
        "nick": "alice",
        "since": 1000.0,
        "reason": "",
        "next_try": 0.0,
        "devices": ["phone"],
        "channels": [
            {"name": "#a", "joined": True, "reason": ""},
            {"name": "#b", "joined": False, "reason": "banned"},
        ],
    }
    assert state_text(state, 1075.0) == (
        "connected to irc.example as alice for 1 min 15 s, 1 channel, 1 device; not in #b: banned"
    )


async def test_the_certificate_is_shown_and_renewed(bench: Bench) -> None:
    shown = await bench.do("cert show", Actor("alice"))
    assert shown.data["fingerprint"] == "ab" * 32
    assert f"SHA-256 {'AB:' * 31}AB" in shown.lines
    assert "admins only" in await bench.refusal("cert renew", Actor("alice"))
    assert (await bench.do("cert renew")).data["fingerprint"] == "cd" * 32
    bench.certs.certificate = replace(bench.certs.certificate, self_signed=False)
    assert "replace its file" in await bench.refusal("cert renew")
