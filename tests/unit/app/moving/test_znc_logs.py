from __future__ import annotations

from pathlib import Path

import pytest

from bouncer.app.moving.history import export_history
from bouncer.model.entry import Kind
from bouncer.model.errors import Refused
from bouncer.model.past import PastLine
from tests.unit.app.moving.conftest import Place, said

DAY = 1_577_836_800_000  # 2020-01-01
LOG = """[00:00:01] *** Joins: bob (b@h)
[00:00:02] <bob> lol
[00:00:02] <bob> lol
[00:00:02] * bob waves
[00:00:09] *** Quits: bob (b@h) (bye)
"""


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Logs of a network as ZNC has them: two channels on two days, a private window, and ZNC's own."""
    for window, text in {
        "#python": LOG,
        "#c": "[00:00:09] *** Quits: bob (b@h) (bye)\n[00:00:10] <eve> so quiet\n",
        "bob": "[23:59:59] <Bob> hi\n[23:59:59] <alice> hello\n",
        "status": "[00:00:00] Connected to IRC (irc.example +6697)\n",
    }.items():
        folder = tmp_path / "logs" / "libera" / window
        folder.mkdir(parents=True)
        for day in ("2020-01-01", "2020-01-02"):
            (folder / f"{day}.log").write_text(text)
    return tmp_path / "logs"


def test_logs_come_in_once_and_go_out_as_they_were(place: Place, logs: Path, tmp_path: Path) -> None:
    counts = place.bring(logs)
    assert (counts["read"], counts["added"]) == (16, 16)
    assert place.bring(logs)["there"] == 16
    assert place.bring(logs / "libera" / "#c" / "2020-01-01.log")["there"] == 2
    place.export(tmp_path / "out", form="znc")
    for log in logs.rglob("#*/*.log"):
        written = tmp_path / "out" / "alice" / log.relative_to(logs)
        assert written.read_text() == log.read_text()
        assert written.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Refused, match="is there already"):
        place.export(tmp_path / "out", form="znc")


def test_lines_are_in_order_and_a_quit_is_one_line_of_all_channels(place: Place, logs: Path, tmp_path: Path) -> None:
    place.bring(logs)
    rows = place.kept(tmp_path / "lines")
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    quits = [row for row in rows if row["kind"] == "QUIT"]
    assert [quit_line["also"] for quit_line in quits] == [["#c", "#python"]] * 2
    assert [row["raw"] for row in rows if row["target"] == "bob"] == [
        ":Bob PRIVMSG alice hi",
        ":alice PRIVMSG bob hello",
    ] * 2


def test_what_is_there_in_one_channel_is_added_to_the_other(place: Place, logs: Path, tmp_path: Path) -> None:
    place.bring(logs / "libera" / "#c")
    assert place.bring(logs)["added"] == 14  # the QUIT too, for the channel that has none of it
    place.export(tmp_path / "out", form="znc")
    assert (tmp_path / "out" / "alice" / "libera" / "#python" / "2020-01-01.log").read_text() == LOG
    assert place.bring(logs)["added"] == 0


def test_what_came_live_is_known_in_a_log_and_spelled_as_it_is(place: Place, tmp_path: Path) -> None:
    place.put(
        [
            said(DAY + 2345, b"\x02lol\x02", "#Python"),
            PastLine(DAY + 9, Kind.TAGMSG, "#Python", "", (), b"TAGMSG #Python"),
        ]
    )
    folder = tmp_path / "#python"
    folder.mkdir()
    (folder / "2020-01-01.log").write_text("[00:00:02] <bob> lol\n[00:00:02] <bob> lol\n")
    counts = place.bring(folder)
    assert (counts["there"], counts["added"]) == (1, 1)
    assert {row["target"] for row in place.kept(tmp_path / "lines")} == {"#Python"}
    place.export(tmp_path / "out", form="znc")
    assert "1 line left out, of a kind that ZNC does not log" in place.said


