"""How long to wait, where to go, and the pace of connects to one host."""

from __future__ import annotations

import pytest

from bouncer.client.backoff import (
    BAN_WAIT,
    COMPLAINT_MEMORY,
    FIRST_WAIT,
    FLOOD_WAIT,
    HELD,
    HOSTS_LIMIT,
    KILL_WAIT,
    LONGEST_BAN_WAIT,
    LONGEST_WAIT,
    THROTTLE_WAIT,
    Cause,
    HostPacing,
    ReconnectPolicy,
    Server,
    cause_of,
)

A, B = Server("a.example"), Server("b.example", 6667, tls=False)


def policy(*servers: Server, luck: float = 0.0) -> ReconnectPolicy:
    return ReconnectPolicy(servers or (A,), lambda: luck)


@pytest.mark.parametrize("luck", [0.0, 0.5, 0.999])
def test_waits_grow_from_two_seconds_to_five_minutes(luck: float) -> None:
    subject = policy(luck=luck)
    waits = [subject.failed(0.0, Cause.LOST) or 0.0 for _ in range(20)]
    assert all(FIRST_WAIT <= wait <= LONGEST_WAIT for wait in waits)
    assert waits[0] == pytest.approx(FIRST_WAIT * (1 + 0.25 * luck))
    assert waits[:7] == sorted(waits[:7])
    assert waits[-1] == pytest.approx(LONGEST_WAIT * (1 - 0.25 * luck))
    assert subject.attempts == 20


def test_it_never_gives_up() -> None:
    subject = policy()
    assert all(subject.failed(float(n), Cause.LOST) is not None for n in range(5000))


def test_servers_take_turns_and_each_round_waits_longer() -> None:
    subject = policy(A, B)
    assert subject.server == A
    assert subject.failed(0.0, Cause.LOST) == FIRST_WAIT
    assert subject.server == B
    assert subject.failed(0.0, Cause.LOST) == FIRST_WAIT
    assert subject.server == A
    assert subject.failed(0.0, Cause.LOST) == 2 * FIRST_WAIT


def test_only_a_connection_that_held_makes_failures_forgotten() -> None:
    subject = policy(A, B)
    for _ in range(6):
        subject.failed(0.0, Cause.LOST)
    subject.connected(100.0)
    brief = subject.failed(100.0 + HELD - 1, Cause.LOST)
    assert brief is not None
    assert brief > FIRST_WAIT
    subject.connected(1000.0)
    server = subject.server
    assert subject.failed(1000.0 + HELD, Cause.LOST) == FIRST_WAIT
    assert subject.server == server  # it is the first to go back to
    assert subject.attempts == 1


def test_a_ban_waits_a_quarter_hour_and_grows() -> None:
    subject = policy(A, B)
    waits = [subject.failed(0.0, Cause.BANNED) for _ in range(12)]
    assert waits[:3] == [BAN_WAIT, 2 * BAN_WAIT, 4 * BAN_WAIT]
    assert waits[-1] == LONGEST_BAN_WAIT


def test_a_throttle_waits_longer_than_a_loss() -> None:
    assert policy().failed(0.0, Cause.THROTTLED) == THROTTLE_WAIT > FIRST_WAIT


def test_refused_credentials_stop() -> None:
    assert policy().failed(0.0, Cause.REFUSED) is None


def test_there_must_be_a_server() -> None:
    with pytest.raises(ValueError):
        ReconnectPolicy((), lambda: 0.0)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("Closing Link: bob[1.2.3.4] (K-Lined)", Cause.BANNED),
        ("Closing link: (~b@h) [G:Lined: spam]", Cause.BANNED),
        ("Closing Link: h (*** Banned )", Cause.BANNED),
        ("You are banned from this server", Cause.BANNED),
        ("Closing Link: AKILL ID:1", Cause.BANNED),
        ("Z-line: abuse", Cause.BANNED),
        ("Your host is listed in DNSBL", Cause.BANNED),
        ("Closing Link: 1.2.3.4 (Throttled: Reconnecting too fast)", Cause.THROTTLED),
        ("Trying to reconnect too fast.", Cause.THROTTLED),
        ("Too many host connections (local)", Cause.THROTTLED),
        ("Too many user connections", Cause.THROTTLED),
        ("Closing Link: h (Ping timeout: 240 seconds)", Cause.LOST),
        ("Server shutting down: the online manual says so", Cause.LOST),
    ],
)
def test_parting_words_are_understood(text: str, cause: Cause) -> None:
    assert cause_of(text) is cause


def test_ten_at_once_then_one_per_pace() -> None:
    pacing = HostPacing(2.0)
    waits = [pacing.reserve("irc.example", 100.0) for _ in range(13)]
    assert waits == [0.0] * 10 + [2.0, 4.0, 6.0]
    assert pacing.reserve("IRC.example", 110.0) == 0.0 + 8.0 - 10.0 + 2.0
    assert pacing.reserve("other.example", 100.0) == 0.0


def test_a_complaint_doubles_the_pace_until_it_is_forgotten() -> None:
    pacing = HostPacing(2.0)
    for _ in range(5):  # many clients told at once: one complaint
        pacing.complain("h", 0.0)
    assert [pacing.reserve("h", 0.0) for _ in range(3)] == [4.0, 8.0, 12.0]
    pacing.complain("h", 100.0)
    assert [pacing.reserve("h", 100.0) for _ in range(2)] == [8.0, 16.0]
    later = 100.0 + COMPLAINT_MEMORY
    assert [pacing.reserve("h", later) for _ in range(12)] == [0.0] * 10 + [2.0, 4.0]


def test_off_is_no_pace() -> None:
    pacing = HostPacing(None)
    pacing.complain("h", 0.0)
    assert [pacing.reserve("h", 0.0) for _ in range(1000)] == [0.0] * 1000


