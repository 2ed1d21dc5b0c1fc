"""The stage of tests/play, for units of the app that need a whole house around them."""

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
