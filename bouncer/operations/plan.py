"""From what a state file wants and what there is: what has to change.

Owns the meaning of apply: a key that is absent has its default, a secret that is absent stays as it is, what the file
does not name stays unless it is pruned. Must not know the file's shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bouncer.model.records import Channel, Network, SaslLogin, User, fold_name
from bouncer.operations import settings
from bouncer.operations.context import Context
from bouncer.operations.names import channel_key
from bouncer.operations.state_file import WantedChannel, WantedNetwork, WantedUser
from bouncer.operations.values import weakness

# What a file that does not name it leaves as it is: secrets, and what no file has.
_KEPT_OF_USER = ("password_hash", "scram", "tokens", "certificates")
_KEPT_OF_NETWORK = ("server_password", "connect_commands", "certificate", "proxy", "away_text")


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that has to change. ``what`` is user, network or channel; ``act`` create, update or delete."""

    what: str
    name: str
    act: str
    keys: tuple[str, ...] = ()

    def __str__(self) -> str:
        keys = f": {', '.join(self.keys)}" if self.keys else ""
        return f"{self.act} {self.what} {self.name}{keys}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to be kept and removed for the file to be true."""

    saved: tuple[User, ...]
    removed: tuple[User, ...]
    changes: tuple[Change, ...]
    warnings: tuple[str, ...]


Kept = Mapping[str, str]  # what is kept of one password, by the names of its settings


async def kept_of_passwords(context: Context, wanted: Iterable[WantedUser]) -> dict[str, Kept]:
    """By folded name, what to keep of each plain password in the file: what there is already, where it fits."""
    kept: dict[str, Kept] = {}
    for user in wanted:
        plain = user.values.get("password")
        if plain is None:
            continue
        account = context.house.account(user.name)
        known, scram = (account.user.password_hash, account.user.scram) if account is not None else ("", "")
        fits = bool(known) and await context.passwords.verify(known, plain)
        kept[fold_name(user.name)] = {
            "password_hash": known if fits else await context.passwords.hash(plain),
            "scram": scram if fits and scram else await context.passwords.scram(plain),
        }
    return kept


def plan(context: Context, wanted: Sequence[WantedUser], kept: Mapping[str, Kept], prune: bool) -> Plan:
    """What has to change. New users and networks already have their ids in it."""
    there = {fold_name(user.name): user for user in context.house.users()}
    saved: list[User] = []
    changes: list[Change] = []
    warnings: list[str] = []
    for wish in wanted:
        old = there.pop(fold_name(wish.name), None)
        new = _user(context, old, wish, kept, prune)
        warnings += _warnings(wish, new)
        differences = _user_changes(old, new)
        if differences:
            saved.append(new)
            changes += differences
    removed = tuple(there.values()) if prune else ()
    changes += [Change("user", user.name, "delete") for user in removed]
    return Plan(tuple(saved), removed, tuple(changes), tuple(warnings))


def _user(context: Context, old: User | None, wish: WantedUser, kept: Mapping[str, Kept], prune: bool) -> User:
    base = User(old.id if old else context.house.new_user_id(), wish.name)
    if old is not None:
        base = replace(base, **{field: getattr(old, field) for field in _KEPT_OF_USER})
    values = dict(wish.values)
    if "password" in values:
        values |= kept[fold_name(wish.name)]
    elif values.get("password_hash", base.password_hash) != base.password_hash:
        values.setdefault("scram", "")  # else the old password would still open this account by SCRAM
    wishes = {fold_name(network.name): network for network in wish.networks}
    networks: list[Network] = []
    for known in old.networks if old else ():
        wished = wishes.pop(fold_name(known.name), None)
        if wished is not None:
            networks.append(_network(known, wished, prune))
        elif not prune:
            networks.append(known)
    networks += [_network(Network(context.house.new_network_id(), w.name), w, prune) for w in wishes.values()]
    return replace(settings.user_with(base, values), networks=tuple(networks))


def _network(old: Network, wish: WantedNetwork, prune: bool) -> Network:
    base = Network(old.id, wish.name, **{field: getattr(old, field) for field in _KEPT_OF_NETWORK})
    if old.sasl is not None and any(key.startswith("sasl.") for key in wish.values):
        base = replace(base, sasl=SaslLogin(password=old.sasl.password))
    channels: list[Channel] = []
    left = {channel_key(each.name): each for each in wish.channels}
    for known in old.channels:
        wished = left.pop(channel_key(known.name), None)
        if wished is not None:
            channels.append(_channel(wished, known.key))
        elif not prune:
            channels.append(known)
    channels += [_channel(each, "") for each in left.values()]
    return replace(settings.network_with(base, wish.values), channels=tuple(channels))


def _channel(wish: WantedChannel, key: str) -> Channel:
    return settings.channel_with(Channel(wish.name, key), wish.values)


def _user_changes(old: User | None, new: User) -> list[Change]:
    changes = _differences("user", new.name, settings.user_values(old) if old else None, settings.user_values(new))
    before = {network.id: network for network in old.networks} if old else {}
    for network in new.networks:
        changes += _network_changes(new.name, before.pop(network.id, None), network)
    return changes + [Change("network", f"{new.name}/{network.name}", "delete") for network in before.values()]


def _network_changes(user: str, old: Network | None, new: Network) -> list[Change]:
    label = f"{user}/{new.name}"
    changes = _differences("network", label, _without_channels(old) if old else None, _without_channels(new))
    before: dict[str, list[Channel]] = {}  # lists: to a network that folds less than we do, two may be one here
    for channel in old.channels if old else ():
        before.setdefault(channel_key(channel.name), []).append(channel)
    for channel in new.channels:
        same = before.get(channel_key(channel.name))
        known = same.pop(0) if same else None
        before_it = _with_name(known) if known else None
        changes += _differences("channel", f"{label}/{channel.name}", before_it, _with_name(channel))
    return changes + [
        Change("channel", f"{label}/{channel.name}", "delete") for same in before.values() for channel in same
    ]


def _without_channels(network: Network) -> dict[str, Any]:
    return {key: value for key, value in settings.network_values(network).items() if key != "channels"}


def _with_name(channel: Channel) -> dict[str, Any]:
    return {"name": channel.name, **settings.channel_values(channel)}


def _differences(what: str, name: str, old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> list[Change]:
    if old is None:
        return [Change(what, name, "create")]
    missing = object()
    keys = [key for key in {**old, **new} if old.get(key, missing) != new.get(key, missing)]
    return [Change(what, name, "update", tuple(keys))] if keys else []


def _warnings(wish: WantedUser, new: User) -> list[str]:
    warnings = [weakness(new.name, wish.values["password"])] if "password" in wish.values else []
    if not new.password_hash:
        warnings.append(f"nobody can log in as {new.name} until there is a password; user password {new.name} sets one")
    warnings += [
        f"{new.name}/{network.name} has a sasl.user without sasl.password, so that it can't log in there"
        for network in new.networks
        if network.sasl is not None and not network.sasl.password
    ]
    return [warning for warning in warnings if warning]
