"""What people are told of a store that fails."""

from __future__ import annotations

from bouncer.app.storenews import StoreNews
from tests.play.stage import Stage

FULL = "History can't be stored: the disk is full: make room there. Text goes on."


async def test_who_is_there_and_who_comes_is_told_until_it_works(stage: Stage) -> None:
    stage.connected()
    phone = await stage.attached("alice@phone")
    lost = [5]
    news = StoreNews(stage.house, lambda: lost[0])
    news("the disk is full: make room there")
    assert [line.rpartition(" :")[2] for line in phone.lines()] == [FULL]
    desk = await stage.device("alice@desk")
    assert desk.lines()[-1].endswith(FULL)
    phone.lines()
    lost[0] = 12
    news(None)
    again = "History is stored again, but 12 lines that came meanwhile are not kept."
    assert [line.rpartition(" :")[2] for line in phone.lines()] == [again]
    tablet = await stage.device("alice@tablet")
    assert not [line for line in tablet.lines() if "History" in line]
    news("it is damaged")
    news(None)
    assert phone.lines()[-1].endswith("History is stored again.")
