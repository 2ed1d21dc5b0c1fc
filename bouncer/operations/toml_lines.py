"""On which line of a TOML text each table and key stands, for error messages: tomllib does not tell.

Owns this one question, for texts that tomllib accepts. Must not know what the keys mean.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping

Path = tuple[str | int, ...]

_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_DOTTED = re.compile(rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*")
_PARTS = re.compile(_PART)
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}(?!")'
    r"|'''.*?'{3,5}(?!')"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*|[\[{]|[\]}]|\n|[^\"'#\[\]{}\n]+",
    re.DOTALL,
)


def line_numbers(text: str) -> dict[Path, int]:
    """The line (from 1) of each table and each key; items of arrays of tables are numbered from 0 in the path."""
    ends = [match.end() for match in re.finditer("\n", text)]
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    at = 0
    while at < len(text):
        at = _end(_BLANK, text, at)
        line = bisect_right(ends, at) + 1
        header = text.startswith("[", at)
        start = _end(re.compile(r"\[{0,2}[ \t]*"), text, at)
        dotted = _DOTTED.match(text, start)
        if dotted is None:
            break
        names = [_plain(part) for part in _PARTS.findall(dotted[0])]
        if header:
            table = _table(names, text.startswith("[[", at), counts)
            found.setdefault(table, line)
            at = _next_line(text, dotted.end())
        else:
            for upto in range(1, len(names) + 1):
                found.setdefault((*table, *names[:upto]), line)
            at = _after_value(text, dotted.end())
    return found


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """The line of that path, or of the nearest thing around it; 0 if nothing is known."""
    return next((lines[path[:upto]] for upto in range(len(path), 0, -1) if path[:upto] in lines), 0)


def _table(names: list[str], is_array: bool, counts: dict[Path, int]) -> Path:
    path: Path = ()
    for name in names[:-1]:
        path = (*path, name)
        if path in counts:
            path = (*path, counts[path] - 1)
    path = (*path, names[-1])
    if not is_array:
        return path
    counts[path] = counts.get(path, 0) + 1
    return (*path, counts[path] - 1)


def _after_value(text: str, at: int) -> int:
    depth = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            return len(text)
        at = token.end()
        if token[0] in "[{":
            depth += 1
        elif token[0] in "]}":
            depth -= 1
        elif token[0] == "\n" and depth <= 0:
            return at
    return at


def _next_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def _plain(part: str) -> str:
    if part[:1] not in "\"'":
        return part
    return str(tomllib.loads(f"x = {part}")["x"])
