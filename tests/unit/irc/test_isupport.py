from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.irc.casemap import FOLDS
from bouncer.irc.isupport import MAX_LINELEN, MAX_TOKENS, TOKEN_BUDGET, ISupport
from bouncer.irc.message import Message


def told(line: str) -> ISupport:
    isupport = ISupport()
    isupport.update(line.split())
    return isupport


def test_defaults_hold_before_anything_is_said() -> None:
    isupport = ISupport()
    assert isupport.tokens == {}
    assert isupport.casemapping == "rfc1459"
    assert isupport.fold is FOLDS["rfc1459"]
    assert isupport.chantypes == "#&"
    assert (isupport.prefix_modes, isupport.prefix_symbols) == ("ov", "@+")
    assert isupport.statusmsg == ""
    assert isupport.chanmodes == ("beI", "k", "l", "imnpst")
    assert isupport.network == ""
    assert (isupport.nicklen, isupport.channellen, isupport.linelen) == (9, 200, 512)
    assert (isupport.topiclen, isupport.kicklen, isupport.awaylen) == (None, None, None)
    assert (isupport.modes, isupport.maxtargets, isupport.targmax("PRIVMSG")) == (3, None, None)
    assert (isupport.monitor, isupport.whox) == (None, False)


def test_a_whole_burst() -> None:
    isupport = ISupport()
    message = Message.parse(
        rb":irc.example.org 005 me CASEMAPPING=ASCII CHANTYPES=# PREFIX=(qaohv)~&@%+ STATUSMSG=@+ NETWORK=A\x20B\x5C"
        rb" CHANMODES=beI,k,Hl,imnst,X NICKLEN=30 :are supported by this server"
    )
    isupport.update(message.params[1:-1])
    isupport.update(["modes", "TARGMAX=PRIVMSG:4,JOIN:,WHOIS:1", "MAXTARGETS=20", "MONITOR=100", "WHOX"])
    isupport.update(["LINELEN=2048", "TOPICLEN=390"])
    assert isupport.casemapping == "ascii"
    assert isupport.fold is FOLDS["ascii"]
    assert isupport.chantypes == "#"
    assert (isupport.prefix_modes, isupport.prefix_symbols) == ("qaohv", "~&@%+")
    assert isupport.statusmsg == "@+"
    assert isupport.network == "A B\\"
    assert isupport.chanmodes == ("beI", "k", "Hl", "imnst")
    assert isupport.modes is None
    assert [isupport.targmax(name) for name in ("privmsg", "JOIN", "WHOIS", "KICK")] == [4, None, 1, None]
    assert (isupport.maxtargets, isupport.monitor, isupport.whox) == (20, 100, True)
    assert (isupport.nicklen, isupport.linelen, isupport.topiclen) == (30, 2048, 390)


def test_a_token_can_be_taken_back() -> None:
    isupport = told("CHANTYPES=+ NICKLEN=30 X=1")
    isupport.update(["-CHANTYPES", "-nicklen", "-NEVER", "-", "", "=x"])
    assert isupport.tokens == {"X": "1"}
    assert isupport.chantypes == "#&"
    assert isupport.nicklen == 9


@pytest.mark.parametrize(
    ("line", "modes", "symbols"),
    [
        ("PREFIX=", "", ""),
        ("PREFIX", "", ""),
        ("PREFIX=(o)@", "o", "@"),
        ("PREFIX=(ov)@", "o", "@"),
        ("PREFIX=@+", "", ""),
    ],
)
def test_prefixes(line: str, modes: str, symbols: str) -> None:
    assert (told(line).prefix_modes, told(line).prefix_symbols) == (modes, symbols)


def test_an_unknown_case_mapping_folds_ascii_only() -> None:
    isupport = told("CASEMAPPING=rfc7613")
    assert isupport.casemapping == "rfc7613"
    assert isupport.fold("A[") == "a["


