"""Help, made from the table: for IRC, for the command line and for the manual, in the same words.

Owns how a row is explained. Must not know any operation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bouncer.model.errors import Refused
from bouncer.operations.row import Key, LeftOut, Operation, Takes, Who
from bouncer.operations.spellings import spelled
from bouncer.operations.values import yes_or_no
from bouncer.operations.words import filled, find

FILE = "file"  # the key that is a file's whole text: the command line reads it from the FILE that it is given


@dataclass(frozen=True, slots=True)
class Skin:
    """How one skin writes commands: what is typed before them, and whether objects have their user before them."""

    prefix: str
    qualified: bool
    admin: bool = True
    everything: bool = True  # also what is for the command line only


SHELL = Skin("bouncer ", qualified=True)


def help_lines(table: Sequence[Operation], words: Sequence[str], skin: Skin) -> list[str]:
    """Help on everything (no words), a group, a command, or one key of a command. Raises Refused."""
    seen = [row for row in table if (skin.everything or row.here) and (skin.admin or row.who is Who.USER)]
    if not words:
        lines = [f"{usage(row, skin)} - {row.summary}" for row in seen]
        return [*lines, f"{skin.prefix}help COMMAND tells more; the beginning of a word is enough"]
    typed = words[0].lower()
    exact = [row for row in seen if row.group == typed and row.verb]
    rows = exact or [row for row in seen if row.group.startswith(typed) and row.verb]
    rows = [row for row in rows if row.group == words[0].lower()] or rows
    if len(words) == 1 and len({row.group for row in rows}) == 1:
        return [f"{usage(row, skin)} - {row.summary}" for row in rows]
    if not skin.everything and any(words[0].lower() == row.words and not row.here for row in table):
        raise Refused(f"{words[0].lower()} works on the command line only: bouncer help {words[0].lower()}")
    is_ours = any(row.words == " ".join(words[:2]).lower() for row in seen)
    theirs = [] if is_ours else spelled(words)[0]
    if theirs and theirs[0].instead:
        raise Refused(f"{theirs[0].name} {theirs[0].instead}")
    row, rest = find(seen, theirs[0].ours.split() if theirs else words)
    if theirs:
        return [f"{theirs[0].theirs} is {row.words} here, and is understood as it is.", *explain(row, skin)]
    if not rest:
        return explain(row, skin)
    key = row.key(rest[0].partition("=")[0].removeprefix("--"))
    if key is None:
        raise Refused(f"{row.words} has no key {rest[0]!r}; help {row.words} lists them")
    return [_line_of(row, key)]


def usage(row: Operation, skin: Skin) -> str:
    """One line: the words, the object and whether there are keys."""
    shape = object_text(row, skin.qualified)
    if row.rest and row.takes is Takes.USER and not skin.qualified:
        shape = ""  # free text follows, in which a name could be a word
    if shape and (row.left_out is LeftOut.ALL or (row.left_out is LeftOut.OWN and not skin.qualified)):
        shape = f"[{shape}]"
    parts = [row.words, shape, "FILE" if row.key(FILE) else "", values_text(row)]
    if skin.qualified:
        parts += [f"[{switch(key)}]" for key in switches_of(row)]
    return " ".join(part for part in parts if part)


def values_text(row: Operation) -> str:
    """What stands behind the object, as usage lines write it."""
    if row.rest:
        key = row.key(row.rest)
        return f"{row.rest.upper()}{' ...' if key is not None and key.many else ''}{' [KEY=VALUE ...]' * row.mixes}"
    switches = switches_of(row)
    return "[KEY=VALUE ...]" if any(key not in switches and key.name != FILE for key in row.keys) else ""


def switches_of(row: Operation) -> list[Key]:
    """The yes-or-no keys of a one-word row. They are for the command line, which writes them as ``--key``."""
    return [key for key in row.keys if not row.verb and key.parse is yes_or_no]


def switch(key: Key) -> str:
    """A key as the command line's switch."""
    return f"--{key.name.replace('_', '-')}"


def object_text(row: Operation, qualified: bool) -> str:
    """The object as usage lines write it."""
    if row.takes is Takes.SCOPE and not qualified:
        return Takes.NETWORK.value
    owner = "USER/" if qualified and row.takes in (Takes.NETWORK, Takes.CHANNEL, Takes.DEVICE) else ""
    return f"{owner}{row.takes.value}"


def explain(row: Operation, skin: Skin) -> list[str]:
    """All about one command."""
    shown = row.keys if skin.qualified else [key for key in row.keys if key not in switches_of(row)]
    keys = [key for key in shown if key.name != FILE and (skin.admin or key.who is Who.USER)]
    lines = [f"{skin.prefix}{usage(row, skin)}", f"{row.summary[:1].upper()}{row.summary[1:]}. {row.teaches}"]
    lines += [f"  {_line_of(row, key)}" for key in keys]
    lines += [f"Example: {skin.prefix}{filled(example, skin.qualified)}" for example in row.examples]
    return lines


def _line_of(row: Operation, key: Key) -> str:
    return f"{switch(key)} {key.help}" if key in switches_of(row) else key_line(key)


def key_line(key: Key) -> str:
    """One line about a key."""
    who = " (admins only)" if key.who is Who.ADMIN else ""
    return f"{key.name}= {key.help}{who}; as in {key.example}"


def sentence(text: str) -> str:
    """A refusal as it is shown: with a full stop, and a capital unless it begins with something that was typed."""
    first = text[:1].upper() if text.partition(" ")[0].isalpha() else text[:1]
    return f"{first}{text[1:]}{'' if text.endswith(('.', '?', '…')) else '.'}"


def manual(table: Iterable[Operation]) -> str:
    """The table as the body of docs/commands.md."""
    parts: list[str] = []
    group = ""
    for row in table:
        if row.group != group:
            group = row.group
            parts.append(f"## {group}\n")
        parts.append(f"### {usage(row, SHELL)}\n")
        who = " For admins." if row.who is Who.ADMIN else ""
        where = "" if row.here else " On the command line only."
        parts.append(f"{row.summary[:1].upper()}{row.summary[1:]}. {row.teaches}{who}{where}\n")
        switches = switches_of(row)
        pairs = [key for key in row.keys if key not in switches and key.name != FILE]
        if pairs:
            lines = [f"| `{key.name}` | {_cell(key)} | `{_escaped(key.example)}` |" for key in pairs]
            parts.append("\n".join(["| key | what it is | as in |", "|---|---|---|", *lines]) + "\n")
        if switches:
            lines = [f"| `{switch(key)}` | {_escaped(key.help)} |" for key in switches]
            parts.append("\n".join(["| switch | what it does |", "|---|---|", *lines]) + "\n")
        shell = [f"bouncer {filled(example, True)}" for example in row.examples]
        chat = [f"/msg *bouncer {filled(example, False)}" for example in row.examples] if row.here else []
        parts.append("\n".join(["```", *shell, *chat, "```"]) + "\n")
    return "\n".join(parts)


def _cell(key: Key) -> str:
    return _escaped(key.help) + (" (admins only)" if key.who is Who.ADMIN else "")


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
