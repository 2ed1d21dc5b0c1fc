"""What was said on a network with history while the bouncer was cut off from it, or dead, is there afterwards.

Each line once, in its place, with its time: in the stream of a plain client, and for one that asks for history.
"""

import re
import time
from collections.abc import Awaitable, Callable

import pytest
from peers.bouncer import PASSWORD, Bouncer, network, user
from peers.ircds import Ergo, InspIRCd
from peers.talker import Line, Talker
from peers.waiting import eventually

CAPS = "batch server-time message-tags draft/chathistory"
LINES = 150
NUMBERED = re.compile(r"(?:\[[-0-9: ]+\] )?(\w+ \d+)$")


@pytest.mark.parametrize("how", ["disconnected", "killed"])
async def test_what_was_missed_is_there_once(
    how: str, start_network: Callable[[str], Awaitable[Ergo]], bouncer: Bouncer, talkers: list[Talker]
) -> None:
    ergo = await start_network("ergo")
    bob = await Talker.connect(ergo.port, "bob")
    talkers.append(bob)
    await bob.join("#t")
    await bouncer.apply(user("alice", network("ergo", ergo, tls=False, nick="alice", channels=["#t"], flood="off")))
    await bouncer.start()
    await bob.line(lambda line: line.command == "JOIN" and line.nick == "alice")
    plain = await Talker.connect(bouncer.port, "alice", password=f"alice/ergo@plain:{PASSWORD}")
    asking = await Talker.connect(bouncer.port, "alice", password=f"alice/ergo@asking:{PASSWORD}", caps=CAPS)
    talkers += [plain, asking]

    before = await says(bob, "before")
    asking.send("PRIVMSG #t :mine 1")
    await plain.heard("#t", "mine 1")
    await bob.heard("#t", "mine 1")
    await asking.close()
    if how == "killed":
        await bouncer.durable()
        await plain.close()
        bouncer.kill()
    else:
        done = await bouncer.command("network", "disconnect", "alice/ergo")
        assert done.code == 0, done
    await bob.line(lambda line: line.command == "QUIT" and line.nick == "alice")
    mark = len(bob.lines)
    start = time.time()
    missed = await says(bob, "missed")
    gone = await Talker.connect(ergo.port, "carol")
    await gone.join("#t")
    await gone.close()
    if how == "killed":
        await bouncer.start()
    else:
        done = await bouncer.command("network", "connect", "alice/ergo")
        assert done.code == 0, done
    await bob.line(lambda line: line.command == "JOIN" and line.nick == "alice", since=mark)
    after = await says(bob, "after")
    if how == "killed":
        plain = await Talker.connect(bouncer.port, "alice", password=f"alice/ergo@plain:{PASSWORD}")
        talkers.append(plain)
    await plain.line(lambda line: line.text.endswith(missed[-1]))
    await plain.line(lambda line: line.text.endswith(after[-1]))
    seen = numbered(plain.messages("#t"))
    expected = [*([] if how == "killed" else [*before, "mine 1"]), *missed, *after]
    # what was said before the answer came is shown before it; nothing is lost, nothing comes twice
    assert sorted(text for text in seen if how != "killed" or text in expected) == sorted(expected)
    assert [text for text in seen if text in missed] == missed

    asking = await Talker.connect(bouncer.port, "alice", password=f"alice/ergo@asking:{PASSWORD}", caps=CAPS)
    talkers.append(asking)
    asking.send("CHATHISTORY LATEST #t * 1000")
    await asking.line(lambda line: line.command == "BATCH" and line.params[0].startswith("-"))
    found = asking.messages("#t")
    assert numbered(found) == [*before, "mine 1", *missed, *after]
    first = next(line for line in found if line.text == missed[0])
    assert abs(time.mktime(time.strptime(first.tags["time"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone - start) < 5
    assert len({line.tags["msgid"] for line in found}) == len(found)
    assert not [line for line in found if "joined" in line.text]


@pytest.mark.parametrize("how", ["disconnected", "killed"])
async def test_what_a_channel_replays_is_there_once(
    how: str, inspircd: InspIRCd, bouncer: Bouncer, talkers: list[Talker]
) -> None:
    """InspIRCd with +H tells who joins what was said last, known or not."""
    bob = await Talker.connect(inspircd.port, "bob")
    talkers.append(bob)
    await bob.join("#t")
    bob.send("MODE #t +H 50:1h")
    await bouncer.apply(user("alice", network("insp", inspircd, tls=False, nick="alice", channels=["#t"])))
    await bouncer.start()
    await bob.line(lambda line: line.command == "JOIN" and line.nick == "alice")

    async def all_is_there() -> bool:
        asking = await Talker.connect(bouncer.port, "alice", password=f"alice/insp@asking:{PASSWORD}", caps=CAPS)
        talkers.append(asking)
        asking.send("CHATHISTORY LATEST #t * 1000")
        await asking.line(lambda line: line.command == "BATCH" and line.params[0].startswith("-"))
        assert numbered(asking.messages("#t")) == before
        return True

    before = await says(bob, "before", 20)
    await eventually(all_is_there, what="what was said is there")
    for round_ in range(2):
        mark = len(bob.lines)
        if how == "killed":
            await bouncer.durable()
            bouncer.kill()
            await bob.line(lambda line: line.command == "QUIT" and line.nick == "alice", since=mark)
            before += await says(bob, f"missed{round_}", 20)
            await bouncer.start()
        else:
            await bouncer.command("network", "disconnect", "alice/insp")
            await bob.line(lambda line: line.command == "QUIT" and line.nick == "alice", since=mark)
            before += await says(bob, f"missed{round_}", 20)
            await bouncer.command("network", "connect", "alice/insp")
        await bob.line(lambda line: line.command == "JOIN" and line.nick == "alice", since=mark)
        before += await says(bob, f"after{round_}", 3)
        await eventually(all_is_there, what="history is whole")  # who is killed sooner has it in memory only


async def says(talker: Talker, word: str, lines: int = LINES) -> list[str]:
    sent = await talker.say("#t", [f"{word} {number}" for number in range(lines)])
    await talker.flushed()
    return [each.text for each in sent]


def numbered(lines: list[Line]) -> list[str]:
    return [found[1] for line in lines if (found := NUMBERED.search(line.text))]
