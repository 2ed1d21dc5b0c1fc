"""The echo bot of examples/ on real servers, on asyncio's loop and on uvloop."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from peers.ircds import Network
from peers.process import Program
from peers.talker import Talker
from peers.waiting import eventually

StartNetwork = Callable[[str], Awaitable[Network]]

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("kind", ["inspircd", "ngircd"])
async def test_the_echo_bot_says_back_what_it_hears(
    kind: str, loop: str, start_network: StartNetwork, talkers: list[Talker], home: Path
) -> None:
    server = await start_network(kind)
    bob = await Talker.connect(server.port, "bob")
    talkers.append(bob)
    await bob.join("#c")
    command = [sys.executable, str(EXAMPLES / "echo_bot.py"), server.host, str(server.port)]
    options = ["--nick", "echo", "--channel", "#c", *(["--uvloop"] if loop == "uvloop" else [])]
    bot = Program(command + options, home, {"PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "error"})
    bot.start()
    try:
        await eventually(lambda: "registered as echo" in bot.output(), what="the bot is registered")
        await bob.line(lambda line: line.command == "JOIN" and line.nick == "echo")
        await bob.say("#c", ["!echo hello bot", "!echo and again"])
        await bob.line(lambda line: line.nick == "echo" and line.params[0] == "#c" and "hello bot" in line.text)
        await bob.line(lambda line: line.nick == "echo" and line.params[0] == "#c" and "and again" in line.text)
        server.kill()
        await server.start()
        again = await Talker.connect(server.port, "bob")
        talkers.append(again)
        await again.join("#c")
        await again.sees("echo", "#c", 60)
        await again.say("#c", ["!echo are you back"])
        await again.line(lambda line: line.nick == "echo" and "are you back" in line.text)
        assert "Traceback" not in bot.output()
    finally:
        bot.kill()
        print(bot.output())
