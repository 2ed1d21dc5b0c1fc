from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bouncer.app.moving.json_lines import contents
from bouncer.irc.casemap import DEFAULT_FOLD
from bouncer.model.entry import Kind
from bouncer.model.errors import Refused
from bouncer.model.past import LATEST, PastLine
from tests.unit.app.moving.conftest import Place, said

DAY = 1_577_836_800_000  # 2020-01-01
WORDS = st.binary(max_size=40).map(lambda data: data.translate(None, b"\r\n\0"))
NAMES = (
    st.binary(min_size=1, max_size=12)
    .map(lambda data: data.translate(None, b"\r\n\0 :@").decode("utf-8", "surrogateescape"))
    .filter(bool)
)
TIMES = st.one_of(st.integers(DAY, DAY + 3000), st.integers(0, LATEST))


@st.composite
def lines(draw: st.DrawFn) -> PastLine:
    kind = draw(st.sampled_from([kind for kind in Kind if kind not in (Kind.NONE, Kind.REDACTED)]))
    linked = kind in (Kind.QUIT, Kind.NICK)
    target = "" if linked else draw(NAMES)
    also = (
        tuple(sorted({draw(NAMES).lower() for _ in range(draw(st.integers(0, 3)))}))
        if linked or kind is Kind.RENAME
        else ()
    )
    also = tuple(name for name in also if DEFAULT_FOLD(name) != DEFAULT_FOLD(target))
    tags = draw(st.sampled_from([b"", b"@msgid=a ", b"@time=x;msgid=b\\:c "]))
    params = b"" if linked else target.encode("utf-8", "surrogateescape") + b" "
    raw = tags + b":bob!b@h " + kind.name.encode() + b" " + params + b":" + draw(WORDS)
    return PastLine(draw(TIMES), kind, target, draw(st.sampled_from(["", "phone", "\udcff"])), also, raw)


