from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from bouncer import __version__
from bouncer.app.admin import AdminSocket
from bouncer.app.cli import FILE_LIMIT, ask_bouncer, program
from bouncer.app.home import Home, HomeLock
from bouncer.model.errors import Refused, Unavailable
from bouncer.operations import row
from bouncer.operations.settings import NETWORK_KEYS
from bouncer.operations.table import OPERATIONS, perform
from bouncer.operations.words import filled

if TYPE_CHECKING:
    from tests.unit.conftest import Bench


class Shell:
    """The command line over a bench."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.homes: list[Home] = []
        self._program = program(self._ask, self._run)

    def _ask(self, home: Home, words: Sequence[str]) -> row.Result:
        self.homes.append(home)
        return asyncio.run(perform(self.bench.context(), words))

    def _run(self, home: Home) -> int:
        self.homes.append(home)
        if home.path.name == "taken":
            raise Refused("the home is in use")
        return 3

    def type(self, *words: str, stdin: str = "") -> Result:
        return CliRunner().invoke(self._program, words, input=stdin)


@pytest.fixture
def shell(bench: Bench) -> Shell:
    shell = Shell(bench)
    assert shell.type("user", "create", "alice", "password=correct horse battery").exit_code == 0
    made = shell.type("network", "create", "alice/libera", "servers=ircs://irc.libera.chat", "channels=#python")
    assert made.exit_code == 0
    return shell


def test_commands_act_and_print(shell: Shell) -> None:
    done = shell.type("network", "update", "alice/libera", "nick=alice2", "realname=Alice A.")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("network alice/libera is changed\n")
    assert shell.bench.network("alice", "libera").realname == "Alice A."
    assert shell.type("channel", "create", "alice/libera/#irc", "detached=yes").exit_code == 0
    assert "alice/libera/#irc: not joined, detached" in shell.type("channel", "list", "alice/libera").stdout


def test_reading_commands_print_json(shell: Shell) -> None:
    for text in ("status", "user list", "user show alice", "network list", "channel list", "cert show", "export"):
        words = text.split()
        done = shell.type(*words, "--json")
        assert done.exit_code == 0
        assert json.loads(done.stdout)
    status = json.loads(shell.type("status", "--json").stdout)
    assert (status["undurable"], status["unindexed"]) == (0, 0)
    assert shell.type("network", "connect", "alice/libera", "--json").exit_code == 2


def test_a_refusal_is_one_line_and_status_1(shell: Shell) -> None:
    for words in (
        ("network", "update", "alice/libra", "nick=x"),
        ("user", "delete", "nobody"),
        ("user", "create", "a b"),
    ):
        done = shell.type(*words)
        assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert shell.type("user", "delete", "alcie").stderr == 'There is no user "alcie"; did you mean alice?\n'


def test_the_store_that_is_unavailable_is_a_refusal() -> None:
    def ask(home: Home, words: Sequence[str]) -> row.Result:
        raise Unavailable("the database is busy")

    done = CliRunner().invoke(program(ask), ["status"])
    assert (done.exit_code, done.stderr) == (1, "The database is busy.\n")


@pytest.mark.parametrize(
    "words",
    [("frob",), ("network", "frob"), ("network", "update"), ("user", "create"), ("apply",), ("status", "--frob")],
)
def test_what_is_not_understood_is_status_2(shell: Shell, words: tuple[str, ...]) -> None:
    done = shell.type(*words)
    assert done.exit_code == 2
    assert "Usage: " in done.stderr


@pytest.mark.parametrize("each", OPERATIONS, ids=lambda each: each.words)
def test_every_operation_is_a_command_with_its_help(shell: Shell, each: row.Operation) -> None:
    done = shell.type(*each.words.split(), "--help")
    assert done.exit_code == 0
    text = " ".join(done.stdout.split())
    assert each.teaches in text
    for example in each.examples:
        assert f"bouncer {filled(example, True)}" in text


def test_help_as_inside_irc(shell: Shell) -> None:
    text = shell.type("help", "network", "update").stdout
    assert all(f"  {key.name}= " in text for key in NETWORK_KEYS)
    assert shell.type("help", "frob").exit_code == 1
    assert shell.type("--version").stdout == f"bouncer {__version__}\n"


def test_the_home_is_named_or_found(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOUNCER_HOME", str(tmp_path / "a"))
    shell.type("status")
    shell.type("--home", str(tmp_path / "b"), "status")
    assert [home.path.name for home in shell.homes[-2:]] == ["a", "b"]


def test_run_ends_with_its_status(shell: Shell, tmp_path: Path) -> None:
    assert shell.type("--home", str(tmp_path / "free"), "run").exit_code == 3
    taken = shell.type("--home", str(tmp_path / "taken"), "run")
    assert (taken.exit_code, taken.stderr) == (1, "The home is in use.\n")


def test_a_password_is_read_from_standard_input(shell: Shell) -> None:
    before = shell.bench.user("alice").password_hash
    assert shell.type("user", "password", "alice", stdin="another long one\n").exit_code == 0
    after = shell.bench.user("alice").password_hash
    assert after == asyncio.run(shell.bench.passwords.hash("another long one"))
    assert before != after
    assert "has ended" in shell.type("user", "password", "alice").stderr
    assert shell.type("user", "password", "alice", "password=given here instead").exit_code == 0


def test_any_value_is_read_from_standard_input(shell: Shell) -> None:
    words = ("network", "update", "alice/libera", "sasl.user=-", "sasl.password=-")
    assert shell.type(*words, stdin="alice\nhush = hush\n").exit_code == 0
    sasl = shell.bench.network("alice", "libera").sasl
    assert sasl is not None
    assert (sasl.user, sasl.password) == ("alice", "hush = hush")
    assert shell.type(*words, stdin="only one\n").exit_code == 1


def test_apply_and_export_go_round(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "state.toml"
    text = shell.type("export", "--secrets").stdout
    assert "argon2id" in text
    assert "argon2id" not in shell.type("export").stdout
    file.write_text(text)
    assert shell.type("apply", str(file), "--prune").stdout == "nothing to change\n"
    shell.type("user", "delete", "alice")
    dry = shell.type("apply", str(file), "--dry-run").stdout
    assert dry.endswith("this was a dry run: nothing was changed\n")
    assert shell.bench.house.users() == []
    assert shell.type("apply", "-", stdin=text).stdout + dry.splitlines()[-1] + "\n" == dry
    assert shell.type("export", "--secrets").stdout == text


def test_a_file_with_mistakes_tells_them_all(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "state.toml"
    file.write_text('[[user]]\nname = "a b"\nnik = "x"\n')
    done = shell.type("apply", str(file))
    assert done.exit_code == 1
    assert [line.strip().partition(":")[0] for line in done.stderr.splitlines()[1:]] == ["line 2", "line 3"]
    file.write_text('[[user]]\nname = "a b"\n')
    assert shell.type("apply", str(file)).stderr.count("\n") == 1


def test_files_that_are_none(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "state.toml"
    file.write_bytes(b"[[user]]\nname = '\xff'\n")
    assert "not UTF-8 in line 2" in shell.type("apply", str(file)).stderr
    file.write_bytes(b"#" * (FILE_LIMIT + 1))
    assert "no state file is" in shell.type("apply", str(file)).stderr
    for path, reason in ((tmp_path / "none.toml", "no such file or directory"), (tmp_path, "is a directory")):
        done = shell.type("apply", str(path))
        assert (done.exit_code, done.stderr) == (1, f"{path} can't be read: {reason}.\n")


def test_standard_input_that_is_closed_is_empty(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def type_(*words: str) -> tuple[int, str]:
        with CliRunner().isolation() as (_, stderr, _):
            monkeypatch.setattr("sys.stdin", None)
            with pytest.raises(SystemExit) as ended:
                program(shell._ask)(list(words))
            return int(str(ended.value.code)), stderr.getvalue().decode()

    for words in (("user", "password", "alice"), ("user", "update", "alice", "password=-")):
        assert type_(*words) == (1, "password: standard input has ended before a line for it.\n")
    assert type_("apply", "-", "--prune") == (
        1,
        "The file names no user, so that --prune would delete all of them; that is hardly meant.\n",
    )


def test_no_file_of_ours_becomes_a_standard_stream() -> None:
    code = """if True:
        import contextlib, os
        from bouncer.app.cli import main
        with contextlib.suppress(SystemExit):
            main()
        os._exit(os.open(os.devnull, os.O_RDONLY))
    """
    words = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", code, "--version"]
    assert subprocess.run(words, timeout=60).returncode > 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_an_answer_that_can_not_be_written_is_one_line() -> None:
    words = [sys.executable, "-c", "from bouncer.app.cli import main; main()", "help"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == "The answer can't be written to standard output: no space left on device.\n"


def test_names_can_not_command_the_terminal() -> None:
    def ask(home: Home, words: Sequence[str]) -> row.Result:
        return row.Result(("#a\x1b[2J\x9b\udcff b\tä",), {"name": "\udcff"})

    assert CliRunner().invoke(program(ask), ["status"]).stdout == "#a\ufffd[2J\ufffd\ufffd b\tä\n"
    assert json.loads(CliRunner().invoke(program(ask), ["status", "--json"]).stdout) == {"name": "\udcff"}


async def test_a_running_bouncer_is_asked(stocked: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the paths of pytest are too long for a socket, unless they are relative
    served = AdminSocket(Home(tmp_path).admin_socket, stocked.context)
    await served.open()
    words = ["--home", str(tmp_path), "user", "update", "bob", "nick=bobby"]
    done = await asyncio.to_thread(CliRunner().invoke, program(), words)
    await served.close()
    assert (done.exit_code, done.stdout) == (0, "user bob is changed\n")
    assert stocked.user("bob").nick == "bobby"


async def test_one_that_is_just_starting_is_waited_for(
    stocked: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    loop, asked_again = asyncio.get_running_loop(), asyncio.Event()

    class Watched(Home):
        """Tells when its socket is looked for a second time."""

        looks = 0

        @property
        def admin_socket(self) -> Path:
            self.looks += 1
            if self.looks == 2:
                loop.call_soon_threadsafe(asked_again.set)
            return super().admin_socket

    with HomeLock(Home(tmp_path)):
        with pytest.raises(Refused, match="is in use by process"):
            await asyncio.to_thread(ask_bouncer, Home(tmp_path), ["user", "list"], 0)
        asking = asyncio.create_task(asyncio.to_thread(ask_bouncer, Watched(tmp_path), ["user", "list"], 60))
        await asked_again.wait()
        served = AdminSocket(Home(tmp_path).admin_socket, stocked.context)
        await served.open()
        assert "bob: no network" in (await asking).lines
        await served.close()


def test_without_one_the_database_is_changed(tmp_path: Path) -> None:
    def type_(*words: str) -> Result:
        return CliRunner().invoke(program(), ["--home", str(tmp_path), *words])

    assert type_("user", "create", "alice", "password=correct horse battery").exit_code == 0
    assert type_("network", "create", "alice/libera", "servers=irc.libera.chat").exit_code == 0
    assert type_("network", "list").stdout == "alice/libera: stopped, the bouncer is not running\n"
    assert "is not running" in type_("status").stdout


@pytest.mark.parametrize(
    "words",
    [
        ["--home", "here", "user", "list"],
        ["user", "--home", "here", "list"],
        ["user", "list", "--home", "here"],
        ["--home", "elsewhere", "user", "list", "--home", "here"],
    ],
)
def test_the_home_may_stand_anywhere(words: list[str]) -> None:
    homes: list[Home] = []

    def ask(home: Home, _: Sequence[str]) -> row.Result:
        homes.append(home)
        return row.Result((), None)

    done = CliRunner().invoke(program(ask=ask), words)
    assert done.exit_code == 0, done.output
    assert [home.path for home in homes] == [Path("here").absolute()]
