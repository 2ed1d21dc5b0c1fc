"""Fixtures of tests/real: each gives a real program in a home of its own, and takes everything down afterwards."""

import resource
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for `peers`, which only these tests use

from peers.bouncer import Bouncer
from peers.catgirl import Catgirl
from peers.chat_client import ChatClient
from peers.ircds import Ergo, InspIRCd, Network, NgIRCd
from peers.irssi import Irssi
from peers.talker import Talker
from peers.weechat import WeeChat

NETWORKS: dict[str, type[Network]] = {"inspircd": InspIRCd, "ngircd": NgIRCd, "ergo": Ergo}
CLIENTS: dict[str, type[ChatClient]] = {"weechat": WeeChat, "irssi": Irssi, "catgirl": Catgirl}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.real)


@pytest.fixture(scope="session", autouse=True)
def no_core_dumps() -> None:
    """InspIRCd 3 crashes when it is told to stop; nobody wants the core of that."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


@pytest.fixture
def home() -> Iterator[Path]:
    """An empty directory with a short path: the path of a unix socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="bnc-", ignore_cleanup_errors=True) as path:
        yield Path(path)


@pytest.fixture
async def start_network(home: Path) -> AsyncIterator[Callable[[str], Awaitable[Any]]]:
    """`await start_network("inspircd")`: a started IRC server."""
    started: list[Network] = []

    async def start(kind: str) -> Network:
        network = NETWORKS[kind](home / f"{kind}-{len(started)}")
        started.append(network)
        await network.start()
        return network

    yield start
    for network in started:
        network.kill()


@pytest.fixture
async def inspircd(start_network: Callable[[str], Awaitable[InspIRCd]]) -> InspIRCd:
    return await start_network("inspircd")


@pytest.fixture
def bouncer(home: Path) -> Iterator[Bouncer]:
    """A configured bouncer, not yet started."""
    bouncer = Bouncer(home / "bouncer")
    bouncer.configure()
    yield bouncer
    bouncer.kill()
    print(f"--- what bouncer run printed\n{bouncer.output()[-4000:]}")  # pytest shows it when the test fails


@pytest.fixture
async def start_client(home: Path) -> AsyncIterator[Callable[[str], Awaitable[ChatClient]]]:
    """`await start_client("weechat")`: a started client, attached to nothing."""
    started: list[ChatClient] = []

    async def start(kind: str) -> ChatClient:
        client = CLIENTS[kind](home / f"{kind}-{len(started)}")
        started.append(client)
        await client.start()
        return client

    yield start
    for client in started:
        await client.stop()


@pytest.fixture
async def talkers() -> AsyncIterator[list[Talker]]:
    """Talkers put in this list are closed at the end."""
    opened: list[Talker] = []
    yield opened
    for talker in opened:
        await talker.close()