@pytest.mark.parametrize(
    ("value", "linelen"), [("2048", 2048), ("100", 512), ("", 512), ("x", 512), ("-5", 512), ("9" * 8, MAX_LINELEN)]
)
def test_line_length_stays_within_sense(value: str, linelen: int) -> None:
    assert told(f"LINELEN={value}").linelen == linelen


def test_channels_and_their_status_targets() -> None:
    isupport = told("CHANTYPES=#+ STATUSMSG=@+")
    assert [isupport.is_channel(name) for name in ("#c", "+c", "&c", "", "nick")] == [True, True, False, False, False]
    names = ("@#c", "@+#c", "#c", "+c", "@nick", "")
    assert [isupport.strip_status(name) for name in names] == ["#c", "#c", "#c", "+c", "@nick", ""]
    assert ISupport().strip_status("@#c") == "@#c"
    assert told("CHANTYPES=").is_channel("#c") is False


def test_no_value_breaks_out_of_a_line() -> None:
    isupport = told(r"NETWORK=a\x0Ab\x0d\x00\x20\xc3\xa9\xff")
    assert isupport.network == "a\\x0Ab\\x0d\\x00 é\udcff"


def test_a_burst_is_laid_out_in_lines() -> None:
    tokens: dict[str, str | None] = {f"T{number}": "" for number in range(14)}
    assert [len(line) for line in ISupport.render(tokens)] == [13, 1]
    assert ISupport.render({}) == []
    assert ISupport.render({"NETWORK": "A B=\\", "DRAFT/ICON": "x", "SOJU.IM/SAFERATE": "", "GONE": None}) == [
        ["NETWORK=A\\x20B\\x3D\\x5C", "draft/ICON=x", "soju.im/SAFERATE", "-GONE"]
    ]
    assert ISupport.render({"A": "x" * 100, "B": "y" * 100, "C": ""}, 60) == [
        ["A=" + "x" * 100],
        ["B=" + "y" * 100],
        ["C"],
    ]
    assert ISupport.render({"AB": "", "CD": "", "EF": ""}, 5) == [["AB", "CD"], ["EF"]]


names = st.from_regex(r"[A-Z]{1,8}", fullmatch=True)


@given(st.dictionaries(names, st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=80)))
def test_what_is_laid_out_reads_the_same(tokens: dict[str, str]) -> None:
    isupport = ISupport()
    for line in ISupport.render(tokens):
        assert len(line) <= 13
        assert len(" ".join(line).encode()) <= TOKEN_BUDGET or len(line) == 1
        message = Message.build("005", "me", *line, "are supported by this server")
        isupport.update(Message.parse(message.encode()).params[1:-1])
    assert isupport.tokens == tokens


@given(st.lists(st.lists(st.text())), st.text())
def test_any_parameters_are_taken(lines: list[list[str]], name: str) -> None:
    isupport = ISupport()
    for line in lines:
        isupport.update(line)
        assert len(isupport.prefix_modes) == len(isupport.prefix_symbols)
        assert len(isupport.chanmodes) == 4
        assert isupport.linelen >= 512
        assert isupport.strip_status(name) in name
        assert isupport.fold(isupport.fold(name)) == isupport.fold(name)


@given(
    st.sampled_from(["PREFIX", "CHANMODES", "TARGMAX", "MODES", "MONITOR", "STATUSMSG", "CASEMAPPING", "NICKLEN"]),
    st.text(),
)
def test_any_value_is_taken(name: str, value: str) -> None:
    isupport = ISupport()
    isupport.update([f"{name}={value}"])
    assert isupport.nicklen > 0
    assert isupport.modes is None or isupport.modes >= 0
    assert isupport.monitor is None or isupport.monitor >= 0
    assert isupport.targmax("PRIVMSG") is None or name == "TARGMAX"


def test_a_network_can_not_fill_the_memory_with_tokens() -> None:
    isupport = ISupport()
    isupport.update([f"T{number}" for number in range(MAX_TOKENS * 2)])
    isupport.update(["T0=changed"])
    assert len(isupport.tokens) == MAX_TOKENS
    assert isupport.tokens["T0"] == "changed"
