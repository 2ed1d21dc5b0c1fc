"""ZNC: alone, when it keeps nothing while a client is attached, and with its module that writes logs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from benchmarks.client import PASSWORD, USER
from benchmarks.subjects.port import Daemon, Setting, found, output, spawn
from benchmarks.words import channel

# It refuses to run as root: it gets a user who owns nothing.
_NOBODY = "nobody"
# It starts one network a second at most: ConnectDelay has no smaller value. FloodRate 0: send at once.
_CONFIG = """
Version = 1.8.2
AnonIPLimit = 10000
ConnectDelay = 1
ServerThrottle = 0
MaxBufferSize = 1000000
<Listener clients>
    Port = {port}
    Host = 127.0.0.1
    IPv4 = true
    IPv6 = false
    SSL = {tls}
    AllowIRC = true
    AllowWeb = false
</Listener>
<User {user}>
    Pass = plain#{password}
    Admin = true
    Nick = {user}
    Ident = {user}
    MaxNetworks = 100000
    MaxJoins = 0
    JoinTries = 100
    ChanBufferSize = {kept}
    AutoClearChanBuffer = true
{module}
{networks}
</User>
"""
_NETWORK = """
    <Network n{number}>
        Nick = n{number}
        FloodBurst = 10000
        FloodRate = 0.00
        IRCConnectEnabled = true
        TrustAllCerts = true
        Server = 127.0.0.1 {plus}{port}
{channels}
    </Network>
"""


class Znc:
    def __init__(self, *, log: bool) -> None:
        self.name = "znc-log" if log else "znc"
        self._log = log

    def missing(self) -> str:
        return "" if found("znc") else "no program znc on PATH"

    def version(self) -> str:
        return output("znc", "--version") + (" with its module log" if self._log else "")

    async def start(self, setting: Setting) -> Daemon:
        home, plan = setting.home, setting.plan
        channels = "\n".join(f"<Chan {channel(number).decode()}>\n</Chan>" for number in range(plan.channels))
        (home / "configs").mkdir()
        (home / "configs" / "znc.conf").write_text(
            _CONFIG.format(
                port=setting.port,
                tls=str(plan.tls).lower(),
                user=USER,
                password=PASSWORD,
                kept=plan.kept or 50,
                module="LoadModule = log" if self._log else "",
                networks="".join(
                    _NETWORK.format(
                        number=number, plus="+" if plan.tls else "", port=setting.upstream, channels=channels
                    )
                    for number in range(plan.networks)
                ),
            )
        )
        shutil.copy(setting.certificate.pem, home / "znc.pem")
        user = _NOBODY if os.geteuid() == 0 else None
        if user:
            _give(home, user)
        return Daemon(spawn(["znc", "--foreground", "--datadir", str(home)], home, user=user))


def _give(home: Path, user: str) -> None:
    shutil.chown(home, user)
    for path in home.rglob("*"):
        shutil.chown(path, user)
