"""However a channel is detached and shown again, and whoever is there meanwhile: each device gets each line."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.play.stage import Device, Stage

CAPS = {"phone": "", "desk": "batch server-time"}
DEVICES = tuple(CAPS)
steps = st.one_of(
    st.tuples(st.just("say"), st.sampled_from(["#c", "#d"])),
    st.tuples(st.sampled_from(["detach", "join", "kill"]), st.just("")),
    st.tuples(st.sampled_from(["attach", "leave", "read"]), st.sampled_from(DEVICES)),
)


class Run:
    """Two devices, two channels, and what each device was shown."""

    def __init__(self, careful: bool) -> None:
        self.careful = careful  # each device reads, and confirms, at once
        self.stage = Stage()
        self.upstream = self.stage.connected()
        self.here: dict[str, Device] = {}
        self.got: dict[str, list[str]] = {name: [] for name in DEVICES}
        self.shown: dict[str, list[str]] = {name: [] for name in DEVICES}  # in this attachment
        self.said = 0
        for channel in ("#c", "#d"):
            self.upstream.joins(channel, "bob")

    async def do(self, step: str, what: str) -> None:
        if step == "say":
            self.stage.timers.pass_by(6)  # so that it is asked whether that was read
            self.upstream.says(f":bob!b@h PRIVMSG {what} :line {self.said}")
            self.said += 1
        elif step == "attach" and what not in self.here:
            self.shown[what] = []
            self.here[what] = await self.stage.device(f"alice@{what}", CAPS[what])
        elif step == "leave" and what in self.here:
            await self.read(what)
            self.here.pop(what).leaves()
        elif step == "read" and what in self.here:
            await self.read(what)
        elif step == "kill":
            await self.restart()
        elif step in ("detach", "join"):
            account = self.stage.house.account("alice")
            assert account is not None
            link = account.links[self.upstream.link.network.id]
            if self.here and link.is_detached("#c") == (step == "join"):
                next(iter(self.here.values())).says("PART #c detach" if step == "detach" else "JOIN #c")
        if self.careful:
            for name in self.here:
                await self.read(name)
        await self.stage.settle()

    async def restart(self) -> None:
        for name in list(self.here):
            await self.read(name)
            self.here.pop(name).closed = True
        await self.stage.settle()
        self.stage.begin()
        self.upstream = self.stage.upstream()
        self.upstream.welcomes()
        for channel in ("#c", "#d"):
            self.upstream.joins(channel, "bob")

    async def read(self, name: str) -> None:
        while lines := await self.here[name].gets_soon():
            numbers = [line.rpartition(" ")[2] for line in lines if " PRIVMSG #" in line]
            self.got[name] += numbers
            self.shown[name] += numbers
        if self.careful:  # what is not confirmed may be given again when the channel is shown again
            assert len(set(self.shown[name])) == len(self.shown[name]), "twice in one attachment"


async def play(script: list[tuple[str, str]], careful: bool) -> Run:
    run = Run(careful)
    for name in DEVICES:
        await run.do("attach", name)
    for step, what in script:
        await run.do(step, what)
    for step, what in (("attach", "phone"), ("attach", "desk"), ("join", ""), ("read", "phone"), ("read", "desk")):
        await run.do(step, what)
    await run.stage.desk.close()
    run.stage.store.close()
    return run


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, max_size=30))
def test_who_confirms_gets_each_line_once(script: list[tuple[str, str]]) -> None:
    run = asyncio.run(play(script, careful=True))
    for name in DEVICES:
        assert sorted(run.got[name], key=int) == [str(number) for number in range(run.said)]


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, max_size=30))
def test_nobody_loses_a_line(script: list[tuple[str, str]]) -> None:
    run = asyncio.run(play(script, careful=False))
    for name in DEVICES:
        assert set(run.got[name]) == {str(number) for number in range(run.said)}
