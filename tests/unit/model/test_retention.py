from __future__ import annotations

from bouncer.model.history import Expiry
from bouncer.model.records import Channel, Limits, Network, User
from bouncer.model.retention import Rule, rules_of_network, rules_of_user, strictest


def test_the_strictest_is_the_smallest_that_there_is() -> None:
    assert [strictest(), strictest(0, 0.0), strictest(0, 5, 3)] == [0, 0, 3]


def test_without_settings_there_is_no_rule() -> None:
    user = User(1, "alice", networks=(Network(1, "one", channels=(Channel("#a"),)),))
    assert [*rules_of_user(user), *rules_of_network(user, user.networks[0])] == []


def test_each_bound_is_a_rule_unless_a_wider_one_is_as_strict() -> None:
    channels = (Channel("#a", keep=5.0, keep_size=7), Channel("#b", keep=50.0), Channel("#c", keep=20.0))
    network = Network(1, "one", keep=20.0, keep_size=30, channels=channels)
    user = User(1, "alice", keep=40.0, keep_size=90, limits=Limits(keep=30.0, keep_size=80))
    user = User(1, "alice", keep=40.0, keep_size=90, limits=user.limits, networks=(network, Network(2, "two")))
    assert list(rules_of_user(user)) == [Rule((1, 2), size=80)]
    assert list(rules_of_network(user, network)) == [
        Rule((1,), age=20.0),
        Rule((1,), size=30),
        Rule((1,), "#a", age=5.0),
        Rule((1,), "#a", size=7),
    ]
    assert list(rules_of_network(user, user.networks[1])) == [Rule((2,), age=30.0)]


def test_what_is_asked_for_twice_covers_itself() -> None:
    assert Expiry(1).covers(Expiry(1, "#a", 5, 6))
    assert Expiry(1, "#a", 5).covers(Expiry(1, "#a", 5))
    assert Expiry(1, "#a", 6).covers(Expiry(1, "#a", 5))
    for other in (Expiry(2, "#a", 5), Expiry(1, "", 5), Expiry(1, "#b", 5), Expiry(1, "#a", 7), Expiry(1, "#a")):
        assert not Expiry(1, "#a", 6).covers(other)
    assert not Expiry(1, upto=5).covers(Expiry(1, upto=6))
