"""The state file (design 5.3): text into what is wanted, and users into text.

Owns the file's shape and its error messages. Must not know what there is already: :mod:`bouncer.operations.plan` does.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tomli_w

from bouncer.model.errors import Refused
from bouncer.model.records import Channel, Network, User, fold_name
from bouncer.model.state import CHANNELS_LIMIT
from bouncer.operations import settings
from bouncer.operations.names import account_name, channel_key, channel_name, meant, quoted
from bouncer.operations.row import NEEDED, Key
from bouncer.operations.toml_lines import Path, line_numbers, line_of
from bouncer.operations.values import NETWORKS_LIMIT

MISTAKES_LIMIT = 50  # told at once: more than that is not the file that was meant
INLINE_LIMIT = 100  # characters of a list on one line; a longer one gets a line per item


_RAW_CONTROLS = re.compile("[\x7f-\x9f]")  # TOML lets them stand; a terminal obeys them


class Mistakes(Refused):
    """A file that can't be applied. ``lines`` are its mistakes, each a sentence with its line number."""

    def __init__(self, lines: Sequence[str]) -> None:
        more = len(lines) - MISTAKES_LIMIT
        self.lines = (*lines[:MISTAKES_LIMIT], *([f"and {more} more"] if more > 0 else []))
        if len(lines) == 1:
            super().__init__(f"nothing was changed, the file has a mistake: {lines[0]}")
        else:
            shown = "".join(f"\n  {line}" for line in self.lines)
            super().__init__(f"nothing was changed, the file has {len(lines)} mistakes:{shown}")


@dataclass(frozen=True, slots=True)
class WantedChannel:
    name: str
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class WantedNetwork:
    """``values`` holds the keys that the file has, parsed, but for name and channels."""

    name: str
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    channels: tuple[WantedChannel, ...] = ()


@dataclass(frozen=True, slots=True)
class WantedUser:
    """As WantedNetwork. ``password`` among the values is the plain one."""

    name: str
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    networks: tuple[WantedNetwork, ...] = ()


def parse(text: str) -> tuple[WantedUser, ...]:
    """What the file wants. Raises Mistakes with all that is wrong with it."""
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise Mistakes([f"it is not TOML: {problem}"]) from None
    reader = _Reader(line_numbers(text))
    users = reader.users(tables)
    if reader.mistakes:
        raise Mistakes([sentence for _, sentence in sorted(reader.mistakes, key=lambda mistake: mistake[0])])
    return users


