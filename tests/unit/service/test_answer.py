from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bouncer.model.errors import Refused
from bouncer.service.answer import ANSWER_LIMIT, LINE_LIMIT, TEXT_LIMIT, split

if TYPE_CHECKING:
    from tests.unit.conftest import Bench


async def test_a_conversation(stocked: Bench) -> None:
    assert await stocked.chat("network update libera nick=alice2 realname='Alice A.'") == [
        "network libera is changed",
        "it connects anew, because a network is told only then: realname",
    ]
    assert (stocked.network("alice", "libera").nick, stocked.network("alice", "libera").realname) == (
        "alice2",
        "Alice A.",
    )
    assert await stocked.chat("net dis", network="libera") == [
        "network libera is left; it stays so until network connect libera"
    ]
    assert await stocked.chat("chan cre libera/#irc") == [
        "channel libera/#irc is added; it is joined whenever the network is connected"
    ]
    assert await stocked.chat("network update libra nick=x") == ['There is no network "libra"; did you mean libera?']
    assert await stocked.chat("user delete bob") == ["User delete may be used by admins only."]
    assert (await stocked.chat("user delete bob", admin=True))[0].startswith("user bob is deleted")


async def test_help_teaches(stocked: Bench) -> None:
    assert await stocked.chat("") == ["Say help to see what can be done here."]
    everything = await stocked.chat("help")
    assert any(line.startswith("network connect [NETWORK]") for line in everything)
    assert not any(line.startswith("user create") for line in everything)
    assert any(line.startswith("user create") for line in await stocked.chat("HELP", admin=True))
    assert "Example: /msg *bouncer channel create libera/#python" in await stocked.chat("help channel create")
    assert (await stocked.chat("help frob"))[0].startswith('There is no command "frob"')


async def test_apply_is_not_for_irc(stocked: Bench) -> None:
    assert await stocked.chat("apply x.toml", admin=True) == [
        "Apply works on the command line only: bouncer help apply."
    ]


def test_quotes_keep_spaces_and_a_backslash_is_one() -> None:
    assert split(r"""a "b c" d='e "f' g=\x h="#i" ü=1""") == ["a", "b c", 'd=e "f', r"g=\x", "h=#i", "ü=1"]
    with pytest.raises(Refused, match="quote is not closed"):
        split("realname=O'Brien")
    with pytest.raises(Refused, match="longer than"):
        split("x" * (TEXT_LIMIT + 1))


async def test_lines_fit_and_answers_end(stocked: Bench) -> None:
    for number in range(ANSWER_LIMIT + 5):
        stocked.house.replace(stocked.user("bob").__class__(1000 + number, f"user{number:03}"))
    lines = await stocked.chat("user list", admin=True)
    assert len(lines) == ANSWER_LIMIT + 1
    assert lines[-1] == "And 7 more lines; the command line shows them all."
    await stocked.do(f"user update alice realname={'ä' * 190}")
    assert all(len(line.encode()) <= LINE_LIMIT for line in await stocked.chat("user show"))


async def test_what_breaks_inside_is_logged_without_the_command(
    stocked: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stocked.connections, "connect", None)
    with caplog.at_level(logging.ERROR):
        assert await stocked.chat("network connect libera") == ["That went wrong inside the bouncer; its log has more."]
    assert "a command to *bouncer failed" in caplog.text


async def test_a_user_who_was_deleted_meanwhile_gets_a_sentence(stocked: Bench) -> None:
    assert await stocked.chat("network list", user="ghost") == ['There is no user "ghost".']


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            ["network", "user", "channel", "list", "show", "update", "help", "libera", "libera/#python", "nick=", "x=1",
             "#python", "/", "alice/libera/#a", "'", '"', "=", "\x00", "\r\n", "\udcff", "servers=a,b"]
        ),
        max_size=6,
    ).map(" ".join)
)  # fmt: skip
async def test_any_text_gets_an_answer(stocked: Bench, text: str) -> None:
    lines = await stocked.chat(text, network="libera")
    assert lines
    assert not any(set(line) & set("\r\n\0") for line in lines)
    assert not any("went wrong" in line for line in lines)
