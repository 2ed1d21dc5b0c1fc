from __future__ import annotations

import re
from pathlib import Path

import pytest

from bouncer.model.errors import Refused
from bouncer.operations.settings import CHANNEL_KEYS, NETWORK_KEYS, USER_KEYS
from bouncer.operations.table import OPERATIONS
from bouncer.operations.teach import SHELL, Skin, help_lines, manual, sentence
from bouncer.operations.words import filled

CHAT = Skin("/msg *bouncer ", qualified=False, admin=False, everything=False)
DOCS = Path(__file__).parents[3] / "docs" / "commands.md"


def test_help_on_everything_has_a_line_for_each_command() -> None:
    lines = help_lines(OPERATIONS, [], SHELL)
    assert len(lines) == len(OPERATIONS) + 1
    assert "network update USER/NETWORK [KEY=VALUE ...] - change a network's settings" in lines


def test_help_for_a_user_leaves_out_what_is_for_others() -> None:
    text = "\n".join(help_lines(OPERATIONS, [], CHAT))
    assert "network update [NETWORK] [KEY=VALUE ...]" in text
    assert "user create" not in text
    assert "apply" not in text
    assert "admin=" not in "\n".join(help_lines(OPERATIONS, ["user", "update"], CHAT))


def test_help_on_a_group_a_command_and_a_key() -> None:
    assert len(help_lines(OPERATIONS, ["cert"], SHELL)) == 4
    assert len(help_lines(OPERATIONS, ["chan"], CHAT)) == 7
    lines = help_lines(OPERATIONS, ["net", "upd"], CHAT)
    assert lines[0] == "/msg *bouncer network update [NETWORK] [KEY=VALUE ...]"
    assert 'Example: /msg *bouncer network update libera nick=alice2 realname="Alice A."' in lines
    for key in NETWORK_KEYS:
        assert any(line.startswith(f"  {key.name}= ") for line in lines)
    (line,) = help_lines(OPERATIONS, ["network", "update", "flood.every="], CHAT)
    assert line == "flood.every= the time between lines after that; as in flood.every=2s"
    with pytest.raises(Refused, match="help network update lists them"):
        help_lines(OPERATIONS, ["network", "update", "floods"], CHAT)


def test_what_the_command_line_writes_as_switches() -> None:
    lines = help_lines(OPERATIONS, ["apply"], SHELL)
    assert lines[0] == "bouncer apply FILE [--prune] [--dry-run]"
    assert "  --dry-run only say what would be changed" in lines
    assert help_lines(OPERATIONS, ["export", "secrets"], SHELL) == ["--secrets passwords, keys and hashes too"]
    chat = Skin("/msg *bouncer ", qualified=False, admin=True, everything=False)
    assert help_lines(OPERATIONS, ["export"], chat)[0] == "/msg *bouncer export [USER]"
    with pytest.raises(Refused, match="on the command line only: bouncer help apply"):
        help_lines(OPERATIONS, ["apply"], chat)


def test_the_manual_is_what_the_table_says() -> None:
    text = DOCS.read_text()
    body = manual(OPERATIONS)
    remake = "remake it: everything after the line '<!-- from the table -->' is teach.manual(OPERATIONS)"
    assert text.partition("<!-- from the table -->\n")[2] == body, remake
    for key in (*USER_KEYS, *NETWORK_KEYS, *CHANNEL_KEYS):
        assert f"| `{key.name}` |" in body


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("there is none", "There is none."),
        ("did you mean x?", "Did you mean x?"),
        ('"x" is not y', '"x" is not y.'),
        ("sasl.user is missing", "sasl.user is missing."),
        ("Done.", "Done."),
    ],
)
def test_a_refusal_is_shown_as_a_sentence(text: str, shown: str) -> None:
    assert sentence(text) == shown


def test_on_the_command_line_a_shell_leaves_the_examples_as_they_are() -> None:
    for row in OPERATIONS:
        for example in row.examples:
            for word in re.sub(r"'[^']*'|\"[^\"]*\"", "", filled(example, True)).split():
                assert not set(word) & set("*?!$&;|<>(){}[]"), word
                assert not word.startswith("#"), word
    assert filled("channel order {network} #a,#b", True) == "channel order alice/libera '#a,#b'"
    assert filled("channel order {network} #a,#b", False) == "channel order libera #a,#b"
