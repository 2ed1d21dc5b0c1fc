"""The stage of tests/play: a whole house, whose parts are looked at here."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.play.stage import Stage


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.desk.close()
    stage.store.close()
