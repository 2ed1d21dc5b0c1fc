"""Real IRC servers as networks: InspIRCd, ngIRCd, Ergo, each started by itself on free loopback ports.

The settings take away what would only slow a test down (name look-ups, ident, flood limits, limits per address) and
leave the protocol as it is.
"""

import subprocess
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from peers.certificates import make_certificate
from peers.process import Program, find_program
from peers.waiting import eventually, free_port, listening

START_SECONDS = 20.0


class Network:
    """One IRC server: plain text on `port`, TLS on `tls_port`, the same ports after every restart."""

    program: ClassVar[str]
    host = "127.0.0.1"

    def __init__(self, home: Path) -> None:
        self.home = home
        self.executable = self.find()
        home.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.tls_port = free_port()
        self.certificate = make_certificate(home)
        self._process = Program(self.configure(), home)

    def find(self) -> str:
        """The program's path; skips the test where it is not installed."""
        return find_program(self.program)

    def configure(self) -> list[str]:
        """Write what the server reads, and return the command that starts it in the foreground."""
        raise NotImplementedError

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its certificate, lower-case hex."""
        return self.certificate.fingerprint

    def url(self, *, tls: bool) -> str:
        """Its address as the bouncer's state file writes it."""
        return f"ircs://{self.host}:{self.tls_port}" if tls else f"irc+insecure://{self.host}:{self.port}"

    async def start(self) -> None:
        self._process.start()

        def up() -> bool:
            assert self._process.running, f"{self.program} ended:\n{self._process.output()[-2000:]}"
            return listening(self.port) and listening(self.tls_port)

        await eventually(up, START_SECONDS, f"{self.program} listens")

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()

    async def restart(self) -> None:
        self.kill()
        await self.start()

    def output(self) -> str:
        return self._process.output()


class InspIRCd(Network):
    """InspIRCd 3 as Debian ships it, with every IRCv3 module it has."""

    program = "inspircd"
    MODULES = (
        "cap chanhistory ircv3 ircv3_accounttag ircv3_batch ircv3_capnotify ircv3_chghost ircv3_ctctags "
        "ircv3_echomessage ircv3_invitenotify ircv3_labeledresponse ircv3_msgid ircv3_servertime monitor namesx "
        "services_account setname ssl_gnutls uhnames"
    )

    def configure(self) -> list[str]:
        lines = [
            '<server name="irc.insp.test" description="under test" network="InspTest" id="1AA">',
            '<admin name="nobody" nick="nobody" email="nobody@localhost">',
            f'<bind address="{self.host}" port="{self.port}" type="clients">',
            f'<bind address="{self.host}" port="{self.tls_port}" type="clients" sslprofile="tls">',
            f'<sslprofile name="tls" provider="gnutls" certfile="{self.certificate.certificate}"'
            f' keyfile="{self.certificate.key}" hash="sha256">',
            # 500 clients come from one address; penalties and flood limits are not what is tested here.
            '<connect name="main" allow="*" timeout="30" pingfreq="60" hardsendq="10M" softsendq="1M" recvq="1M"'
            ' threshold="100000" commandrate="10000000" fakelag="no" localmax="2000" globalmax="2000"'
            ' maxconnwarn="no" resolvehostnames="no" useident="no" maxchans="200">',
            '<cidr ipv4clone="32" ipv6clone="128">',
            '<performance nouserdns="yes" softlimit="3000" somaxconn="1024" netbuffersize="65536" quietbursts="yes">',
            '<security announceinvites="none" maxtargets="20">',
            f'<log method="file" type="* -USERINPUT -USEROUTPUT" level="default" target="{self.home}/inspircd.log">',
            *(f'<module name="{name}">' for name in self.MODULES.split()),
        ]
        config = self.home / "inspircd.conf"
        config.write_text("\n".join(['<config format="xml">', *lines]) + "\n")
        return [self.executable, "--runasroot", "--nofork", "--nopid", "--config", str(config)]


class NgIRCd(Network):
    """ngIRCd as Debian ships it: no server-time, no echo, hardly a capability."""

    program = "ngircd"

    def configure(self) -> list[str]:
        config = self.home / "ngircd.conf"
        config.write_text(f"""\
[Global]
Name = irc.ng.test
Info = under test
Listen = {self.host}
Ports = {self.port}
MotdPhrase = Welcome to the test
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 100
MaxNickLength = 20
MaxPenaltyTime = 0
PingTimeout = 60
PongTimeout = 20
[Options]
DNS = no
Ident = no
PAM = no
[SSL]
CertFile = {self.certificate.certificate}
KeyFile = {self.certificate.key}
Ports = {self.tls_port}
""")
        return [self.executable, "-n", "-f", str(config)]


class Ergo(Network):
    """Ergo, where it could be installed (.ci/peers.txt pins it): nearly every IRCv3 extension there is."""

    program = "ergo"

    def find(self) -> str:
        path = find_program(self.program)
        version = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20)
        if not version.stdout.startswith("ergo-"):
            pytest.skip(f"{path} is another program of the same name (Debian has one)")
        return path

    def configure(self) -> list[str]:
        default = subprocess.run(
            [self.executable, "defaultconfig"], capture_output=True, text=True, check=True, timeout=20
        )
        config: dict[str, Any] = yaml.safe_load(default.stdout)
        server = config["server"]
        server["listeners"] = {
            f"{self.host}:{self.port}": None,
            f"{self.host}:{self.tls_port}": {
                "tls": {"cert": str(self.certificate.certificate), "key": str(self.certificate.key)}
            },
        }
        server["ip-limits"] = {"count": False, "throttle": False}
        server["ip-cloaking"]["enabled"] = False
        server["motd"] = ""
        config["fakelag"]["enabled"] = False
        config["languages"]["enabled"] = False
        config["datastore"]["path"] = str(self.home / "ircd.db")
        path = self.home / "ircd.yaml"
        path.write_text(yaml.safe_dump(config))
        initialise = [self.executable, "initdb", "--conf", str(path), "--quiet"]
        subprocess.run(initialise, cwd=self.home, check=True, timeout=20)
        return [self.executable, "run", "--conf", str(path)]
