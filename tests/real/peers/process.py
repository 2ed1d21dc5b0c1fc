"""A program run by the tests: started, watched, killed. Knows nothing of what the program does.

Output goes to a file beside the program's other files, so that a failed test shows it and no pipe ever fills up.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

STOP_SECONDS = 10.0  # a program that has not ended this long after SIGTERM is killed

# Programs that every machine of CI can have. Ergo is not among them: it is built from source, where that can be had.
ALWAYS_IN_CI = frozenset({"inspircd", "ngircd", "weechat-headless", "irssi", "tmux"})

# Debian keeps servers where only root's PATH looks; `go install` puts programs in the Go bin directory.
EXTRA_PATHS = ("/usr/sbin", "/usr/local/sbin", str(Path(os.environ.get("GOPATH", Path.home() / "go")) / "bin"))


def installed(name: str) -> str | None:
    """The path of a program, None if it is not on this machine."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), *EXTRA_PATHS)))


def find_program(name: str) -> str:
    """The path of an installed program. Skips the test where there is none, but fails it in CI if CI installs it."""
    path = installed(name)
    if path is not None:
        return path
    if os.environ.get("CI") == "true" and name in ALWAYS_IN_CI:
        pytest.fail(f"{name} is not installed, and CI must not skip it (see .ci/install-peers)")
    pytest.skip(f"{name} is not installed")


class Program:
    """One process and its output; `start` may be called again after it ended."""

    def __init__(self, argv: Sequence[str], home: Path, env: Mapping[str, str] | None = None) -> None:
        self.argv = list(argv)
        self.home = home
        self.env = {**os.environ, **(env or {})}
        self.log = home / f"{Path(argv[0]).name}.out"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the process that runs, or ran last."""
        assert self._process is not None
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit status; None while it runs or before it was started; negative for a signal."""
        return self._process.poll() if self._process is not None else None

    def start(self) -> None:
        """Start it in a session of its own, with a standard input that stays open and silent."""
        if self.running:
            raise RuntimeError(f"{self.argv[0]} already runs")
        self.close()
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                self.argv,
                cwd=self.home,
                env=self.env,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def output(self) -> str:
        """Everything it has printed so far, over all its starts."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._signal(signal.SIGKILL)
        self.close()

    def terminate(self) -> int:
        """SIGTERM, wait, and return the exit status. One that does not end is killed, and that fails the test."""
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        assert self._process is not None
        try:
            return self._process.wait(timeout=deadline - time.monotonic())
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.argv[0]} did not end within {STOP_SECONDS:g} s of SIGTERM") from None
        finally:
            self.kill()

    def close(self) -> None:
        """Reap an ended process and close its pipe."""
        if self._process is None:
            return
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)


def console_script(name: str) -> list[str]:
    """How to run one of our console scripts with the Python that runs the tests."""
    script = Path(sys.executable).parent / name
    return [str(script)] if script.exists() else [sys.executable, "-m", "bouncer"]
