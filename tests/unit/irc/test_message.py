from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bouncer.irc.message import Message, escape_tag_value, render_tags, unescape_tag_value

VECTORS = Path(__file__).parents[2] / "vectors"
SPLIT = yaml.safe_load((VECTORS / "msg-split.yaml").read_text())["tests"]
JOIN = yaml.safe_load((VECTORS / "msg-join.yaml").read_text())["tests"]

Feed = Callable[..., list[bytes]]
Atoms = dict[str, Any]

# what the wire can carry: any text but CR, LF and NUL, with bytes that are not UTF-8 among it
wire_bytes = st.binary(max_size=200).map(lambda data: data.translate(None, b"\r\n\0"))
wire_text = wire_bytes.map(lambda data: data.decode("utf-8", "surrogateescape"))
sources = wire_bytes.map(lambda data: data.replace(b" ", b"").decode("utf-8", "surrogateescape"))
words = sources.filter(lambda text: text != "" and text[0] not in ":@")
tag_keys = st.from_regex(r"\+?([a-z]+\.[a-z]+/)?[a-zA-Z0-9-]+", fullmatch=True)
tag_values = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


def as_atoms(message: Message) -> Atoms:
    return {"tags": message.tags, "source": message.source, "verb": message.command, "params": message.params}


def complete(atoms: Atoms) -> Atoms:
    full: Atoms = {"tags": {}, "source": "", "params": []} | atoms
    full["verb"] = full["verb"].upper()
    return full


@pytest.mark.parametrize("vector", SPLIT, ids=lambda vector: vector["input"])
def test_splits_every_vector(vector: Atoms, feed_every_way: Feed) -> None:
    data = vector["input"].encode()
    (line,) = feed_every_way(data + b"\r\n")
    message = Message.parse(line)
    assert as_atoms(message) == complete(vector["atoms"])
    assert message.encode() == data


@pytest.mark.parametrize("vector", JOIN, ids=lambda vector: vector["desc"])
def test_joins_every_vector(vector: Atoms, feed_every_way: Feed) -> None:
    atoms = {"tags": {}, "source": "", "params": []} | vector["atoms"]
    built = Message.build(atoms["verb"], *atoms["params"], source=atoms["source"], tags=atoms["tags"])
    assert built.encode().decode() in vector["matches"]
    assert as_atoms(built) == complete(atoms)
    for match in vector["matches"]:
        (line,) = feed_every_way(match.encode() + b"\r\n")
        assert as_atoms(Message.parse(line)) == complete(atoms)


@given(st.binary())
def test_any_bytes_parse_and_come_out_unchanged(line: bytes) -> None:
    message = Message.parse(line)
    assert message.encode() == line
    assert as_atoms(message)["params"] == message.params
    assert message.body in line
    assert message.nick in message.source


@given(words, st.lists(words), wire_text, sources, st.dictionaries(tag_keys, tag_values))
def test_what_is_built_reads_the_same(
    command: str, middle: list[str], last: str, source: str, tags: dict[str, str]
) -> None:
    built = Message.build(command, *middle, last, source=source, tags=tags)
    again = Message.parse(built.encode())
    assert as_atoms(again) == as_atoms(built)
    assert (again.params, again.source, again.tags) == ([*middle, last], source, tags)


@given(wire_bytes)
def test_a_parsed_line_can_be_rebuilt(line: bytes) -> None:
    message = Message.parse(line)
    if message.command and not message.command.startswith((":", "@")):
        assert as_atoms(Message.parse(message.replace().encode())) == as_atoms(message)


@given(tag_values)
def test_tag_values_survive_escaping(value: str) -> None:
    escaped = escape_tag_value(value)
    assert not set("; \r\n\0") & set(escaped)
    assert unescape_tag_value(escaped) == value


@pytest.mark.parametrize(
    ("escaped", "value"),
    [(r"a\:b\sc\\d\r\n", "a;b c\\d\r\n"), ("\\b", "b"), ("end\\", "end"), ("\\\\s", "\\s"), ("", "")],
)
def test_unescaping(escaped: str, value: str) -> None:
    assert unescape_tag_value(escaped) == value


def test_nul_is_left_out_of_a_tag() -> None:
    assert render_tags({"a": "x\0y", "b": "", "+c": "z"}) == "a=xy;b;+c=z"


