"""The async model that the client keeps, claim by claim, over real sockets, on asyncio's loop and on uvloop.

The numbers are those of the list of claims that the client was designed by.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from bouncer.client import Client, NotConnected
from tests.net.fake_server import SOON, FakeServer, Visitor

Play = Callable[[Coroutine[Any, Any, Any]], Any]
NewLoop = Callable[[], asyncio.AbstractEventLoop]


def plain_client(server: FakeServer, **settings: Any) -> Client:
    return Client("127.0.0.1", server.port, ssl=False, **settings)


async def met(client: Client, server: FakeServer) -> Visitor:
    """Connect; the server's end of it."""
    await client.connect()
    return await server.visitor()


# --- 1 to 5: handlers


def test_01_a_sync_function_is_a_handler_and_runs_inside_the_loop(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server)
            seen: list[Any] = []

            @client.on("privmsg")
            def handle(**kwargs: Any) -> None:
                seen.append((kwargs["nick"], kwargs["target"], kwargs["message"], asyncio.get_running_loop()))

            visitor = await met(client, server)
            visitor.say(":bob!b@h PRIVMSG #c :hello you")
            await client.wait("privmsg", SOON)
            assert seen == [("bob", "#c", "hello you", asyncio.get_running_loop())]
            await client.disconnect()

    play(test())


def test_02_whatever_returns_an_awaitable_is_an_async_handler(play: Play) -> None:
    async def test() -> None:
        client = Client("127.0.0.1", 1)
        loop = asyncio.get_running_loop()
        done: asyncio.Queue[str] = asyncio.Queue()

        class Thing:
            async def method(self, name: str) -> None:
                await asyncio.sleep(0)
                done.put_nowait(f"method {name}")

            async def __call__(self, name: str) -> None:
                await asyncio.sleep(0)
                done.put_nowait(f"callable {name}")

        async def partial(prefix: str, name: str) -> None:
            await asyncio.sleep(0)
            done.put_nowait(f"{prefix} {name}")

        class Awaitable:
            def __await__(self) -> Any:
                yield from asyncio.sleep(0).__await__()
                done.put_nowait("awaitable")

        future: asyncio.Future[None] = loop.create_future()
        future.add_done_callback(lambda _: done.put_nowait("future"))
        thing = Thing()
        client.on("ready", thing.method)
        client.on("ready", thing)
        client.on("ready", functools.partial(partial, "partial"))
        client.on("ready", lambda name: partial("lambda", name))
        client.on("ready", lambda: Awaitable())
        client.on("ready", lambda: future)
        client.trigger("ready", name="x")
        loop.call_soon(future.set_result, None)
        got = {await asyncio.wait_for(done.get(), SOON) for _ in range(6)}
        assert got == {"method x", "callable x", "partial x", "lambda x", "awaitable", "future"}

    play(test())


def test_03_each_handler_is_called_once_and_none_harms_another(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server)
            seen: list[str] = []
            never = asyncio.Event()

            @client.on("privmsg")
            async def stuck() -> None:
                seen.append("stuck")
                await never.wait()

            @client.on("privmsg")
            def failing() -> None:
                raise RuntimeError("sync trouble")

            @client.on("privmsg")
            async def failing_later() -> None:
                await asyncio.sleep(0)
                raise RuntimeError("async trouble")

            @client.on("privmsg")
            def needy(absent: str) -> None:
                seen.append("needy")

            @client.on("privmsg")
            def good() -> None:
                seen.append("good")

            visitor = await met(client, server)
            visitor.say("PRIVMSG a :1", "PRIVMSG a :2", "NOTICE a :end")
            await client.wait("notice", SOON)
            await asyncio.sleep(0)
            assert sorted(seen) == ["good", "good", "stuck", "stuck"]
            never.set()
            await client.disconnect()

    with caplog.at_level(logging.ERROR):
        play(test())
    told = [record.getMessage() for record in caplog.records]
    for name in ("failing of 'privmsg'", "failing_later of 'privmsg'", "needy of 'privmsg'"):
        assert sum(name in line for line in told) == 2


def test_04_on_returns_the_function_and_off_takes_it_away() -> None:
    client = Client("127.0.0.1", 1)
    calls: list[str] = []

    def handle() -> None:
        calls.append("x")

    assert client.on("ready")(handle) is handle
    assert client.on("READY", handle) is handle
    client.trigger("ready")
    assert calls == ["x", "x"]
    client.off("Ready", handle)
    client.off("Ready", handle)
    client.trigger("ready")
    assert calls == ["x", "x"]


