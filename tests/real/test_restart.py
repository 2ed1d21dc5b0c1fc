"""A restart of the bouncer changes nothing: users, networks, channels, keys, away texts and every device's place."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from peers.bouncer import PASSWORD, Bouncer, network, user
from peers.ircds import Network
from peers.swarm import Member
from peers.waiting import eventually

Start = Callable[[str], Awaitable[Network]]


@pytest.mark.parametrize("how", ["terminate", "kill"])
async def test_all_is_as_it_was(start_network: Start, bouncer: Bouncer, how: str) -> None:
    ngircd = await start_network("ngircd")
    keyed = {"name": "#keyed", "key": "hush"}
    await bouncer.start()
    await bouncer.apply(
        user(
            "alice", network("net", ngircd, tls=False, nick="alice", channels=["#c", keyed]), timezone="Europe/Berlin"
        ),
        user("bob", network("net", ngircd, tls=False, nick="bobby", channels=["#c"])),
    )
    await eventually(lambda: settled(bouncer), 30, "both are in their channels")
    carol = await Member.attach(ngircd.port, "carol", "", "", nick="carol")
    carol.send("JOIN #c", "JOIN #keyed hush")
    phone = await Member.attach(bouncer.port, "phone", "alice/net@phone", PASSWORD, nick="alice")
    laptop = await Member.attach(bouncer.port, "laptop", "alice/net@laptop", PASSWORD, nick="alice")
    for member in (phone, laptop):
        member.send("AWAY :back at six")
    phone.send("JOIN #typed sesame")
    await eventually(lambda: away_text(carol, "alice"), 20, "alice is away, in her own words")
    carol.send("PRIVMSG #c :both-1")
    await eventually(lambda: phone.texts["#c"] == laptop.texts["#c"] == ["both-1"], 20, "both devices have it")
    for member in (phone, laptop):
        await member.close()
    carol.send("PRIVMSG #c :missed-2")
    await carol.mark()
    await eventually(lambda: stored(bouncer), 20, "all is stored")
    before = (await bouncer.command("export", "--secrets")).out
    assert "hush" in before
    assert "sesame" in before

    if how == "kill":
        bouncer.kill()
    else:
        assert bouncer.terminate() == 0
    await bouncer.start()
    await eventually(lambda: settled(bouncer), 60, "both are back in their channels")
    assert (await bouncer.command("export", "--secrets")).out == before
    await eventually(lambda: away_text(carol, "alice"), 20, "alice is away again, in her own words")
    for name in ("phone", "laptop"):
        device = await Member.attach(bouncer.port, name, f"alice/net@{name}", PASSWORD, nick="alice")
        texts = [text.rpartition(" ")[2] for text in device.texts["#c"]]
        assert texts[-1:] == ["missed-2"]
        assert texts in (["missed-2"], ["both-1", "missed-2"]), texts  # again only if its PONG did not come in time
        device.cut()
    carol.cut()


async def settled(bouncer: Bouncer) -> bool:
    networks: list[dict[str, Any]] = [
        each for owner in (await bouncer.status())["users"] for each in owner["networks"] if owner["name"] != "admin"
    ]
    assert len(networks) == 2
    waiting = [each for each in networks if not all(channel["joined"] for channel in each["channels"])]
    assert not waiting, waiting
    return all(each["state"] == "connected" for each in networks)


async def stored(bouncer: Bouncer) -> bool:
    return bool((await bouncer.status())["undurable"] == 0)


async def away_text(asker: Member, nick: str) -> bool:
    """Whether the network says that this nick is away, with the text that was typed."""
    asker.ask("WHOIS", nick)
    await asker.mark()
    assert "back at six" in asker.notes.get("301", ""), asker.notes.get("301")
    return True
