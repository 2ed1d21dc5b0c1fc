"""The files of examples/ are what they say: applied, read and complete."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bouncer.app.config import load_config
from bouncer.operations.settings import CHANNEL_KEYS, NETWORK_KEYS, USER_KEYS
from bouncer.operations.state_file import parse
from bouncer.operations.table import perform

if TYPE_CHECKING:
    from tests.unit.conftest import Bench

EXAMPLES = Path(__file__).parents[3] / "examples"
STATE = (EXAMPLES / "state.toml").read_text()


async def test_the_state_file_is_applied_without_a_warning(bench: Bench) -> None:
    result = await perform(bench.context(), ["apply", f"file={STATE}"])
    assert result.data["warnings"] == []
    assert [user.name for user in bench.house.users()] == ["alice", "bob"]
    assert (await perform(bench.context(), ["apply", f"file={STATE}", "prune=yes"])).lines == ("nothing to change",)


def test_the_state_file_has_every_key() -> None:
    users = parse(STATE)
    networks = [network for user in users for network in user.networks]
    channels = [channel for network in networks for channel in network.channels]
    assert {"name", "password_hash", "scram", "tokens", "certificates"} | {
        key for user in users for key in user.values
    } == {key.name for key in USER_KEYS} - {"enabled"}
    assert {"name", "sasl", "channels", "certificate"} | {key for network in networks for key in network.values} == {
        key.name for key in NETWORK_KEYS
    }
    assert {key for channel in channels for key in channel.values} == {key.name for key in CHANNEL_KEYS}


def test_the_settings_are_the_defaults() -> None:
    shown = load_config(EXAMPLES / "bouncer.toml")
    usual = load_config(EXAMPLES / "none.toml")
    assert shown.hostname == "bnc.example.org"
    assert (shown.listen, shown.store, shown.tls, shown.upstream) == (
        usual.listen,
        usual.store,
        usual.tls,
        usual.upstream,
    )