def test_05_names_ignore_case_and_handlers_may_take_fewer_arguments() -> None:
    client = Client("127.0.0.1", 1)
    seen: list[Any] = []
    client.on("Custom", lambda **kwargs: seen.append(kwargs))
    client.on("cUSTOM", lambda a: seen.append(a))
    client.on("CUSTOM", lambda a, *, c=3: seen.append((a, c)))
    client.on("custom", lambda: seen.append(None))
    client.trigger("cuStom", a=1, b=2)
    assert seen == [{"a": 1, "b": 2}, 1, (1, 3), None]


# --- 6 to 8: loops


def test_06_a_client_made_before_any_loop_works_on_the_one_that_runs(new_loop: NewLoop) -> None:
    client = Client("127.0.0.1", 1, ssl=False)
    with pytest.raises(RuntimeError):
        _ = client.loop

    async def test() -> str:
        async with FakeServer() as server:
            client.port = server.port
            assert client.loop is asyncio.get_running_loop()
            visitor = await met(client, server)
            client.send("nick", nick="bob")
            line = await visitor.line()
            await client.disconnect()
            return line

    for _ in range(2):  # and on the next one after that
        with asyncio.Runner(loop_factory=new_loop) as runner:
            assert runner.run(test()) == "NICK bob"


def test_07_the_hang_example_does_not_hang(new_loop: NewLoop) -> None:
    loop = new_loop()
    server = FakeServer()
    loop.run_until_complete(server.open())
    client = Client("127.0.0.1", server.port, ssl=False, loop=loop)
    seen = []
    runs_on = asyncio.Event()

    @client.on("client_connect")
    async def handle(**kwargs: Any) -> None:
        seen.append("before")
        await runs_on.wait()
        seen.append("after")
        loop.stop()

    client.loop.run_until_complete(client.connect())
    loop.call_soon(runs_on.set)  # a stop that came before the next line would stop nothing
    client.loop.run_forever()
    assert seen == ["before", "after"]
    loop.run_until_complete(client.disconnect())
    loop.run_until_complete(server.__aexit__(None, None, None))
    loop.close()


def test_08_the_loop_is_there_for_tasks_with_and_without_being_given(new_loop: NewLoop) -> None:
    loop = new_loop()
    client = Client("127.0.0.1", 1, loop=loop)
    done = []

    async def work() -> None:
        done.append(asyncio.get_running_loop())

    loop.run_until_complete(client.loop.create_task(work()))
    client.on("ready", work)
    client.trigger("ready")  # the loop does not run now; the task waits for it
    loop.run_until_complete(asyncio.sleep(0))
    bare = Client("127.0.0.1", 1)

    async def inside() -> None:
        await bare.loop.create_task(work())

    loop.run_until_complete(inside())
    assert done == [loop, loop, loop]
    loop.close()


# --- 9 to 13: connect and disconnect


def test_09_connect_is_complete_and_a_refusal_is_an_oserror(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server)
            failures: list[Any] = []
            client.on("client_connect_failed", lambda reason, exc: failures.append((reason, exc)))
            await server.shut()
            with pytest.raises(OSError) as refusal:
                await client.connect()
            assert failures == [("Connection refused", refusal.value)]
            assert not client.is_connected
            await server.open()
            visitor = await met(client, server)
            client.send("nick", nick="bob")
            assert await visitor.line() == "NICK bob"
            await client.connect()  # connected already
            await client.disconnect()
            await asyncio.gather(*(client.connect() for _ in range(10)))
            await server.visitor()
            assert server._visitors.empty()
            await client.disconnect()

    play(test())


def test_10_disconnect_is_complete(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server)
            lost: list[str] = []

            @client.on("client_disconnect")
            def note(reason: str, exc: Exception | None) -> None:
                lost.append(reason)
                assert exc is None
                assert not client.is_connected  # detached before the event

            await client.disconnect()  # never connected
            assert lost == []
            visitor = await met(client, server)
            client.send("privmsg", target="#c", message="the last words")
            await asyncio.gather(*(client.disconnect("enough") for _ in range(5)))
            assert lost == ["enough"]
            with pytest.raises(NotConnected):
                client.send("nick", nick="bob")
            assert await visitor.rest() == b"PRIVMSG #c :the last words\r\n"
            await client.connect()
            await server.visitor()
            await client.disconnect()
            await client.disconnect()
            assert len(lost) == 2

    play(test())


