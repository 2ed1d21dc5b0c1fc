"""Classes of lines, the bucket, and the bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.client.errors import SendQueueFull
from bouncer.client.pacing import FREE_LIMIT, QUEUE_LIMIT, RANKS, Pace, Pacer, Rank, Slowdown

MUCH = 1 << 30


def filled(pace: Pace | None, *lines: tuple[str, Rank]) -> Pacer[str]:
    pacer: Pacer[str] = Pacer(pace)
    for line, rank in lines:
        pacer.push(line, len(line), rank)
    return pacer


def test_a_burst_goes_at_once_and_the_rest_one_by_one() -> None:
    pacer = filled(Pace(3, 2.0), *[(str(n), Rank.TEXT) for n in range(6)])
    assert pacer.due(100.0, MUCH) == ["0", "1", "2"]
    assert pacer.deadline(100.0) == 102.0
    assert pacer.due(101.9, MUCH) == []
    assert pacer.due(102.0, MUCH) == ["3"]
    assert pacer.due(104.0, MUCH) == ["4"]
    assert pacer.due(1000.0, MUCH) == ["5"]
    assert pacer.deadline(1000.0) is None


def test_the_bucket_fills_again_but_not_beyond_its_size() -> None:
    pacer = filled(Pace(2, 1.0), *[(str(n), Rank.TEXT) for n in range(2)])
    assert pacer.due(0.0, MUCH) == ["0", "1"]
    for n in range(2, 7):
        pacer.push(str(n), 1, Rank.TEXT)
    assert pacer.due(50.0, MUCH) == ["2", "3"]


def test_pong_is_free_and_overtakes() -> None:
    pacer = filled(Pace(1, 10.0), ("a", Rank.TEXT), ("b", Rank.TEXT), ("mode", Rank.STATE), ("pong", Rank.FREE))
    assert pacer.due(0.0, MUCH) == ["pong", "mode"]
    pacer.push("pong2", 5, Rank.FREE)
    assert pacer.deadline(1.0) == 1.0
    assert pacer.due(1.0, MUCH) == ["pong2"]
    assert pacer.due(10.0, MUCH) == ["a"]
    assert RANKS["PONG"] is RANKS["QUIT"] is RANKS["AUTHENTICATE"] is Rank.FREE


def test_without_a_pace_all_is_due_up_to_the_limit_of_a_write() -> None:
    pacer = filled(None, *[("x" * 10, Rank.TEXT)] * 5)
    assert len(pacer.due(0.0, 25)) == 2
    assert len(pacer.due(0.0, 1)) == 1
    assert pacer.deadline(0.0) == 0.0
    assert len(pacer.due(0.0, MUCH)) == 2
    assert not pacer


def test_what_waits_is_bounded_and_text_leaves_room_for_pong() -> None:
    pacer = filled(Pace(1, 1.0))
    pacer.push("text", QUEUE_LIMIT, Rank.TEXT)
    with pytest.raises(SendQueueFull):
        pacer.push("more", 1, Rank.TEXT)
    with pytest.raises(SendQueueFull):
        pacer.push("mode", 1, Rank.STATE)
    pacer.push("pong", FREE_LIMIT, Rank.FREE)
    with pytest.raises(SendQueueFull):
        pacer.push("pong", 1, Rank.FREE)
    assert pacer.due(0.0, MUCH) == ["pong", "text"]
    assert pacer.size == 0


def test_a_new_pace_holds_at_once() -> None:
    pacer = filled(Pace(1, 60.0), ("a", Rank.TEXT), ("b", Rank.TEXT))
    assert pacer.due(0.0, MUCH) == ["a"]
    pacer.pace = None
    assert pacer.due(0.0, MUCH) == ["b"]
    pacer.push("c", 1, Rank.TEXT)
    pacer.pace = Pace(1, 2.0)
    assert pacer.deadline(1.0) == 3.0  # not the minute of the pace before
    assert pacer.due(1.0, MUCH) == []
    assert pacer.due(3.0, MUCH) == ["c"]


def test_a_pace_is_checked() -> None:
    for burst, every in ((0, 1.0), (1, -1.0)):
        with pytest.raises(ValueError):
            Pace(burst, every)


@given(
    st.lists(st.tuples(st.sampled_from(list(Rank)), st.integers(1, 100)), max_size=30),
    st.integers(1, 5),
    st.floats(0.1, 10),
)
def test_everything_comes_out_once_in_order_and_never_too_fast(
    lines: list[tuple[Rank, int]], burst: int, every: float
) -> None:
    pacer: Pacer[tuple[Rank, int]] = Pacer(Pace(burst, every))
    for number, (rank, size) in enumerate(lines):
        pacer.push((rank, number), size, rank)
    now, out, paid = 0.0, [], []
    while (deadline := pacer.deadline(now)) is not None:
        now = max(now, deadline)
        items = pacer.due(now, MUCH)
        assert items  # at its deadline, something is due
        out += items
        paid += [now for rank, _ in items if rank is not Rank.FREE]
    assert out == sorted(out)  # by class, and in the order of saying within one
    assert len(out) == len(lines)
    for index in range(len(paid) - burst):
        assert paid[index + burst] - paid[index] >= every - 0.01


# --- after a flood


def test_each_flood_halves_the_pace_until_it_is_quiet() -> None:
    slow = Slowdown()
    wanted = Pace(5, 2.0)
    assert slow.pace(wanted, 0.0) is wanted
    slow.flooded(0.0)
    assert slow.pace(wanted, 1.0) == Pace(2, 4.0)
    for _ in range(5):
        slow.flooded(100.0)
    assert slow.pace(wanted, 101.0) == Pace(1, 16.0)
    assert slow.pace(wanted, slow.until) is wanted
    slow.flooded(slow.until)
    assert slow.pace(wanted, slow.until - 1) == Pace(2, 4.0)


def test_who_kept_no_pace_keeps_one_after_a_flood() -> None:
    slow = Slowdown()
    slow.flooded(0.0)
    assert slow.pace(None, 1.0) == slow.pace(Pace(100, 0.0), 1.0) == Pace(2, 4.0)
    assert slow.pace(None, slow.until) is None