class _Reader:
    """Walks the tables of one file and gathers the mistakes."""

    def __init__(self, lines: Mapping[Path, int]) -> None:
        self._lines = lines
        self.mistakes: list[tuple[int, str]] = []

    def users(self, tables: Mapping[str, Any]) -> tuple[WantedUser, ...]:
        for key in tables:
            if key != "user":
                self._wrong((key,), f"{quoted(key)} is not known here{meant(key, ['user'])}; users are [[user]] tables")
        users = []
        for path, table in self._tables(tables.get("user", []), ("user",), "[[user]]"):
            user = self._user(path, table)
            if user is not None:
                users.append(user)
        return tuple(users)

    def _user(self, path: Path, table: Mapping[str, Any]) -> WantedUser | None:
        name = self._name(path, table, "user")
        found = self._values(path, table, settings.USER_KEYS, f"user {name}", ("name", "network"))
        networks = []
        inner = self._tables(table.get("network", []), (*path, "network"), "[[user.network]]")
        for number, (network_path, network_table) in enumerate(inner):
            if number == NETWORKS_LIMIT:
                self._wrong(network_path, f"user {name} has more than {NETWORKS_LIMIT} networks; leave some out")
            network = self._network(network_path, network_table, name)
            if network is not None:
                networks.append(network)
        if "password" in found and "password_hash" in found:
            self._wrong((*path, "password_hash"), f"user {name}: give either password or password_hash, not both")
        if "scram" in found and "password_hash" not in found:
            self._wrong((*path, "scram"), f"user {name}: scram needs the password_hash of the same password with it")
        return WantedUser(name, found, tuple(networks)) if name else None

    def _network(self, path: Path, table: Mapping[str, Any], user: str) -> WantedNetwork | None:
        name = self._name(path, table, "network")
        label = f"network {user}/{name}"
        before = len(self.mistakes)
        found = self._values(path, table, settings.NETWORK_KEYS, label, ("name", "channels"))
        channels = self._channels((*path, "channels"), table.get("channels", []), label)
        if len(self.mistakes) == before:
            try:
                settings.network_with(Network(0, name), found)
            except Refused as problem:
                self._wrong(path, f"{label}: {problem}")
        return WantedNetwork(name, found, channels) if name else None

    def _channels(self, path: Path, items: object, label: str) -> tuple[WantedChannel, ...]:
        if not isinstance(items, list):
            self._wrong(path, f'{label}: channels is to be a list, as in channels = ["#python"]')
            return ()
        if len(items) > CHANNELS_LIMIT:
            self._wrong(path, f"{label}: there are more than {CHANNELS_LIMIT} channels; leave some out")
            return ()
        channels: list[WantedChannel] = []
        seen: set[str] = set()
        for number, item in enumerate(items):
            table = {"name": item} if isinstance(item, str) else item
            if not isinstance(table, dict) or not isinstance(table.get("name"), str):
                self._wrong(path, f'{label}: a channel is written as "#name" or {{ name = "#name", key = "…" }}')
                continue
            name = table["name"]
            try:
                channel_name(name)
            except Refused as problem:
                self._wrong((*path, number), f"{label}: {problem}")
                continue
            if channel_key(name) in seen:
                self._wrong((*path, number), f"{label}: the channel {quoted(name)} is there twice")
            seen.add(channel_key(name))
            values = self._values((*path, number), table, settings.CHANNEL_KEYS, f"{label}, {name}", ("name",))
            channels.append(WantedChannel(name, values))
        return tuple(channels)

    def _tables(self, items: object, path: Path, what: str) -> Iterable[tuple[Path, Mapping[str, Any]]]:
        """The tables of an array of tables, with a mistake for each name that comes twice."""
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            self._wrong(path, f"{path[-1]} is to be written as {what} tables")
            return
        seen: set[str] = set()
        for number, item in enumerate(items):
            name = item.get("name")
            if isinstance(name, str):
                if fold_name(name) in seen:
                    self._wrong((*path, number, "name"), f"the {path[-1]} {quoted(name)} is there twice")
                seen.add(fold_name(name))
            yield (*path, number), item

    def _name(self, path: Path, table: Mapping[str, Any], what: str) -> str:
        name = table.get("name")
        if not isinstance(name, str):
            self._wrong((*path, "name"), f'a {what} needs a name, as in name = "alice"')
            return ""
        try:
            return account_name(name)
        except Refused as problem:
            self._wrong((*path, "name"), f"{what}: {problem}")
            return ""

    def _values(
        self, path: Path, table: Mapping[str, Any], keys: Sequence[Key], label: str, others: tuple[str, ...]
    ) -> dict[str, Any]:
        by_name = {key.name: key for key in keys}
        found: dict[str, Any] = {}
        for spot, name, value in _flat(table):
            if name in others:
                continue
            where = (*path, *spot)
            key = by_name.get(name)
            if key is not None:
                try:
                    found[name] = key.default if value == "" and key.default is not NEEDED else key.parse(value)
                except Refused as problem:
                    self._wrong(where, f"{label}: {name}: {problem}")
            else:
                self._wrong(where, f"{label}: {quoted(name)} is not a key{meant(name, [*by_name, *others])}")
        return found

    def _wrong(self, path: Path, sentence: str) -> None:
        line = line_of(self._lines, path) or line_of(
            self._lines, (*path, 0)
        )  # an array of tables is there as its items
        self.mistakes.append((line, f"line {line}: {sentence}" if line else sentence))


def _flat(table: Mapping[str, Any]) -> Iterable[tuple[Path, str, Any]]:
    """(path, key, value) with the inner tables as ``sasl.user``."""
    for name, value in table.items():
        if name in settings.TABLES and isinstance(value, dict):
            for inner, item in value.items():
                yield (name, inner), f"{name}.{inner}", item
        else:
            yield (name,), name, value


def export(users: Iterable[User], secrets: bool) -> str:
    """These users as a state file. Settings at their default are left out, and secrets unless they are asked for."""
    parts: list[str] = []
    for user in users:
        parts += _table("[[user]]", _nested(_shown(settings.user_values(user), settings.USER_KEYS, secrets)))
        for network in user.networks:
            shown = _nested(_shown(settings.network_values(network), settings.NETWORK_KEYS, secrets))
            shown.pop("channels", None)
            if network.channels:
                shown["channels"] = [_channel(channel, secrets) for channel in network.channels]
            parts += _table("[[user.network]]", shown)
    return "\n".join(parts).lstrip("\n")


def _shown(flat: Mapping[str, Any], keys: Sequence[Key], secrets: bool) -> dict[str, Any]:
    hidden = {key.name for key in keys if key.secret and not secrets}
    return {name: value for name, value in flat.items() if name not in hidden}


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, value in flat.items():
        outer, dot, inner = name.partition(".")
        if dot:
            nested.setdefault(outer, {})[inner] = value
        else:
            nested[name] = value
    return nested


def _channel(channel: Channel, secrets: bool) -> Any:
    values = _shown(settings.channel_values(channel), settings.CHANNEL_KEYS, secrets)
    return {"name": channel.name, **values} if values else channel.name


def _table(header: str, values: Mapping[str, Any]) -> list[str]:
    return ["", header, *(f"{name} = {_value(value)}" for name, value in values.items()), *([""] if not values else [])]


def _value(value: Any) -> str:
    text = _inline(value)
    if isinstance(value, list) and len(text) > INLINE_LIMIT:
        return "[\n" + "".join(f"    {_inline(item)},\n" for item in value) + "]"
    return text


def _inline(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_inline(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{name} = {_inline(item)}' for name, item in value.items())} }}"
    text = tomli_w.dumps({"x": value}).removeprefix("x = ").rstrip("\n")
    return _RAW_CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
