"""Which store the settings name."""

import sys
from pathlib import Path

import pytest

from bouncer.app.config import parse_config
from bouncer.app.home import Home
from bouncer.app.wire import open_store
from bouncer.model.errors import Refused
from tests.postgresql_server import PostgresqlServer


def test_the_store_is_on_the_server_that_is_named(tmp_path: Path, postgresql: PostgresqlServer) -> None:
    home = Home(tmp_path)
    config = parse_config(f'store = "{postgresql.new_schema()}"', home.config)
    for boot in (1, 2):
        store = open_store(home, config)
        assert store.load().boot == boot
        store.close()
    assert not home.database.exists()


def test_a_driver_that_is_missing_is_said_how_to_get(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "psycopg" or "store.postgresql" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    home = Home(tmp_path)
    config = parse_config('store = "postgresql://user:sesame@host/database"', home.config)
    with pytest.raises(Refused) as refused:
        open_store(home, config)
    assert "run pip install 'bouncer-irc[postgresql]'" in str(refused.value)
    assert "sesame" not in str(refused.value)
