"""The rate at which clients are asked, whatever the clock does."""

from __future__ import annotations

from bouncer.downstream.proofs import PROMPT_AT_ONCE, PROMPT_PER_SECOND, Proofs


def taken(proofs: Proofs, now: float) -> int:
    count = 0
    while proofs.take(now):
        count += 1
    return count


def test_so_many_at_once_and_so_many_a_second() -> None:
    proofs = Proofs()
    assert taken(proofs, 1000.0) == PROMPT_AT_ONCE
    assert taken(proofs, 1000.5) == PROMPT_PER_SECOND / 2
    assert taken(proofs, 2000.0) == PROMPT_AT_ONCE


def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing() -> None:
    proofs = Proofs()
    assert taken(proofs, 1000.0) == PROMPT_AT_ONCE
    assert taken(proofs, 500.0) == 0
    assert taken(proofs, 500.5) == PROMPT_PER_SECOND / 2
