"""The command ``bouncer``: the operations as a command line, made from their table, and ``run``.

Owns arguments, exit status and what is printed where. Must not know any operation, nor how it reaches the bouncer.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from bouncer import __version__
from bouncer.app import admin, completion
from bouncer.app.completion import offered
from bouncer.app.home import Home, InUse, default_home
from bouncer.app.moving.commands import history_commands, home_commands, store_commands
from bouncer.model.errors import Refused, Unavailable
from bouncer.operations.row import Key, LeftOut, Operation, Result, Takes
from bouncer.operations.table import OPERATIONS, perform
from bouncer.operations.teach import (
    FILE,
    SHELL,
    help_lines,
    key_line,
    object_text,
    sentence,
    switch,
    switches_of,
    values_text,
)
from bouncer.operations.words import filled, find

Ask = Callable[[Home, Sequence[str]], Result]

PATIENCE = 5.0  # seconds for a bouncer that is just starting, or for another command, to be done with the home
TRY_AGAIN = 0.05  # seconds between two looks at it
FILE_LIMIT = 4 * 1024 * 1024  # bytes of a state file; the admin socket takes no longer request

_CONTROLS = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

HISTORY = "history"
GROUPS = {
    "user": "People who may log in.",
    "network": "The IRC networks of users.",
    "channel": "The channels to be in.",
    "ignore": "Whom not to hear.",
    "highlight": "Words that call for attention.",
    HISTORY: "What was said, out of the bouncer and into it.",
    "nolog": "What history does not keep.",
    "server": "The servers of a network.",
    "device": "What logs in as user@device.",
    "token": "Passwords for one device each.",
    "certificate": "Certificates of clients that log in without a password.",
    "cert": "The listener's certificate, and those that are shown to networks.",
}


def ask_bouncer(home: Home, words: Sequence[str], patience: float = PATIENCE) -> Result:
    """Have the bouncer on that home do it, or do it on the database while none runs.

    Waits up to ``patience`` seconds for one that has the home and does not listen yet. Raises Refused, Unavailable.
    """
    return asyncio.run(_ask(home, words, time.monotonic() + patience))


async def _ask(home: Home, words: Sequence[str], deadline: float) -> Result:
    while True:
        with suppress(admin.NotRunning):
            return await admin.ask(home.admin_socket, words)
        try:
            return await _do_offline(home, words)
        except InUse:
            if time.monotonic() >= deadline:
                raise
            await asyncio.sleep(TRY_AGAIN)


async def _do_offline(home: Home, words: Sequence[str]) -> Result:
    from bouncer.app.wire import offline_context  # the whole bouncer: a command to a running one does without it

    async with offline_context(home) as context:
        return await perform(context, words)


def run_bouncer(home: Home) -> int:
    """Run the bouncer; the exit status."""
    from bouncer.app.supervisor import run

    return run(home)


def program(
    ask: Ask = ask_bouncer, run: Callable[[Home], int] = run_bouncer, table: Sequence[Operation] = OPERATIONS
) -> click.Group:
    """The command line over these ways to do and to run."""

    names = completion.asker(_home)

    @click.group(
        cls=_Commands,
        table=table,
        words=(),
        params=[_home_option()],
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    )
    @click.version_option(__version__, prog_name="bouncer", message="%(prog)s %(version)s")
    def bouncer() -> None:
        """A bouncer for IRC: it stays on IRC for you, and gives each of your devices what it missed."""

    @bouncer.command(
        "run",
        params=[_home_option()],
        help="Start in the foreground; the first start makes everything and prints how to connect.",
    )
    def run_command() -> None:
        with _refusals():
            sys.exit(run(_home()))

    @bouncer.command("help", help="Explain the commands, as inside IRC.")
    @click.argument("words", nargs=-1)
    def help_command(words: tuple[str, ...]) -> None:
        with _refusals():
            for line in help_lines(table, words, SHELL):
                _say(line)

    @bouncer.command("completion", help="Print what makes a shell complete: source <(bouncer completion bash).")
    @click.argument("shell", type=click.Choice(completion.SHELLS))
    def completion_command(shell: str) -> None:
        _write(completion.script(shell, bouncer))

    groups: dict[str, click.Group] = {}
    for row in table:
        command = _command(row, ask, names)
        if not row.verb:
            bouncer.add_command(command)
            continue
        if row.group not in groups:
            groups[row.group] = _Commands(
                table, (row.group,), name=row.group, params=[_home_option()], help=GROUPS.get(row.group)
            )
            bouncer.add_command(groups[row.group])
        groups[row.group].add_command(command)
    if HISTORY not in groups:
        groups[HISTORY] = _Commands(table, (HISTORY,), name=HISTORY, params=[_home_option()], help=GROUPS[HISTORY])
        bouncer.add_command(groups[HISTORY])
    for command in history_commands(_home, _say, _refusals):
        command.params.append(_home_option())
        groups[HISTORY].add_command(command)
    store = click.Group("store", params=[_home_option()], help="Where all is kept.")
    bouncer.add_command(store)
    for command in store_commands(_home, _say, _refusals):
        command.params.append(_home_option())
        store.add_command(command)
    for command in home_commands(_home, _say, _refusals):
        command.params.append(_home_option())
        bouncer.add_command(command)
    return bouncer


class _Commands(click.Group):
    """Commands of the table, some of them: a word that is none of them is answered as inside IRC."""

    def __init__(self, table: Sequence[Operation], words: Sequence[str], **settings: Any) -> None:
        super().__init__(**settings)
        self._table = table
        self._words = words

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            typed = [*self._words, args[0]]
            try:
                row, _ = find(self._table, typed)
            except Refused as problem:
                ctx.fail(sentence(str(problem)))
            ctx.fail(f"{' '.join(typed)} is {row.words} here; bouncer help {row.words} tells more.")
        return super().resolve_command(ctx, args)


def _command(row: Operation, ask: Ask, names: completion.Ask) -> click.Command:
    """A row as a command: yes-or-no keys of a one-word row are flags, its key ``file`` a FILE, all else words."""
    flags = switches_of(row)
    parameters: list[click.Parameter] = []
    if row.key(FILE) is not None:
        parameters.append(click.Argument(["file"]))
    elif row.takes is not Takes.NOTHING or len(row.keys) > len(flags):
        needed = bool(row.rest) or (row.takes is not Takes.NOTHING and row.left_out is not LeftOut.ALL)
        pairs = values_text(row).replace(" ...]", "]...")
        shape = f"{object_text(row, True)} {pairs}".strip()
        parameters.append(
            click.Argument(
                ["words"],
                nargs=-1,
                required=needed,
                metavar=shape if needed else f"[{shape}]",
                shell_complete=offered(row, names),
            )
        )
    parameters += [_home_option(), *(_flag(key) for key in flags)]
    if row.reads:
        parameters.append(click.Option(["--json", "as_json"], is_flag=True, help="Print it for programs."))

    def act(words: tuple[str, ...] = (), file: str | None = None, as_json: bool = False, **switches: bool) -> None:
        with _refusals():
            typed = [*row.words.split(), *_completed(row, words)]
            if file is not None:
                typed.append(f"{FILE}={_read(file)}")
            typed += [f"{name}=yes" for name, is_on in switches.items() if is_on]
            _print(ask(_home(), typed), as_json)

    return click.Command(
        row.verb or row.words,
        params=parameters,
        callback=act,
        help=_help(row),
        short_help=f"{row.summary[:1].upper()}{row.summary[1:]}.",
        # what stands in free text is never an option of ours
        context_settings={"allow_interspersed_args": not row.rest},
    )


def _home_option() -> click.Option:
    """``--home``, which may stand before a command or behind it; the one nearest to it counts."""

    def note(context: click.Context, _: click.Parameter, value: Path | None) -> None:
        if value is not None:
            context.obj = Home(value)

    return click.Option(
        ["--home"],
        type=click.Path(file_okay=False, path_type=Path),
        expose_value=False,
        callback=note,
        help="The one folder that holds everything (else BOUNCER_HOME, else the platform's data directory).",
    )


def _home() -> Home:
    return click.get_current_context().find_object(Home) or Home(default_home(os.environ))


def _flag(key: Key) -> click.Option:
    return click.Option([switch(key), key.name], is_flag=True, help=f"{key.help[:1].upper()}{key.help[1:]}.")


def _help(row: Operation) -> str:
    parts = [f"{row.summary[:1].upper()}{row.summary[1:]}. {row.teaches}"]
    if (row.verb or row.mixes) and row.keys:
        parts.append("\b\n" + "\n".join(key_line(key) for key in row.keys))
    # \b: click leaves these lines as they are
    parts.append("\b\n" + "\n".join(f"{SHELL.prefix}{filled(example, True)}" for example in row.examples))
    return "\n\n".join(parts)


def _completed(row: Operation, words: Sequence[str]) -> list[str]:
    """The words, with the values read that were left to standard input or have to be asked for."""
    complete = []
    for word in words:
        name, equals, value = word.partition("=")
        key = row.key(name) if equals and value == "-" else None
        complete.append(word if key is None else f"{name}={_line(key)}")
    if row.words == "user password" and not any("=" in word for word in complete):
        complete += [f"{key.name}={_line(key)}" for key in row.keys]
    return complete


def _line(key: Key) -> str:
    """A value from standard input. A secret is not shown while it is typed."""
    name = key.name
    if key.secret and sys.stdin is not None and sys.stdin.isatty():
        return str(click.prompt(name.capitalize(), hide_input=True, confirmation_prompt="Once more"))
    # there is none at all if it was closed before we were started
    line = sys.stdin.readline() if sys.stdin is not None else ""
    if not line:
        raise Refused(f"{name}: standard input has ended before a line for it")
    return line.rstrip("\r\n")


def _read(file: str) -> str:
    """The text of a file, "-" being standard input. Raises Refused."""
    name = file
    try:
        if file == "-":
            name = "standard input"
            data = sys.stdin.buffer.read(FILE_LIMIT + 1) if sys.stdin is not None else b""
        else:
            with open(file, "rb") as source:
                data = source.read(FILE_LIMIT + 1)
    except OSError as error:
        raise Refused(f"{name} can't be read: {_reason(error)}") from error
    if len(data) > FILE_LIMIT:
        raise Refused(f"{name} is longer than {FILE_LIMIT} bytes, which no state file is")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Refused(f"{name} is not UTF-8 in line {line}; nothing was changed") from None


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _print(result: Result, as_json: bool) -> None:
    if as_json:
        _write(json.dumps(result.data, indent=2))
        return
    for line in result.lines:
        _say(line)


def _say(text: str, err: bool = False) -> None:
    """Print a line in which names that others chose can't command the terminal."""
    _write(_CONTROLS.sub("\ufffd", text), err)


def _write(text: str, err: bool = False) -> None:
    try:
        click.echo(text, err=err)
    except BrokenPipeError:
        raise  # the reader has had enough, as `head` has: click ends without a word
    except OSError as error:
        if not err:
            raise Refused(f"the answer can't be written to standard output: {_reason(error)}") from error


@contextmanager
def _refusals() -> Iterator[None]:
    """Around all that may be refused: prints the sentence and ends with status 1."""
    try:
        yield
    except (Refused, Unavailable) as problem:
        _say(sentence(str(problem)), err=True)
        sys.exit(1)


def _open_standard_streams() -> None:
    """Open those that were closed before we were started: a socket that got their number would be read and written
    by whoever means the terminal."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number is this one


def main() -> None:
    """The console script."""
    _open_standard_streams()
    program()(complete_var=completion.VARIABLE)