def test_times_are_of_a_zone_also_where_an_hour_comes_twice(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "#c"
    folder.mkdir()
    text = "[01:59:59] <a> 1\n[02:30:00] <a> 2\n[02:59:59] <a> 3\n[02:00:01] <a> 4\n[02:45] <a> 5\n[03:00:00] <a> 6\n"
    (folder / "2020-10-25.log").write_text(text)
    place.bring(folder, timezone="Europe/Berlin")
    assert [row["time"][11:19] for row in place.kept(tmp_path / "lines")] == [
        "23:59:59", "00:30:00", "00:59:59", "01:00:01", "01:45:00", "02:00:00",
    ]  # fmt: skip
    out = tmp_path / "out"
    export_history(place.home, place.said.append, "alice", (), "znc", str(out), "Europe/Berlin", as_json=False)
    assert (out / "alice" / "libera" / "#c" / "2020-10-25.log").read_text() == text.replace("[02:45]", "[02:45:00]")
    with pytest.raises(Refused, match="is no time zone"):
        place.bring(folder, timezone="Europe/Atlantis")


def test_bytes_and_names_of_any_kind(place: Place, tmp_path: Path) -> None:
    names = ["#a/b", "..", "#\udcff", "#ü", "#Ü", "nul", "#" + "x" * 300, "#" + "x" * 301]
    place.put([said(DAY, b"caf\xe9 in " + name.encode("utf-8", "surrogateescape"), name) for name in names])
    place.export(tmp_path / "out", form="znc")
    place.export(tmp_path / "lines")
    other = Place(tmp_path / "other")
    other.bring(tmp_path / "out")
    kept = {str(row["target"]) for row in other.kept(tmp_path / "again")}
    assert len(kept) == len(names)
    assert kept == {str(row["target"]) for row in place.kept(tmp_path / "lines")}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"no time", "does not begin with a time"),
        (b"[25:00:00] <a> b", "a time that there is not"),
        (b"[10:00:00] huh", "none of the forms"),
        (b"[10:00:00] <a> b\0c", None),
        (b"[10:00:00] <a> " + b"x" * 20_000, "longer than|does not begin"),
        (b"\xff\xfe\0[\0", "does not begin with a time"),
    ],
)
def test_bad_lines_are_refused(place: Place, tmp_path: Path, line: bytes, problem: str | None) -> None:
    folder = tmp_path / "#c"
    folder.mkdir()
    (folder / "2020-01-01.log").write_bytes(b"[00:00:01] <a> before\n" + line + b"\n[23:00:01] <a> after\n")
    if problem is None:
        assert place.bring(folder)["added"] == 3
        return
    with pytest.raises(Refused, match="refused; the others are in history"):
        place.bring(folder)
    raws = [row["raw"] for row in place.kept(tmp_path / "lines")]
    assert raws == [":a PRIVMSG #c before", ":a PRIVMSG #c after"]


def test_which_logs_are_meant(place: Place, logs: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(Refused, match="has no logs in it"):
        place.bring(tmp_path / "empty")
    with pytest.raises(Refused, match="can't be read"):
        place.bring(tmp_path / "nowhere.jsonl")
    (logs / "efnet" / "#c").mkdir(parents=True)
    (logs / "efnet" / "#c" / "2020-01-01.log").write_text("[00:00:01] <a> elsewhere\n")
    assert place.bring(logs)["added"] == 16
    with pytest.raises(Refused, match="logs of several networks"):
        place.bring(logs, "alice/oftc")
    assert place.bring(logs / "efnet", "alice/oftc")["added"] == 1
    with pytest.raises(Refused, match="logs are of one network"):
        place.bring(logs, "alice")
    (logs / "efnet" / "#c" / "2020-02-31.log").write_text("")
    with pytest.raises(Refused, match="a day that there is not"):
        place.bring(logs / "efnet", "alice/oftc")
