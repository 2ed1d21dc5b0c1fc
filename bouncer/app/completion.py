"""Completion in the shell: the script that a shell reads, and what stands behind the words that were typed.

Owns what is offered. Names of objects come from a bouncer that runs; without one there are none. Must not know any
operation but those that list.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

from bouncer.app import admin
from bouncer.app.home import Home
from bouncer.model.errors import Refused
from bouncer.operations.row import Operation, Takes
from bouncer.operations.values import yes_or_no

VARIABLE = "_BOUNCER_COMPLETE"  # of the environment: set by a shell's script when it asks
SHELLS = ("bash", "zsh", "fish")
PATIENCE = 0.5  # seconds for the names: who waits has a finger on the key
NAMES_LIMIT = 1000  # of objects offered; a longer list is not read, and a longer beginning shortens it

Ask = Callable[[Sequence[str]], list[dict[str, Any]]]

# What lists the objects of each kind, and how one is written.
_OBJECTS: Mapping[Takes, tuple[str, Callable[[dict[str, Any]], list[str]]]] = MappingProxyType(
    {
        Takes.USER: ("user list", lambda each: [each["name"]]),
        Takes.NETWORK: ("network list", lambda each: [f"{each['user']}/{each['name']}"]),
        Takes.CHANNEL: ("channel list", lambda each: [f"{each['user']}/{each['network']}/{each['name']}"]),
        Takes.DEVICE: ("device list", lambda each: [f"{each['user']}/{each['device']}"]),
        Takes.SCOPE: ("network list", lambda each: [each["user"], f"{each['user']}/{each['name']}"]),
    }
)
# Of a new object, that in which it will be.
_PARENTS: Mapping[Takes, tuple[Takes, str]] = MappingProxyType(
    {Takes.NETWORK: (Takes.USER, "/"), Takes.CHANNEL: (Takes.NETWORK, "/")}
)


def script(shell: str, program: click.Command) -> str:
    """What that shell is to read, as in ``source <(bouncer completion bash)``."""
    kind = get_completion_class(shell)
    if kind is None:
        raise Refused(f"{shell} is not known; {', '.join(SHELLS)} are")
    completer: ShellComplete = kind(program, {}, "bouncer", VARIABLE)
    text = completer.source_template % completer.source_vars()
    if shell == "bash":  # the value is typed right behind a key, and the rest of a name behind a slash
        glued = '    [[ "${COMPREPLY[0]}" == *[=/] ]] && compopt -o nospace\n'
        text = text.replace("    return 0\n", f"{glued}    return 0\n")
    return text


def offered(row: Operation, ask: Ask) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]:
    """What click asks for the words of a row's command."""

    def complete(context: click.Context, _: click.Parameter, beginning: str) -> list[CompletionItem[str]]:
        typed = context.params.get("words") or ()
        if not typed and row.takes is not Takes.NOTHING and "=" not in beginning:
            names = [name for name in _names(row, ask) if name.startswith(beginning)]
            if names:
                return [CompletionItem(name) for name in names[:NAMES_LIMIT]]
        given = {word.partition("=")[0] for word in typed}
        items = [CompletionItem(f"{key.name}=", help=key.help) for key in row.keys if key.name not in given]
        name, equals, _rest = beginning.partition("=")
        key = row.key(name) if equals else None
        if key is not None and key.parse is yes_or_no:
            items = [CompletionItem(f"{name}={word}") for word in ("yes", "no")]
        return [item for item in items if item.value.startswith(beginning)]

    return complete


def asker(home: Callable[[], Home]) -> Ask:
    """Asks the bouncer that runs on that home; nothing where none does, or where it takes its time."""

    def ask(words: Sequence[str]) -> list[dict[str, Any]]:
        async def soon() -> list[dict[str, Any]]:
            async with asyncio.timeout(PATIENCE):
                return list((await admin.ask(home().admin_socket, words)).data)

        try:
            return asyncio.run(soon())
        except (admin.NotRunning, Refused, TimeoutError):
            return []

    return ask


def _names(row: Operation, ask: Ask) -> list[str]:
    kind, end = row.takes, ""
    if row.verb == "create":
        if kind not in _PARENTS:
            return []
        kind, end = _PARENTS[kind]
    words, names = _OBJECTS[kind]
    found = [f"{name}{end}" for each in ask(words.split()) for name in names(each)]
    return sorted(dict.fromkeys(found))
