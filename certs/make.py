"""Make a certificate for development: ``python certs/make.py [FILE [HOSTNAME]]``."""

from __future__ import annotations

import sys
from pathlib import Path

from bouncer.net.tls import ServerTls
from bouncer.operations.certs import with_colons


def main(arguments: list[str]) -> str:
    """Make the file, and say what is in it. Leaves with status 1 rather than overwrite one."""
    path = Path(arguments[0]) if arguments else Path(__file__).with_name("server.pem")
    hostname = arguments[1] if len(arguments) > 1 else "localhost"
    if path.exists():
        sys.exit(f"{path} is there already; remove it to have a new one")
    tls = ServerTls(path, hostname)
    return f"{path}: certificate and key for {hostname}\nSHA-256 {tls.fingerprint}\n{with_colons(tls.fingerprint)}"


if __name__ == "__main__":
    print(main(sys.argv[1:]))
