"""Every implementation of the store's ports, for the suites in this directory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol

import pytest

from bouncer.model.ports import Archive, History, Records, Snapshot
from bouncer.store import blocks as steps
from bouncer.store import index_words, indexer
from bouncer.store.memory import MemoryStore
from bouncer.store.postgresql.store import ServerStore
from bouncer.store.secrets import open_box
from bouncer.store.sqlite import Store
from bouncer.store.writer import Pace

BLOCKS = {"indexed": 2, "postgresql-indexed": 2}  # kinds that index at once; lines in a block


class AnyStore(Records, Archive, History, Protocol):
    """What all stores are."""

    def load(self) -> Snapshot: ...

    def attach(self, loop: asyncio.AbstractEventLoop) -> None: ...

    def close(self) -> None: ...


class Place:
    """Where a store lives on while it is closed and opened again."""

    def __init__(self, make: Callable[[], AnyStore], indexing: bool = False) -> None:
        self._make = make
        self._indexing = indexing
        self.store = make()
        self.snapshot = self.store.load()
        self.store.attach(asyncio.get_running_loop())

    async def written(self) -> None:
        """Have all lines committed, and indexed where this store does that soon."""
        await self.store.settled()
        while self._indexing and self.store.unindexed:
            await self.store.settled()

    async def restart(self) -> Snapshot:
        """End the store in order and start it anew."""
        await self.store.settled()
        self.store.close()
        self.store = self._make()
        self.snapshot = self.store.load()
        self.store.attach(asyncio.get_running_loop())
        return self.snapshot


@pytest.fixture(params=["memory", "sqlite", "indexed", "postgresql", "postgresql-indexed"])
async def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Place]:
    """A new, empty store that is loaded and attached. Some never come to index their lines, some do so at once, in
    small blocks: PostgreSQL's with a line left over now and then. SQLite's are gone through a few at a time."""
    kind = request.param
    if kind == "indexed":
        monkeypatch.setattr(index_words, "BLOCK_LINES", BLOCKS[kind])
        monkeypatch.setattr(indexer, "BLOCK_LINES", BLOCKS[kind])
        monkeypatch.setattr(steps, "LONGEST_STEP", 1)
    indexing = kind in BLOCKS
    pace = Pace(index=0.0 if indexing else 3600.0, expire_more=0.0)
    memory = MemoryStore()
    database = tmp_path / "bouncer.db"
    key = tmp_path / "secret.key"
    url = request.getfixturevalue("postgresql").new_schema() if kind.startswith("postgresql") else ""

    def make() -> AnyStore:
        if kind == "memory":
            return memory
        if url:
            return ServerStore.open(url, open_box(key, database), pace=pace, block=BLOCKS.get(kind, 64))
        return Store.open(database, open_box(key, database), pace=pace)

    place = Place(make, indexing)
    yield place
    place.store.close()
