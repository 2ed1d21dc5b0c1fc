"""What all tests may use: a PostgreSQL server of their own, where PostgreSQL is installed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgresql_server import PostgresqlServer


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """A server that runs, for all tests that leave it running."""
    yield from started()


@pytest.fixture(scope="module")
def fragile_postgresql() -> Iterator[PostgresqlServer]:
    """A server that may be stopped; who does starts it again."""
    yield from started()


def started() -> Iterator[PostgresqlServer]:
    """A new server, removed in the end."""
    server = PostgresqlServer()
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.remove()
