"""Runs scenarios: all subjects side by side, run 1 of each, then run 2 of each, and so on."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from benchmarks.certificate import Certificate
from benchmarks.scenarios import SPENT, Figures, Scenario
from benchmarks.stage import Stage
from benchmarks.subjects.port import Subject

ENOUGH = 0.7  # seconds of CPU that a run is to cost: what is done now and then is in it as often as it should be
Say = Callable[[str], None]


@dataclass
class Measured:
    """All runs of one subject in one scenario."""

    subject: str
    lines: int
    runs: list[Figures] = field(default_factory=list)
    failure: str = ""

    def median(self, figure: str) -> float | None:
        values = [run[figure] for run in self.runs if figure in run]
        return median(values) if values else None


async def measure(scenario: Scenario, subjects: Sequence[Subject], runs: int, say: Say) -> Mapping[str, Measured]:
    """Every subject that the scenario is for."""
    chosen = [subject for subject in subjects if subject.name not in scenario.without]
    with tempfile.TemporaryDirectory(prefix="bench-tls-") as directory:
        os.chmod(directory, 0o755)  # for subjects with a user of their own
        certificate = Certificate.make(Path(directory) / "both.pem")
        if scenario.sizes is not None:
            return await _slopes(scenario, scenario.sizes, chosen, runs, certificate, say)
        if scenario.fresh:
            return await _afresh(scenario, chosen, runs, certificate, say)
        return await _alternately(scenario, chosen, runs, certificate, say)


async def _alternately(
    scenario: Scenario, subjects: Sequence[Subject], runs: int, certificate: Certificate, say: Say
) -> Mapping[str, Measured]:
    measured = {subject.name: Measured(subject.name, scenario.least) for subject in subjects}
    async with _stages(scenario, subjects, certificate, measured) as stages:
        for stage in stages:
            mine = measured[stage.subject.name]
            with _Failing(mine):
                mine.lines = await _lines(scenario, stage)
        for number in range(runs):
            for stage in stages:
                await _once(scenario, stage, measured[stage.subject.name], number, say)
    return measured


async def _afresh(
    scenario: Scenario, subjects: Sequence[Subject], runs: int, certificate: Certificate, say: Say
) -> Mapping[str, Measured]:
    measured = {subject.name: Measured(subject.name, scenario.least) for subject in subjects}
    for number in range(runs):
        for subject in subjects:
            async with _stages(scenario, [subject], certificate, measured) as stages:
                for stage in stages:
                    await _once(scenario, stage, measured[subject.name], number, say)
    return measured


async def _slopes(
    scenario: Scenario,
    sizes: tuple[int, int],
    subjects: Sequence[Subject],
    runs: int,
    certificate: Certificate,
    say: Say,
) -> Mapping[str, Measured]:
    """What a network more costs: all instances of all runs are there at once, since a subject may be slow to start."""
    few, many = (replace(scenario, plan=replace(scenario.plan, networks=size)) for size in sizes)
    measured = {subject.name: Measured(subject.name, sizes[1] - sizes[0]) for subject in subjects}
    instances = [subject for subject in subjects for _ in range(runs)]
    async with (
        _stages(few, instances, certificate, measured) as small,
        _stages(many, instances, certificate, measured) as large,
    ):
        for subject in subjects:
            pairs = zip(_of(small, subject), _of(large, subject), strict=False)
            for number, (less, more) in enumerate(pairs):
                lower, upper = await few.run(less, 1), await many.run(more, 1)
                slope = {name: (upper[name] - lower[name]) / (sizes[1] - sizes[0]) for name in upper}
                measured[subject.name].runs.append(slope)
                say(f"run {number + 1} of {subject.name}: {_told(slope)}")
    return measured


def _of(stages: Sequence[Stage], subject: Subject) -> list[Stage]:
    return [stage for stage in stages if stage.subject is subject]


@asynccontextmanager
async def _stages(
    scenario: Scenario, subjects: Sequence[Subject], certificate: Certificate, measured: Mapping[str, Measured]
) -> AsyncIterator[list[Stage]]:
    """All started at once; those that could be. The others have their failure noted."""
    opened = await asyncio.gather(*(_ready(scenario, each, certificate, measured[each.name]) for each in subjects))
    stages = [stage for stage in opened if stage is not None]
    try:
        yield stages
    finally:
        await asyncio.gather(*(stage.close() for stage in stages))


async def _ready(scenario: Scenario, subject: Subject, certificate: Certificate, measured: Measured) -> Stage | None:
    with _Failing(measured):
        stage = await Stage.open(subject, scenario.plan, certificate)
        try:
            if scenario.prepare is not None:
                await scenario.prepare(stage)
        except BaseException:
            await stage.close()
            raise
        return stage
    return None


class _Failing:
    """What goes wrong with one subject is noted, and the others are measured all the same."""

    def __init__(self, measured: Measured) -> None:
        self._measured = measured

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> bool:
        if not isinstance(failure, OSError | RuntimeError):
            return False
        notes = "; ".join(getattr(failure, "__notes__", ()))
        self._measured.failure = f"{type(failure).__name__}: {failure} {notes}".strip()
        return True


async def _lines(scenario: Scenario, stage: Stage) -> int:
    """How many a run needs to cost ENOUGH. What is done for it warms the subject up, too."""
    lines = scenario.least
    if scenario.least == scenario.most:
        return lines
    for _ in range(3):
        cost = (await scenario.run(stage, lines))[SPENT]
        if cost >= ENOUGH or lines >= scenario.most:
            break
        lines = max(lines, min(scenario.most, int(lines * ENOUGH / cost)))
    return lines


async def _once(scenario: Scenario, stage: Stage, measured: Measured, number: int, say: Say) -> None:
    if measured.failure:
        return
    with _Failing(measured):
        measured.runs.append(await scenario.run(stage, measured.lines))
        say(f"run {number + 1} of {measured.subject}: {_told(measured.runs[-1])}")


def _told(figures: Figures) -> str:
    return ", ".join(f"{value:,.4g} {name}" for name, value in figures.items())