def alike(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"also": sorted(row["also"], key=str)} if "also" in row else row for row in rows]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(lines(), max_size=30))
def test_what_is_exported_and_imported_is_the_same(kept: list[PastLine]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        there, here = Place(Path(folder, "there")), Place(Path(folder, "here"))
        there.put(kept)
        file = Path(folder, "lines")
        exported = there.kept(file)
        assert len(exported) == len(kept)
        for added in (len(kept), 0):  # the second time all are there
            counts = here.bring(file)
            assert (counts["read"], counts["added"], counts["stored"]) == (len(kept), added, added)
            assert alike(here.kept(Path(folder, "again"))) == alike(exported)
        assert there.bring(file)["added"] == 0  # where they came from, too


def test_each_line_is_an_object_for_other_programs(place: Place, tmp_path: Path) -> None:
    place.put(
        [
            PastLine(DAY + 7, Kind.PRIVMSG, "#c", "phone", (), b"@msgid=abc :bob!b@h PRIVMSG #c :caf\xc3\xa9"),
            PastLine(DAY + 8, Kind.QUIT, "", "", ("#c", "#d"), b":bob!b@h QUIT :caf\xe9"),
        ]
    )
    place.export(tmp_path / "lines")
    header, first, second, end = map(json.loads, (tmp_path / "lines").read_text().splitlines())
    assert header == {"format": "bouncer-history", "version": 1, "networks": ["libera"]}
    assert first.pop("seq") < second.pop("seq")
    assert first == {
        "network": "libera",
        "time": "2020-01-01T00:00:00.007Z",
        "kind": "PRIVMSG",
        "sender": "bob",
        "target": "#c",
        "device": "phone",
        "msgid": "abc",
        "raw": "@msgid=abc :bob!b@h PRIVMSG #c :café",
    }
    assert second["also"] == ["#c", "#d"]
    assert second["raw"] == {"base64": "OmJvYiFiQGggUVVJVCA6Y2Fm6Q=="}
    assert (end["end"], end["lines"]) == (True, 2)
    assert (tmp_path / "lines").stat().st_mode & 0o777 == 0o600
    assert place.said == ["alice/libera: 2 lines", f"{tmp_path / 'lines'}: 2 lines in 1 file"]


def test_a_conversation_of_some_time(place: Place, tmp_path: Path) -> None:
    place.put(
        [
            *(said(DAY + hour * 3_600_000, b"%d" % hour) for hour in range(48)),
            said(DAY, b"elsewhere", "#d"),
            PastLine(DAY + 90_000_000, Kind.QUIT, "", "", ("#c", "#d"), b":bob!b@h QUIT :bye"),
        ]
    )
    place.export(tmp_path / "lines", "alice/libera/#C", "after=2020-01-02", "before=2020-01-02T02:00")
    raws = [json.loads(row).get("raw") for row in (tmp_path / "lines").read_text().splitlines()[1:-1]]
    assert raws == [":bob!b@h PRIVMSG #c :24", ":bob!b@h PRIVMSG #c :25", ":bob!b@h QUIT :bye"]
    with pytest.raises(Refused, match="is not a date"):
        place.export(tmp_path / "lines", "alice", "after=yesterday")
    with pytest.raises(Refused, match="is not understood"):
        place.export(tmp_path / "lines", "alice", "since=2020")


def test_lines_that_are_the_same_are_as_many_as_there_were(place: Place, tmp_path: Path) -> None:
    other = Place(tmp_path / "other")
    place.put([said(DAY, b"lol"), said(DAY, b"lol"), said(DAY, b"lol")])
    place.export(tmp_path / "three")
    other.put([said(DAY, b"lol")])
    assert other.bring(tmp_path / "three")["added"] == 2
    assert len(other.kept(tmp_path / "all")) == 3


def test_all_networks_go_to_those_of_the_same_name(place: Place, tmp_path: Path) -> None:
    place.put([said(DAY, b"one")])
    place.put([said(DAY, b"two"), said(DAY, b"three")], network=2)
    place.export(tmp_path / "both", "alice")
    other = Place(tmp_path / "other")
    assert other.bring(tmp_path / "both", "ALICE/OFTC")["added"] == 2
    assert other.bring(tmp_path / "both", "alice")["added"] == 1
    place.export(tmp_path / "one", "alice/libera")
    assert other.bring(tmp_path / "one", "alice/oftc")["added"] == 1  # the only one, under another name


def test_a_file_that_is_cut_or_damaged_is_noticed(place: Place, tmp_path: Path) -> None:
    place.put([said(DAY + number, b"%d" % number) for number in range(10)])
    file = tmp_path / "lines"
    place.export(file)
    whole = file.read_bytes()
    other = Place(tmp_path / "other")
    file.write_bytes(b"".join(whole.splitlines(keepends=True)[:6]))
    assert not contents(file).whole
    with pytest.raises(Refused, match="cut off after 5 lines"):
        other.bring(file)
    assert other.bring(file, partial=True)["added"] == 5
    file.write_bytes(whole.replace(b":7", b":8"))
    with pytest.raises(Refused, match="is damaged"):
        other.bring(file)
    file.write_bytes(whole)
    assert other.bring(file)["added"] == 5


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"[]\n", b"{}\n", b"\xff" * 100, b'{"format": "bouncer-history"}\n', b"["]
)
def test_what_is_no_such_file_is_refused(place: Place, tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "lines"
    file.write_bytes(data)
    with pytest.raises(Refused, match="is no history"):
        place.bring(file)


BAD_ROWS = [
    b"nothing",
    b"{",
    b"[1]",
    b"[" * 100_000,
    b'{"network": "libera", "time": 5, "target": "#c", "raw": "QUIT"}',
    b'{"network": "libera", "time": "2020-01-01T00:00:00", "target": "#c", "raw": "PRIVMSG #c a"}',
    b'{"network": "libera", "time": "2020-01-01T00:00:00Z", "target": "#c", "raw": "ERROR :bye"}',
    b'{"network": "libera", "time": "2020-01-01T00:00:00Z", "target": "#c", "raw": "PRIVMSG #c :a\\r\\nQUIT"}',
    b'{"network": "libera", "time": "2020-01-01T00:00:00Z", "target": "#c\\u0000", "raw": "PRIVMSG #c a"}',
    b'{"network": "libera", "time": "2020-01-01T00:00:00Z", "target": ["#c"], "raw": "PRIVMSG #c a"}',
    b'{"network": "libera", "time": "2020-01-01T00:00:00Z", "target": {"base64": "?"}, "raw": "PRIVMSG #c a"}',
    b'{"network": "libera", "time": "2020-01-01T00:00:00Z", "target": {"base64": 5}, "raw": "PRIVMSG #c a"}',
    b'{"network": "libera", "time": "2020-01-01T00:00:00Z", "also": "#c", "raw": "QUIT"}',
    b'{"network": "libera", "time": "2020-01-01T00:00:00Z", "kind": 1, "raw": "QUIT"}',
    b'{"network": "libera", "time": "0000-00-00T00:00:00Z", "raw": "QUIT"}',
    b"\xff\xfe",
]


def test_bad_lines_are_refused_by_their_numbers_and_the_others_taken(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "lines"
    good = b'{"network": "libera", "time": "2020-01-01T00:00:00Z", "target": "\\ud800", "raw": "PRIVMSG \\ud800 a"}'
    header = b'{"format": "bouncer-history", "version": 1, "networks": ["libera"]}'
    file.write_bytes(b"\n".join([header, *BAD_ROWS, good]) + b"\n")
    with pytest.raises(Refused, match=f"{len(BAD_ROWS)} lines refused; the others are in history"):
        place.bring(file, partial=True)
    assert [row["raw"] for row in place.kept(tmp_path / "kept")] == ["PRIVMSG ? a"]
    assert [each.partition(": ")[0] for each in _problems(place, file)] == [f"line {n}" for n in range(2, 7)]


def _problems(place: Place, file: Path) -> list[str]:
    from bouncer.app.moving.history import import_history

    said: list[str] = []
    with pytest.raises(Refused):
        import_history(place.home, said.append, "alice/libera", file, None, "", partial=True, as_json=True)
    found: list[str] = json.loads(said[0])["problems"]
    return found


@pytest.mark.parametrize(
    ("what", "problem"),
    [
        ("bob", 'there is no user "bob"'),
        ("alice/liberra", "did you mean libera"),
        ("", 'there is no user ""'),
    ],
)
def test_networks_that_are_not_there(place: Place, tmp_path: Path, what: str, problem: str) -> None:
    with pytest.raises(Refused, match=problem):
        place.export(tmp_path / "lines", what)
    assert not (tmp_path / "lines").exists()


def test_a_device_is_not_replaced(place: Place, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Refused, match="is no file"):
        place.export(tmp_path / "pipe")
    assert [each.name for each in tmp_path.iterdir() if each.is_fifo()] == ["pipe"]


def test_a_home_without_a_database(tmp_path: Path, place: Place) -> None:
    place.home.database.unlink()
    with pytest.raises(Refused, match="there is no database"):
        place.export(tmp_path / "lines")


def test_what_was_taken_back_stays_so(place: Place, tmp_path: Path) -> None:
    raw = b"@msgid=a :bob!b@h PRIVMSG #c :"
    place.put([PastLine(DAY, Kind.PRIVMSG, "#c", "", (), raw + b"oops")])
    place.export(tmp_path / "before")
    other = Place(tmp_path / "other")
    other.put([PastLine(DAY, Kind.REDACTED, "#c", "", (), raw)])
    assert other.bring(tmp_path / "before")["there"] == 1
    other.export(tmp_path / "after")
    third = Place(tmp_path / "third")
    assert third.bring(tmp_path / "after")["added"] == 1
    assert third.kept(tmp_path / "kept") == other.kept(tmp_path / "kept")
