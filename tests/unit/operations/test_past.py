from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bouncer.model.entry import PAST_BOOT
from bouncer.model.errors import Refused, Unavailable
from bouncer.model.history import Range
from bouncer.model.past import past_line
from bouncer.operations.past import PORTION_LINES, import_lines, row_of

if TYPE_CHECKING:
    from tests.unit.conftest import Bench

LINE = past_line(5000, b"@msgid=a :bob!b@h PRIVMSG #c :caf\xe9", "#c", "phone\udcff")
ROW = [5000, "PRIVMSG #c x", "#c", "", [], ""]


async def test_lines_are_in_history_as_they_were_handed_over(stocked: Bench) -> None:
    network = stocked.network("alice", "libera").id
    quit_line = past_line(5001, b":bob!b@h QUIT", "", also=("#c", "#d"))
    done = await import_lines(stocked.context(), "ALICE", "Libera", [row_of(LINE), row_of(quit_line)])
    assert done == {"lines": 2, "unindexed": 0}
    kinds = frozenset({int(LINE.kind), int(quit_line.kind)})
    found = await stocked.store.lines(Range(network, ("#c",), 1 << 40, 9, kinds=kinds))
    assert [(line.time, line.kind, line.target, line.device, line.boot, line.raw) for line in found] == [
        (5000, LINE.kind, "#c", "phone\udcff", PAST_BOOT, LINE.raw),
        (5001, quit_line.kind, "", "", PAST_BOOT, quit_line.raw),
    ]
    assert len(await stocked.store.lines(Range(network, ("#d",), 1 << 40, 9, kinds=kinds))) == 1


@pytest.mark.parametrize(
    "rows",
    [
        None,
        {},
        [ROW] * (PORTION_LINES + 1),
        [None],
        [[]],
        [ROW[:5]],
        [[*ROW, 5]],
        [["5", *ROW[1:]]],
        [[5, "PRIVMSG #c \u0100", "#c", "", [], ""]],
        [[5, "PRIVMSG #c x", 5, "", [], ""]],
        [[5, "PRIVMSG #c x", "#c", "", [5], ""]],
        [ROW, [5, "ERROR :bye", "#c", "", [], ""]],
        [ROW, [5, "PRIVMSG #c :x\r\nQUIT", "#c", "", [], ""]],
    ],
)
async def test_what_is_no_line_is_refused_with_all_that_came_with_it(stocked: Bench, rows: Any) -> None:
    with pytest.raises(Refused):
        await import_lines(stocked.context(), "alice", "libera", rows)
    assert await stocked.store.lines(Range(stocked.network("alice", "libera").id, ("#c",), 1 << 40, 9)) == []


async def test_a_network_that_is_not_there_and_a_store_that_fails(stocked: Bench) -> None:
    with pytest.raises(Refused, match="did you mean"):
        await import_lines(stocked.context(), "alice", "libra", [])
    stocked.store.fail("the disk is full")
    with pytest.raises((Refused, Unavailable)):
        await import_lines(stocked.context(), "alice", "libera", [ROW])