def test_a_clock_set_back_does_not_make_anyone_wait_for_it() -> None:
    pacing = HostPacing(2.0)
    for _ in range(10):
        pacing.reserve("h", 1_000_000.0)
    assert pacing.reserve("h", 0.0) == 2.0


def test_memory_is_bounded_and_keeps_the_busy_hosts() -> None:
    pacing = HostPacing(2.0)
    for _ in range(10):
        pacing.reserve("busy", 0.0)
    waits = []
    for number in range(2 * HOSTS_LIMIT):
        pacing.reserve(f"h{number}", 0.0)
        if number % 1000 == 0:
            waits.append(pacing.reserve("busy", 0.0))
    assert waits == [2.0 * number for number in range(1, len(waits) + 1)]
    assert len(pacing._hosts) <= HOSTS_LIMIT


def test_a_server_is_written_with_its_port() -> None:
    assert str(Server("::1", 6667)) == "[::1]:6667"
    assert str(A) == "a.example:6697"


# what servers really say at the end; NICK, HOST and so on filled in
INSPIRCD = {
    "Closing link: (bob@192.0.2.1) [Killed (oper (go away))]": Cause.KILLED,
    "Closing link: (bob@192.0.2.1) [Killed (NickServ (GHOST command used by alice))]": Cause.COLLISION,
    "Closing link: (bob@192.0.2.1) [Nickname collision]": Cause.COLLISION,
    "Closing link: (bob@192.0.2.1) [K-lined: spam]": Cause.BANNED,
    "Closing link: (unknown@192.0.2.1) [Z-lined: abuse]": Cause.BANNED,
    "Closing link: (bob@192.0.2.1) [Excess flood]": Cause.FLOODED,
    "Closing link: (bob@192.0.2.1) [RecvQ exceeded]": Cause.FLOODED,
    "Closing link: (bob@192.0.2.1) [Ping timeout: 120 seconds]": Cause.LOST,
    "Closing link: (bob@192.0.2.1) [Server shutting down]": Cause.LOST,
    "Closing link: (unknown@192.0.2.1) [Your host is trying to (re)connect too fast -- throttled.]": Cause.THROTTLED,
    "Closing link: (unknown@192.0.2.1) [No more connections allowed from your host via this connect class (local)]": (
        Cause.THROTTLED
    ),
}
UNREALIRCD = {
    "Closing Link: bob[192.0.2.1] (Killed by oper (go away))": Cause.KILLED,
    "Closing Link: bob[192.0.2.1] ([irc.example] Local kill by oper (go away))": Cause.KILLED,
    "Closing Link: bob[192.0.2.1] (Nick collision)": Cause.COLLISION,
    "Closing Link: bob[192.0.2.1] (User has been banned from Example (spam))": Cause.BANNED,
    "Closing Link: [192.0.2.1] (Throttled: Reconnecting too fast - Email admin@example for more information.)": (
        Cause.THROTTLED
    ),
    "Closing Link: bob[192.0.2.1] (Excess Flood)": Cause.FLOODED,
    "Closing Link: [192.0.2.1] (Too many connections from your IP)": Cause.THROTTLED,
    "Closing Link: bob[192.0.2.1] (Server Terminating. oper)": Cause.LOST,
}
SOLANUM = {
    "Closing Link: 192.0.2.1 (Killed (oper (go away)))": Cause.KILLED,
    "Closing Link: 192.0.2.1 (Killed (NickServ (GHOST command used by alice!a@h)))": Cause.COLLISION,
    "Closing Link: 192.0.2.1 (Killed (services. (REGAIN command used by alice)))": Cause.COLLISION,
    "Closing Link: 192.0.2.1 (Nick collision (new))": Cause.COLLISION,
    "Closing Link: 192.0.2.1 (K-Lined)": Cause.BANNED,
    "Closing Link: 192.0.2.1 (Excess Flood)": Cause.FLOODED,
    "Closing Link: 192.0.2.1 (Connection throttled)": Cause.THROTTLED,
    "Trying to reconnect too fast.": Cause.THROTTLED,
    "Closing Link: 192.0.2.1 (Server shutting down)": Cause.LOST,
    "Closing Link: 192.0.2.1 (Ping timeout: 255 seconds)": Cause.LOST,
    "Closing Link: 192.0.2.1 (Max SendQ exceeded)": Cause.LOST,
}
NGIRCD = {
    'KILLed by "oper": go away': Cause.KILLED,
    "Nick collision": Cause.COLLISION,
    "Connection refused, too many connections from your IP address!": Cause.THROTTLED,
    "You are banned from this server!": Cause.BANNED,
    "Server going down": Cause.LOST,
    "Ping timeout": Cause.LOST,
}
ERGO = {
    "Killed by oper: go away": Cause.KILLED,
    "GHOSTed by alice": Cause.COLLISION,
    "You are banned from this server (spam)": Cause.BANNED,
    "Excess Flood": Cause.FLOODED,
    "Too many clients from your network": Cause.THROTTLED,
    "Server shutting down": Cause.LOST,
}


@pytest.mark.parametrize(
    ("text", "cause"), [item for table in (INSPIRCD, UNREALIRCD, SOLANUM, NGIRCD, ERGO) for item in table.items()]
)
def test_servers_are_understood(text: str, cause: Cause) -> None:
    assert cause_of(text) is cause


def test_who_was_killed_stays_away_longer() -> None:
    assert policy().failed(0.0, Cause.KILLED) == KILL_WAIT
    assert policy().failed(0.0, Cause.COLLISION) == FIRST_WAIT
    assert policy().failed(0.0, Cause.FLOODED) == FLOOD_WAIT
