"""Homes with history in them, without a bouncer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bouncer.app.home import Home
from bouncer.app.moving.history import export_history, import_history
from bouncer.irc.message import Message
from bouncer.model.entry import Entry, Kind
from bouncer.model.past import PastLine
from bouncer.model.records import Network, User
from bouncer.store.secrets import open_box
from bouncer.store.sqlite import Store

ALICE = User(1, "alice", networks=(Network(1, "libera"), Network(2, "oftc", nick="al")))


class Place:
    """A home, and what the commands on it say."""

    def __init__(self, path: Path, *, empty: bool = False) -> None:
        self.home = Home(path)
        self.said: list[str] = []
        if not empty:
            self.put()

    def store(self) -> Store:
        return Store.open(self.home.database, open_box(self.home.secret_key, self.home.database))

    def put(self, lines: Sequence[PastLine] = (), network: int = 1) -> None:
        """Have these lines kept as if they had come from the network."""
        self.home.make()
        store = self.store()
        snapshot = store.load()
        store.put_users([ALICE])
        head = snapshot.heads[network].seq if network in snapshot.heads else 0
        store.append(
            network,
            [
                Entry(seq, line.time, Message.parse(line.raw), line.kind, line.target, line.device, also=line.also)
                for seq, line in enumerate(lines, head + 1)
            ],
        )
        store.close()

    def export(self, to: Path | str, what: str = "alice/libera", *bounds: str, form: str = "json") -> None:
        export_history(self.home, self.said.append, what, bounds, form, str(to), "", as_json=False)

    def bring(
        self, path: Path, what: str = "alice/libera", *, timezone: str = "", partial: bool = False
    ) -> dict[str, Any]:
        """Import; the counts."""
        said: list[str] = []
        import_history(self.home, said.append, what, path, None, timezone, partial, as_json=True)
        counts: dict[str, Any] = json.loads(said[0])
        return counts

    def kept(self, to: Path, what: str = "alice/libera") -> list[dict[str, Any]]:
        """All lines as JSON has them, without their numbers."""
        self.export(to, what)
        rows = [json.loads(row) for row in to.read_bytes().splitlines()][1:-1]
        return [{key: value for key, value in row.items() if key not in ("seq", "network")} for row in rows]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "home")


def said(time: int, text: bytes = b"hello", target: str = "#c", nick: bytes = b"bob!b@h", also: str = "") -> PastLine:
    raw = b":" + nick + b" PRIVMSG " + target.encode("utf-8", "surrogateescape") + b" :" + text
    return PastLine(time, Kind.PRIVMSG, target, "", (), raw)
