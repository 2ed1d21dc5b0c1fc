"""When which JOIN goes out, whatever a network says."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bouncer.core.joins import CANNOT_JOIN, KICK_WAIT, LINE_BUDGET, Joins, logs_in
from bouncer.core.wishes import Wishes, is_key
from bouncer.irc.casemap import CaseMap, fold_ascii
from bouncer.irc.message import Message
from bouncer.model.records import Channel
from bouncer.model.state import ChannelState

NAMES = ("#a", "#b", "#c", "##a", "#A")


class Life:
    """Joins, with the wishes where they are kept and the channels that we are in."""

    def __init__(self, *channels: Channel, seed: int = 1) -> None:
        self.joins = Joins(Wishes(fold_ascii, self.keep), seed)
        self.inside: CaseMap[ChannelState] = CaseMap(fold_ascii)
        self.now = 0.0
        self.keep(channels)

    def keep(self, channels: tuple[Channel, ...]) -> None:
        self.joins.reconfigure(channels)

    def lines(self, most: int | None = None) -> list[str]:
        return [line.encode().decode() for line in self.joins.lines(self.now, self.inside, most)]

    def enters(self, name: str) -> None:
        self.inside[name] = ChannelState(name, fold_ascii)
        self.joins.joined(name)

    def refused(self, numeric: str, *params: str) -> None:
        self.joins.refused(Message.build(numeric, "alice", *params, "No"), self.now)


def test_lines_are_as_few_as_fit() -> None:
    life = Life(*(Channel(f"#channel-{number:04}", "k" * (number % 2)) for number in range(200)))
    life.joins.begin(0.0, hold=False)
    lines = life.lines()
    assert len(lines) < 8
    assert all(len(line) <= 510 and len(line) <= LINE_BUDGET + 30 for line in lines)
    for line in lines:
        _, names, *keys = line.split(" ")
        wanted = {channel.name: channel.key for channel in life.joins.wishes.channels}
        given = ",".join(keys).split(",") if keys else []
        assert [wanted[name] for name in names.split(",")] == given + [""] * (len(names.split(",")) - len(given))
    assert sum(line.count("#") for line in lines) == 200


def test_a_networks_limit_of_targets_is_kept() -> None:
    life = Life(Channel("#a"), Channel("#b"), Channel("#c"))
    life.joins.begin(0.0, hold=False)
    assert life.lines(2) == ["JOIN #a,#b", "JOIN #c"]


def test_two_links_do_not_come_back_together() -> None:
    dues = set()
    for seed in range(50):
        life = Life(Channel("#a"), seed=seed)
        life.joins.begin(0.0, hold=False)
        life.lines()
        life.refused("471", "#a")
        dues.add(life.joins.due_at)
    assert len(dues) > 40


def test_what_a_key_can_not_be() -> None:
    assert is_key("k")
    assert not any(map(is_key, ("", "*", "a b", "a,b", "a\nb", "a\0")))


def test_which_lines_log_in() -> None:
    for line in ("PRIVMSG NickServ :IDENTIFY x", "PRIVMSG Q@CServe.quakenet.org :AUTH a b", "NS IDENTIFY x"):
        assert logs_in(Message.parse(line.encode()))
    for line in ("PRIVMSG #nickserv :hi", "MODE alice +x", "JOIN #a", ""):
        assert not logs_in(Message.parse(line.encode()))


some_name = st.sampled_from(NAMES)
steps = st.one_of(
    st.tuples(st.just("refused"), st.sampled_from(sorted(CANNOT_JOIN)), some_name, some_name),
    st.tuples(st.sampled_from(("joined", "kicked", "invited", "parted", "renamed")), st.just(""), some_name, some_name),
    st.tuples(st.sampled_from(("logged in", "wait", "long", "begin", "end", "add")), st.just(""), some_name, some_name),
)


@given(st.lists(steps, max_size=60), st.booleans())
def test_whatever_is_said_nothing_is_asked_in_a_loop(life: list[tuple[str, str, str, str]], sticky: bool) -> None:
    link = Life(Channel("#a", sticky=sticky), Channel("#b", "key"))
    joins = link.joins
    joins.begin(0.0, hold=True)
    for step, numeric, name, other in life:
        if step == "refused" and name not in link.inside:
            link.refused(numeric, name, other)
        elif step == "joined":
            link.enters(name)
        elif step == "kicked" and name in link.inside:
            del link.inside[name]
            joins.kicked(name, "kicked by bob", link.now)
            joins.left(link.now)
        elif step == "invited" and name not in link.inside:
            joins.invited(name, link.now)
        elif step == "parted" and name in link.inside:
            del link.inside[name]
            joins.wishes.forget(name)
            joins.left(link.now)
        elif step == "renamed" and name in link.inside:
            link.inside[other] = link.inside.pop(name)
            joins.renamed(name, other)
        elif step == "logged in":
            joins.logged_in(link.now)
        elif step == "wait":
            link.now += KICK_WAIT
        elif step == "long":
            link.now += 700
        elif step == "begin":
            link.inside.clear()
            joins.begin(link.now, hold=False)
        elif step == "end":
            link.inside.clear()
            joins.ended()
        elif step == "add":
            wish = joins.wishes.find(name)
            if wish is not None:
                link.keep(tuple(replace(each, key="new") if each is wish else each for each in joins.wishes.channels))
        lines = link.lines()
        asked = [name for line in lines for name in line.split(" ")[1].split(",")]
        assert len(asked) == len(set(asked))
        assert not any(name in link.inside for name in asked)
        assert joins.due_at > link.now
        assert link.lines() == []
        names = [channel.name for channel in joins.wishes.channels]
        assert [status.name for status in joins.status(link.inside)] == names
        assert len({name.lower() for name in names}) == len(names)
        for status in joins.status(link.inside):
            assert status.joined or status.name not in link.inside
