"""A home whose store is on a server: an old file that lies in the home is not taken for it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bouncer.app.home import Home
from bouncer.app.moving.backup import back_up
from bouncer.app.moving.history import export_history, import_history
from bouncer.app.moving.migrating import migrate_store
from bouncer.app.wire import open_store
from bouncer.model.errors import Refused


def test_an_old_file_is_not_taken_for_the_store(tmp_path: Path) -> None:
    home = Home(tmp_path)
    store = open_store(home)
    store.load()
    store.close()
    home.config.write_text(f'store = "postgresql://user:sesame@/database?host={tmp_path}/none"')
    told: list[str] = []
    with pytest.raises(Refused, match="the store is on a PostgreSQL server: use pg_dump there"):
        back_up(home, tmp_path / "copy", told.append)
    acts: tuple[Callable[[], None], ...] = (
        lambda: export_history(home, told.append, "alice", (), "json", "-", "", False),
        lambda: import_history(home, told.append, "alice", tmp_path / "lines.json", "json", "", False, False),
        lambda: migrate_store(home, "sqlite", told.append),
    )
    for act in acts:
        with pytest.raises(Refused, match="none can't be used") as refused:
            act()
        assert "sesame" not in str(refused.value)
    assert told == []
    assert not (tmp_path / "copy").exists()