def test_undecodable_bytes_pass_through_a_rebuild() -> None:
    message = Message.parse(b"@a=\xff :n\xe9!u@h PRIVMSG #c :caf\xe9 \xff")
    assert message.params[1].encode("utf-8", "surrogateescape") == b"caf\xe9 \xff"
    assert message.replace(tags={}).encode() == b":n\xe9!u@h PRIVMSG #c :caf\xe9 \xff"
    assert message.replace(command="NOTICE").encode() == b"@a=\xff :n\xe9!u@h NOTICE #c :caf\xe9 \xff"


def test_parts_and_their_defaults() -> None:
    message = Message.parse(b"@id=1  :nick!user@host  privmsg  #c :hello there")
    assert message.command == "PRIVMSG"
    assert message.nick == "nick"
    assert message.param(1) == "hello there"
    assert message.param(2) == ""
    assert message.param(2, "none") == "none"
    assert message.tagtext == "id=1"
    assert message.body == b":nick!user@host  privmsg  #c :hello there"
    assert Message.parse(b":irc.example.org").nick == "irc.example.org"


@pytest.mark.parametrize("line", [b"", b" ", b":only.source", b":source ", b"@only=tags", b"@only=tags ", b"@a :b "])
def test_a_line_without_a_command(line: bytes) -> None:
    assert Message.parse(line).command == ""
    assert Message.parse(line).params == []


def test_other_scripts_do_not_become_a_command() -> None:
    assert Message.parse("priv\u017fmsg x".encode()).command == "priv\u017fmsg"
    assert Message.parse("pa\u017f\u017f x".encode()).command != "PASS"


@pytest.mark.parametrize(
    ("command", "params", "source", "tags"),
    [
        ("", (), "", {}),
        ("TWO WORDS", (), "", {}),
        (":X", (), "", {}),
        ("@x", (), "", {}),
        ("X", ("", "b"), "", {}),
        ("X", ("a b", "c"), "", {}),
        ("X", (":a", "c"), "", {}),
        ("X", ("a\r", "b"), "", {}),
        ("X", ("a\nQUIT",), "", {}),
        ("X", ("a\0",), "", {}),
        ("X", ("a",), "a b", {}),
        ("X", ("a",), "a\n", {}),
        ("X", ("a",), "", {"a b": "c"}),
        ("X", ("a",), "", {"a;b": "c"}),
        ("X", ("a",), "", {"a=b": "c"}),
        ("X", ("a",), "", {"": "c"}),
        ("X", ("a",), "", {"a\n": "c"}),
        ("X", ("\ud800",), "", {}),
    ],
)
def test_a_line_that_would_be_read_as_something_else_is_refused(
    command: str, params: tuple[str, ...], source: str, tags: dict[str, str]
) -> None:
    with pytest.raises(ValueError):
        Message.build(command, *params, source=source, tags=tags)


def test_secrets_are_not_shown() -> None:
    assert "hunter2" not in repr(Message.build("PASS", "hunter2"))
    for params in (("hunter2\n",), ("hunter2 ", "x")):
        with pytest.raises(ValueError) as caught:
            Message.build("PASS", *params)
        assert "hunter2" not in str(caught.value)


def test_equal_lines_are_equal() -> None:
    assert Message.parse(b"PING x") == Message.build("PING", "x")
    assert len({Message.parse(b"PING x"), Message.build("PING", "x"), Message.parse(b"PING y")}) == 2
    assert Message.parse(b"PING x") != b"PING x"


@given(
    st.lists(
        st.sampled_from(["time", "msgid", "xmsgid", "msgid/x", "+msgid", "account", ""]).flatmap(
            lambda key: st.sampled_from(["", "=", "=a", "=msgid=b", "=time", "=a\\:b", "=\\"]).map(
                lambda value: key + value
            )
        ),
        max_size=5,
    )
)
def test_one_tag_is_read_as_all_are(items: list[str]) -> None:
    line = f"@{';'.join(items)} PING x".encode()
    for key in ("time", "msgid", "account"):
        assert Message.parse(line).tag(key) == Message.parse(line).tags.get(key, "")
        known = Message.parse(line)
        assert known.tags.get(key, "") == known.tag(key)
