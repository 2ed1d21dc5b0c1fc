"""The one folder that a bouncer lives in, and the lock that keeps it to one process.

Owns where the files are. Must not know what stands in them.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from bouncer.model.errors import Refused

LONGEST_PID = 20  # digits read from the lock file: no system has longer process ids


class InUse(Refused):
    """Another process has the home."""


def default_home(environment: Mapping[str, str], platform: str = sys.platform) -> Path:
    """The folder taken when none is named: ``BOUNCER_HOME``, else one in the platform's data directory."""
    if named := environment.get("BOUNCER_HOME"):
        return Path(named)
    if platform == "darwin":
        return Path("~/Library/Application Support/bouncer").expanduser()
    data = environment.get("XDG_DATA_HOME", "")
    # XDG Base Directory Specification: a path that is not absolute is to be ignored
    return (Path(data) if os.path.isabs(data) else Path("~/.local/share").expanduser()) / "bouncer"


class Home:
    """The paths in a home folder. All are absolute, so that a change of the working directory changes nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def __str__(self) -> str:
        return str(self.path)

    @property
    def config(self) -> Path:
        """The settings, ``bouncer.toml``; need not exist."""
        return self.path / "bouncer.toml"

    @property
    def database(self) -> Path:
        return self.path / "bouncer.db"

    @property
    def certificates(self) -> Path:
        """The folder of certificates."""
        return self.path / "certs"

    @property
    def secret_key(self) -> Path:
        """The key that secrets in the database are encrypted with."""
        return self.path / "secret.key"

    @property
    def admin_socket(self) -> Path:
        """Where commands reach a bouncer that runs."""
        return self.path / "admin.sock"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    def make(self) -> None:
        """Make the folder, for us alone, if it is not there. Raises Refused if it can't be used."""
        try:
            if not self.path.is_dir():
                self.path.mkdir(mode=0o700, parents=True)
            if not os.access(self.path, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise Refused(
                f"Can't use the home folder {self}: {(error.strerror or str(error)).lower()}; "
                "name another one with --home or BOUNCER_HOME."
            ) from error


class HomeLock:
    """Keeps a home folder to one process, from :meth:`take` (or ``with``) to :meth:`release` or the end of the process.

    It is a flock: the system drops it when the process ends, however it ends, so a file left behind stops nobody.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._descriptor = -1

    def take(self) -> None:
        """Raises InUse at once if another process has it; the sentence names the home and that process.

        Raises Refused if it can't be locked at all.
        """
        home = self._home
        try:
            descriptor = os.open(home.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Refused(f"Can't lock the home folder {home}: {(error.strerror or str(error)).lower()}.") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, LONGEST_PID).decode("ascii", "replace").strip()
            os.close(descriptor)
            who = f"process {holder}" if holder.isdecimal() else "another process"
            raise InUse(
                f"The home folder {home} is in use by {who}; stop that one, or name another folder with --home."
            ) from error
        except OSError as error:
            os.close(descriptor)
            raise Refused(
                f"Can't lock the home folder {home}: {(error.strerror or str(error)).lower()}; "
                "it must be on a file system that knows locks."
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let others have the home. The file stays: removing it would race with one who has just opened it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> HomeLock:
        self.take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
