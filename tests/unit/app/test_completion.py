from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from bouncer.app.cli import program
from bouncer.app.completion import SHELLS, asker, offered
from bouncer.app.home import Home
from bouncer.operations.row import Operation
from bouncer.operations.settings import NETWORK_KEYS
from bouncer.operations.table import OPERATIONS, perform

if TYPE_CHECKING:
    from tests.unit.conftest import Bench


def row(words: str) -> Operation:
    return next(each for each in OPERATIONS if each.words == words)


def complete(bench: Bench, words: str, typed: Sequence[str], beginning: str) -> list[str]:
    """What is offered of a row with a bouncer that runs."""

    def ask(asked: Sequence[str]) -> list[dict[str, Any]]:
        return list(asyncio.run(perform(bench.context(), asked)).data)

    command = click.Command("x")
    context = click.Context(command)
    context.params["words"] = tuple(typed)
    return [item.value for item in offered(row(words), ask)(context, click.Argument(["words"]), beginning)]


@pytest.fixture
def told(bench: Bench) -> Bench:
    for text in ("user create alice", "user create bob", "network create alice/libera servers=x channels=#py,#irc"):
        asyncio.run(perform(bench.context(), text.split()))
    return bench


def test_objects_that_there_are_come_first(told: Bench) -> None:
    assert complete(told, "user show", (), "") == ["alice", "bob"]
    assert complete(told, "network show", (), "al") == ["alice/libera"]
    assert complete(told, "channel detach", (), "alice/libera/#p") == ["alice/libera/#py"]
    assert complete(told, "ignore add", (), "") == ["alice", "alice/libera"]
    assert complete(told, "network create", (), "") == ["alice/", "bob/"]
    assert complete(told, "channel create", (), "") == ["alice/libera/"]
    assert complete(told, "device kick", (), "") == []


def test_then_come_keys_and_their_values(told: Bench) -> None:
    offers = complete(told, "network update", ("alice/libera", "nick=x"), "")
    assert offers == [f"{key.name}=" for key in NETWORK_KEYS if key.name != "nick"]
    assert complete(told, "network update", ("alice/libera",), "sasl.p") == ["sasl.password="]
    assert complete(told, "channel update", ("alice/libera/#py",), "detached=") == ["detached=yes", "detached=no"]


def test_without_a_bouncer_there_are_no_names(tmp_path: Path) -> None:
    assert asker(lambda: Home(tmp_path))(["user", "list"]) == []


def test_verbs_are_completed_by_click(tmp_path: Path) -> None:
    completer = ShellComplete(program(), {}, "bouncer", "_BOUNCER_COMPLETE")
    assert [item.value for item in completer.get_completions(["channel"], "de")] == ["delete", "detach"]
    assert "network" in [item.value for item in completer.get_completions([], "net")]
    words = ["--home", str(tmp_path), "user", "update", "alice"]
    assert [item.value for item in completer.get_completions(words, "ti")] == ["timezone="]


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_its_script(shell: str) -> None:
    done = CliRunner().invoke(program(), ["completion", shell])
    assert done.exit_code == 0
    assert f"_BOUNCER_COMPLETE={shell}_complete" in done.stdout
    checker = shutil.which(shell)
    if checker is not None:
        subprocess.run([checker, "-n"], input=done.stdout, text=True, check=True)


def test_a_shell_that_is_none_is_refused() -> None:
    assert CliRunner().invoke(program(), ["completion", "sh"]).exit_code == 2


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes(tmp_path: Path) -> None:
    """The whole way: the script in a bash, which runs the program again to ask it."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    starter = bin_folder / "bouncer"
    starter.write_text(f'#!/bin/sh\nexec {sys.executable} -m bouncer "$@"\n')
    starter.chmod(0o755)
    script = (
        'source <(bouncer completion bash)\n'
        'COMP_WORDS=(bouncer network rec) COMP_CWORD=2\n'
        '_bouncer_completion bouncer\n'
        'echo "${COMPREPLY[@]}"\n'
    )  # fmt: skip
    environment = os.environ | {"PATH": f"{bin_folder}:{os.environ['PATH']}", "BOUNCER_HOME": str(tmp_path / "home")}
    done = subprocess.run(["bash"], input=script, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "reconnect\n"
