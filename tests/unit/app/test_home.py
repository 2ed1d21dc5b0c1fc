from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bouncer.app.home import Home, HomeLock, default_home
from bouncer.model.errors import Refused

HOLDER = """
import sys
from pathlib import Path
from bouncer.app.home import Home, HomeLock
HomeLock(Home(Path(sys.argv[1]))).take()
print("taken", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("environment", "platform", "expected"),
    [
        ({"BOUNCER_HOME": "/srv/b", "XDG_DATA_HOME": "/data"}, "linux", "/srv/b"),
        ({"XDG_DATA_HOME": "/data"}, "linux", "/data/bouncer"),
        ({"XDG_DATA_HOME": "data"}, "linux", "/home/me/.local/share/bouncer"),
        ({"BOUNCER_HOME": ""}, "linux", "/home/me/.local/share/bouncer"),
        ({}, "freebsd14", "/home/me/.local/share/bouncer"),
        ({}, "darwin", "/home/me/Library/Application Support/bouncer"),
    ],
)
def test_the_default_home(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], platform: str, expected: str
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert default_home(environment, platform) == Path(expected)


def test_paths_do_not_depend_on_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = Home(Path("b"))
    monkeypatch.chdir("/")
    assert home.config == tmp_path / "b" / "bouncer.toml"
    assert home.database == tmp_path / "b" / "bouncer.db"
    assert home.certificates == tmp_path / "b" / "certs"
    assert home.secret_key == tmp_path / "b" / "secret.key"
    assert home.admin_socket == tmp_path / "b" / "admin.sock"


def test_a_home_is_made_for_us_alone_and_kept_as_it_is(tmp_path: Path) -> None:
    home = Home(tmp_path / "data" / "bouncer")
    home.make()
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700
    home.path.chmod(0o750)
    home.make()
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o750


def test_what_cannot_be_a_home_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path, why in ((tmp_path / "file", "file exists"), (tmp_path / "file" / "below", "not a directory")):
        with pytest.raises(Refused, match=f"Can't use the home folder {path}: {why}; name another one with --home"):
            Home(path).make()


def test_a_second_process_is_refused_with_the_pid_and_a_killed_one_stops_nobody(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"taken\n"
        with pytest.raises(Refused) as refused, HomeLock(home):
            pass
        assert str(refused.value) == (
            f"The home folder {home} is in use by process {holder.pid}; "
            "stop that one, or name another folder with --home."
        )
        holder.send_signal(signal.SIGKILL)
    assert home.lock.exists()
    with HomeLock(home):
        assert home.lock.read_text() == f"{os.getpid()}\n"


def test_a_lock_is_given_back_and_taken_again(tmp_path: Path) -> None:
    first, second = HomeLock(Home(tmp_path)), HomeLock(Home(tmp_path))
    with first:
        with pytest.raises(Refused, match=f"in use by process {os.getpid()};"):
            second.take()
        second.release()
        with pytest.raises(Refused):
            second.take()
    with second, pytest.raises(Refused):
        first.take()
    assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o600


def test_a_holder_that_has_not_said_who_it_is(tmp_path: Path) -> None:
    with HomeLock(Home(tmp_path)):
        (tmp_path / "lock").write_text("")
        with pytest.raises(Refused, match="in use by another process"):
            HomeLock(Home(tmp_path)).take()


def test_a_folder_that_is_not_there_cannot_be_locked(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"Can't lock the home folder .*: no such file or directory"):
        HomeLock(Home(tmp_path / "none")).take()
