"""What of the history is to be kept: the settings of user, network and channel as rules.

Owns how several settings for the same lines go together: the strictest holds. Must not know how lines are deleted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bouncer.model.records import Network, User


class Rule(NamedTuple):
    """A bound for the lines of these networks together (by id), or of one conversation of one of them: ``age`` in
    seconds, ``size`` in bytes of the lines' text; one of them is 0."""

    networks: tuple[int, ...]
    target: str = ""
    age: float = 0.0
    size: int = 0


def strictest(*bounds: float) -> float:
    """The smallest, of which 0 is none."""
    return min((bound for bound in bounds if bound), default=0.0)


def rules_of_network(user: User, network: Network) -> Iterator[Rule]:
    """The rules for one network and its channels. What a wider one asks for anyway is left out."""
    where = (network.id,)
    age = strictest(user.limits.keep, user.keep, network.keep)
    if age:
        yield Rule(where, age=age)
    if network.keep_size:
        yield Rule(where, size=network.keep_size)
    for channel in network.channels:
        if channel.keep and strictest(age, channel.keep) != age:
            yield Rule(where, channel.name, age=channel.keep)
        if channel.keep_size:
            yield Rule(where, channel.name, size=channel.keep_size)


def rules_of_user(user: User) -> Iterator[Rule]:
    """The rules for all networks of a user together."""
    size = int(strictest(user.limits.keep_size, user.keep_size))
    if size and user.networks:
        yield Rule(tuple(network.id for network in user.networks), size=size)
