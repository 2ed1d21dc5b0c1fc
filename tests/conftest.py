"""What all tests may use: a PostgreSQL server of their own, where it is installed; and how Hypothesis is to work."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.postgresql_server import PostgresqlServer

# How fast a machine is proves nothing: a busy one is slow, and the first text drawn on a new one takes seconds.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


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