def test_10_disconnect_may_be_called_by_a_handler(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server)
            order: list[str] = []
            client.on("client_disconnect", lambda: order.append("lost"))

            @client.on("privmsg")
            async def leave() -> None:
                await client.disconnect()
                order.append("left")
                client.trigger("left")

            visitor = await met(client, server)
            visitor.say("PRIVMSG a :go")
            await client.wait("left", SOON)
            assert order == ["lost", "left"]

    play(test())


def test_11_a_disconnect_handler_reconnects_and_speaks(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server)

            @client.on("client_disconnect")
            async def reconnect(**kwargs: Any) -> None:
                await asyncio.sleep(0)
                await client.connect()
                client.send("privmsg", target="#bottom-dev", message="I'm baaack!")

            visitor = await met(client, server)
            for _ in range(3):
                visitor.close()
                visitor = await server.visitor()
                assert await visitor.line() == "PRIVMSG #bottom-dev :I'm baaack!"
            client.off("client_disconnect", reconnect)
            await client.disconnect()

    play(test())


def test_12_a_connect_left_in_a_task_is_not_lost(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server)

            @client.on("client_disconnect")
            async def reconnect(**kwargs: Any) -> None:
                client.loop.create_task(client.connect())  # as the model shows it
                gc.collect()

            visitor = await met(client, server)
            visitor.close()
            await server.visitor()
            await client.connected(SOON)
            client.off("client_disconnect", reconnect)
            await client.disconnect()

    play(test())


def test_13_a_handler_waits_for_the_connect_it_started_every_time_anew(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server)

            @client.on("client_disconnect")
            async def reconnect(**kwargs: Any) -> None:
                task = client.loop.create_task(client.connect())
                await client.wait("client_connect", SOON)
                client.send("privmsg", target="#bottom-dev", message="I'm baaack!")
                await task

            visitor = await met(client, server)
            for _ in range(3):
                visitor.reset()
                visitor = await server.visitor()
                assert await visitor.line() == "PRIVMSG #bottom-dev :I'm baaack!"
            client.off("client_disconnect", reconnect)
            await client.disconnect()

    play(test())


# --- 14: wait


def test_14_one_event_wakes_all_and_past_ones_nobody(play: Play) -> None:
    async def test() -> None:
        client = Client("127.0.0.1", 1)
        client.trigger("ready", number=0)
        with pytest.raises(TimeoutError):
            await client.wait("ready", timeout=0.01)
        tasks = [asyncio.create_task(client.wait("ready")) for _ in range(5)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        with pytest.raises(TimeoutError):
            await client.wait("ready", timeout=0)
        client.trigger("ready", number=1)
        assert await asyncio.gather(*tasks[1:]) == [{"number": 1}] * 4
        assert tasks[0].cancelled()
        again = asyncio.create_task(client.wait("READY", SOON))
        await asyncio.sleep(0)
        client.trigger("ready", number=2)
        assert await again == {"number": 2}
        assert not client._dispatcher.heard  # no waiter is left behind

    play(test())


def test_14_where_chooses_and_its_error_is_the_waiters(play: Play) -> None:
    async def test() -> None:
        client = Client("127.0.0.1", 1)
        task = asyncio.create_task(client.wait("n", SOON, where=lambda number: number > 2))
        broken = asyncio.create_task(client.wait("n", SOON, where=lambda number: 1 / number))
        await asyncio.sleep(0)
        for number in range(5):
            client.trigger("n", number=number, other="x")
        assert await task == {"number": 3, "other": "x"}
        with pytest.raises(ZeroDivisionError):
            await broken

    play(test())


# --- 15 to 17: losing the connection


@pytest.mark.parametrize("how", ["close", "reset"])
def test_15_a_loss_is_told_once(play: Play, how: str) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server)
            lost: list[Any] = []
            client.on("client_disconnect", lambda connection, reason: lost.append((connection, reason)))
            visitor = await met(client, server)
            connection = client.connection
            getattr(visitor, how)()
            await client.wait("client_disconnect", SOON)
            await client.disconnect()
            assert [number for number, _ in lost] == [connection]
            assert lost[0][1] in ("the server closed the connection", "the connection was reset")

    play(test())


def test_15_the_reason_is_the_servers_if_it_gave_one(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server)
            visitor = await met(client, server)
            visitor.say("ERROR :Closing Link: bob (Ping timeout)")
            visitor.close()
            lost = await client.wait("client_disconnect", SOON)
            assert lost["reason"] == "the server closed the connection: Closing Link: bob (Ping timeout)"

    play(test())


