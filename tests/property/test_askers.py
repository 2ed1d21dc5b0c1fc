"""Whatever several devices ask, in whatever order: each answer reaches its asker only, every other line reaches all."""

from __future__ import annotations

import asyncio
from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.play.stage import Stage, Upstream

DEVICES = 3
# How a network answers a question about `{s}`, in the words `{w}`: if all is well, and with an error.
QUESTIONS = {
    "WHOIS {s}": (("311 alice {s} u h * :{w}", "318 alice {s} :{w}"), ("401 alice {s} :{w}", "318 alice {s} :{w}")),
    "WHO #{s}": (("352 alice #{s} u h s n H :0 {w}", "315 alice #{s} :{w}"), ("403 alice #{s} :{w}",)),
    "WHO {s} %tn,{s}": (("354 alice {s} :{w}", "315 alice {s} :{w}"), ("315 alice {s} :{w}",)),
    "NAMES #{s}": (("353 alice = #{s} :{w} x", "366 alice #{s} :{w}"), ("366 alice #{s} :{w}",)),
    "MODE #{s} b": (("367 alice #{s} x :{w}", "368 alice #{s} :{w}"), ("482 alice #{s} :{w}",)),
    "MODE #{s}": (("324 alice #{s} +n :{w}", "329 alice #{s} :{w}"), ("401 alice #{s} :{w}",)),
    "PRIVMSG {s} :hi": ((), ("401 alice {s} :{w}",)),
    "INVITE {s} #x": (("341 alice {s} :{w}",), ("443 alice {s} #x :{w}",)),
    "LIST": (("322 alice #c 3 :{w}", "323 alice :{w}"), ("263 alice LIST :{w}",)),
    "LUSERS": (("251 alice :{w}", "255 alice :{w}", "265 alice :{w}"), ("402 alice s :{w}",)),
    "TIME": (("391 alice s :{w}",), ("402 alice s :{w}",)),
    "FROB {s}": (("421 alice FROB :{w}",), ("421 alice FROB :{w}",)),
}
# Those that name what they are about: an answer of these that is lost misleads nobody.
NAMED = frozenset(question for question in QUESTIONS if "{s}" in question) - {"FROB {s}"}

ask = st.tuples(st.just("ask"), st.integers(0, DEVICES - 1), st.sampled_from(sorted(QUESTIONS)))
answer = st.tuples(st.just("answer"), st.just(0), st.sampled_from(["well", "well", "well", "error", "lost"]))
text = st.tuples(st.just("text"), st.just(0), st.just(""))


class Network:
    """Answers in the order in which it was asked."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.asked: deque[tuple[str, str, int]] = deque()
        self.said: list[list[str]] = [[] for _ in range(DEVICES)]
        self.answers = 0

    def answer(self, how: str) -> None:
        line = self.upstream.got.pop(0)
        question, subject, device = self.asked.popleft()
        if how == "lost" and question in NAMED:
            return
        self.answers += 1
        words = f"for-{device}-{self.answers}"
        lines = [each.format(s=subject, w=words) for each in QUESTIONS[question][how == "error"]]
        self.said[device] += lines
        lines = [f":irc.example {each}" for each in lines]
        if line.startswith("@label="):
            lines = self.labelled(line.partition(" ")[0], lines)
        self.upstream.says(*lines)

    def labelled(self, label: str, lines: list[str]) -> list[str]:
        if not lines:
            return [f"{label} :irc.example ACK"]
        if len(lines) == 1:
            return [f"{label} {lines[0]}"]
        return [
            f"{label} :irc.example BATCH +{self.answers} labeled-response",
            *(f"@batch={self.answers} {line}" for line in lines),
            f":irc.example BATCH -{self.answers}",
        ]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(ask, answer, text), max_size=60), st.booleans())
def test_each_answer_reaches_its_asker_only(steps: list[tuple[str, int, str]], labels: bool) -> None:
    async def live() -> None:
        stage = Stage()
        upstream = stage.connected()
        if labels:
            upstream.says(":irc.example CAP alice ACK :batch labeled-response")
        devices = [await stage.attached(f"alice@d{number}", "multi-prefix") for number in range(DEVICES)]
        network = Network(upstream)
        texts: list[str] = []
        for count, (step, asker, what) in enumerate(steps):
            if step == "ask":
                subject = f"s{count}"
                devices[asker].says(what.format(s=subject))
                network.asked.append((what, subject, asker))
            elif step == "text":
                texts.append(f":bob!b@h PRIVMSG alice :text {count}")
                upstream.says(texts[-1], ":bob!b@h AWAY :out")
            elif network.asked:
                network.answer(what)
        while network.asked:
            network.answer("well")
        for number, device in enumerate(devices):
            lines = device.lines()
            assert [line for line in lines if ":text " in line] == texts
            answers = [line.removeprefix(":irc.example ") for line in lines if line.startswith(":irc.example ")]
            assert answers == network.said[number]
        await stage.desk.close()
        stage.store.close()

    asyncio.run(live())
