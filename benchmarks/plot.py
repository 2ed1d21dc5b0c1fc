"""The picture for the documentation: what each subject costs as a multiple of what ZNC costs, scenario by scenario."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from math import floor, log10
from pathlib import Path

from benchmarks.goals import GOALS
from benchmarks.run import Measured
from benchmarks.scenarios import SCENARIOS

_UNIT = "znc"  # what the others are multiples of
_COLOURS = {"bouncer": "#0b6e4f", "znc-log": "#c8963e", "soju": "#5b7db1"}
_OTHER = "#888888"
_LEFT, _DECADE, _BAR, _GAP, _TOP, _EDGE = 230, 130, 10, 12, 62, 60
_TEXT = "font-family='sans-serif' font-size='11' fill='#222'"

Row = tuple[str, dict[str, float]]


def write(path: Path, results: Mapping[str, Mapping[str, Measured]]) -> None:
    """Draw all scenarios that ZNC took part in."""
    path.write_text("\n".join(_drawn(list(_rows(results)))) + "\n")


def _rows(results: Mapping[str, Mapping[str, Measured]]) -> Iterator[Row]:
    figures = {goal.scenario: goal.figure for goal in reversed(GOALS)}
    for name, measured in results.items():
        medians = {each.subject: each.median(figures[name]) for each in measured.values()}
        one = medians.pop(_UNIT, None)
        if one:
            yield SCENARIOS[name].title, {subject: value / one for subject, value in medians.items() if value}


def _drawn(rows: list[Row]) -> Iterator[str]:
    ratios = [ratio for _, bars in rows for ratio in bars.values()] or [1.0]
    low, high = min(-1, floor(log10(min(ratios)))), max(1, floor(log10(max(ratios))) + 1)
    width = _LEFT + (high - low) * _DECADE + _EDGE
    height = _TOP + sum(_height(bars) for _, bars in rows) + 4

    def place(exponent: float) -> float:
        return _LEFT + (exponent - low) * _DECADE

    yield f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' height='{height}'>"
    yield f"<rect width='{width}' height='{height}' fill='white'/>"
    yield f"<text x='8' y='16' {_TEXT}>What a bouncer costs, ZNC without history being 1: to the left is cheaper</text>"
    for number, subject in enumerate(dict.fromkeys(subject for _, bars in rows for subject in bars)):
        yield f"<rect x='{8 + number * 90}' y='26' width='10' height='10' fill='{_COLOURS.get(subject, _OTHER)}'/>"
        yield f"<text x='{22 + number * 90}' y='35' {_TEXT}>{escape(subject)}</text>"
    for exponent in range(low, high + 1):
        x = place(exponent)
        line = "stroke='#222'" if exponent == 0 else "stroke='#ddd'"
        yield f"<line x1='{x}' y1='{_TOP - 10}' x2='{x}' y2='{height}' {line}/>"
        yield f"<text x='{x}' y='{_TOP - 14}' {_TEXT} text-anchor='middle'>{10.0**exponent:g}</text>"
    y = _TOP
    for title, bars in rows:
        yield f"<text x='8' y='{y + _height(bars) // 2 - 2}' {_TEXT}>{escape(title)}</text>"
        for number, (subject, ratio) in enumerate(bars.items()):
            yield from _bar(
                place(0), place(log10(ratio)), y + number * (_BAR + 2), _COLOURS.get(subject, _OTHER), ratio
            )
        y += _height(bars)
    yield "</svg>"


def _height(bars: Mapping[str, float]) -> int:
    return max(1, len(bars)) * (_BAR + 2) + _GAP


def _bar(one: float, end: float, y: float, colour: str, ratio: float) -> Iterator[str]:
    left, right = min(one, end), max(one, end)
    yield f"<rect x='{left:.1f}' y='{y}' width='{right - left:.1f}' height='{_BAR}' fill='{colour}'/>"
    yield f"<text x='{right + 4:.1f}' y='{y + _BAR - 1}' {_TEXT}>{ratio:.2g}</text>"
