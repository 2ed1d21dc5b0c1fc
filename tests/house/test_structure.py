"""The rules of the house (docs/architecture.md) that a reader of one file can't see broken."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "bouncer"
FILES = sorted(PACKAGE.rglob("*.py"))
PURE = ("irc", "model", "upstream", "downstream", "caps", "core")
# Where tasks may be begun: each keeps those it begins, names them, and cancels them.
TASK_OWNERS = {
    "app/desk.py",
    "app/upstreams.py",
    "client/client.py",
    "client/dispatch.py",
    "client/dialing.py",
    "client/reconnect.py",
    "net/listen.py",
}


def module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(path: Path) -> Iterator[str]:
    """All that a file imports of ours, those for types only and those inside functions too."""
    names = {module(each) for each in FILES}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in names else node.module


def test_no_module_reaches_itself_by_its_imports() -> None:
    graph = {module(path): {name for name in imports(path) if name.startswith("bouncer")} for path in FILES}
    done: set[str] = set()

    def walk(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for each in graph.get(name, ()):
                if each != name:
                    walk(each, (*trail, name))
            done.add(name)

    for name in graph:
        walk(name, ())


def test_the_language_needs_only_the_standard_library() -> None:
    for path in (PACKAGE / "irc").rglob("*.py"):
        for name in imports(path):
            top = name.partition(".")[0]
            assert top in sys.stdlib_module_names or name.startswith("bouncer.irc"), f"{path}: {name}"


@pytest.mark.parametrize("room", PURE)
def test_nothing_waits_below_the_operations(room: str) -> None:
    for path in (PACKAGE / room).rglob("*.py"):
        if path == PACKAGE / "model" / "ports.py":
            continue  # only says what others wait for
        waits = [node for node in ast.walk(tree(path)) if isinstance(node, ast.AsyncFunctionDef | ast.Await)]
        assert not waits, f"{path}:{waits[0].lineno}"


def test_tasks_are_begun_by_their_owners_only() -> None:
    for path in FILES:
        calls = [
            node.lineno
            for node in ast.walk(tree(path))
            if isinstance(node, ast.Attribute) and node.attr in {"create_task", "ensure_future"}
        ]
        name = str(path.relative_to(PACKAGE))
        assert not calls or name in TASK_OWNERS, f"{name}:{calls}"


def test_every_module_says_what_it_is_for() -> None:
    for path in FILES:
        assert ast.get_docstring(tree(path)), path


def test_no_chain_of_comparisons_on_commands() -> None:
    """Commands are rows of tables: three comparisons of one function with `.command` are a switch."""
    for path in FILES:
        for function in ast.walk(tree(path)):
            if isinstance(function, ast.FunctionDef):
                compared = [
                    node
                    for node in ast.walk(function)
                    if isinstance(node, ast.Compare)
                    and isinstance(node.left, ast.Attribute)
                    and node.left.attr == "command"
                ]
                assert len(compared) <= 3, f"{path}:{function.lineno} {function.name}"


def test_no_todo_is_left_in_the_code() -> None:
    for path in FILES:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            assert "TODO" not in line, f"{path}:{number}"
            assert "FIXME" not in line, f"{path}:{number}"


def test_the_architecture_names_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert {room for room in rooms if f"`{room}/`" not in text} == set()