def test_16_lines_before_the_end_come_before_it_and_half_a_line_is_dropped(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server)
            order: list[str] = []
            client.on("privmsg", lambda message: order.append(message))
            client.on("client_disconnect", lambda: order.append("lost"))
            visitor = await met(client, server)
            visitor.say(*(f"PRIVMSG a :{n}" for n in range(1000)))  # more than one pass
            visitor.write(b"PRIVMSG a :half")
            visitor.close()
            await client.wait("client_disconnect", SOON)
            assert order == [*map(str, range(1000)), "lost"]
            visitor = await met(client, server)
            visitor.say(" a line", "NOTICE a :end")
            await client.wait("notice", SOON)
            assert len(order) == 1001
            await client.disconnect()

    play(test())


def test_17_twenty_reconnects_leave_nothing_behind(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server)

            @client.on("client_disconnect")
            async def reconnect(**kwargs: Any) -> None:
                await client.connect()

            visitor = await met(client, server)
            for _ in range(20):
                visitor.close()
                visitor = await server.visitor()
                await client.connected(SOON)
            client.off("client_disconnect", reconnect)
            await client.disconnect()
            for _ in range(10):  # the last handlers may end
                await asyncio.sleep(0)
            assert not client._dispatcher.heard
            assert not client._dispatcher._tasks
        gc.collect()  # an unclosed socket would warn here, and a warning is an error

    play(test())


# --- 18 to 20: other loops


def test_18_and_19_everything_lives_on_the_loop_that_is_set(new_loop: NewLoop) -> None:
    first, second = new_loop(), new_loop()
    client = Client("127.0.0.1", 1, ssl=False, loop=first)
    seen: list[Any] = []

    @client.on("client_connect")
    async def note(**kwargs: Any) -> None:
        seen.append(asyncio.get_running_loop())

    async def meet() -> None:
        async with FakeServer() as server:
            client.port = server.port
            visitor = await met(client, server)
            waiting = asyncio.create_task(client.wait("privmsg", SOON))
            await asyncio.sleep(0)
            visitor.say("PRIVMSG a :x")
            assert (await waiting)["message"] == "x"
            await client.disconnect()

    first.run_until_complete(meet())
    client.loop = second
    second.run_until_complete(meet())
    assert seen == [first, second]
    client.trigger("client_connect")
    second.run_until_complete(asyncio.sleep(0))
    assert seen == [first, second, second]
    first.close()
    second.close()


def test_20_a_connection_left_on_an_old_loop_is_aborted_and_not_waited_for(new_loop: NewLoop) -> None:
    old, new = new_loop(), new_loop()
    server = FakeServer()
    new.run_until_complete(server.open())
    client = Client("127.0.0.1", server.port, ssl=False, loop=old)
    lost: list[Any] = []

    @client.on("client_disconnect")
    def note() -> None:
        lost.append(asyncio.get_running_loop())

    old.run_until_complete(client.connect())

    async def update_loop() -> None:
        visitor = await server.visitor()
        await client.disconnect()
        assert await visitor.rest() == b""  # the server sees the end although the old loop does not run
        with pytest.raises(NotConnected):
            client.send("nick", nick="bob")
        await client.connect()
        visitor = await server.visitor()
        client.send("nick", nick="bob")
        assert await visitor.line() == "NICK bob"

    client.loop = new
    new.run_until_complete(asyncio.wait_for(update_loop(), SOON))
    assert lost == [new]
    old.run_until_complete(asyncio.sleep(0))  # the old loop's late news of its transport
    old.run_until_complete(asyncio.sleep(0))
    assert lost == [new]
    assert client.is_connected
    new.run_until_complete(client.disconnect())
    new.run_until_complete(server.__aexit__(None, None, None))
    old.close()
    new.close()


# --- 21: sending


def test_21_what_is_sent_is_on_the_wire_in_order(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server)
            visitor = await met(client, server)
            client.send("privmsg", target="#bottom-dev", message="I'm baaack!")
            for number in range(500):
                client.send("privmsg", target="#c", message=str(number))
            await client.send("NOTICE", target="#c", message="end")
            await client.disconnect()
            lines = (await visitor.rest()).split(b"\r\n")
            assert lines[0] == b"PRIVMSG #bottom-dev :I'm baaack!"
            assert lines[1:501] == [b"PRIVMSG #c :%d" % number for number in range(500)]
            assert lines[501:] == [b"NOTICE #c :end", b""]

    play(test())
