"""What was measured, for people and for programs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.goals import Outcome, outcomes
from benchmarks.run import Measured
from benchmarks.scenarios import SCENARIOS, SPENT
from benchmarks.subjects.port import Subject

Results = Mapping[str, Mapping[str, Measured]]


def table(results: Results) -> Iterator[str]:
    """Markdown: the medians of all figures, then what they are held against."""
    subjects = list(dict.fromkeys(name for measured in results.values() for name in measured))
    yield f"| scenario | figure | {' | '.join(subjects)} |"
    yield f"|---|---|{'---|' * len(subjects)}"
    for name, measured in results.items():
        figures = dict.fromkeys(figure for each in measured.values() for run in each.runs for figure in run)
        figures.pop(SPENT, None)
        for figure in figures:
            medians = (measured[subject].median(figure) if subject in measured else None for subject in subjects)
            yield f"| {SCENARIOS[name].title} | {figure} | {' | '.join(map(_number, medians))} |"
    yield from _failures(results)


def verdicts(results: Results) -> Iterator[str]:
    """Markdown: what the figures are held against."""
    yield "| scenario | against | ratio | at most | aim | |"
    yield "|---|---|---|---|---|---|"
    for outcome in outcomes(results):
        yield _row(outcome)


def _failures(results: Results) -> Iterator[str]:
    for name, measured in results.items():
        for each in measured.values():
            if each.failure:
                yield f"\n{SCENARIOS[name].title}: {each.subject} failed: {each.failure}"


def _row(outcome: Outcome) -> str:
    goal = outcome.goal
    aim = "" if goal.aim is None else f"{goal.aim:g}"
    against = goal.peer or goal.figure
    title = SCENARIOS[goal.scenario].title
    return f"| {title} | {against} | {outcome.value:.3g} | {goal.must:g} | {aim} | {outcome.verdict} |"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def write(path: Path, results: Results, subjects: Sequence[Subject]) -> None:
    """All runs as JSON: what was measured on what, every figure of every run, and the outcomes."""
    path.write_text(
        json.dumps(
            {
                "machine": {
                    "system": platform.platform(),
                    "processors": os.cpu_count(),
                    "processor": _processor(),
                },
                "subjects": {subject.name: subject.version() for subject in subjects},
                "scenarios": {
                    name: {
                        "title": SCENARIOS[name].title,
                        "subjects": {
                            each.subject: {"lines": each.lines, "runs": each.runs, "failure": each.failure}
                            for each in measured.values()
                        },
                    }
                    for name, measured in results.items()
                },
                "outcomes": [
                    {
                        "scenario": outcome.goal.scenario,
                        "figure": outcome.goal.figure,
                        "peer": outcome.goal.peer,
                        "value": outcome.value,
                        "must": outcome.goal.must,
                        "aim": outcome.goal.aim,
                        "verdict": outcome.verdict,
                    }
                    for outcome in outcomes(results)
                ],
            },
            indent=1,
        )
        + "\n"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return ""
