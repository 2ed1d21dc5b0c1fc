"""A network that was deleted comes back after a restart, with its history and what each device has still to read."""

import json
from collections.abc import Awaitable, Callable

from peers.bouncer import PASSWORD, Bouncer, network, user
from peers.ircds import Network
from peers.swarm import Member
from peers.waiting import eventually

Start = Callable[[str], Awaitable[Network]]


async def test_delete_restart_restore(start_network: Start, bouncer: Bouncer) -> None:
    ngircd = await start_network("ngircd")
    await bouncer.start()
    await bouncer.apply(user("alice", network("net", ngircd, tls=False, nick="alice", channels=["#c"])))
    carol = await Member.attach(ngircd.port, "carol", "", "", nick="carol")
    carol.send("JOIN #c")
    await eventually(lambda: joined(bouncer), 30, "alice is in #c")
    phone = await Member.attach(bouncer.port, "phone", "alice/net@phone", PASSWORD, nick="alice")
    await phone.close()
    carol.send("PRIVMSG #c :missed-1")
    await carol.mark()
    await eventually(lambda: found(bouncer, "missed"), 20, "it is stored")
    before = (await bouncer.command("export", "--secrets")).out

    deleted = await bouncer.command("network", "delete", "alice/net")
    assert "network restore alice/net brings it back" in deleted.out
    assert bouncer.terminate() == 0
    await bouncer.start()
    assert json.loads((await bouncer.command("network", "list", "--json")).out) == []
    assert (await bouncer.command("network", "restore", "alice/net")).code == 0
    assert (await bouncer.command("export", "--secrets")).out == before
    await eventually(lambda: joined(bouncer), 30, "alice is in #c again")
    assert await found(bouncer, "missed")
    phone = await Member.attach(bouncer.port, "phone", "alice/net@phone", PASSWORD, nick="alice")
    await eventually(lambda: phone.texts["#c"], 20, "the phone has what it missed")
    assert [text.rpartition(" ")[2] for text in phone.texts["#c"]] == ["missed-1"]  # behind the time it was said

    gone = await bouncer.command("history", "delete", "alice/net", "in=#c", "confirm=yes")
    assert gone.code == 0

    async def nothing_found() -> bool:
        return not await found(bouncer, "missed")

    await eventually(nothing_found, 20, "it is deleted for good")
    phone.cut()
    carol.cut()


async def joined(bouncer: Bouncer) -> bool:
    networks = json.loads((await bouncer.command("network", "list", "--json")).out)
    return any(channel["joined"] for each in networks for channel in each["status"]["channels"])


async def found(bouncer: Bouncer, word: str) -> bool:
    return bool(json.loads((await bouncer.command("search", "--json", "alice", word)).out)["lines"])
